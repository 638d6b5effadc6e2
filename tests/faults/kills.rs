//! A worker is killed at every named place, with every kind of job in its hands.

use rand::Rng as _;
use rand::seq::SliceRandom as _;

use super::yard::{Doomed, drain, job, submit, submit_for};
use super::{assert_sound, commits, number, on_both_stores, random, rounds};
use crate::product::Product;

/// The places on the way of a job, in their order.
pub(super) const POINTS: [&str; 10] = [
    "claimed",
    "inputs_pinned",
    "running",
    "file_written",
    "before_commit",
    "after_commit",
    "before_catalog_done",
    "step_done",
    "work_done",
    "after_done",
];

/// How many of them lose the attempt whatever the job does. After these the job of a statement has ended, with the
/// record of its step.
pub(super) const N_BEFORE_THE_RECORD: usize = 7;

/// Tables that a round changes once each.
const INSERTED: [&str; 3] = ["inserted_0", "inserted_1", "inserted_2"];

on_both_stores!(each_job_is_done_once_wherever_its_worker_is_killed, super::rounds_of_kills);

fn rounds_of_kills(lake: &Product) {
    make_tables(lake);
    let mut random = random();
    let (mut n_kills, mut n_spare) = (0, 0);
    for round in 1..=rounds() {
        submit_round(lake, round, &mut random);
        let mut points = POINTS;
        points.shuffle(&mut random);
        for (place, point) in points.iter().enumerate() {
            // The middle step of a pipeline, or the second job, is as good as the first.
            let passage = if place < 4 { random.random_range(1..=2) } else { 1 };
            let mut worker = Doomed::start(lake, &format!("{point}@{passage}=kill"), &["--slots", "1"]);
            worker.dies_at(point, || n_spare += spare_job(lake));
            // What a job reads has changed when the next attempt begins.
            lake.ok(&["sql", "-c", "INSERT INTO a.changing SELECT 1"]);
            n_kills += 1;
        }
        drain(lake);
        check(lake, round, n_spare);
    }
    let lost = number(lake, "SELECT count(*) FROM system.attempts WHERE outcome = 'lost'");
    let expected = i64::try_from(rounds() * N_BEFORE_THE_RECORD).unwrap();
    // A slow machine loses some more.
    assert!(lost >= expected, "{lost} attempts lost of {expected}");
    println!("faults: {n_kills} kills at {} places, {lost} attempts lost", POINTS.len());
}

fn make_tables(lake: &Product) {
    let mut sql = "CREATE SCHEMA a; CREATE TABLE a.source AS SELECT * FROM (VALUES (1), (2), (3)) AS v(n); \
                   CREATE TABLE a.merged (id BIGINT, n BIGINT); CREATE TABLE a.second (n BIGINT); \
                   CREATE TABLE a.spare (n BIGINT); CREATE TABLE a.made AS SELECT 0 AS n; \
                   CREATE TABLE a.changing (n BIGINT); CREATE TABLE a.loaded (id BIGINT, name TEXT);"
        .to_owned();
    for table in INSERTED {
        sql.push_str(&format!("CREATE TABLE a.{table} (n BIGINT);"));
    }
    lake.ok(&["sql", "-c", &sql]);
    std::fs::create_dir_all(lake.folder().join("pipeline")).unwrap();
}

