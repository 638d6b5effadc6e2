//! Finds in a catalog what an event needs.

use std::sync::Arc;

use async_trait::async_trait;
use causeway_model::{
    Catalog, CatalogError, Change, Dataset, Direction, EdgeSource, LineageEdge, LineageRow, Step, StepId, Transition,
    VersionId,
};

use crate::delivery::EventSource;
use crate::emitter::{Emitter, Subject};
use crate::error::Result;
use crate::event::Event;
use crate::record::{DatasetRecord, RunRecord, StepRecord};

/// Reads records from a catalog and builds their events.
///
/// An event may be built long after it happened: its time and its failure are those of the
/// [`Change`]. The inputs of an attempt that another one has replaced are those of the newer one.
#[derive(Debug, Clone)]
pub struct Reader {
    catalog: Arc<dyn Catalog>,
    emitter: Emitter,
}

impl Reader {
    /// Makes a reader of a catalog.
    pub fn new(catalog: Arc<dyn Catalog>, emitter: Emitter) -> Self {
        Self { catalog, emitter }
    }

    /// Reads all that the record holds of a step's last attempt. Lineage and outputs are there once
    /// it has succeeded.
    ///
    /// # Errors
    /// [`crate::OpenLineageError::Catalog`] if the catalog fails or does not know the step.
    pub async fn step(&self, id: StepId) -> Result<StepRecord> {
        let step = self.catalog.step_by_id(id).await?;
        let run = self.catalog.run(&step.run).await?;
        let mut record = StepRecord {
            run: RunRecord { run, nominal_time: None },
            inputs: self.versions(&step.inputs).await?,
            outputs: self.versions(&step.outputs).await?,
            origins: Vec::new(),
            edges: Vec::new(),
            blocking: None,
            step,
        };
        for output in 0..record.outputs.len() {
            self.add_edges(&mut record, output).await?;
        }
        Ok(record)
    }

    async fn versions(&self, ids: &[VersionId]) -> Result<Vec<DatasetRecord>> {
        let mut records = Vec::with_capacity(ids.len());
        for id in ids {
            let version = self.catalog.version_by_id(*id).await?;
            let dataset = self.catalog.dataset_by_id(version.dataset).await?;
            records.push(DatasetRecord { dataset, version });
        }
        Ok(records)
    }

    async fn add_edges(&self, record: &mut StepRecord, output: usize) -> Result<()> {
        let version = record.outputs[output].version.id;
        let rows = self.catalog.lineage(version, None, Direction::Upstream, Some(1)).await?;
        for row in rows {
            let source = self.source(record, &row).await?;
            record.edges.push(LineageEdge {
                output,
                column: row.column.as_deref().map(str::to_owned),
                source,
                kind: row.kind,
                masking: row.masking,
            });
        }
        Ok(())
    }

    /// Returns an edge's origin by its id; one that is neither input nor output joins the record's
    /// [`StepRecord::origins`].
    async fn source(&self, record: &mut StepRecord, row: &LineageRow) -> Result<EdgeSource> {
        let (Some(name), Some(number), Some(column)) = (&row.source_dataset, row.source_version, &row.source_column)
        else {
            return Ok(EdgeSource::Unknown);
        };
        let known = record.inputs.iter().chain(&record.origins).chain(&record.outputs);
        let is_it = |of: &&DatasetRecord| of.version.version == number && *of.dataset.name.to_string() == **name;
        if let Some(found) = known.into_iter().find(is_it) {
            return Ok(EdgeSource::Column { version: found.version.id, column: column.to_string() });
        }
        let outputs: Vec<Dataset> = record.outputs.iter().map(|output| output.dataset.clone()).collect();
        let found = self.origin(outputs, name, number).await?;
        let version = found.version.id;
        record.origins.push(found);
        Ok(EdgeSource::Column { version, column: column.to_string() })
    }

    /// Finds a version by name and number: of the outputs' own datasets first (the rows that an append
    /// keeps), then of any other, the newest of that name first.
    async fn origin(&self, outputs: Vec<Dataset>, name: &str, number: i64) -> Result<DatasetRecord> {
        let mut others = self.catalog.datasets(true).await?;
        others.reverse();
        for dataset in outputs.into_iter().chain(others).filter(|dataset| dataset.name.to_string() == name) {
            if let Some(version) = self.catalog.version(dataset.id, number).await? {
                return Ok(DatasetRecord { dataset, version });
            }
        }
        Err(CatalogError::NotFound { what: "version", name: format!("{name} version {number}") }.into())
    }
}

#[async_trait]
impl EventSource for Reader {
    async fn event(&self, change: &Change) -> Result<Event> {
        let Some(step) = change.step else {
            let mut run = self.catalog.run(&change.run).await?;
            set_time(change, &mut run.started_at, &mut run.finished_at);
            let record = RunRecord { run, nominal_time: None };
            return self.emitter.event(Subject::Run(&record), change.transition);
        };
        let mut record = self.step(step).await?;
        tell_as_it_was(change, &mut record.step);
        self.emitter.event(Subject::Step(&record), change.transition)
    }
}

/// Sets the step back to the change: another attempt may have begun since.
fn tell_as_it_was(change: &Change, step: &mut Step) {
    step.attempt = change.attempt;
    set_time(change, &mut step.started_at, &mut step.finished_at);
    step.error_code = change.failure.as_ref().map(|failure| failure.code.clone());
    step.error = change.failure.as_ref().map(|failure| failure.message.clone());
}

fn set_time(change: &Change, started: &mut String, finished: &mut Option<String>) {
    if change.transition == Transition::Start {
        started.clone_from(&change.at);
    } else {
        *finished = Some(change.at.clone());
    }
}
