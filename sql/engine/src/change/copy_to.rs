//! COPY … TO: rows written to a file outside the lake.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use causeway_model::{
    DatasetKind, DatasetPolicy, DatasetVersion, OutputVersion, Privilege, Securable, StepOutcome, TableName,
};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::parser::CopyToStatement;
use futures::StreamExt;

use crate::call::prepare;
use crate::error::{EngineError, ErrorKind, Result};
use crate::limits::guarded;
use crate::parse::copy_source;
use crate::plan::Planned;

use super::outcome::{describe, edges};
use super::rows::rows_read;
use super::{Change, Done, Prepared, Task, operator_versions};

/// Rows on their way to a file.
pub(super) struct Export {
    planned: Planned,
    path: PathBuf,
    shown: String,
    format: Format,
    version: i64,
    policies: BTreeMap<String, DatasetPolicy>,
}

#[derive(Debug, Clone, Copy)]
enum Format {
    Csv,
    Json,
    Parquet,
}

impl Change<'_> {
    pub(super) async fn copy_to(&self, copy: &CopyToStatement, pinned: &[DatasetVersion]) -> Result<Prepared> {
        if !copy.options.is_empty() || !copy.partitioned_by.is_empty() {
            return Err(EngineError::new(ErrorKind::Unsupported, "COPY … TO takes no options and no partitions")
                .with_hint("COPY (SELECT …) TO 'file.csv' [STORED AS csv | parquet | json]"));
        }
        self.guard.require(Privilege::Create, &Securable::Schema("file".to_owned()))?;
        let format = Format::of(copy)?;
        let mut query = copy_source(copy)?;
        let references = prepare(&mut query, self.parameters())?;
        let resolved = self.resolve(&references, pinned).await?;
        self.guard.require_unprotected(resolved.protected.as_ref(), "copied to files")?;
        let base_dir = self.engine.base_dir(&self.request.context);
        let path = self.engine.writable(&copy.target, base_dir)?;
        let planned = self.engine.plan(&self.state, &resolved, query, Box::new(Ok), true).await?;
        let inputs = resolved.register_files(self.engine).await?;
        let shown = self.engine.file_name(&path);
        let version = self.next_file_version(&shown).await?;
        let policies = resolved.policies();
        let export = Export { planned, path, shown, format, version, policies };
        Ok(Prepared {
            inputs,
            views: resolved.views.clone(),
            depends_on: operator_versions(&references).into_iter().chain(resolved.narrowings()).collect(),
            task: Task::Export(Box::new(export)),
            ..Prepared::nothing()
        })
    }

    async fn next_file_version(&self, path: &str) -> Result<i64> {
        let Some(dataset) = self.engine.catalog().dataset(&TableName::new("file", path)).await? else { return Ok(0) };
        let newest = self.engine.catalog().latest_version(dataset.id).await?;
        Ok(newest.map_or(0, |newest| newest.version + 1))
    }
}

impl Format {
    fn of(copy: &CopyToStatement) -> Result<Self> {
        let named = copy
            .stored_as
            .clone()
            .or_else(|| Path::new(&copy.target).extension().map(|extension| extension.to_string_lossy().into_owned()));
        match named.unwrap_or_default().to_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "parquet" => Ok(Self::Parquet),
            "json" | "ndjson" => Ok(Self::Json),
            _ => Err(EngineError::new(
                ErrorKind::Plan,
                "the file of COPY … TO must end in .csv, .parquet, .json or .ndjson",
            )
            .with_hint("or name the format: STORED AS csv")),
        }
    }
}

