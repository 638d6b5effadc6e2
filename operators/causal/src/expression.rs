//! Cells by genes, with the places of the zeros.

use causeway_core::{OperatorError, Result};
use rayon::prelude::*;

/// Rows a bit mask keeps in one word.
const WORD_ROWS: usize = 64;

/// The change of scale before any statistic. Which values are zero is decided before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transform {
    /// Values as they are.
    None,
    /// ln(1 + x): zeros stay zeros.
    Log1p,
}

/// The values of all genes in all cells, column by column.
#[derive(Debug, Clone)]
pub(crate) struct Expression {
    n_cells: usize,
    columns: Vec<Vec<f64>>,
    /// One bit for each cell: 1 where the gene is not zero. Empty for a column that is never a reason to drop a cell.
    nonzero: Vec<Vec<u64>>,
    /// The largest absolute value of each column.
    largest: Vec<f64>,
}

impl Expression {
    /// Takes finite columns of one length, finds the zeros and changes the scale, on the current thread pool.
    pub(crate) fn new(operator: &'static str, mut columns: Vec<Vec<f64>>, transform: Transform) -> Result<Self> {
        let n_cells = columns.first().map_or(0, Vec::len);
        if u32::try_from(n_cells).is_err() {
            let problem = format!("{n_cells} cells are more than the {} this operator can number", u32::MAX);
            return Err(OperatorError::Data { operator, problem });
        }
        let of_gene = |column: &mut Vec<f64>| {
            let nonzero = nonzero_mask(column);
            if transform == Transform::Log1p {
                column.iter_mut().for_each(|value| *value = value.ln_1p());
            }
            (nonzero, largest(column))
        };
        let (mut nonzero, mut largest) = (Vec::new(), Vec::new());
        columns.par_iter_mut().map(of_gene).unzip_into_vecs(&mut nonzero, &mut largest);
        Ok(Self { n_cells, columns, nonzero, largest })
    }

    /// Returns the number of cells.
    pub(crate) fn n_cells(&self) -> usize {
        self.n_cells
    }

    /// Returns the number of genes.
    pub(crate) fn n_genes(&self) -> usize {
        self.columns.len()
    }

    /// Returns the values of a gene.
    pub(crate) fn column(&self, gene: usize) -> &[f64] {
        &self.columns[gene]
    }

    /// Returns the largest absolute value of a gene.
    pub(crate) fn largest(&self, gene: usize) -> f64 {
        self.largest[gene]
    }

    /// Returns how many cells have a value of the gene that is not zero.
    pub(crate) fn n_nonzero(&self, gene: usize) -> usize {
        self.nonzero[gene].iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Returns the share of zeros among all values.
    pub(crate) fn zero_share(&self) -> f64 {
        let all = self.n_cells * self.n_genes();
        let nonzero: usize = (0..self.n_genes()).map(|gene| self.n_nonzero(gene)).sum();
        if all == 0 { 0.0 } else { (all - nonzero) as f64 / all as f64 }
    }

    /// Returns the bytes that the columns take.
    pub(crate) fn bytes(&self) -> usize {
        self.n_cells * self.n_genes() * size_of::<f64>() + self.n_cells * self.n_genes() / 8
    }

    /// Writes the mask of the cells in which none of the genes is zero, and returns their number.
    pub(crate) fn kept(&self, genes: impl Iterator<Item = usize>, mask: &mut Vec<u64>) -> usize {
        mask.clear();
        mask.resize(self.n_cells.div_ceil(WORD_ROWS), u64::MAX);
        if let Some(last) = mask.last_mut()
            && !self.n_cells.is_multiple_of(WORD_ROWS)
        {
            *last = (1 << (self.n_cells % WORD_ROWS)) - 1;
        }
        for gene in genes {
            mask.iter_mut().zip(&self.nonzero[gene]).for_each(|(word, nonzero)| *word &= nonzero);
        }
        mask.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Returns the expression of the chosen cells, in the order given.
    pub(crate) fn of_cells(&self, cells: &[usize]) -> Self {
        let columns: Vec<Vec<f64>> =
            self.columns.iter().map(|column| cells.iter().map(|cell| column[*cell]).collect()).collect();
        // a change of scale leaves zeros at zero, so they can be found again
        let nonzero = columns.iter().map(|column| nonzero_mask(column)).collect();
        let largest = columns.iter().map(|column| largest(column)).collect();
        Self { n_cells: cells.len(), columns, nonzero, largest }
    }

    /// Returns the expression with a column R_i added for each gene i: 1 in cells where i is zero,
    /// otherwise 0. R_i stands at `n_genes + i`.
    pub(crate) fn with_zero_indicators(&self) -> Self {
        let mut all = self.clone();
        for column in &self.columns {
            all.columns.push(column.iter().map(|value| if is_zero(*value) { 1.0 } else { 0.0 }).collect());
            all.nonzero.push(Vec::new());
            all.largest.push(1.0);
        }
        all
    }
}

/// Writes the numbers of the rows whose bit is set.
pub(crate) fn rows_of(mask: &[u64], rows: &mut Vec<u32>) {
    rows.clear();
    for (first, word) in (0_u32..).step_by(WORD_ROWS).zip(mask) {
        let mut left = *word;
        while left != 0 {
            rows.push(first + left.trailing_zeros());
            left &= left - 1;
        }
    }
}

fn is_zero(value: f64) -> bool {
    value == 0.0
}

fn nonzero_mask(column: &[f64]) -> Vec<u64> {
    let word = |cells: &[f64]| {
        cells.iter().enumerate().fold(0_u64, |word, (bit, value)| word | (u64::from(!is_zero(*value)) << bit))
    };
    column.chunks(WORD_ROWS).map(word).collect()
}

fn largest(column: &[f64]) -> f64 {
    column.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_cells_have_no_zero_in_any_gene() {
        let a: Vec<f64> = (0..130).map(|cell| f64::from(cell % 2)).collect();
        let b: Vec<f64> = (0..130).map(|cell| f64::from(cell % 3)).collect();
        let expression = Expression::new("test", vec![a, b], Transform::Log1p).unwrap();
        let (mut mask, mut rows) = (Vec::new(), Vec::new());
        assert_eq!(expression.kept(std::iter::empty(), &mut mask), 130);
        assert_eq!(expression.kept([0, 1].into_iter(), &mut mask), 43);
        rows_of(&mask, &mut rows);
        assert_eq!(rows.len(), 43);
        assert!(rows.iter().all(|row| row % 2 == 1 && row % 3 != 0));
        assert_eq!(expression.n_nonzero(0), 65);
        assert!((expression.column(1)[2] - 3.0_f64.ln()).abs() < 1e-15);
    }

    #[test]
    fn indicators_mark_the_zeros_and_are_never_a_reason_to_drop_a_cell() {
        let expression = Expression::new("test", vec![vec![0.0, 2.0, -0.0]], Transform::None).unwrap();
        let all = expression.with_zero_indicators();
        assert_eq!(all.column(1), [1.0, 0.0, 1.0]);
        assert_eq!(all.kept([1].into_iter(), &mut Vec::new()), 3);
        assert_eq!(expression.of_cells(&[1, 2]).column(0), [2.0, -0.0]);
    }
}
