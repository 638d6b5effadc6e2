//! Time of the calls of a night's work in a catalog of a million runs.

#![expect(clippy::print_stdout, reason = "the numbers are what it is run for")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::time::{Duration, Instant};

use causeway_cluster::Cluster;
use causeway_model::{Catalog, CatalogError, NewRun, NewStep, Parameters, RunId, RunKind, RunState, StepOutcome};
use causeway_store::{PostgresCatalog, SqliteCatalog};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, SqlSafeStr as _, SqliteConnection};
use tempfile::TempDir;

const N_RUNS: i64 = 1_000_000;

/// What the median of each call must stay below.
const BOUND: Duration = Duration::from_millis(20);

const ROUNDS: usize = 50;

/// A hundred pipelines, each run ten thousand times with one step.
fn fill(numbers: &str) -> String {
    format!(
        "INSERT INTO run (id, uuid, kind, pipeline, pipeline_digest, state, engine_version, actor, started_at, finished_at) \
         {numbers} SELECT i, 'old-' || i, 'pipeline', 'p' || (i % 100), 'd', 'succeeded', '0.1.0', 'admin', \
         '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z' FROM n; \
         INSERT INTO step (id, run_id, ordinal, name, kind, sql, fingerprint, seed, state, attempt, started_at, finished_at) \
         {numbers} SELECT i, i, 0, 's', 'create_table', 'CREATE TABLE a.t AS SELECT 1', 'f', 0, 'succeeded', 1, \
         '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z' FROM n; \
         INSERT INTO last_success (pipeline, step, step_id) \
         SELECT pipeline, 's', MAX(id) FROM run GROUP BY pipeline;"
    )
}

/// Runs a call again and again and returns its median time.
async fn time<T, F: Future<Output = Result<T, CatalogError>>>(mut call: impl FnMut(usize) -> F) -> Duration {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let start = Instant::now();
        call(round).await.unwrap();
        times.push(start.elapsed());
    }
    times.sort();
    times[times.len() / 2]
}

fn run(round: usize) -> RunId {
    RunId(format!("new-{round}"))
}

fn new_run(round: usize) -> NewRun {
    NewRun {
        id: run(round),
        kind: RunKind::Pipeline,
        pipeline: Some("p7".into()),
        pipeline_digest: None,
        engine_version: "0.1.0".into(),
        actor: "admin".into(),
        parameters: Parameters::default(),
    }
}

fn new_step(round: usize) -> NewStep {
    NewStep {
        run: run(round),
        ordinal: 0,
        name: "s".into(),
        kind: "create_schema".into(),
        sql: "CREATE SCHEMA a".into(),
        fingerprint: "f".into(),
        seed: 0,
        inputs: Vec::new(),
        lease: None,
    }
}

async fn measure(name: &str, catalog: &dyn Catalog) {
    let outcome = StepOutcome { schemas: vec!["a".into()], ..StepOutcome::default() };
    let complete = async |round| {
        let step = catalog.step(&run(round), "s").await?.ok_or(CatalogError::Invalid("no step".into()))?;
        catalog.complete_step(step.id, step.attempt, &outcome).await
    };
    let times = [
        ("begin_run", time(async |round| catalog.begin_run(&new_run(round)).await).await),
        ("begin_step", time(async |round| catalog.begin_step(&new_step(round)).await).await),
        ("step and complete_step", time(complete).await),
        ("finish_run", time(async |round| catalog.finish_run(&run(round), RunState::Succeeded).await).await),
        ("run", time(async |round| catalog.run(&RunId(format!("old-{}", 1 + round * 9_973))).await).await),
        ("latest_run", time(async |_| catalog.latest_run("p42").await).await),
        ("last_success", time(async |_| catalog.last_success("p42", "s").await).await),
        ("runs, the last 100", time(async |_| catalog.runs(100).await).await),
        ("steps of a run", time(async |round| catalog.steps(Some(&run(round))).await).await),
    ];
    println!("{name}, {N_RUNS} runs and steps, medians of {ROUNDS}:");
    for (call, median) in times {
        println!("  {call:<24} {:>8.2} ms", median.as_secs_f64() * 1e3);
    }
    assert!(times.iter().all(|(_, median)| *median < BOUND), "a median is above {BOUND:?}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let numbers = format!("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {N_RUNS})");
    let mut raw = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(fill(&numbers)).into_sql_str()).execute(&mut raw).await.unwrap();
    measure("SQLite", &catalog).await;

    let database = Cluster::shared().database();
    let catalog = PostgresCatalog::open(database.url()).await.unwrap();
    let numbers = format!("WITH n (i) AS (SELECT generate_series(1::bigint, {N_RUNS}))");
    let resumed = "SELECT setval(pg_get_serial_sequence('run', 'id'), 2000000), \
                   setval(pg_get_serial_sequence('step', 'id'), 2000000)";
    let mut raw = PgConnection::connect(database.url()).await.unwrap();
    let sql = format!("{} {resumed}; ANALYZE", fill(&numbers));
    sqlx::raw_sql(AssertSqlSafe(sql).into_sql_str()).execute(&mut raw).await.unwrap();
    measure("Postgres", &catalog).await;
}
