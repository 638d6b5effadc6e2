//! Schedulers and time: clocks that are wrong, clocks that are set back, restarts in between.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;

use causeway_cluster::{Cluster, Database};
use causeway_engine::{Engine, EngineConfig};
use causeway_jobs::{Scheduler, Schedules};
use causeway_lake::{Lake, LakeConfig};
use causeway_model::{Catalog, Slot};
use causeway_store::PostgresCatalog;
use causeway_system::System;
use chrono::{DateTime, Duration as Span, Utc};
use tempfile::TempDir;

use crate::product::{Product, repository, within};
use crate::schedules::pipeline;
use crate::timeline::{Timeline, at};

fn engine(folder: &Path, catalog: Arc<dyn Catalog>) -> Engine {
    let config = EngineConfig {
        memory_limit_bytes: 64 << 20,
        threads: 1,
        timeout: None,
        spill_dir: folder.join("spill"),
        max_statement_bytes: 1 << 20,
        max_depth: 64,
        base_dir: folder.to_owned(),
        read_paths: vec![folder.to_owned()],
        write_paths: Vec::new(),
        closed_paths: Vec::new(),
        version: "test".to_owned(),
    };
    let lake = Lake::open(&LakeConfig { url: "memory:///".to_owned(), ..LakeConfig::default() }).unwrap();
    let system = Arc::new(System::new(Arc::clone(&catalog)));
    Engine::new(config, catalog, lake, system).unwrap()
}

/// Starts anew on a database: nothing of a former process is left.
async fn restarted(folder: &Path, database: &Database<'_>) -> Engine {
    let catalog = PostgresCatalog::open(database.url()).await.unwrap();
    engine(folder, Arc::new(catalog))
}

/// Starts a scheduler anew, lets it look once, and returns the slots of the schedule.
async fn looked(folder: &Path, database: &Database<'_>, name: &str) -> Vec<Slot> {
    let engine = restarted(folder, database).await;
    Scheduler::new(engine.clone(), Arc::new(|_| {})).run_once().await.unwrap();
    let mut slots = Schedules::new(engine, None).slots(name, i64::MAX).await.unwrap();
    slots.reverse();
    slots
}

fn moments(slots: &[Slot]) -> Vec<DateTime<Utc>> {
    slots.iter().map(|slot| DateTime::from_timestamp_millis(slot.fire_at.0).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_firing_of_six_zones_comes_once_with_a_restart_before_each() {
    let (folder, database) = (TempDir::new().unwrap(), Cluster::shared().database());
    let timeline = Timeline::of(&database);
    for (number, row) in table().iter().enumerate() {
        let name = format!("row-{number}");
        timeline.set(&row.after);
        let engine = restarted(folder.path(), &database).await;
        let schedules = Schedules::new(engine, None);
        schedules.add(&pipeline(folder.path(), &name, &row.rule)).await.unwrap();
        fire_each(folder.path(), &database, &timeline, &name, &row.firings).await;
        schedules.drop(&name).await.unwrap();
    }
}

/// Looks right before and right after each firing, each time with a new scheduler.
async fn fire_each(
    folder: &Path,
    database: &Database<'_>,
    timeline: &Timeline<'_>,
    name: &str,
    firings: &[DateTime<Utc>],
) {
    for (done, firing) in firings.iter().enumerate() {
        timeline.set(&(*firing - Span::seconds(5)).to_rfc3339());
        assert_eq!(moments(&looked(folder, database, name).await), firings[..done], "{name} before {firing}");
        timeline.set(&(*firing + Span::seconds(1)).to_rfc3339());
        let slots = looked(folder, database, name).await;
        assert_eq!(moments(&slots), firings[..=done], "{name} at {firing}");
        if done > 0 {
            assert_eq!(slots[done].slot_start, slots[done - 1].slot_end, "{name}: what slots cover has no hole");
        }
    }
}

/// The moments of a schedule's slots, as the product shows them.
fn fired(lake: &Product, name: &str) -> Vec<DateTime<Utc>> {
    let rows = lake.query(&format!(
        "SELECT CAST(fire_at AS VARCHAR) AS fire_at FROM system.slots WHERE schedule = '{name}' ORDER BY fire_at"
    ));
    rows.iter().map(|row| row["fire_at"].as_str().unwrap().parse().unwrap()).collect()
}

/// A row of the table of firings.
struct Row {
    zone: String,
    after: String,
    rule: String,
    firings: Vec<DateTime<Utc>>,
}

/// Reads the table: what schedules of six zones do where clocks change.
fn table() -> Vec<Row> {
    let table = fs::read_to_string(repository("tests/data/schedules/firings.csv")).unwrap();
    let rows = table.lines().skip(1).map(|line| {
        let [zone, cron, after, gap, fold, firings] =
            <[&str; 6]>::try_from(line.split(';').collect::<Vec<_>>()).unwrap();
        Row {
            zone: zone.to_owned(),
            after: after.to_owned(),
            rule: format!("[schedule]\ncron = \"{cron}\"\nzone = \"{zone}\"\ngap = \"{gap}\"\nfold = \"{fold}\"\n"),
            firings: firings.split(' ').map(|firing| firing.parse().unwrap()).collect(),
        }
    });
    let rows: Vec<Row> = rows.collect();
    let zones: BTreeSet<&str> = rows.iter().map(|row| row.zone.as_str()).collect();
    assert_eq!(zones.len(), 6, "{zones:?}");
    rows
}

/// On SQLite the clock is that of the process: each look is a process of its own, before and after each
/// firing.
#[test]
fn every_firing_of_six_zones_comes_once_from_processes_on_sqlite() {
    for (number, row) in table().iter().enumerate() {
        let lake = Product::init();
        let run = |time: DateTime<Utc>, args: &[&str]| {
            let time = time.format("@%Y-%m-%d %H:%M:%S").to_string();
            let output = at(&mut lake.command(args), &time).output().unwrap();
            assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let folder = pipeline(&lake.folder(), "row", &row.rule);
        run(row.after.parse().unwrap(), &["schedule", "add", folder.to_str().unwrap()]);
        for firing in &row.firings {
            let once = |time| run(time, &["scheduler", "--once"]);
            assert_eq!(once(*firing - Span::seconds(10)), "0 jobs queued\n", "row {number} before {firing}");
            assert_eq!(once(*firing + Span::seconds(1)), "1 jobs queued\n", "row {number} at {firing}");
        }
        assert_eq!(fired(&lake, "row"), row.firings, "row {number}");
    }
}

/// A scheduler whose own clock is wrong, killed at the end of its test.
struct Skewed {
    process: Child,
    said: PathBuf,
}

impl Skewed {
    fn start(lake: &Product, number: usize, skew: &str) -> Self {
        let said = lake.folder().join(format!("scheduler-{number}.txt"));
        let mut command = lake.command(&["scheduler"]);
        if skew != "+0s" {
            at(&mut command, skew);
        }
        let process = command.stderr(File::create(&said).unwrap()).spawn().unwrap();
        Self { process, said }
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.said).unwrap()
    }
}

impl Drop for Skewed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _: std::io::Result<()> = self.process.kill();
        let _: std::io::Result<std::process::ExitStatus> = self.process.wait();
    }
}

