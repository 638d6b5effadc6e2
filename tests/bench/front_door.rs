//! What the front door costs over bare DataFusion: the same query on the same table, in one process.
//!
//! usage: cargo bench -p causeway --bench front_door [-- RESULT_FILE]

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_audit::{LogId, LogKey};
use causeway_engine::{Engine, EngineConfig, Outcome, StatementContext};
use causeway_lake::{At, Lake, LakeConfig};
use causeway_store::SqliteCatalog;
use causeway_system::System;
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::TryStreamExt;

/// Pairs of runs of each query.
const RUNS: usize = 201;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let result_file = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let report = runtime.block_on(measure())?;
    let mut stdout = std::io::stdout();
    std::io::Write::write_all(&mut stdout, report.as_bytes())?;
    if let Some(file) = result_file {
        std::fs::write(file, report)?;
    }
    Ok(())
}

async fn measure() -> Result<String, Failure> {
    let mut report = "front door beside bare DataFusion, medians over 201 pairs of runs, 2 threads\n".to_owned();
    for audited in [false, true] {
        let how = if audited {
            "with the audit log: rows wait until their query's record is on disk"
        } else {
            "without the audit log"
        };
        writeln!(report, "{how}")?;
        report += &compare(audited).await?;
    }
    Ok(report)
}

async fn compare(audited: bool) -> Result<String, Failure> {
    let folder = tempfile::tempdir()?;
    let engine = engine(folder.path()).await?;
    if audited {
        engine.catalog().start_audit("admin", &LogId::generate()?, &LogKey::generate()?.public()).await?;
    }
    let mut report = String::new();
    for rows in [1_000_u64, 4_000_000] {
        let table = format!("t{rows}");
        run(
            &engine,
            &format!(
                "CREATE TABLE main.{table} AS SELECT value AS id, value % 100 AS kind FROM generate_series(1, {rows})"
            ),
        )
        .await?;
        let snapshot = engine.lake().snapshot_at(&format!("main/{table}"), &At::Latest).await?;
        let bare = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(2));
        bare.register_table(table.as_str(), snapshot.provider())?;
        let sql = format!("SELECT kind, count(*), sum(id) FROM {table} GROUP BY kind ORDER BY kind");
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        // Each goes first in every second pair: the second finds warmer caches.
        for turn in 0..2 * RUNS {
            let start = Instant::now();
            if turn % 4 == 0 || turn % 4 == 3 {
                run(&engine, &sql).await?;
                ours.push(start.elapsed());
            } else {
                bare.sql(&sql).await?.collect().await?;
                theirs.push(start.elapsed());
            }
        }
        // The difference within a pair: what else the machine does changes more slowly than that.
        let mut extra: Vec<f64> =
            ours.iter().zip(&theirs).map(|(ours, theirs)| seconds(*ours) - seconds(*theirs)).collect();
        extra.sort_unstable_by(f64::total_cmp);
        let (extra, bare) = (extra[extra.len() / 2], seconds(median(theirs)));
        writeln!(
            report,
            "  {rows} rows: {:.3} ms bare, {:+.3} ms with the front door, {:+.1} %",
            bare * 1e3,
            extra * 1e3,
            extra / bare * 100.0
        )?;
    }
    Ok(report)
}

async fn engine(folder: &std::path::Path) -> Result<Engine, Failure> {
    let catalog = Arc::new(SqliteCatalog::open(&folder.join("catalog.sqlite")).await?);
    let url = format!("file://{}", folder.join("lake").display());
    std::fs::create_dir_all(folder.join("lake"))?;
    let lake = Lake::open(&LakeConfig { url, ..LakeConfig::default() })?;
    let config = EngineConfig {
        memory_limit_bytes: 1 << 30,
        threads: 2,
        timeout: None,
        spill_dir: folder.join("spill"),
        max_statement_bytes: 1 << 20,
        max_depth: 64,
        base_dir: folder.to_owned(),
        read_paths: vec![folder.to_owned()],
        write_paths: Vec::new(),
        closed_paths: Vec::new(),
        version: "bench".to_owned(),
    };
    let system = Arc::new(System::new(Arc::<SqliteCatalog>::clone(&catalog)));
    Ok(Engine::new(config, catalog, lake, system)?)
}

async fn run(engine: &Engine, sql: &str) -> Result<(), Failure> {
    if let Outcome::Rows(rows) = engine.execute(sql, &StatementContext::default()).await? {
        let _: Vec<_> = rows.stream.try_collect().await?;
    }
    Ok(())
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
