//! Dense matrices: cells by genes, of which the values other than zero are given.

use crate::block::{Block, ValueSource};
use crate::error::Result;
use crate::h5::{Array, Item, Source};
use crate::limits::Budget;
use crate::sparse::Lengths;

/// Bytes of values read at once, unless a row or a chunk is larger.
const WINDOW_BYTES: u64 = 4 << 20;

/// A dense matrix, being read row after row.
pub(crate) struct Dense {
    source: Source,
    array: Array,
    lengths: Lengths,
    /// The cell and gene of the next value.
    cell: u32,
    gene: u32,
    /// The first cell that is not yet read from the file.
    next: u64,
    window_rows: u64,
    values: std::vec::IntoIter<f64>,
}

impl Dense {
    /// Opens a dataset of cells by genes.
    pub(crate) fn open(item: &Item, lengths: Lengths, source: &Source, budget: &mut Budget) -> Result<Self> {
        let array = item.array(budget)?.filter(|array| array.kind.is_number());
        let Some(array) = array else {
            let problem = format!("`{}` does not hold numbers that are read", item.path);
            return Err(source.unsupported(problem, "write integers, or floats of 32 or 64 bits"));
        };
        if array.shape != [u64::from(lengths.cells), u64::from(lengths.genes)] {
            let problem = format!(
                "`{}` has the shape {:?}; {} cells and {} genes are named",
                array.path, array.shape, lengths.cells, lengths.genes
            );
            return Err(source.malformed("AnnData", problem));
        }
        let window_rows = array.window_rows(WINDOW_BYTES);
        array.hold_window(window_rows, budget)?;
        let source = source.clone();
        Ok(Self { source, array, lengths, cell: 0, gene: 0, next: 0, window_rows, values: Vec::new().into_iter() })
    }

    /// Values stored: all of them.
    pub(crate) fn n_stored(&self) -> u64 {
        u64::from(self.lengths.cells) * u64::from(self.lengths.genes)
    }

    fn read_window(&mut self) -> Result<bool> {
        let count = self.window_rows.min(self.array.n_rows().saturating_sub(self.next));
        if count == 0 || self.lengths.genes == 0 {
            return Ok(false);
        }
        self.values = self.array.doubles(self.next, count)?.into_iter();
        self.next += count;
        Ok(true)
    }
}

impl ValueSource for Dense {
    fn fill(&mut self, block: &mut Block, rows: usize) -> Result<bool> {
        while block.len() < rows {
            let Some(value) = self.values.next() else {
                if self.read_window()? {
                    continue;
                }
                return Ok(false);
            };
            block.push(self.cell, self.gene, value, &self.source.file)?;
            self.gene += 1;
            if self.gene == self.lengths.genes {
                self.gene = 0;
                self.cell += 1;
            }
        }
        Ok(true)
    }
}
