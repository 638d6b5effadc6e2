//! Faults on purpose, against the real binary: workers are killed, stopped, cut off, starved of disk and
//! made to panic at named places. `docs/faults.md` says what holds then.
//!
//! Each test proves that its fault happened: a failpoint leaves a mark, a proxy counts what it cut, a full
//! disk has refused a write. `FAULT_ROUNDS` says how often a test does it; without it once.

mod cancels;
mod disk;
mod full;
mod kills;
mod old;
mod panics;
mod proxy;
mod releases;
mod resets;
mod sleeps;
mod swarm;
mod yard;

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::product::{Product, within};

/// Runs a test over a lake whose catalog is SQLite, and over one on Postgres.
macro_rules! on_both_stores {
    ($name:ident, $test:path) => {
        mod $name {
            #[test]
            fn on_sqlite() {
                $test(&crate::product::Product::init());
            }

            #[test]
            fn on_postgres() {
                let database = causeway_cluster::Cluster::shared().database();
                $test(&crate::product::Product::init_on(database.url()));
            }
        }
    };
}
use on_both_stores;

/// How often a test does what it does.
fn rounds() -> usize {
    std::env::var("FAULT_ROUNDS").map_or(1, |rounds| rounds.parse().expect("FAULT_ROUNDS is a number"))
}

/// Returns the numbers of a test; `KILL_SEED` gives others.
fn random() -> StdRng {
    let seed = std::env::var("KILL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_124);
    println!("seed {seed}");
    StdRng::seed_from_u64(seed)
}

/// Returns the only number that a query returns.
fn number(lake: &Product, sql: &str) -> i64 {
    let rows = lake.query(&format!("SELECT CAST(({sql}) AS BIGINT) AS n"));
    rows[0]["n"].as_i64().unwrap_or_else(|| panic!("{sql}: {rows:?}"))
}

/// Returns the commits of a table in the lake.
fn commits(lake: &Product, table: &str) -> usize {
    let log = lake.folder().join("lake/a").join(table).join("_delta_log");
    let names = std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.len() == 25 && name.ends_with(".json")).count()
}

/// What holds of every lake once its queue is empty: each job has ended once, nothing is left running, the
/// record knows every commit, every version has its lineage and no lineage is without one, and the log is
/// whole.
fn assert_sound(lake: &Product) {
    let wrong = lake.query(
        "SELECT (SELECT count(*) FROM system.jobs WHERE state IN ('queued', 'running')) AS open_jobs, \
         (SELECT count(*) FROM system.attempts WHERE outcome IS NULL) AS open_attempts, \
         (SELECT count(*) FROM system.runs WHERE state = 'running') AS open_runs, \
         (SELECT count(*) FROM system.steps WHERE state = 'running') AS open_steps, \
         (SELECT count(*) FROM (SELECT job FROM system.attempts WHERE outcome = 'succeeded' GROUP BY job \
            HAVING count(*) > 1)) AS succeeded_twice, \
         (SELECT count(*) FROM system.jobs j WHERE state = 'succeeded' AND NOT EXISTS (SELECT 1 FROM system.attempts a \
            WHERE a.job = j.job AND a.outcome = 'succeeded')) AS succeeded_without_attempt, \
         (SELECT count(*) FROM system.dataset_versions v JOIN system.steps s ON s.run = v.run AND s.step = v.step \
            WHERE v.schema = 'a' AND cardinality(s.inputs) > 0 AND NOT EXISTS (SELECT 1 FROM system.table_lineage l \
            WHERE l.dataset = 'a.' || v.name AND l.version = v.version)) AS without_lineage, \
         (SELECT count(*) FROM system.table_lineage l WHERE l.dataset LIKE 'a.%' AND NOT EXISTS (SELECT 1 \
            FROM system.dataset_versions v WHERE l.dataset = 'a.' || v.name AND l.version = v.version)) AS without_version",
    );
    for (what, count) in wrong[0].as_object().unwrap() {
        assert_eq!(count, 0, "{what}: {wrong:?}\n{}", lake.ok(&["jobs", "-n", "200"]));
    }
    let tables = lake.query(
        "SELECT name, count(*) AS versions FROM system.dataset_versions WHERE schema = 'a' AND digest IS NULL GROUP BY name",
    );
    assert!(!tables.is_empty());
    for table in tables {
        let name = table["name"].as_str().unwrap();
        assert_eq!(table["versions"], commits(lake, name), "versions of {name} in catalog and lake");
    }
    lake.ok(&["audit", "verify"]);
}
