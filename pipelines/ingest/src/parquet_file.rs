//! Parquet files: batches as they stand, cast to the contract's types by the workers.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::compute::{CastOptions, can_cast_types, cast_with_options};
use arrow::datatypes::{DataType, SchemaRef};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};

use crate::assemble::{Assembler, BlockParser, CHUNK_ROWS, Parsed, Workspace};
use crate::block::{Block, BlockSource, Content};
use crate::contract::{ColumnType, Contract, ExtraColumns, Limits};
use crate::csv::{missing, unknown};
use crate::error::{IngestError, Result};
use crate::fault::{Faults, Reason};
use crate::tokens::Origin;

/// A Parquet file being read.
pub(crate) struct ParquetBlocks {
    reader: ParquetRecordBatchReader,
    file: String,
    sequence: u64,
    /// Bytes accounted as read, for progress.
    packed: Arc<AtomicU64>,
    bytes_per_row: f64,
}

/// Casts and checks batches that are typed already.
#[derive(Debug)]
pub(crate) struct RowsParser {
    assembler: Assembler,
    /// The batch's column of each column of the contract.
    positions: Vec<usize>,
}

/// Opens a Parquet file and matches its columns with the contract.
pub(crate) fn open(
    path: &Path,
    file: &str,
    contract: &Arc<Contract>,
    packed: Arc<AtomicU64>,
) -> Result<(ParquetBlocks, RowsParser)> {
    let (builder, n_bytes) = open_builder(path, file, &contract.limits)?;
    let schema = Arc::clone(builder.schema());
    let roots = match_columns(&schema, contract, file)?;
    let mut projected = roots.clone();
    projected.sort_unstable();
    projected.dedup();
    let positions = roots.iter().filter_map(|root| projected.binary_search(root).ok()).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), projected.iter().copied());
    let n_rows = builder.metadata().file_metadata().num_rows().max(1);
    let reader = builder.with_projection(mask).with_batch_size(CHUNK_ROWS).build();
    let reader = reader.map_err(|error| malformed(file, &error.to_string()))?;
    #[expect(clippy::cast_precision_loss, reason = "a share for the progress bar")]
    let bytes_per_row = n_bytes as f64 / n_rows as f64;
    let blocks = ParquetBlocks { reader, file: file.to_owned(), sequence: 0, packed, bytes_per_row };
    Ok((blocks, RowsParser::new(contract, file, positions)))
}

/// Returns the Arrow schema of a Parquet file.
pub(crate) fn read_schema(path: &Path, file: &str, limits: &Limits) -> Result<SchemaRef> {
    Ok(Arc::clone(open_builder(path, file, limits)?.0.schema()))
}

fn open_builder(path: &Path, file: &str, limits: &Limits) -> Result<(ParquetRecordBatchReaderBuilder<File>, u64)> {
    let io_error = |source| IngestError::Io { file: file.to_owned(), source };
    let handle = File::open(path).map_err(io_error)?;
    let n_bytes = handle.metadata().map_err(io_error)?.len();
    if n_bytes == 0 {
        return Err(IngestError::Empty { file: file.to_owned(), expected: "a Parquet file" });
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(handle);
    let builder = builder.map_err(|error| malformed(file, &error.to_string()))?;
    let unpacked: i64 = builder.metadata().row_groups().iter().map(|group| group.total_byte_size().max(0)).sum();
    if unpacked.unsigned_abs() > limits.max_bytes_uncompressed {
        let problem = format!("unpacks to more than {} bytes", limits.max_bytes_uncompressed);
        return Err(IngestError::TooLarge { file: file.to_owned(), problem, limit: "max_bytes_uncompressed" });
    }
    Ok((builder, n_bytes))
}

fn malformed(file: &str, problem: &str) -> IngestError {
    IngestError::Malformed { file: file.to_owned(), format: "Parquet", problem: problem.to_owned() }
}

/// Returns the position of each column of the contract.
pub(crate) fn match_columns(schema: &SchemaRef, contract: &Contract, file: &str) -> Result<Vec<usize>> {
    let refuse = |problem: String| Err(IngestError::Columns { file: file.to_owned(), problem });
    let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let mut roots = Vec::with_capacity(contract.columns.len());
    for column in &contract.columns {
        let Some((root, field)) = schema.column_with_name(&column.source) else {
            return refuse(missing(&column.source, &names));
        };
        if !is_castable(field.data_type(), column.column_type) {
            let (found, wanted) = (field.data_type(), column.column_type);
            return refuse(format!("`{}` is of type {found}, which is not read as {wanted}", column.source));
        }
        roots.push(root);
    }
    let is_extra = |name: &&str| !contract.columns.iter().any(|column| column.source == *name);
    let extra: Vec<&str> = names.iter().map(String::as_str).filter(is_extra).collect();
    if !extra.is_empty() && contract.format.extra_columns == ExtraColumns::Error {
        return refuse(unknown(&extra));
    }
    Ok(roots)
}

/// Nested values are refused; so are casts between kinds that only look alike, such as numbers and days.
fn is_castable(from: &DataType, to: ColumnType) -> bool {
    let is_number = |kind: ColumnType| {
        matches!(kind, ColumnType::Int | ColumnType::BigInt | ColumnType::Double | ColumnType::Decimal { .. })
    };
    let is_time = |kind: ColumnType| matches!(kind, ColumnType::Date | ColumnType::Timestamp);
    let Some(kind) = ColumnType::from_arrow(from) else { return false };
    let is_alike = kind == to
        || (is_number(kind) && is_number(to))
        || (is_time(kind) && is_time(to))
        || kind == ColumnType::Text
        || (to == ColumnType::Text && !is_time(kind));
    is_alike && can_cast_types(from, &to.arrow())
}

impl BlockSource for ParquetBlocks {
    fn next_block(&mut self) -> Result<Option<Block>> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let batch = batch.map_err(|error| malformed(&self.file, &error.to_string()))?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let read = (batch.num_rows() as f64 * self.bytes_per_row) as u64;
        self.packed.fetch_add(read, Ordering::Relaxed);
        self.sequence += 1;
        Ok(Some(Block { sequence: self.sequence - 1, content: Content::Rows(batch) }))
    }
}

