//! What the ledger adds to a private release: paying for it and making it visible, each a commit that waits for the disk.

#![expect(clippy::print_stdout, reason = "the numbers are what it is run for")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a benchmark may stop at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use causeway_audit::{LogId, LogKey};
use causeway_cluster::Cluster;
use causeway_model::{
    Adjacency, Amount, BudgetPolicy, Catalog, ChargeCost, NewCharge, PolicyChange, ReleasedResult, Reservation,
    TableName, VersionId,
};
use causeway_store::{PostgresCatalog, SqliteCatalog};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _, SqliteConnection};
use tempfile::TempDir;

/// What the median of paying and releasing must stay below, on SQLite.
const BOUND: Duration = Duration::from_millis(15);

const ROUNDS: usize = 200;

/// A result of a usual size: a curve of some dozen rows.
const RESULT: usize = 4_096;

/// Versions of the table, each made from the one before.
const CHAINS: [i64; 4] = [1, 100, 1_000, 10_000];

/// A table for each length of chain; the version 100 000 × length is its newest.
fn fill(numbers: &str) -> String {
    let mut sql = String::from(
        "INSERT INTO run (id, uuid, kind, pipeline, pipeline_digest, state, engine_version, actor, started_at, finished_at) \
         VALUES (1, 'r', 'pipeline', 'p', 'd', 'succeeded', '0.1.0', 'admin', '2026-01-01T00:00:00.000Z', \
         '2026-01-01T00:00:01.000Z');",
    );
    for length in CHAINS {
        let last = 100_000 * length;
        let numbers = numbers.replace("LENGTH", &length.to_string());
        sql += &format!(
            "INSERT INTO dataset (id, schema_name, table_name, kind, location, policy, created_at) \
             VALUES ({length}, 'a', 't{length}', 'table', 'a/t{length}', '{{}}', '2026-01-01T00:00:00.000Z'); \
             INSERT INTO step (id, run_id, ordinal, name, kind, sql, fingerprint, seed, state, attempt, started_at, finished_at) \
             {numbers} SELECT {last} - {length} + i, 1, 0, '{length}-' || i, 'insert', '', 'f', 0, 'succeeded', 1, \
             '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z' FROM n; \
             INSERT INTO dataset_version (id, dataset_id, version, step_id, committed_at) \
             {numbers} SELECT {last} - {length} + i, {length}, i, {last} - {length} + i, '2026-01-01T00:00:00.000Z' FROM n; \
             INSERT INTO step_input (step_id, position, version_id) \
             {numbers} SELECT {last} - {length} + i, 0, {last} - {length} + i - 1 FROM n WHERE i > 1;"
        );
    }
    sql
}

fn new_charge(length: i64, round: usize) -> NewCharge {
    NewCharge {
        key: format!("{length}-{round}"),
        question: format!("{length}"),
        actor: "ann".into(),
        roles: BTreeSet::from(["analyst".to_owned(), "ann".to_owned(), "public".to_owned()]),
        run: None,
        operator: "dp_kaplan_meier".into(),
        parameters: r#"{"bins":32,"epsilon":0.000001,"horizon":1024}"#.into(),
        inputs: vec![VersionId(100_000 * length)],
        cost: ChargeCost {
            mechanism: "discrete Laplace histogram".into(),
            amount: Amount::pure(1),
            unit: None,
            rows_per_unit: 1,
            adjacency: Adjacency::AddRemove,
            is_sound: true,
        },
    }
}

/// Pays and releases; returns how long each took.
async fn release(catalog: &dyn Catalog, new: &NewCharge) -> (Duration, Duration) {
    let start = Instant::now();
    let Reservation::Granted { lease, .. } = catalog.reserve_charge(new, 60_000).await.unwrap() else {
        panic!("charge `{}` was not granted", new.key)
    };
    let paid = start.elapsed();
    catalog.release_charge(&lease, &ReleasedResult::Inline(vec![7; RESULT])).await.unwrap();
    (paid, start.elapsed() - paid)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// Measures each chain and returns the slowest median of the whole.
async fn measure(name: &str, catalog: &dyn Catalog) -> Duration {
    let key = LogKey::generate().unwrap();
    catalog.start_audit("admin", &LogId::generate().unwrap(), &key.public()).await.unwrap();
    let change = PolicyChange { actor: "admin".into(), reason: None };
    let role_caps = BTreeMap::from([("analyst".to_owned(), Amount::pure(1_000_000))]);
    let policy = BudgetPolicy { role_caps, ..BudgetPolicy::new(Amount::pure(1_000_000)) };
    println!("{name}, medians of {ROUNDS}, audit log on, result of {RESULT} bytes:");
    println!("  {:<10} {:>10} {:>10} {:>10} {:>10}", "versions", "reserve", "release", "both", "both p95");
    let mut slowest = Duration::ZERO;
    for length in CHAINS {
        catalog.set_budget(&TableName::new("a", format!("t{length}")), &policy, &change).await.unwrap();
        let mut times = Vec::new();
        for round in 0..ROUNDS {
            times.push(release(catalog, &new_charge(length, round)).await);
        }
        let mut both: Vec<Duration> = times.iter().map(|(paid, released)| *paid + *released).collect();
        both.sort();
        let (half, p95) = (both[ROUNDS / 2], both[ROUNDS * 95 / 100]);
        let paid = median(times.iter().map(|(paid, _)| *paid).collect());
        let released = median(times.iter().map(|(_, released)| *released).collect());
        let ms = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
        println!("  {length:<10} {:>10} {:>10} {:>10} {:>10}", ms(paid), ms(released), ms(half), ms(p95));
        if length <= 1_000 {
            slowest = slowest.max(half);
        }
    }
    let start = Instant::now();
    catalog.check().await.unwrap();
    println!("  check of {} charges: {:.1} ms", ROUNDS * CHAINS.len(), start.elapsed().as_secs_f64() * 1e3);
    slowest
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let numbers = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < LENGTH)";
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(fill(numbers)).into_sql_str()).execute(&mut raw).await.unwrap();
    let slowest = measure("SQLite, synchronous=FULL", &catalog).await;

    let database = Cluster::shared().database();
    let postgres = PostgresCatalog::open(database.url()).await.unwrap();
    let numbers = "WITH n (i) AS (SELECT generate_series(1::bigint, LENGTH))";
    let mut raw = PgConnection::connect(database.url()).await.unwrap();
    let sql = format!("{} ANALYZE", fill(numbers));
    sqlx::raw_sql(AssertSqlSafe(sql).into_sql_str()).execute(&mut raw).await.unwrap();
    measure("Postgres", &postgres).await;
    assert!(slowest < BOUND, "a median on SQLite, up to 1 000 versions, is above {BOUND:?}");
}
