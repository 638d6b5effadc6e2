//! Schedules as people use them: added, fired, worked through, paused, within their rights.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use causeway_cluster::Cluster;
use serde_json::Value;

use crate::product::{Product, within};
use crate::timeline::at;

const HOURLY: &str = "[schedule]\ncron = \"0 * * * *\"\n";

/// Makes a pipeline of one step.
pub(crate) fn pipeline(folder: &Path, name: &str, manifest: &str) -> PathBuf {
    let step = format!("CREATE OR REPLACE TABLE a.\"{name}\" AS SELECT 1 AS n;\n");
    pipeline_of(folder, name, manifest, &step)
}

fn pipeline_of(folder: &Path, name: &str, manifest: &str, step: &str) -> PathBuf {
    let folder = folder.join(name);
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("pipeline.toml"), format!("name = \"{name}\"\n{manifest}")).unwrap();
    fs::write(folder.join("1_step.sql"), step).unwrap();
    folder
}

fn lake() -> Product {
    with_schema(Product::init())
}

fn with_schema(lake: Product) -> Product {
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.source AS SELECT 1 AS n"]);
    lake
}

fn add(lake: &Product, name: &str, manifest: &str) -> String {
    lake.ok(&["schedule", "add", pipeline(&lake.folder(), name, manifest).to_str().unwrap()])
}

/// Runs a command at a time (UTC).
fn at_time(lake: &Product, time: &str, args: &[&str]) -> String {
    let output = at(&mut lake.command(args), &format!("@{time}")).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn refused(lake: &Product, args: &[&str], words: &[&str]) {
    let output = lake.run(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{args:?}");
    assert!(words.iter().all(|word| said.contains(word)), "{args:?}: {said}");
}

/// The hours of a schedule's slots, oldest first.
fn hours(lake: &Product, name: &str) -> Vec<String> {
    let shown = json(&lake.ok(&["schedule", "show", name, "--json"]));
    let mut slots = shown["slots"].as_array().unwrap().clone();
    slots.reverse();
    slots.iter().map(|slot| slot["fire_at"].as_str().unwrap()[11..16].to_owned()).collect()
}

/// A process that runs until its test ends.
struct Background(Child);

impl Background {
    fn start(lake: &Product, args: &[&str]) -> Self {
        Self(lake.start(args))
    }

    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _: std::io::Result<()> = self.0.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.0.wait();
    }
}

#[test]
fn a_schedule_fires_and_a_worker_does_its_job() {
    let lake = lake();
    let folder = pipeline(&lake.folder(), "hourly", HOURLY);
    let added = at_time(&lake, "2026-11-20 09:10:00", &["schedule", "add", folder.to_str().unwrap()]);
    assert_eq!(added, "schedule hourly is added; it fires next at 2026-11-20T10:00:00Z\n");
    assert_eq!(at_time(&lake, "2026-11-20 09:59:00", &["scheduler", "--once"]), "0 jobs queued\n");
    assert_eq!(at_time(&lake, "2026-11-20 10:00:01", &["scheduler", "--once"]), "1 jobs queued\n");
    lake.ok(&["worker", "--drain"]);
    let slot = &lake.query("SELECT cause, state, job, late FROM system.slots")[0];
    assert_eq!((&slot["cause"], &slot["state"]), (&"rule".into(), &"succeeded".into()), "{slot}");
    assert_eq!(lake.query("SELECT n FROM a.hourly")[0]["n"], 1);
    let shown = json(&lake.ok(&["schedule", "show", "hourly", "--json"]));
    let slot = &shown["slots"][0];
    assert_eq!(
        (&slot["slot_start"], &slot["slot_end"]),
        (&"2026-11-20T09:00:00Z".into(), &"2026-11-20T10:00:00Z".into())
    );
    assert_eq!(shown["next_fire_at"], "2026-11-20T11:00:00Z");
    let jobs = json(&lake.ok(&["jobs", "--json"]));
    assert_eq!((&jobs[0]["group"], &jobs[0]["max_attempts"]), (&"pipeline hourly".into(), &3.into()));
}

#[test]
fn adding_again_says_what_is_changed() {
    let lake = lake();
    add(&lake, "p", HOURLY);
    assert!(add(&lake, "p", HOURLY).contains("is as it was"));
    let manifest = "[schedule]\ncron = \"0 * * * *\"\nmissed = \"none\"\n[[trigger]]\ntable = \"a.source\"\n\
                    [job]\nattempts = 7\nend_within_seconds = 60\n";
    let changed = add(&lake, "p", manifest);
    let lines: Vec<&str> = changed.lines().skip(1).map(str::trim).collect();
    assert_eq!(
        lines,
        [
            "missed: `latest` became `none`",
            "triggers: none became `table a.source`",
            "attempts: `3` became `7`",
            "end_within_ms: none became `60000`"
        ]
    );
    let listed = json(&lake.ok(&["schedule", "list", "--json"]));
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["attempts"]), (1, &7.into()));
    let row = &lake.query("SELECT schedule, cron, triggers, missed FROM system.schedules")[0];
    assert_eq!((&row["cron"], &row["missed"]), (&"0 * * * *".into(), &"none".into()), "{row}");
    assert!(lake.ok(&["schedule", "preview", "p", "-n", "2"]).starts_with("p fires at `0 * * * *` in UTC"));
    refused(
        &lake,
        &["schedule", "add", pipeline(&lake.folder(), "bare", "").to_str().unwrap()],
        &["CW0605", "[[trigger]]"],
    );
    let records = lake.query("SELECT facts FROM system.audit WHERE action = 'schedule' ORDER BY sequence");
    assert_eq!(records.len(), 2, "{records:?}");
    lake.ok(&["audit", "verify"]);
}

