//! What to read of a matrix.

/// Rows of a batch, unless asked otherwise.
pub const BATCH_ROWS: usize = 65_536;

/// The table to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Part {
    /// The values other than zero, one a row: `cell`, `gene`, `value`.
    #[default]
    Values,
    /// The cells, one a row: their name as `cell`, then what the file tells of them.
    Cells,
    /// The genes, one a row: their name as `gene`, then what the file tells of them.
    Genes,
}

/// What to read of a matrix, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The table.
    pub part: Part,
    /// The layer of an AnnData file whose values to read; `X` if none is named.
    pub layer: Option<String>,
    /// True to read the values or genes of an AnnData file's `raw`.
    pub raw: bool,
    /// The most rows of a batch, at least 1. Batches are shorter where long texts would make them too large.
    pub batch_rows: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { part: Part::default(), layer: None, raw: false, batch_rows: BATCH_ROWS }
    }
}