impl BlockParser for RowsParser {
    fn parse(&self, block: &Block, work: &mut Workspace) -> Result<Parsed> {
        let mut parsed = Parsed::default();
        if let Content::Rows(batch) = &block.content {
            self.parse_batch(batch, work, &mut parsed)?;
        }
        Ok(parsed)
    }
}

impl RowsParser {
    /// Reads the columns at these positions of each batch, in the order of the contract.
    pub(crate) fn new(contract: &Arc<Contract>, file: &str, positions: Vec<usize>) -> Self {
        Self { assembler: Assembler::new(contract, file), positions }
    }

    fn parse_batch(&self, batch: &RecordBatch, work: &mut Workspace, parsed: &mut Parsed) -> Result<()> {
        let tokens = &mut work.tokens;
        tokens.clear();
        tokens.faults.reset(batch.num_rows());
        tokens.origins.extend((0..u32::MAX).take(batch.num_rows()).map(|row| Origin { row, start: row, end: row }));
        let mut columns = Vec::with_capacity(self.positions.len());
        for ((position, rule), column) in self.positions.iter().zip(&self.assembler.contract().columns).zip(0_u16..) {
            let values = cast(batch.column(*position), rule.column_type, column, &mut tokens.faults);
            columns.push(values.map_err(|problem| malformed(self.assembler.file(), &problem))?);
        }
        self.assembler.add_columns(columns, &tokens.origins, &mut tokens.faults, parsed)
    }
}

/// Casts a column; a value that does not fit the type becomes null and a fault.
fn cast(values: &ArrayRef, to: ColumnType, column: u16, faults: &mut Faults) -> Result<ArrayRef, String> {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    let cast = cast_with_options(values, &to.arrow(), &options).map_err(|error| error.to_string())?;
    if cast.null_count() > values.null_count() {
        let reason = misfit(values.data_type(), to);
        for row in (0..cast.len()).filter(|row| cast.is_null(*row) && values.is_valid(*row)) {
            faults.note(row, column, reason);
        }
    }
    if matches!(to, ColumnType::Double) {
        note_not_finite(&cast, column, faults);
    }
    Ok(cast)
}

fn misfit(from: &DataType, to: ColumnType) -> Reason {
    let is_text = ColumnType::from_arrow(from) == Some(ColumnType::Text);
    match to {
        ColumnType::Boolean => Reason::NotABoolean,
        ColumnType::Date if is_text => Reason::BadDate,
        ColumnType::Timestamp if is_text => Reason::BadTimestamp,
        _ if is_text => Reason::NotANumber,
        _ => Reason::OutOfRange,
    }
}

/// Doubles are finite in the lake, as they are when read from text.
fn note_not_finite(values: &ArrayRef, column: u16, faults: &mut Faults) {
    use arrow::array::AsArray;
    use arrow::datatypes::Float64Type;
    for (row, value) in values.as_primitive_opt::<Float64Type>().into_iter().flatten().enumerate() {
        if value.is_some_and(|value| !value.is_finite()) {
            faults.note(row, column, Reason::NotANumber);
        }
    }
}
