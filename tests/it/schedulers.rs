//! Schedulers and time: clocks that are wrong, clocks that are set back, restarts in between.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_cluster::{Cluster, Database};
use causeway_engine::{Engine, EngineConfig};
use causeway_jobs::{Scheduler, Schedules};
use causeway_lake::{Lake, LakeConfig};
use causeway_model::{Catalog, Slot};
use causeway_store::PostgresCatalog;
use causeway_system::System;
use chrono::{DateTime, Duration as Span, Utc};
use tempfile::TempDir;

use crate::product::{Product, repository};
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
    let table = fs::read_to_string(repository("tests/data/schedules/firings.csv")).unwrap();
    let mut zones = BTreeSet::new();
    for (number, line) in table.lines().skip(1).enumerate() {
        let parts: Vec<&str> = line.split(';').collect();
        let [zone, cron, after, gap, fold, firings] = <[&str; 6]>::try_from(parts).unwrap();
        let firings: Vec<DateTime<Utc>> = firings.split(' ').map(|firing| firing.parse().unwrap()).collect();
        let (name, rule) = (
            format!("row-{number}"),
            format!("[schedule]\ncron = \"{cron}\"\nzone = \"{zone}\"\ngap = \"{gap}\"\nfold = \"{fold}\"\n"),
        );
        timeline.set(after);
        let engine = restarted(folder.path(), &database).await;
        let schedules = Schedules::new(engine, None);
        schedules.add(&pipeline(folder.path(), &name, &rule)).await.unwrap();
        fire_each(folder.path(), &database, &timeline, &name, &firings).await;
        schedules.drop(&name).await.unwrap();
        zones.insert(zone.to_owned());
    }
    assert_eq!(zones.len(), 6, "{zones:?}");
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
fn fired(lake: &Product, name: &str) -> Vec<String> {
    let rows = lake.query(&format!(
        "SELECT CAST(fire_at AS VARCHAR) AS fire_at FROM system.slots WHERE schedule = '{name}' ORDER BY fire_at"
    ));
    rows.iter().map(|row| row["fire_at"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_process_that_starts_between_the_two_passes_of_a_fold_fires_the_second() {
    let lake = Product::init();
    let rule = "[schedule]\ncron = \"30 2 * * *\"\nzone = \"Europe/Berlin\"\nfold = \"both\"\n";
    let folder = pipeline(&lake.folder(), "folded", rule);
    let run = |time: &str, args: &[&str]| {
        let output = at(&mut lake.command(args), time).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run("@2026-10-24 12:00:00", &["schedule", "add", folder.to_str().unwrap()]);
    let once = |time: &str| run(time, &["scheduler", "--once"]);
    assert_eq!(once("@2026-10-25 00:29:30"), "0 jobs queued\n");
    assert_eq!(once("@2026-10-25 00:30:01"), "1 jobs queued\n", "02:30 in summer time");
    assert_eq!(once("@2026-10-25 01:10:00"), "0 jobs queued\n", "02:10 in winter time, after the clocks went back");
    assert_eq!(once("@2026-10-25 01:30:01"), "1 jobs queued\n", "02:30 in winter time");
    assert_eq!(once("@2026-10-25 01:31:00"), "0 jobs queued\n");
    let fired = fired(&lake, "folded");
    assert_eq!(fired.len(), 2, "{fired:?}");
    assert!(fired[0].contains("00:30:00") && fired[1].contains("01:30:00"), "{fired:?}");
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

fn within(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(90), "not within 90 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
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