#[test]
fn a_paused_schedule_waits_and_a_dropped_one_is_gone() {
    let lake = lake();
    let folder = pipeline(&lake.folder(), "p", HOURLY);
    at_time(&lake, "2026-11-20 09:10:00", &["schedule", "add", folder.to_str().unwrap()]);
    at_time(&lake, "2026-11-20 09:11:00", &["schedule", "pause", "p"]);
    assert_eq!(at_time(&lake, "2026-11-20 12:00:01", &["scheduler", "--once"]), "0 jobs queued\n");
    let resumed = at_time(&lake, "2026-11-20 12:00:10", &["schedule", "resume", "p"]);
    assert_eq!(resumed, "schedule p is active; it fires next at 2026-11-20T13:00:00Z\n");
    assert_eq!(at_time(&lake, "2026-11-20 13:00:01", &["scheduler", "--once"]), "1 jobs queued\n");
    assert_eq!(hours(&lake, "p"), ["13:00"]);
    lake.ok(&["schedule", "drop", "p"]);
    refused(&lake, &["schedule", "show", "p"], &["CW0401"]);
    assert_eq!(lake.query("SELECT schedule FROM system.slots").len(), 1, "what it has done stays");
}

#[test]
fn what_was_missed_runs_as_the_schedule_says() {
    let lake = lake();
    for (policy, jobs, ran) in
        [("none", "0", vec![]), ("latest", "1", vec!["12:00"]), ("all", "3", vec!["10:00", "11:00", "12:00"])]
    {
        let folder = pipeline(&lake.folder(), policy, &format!("{HOURLY}missed = \"{policy}\"\n"));
        at_time(&lake, "2026-11-20 09:10:00", &["schedule", "add", folder.to_str().unwrap()]);
        let said = at_time(&lake, "2026-11-20 12:30:00", &["scheduler", "--once"]);
        assert_eq!(said, format!("{jobs} jobs queued\n"), "{policy}");
        assert_eq!(hours(&lake, policy), ran, "{policy}");
        let shown = json(&lake.ok(&["schedule", "show", policy, "--json"]));
        assert_eq!(shown["next_fire_at"], "2026-11-20T13:00:00Z", "{policy}");
        assert_eq!(shown["passed_over"].is_null(), policy == "all", "{policy}");
    }
}