impl Export {
    /// Writes a file beside the target and renames it: the target is whole or not there.
    pub(super) async fn perform(self, change: &Change<'_>, inputs: &BTreeMap<String, DatasetVersion>) -> Result<Done> {
        let schema = self.planned.physical.schema();
        let mut unfinished = Unfinished::beside(&self.path, change);
        let mut sink = Sink::open(&unfinished.path, self.format, &schema).map_err(|error| self.cannot_write(&error))?;
        let context = Arc::new(TaskContext::from(change.state.as_ref()));
        let stream = execute_stream(Arc::clone(&self.planned.physical), context)?;
        let timeout = change.engine.config().timeout;
        let mut stream = guarded(stream, change.request.context.cancel.clone(), timeout);
        let mut rows = 0;
        while let Some(batch) = stream.next().await {
            let batch = batch?;
            rows += batch.num_rows();
            sink.write(&batch)?;
        }
        sink.close()?;
        std::fs::rename(&unfinished.path, &self.path).map_err(|error| self.cannot_write(&error))?;
        unfinished.done = true;
        let (digest, n_bytes) = causeway_ingest::digest(&self.path)?;
        Ok(Done { outcome: self.outcome(inputs, rows, digest, n_bytes), warnings: Vec::new() })
    }

    fn cannot_write(&self, error: &std::io::Error) -> EngineError {
        EngineError::new(ErrorKind::Storage, format!("`{}` cannot be written: {}", self.shown, error.kind()))
    }

    fn outcome(
        &self,
        inputs: &BTreeMap<String, DatasetVersion>,
        rows: usize,
        digest: String,
        n_bytes: u64,
    ) -> StepOutcome {
        let lineage = self.planned.lineage.clone().unwrap_or_default();
        let described = describe(&self.planned.physical.schema(), &lineage, inputs, &self.policies);
        let n_rows = i64::try_from(rows).ok();
        StepOutcome {
            outputs: vec![OutputVersion {
                name: TableName::new("file", &self.shown),
                kind: DatasetKind::File,
                location: self.shown.clone(),
                view_sql: None,
                policy: Some(described.policy),
                version: self.version,
                n_rows,
                n_bytes: i64::try_from(n_bytes).ok(),
                n_files: Some(1),
                digest: Some(digest),
                columns: described.columns,
                previous: None,
            }],
            lineage: edges(&lineage, inputs, 0),
            rows_in: i64::try_from(rows_read(self.planned.physical.as_ref())).ok(),
            rows_out: n_rows,
            ..StepOutcome::default()
        }
    }
}

/// A file that is removed unless it was finished.
struct Unfinished {
    path: PathBuf,
    done: bool,
}

impl Unfinished {
    fn beside(path: &Path, change: &Change<'_>) -> Self {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Self { path: path.with_file_name(format!(".{name}.{}.unfinished", change.request.run)), done: false }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.done && std::fs::remove_file(&self.path).is_err() {
            tracing::warn!("an unfinished export could not be removed");
        }
    }
}

/// A writer of one of the formats.
enum Sink {
    Csv(Box<datafusion::arrow::csv::Writer<File>>),
    Json(LineDelimitedWriter<File>),
    Parquet(Box<ArrowWriter<File>>),
}

impl Sink {
    fn open(path: &Path, format: Format, schema: &SchemaRef) -> std::io::Result<Self> {
        let file = File::create(path)?;
        Ok(match format {
            Format::Csv => Self::Csv(Box::new(WriterBuilder::new().with_header(true).build(file))),
            Format::Json => Self::Json(LineDelimitedWriter::new(file)),
            Format::Parquet => {
                let writer = ArrowWriter::try_new(file, SchemaRef::clone(schema), None);
                Self::Parquet(Box::new(writer.map_err(std::io::Error::other)?))
            }
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Csv(writer) => writer.write(batch).map_err(DataFusionError::from)?,
            Self::Json(writer) => writer.write(batch).map_err(DataFusionError::from)?,
            Self::Parquet(writer) => writer.write(batch).map_err(DataFusionError::from)?,
        }
        Ok(())
    }

    fn close(self) -> Result<()> {
        match self {
            Self::Csv(_) => {}
            Self::Json(mut writer) => writer.finish().map_err(DataFusionError::from)?,
            Self::Parquet(writer) => {
                writer.close().map_err(DataFusionError::from)?;
            }
        }
        Ok(())
    }
}
