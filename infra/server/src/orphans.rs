//! Counts what writers that were killed left below the tables.

use std::time::Duration;

use causeway_engine::Engine;
use causeway_model::{CatalogError, DatasetKind};

use crate::metrics::Metrics;

/// How often it is counted: every object below a table is listed.
const PAUSE: Duration = Duration::from_secs(600);

/// Tables that are looked at.
const MOST_TABLES: usize = 1_000;

/// Counts the orphans of every table from time to time, without end.
pub async fn survey(engine: &Engine, metrics: &Metrics) {
    loop {
        if let Err(error) = count(engine, metrics).await {
            tracing::warn!(code = error.code(), "orphans are not counted");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn count(engine: &Engine, metrics: &Metrics) -> Result<(), CatalogError> {
    let datasets = engine.catalog().datasets(false).await?;
    let tables = datasets.iter().filter(|dataset| dataset.kind == DatasetKind::Table);
    let mut counted = Vec::new();
    for table in tables.take(MOST_TABLES) {
        match engine.lake().orphans(&table.location).await {
            Ok(orphans) => counted.push((table.name.to_string(), orphans.bytes)),
            Err(error) => tracing::debug!(code = error.code(), "the orphans of a table are not counted"),
        }
    }
    metrics.orphans(&counted);
    Ok(())
}