#[test]
fn a_schedule_belongs_to_who_added_it() {
    let lake = lake();
    lake.ok(&["sql", "-c", "CREATE USER ann; CREATE USER bob; CREATE USER olga; GRANT operator TO olga"]);
    let folder = pipeline(&lake.folder(), "p", HOURLY);
    let folder = folder.to_str().unwrap();
    lake.ok(&["--user", "ann", "schedule", "add", folder]);
    refused(&lake, &["--user", "bob", "schedule", "show", "p"], &["CW0401"]);
    refused(&lake, &["--user", "bob", "schedule", "add", folder], &["CW0401"]);
    refused(&lake, &["--user", "bob", "backfill", "p", "--from", "2026-01-01"], &["CW0401"]);
    refused(&lake, &["--user", "olga", "schedule", "add", folder], &["CW0109", "only its owner"]);
    refused(&lake, &["--user", "bob", "scheduler", "--once"], &["CW0109", "operator"]);
    assert_eq!(lake.ok(&["--user", "bob", "schedule", "list", "--json"]), "[]\n");
    lake.ok(&["--user", "olga", "schedule", "pause", "p"]);
    lake.ok(&["--user", "ann", "schedule", "resume", "p"]);
    let seen =
        |user: &str| lake.ok(&["--user", user, "sql", "--format", "csv", "-c", "SELECT owner FROM system.schedules"]);
    assert_eq!(
        (seen("bob"), seen("olga"), seen("ann")),
        ("owner\n".into(), "owner\nann\n".into(), "owner\nann\n".into())
    );
    let watching = pipeline(&lake.folder(), "w", "[[trigger]]\ntable = \"a.source\"\n");
    refused(&lake, &["--user", "bob", "schedule", "add", watching.to_str().unwrap()], &["CW0109", "SELECT"]);
    lake.ok(&["--user", "ann", "schedule", "drop", "p"]);
}

#[test]
fn triggers_fire_once_for_each_change() {
    let database = Cluster::shared().database();
    for lake in [lake(), with_schema(Product::init_on(database.url()))] {
        fire_by_triggers(&lake);
    }
}

fn fire_by_triggers(lake: &Product) {
    let once = || lake.ok(&["scheduler", "--once"]);
    fs::create_dir_all(lake.folder().join("by-path/in")).unwrap();
    add(lake, "by-table", "[[trigger]]\ntable = \"a.source\"\n");
    add(lake, "by-path", "[[trigger]]\npath = \"in/*.csv\"\n");
    add(lake, "by-pipeline", "[[trigger]]\npipeline = \"by-table\"\n");
    assert_eq!(once(), "0 jobs queued\n", "what was there before is not new");
    lake.ok(&["sql", "-c", "INSERT INTO a.source SELECT 2; INSERT INTO a.source SELECT 3"]);
    assert_eq!(once(), "1 jobs queued\n", "two versions between two looks are one change");
    assert_eq!(once(), "0 jobs queued\n");
    lake.ok(&["worker", "--drain"]);
    assert_eq!(once(), "1 jobs queued\n", "the run of by-table has succeeded");
    assert_eq!(once(), "0 jobs queued\n");
    let folder = lake.folder().join("by-path/in");
    fs::write(folder.join("a.csv"), "n\n1\n").unwrap();
    fs::write(folder.join("a.txt"), "n\n1\n").unwrap();
    assert_eq!(once(), "1 jobs queued\n");
    assert_eq!(once(), "0 jobs queued\n");
    fs::remove_file(folder.join("a.csv")).unwrap();
    assert_eq!(once(), "0 jobs queued\n", "a file that is gone is not new");
    fs::write(folder.join("b.csv"), "n\n1\n").unwrap();
    fs::write(folder.join("c.csv"), "n\n1\n").unwrap();
    assert_eq!(once(), "1 jobs queued\n", "two files at once are one change");
    let fired = lake
        .query("SELECT schedule, count(*) AS n FROM system.slots WHERE cause = 'trigger' GROUP BY schedule ORDER BY 1");
    let fired: Vec<(&str, i64)> =
        fired.iter().map(|row| (row["schedule"].as_str().unwrap(), row["n"].as_i64().unwrap())).collect();
    assert_eq!(fired, [("by-path", 2), ("by-pipeline", 1), ("by-table", 1)]);
}

