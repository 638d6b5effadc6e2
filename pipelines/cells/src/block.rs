//! Values on their way from a file into a batch.

use crate::error::{CellsError, Result};

/// Stored values with the positions of their cells and genes.
#[derive(Debug, Default)]
pub(crate) struct Block {
    pub(crate) cells: Vec<u32>,
    pub(crate) genes: Vec<u32>,
    pub(crate) values: Vec<f64>,
    /// Zeros that the file stores and the block leaves out.
    pub(crate) n_zeros: u64,
}

impl Block {
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Takes a value in; a zero is counted and left out, and what is not a number is refused.
    pub(crate) fn push(&mut self, cell: u32, gene: u32, value: f64, file: &str) -> Result<()> {
        if value == 0.0 {
            self.n_zeros += 1;
            return Ok(());
        }
        if !value.is_finite() {
            return Err(CellsError::Values {
                file: file.to_owned(),
                problem: format!(
                    "the value of cell number {} and gene number {} is not finite; replace such values before \
                     writing the file",
                    u64::from(cell) + 1,
                    u64::from(gene) + 1
                ),
            });
        }
        self.cells.push(cell);
        self.genes.push(gene);
        self.values.push(value);
        Ok(())
    }
}

/// What gives the values of a matrix, part by part.
pub(crate) trait ValueSource: Send {
    /// Adds values to a block until it holds `rows` of them; false when the matrix is at its end.
    fn fill(&mut self, block: &mut Block, rows: usize) -> Result<bool>;
}

/// Finds positions that are stored twice, as long as the entries come grouped by one of the two axes.
///
/// For each position on the other axis it keeps the last group that had an entry there.
#[derive(Debug)]
pub(crate) struct Seen {
    last: Vec<u32>,
}

impl Seen {
    /// Memory that a `Seen` of `n` positions needs, in bytes.
    pub(crate) fn bytes(n: u64) -> u64 {
        n.saturating_mul(4)
    }

    pub(crate) fn new(n: usize) -> Self {
        Self { last: vec![u32::MAX; n] }
    }

    /// Notes an entry; none if the position is beyond the axis, otherwise true if it is the first of its group there.
    pub(crate) fn note(&mut self, group: u32, position: usize) -> Option<bool> {
        let last = self.last.get_mut(position)?;
        let is_first = *last != group;
        *last = group;
        Some(is_first)
    }
}
