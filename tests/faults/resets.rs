//! Postgres goes away: it restarts under its workers, and every transaction of a job loses its connection.

use std::path::Path;
use std::time::Duration;

use causeway_cluster::{Cluster, Shutdown};

use super::proxy::{Cut, Proxy};
use super::yard::{Doomed, drain, end, job, submit};
use super::{assert_sound, commits, number, rounds, within};
use crate::product::Product;

/// A job's way has more transactions than this: claim, run, step, result, end.
const FEWEST: usize = 4;

#[test]
fn a_transaction_that_loses_its_connection_is_done_once() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let lake = Product::init_on(database.url());
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.source AS SELECT 1 AS n; CREATE TABLE a.t (n BIGINT)"]);
    let (_, socket) = database.url().split_once("?host=").expect("a server on a socket");
    let mut n_cuts = 0;
    for cut in [Cut::Before, Cut::After] {
        let mut nth = 1;
        while cut_commit(&lake, Path::new(socket), database.url(), cut, nth) {
            nth += if rounds() > 1 { 1 } else { 2 };
            n_cuts += 1;
        }
        assert!(nth > FEWEST, "there were only {nth} transactions");
    }
    drain(&lake);
    assert_sound(&lake);
    println!("faults: {n_cuts} connections cut in a transaction");
}

/// Runs one job whose worker loses its connection at its `nth` commit. Returns false if it had done fewer.
fn cut_commit(lake: &Product, socket: &Path, url: &str, cut: Cut, nth: usize) -> bool {
    let before = commits(lake, "t");
    let id = submit(lake, &["INSERT INTO a.t SELECT n FROM a.source"]);
    let proxy = Proxy::start(socket, cut, nth);
    let mut command = lake.command(&["worker", "--drain", "--slots", "1", "--lease-seconds", "30"]);
    command.env("CAUSEWAY_CATALOG_URL", proxy.url(url));
    let mut worker = Doomed::run(lake, command, "");
    assert_eq!(worker.ends(), Some(0), "{cut:?} {nth}: {}", worker.said());
    let job = job(lake, id);
    assert_eq!((&job["state"], &job["attempt"]), (&"succeeded".into(), &1.into()), "{cut:?} {nth}: {job}");
    assert_eq!(commits(lake, "t"), before + 1, "{cut:?} {nth}");
    assert_sound(lake);
    proxy.has_cut()
}

#[test]
fn workers_outlive_a_server_that_restarts() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let lake = Product::init_on(database.url());
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.source AS SELECT 1 AS n; CREATE TABLE a.t (n BIGINT)"]);
    let workers = ["1", "2"].map(|name| lake.start(&["worker", "--name", name, "--lease-seconds", "5"]));
    let mut n_jobs = 0;
    for round in 0..2 * rounds() {
        for _ in 0..5 {
            submit(&lake, &["INSERT INTO a.t SELECT n FROM a.source"]);
            n_jobs += 1;
        }
        std::thread::sleep(Duration::from_millis(150));
        cluster.restart(if round % 2 == 0 { Shutdown::Fast } else { Shutdown::Immediate });
    }
    within("the jobs are done", || number(&lake, "SELECT count(*) FROM system.jobs WHERE state <> 'succeeded'") == 0);
    workers.into_iter().for_each(end);
    assert_eq!(commits(&lake, "t"), 1 + n_jobs);
    assert_sound(&lake);
    println!("faults: {} restarts of Postgres under two workers", 2 * rounds());
}