/// A scheduler that writes down what it says.
fn scheduler(lake: &Product, number: usize) -> (Background, PathBuf) {
    let said = lake.folder().join(format!("scheduler-{number}.txt"));
    let mut command = lake.command(&["scheduler"]);
    (Background(command.stderr(fs::File::create(&said).unwrap()).spawn().unwrap()), said)
}

/// Kills the scheduler that has fired most, as soon as one says that it has; returns how often.
fn kill_the_busiest(schedulers: &mut Vec<(Background, PathBuf)>) -> usize {
    let fired = || {
        let counts = schedulers.iter().map(|(_, said)| fs::read_to_string(said).unwrap().matches("fired by").count());
        counts.enumerate().max_by_key(|(_, n_fired)| *n_fired).unwrap()
    };
    within("one says that it has fired", || fired().1 > 0);
    let (busiest, n_fired) = fired();
    schedulers.remove(busiest).0.kill();
    n_fired
}

#[test]
fn many_schedulers_fire_once_for_each_change() {
    const CHANGES: usize = 6;
    let database = Cluster::shared().database();
    let lake = with_schema(Product::init_on(database.url()));
    let incoming = lake.folder().join("by-path/in");
    fs::create_dir_all(&incoming).unwrap();
    add(&lake, "by-table", "[[trigger]]\ntable = \"a.source\"\n");
    add(&lake, "by-path", "[[trigger]]\npath = \"in/*.csv\"\n");
    add(&lake, "by-pipeline", "[[trigger]]\npipeline = \"by-table\"\n");
    let mut schedulers: Vec<_> = (0..3).map(|number| scheduler(&lake, number)).collect();
    let mut shares: Vec<usize> = Vec::new();
    let _worker = Background::start(&lake, &["worker"]);
    let count = |of: &str| database.psql(&format!("SELECT COUNT(*) FROM {of}")).trim().parse::<usize>().unwrap();
    let succeeded = "slot l JOIN job j ON j.id = l.job_id WHERE j.state = 'succeeded'";
    for change in 1..=CHANGES {
        lake.ok(&["sql", "-c", "INSERT INTO a.source SELECT 2"]);
        fs::write(incoming.join(format!("{change}.csv")), "n\n1\n").unwrap();
        within("the change has run in all three", || count(succeeded) >= 3 * change);
        if change % 2 == 0 {
            shares.push(kill_the_busiest(&mut schedulers));
        }
    }
    println!("slots fired by each: {shares:?}");
    assert!(shares.iter().all(|share| *share > 0), "the others must take over: {shares:?}");
    for (what, of) in [("slots", "slot"), ("jobs", "job"), ("runs", "(SELECT DISTINCT run FROM job) r")] {
        assert_eq!(count(of), 3 * CHANGES, "{what}");
    }
}

#[test]
fn a_schedule_that_would_fire_itself_or_look_where_it_may_not_is_refused() {
    let lake = lake();
    let folder = lake.folder();
    let refuse = |name: &str, manifest: &str, words: &[&str]| {
        refused(&lake, &["schedule", "add", pipeline(&folder, name, manifest).to_str().unwrap()], words);
    };
    refuse("own", "[[trigger]]\ntable = \"a.own\"\n", &["CW0605", "would fire itself"]);
    refuse("me", "[[trigger]]\npipeline = \"me\"\n", &["CW0605", "would fire itself"]);
    add(&lake, "one", "[[trigger]]\npipeline = \"two\"\n");
    add(&lake, "two", "[[trigger]]\npipeline = \"three\"\n");
    refuse("three", "[[trigger]]\npipeline = \"one\"\n", &["CW0605", "would fire itself"]);
    refuse("out", "[[trigger]]\npath = \"/etc/*.conf\"\n", &["lies outside the allowed folders"]);
    refuse("lake", "[[trigger]]\npath = \"../lake/*\"\n", &["CW"]);
}