#[test]
fn three_schedulers_whose_clocks_are_wrong_fire_a_thousand_slots_once_each() {
    const SCHEDULES: usize = 20;
    const MINUTES: usize = 50;
    let database = Cluster::shared().database();
    let timeline = Timeline::of(&database);
    let lake = Product::init_on(database.url());
    add_minutely(&lake, database.url(), SCHEDULES);
    let skews = ["-90s", "+0s", "+90s"];
    let schedulers: Vec<Skewed> =
        skews.iter().enumerate().map(|(number, skew)| Skewed::start(&lake, number, skew)).collect();
    within("all look", || schedulers.iter().all(|scheduler| scheduler.said().contains("looks for what is due")));
    within("the wrong clocks are told", || {
        schedulers[0].said().contains("90 s behind") || schedulers[0].said().contains("89 s behind")
    });
    let count = |sql: &str| database.psql(sql).trim().parse::<usize>().unwrap();
    let mut wanted = count("SELECT COUNT(*) FROM slot");
    for _ in 0..MINUTES {
        timeline.advance("1 minute");
        wanted += SCHEDULES;
        within("the minute's slots are there", || count("SELECT COUNT(*) FROM slot") >= wanted);
    }
    for (scheduler, clock) in schedulers.iter().zip(["s behind the database's", "", "s ahead of the database's"]) {
        assert!(scheduler.said().contains(clock), "{}", scheduler.said());
    }
    let own = |scheduler: &Skewed| scheduler.said().matches("fired by rule").count();
    let shares: Vec<usize> = schedulers.iter().map(own).collect();
    drop(schedulers);
    println!("slots fired by each: {shares:?}");
    assert!(shares.iter().filter(|share| **share > 0).count() >= 2, "one scheduler alone proves nothing: {shares:?}");
    let slots = count("SELECT COUNT(*) FROM slot");
    assert!(slots >= SCHEDULES * MINUTES, "{slots}");
    for (what, sql) in [
        ("jobs", "SELECT COUNT(*) FROM job"),
        ("jobs of slots", "SELECT COUNT(DISTINCT job_id) FROM slot"),
        ("runs", "SELECT COUNT(DISTINCT run) FROM job"),
        (
            "minutes",
            "SELECT SUM(m)::bigint FROM (SELECT (MAX(fire_at) - MIN(fire_at)) / 60000 + 1 AS m FROM slot \
             GROUP BY schedule_id) s",
        ),
    ] {
        assert_eq!(count(sql), slots, "{what}");
    }
    assert_eq!(count("SELECT COUNT(*) FROM slot WHERE fire_at > fired_at"), 0, "none was early");
}

/// Adds schedules that fire every minute.
fn add_minutely(lake: &Product, url: &str, schedules: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let catalog = PostgresCatalog::open(url).await.unwrap();
        let view = Schedules::new(engine(&lake.folder(), Arc::new(catalog)), None);
        for number in 0..schedules {
            let rule = "[schedule]\ncron = \"* * * * *\"\nmissed = \"all\"\n";
            view.add(&pipeline(&lake.folder(), &format!("p{number}"), rule)).await.unwrap();
        }
    });
}
