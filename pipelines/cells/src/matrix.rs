//! A matrix being read: its schema, its lengths, and its batches one after the other.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, RecordBatchOptions, StringArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};

use crate::block::{Block, ValueSource};
use crate::error::{CellsError, Result};
use crate::frame::Column;
use crate::h5::{H5File, Source};
use crate::layout::{Layout, file_name};
use crate::limits::Limits;
use crate::names::{Axis, Names, longest};
use crate::options::{Options, Part};
use crate::{anndata, market, tenx};

/// Bytes of text that a batch may take; where names are long, batches have fewer rows.
const BATCH_TEXT_BYTES: u64 = 64 << 20;
/// Bytes that the texts of a batch may take whose lengths the file does not bound beforehand.
const BATCH_REFERENCED_BYTES: u64 = 256 << 20;

/// What a layout's reader gives to read on from.
pub(crate) struct Opened {
    pub(crate) names: Names,
    pub(crate) content: Content,
    pub(crate) left_out: Vec<String>,
    pub(crate) source: Source,
}

/// The rows of the table that was asked for.
pub(crate) enum Content {
    Values {
        values: Box<dyn ValueSource>,
        n_stored: u64,
    },
    /// The columns after the names.
    Frame(Vec<Column>),
}

/// A matrix, or one of the tables beside it, given as batches by [`Iterator`].
///
/// Rows come in the order in which the file stores them: of values cell by cell for `csr_matrix`, dense and 10x
/// files, gene by gene for `csc_matrix`, and as the lines stand for Matrix Market.
pub struct Matrix {
    layout: Layout,
    schema: SchemaRef,
    names: Names,
    content: Content,
    axis: Axis,
    source: Source,
    left_out: Vec<String>,
    batch_rows: usize,
    /// The next row of a table of cells or genes.
    row: u64,
    n_zeros: u64,
    is_done: bool,
}

/// Opens a matrix. Names, row starts and categories are read and checked here; values are read batch by batch.
///
/// # Errors
///
/// Every variant of [`CellsError`]; none of them holds a value of the matrix.
pub fn open(path: &Path, options: &Options, limits: &Limits) -> Result<Matrix> {
    let layout = Layout::detect(path)?;
    let file = file_name(path);
    check_options(options, layout, &file)?;
    let opened = match layout {
        Layout::H5ad => anndata::open(H5File::open(path, &file, limits)?, options)?,
        Layout::TenX => tenx::open(H5File::open(path, &file, limits)?, options)?,
        Layout::Mtx => market::open(path, options, limits)?,
    };
    Ok(Matrix::new(layout, opened, options))
}

fn check_options(options: &Options, layout: Layout, file: &str) -> Result<()> {
    let refuse = |problem: &str| Err(CellsError::Options { file: file.to_owned(), problem: problem.to_owned() });
    let is_annotated = layout == Layout::H5ad;
    match (&options.layer, options.raw, options.part) {
        _ if options.batch_rows == 0 => refuse("a batch needs at least 1 row"),
        (Some(_), _, _) | (_, true, _) if !is_annotated => refuse("only AnnData files have `layer` and `raw`"),
        (Some(_), true, _) => refuse("`layer` and `raw` exclude each other: raw has no layers"),
        (Some(_), _, Part::Cells | Part::Genes) => {
            refuse("`layer` chooses values; cells and genes are the same for all")
        }
        (_, true, Part::Cells) => refuse("`raw` has no cells of its own; leave it out"),
        _ => Ok(()),
    }
}

impl Matrix {
    fn new(layout: Layout, opened: Opened, options: &Options) -> Self {
        let Opened { names, content, left_out, source } = opened;
        let axis = if options.part == Part::Genes { Axis::Genes } else { Axis::Cells };
        let name = |axis: Axis| Arc::new(Field::new(axis.column(), DataType::Utf8, false));
        let (fields, row_bytes): (Vec<FieldRef>, u64) = match &content {
            Content::Values { .. } => {
                let value = Arc::new(Field::new("value", DataType::Float64, false));
                let bytes = longest(&names.cells) + longest(&names.genes);
                (vec![name(Axis::Cells), name(Axis::Genes), value], bytes as u64)
            }
            Content::Frame(columns) => {
                let fields = std::iter::once(name(axis)).chain(columns.iter().map(Column::field));
                let bytes: u64 = columns.iter().map(Column::row_bytes).sum();
                (fields.collect(), bytes + longest(names_of(&names, axis)) as u64)
            }
        };
        let fitting = usize::try_from(BATCH_TEXT_BYTES / row_bytes.max(1)).unwrap_or(usize::MAX);
        let batch_rows = options.batch_rows.min(fitting).max(1);
        let schema = Arc::new(Schema::new(fields));
        Self { layout, schema, names, content, axis, source, left_out, batch_rows, row: 0, n_zeros: 0, is_done: false }
    }

