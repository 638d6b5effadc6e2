//! Panics where a job's work is done: in an operator, in the planner, while rows are made, in the runner.

use super::yard::{Doomed, attempts, drain, job, submit};
use super::{assert_sound, commits, number, on_both_stores, rounds};
use crate::product::Product;

/// What a panic says may be a value of a row.
const VALUE: &str = "patient Anna Muster, born 1950";

const CURVE: &str =
    "CREATE OR REPLACE TABLE a.curve AS SELECT * FROM kaplan_meier((SELECT n AS time, n > 1 AS event FROM a.source))";

/// Places in the code that does the work of a job.
const POINTS: [&str; 5] = ["operator", "planner", "rows", "before_commit", "work"];

on_both_stores!(a_panic_ends_the_job_and_not_the_worker, super::panic_everywhere);

fn panic_everywhere(lake: &Product) {
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.source AS SELECT * FROM (VALUES (1), (2), (3)) AS v(n)"]);
    let folder = lake.folder().join("pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pipeline.toml"), "name = \"curve\"\n").unwrap();
    std::fs::write(folder.join("1_curve.sql"), format!("{CURVE};\n")).unwrap();
    let pipeline = folder.display().to_string();
    let mut n_jobs = 0;
    let works = [vec![CURVE], vec!["--pipeline", &pipeline]];
    for (number, point) in POINTS.iter().enumerate() {
        // With little time each place has one kind of job.
        let kinds = if rounds() > 1 { 0..=1 } else { number % 2..=number % 2 };
        for work in &works[kinds] {
            let id = submit(lake, work);
            let next = submit(lake, &[CURVE]);
            let mut worker =
                Doomed::start(lake, &format!("{point}=panic({VALUE})"), &["--slots", "1", "--drain", "--verbose"]);
            assert_eq!(worker.ends(), Some(0), "{point}: {}", worker.said());
            assert!(worker.has_fired(point), "{point}");
            check(lake, point, id, next);
            assert!(!worker.said().contains("Anna"), "{point}: {}", worker.said());
            n_jobs += 1;
        }
    }
    let shown = lake.ok(&["sql", "--format", "ndjson", "-c", "SELECT error FROM system.steps WHERE error IS NOT NULL"]);
    assert!(!shown.contains("Anna"), "{shown}");
    assert_eq!(number(lake, "SELECT count(*) FROM system.attempts WHERE class = 'panic'"), n_jobs);
    for id in lake.query("SELECT job FROM system.jobs WHERE state = 'dead' ORDER BY job") {
        lake.ok(&["retry", &id["job"].to_string()]);
    }
    drain(lake);
    assert_eq!(number(lake, "SELECT count(*) FROM system.jobs WHERE state <> 'succeeded'"), 0);
    assert!(commits(lake, "curve") >= usize::try_from(n_jobs).unwrap());
    assert_sound(lake);
    println!("faults: {n_jobs} panics at {} places", POINTS.len());
}

fn check(lake: &Product, point: &str, id: i64, next: i64) {
    let dead = job(lake, id);
    assert_eq!(dead["state"], "dead", "{point}: {dead}");
    let attempts = attempts(lake, id);
    assert_eq!((&attempts[0]["class"], attempts.len()), (&"panic".into(), 1), "{point}: {attempts:?}");
    assert!(!format!("{dead}{attempts:?}").contains("Anna"), "{point}: {dead}");
    let next = job(lake, next);
    assert_eq!((&next["state"], &next["attempt"]), (&"succeeded".into(), &1.into()), "{point}: {next}");
}
