//! Commits that landed in the lake while their process was killed before it recorded them.
//!
//! A change of a table first looks whether the lake is ahead of the catalog there. A live process is
//! between its commit and its record for milliseconds, so a short wait tells it from a killed one;
//! the killed one's step is recorded as its own process would have done. Settling never runs a
//! change, so it does not come back here.

use std::time::Duration;

use causeway_lake::At;
use causeway_model::{DatasetKind, Step, StepState, TableName};
use tokio::time::Instant;

use crate::analyse::written;
use crate::engine::Engine;
use crate::error::Result;
use crate::parse::parse_one;

use super::Change;

/// How long a live process may take between its commit and its record; longer counts as killed. If
/// it was alive all the same, one of the two records the step and the other reports what is recorded.
const PATIENCE: Duration = Duration::from_secs(5);

impl Change<'_> {
    /// Records what killed statements have committed to the tables that this one changes.
    pub(super) async fn catch_up(&self) -> Result<()> {
        let known = |table: &TableName| self.guard.rights.may_know(table);
        for table in written(&self.parsed.statement)?.into_iter().filter(known) {
            let patience = Instant::now() + PATIENCE;
            while is_behind(self.engine, &table).await? {
                if Instant::now() >= patience {
                    settle_table(self.engine, &table).await?;
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(())
    }
}

/// Returns true if the lake has a version of a table that the catalog does not know.
async fn is_behind(engine: &Engine, table: &TableName) -> Result<bool> {
    let Some((dataset, Some(newest))) = engine.catalog().newest(table).await? else { return Ok(false) };
    if dataset.kind != DatasetKind::Table {
        return Ok(false);
    }
    let head = engine.lake().snapshot_at(&dataset.location, &At::Latest).await?;
    Ok(head.version() > newest.version)
}

/// Records every step in doubt that writes the table, if its commit has landed.
async fn settle_table(engine: &Engine, table: &TableName) -> Result<()> {
    for step in engine.catalog().steps(None).await? {
        if matches!(step.state, StepState::Running | StepState::Failed) && writes(engine, &step, table) {
            Box::pin(engine.settle(&step, None)).await;
        }
    }
    Ok(())
}

fn writes(engine: &Engine, step: &Step, table: &TableName) -> bool {
    parse_one(&step.sql, &engine.limits())
        .and_then(|parsed| written(&parsed.statement))
        .is_ok_and(|tables| tables.contains(table))
}