#[test]
fn a_backfill_survives_its_schedulers_and_gives_each_moment_one_job() {
    let lake = lake();
    let folder = pipeline(&lake.folder(), "daily", "[schedule]\ncron = \"0 3 * * *\"\nzone = \"Europe/Berlin\"\n");
    lake.ok(&["schedule", "add", folder.to_str().unwrap()]);
    refused(&lake, &["backfill", "daily", "--from", "2026-10-05", "--to", "2026-10-01"], &["CW0605", "empty"]);
    let _worker = Background::start(&lake, &["worker", "--slots", "2"]);
    let started = json(&lake.ok(&["backfill", "daily", "--from", "2026-10-20", "--to", "2026-10-29", "--json"]));
    assert_eq!((&started["from"], &started["to"]), (&"2026-10-19T22:00:00Z".into(), &"2026-10-29T23:00:00Z".into()));
    let queued = || json(&lake.ok(&["backfill", "daily", "--json"]))[0]["queued"].as_i64().unwrap();
    let first = Background::start(&lake, &["scheduler"]);
    within("some jobs are queued", || queued() > 2);
    first.kill();
    assert!(queued() < 10, "the scheduler was killed in the middle");
    let _second = Background::start(&lake, &["scheduler"]);
    within("the backfill is done", || json(&lake.ok(&["backfill", "daily", "--json"]))[0]["state"] == "done");
    let done = &json(&lake.ok(&["backfill", "--json"]))[0];
    assert_eq!(
        (&done["queued"], &done["succeeded"], &done["passed_over"]),
        (&10.into(), &10.into(), &0.into()),
        "{done}"
    );
    assert_eq!(hours(&lake, "daily")[4..7], ["01:00", "02:00", "02:00"], "clocks went back on the 25th");
    let again = lake.ok(&["backfill", "daily", "--from", "2026-10-20", "--to", "2026-10-29", "--wait"]);
    assert!(again.contains("is done: 0 jobs queued") && again.contains("10 moments passed over"), "{again}");
    let rerun = lake.ok(&["backfill", "daily", "--from", "2026-10-28", "--to", "2026-10-29", "--rerun", "--wait"]);
    assert!(rerun.contains("is done: 2 jobs queued"), "{rerun}");
    assert_eq!(lake.query("SELECT count(*) AS n FROM system.jobs")[0]["n"], 12);
    assert!(lake.query("SELECT 1 AS n FROM system.jobs WHERE priority <> -86400").is_empty());
}

#[test]
fn a_cancelled_backfill_leaves_its_waiting_jobs_undone() {
    let lake = lake();
    add(&lake, "daily", "[schedule]\ncron = \"0 3 * * *\"\n");
    let started = json(&lake.ok(&["backfill", "daily", "--from", "2026-10-01", "--at-once", "3", "--json"]));
    lake.ok(&["scheduler", "--once"]);
    assert_eq!(json(&lake.ok(&["backfill", "daily", "--json"]))[0]["open"], 3);
    let cancelled = lake.ok(&["backfill", "--cancel", &started["backfill"].to_string()]);
    assert!(cancelled.contains("is cancelled: 3 jobs queued, 0 open"), "{cancelled}");
    assert_eq!(lake.ok(&["scheduler", "--once"]), "0 jobs queued\n");
    let states = lake.query("SELECT DISTINCT state FROM system.jobs");
    assert_eq!((states.len(), &states[0]["state"]), (1, &"cancelled".into()));
}

#[test]
fn a_scheduler_ends_when_it_is_told_to() {
    let lake = lake();
    let mut scheduler = Background::start(&lake, &["scheduler"]);
    std::thread::sleep(Duration::from_secs(2));
    let told = Command::new("kill").args(["-TERM", &scheduler.0.id().to_string()]).status().unwrap();
    assert!(told.success());
    within("the scheduler ends", || scheduler.0.try_wait().unwrap().is_some());
    assert_eq!(scheduler.0.wait().unwrap().code(), Some(0));
}
