//! Expression matrices: their tables as batches, sparse as they are stored.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::datatypes::SchemaRef;
use causeway_cells::{Limits as CellsLimits, Matrix, Options};

use crate::block::{Block, BlockSource, Content};
use crate::contract::{Contract, Format, Kind, Limits, Part};
use crate::error::Result;
use crate::parquet_file::{RowsParser, match_columns};

/// A matrix being read.
pub(crate) struct MatrixBlocks {
    matrix: Matrix,
    sequence: u64,
    /// Bytes accounted as read, for progress.
    packed: Arc<AtomicU64>,
    bytes_per_row: f64,
}

/// Opens a matrix and matches the columns of its table with the contract.
pub(crate) fn open(
    path: &Path,
    file: &str,
    contract: &Arc<Contract>,
    packed: Arc<AtomicU64>,
) -> Result<(MatrixBlocks, RowsParser)> {
    let matrix = open_matrix(path, &contract.format, &contract.limits)?;
    let positions = match_columns(&matrix.schema(), contract, file)?;
    let n_rows = matrix.n_stored().unwrap_or(matrix.n_cells().max(matrix.n_genes())).max(1);
    let n_bytes = path.metadata().map_or(0, |data| data.len());
    #[expect(clippy::cast_precision_loss, reason = "a share for the progress bar")]
    let bytes_per_row = n_bytes as f64 / n_rows as f64;
    Ok((MatrixBlocks { matrix, sequence: 0, packed, bytes_per_row }, RowsParser::new(contract, file, positions)))
}

/// Returns the schema of the table that `format` asks for.
pub(crate) fn read_schema(path: &Path, format: &Format, limits: &Limits) -> Result<SchemaRef> {
    Ok(open_matrix(path, format, limits)?.schema())
}

/// Names the columns of cells or genes that are not read, because of how they are encoded; none for other
/// kinds of files.
///
/// # Errors
/// As reading the file.
pub fn left_out(path: &Path, format: &Format) -> Result<Vec<String>> {
    let kind = format.kind.map_or_else(|| Kind::of(path, &path.display().to_string()), Ok)?;
    match kind {
        Kind::H5ad | Kind::TenX | Kind::Mtx => Ok(open_matrix(path, format, &Limits::default())?.left_out().to_vec()),
        Kind::Csv | Kind::Ndjson | Kind::Parquet => Ok(Vec::new()),
    }
}

/// Lists the files that a path stands for: itself, or the tables beside a Matrix Market file too.
///
/// # Errors
/// [`crate::IngestError::Cells`] if the tables are not there.
pub fn matrix_files(path: &Path) -> Result<Vec<PathBuf>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match name.ends_with(".mtx") || name.ends_with(".mtx.gz") {
        true => Ok(causeway_cells::files(path)?),
        false => Ok(vec![path.to_owned()]),
    }
}

fn open_matrix(path: &Path, format: &Format, limits: &Limits) -> Result<Matrix> {
    let part = match format.part {
        Part::Values => causeway_cells::Part::Values,
        Part::Cells => causeway_cells::Part::Cells,
        Part::Genes => causeway_cells::Part::Genes,
    };
    let options = Options { part, layer: format.layer.clone(), raw: format.raw, ..Options::default() };
    let limits = CellsLimits {
        max_bytes_uncompressed: limits.max_bytes_uncompressed,
        max_ratio: limits.max_ratio,
        ..CellsLimits::default()
    };
    Ok(causeway_cells::open(path, &options, &limits)?)
}

impl BlockSource for MatrixBlocks {
    fn next_block(&mut self) -> Result<Option<Block>> {
        let Some(batch) = self.matrix.next().transpose()? else { return Ok(None) };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
        let read = (batch.num_rows() as f64 * self.bytes_per_row) as u64;
        self.packed.fetch_add(read, Ordering::Relaxed);
        self.sequence += 1;
        Ok(Some(Block { sequence: self.sequence - 1, content: Content::Rows(batch) }))
    }
}
