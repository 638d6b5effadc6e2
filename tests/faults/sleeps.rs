//! A worker sleeps past its lease at every named place, and wakes up when another has done its job.

use super::yard::{Doomed, drain, submit};
use super::{assert_sound, commits, kills, on_both_stores, rounds, within};
use crate::product::Product;

/// The places at which a lease is held: all but the last. At two of them it is no more that of a statement.
const POINTS: [&str; kills::POINTS.len() - 1] = *kills::POINTS.first_chunk().unwrap();

on_both_stores!(who_wakes_up_after_the_lease_is_refused, super::rounds_of_sleep);

fn rounds_of_sleep(lake: &Product) {
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.source AS SELECT 1 AS n"]);
    let mut n_refused = 0;
    for round in 1..=rounds().div_ceil(4) {
        n_refused += sleep_at_every_point(lake, round);
    }
    println!("faults: {n_refused} late completions refused at {} places", POINTS.len());
}

/// Stops a worker while it rests, and not while its heart writes: that would stop a SQLite catalog.
fn stop(lake: &Product, sleeper: &Doomed) {
    let catalog = lake.folder().join("catalog.sqlite");
    let is_free = || {
        let sql = "PRAGMA busy_timeout = 300; BEGIN IMMEDIATE; ROLLBACK;";
        let shell = std::process::Command::new("sqlite3").arg("-bail").arg(&catalog).arg(sql).output();
        shell.expect("sqlite3, which `make test` installs").status.success()
    };
    within("it is stopped", || {
        sleeper.signal("STOP");
        within("the signal arrives", || sleeper.is_stopped());
        let stopped = !catalog.is_file() || is_free();
        if !stopped {
            sleeper.signal("CONT");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        stopped
    });
}

fn sleep_at_every_point(lake: &Product, round: usize) -> usize {
    for point in POINTS {
        if round == 1 {
            lake.ok(&["sql", "-c", &format!("CREATE TABLE a.{point} (n BIGINT)")]);
        }
        submit_change(lake, point, round);
    }
    let mut sleepers = POINTS.map(|point| {
        let options = ["--slots", "1", "--verbose", "--groups", point];
        let sleeper = Doomed::start(lake, &format!("{point}=delay(5000)"), &options);
        within(&format!("rest at {point}"), || sleeper.has_fired(point));
        stop(lake, &sleeper);
        sleeper
    });
    drain(lake);
    let record = "SELECT * FROM system.attempts ORDER BY job, attempt";
    let (attempts, jobs) = (lake.query(record), lake.query("SELECT * FROM system.jobs"));
    for sleeper in &mut sleepers {
        sleeper.signal("TERM");
        sleeper.signal("CONT");
        assert_eq!(sleeper.ends(), Some(0), "{}", sleeper.said());
        assert!(sleeper.said().contains("the lease is over, this result is discarded"), "{}", sleeper.said());
    }
    assert_eq!(lake.query(record), attempts, "what woke up changed nothing");
    assert_eq!(lake.query("SELECT * FROM system.jobs"), jobs);
    for point in POINTS {
        assert_eq!(commits(lake, point), 1 + round, "{point}");
    }
    assert_sound(lake);
    sleepers.len()
}

/// Queues a job in a group of its own, so that the right worker takes it and no other.
fn submit_change(lake: &Product, point: &str, round: usize) {
    let sql = format!("INSERT INTO a.{point} SELECT {round} FROM a.source");
    if POINTS[..kills::N_BEFORE_THE_RECORD].contains(&point) {
        submit(lake, &[&sql, "--group", point]);
        return;
    }
    let folder = lake.folder().join(point);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pipeline.toml"), format!("name = \"{point}\"\n")).unwrap();
    std::fs::write(folder.join("1_add.sql"), format!("{sql};\n")).unwrap();
    submit(lake, &["--pipeline", folder.to_str().unwrap(), "--group", point]);
}

on_both_stores!(rows_of_who_wakes_up_first_keep_their_lineage, super::wake_before_the_other);

/// Two workers have the same job, their input has changed in between, and the one whose lease is over commits.
fn wake_before_the_other(lake: &Product) {
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.source AS SELECT 1 AS n; CREATE TABLE a.t (n BIGINT)"]);
    submit(lake, &["INSERT INTO a.t SELECT sum(n) FROM a.source"]);
    let start = || {
        let sleeper = Doomed::start(lake, "before_commit=delay(4000)", &["--slots", "1"]);
        within("rest before the commit", || sleeper.has_fired("before_commit"));
        stop(lake, &sleeper);
        sleeper
    };
    let mut first = start();
    lake.ok(&["sql", "-c", "INSERT INTO a.source SELECT 10"]);
    std::thread::sleep(std::time::Duration::from_millis(1500)); // the lease is a second
    let mut second = start();
    for sleeper in [&mut first, &mut second] {
        sleeper.signal("TERM");
        sleeper.signal("CONT");
        assert_eq!(sleeper.ends(), Some(0), "{}", sleeper.said());
    }
    drain(lake);
    assert_eq!(commits(lake, "t"), 2);
    let rows = lake.query("SELECT n FROM a.t");
    let read = lake.query("SELECT s.inputs FROM system.steps s JOIN system.jobs j ON j.run = s.run");
    let expected = if rows[0]["n"] == 1 { "a.source@0" } else { "a.source@1" };
    assert_eq!((rows.len(), &read[0]["inputs"]), (1, &serde_json::json!([expected])), "{rows:?}");
    assert_sound(lake);
    println!("faults: a late commit found by the next attempt");
}

on_both_stores!(a_pipeline_does_not_wait_for_who_sleeps_with_it, super::sleep_with_a_pipeline);

/// The worker that sleeps keeps the lock of the pipeline on this machine.
fn sleep_with_a_pipeline(lake: &Product) {
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.source AS SELECT 1 AS n; CREATE TABLE a.t (n BIGINT)"]);
    let folder = lake.folder().join("pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("pipeline.toml"), "name = \"adds\"\n").unwrap();
    std::fs::write(folder.join("1_add.sql"), "INSERT INTO a.t SELECT n FROM a.source;\n").unwrap();
    submit(lake, &["--pipeline", folder.to_str().unwrap()]);
    let mut sleeper = Doomed::start(lake, "before_commit=delay(5000)", &["--slots", "1", "--verbose"]);
    within("rest before the commit", || sleeper.has_fired("before_commit"));
    let by_hand = lake.run(&["run", folder.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&by_hand.stderr).contains("CW0606"), "{by_hand:?}");
    stop(lake, &sleeper);
    drain(lake);
    assert_eq!((commits(lake, "t"), lake.query("SELECT n FROM a.t").len()), (2, 1));
    let attempts = lake.query("SELECT outcome FROM system.attempts ORDER BY attempt");
    let outcomes: Vec<&str> = attempts.iter().map(|attempt| attempt["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["lost", "succeeded"], "nobody asked in vain");
    sleeper.signal("TERM");
    sleeper.signal("CONT");
    assert_eq!(sleeper.ends(), Some(0), "{}", sleeper.said());
    assert_eq!((commits(lake, "t"), lake.query("SELECT n FROM a.t").len()), (2, 1), "what it says is refused");
    assert_sound(lake);
    println!("faults: a pipeline done beside one who slept with it");
}
