//! Many small jobs, several schedulers and workers on one Postgres, and somebody who kills them.

use std::fs;
use std::time::Duration;

use causeway_cluster::Cluster;
use rand::Rng as _;

use super::yard::{Doomed, drain, submit};
use super::{assert_sound, commits, number, random, rounds};
use crate::product::Product;

const SCHEDULERS: usize = 3;

const WORKERS: usize = 4;

/// Tables that the jobs write to in turn.
const TABLES: usize = 8;

/// The cause of half of the jobs: a schedule for each table, of which a range of minutes long ago is run.
fn schedule(lake: &Product, table: usize, n_jobs: usize) {
    let folder = lake.folder().join(format!("fill_{table}"));
    fs::create_dir_all(&folder).unwrap();
    let manifest = format!(
        "name = \"fill_{table}\"\n[schedule]\ncron = \"* * 1 1 *\"\n[job]\nattempts = 90\ngroup = \"t{table}\"\n\
         group_limit = 2\n"
    );
    fs::write(folder.join("pipeline.toml"), manifest).unwrap();
    let number = "CAST(date_part('minute', :slot_end) + 60 * date_part('hour', :slot_end) AS BIGINT)";
    let insert = format!("INSERT INTO a.t{table} SELECT {number} * {TABLES} + {table} FROM a.source;\n");
    fs::write(folder.join("1_insert.sql"), insert).unwrap();
    lake.ok(&["schedule", "add", folder.to_str().unwrap()]);
    let last = format!("2026-01-01T{:02}:{:02}:00Z", n_jobs / 60, n_jobs % 60);
    let range = ["--from", "2026-01-01T00:00:00Z", "--to", &last, "--at-once", "4"];
    lake.ok(&[&["backfill", &format!("fill_{table}")], range.as_slice()].concat());
}

#[test]
fn schedulers_and_workers_that_are_killed_at_random_do_each_of_many_jobs_once() {
    let database = Cluster::shared().database();
    let lake = Product::init_on(database.url());
    let n_jobs = if rounds() > 1 { 2000 } else { 32 };
    let each = n_jobs / TABLES / 2;
    let tables: String = (0..TABLES).map(|table| format!("CREATE TABLE a.t{table} (n BIGINT);")).collect();
    lake.ok(&["sql", "-c", &format!("CREATE SCHEMA a; CREATE TABLE a.source AS SELECT 1 AS n; {tables}")]);
    std::thread::scope(|scope| {
        for table in 0..TABLES {
            let lake = &lake;
            scope.spawn(move || {
                schedule(lake, table, each);
                for job in 0..each {
                    submit(
                        lake,
                        &[&format!("INSERT INTO a.t{table} SELECT -1 - {job} * {TABLES} - {table} FROM a.source")],
                    );
                }
            });
        }
    });
    let mut random = random();
    let start = |number: usize| match number < SCHEDULERS {
        true => Doomed::run(&lake, lake.command(&["scheduler"]), ""),
        // Each rests with its first job, so that kills find some with a job in hand.
        false => Doomed::start(&lake, "running=delay(1500)", &["--slots", "2"]),
    };
    let mut processes: Vec<Doomed> = (0..SCHEDULERS + WORKERS).map(start).collect();
    let open = "SELECT (SELECT count(*) FROM system.jobs WHERE state IN ('queued', 'running')) \
                + (SELECT count(*) FROM system.backfills WHERE state = 'running')";
    let mut n_kills = 0;
    while number(&lake, open) > 0 {
        std::thread::sleep(Duration::from_millis(random.random_range(200..1000)));
        let victim = (SCHEDULERS + n_kills) % processes.len();
        assert!(!processes[victim].has_ended(), "one ended by itself: {}", processes[victim].said());
        processes[victim].signal("KILL");
        processes[victim] = start(victim);
        n_kills += 1;
        assert!(n_kills < 20 * n_jobs, "the queue does not drain: {}", lake.ok(&["jobs"]));
    }
    drop(processes);
    drain(&lake);
    let lost = number(&lake, "SELECT count(*) FROM system.attempts WHERE outcome = 'lost'");
    assert!(lost > 0, "no kill hit a job; the test proves nothing");
    let expected = i64::try_from(n_jobs).unwrap();
    let scheduled = number(&lake, "SELECT count(*) FROM system.slots WHERE job IS NOT NULL");
    assert_eq!(scheduled, expected / 2, "{:?}", lake.query("SELECT * FROM system.backfills"));
    let others = lake.query("SELECT * FROM system.jobs WHERE state <> 'succeeded'");
    assert!(others.is_empty(), "{others:?}");
    assert_eq!(number(&lake, "SELECT count(*) FROM system.jobs"), expected);
    for table in 0..TABLES {
        let steps = format!(
            "SELECT s.run, s.state, s.attempt, s.outputs, s.sql FROM system.steps s WHERE cardinality(s.outputs) = 0 \
             AND s.sql LIKE '%a.t{table} %'"
        );
        let n_commits = commits(&lake, &format!("t{table}"));
        assert_eq!(n_commits, 1 + n_jobs / TABLES, "table {table}: {:?}", lake.query(&steps));
    }
    let all: Vec<String> = (0..TABLES).map(|table| format!("SELECT n FROM a.t{table}")).collect();
    let all = all.join(" UNION ALL ");
    assert_eq!(number(&lake, &format!("SELECT count(*) FROM ({all})")), expected);
    assert_eq!(number(&lake, &format!("SELECT count(DISTINCT n) FROM ({all})")), expected);
    assert_sound(&lake);
    println!(
        "faults: {n_jobs} jobs by {SCHEDULERS} schedulers and {WORKERS} workers, {n_kills} kills, {lost} attempts lost"
    );
}
