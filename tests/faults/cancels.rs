//! Jobs cancelled, and workers told to end, at any moment.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::Rng as _;

use super::yard::{Doomed, drain, end, job, submit};
use super::{assert_sound, commits, on_both_stores, random, rounds, within};
use crate::product::Product;

/// Works for a while, then writes its number.
fn slow(number: usize) -> String {
    format!(
        "INSERT INTO a.t SELECT {number} + CASE WHEN count(*) < 0 THEN 1 ELSE 0 END FROM generate_series(1, 4000) x JOIN generate_series(1, 4000) y \
         ON x.value < y.value"
    )
}

fn with_table(lake: &Product) {
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.t (n BIGINT); CREATE TABLE a.other (n BIGINT)"]);
}

on_both_stores!(a_cancelled_job_is_cancelled_or_done, super::cancel_at_random);

fn cancel_at_random(lake: &Product) {
    with_table(lake);
    let mut random = random();
    let mut done = BTreeSet::new();
    let worker = Doomed::start(lake, "", &["--verbose"]);
    let whole = time_of_a_job(lake);
    let n_jobs = 3 * rounds();
    for number in 1..=n_jobs {
        let id = submit(lake, &[&slow(number)]);
        // The first one is in time for certain, and its job at work.
        match number {
            1 => within("the job runs", || job(lake, id)["state"] == "running"),
            _ => std::thread::sleep(whole.mul_f64(random.random_range(0.0..0.9))),
        }
        let cancelled = lake.run(&["cancel", &id.to_string()]);
        let mut ended = job(lake, id);
        within("the job ends", || {
            ended = job(lake, id);
            ended["finished_at"].is_string()
        });
        match ended["state"].as_str().unwrap() {
            "succeeded" => assert!(done.insert(number)),
            "cancelled" => {
                assert!(cancelled.status.success(), "{cancelled:?}");
                assert!(number > 1 || ended["attempt"] == 1, "it was at work: {ended}");
            }
            other => panic!("{other}: {ended}"),
        }
    }
    drop(worker);
    check(lake, &done);
    println!("faults: {} of {n_jobs} jobs cancelled, the others done", n_jobs - done.len());
    assert!(done.len() < n_jobs, "no cancellation was in time; the test proves nothing");
}

/// Returns how long a job takes that nobody cancels.
fn time_of_a_job(lake: &Product) -> Duration {
    let id = submit(lake, &[&slow(0).replace("a.t", "a.other")]);
    within("the job succeeds", || job(lake, id)["state"] == "succeeded");
    let took = "date_part('epoch', finished_at) - date_part('epoch', submitted_at)";
    let took = lake.query(&format!("SELECT {took} AS seconds FROM system.jobs WHERE job = {id}"));
    Duration::from_secs_f64(took[0]["seconds"].as_f64().unwrap())
}

/// The table holds what succeeded, and nothing that was cancelled.
fn check(lake: &Product, done: &BTreeSet<usize>) {
    let rows = lake.query("SELECT n FROM a.t ORDER BY n");
    let rows: Vec<usize> = rows.iter().map(|row| usize::try_from(row["n"].as_u64().unwrap()).unwrap()).collect();
    assert_eq!(rows, done.iter().copied().collect::<Vec<_>>());
    assert_eq!(commits(lake, "t"), 1 + done.len());
    assert_sound(lake);
}

on_both_stores!(a_worker_told_to_end_leaves_its_jobs_whole, super::end_at_random);

fn end_at_random(lake: &Product) {
    with_table(lake);
    let mut random = random();
    let n_workers = 2 * rounds();
    let mut n_at_once = 0;
    for number in 1..=n_workers {
        submit(lake, &[&slow(number)]);
        let mut worker = Doomed::start(lake, "", &[]);
        within("it works", || worker.said().contains("started"));
        // The first one is told twice at once, the second one once.
        let (before, between) = (random.random_range(0..600), random.random_range(0..300));
        std::thread::sleep(Duration::from_millis(if number == 1 { 0 } else { before }));
        worker.signal("TERM");
        let is_told_twice = number == 1 || (number > 2 && random.random_bool(0.5));
        if is_told_twice {
            std::thread::sleep(Duration::from_millis(if number == 1 { 100 } else { between }));
            worker.signal("TERM");
        }
        // 0 if the job was ended first, 130 if it was left to others.
        let code = worker.ends();
        assert!(matches!(code, Some(0 | 130)), "{code:?}: {}", worker.said());
        assert!(number > 2 || code == Some(if number == 1 { 130 } else { 0 }), "{number}: {code:?}: {}", worker.said());
        n_at_once += usize::from(code == Some(130));
    }
    drain(lake);
    check(lake, &(1..=n_workers).collect());
    println!("faults: {n_workers} workers told to end, {n_at_once} of them at once");
}

