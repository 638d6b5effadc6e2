//! Sixteen writers on one SQLite file for a minute, each with connections of its own, as processes have.

#![expect(clippy::print_stdout, reason = "the numbers are what it is run for")]
#![expect(clippy::unwrap_used, reason = "a benchmark may stop at the first surprise")]

use std::time::{Duration, Instant};

use causeway_audit::{LogId, LogKey};
use causeway_model::{AuditLog as _, Catalog, NewRun, NewStep, Parameters, RunId, RunKind, RunState, StepOutcome};
use causeway_store::SqliteCatalog;
use tempfile::TempDir;
use tokio::task::JoinSet;

const N_WRITERS: usize = 16;
const DURATION: Duration = Duration::from_secs(60);

/// Runs one step from start to end: five transactions.
async fn step(catalog: &SqliteCatalog, name: String) -> Result<(), causeway_model::CatalogError> {
    let run = RunId(name);
    catalog
        .begin_run(&NewRun {
            id: run.clone(),
            kind: RunKind::Pipeline,
            pipeline: Some("nightly".into()),
            pipeline_digest: None,
            engine_version: "0.1.0".into(),
            actor: "admin".into(),
            parameters: Parameters::default(),
        })
        .await?;
    let step = catalog
        .begin_step(&NewStep {
            run: run.clone(),
            ordinal: 0,
            name: "s".into(),
            kind: "create_schema".into(),
            sql: "CREATE SCHEMA a".into(),
            fingerprint: String::new(),
            seed: 0,
            inputs: Vec::new(),
            lease: None,
        })
        .await?;
    let outcome = StepOutcome { schemas: vec!["a".into()], ..StepOutcome::default() };
    catalog.complete_step(step.id, step.attempt, &outcome).await?;
    catalog.finish_run(&run, RunState::Succeeded).await
}

async fn write_on(path: std::path::PathBuf, writer: usize) -> (u32, Duration) {
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let (begun, mut n_steps, mut longest) = (Instant::now(), 0, Duration::ZERO);
    while begun.elapsed() < DURATION {
        let start = Instant::now();
        step(&catalog, format!("{writer}-{n_steps}")).await.unwrap();
        longest = longest.max(start.elapsed());
        n_steps += 1;
    }
    (n_steps, longest)
}

#[tokio::main]
async fn main() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("catalog.db");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let key = LogKey::generate().unwrap().public();
    catalog.start_audit("admin", &LogId::generate().unwrap(), &key).await.unwrap();
    let mut writers = JoinSet::new();
    for writer in 0..N_WRITERS {
        writers.spawn(write_on(path.clone(), writer));
    }
    let (mut n_steps, mut fewest, mut longest) = (0, u32::MAX, Duration::ZERO);
    while let Some(done) = writers.join_next().await {
        let (steps, slowest) = done.unwrap();
        (n_steps, fewest, longest) = (n_steps + steps, fewest.min(steps), longest.max(slowest));
    }
    let checked = causeway_model::audit::verify(&catalog, key, Default::default(), &mut |_, _| {}).await.unwrap();
    println!(
        "SQLite: {N_WRITERS} writers for {} s recorded {n_steps} steps (4 transactions each), no call failed; the writer with \
         the fewest did {fewest}, the longest step took {longest:.2?}; the audit log of {} records holds",
        DURATION.as_secs(),
        checked.n_records
    );
}