    /// Returns the layout of the file.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Returns the columns of every batch.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Returns the number of cells.
    #[must_use]
    pub fn n_cells(&self) -> u64 {
        u64::from(self.names.lengths().cells)
    }

    /// Returns the number of genes.
    #[must_use]
    pub fn n_genes(&self) -> u64 {
        u64::from(self.names.lengths().genes)
    }

    /// Returns the number of values in the file, zeros included; for a dense matrix all of them. None for tables of
    /// cells and genes.
    #[must_use]
    pub fn n_stored(&self) -> Option<u64> {
        match self.content {
            Content::Values { n_stored, .. } => Some(n_stored),
            Content::Frame(_) => None,
        }
    }

    /// Returns the number of zeros left out so far.
    #[must_use]
    pub fn n_zeros(&self) -> u64 {
        self.n_zeros
    }

    /// Returns the columns of `obs` or `var` whose encoding is not read.
    #[must_use]
    pub fn left_out(&self) -> &[String] {
        &self.left_out
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let Content::Values { values, .. } = &mut self.content else { return self.next_rows() };
        let mut block = Block::default();
        values.fill(&mut block, self.batch_rows)?;
        self.n_zeros += block.n_zeros;
        if block.values.is_empty() {
            return Ok(None);
        }
        let cells = self.texts(&self.names.cells, block.cells)?;
        let genes = self.texts(&self.names.genes, block.genes)?;
        let values: ArrayRef = Arc::new(Float64Array::from(block.values));
        self.batch(vec![cells, genes, values]).map(Some)
    }

    fn texts(&self, names: &StringArray, positions: Vec<u32>) -> Result<ArrayRef> {
        take(names, &UInt32Array::from(positions), None).map_err(|error| self.misfit(&error))
    }

    fn next_rows(&mut self) -> Result<Option<RecordBatch>> {
        let Content::Frame(columns) = &self.content else { return Ok(None) };
        let names = names_of(&self.names, self.axis);
        let start = usize::try_from(self.row).unwrap_or(usize::MAX);
        let count = arrow::array::Array::len(names).saturating_sub(start).min(self.batch_rows);
        if count == 0 {
            return Ok(None);
        }
        let mut room = BATCH_REFERENCED_BYTES;
        let mut arrays: Vec<ArrayRef> = vec![Arc::new(names.slice(start, count))];
        for column in columns {
            arrays.push(column.read(self.row, count as u64, &self.source, &mut room)?);
        }
        self.row += count as u64;
        self.batch(arrays).map(Some)
    }

    fn batch(&self, arrays: Vec<ArrayRef>) -> Result<RecordBatch> {
        let schema = Arc::clone(&self.schema);
        let batch = RecordBatch::try_new_with_options(schema, arrays, &RecordBatchOptions::new());
        batch.map_err(|error| self.misfit(&error))
    }

    fn misfit(&self, error: &arrow::error::ArrowError) -> CellsError {
        self.source.malformed("expression matrix", format!("its columns do not fit each other ({error})"))
    }
}

fn names_of(names: &Names, axis: Axis) -> &StringArray {
    match axis {
        Axis::Cells => &names.cells,
        Axis::Genes => &names.genes,
    }
}

/// Gives the batches in order. After an error, or at the end, there are no more.
impl Iterator for Matrix {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let batch = self.next_batch().transpose();
        self.is_done = !matches!(batch, Some(Ok(_)));
        batch
    }
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Matrix");
        shown.field("layout", &self.layout).field("n_cells", &self.n_cells()).field("n_genes", &self.n_genes());
        shown.finish_non_exhaustive()
    }
}
