//! Many small jobs, several workers on one Postgres, and somebody who kills them.

use std::time::Duration;

use causeway_cluster::Cluster;
use rand::Rng as _;

use super::yard::{Doomed, drain, submit};
use super::{assert_sound, commits, number, random, rounds};
use crate::product::Product;

const WORKERS: usize = 4;

/// Tables that the jobs write to in turn.
const TABLES: usize = 8;

#[test]
fn workers_that_are_killed_at_random_do_each_of_many_jobs_once() {
    let database = Cluster::shared().database();
    let lake = Product::init_on(database.url());
    let n_jobs = if rounds() > 1 { 2000 } else { 24 };
    let tables: String = (0..TABLES).map(|table| format!("CREATE TABLE a.t{table} (n BIGINT);")).collect();
    lake.ok(&["sql", "-c", &format!("CREATE SCHEMA a; CREATE TABLE a.source AS SELECT 1 AS n; {tables}")]);
    std::thread::scope(|scope| {
        for table in 0..TABLES {
            let lake = &lake;
            scope.spawn(move || {
                for job in (table..n_jobs).step_by(TABLES) {
                    submit(lake, &[&format!("INSERT INTO a.t{table} SELECT {job} FROM a.source")]);
                }
            });
        }
    });
    let start = || Doomed::start(&lake, "", &["--slots", "2"]);
    let mut random = random();
    let mut workers: Vec<Doomed> = (0..WORKERS).map(|_| start()).collect();
    let mut n_kills = 0;
    while number(&lake, "SELECT count(*) FROM system.jobs WHERE state IN ('queued', 'running')") > 0 {
        std::thread::sleep(Duration::from_millis(random.random_range(200..1000)));
        let victim = &mut workers[n_kills % WORKERS];
        assert!(!victim.has_ended(), "a worker ended by itself: {}", victim.said());
        victim.signal("KILL");
        *victim = start();
        n_kills += 1;
        assert!(n_kills < 20 * n_jobs, "the queue does not drain: {}", lake.ok(&["jobs"]));
    }
    drop(workers);
    drain(&lake);
    let lost = number(&lake, "SELECT count(*) FROM system.attempts WHERE outcome = 'lost'");
    assert!(lost > 0, "no kill hit a job; the test proves nothing");
    for table in 0..TABLES {
        assert_eq!(commits(&lake, &format!("t{table}")), 1 + n_jobs / TABLES);
    }
    let all: Vec<String> = (0..TABLES).map(|table| format!("SELECT n FROM a.t{table}")).collect();
    let all = all.join(" UNION ALL ");
    let expected = i64::try_from(n_jobs).unwrap();
    assert_eq!(number(&lake, &format!("SELECT count(*) FROM ({all})")), expected);
    assert_eq!(number(&lake, &format!("SELECT count(DISTINCT n) FROM ({all})")), expected);
    assert_eq!(number(&lake, "SELECT count(*) FROM system.jobs WHERE state = 'succeeded'"), expected);
    assert_sound(&lake);
    println!("faults: {n_jobs} jobs by {WORKERS} workers, {n_kills} kills, {lost} attempts lost");
}