on_both_stores!(a_job_needs_nobody_who_waits_for_it, super::disconnect_at_random);

/// Whoever waits for a job is killed; so is whoever runs a statement by hand, whose change is then there as a whole or not at all.
fn disconnect_at_random(lake: &Product) {
    with_table(lake);
    let mut random = random();
    let whole = time_of_a_statement(lake);
    let worker = lake.start(&["worker", "--slots", "1"]);
    let n_clients = 2 * rounds();
    let (mut n_in_time, mut n_by_hand) = (0, 0);
    for number in 1..=n_clients {
        let mut waits = lake.start(&["submit", "--wait", &slow(number)]);
        let queued = format!("SELECT count(*) FROM system.jobs WHERE state <> 'cancelled' HAVING count(*) = {number}");
        within("the job is queued", || !lake.query(&queued).is_empty());
        std::thread::sleep(whole.mul_f64(random.random_range(0.0..0.5)));
        n_in_time += usize::from(waits.try_wait().unwrap().is_none());
        waits.kill().unwrap();
        waits.wait().unwrap();
        let mut by_hand = lake.start(&["sql", "-c", &slow(number).replace("a.t", "a.other")]);
        std::thread::sleep(whole.mul_f64(random.random_range(0.1..1.3)));
        n_by_hand += usize::from(by_hand.try_wait().unwrap().is_none());
        by_hand.kill().unwrap();
        by_hand.wait().unwrap();
    }
    let done = format!("SELECT count(*) FROM system.jobs WHERE state = 'succeeded' HAVING count(*) = {n_clients}");
    within("the jobs are done", || !lake.query(&done).is_empty());
    end(worker);
    // The next change of the table settles what a killed statement has committed and not recorded.
    lake.ok(&["sql", "-c", "INSERT INTO a.other SELECT 0"]);
    let rows = lake
        .query("SELECT n, count(*) AS times FROM a.other GROUP BY n HAVING count(*) > 2 OR (n > 0 AND count(*) > 1)");
    assert!(rows.is_empty(), "a change by hand is there twice: {rows:?}");
    let (rows, n_commits) = (number_of_rows(lake, "other"), commits(lake, "other"));
    assert_eq!(rows + 1, n_commits, "each commit but the first has one row");
    assert_eq!(number_of_rows(lake, "t"), n_clients);
    assert_eq!(commits(lake, "t"), 1 + n_clients);
    lake.ok(&["audit", "verify"]);
    println!("faults: {n_in_time} of {n_clients} gone who waited for a job, {n_by_hand} statements by hand killed");
    assert!(n_in_time > 0 && n_by_hand > 0, "nobody was killed in time; the test proves nothing");
}

fn number_of_rows(lake: &Product, table: &str) -> usize {
    usize::try_from(super::number(lake, &format!("SELECT count(*) FROM a.{table}"))).unwrap()
}

/// Returns how long a statement takes with its process.
fn time_of_a_statement(lake: &Product) -> Duration {
    let started = std::time::Instant::now();
    lake.ok(&["sql", "-c", &slow(0).replace("a.t", "a.other")]);
    started.elapsed()
}

on_both_stores!(a_commit_on_its_way_when_its_job_is_cancelled_counts, super::cancel_behind_the_commit);

/// The store has the commit already, and takes its time.
fn cancel_behind_the_commit(lake: &Product) {
    with_table(lake);
    for point in ["before_commit", "after_commit"] {
        let before = commits(lake, "t");
        let id = submit(lake, &["INSERT INTO a.t SELECT 1"]);
        let mut worker = Doomed::start(lake, &format!("{point}=delay(2000)"), &["--once"]);
        within(point, || worker.has_fired(point));
        lake.ok(&["cancel", &id.to_string()]);
        assert_eq!(worker.ends(), Some(0), "{}", worker.said());
        assert_eq!((&job(lake, id)["state"], commits(lake, "t")), (&"succeeded".into(), before + 1), "{point}");
    }
    assert_sound(lake);
    println!("faults: 2 jobs cancelled behind their commit");
}
