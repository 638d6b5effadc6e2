//! Rows on their way out: one writer for each format, fed batch by batch.

mod file;
pub(crate) mod grid;
mod table;
mod values;
mod writers;

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use causeway_engine::{EngineError, Rows};
use futures::StreamExt as _;
use tokio::sync::mpsc;

use crate::args::Format;
use crate::errors::Failure;
use crate::interrupt::Interrupts;

pub(crate) use file::FileSink;

/// How a result shall be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    /// The format.
    pub(crate) format: Format,
    /// Rows that a table shows; 0 shows all.
    pub(crate) max_rows: usize,
}

/// What was written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// Rows of the result.
    pub(crate) n_rows: usize,
    /// Rows that a table left out.
    pub(crate) n_hidden: usize,
}

/// What went wrong while rows were written.
pub(crate) enum Trouble {
    /// The query failed.
    Query(Box<EngineError>),
    /// The rows could not be written.
    Output(anyhow::Error),
    /// The user stopped it.
    Interrupted,
}

/// A sink of batches.
pub(crate) trait BatchWriter {
    /// Writes a batch.
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()>;

    /// Writes what is left, and returns how many rows were not shown.
    fn finish(self: Box<Self>) -> anyhow::Result<usize>;
}

/// Batches computed ahead of the one that is written.
const BATCHES_AHEAD: usize = 2;

/// Writes a result as it is computed. The query runs on a worker, so that an interrupt is heard even
/// while a join computes a single large batch.
pub(crate) async fn write_rows(
    rows: Rows,
    layout: Layout,
    output: impl Write + Send + 'static,
    interrupts: &Interrupts,
) -> Result<Written, Trouble> {
    let Rows { schema, mut stream } = rows;
    let mut writer = writer(layout, &schema, output).map_err(Trouble::Output)?;
    let (sender, mut batches) = mpsc::channel(BATCHES_AHEAD);
    let query = tokio::spawn(async move {
        while let Some(batch) = stream.next().await {
            if sender.send(batch).await.is_err() {
                break;
            }
        }
    });
    let mut n_rows = 0;
    loop {
        let next = tokio::select! {
            next = batches.recv() => next,
            () = interrupts.interrupted() => return Err(Trouble::Interrupted),
        };
        let Some(batch) = next else { break };
        let batch = batch.map_err(|error| Trouble::Query(Box::new(EngineError::from(error))))?;
        n_rows += batch.num_rows();
        writer.write(&conform(&schema, batch)).map_err(Trouble::Output)?;
    }
    // A query that panicked has sent no error; without this its rows would look complete.
    query.await.context("the query stopped unexpectedly").map_err(Trouble::Output)?;
    let n_hidden = writer.finish().map_err(Trouble::Output)?;
    Ok(Written { n_rows, n_hidden })
}

/// Returns the format that a file's name asks for.
pub(crate) fn format_of(file: &Path) -> Option<Format> {
    let ending = file.extension()?.to_str()?.to_lowercase();
    Some(match ending.as_str() {
        "csv" => Format::Csv,
        "json" => Format::Json,
        "ndjson" | "jsonl" => Format::Ndjson,
        "arrow" | "arrows" | "ipc" => Format::Arrow,
        "parquet" => Format::Parquet,
        "txt" => Format::Table,
        _ => return None,
    })
}

fn writer(
    layout: Layout,
    schema: &SchemaRef,
    output: impl Write + Send + 'static,
) -> anyhow::Result<Box<dyn BatchWriter>> {
    Ok(match layout.format {
        Format::Table => Box::new(table::TableWriter::new(schema, layout.max_rows, output)),
        Format::Csv => Box::new(writers::csv(schema, output)?),
        Format::Json => Box::new(writers::json(output)),
        Format::Ndjson => Box::new(writers::ndjson(output)),
        Format::Arrow => Box::new(writers::arrow(schema, output)?),
        Format::Parquet => Box::new(writers::parquet(schema, output)?),
    })
}

/// Gives a batch the schema of the result: plans may differ from it in metadata or nullability.
fn conform(schema: &SchemaRef, batch: RecordBatch) -> RecordBatch {
    if batch.schema_ref() == schema {
        return batch;
    }
    let columns = batch.columns().to_vec();
    RecordBatch::try_new(SchemaRef::clone(schema), columns).unwrap_or(batch)
}

/// Returns the schema without metadata, which files for others need not carry.
fn bare(schema: &Schema) -> SchemaRef {
    let field =
        |field: &arrow::datatypes::FieldRef| field.as_ref().clone().with_metadata(std::collections::HashMap::new());
    SchemaRef::new(Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

/// True once the reader of standard output went away. Kept here since CSV writers lose the cause.
static READER_LEFT: AtomicBool = AtomicBool::new(false);

/// Returns true if the reader of standard output went away.
pub(crate) fn reader_left() -> bool {
    READER_LEFT.load(Ordering::Relaxed)
}

/// Standard output that remembers whether somebody reads it.
struct StandardOutput(std::io::Stdout);

impl StandardOutput {
    fn watched<T>(result: std::io::Result<T>) -> std::io::Result<T> {
        if result.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe) {
            READER_LEFT.store(true, Ordering::Relaxed);
        }
        result
    }
}

impl Write for StandardOutput {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Self::watched(self.0.write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Self::watched(self.0.flush())
    }
}

/// Opens standard output for a result.
pub(crate) fn standard_output() -> impl Write + Send + 'static {
    std::io::BufWriter::with_capacity(1 << 16, StandardOutput(std::io::stdout()))
}

/// Opens a file for a result; it gets its name when all rows are in it.
pub(crate) fn open_file(path: &Path) -> Result<FileSink, Failure> {
    Ok(FileSink::create(path).with_context(|| format!("{} cannot be written", path.display()))?)
}