/// Queues ten jobs: inserts, replaced tables, merges, loads, and a pipeline of three steps.
fn submit_round(lake: &Product, round: usize, random: &mut impl rand::RngCore) {
    let merge = format!(
        "MERGE INTO a.merged AS t USING (SELECT DISTINCT {round} AS id FROM a.source) AS s ON t.id = s.id \
         WHEN MATCHED THEN UPDATE SET n = t.n + 1 WHEN NOT MATCHED THEN INSERT (id, n) VALUES (s.id, 1)"
    );
    let mut jobs = vec![vec!["--pipeline".to_owned(), write_pipeline(lake, round)], vec![merge.clone()], vec![merge]];
    for table in INSERTED {
        jobs.push(vec![format!("INSERT INTO a.{table} SELECT {round} FROM a.source WHERE n = 1")]);
    }
    for half in 0..2 {
        jobs.push(vec![format!(
            "CREATE OR REPLACE TABLE a.made AS SELECT n + {} AS n FROM a.source",
            2 * round + half
        )]);
        let file = lake.folder().join(format!("load-{round}-{half}.csv"));
        std::fs::write(&file, format!("id,name\n{round},first {half}\n{round},second {half}\n")).unwrap();
        jobs.push(vec![format!("COPY INTO a.loaded FROM '{}' WITH (mode => 'append')", file.display())]);
    }
    jobs.shuffle(random);
    for job in &jobs {
        submit(lake, &job.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

/// Its middle step adds rows, so doing it twice would show.
fn write_pipeline(lake: &Product, round: usize) -> String {
    let folder = lake.folder().join("pipeline");
    for (file, text) in [
        ("pipeline.toml", "name = \"three\"\n".to_owned()),
        (
            "1_first.sql",
            format!(
                "CREATE OR REPLACE TABLE a.first AS SELECT n, {round} AS round, (SELECT count(*) FROM a.changing) AS seen FROM a.source;\n"
            ),
        ),
        (
            "2_second.sql",
            "INSERT INTO a.second SELECT round FROM a.first WHERE n = 1 AND (SELECT count(*) FROM a.changing) >= 0;\n"
                .to_owned(),
        ),
        ("3_third.sql", "CREATE OR REPLACE TABLE a.third AS SELECT count(*) AS n FROM a.second;\n".to_owned()),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    folder.display().to_string()
}

/// Queues one more job if nothing is left that a worker could die of.
fn spare_job(lake: &Product) -> usize {
    let open = number(lake, "SELECT count(*) FROM system.jobs WHERE state IN ('queued', 'running')");
    if open == 0 {
        submit(lake, &["INSERT INTO a.spare SELECT n FROM a.source WHERE n = 1"]);
    }
    usize::from(open == 0)
}

fn check(lake: &Product, rounds: usize, n_spare: usize) {
    assert_sound(lake);
    assert_eq!(number(lake, "SELECT count(*) FROM system.jobs WHERE state <> 'succeeded'"), 0);
    let mut expected = vec![("merged", 1 + 2 * rounds), ("made", 1 + 2 * rounds), ("loaded", 1 + 2 * rounds)];
    expected.extend([("first", rounds), ("second", 1 + rounds), ("third", rounds), ("spare", 1 + n_spare)]);
    expected.extend(INSERTED.map(|table| (table, 1 + rounds)));
    for (table, n_commits) in expected {
        assert_eq!(commits(lake, table), n_commits, "commits of {table}");
    }
    let rounds = i64::try_from(rounds).unwrap();
    for table in INSERTED.iter().chain(&["second"]) {
        assert_eq!(number(lake, &format!("SELECT count(*) FROM a.{table}")), rounds, "{table}");
        assert_eq!(number(lake, &format!("SELECT count(DISTINCT n) FROM a.{table}")), rounds, "{table}");
    }
    assert_eq!(number(lake, "SELECT count(*) FROM a.merged WHERE n = 2"), rounds);
    assert_eq!(number(lake, "SELECT count(*) FROM a.loaded"), 4 * rounds);
    assert_eq!(number(lake, "SELECT n FROM a.third"), rounds);
}

on_both_stores!(a_job_that_dies_with_its_last_worker_leaves_nothing_open, super::last_attempts);

fn last_attempts(lake: &Product) {
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.source AS SELECT 1 AS n; CREATE TABLE a.t (n BIGINT)"]);
    for (place, point) in ["running", "after_commit"].into_iter().enumerate() {
        let id = submit_for(lake, 1, &["INSERT INTO a.t SELECT n FROM a.source"]);
        let mut worker = Doomed::start(lake, &format!("{point}=kill"), &["--slots", "1"]);
        worker.dies_at(point, || ());
        drain(lake);
        assert_eq!(job(lake, id)["state"], "dead", "{point}");
        let step = &lake.query("SELECT state, error_code FROM system.steps ORDER BY run DESC LIMIT 1")[0];
        assert_eq!((&step["state"], &step["error_code"]), (&"failed".into(), &"CW0410".into()), "{point}: {step}");
        lake.ok(&["retry", &id.to_string()]);
        drain(lake);
        assert_eq!(job(lake, id)["state"], "succeeded", "{point}");
        assert_eq!(commits(lake, "t"), 2 + place, "{point}: a commit that had landed is found");
        assert_eq!(number(lake, "SELECT count(*) FROM a.t"), 1 + i64::try_from(place).unwrap(), "{point}");
    }
    assert_sound(lake);
    println!("faults: 2 jobs dead with their worker and done again");
}
