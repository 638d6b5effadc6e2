//! Disks that are full: of what spills, of the tables, of the catalog.

use std::process::Command;

use serde_json::Value;

use super::disk::SmallDisk;
use super::yard::{Doomed, job, submit_for};
use super::{assert_sound, commits, within};
use crate::product::Product;

/// 16 MiB.
const ROOMY: u64 = 4096;

/// More rows than fit into the smallest memory limit; their order is not that in which they are made.
const SORTED: &str = "CREATE OR REPLACE TABLE a.sorted AS SELECT repeat('x', 200) || CAST(value * 7919 % 400009 AS TEXT) AS s \
                      FROM generate_series(1, 400000) ORDER BY s";

/// Rows that do not compress.
const RANDOM: &str = "INSERT INTO a.t SELECT uuid() FROM generate_series(1, 60000)";

#[test]
fn a_full_spill_disk_fails_the_statement_and_leaves_nothing() {
    let lake = Product::init();
    lake.ok(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.t (n BIGINT)"]);
    let disk = SmallDisk::mount(1024);
    let id = submit_for(&lake, 1, &[SORTED]);
    let work = || {
        let mut worker = disk.command(&lake, &["worker", "--once"]);
        worker
            .env("CAUSEWAY_LIMITS_SPILL_DIR", disk.path("spill"))
            .env("CAUSEWAY_LIMITS_MEMORY_LIMIT_BYTES", "33554432");
        worker.env("CAUSEWAY_LIMITS_THREADS", "1");
        ends_well(worker);
    };
    work();
    let dead = job(&lake, id);
    assert_eq!((&dead["state"], &dead["error_code"]), (&"dead".into(), &"CW0206".into()), "{dead}");
    assert_eq!(disk.files("spill"), Vec::<String>::new());
    assert!(!lake.folder().join("lake/a/sorted/_delta_log").try_exists().unwrap(), "nothing was committed");
    disk.resize(64 * ROOMY);
    lake.ok(&["retry", &id.to_string()]);
    work();
    assert_eq!(job(&lake, id)["state"], "succeeded", "{}", job(&lake, id));
    assert_eq!(disk.files("spill"), Vec::<String>::new());
    assert_eq!(commits(&lake, "sorted"), 1);
    assert_sound(&lake);
    println!("faults: the spill disk was full");
}

#[test]
fn a_full_lake_disk_fails_the_statement_and_leaves_nothing() {
    let lake = Product::init();
    let disk = SmallDisk::mount(ROOMY);
    let causeway = |args: &[&str]| {
        let mut command = disk.command(&lake, args);
        command.env("CAUSEWAY_LAKE_URL", format!("file://{}", disk.path("lake").display()));
        command
    };
    ends_well(causeway(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.t AS SELECT uuid() AS id"]));
    let untouched = disk.files("lake");
    // No page is left for the rows, or one for them and none for the commit.
    for (n_pages, sql) in [(64, RANDOM), (0, "INSERT INTO a.t SELECT 'x'"), (1, "INSERT INTO a.t SELECT 'x'")] {
        let id = submit_for(&lake, 1, &[sql]);
        disk.fill_but(n_pages);
        ends_well(causeway(&["worker", "--once"]));
        let dead = job(&lake, id);
        assert_eq!((&dead["state"], &dead["error_code"]), (&"dead".into(), &"CW0319".into()), "{n_pages}: {dead}");
        assert_eq!(disk.files("lake"), untouched, "{n_pages}");
        disk.free();
    }
    disk.resize(16 * ROOMY);
    for id in 1..=3 {
        lake.ok(&["retry", &id.to_string()]);
    }
    ends_well(causeway(&["worker", "--drain"]));
    let logs = disk.files("lake/a/t/_delta_log");
    assert_eq!(logs.iter().filter(|name| name.ends_with(".json")).count(), 4, "{logs:?}");
    let rows = answer(causeway(&["sql", "--format", "ndjson", "-c", "SELECT count(*) AS n FROM a.t"]));
    assert_eq!(rows["n"], 60_003);
    println!("faults: the lake's disk was full 3 times");
}

#[test]
fn a_full_catalog_disk_costs_time_and_no_result() {
    let lake = Product::init();
    let disk = SmallDisk::mount(ROOMY);
    // What was written last may stand beside the file, in its write-ahead log.
    for name in ["catalog.sqlite", "catalog.sqlite-wal"] {
        let copied = std::fs::copy(lake.folder().join(name), disk.outside(name));
        assert!(copied.is_ok() || name.ends_with("-wal"), "{copied:?}");
    }
    let causeway = |args: &[&str]| {
        let mut command = disk.command(&lake, args);
        command.env("CAUSEWAY_CATALOG_URL", format!("sqlite://{}", disk.path("catalog.sqlite").display()));
        command
    };
    ends_well(causeway(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.t (n BIGINT)"]));
    ends_well(causeway(&["submit", "INSERT INTO a.t SELECT 1"]));
    let worker = causeway(&["worker", "--slots", "1", "--lease-seconds", "2"]);
    let worker = Doomed::run(&lake, worker, "running=delay(1000)");
    within("the job runs", || worker.has_fired("running"));
    disk.fill_but(0);
    within("the commit has landed", || commits(&lake, "t") == 2);
    let refused = causeway(&["submit", "INSERT INTO a.t SELECT 2"]).output().unwrap();
    let shown = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(1) && shown.contains("CW0411"), "{shown}");
    within("the worker meets the full disk", || worker.said().contains("CW0411"));
    std::thread::sleep(std::time::Duration::from_secs(3));
    disk.free();
    let states = || answer(causeway(&["sql", "--format", "ndjson", "-c", "SELECT state FROM system.jobs"]));
    within("the job has ended", || states()["state"] == "succeeded");
    assert_eq!(commits(&lake, "t"), 2);
    let rows = answer(causeway(&["sql", "--format", "ndjson", "-c", "SELECT count(*) AS n FROM a.t"]));
    assert_eq!(rows["n"], 1);
    ends_well(causeway(&["audit", "verify"]));
    println!("faults: the catalog's disk was full");
}

#[test]
fn a_scheduler_whose_catalog_is_full_waits_and_fires() {
    let lake = Product::init();
    let disk = SmallDisk::mount(ROOMY);
    for name in ["catalog.sqlite", "catalog.sqlite-wal"] {
        let copied = std::fs::copy(lake.folder().join(name), disk.outside(name));
        assert!(copied.is_ok() || name.ends_with("-wal"), "{copied:?}");
    }
    let causeway = |args: &[&str]| {
        let mut command = disk.command(&lake, args);
        command.env("CAUSEWAY_CATALOG_URL", format!("sqlite://{}", disk.path("catalog.sqlite").display()));
        command
    };
    let folder = lake.folder().join("p");
    std::fs::create_dir_all(folder.join("in")).unwrap();
    std::fs::write(folder.join("pipeline.toml"), "name = \"p\"\n[[trigger]]\npath = \"in/*.csv\"\n").unwrap();
    std::fs::write(folder.join("1_p.sql"), "CREATE OR REPLACE TABLE a.t AS SELECT 1 AS n;\n").unwrap();
    ends_well(causeway(&["sql", "-c", "CREATE SCHEMA a"]));
    ends_well(causeway(&["schedule", "add", folder.to_str().unwrap()]));
    let mut serving = Doomed::run(&lake, causeway(&["serve", "--listen", "127.0.0.1:0", "--slots", "1"]), "");
    within("it listens", || serving.said().contains("listening on"));
    disk.fill_but(0);
    std::fs::write(folder.join("in/a.csv"), "n\n1\n").unwrap();
    within("the scheduler meets the full disk", || serving.said().contains("CW0411"));
    std::thread::sleep(std::time::Duration::from_secs(2));
    assert!(!serving.has_ended(), "{}", serving.said());
    disk.free();
    let states =
        || answer(causeway(&["sql", "--format", "ndjson", "-c", "SELECT max(state) AS state FROM system.slots"]));
    within("its job has ended", || states()["state"] == "succeeded");
    assert!(!serving.has_ended(), "{}", serving.said());
    println!("faults: the catalog's disk was full under a scheduler");
}

fn ends_well(mut command: Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the first row of what a query printed.
fn answer(mut command: Command) -> Value {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let first = text.lines().next().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(first).unwrap()
}
