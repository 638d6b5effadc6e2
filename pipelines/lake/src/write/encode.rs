//! Batches to Parquet bytes, on a thread of its own.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Float32Type, Float64Type, SchemaRef};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use tokio::sync::mpsc;

use super::statistics;
use super::upload::Piece;
use crate::error::{LakeError, Result};

/// A file that has reached this size is closed.
const FILE_BYTES: usize = 192 << 20;
/// Bytes are handed to the upload in pieces of at least this size.
const PIECE_BYTES: usize = 4 << 20;
/// Rows of a row group: large enough to scan fast, small enough to split between readers.
const GROUP_ROWS: usize = 1 << 20;
/// Bounds the encoder's memory for tables with many columns.
const GROUP_BYTES: usize = 96 << 20;

/// Encodes the rows of one partition.
pub(super) struct Encoder {
    schema: SchemaRef,
    identifying: HashSet<String>,
    floats: Vec<usize>,
}

/// A file that is being encoded.
struct OpenFile {
    writer: ArrowWriter<Vec<u8>>,
    /// Columns that hold a NaN: Parquet's bounds leave it out, so they get no bounds.
    with_nan: BTreeSet<usize>,
}

impl Encoder {
    pub(super) fn new(schema: &SchemaRef, identifying: &HashSet<String>) -> Self {
        let is_float =
            |index: &usize| matches!(schema.field(*index).data_type(), DataType::Float32 | DataType::Float64);
        Self {
            schema: Arc::clone(schema),
            identifying: identifying.clone(),
            floats: (0..schema.fields().len()).filter(is_float).collect(),
        }
    }

    /// Encodes until `batches` ends. Returns early if the upload has stopped, which tells the reason.
    pub(super) fn run(self, mut batches: mpsc::Receiver<RecordBatch>, pieces: &mpsc::Sender<Piece>) -> Result<()> {
        let mut open: Option<OpenFile> = None;
        while let Some(batch) = batches.blocking_recv() {
            let mut file = open.take().map_or_else(|| self.open(), Ok)?;
            self.write(&mut file, &batch)?;
            if file.writer.inner().len() >= PIECE_BYTES && !file.hand_on(pieces) {
                return Ok(());
            }
            if file.writer.bytes_written() + file.writer.in_progress_size() < FILE_BYTES {
                open = Some(file);
            } else {
                self.close(file, pieces)?;
            }
        }
        open.map_or(Ok(()), |file| self.close(file, pieces))
    }

    fn open(&self) -> Result<OpenFile> {
        let properties = WriterProperties::builder()
            .set_created_by(concat!("causeway ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .build();
        // The Delta log holds the types; an Arrow schema in the file could only contradict it.
        let options = ArrowWriterOptions::new().with_properties(properties).with_skip_arrow_metadata(true);
        let writer =
            ArrowWriter::try_new_with_options(Vec::new(), Arc::clone(&self.schema), options).map_err(internal)?;
        Ok(OpenFile { writer, with_nan: BTreeSet::new() })
    }

    fn write(&self, file: &mut OpenFile, batch: &RecordBatch) -> Result<()> {
        for &index in &self.floats {
            if !file.with_nan.contains(&index) && has_nan(batch.column(index)) {
                file.with_nan.insert(index);
            }
        }
        file.writer.write(batch).map_err(internal)
    }

    fn close(&self, mut file: OpenFile, pieces: &mpsc::Sender<Piece>) -> Result<()> {
        let footer = file.writer.finish().map_err(internal)?;
        let n_rows = u64::try_from(footer.file_metadata().num_rows()).unwrap_or(0);
        let skip =
            |index: usize| file.with_nan.contains(&index) || self.identifying.contains(self.schema.field(index).name());
        let stats = statistics::collect(&footer, &self.schema, &skip, &self.identifying);
        if file.hand_on(pieces) {
            // A closed channel means that the upload failed and says so itself.
            let _ = pieces.blocking_send(Piece::End { n_rows, stats });
        }
        Ok(())
    }
}

impl OpenFile {
    /// Hands the bytes so far to the upload; false: it has stopped.
    fn hand_on(&mut self, pieces: &mpsc::Sender<Piece>) -> bool {
        let bytes = std::mem::take(self.writer.inner_mut());
        pieces.blocking_send(Piece::Bytes(Bytes::from(bytes))).is_ok()
    }
}

fn has_nan(array: &dyn Array) -> bool {
    match array.data_type() {
        DataType::Float32 => array.as_primitive::<Float32Type>().values().iter().any(|value| value.is_nan()),
        _ => array.as_primitive::<Float64Type>().values().iter().any(|value| value.is_nan()),
    }
}

fn internal(error: ParquetError) -> LakeError {
    LakeError::Internal(format!("encoding Parquet: {error}"))
}
