//! Columns of equal length.

use super::{LearnError, Result};

/// Features by columns.
#[derive(Debug, Clone, Default)]
pub struct Features {
    n_rows: usize,
    columns: Vec<Vec<f64>>,
}

impl Features {
    /// Makes features of columns, which may be none.
    ///
    /// # Errors
    /// [`LearnError::Shape`] if a column has not `n_rows` numbers, [`LearnError::NotFinite`] if one of them
    /// is NaN or infinite.
    pub fn new(n_rows: usize, columns: Vec<Vec<f64>>) -> Result<Self> {
        if columns.iter().any(|column| column.len() != n_rows) {
            return Err(LearnError::Shape);
        }
        if columns.iter().flatten().any(|value| !value.is_finite()) {
            return Err(LearnError::NotFinite);
        }
        Ok(Self { n_rows, columns })
    }

    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Returns the number of columns.
    pub fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// Returns the columns.
    pub fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// Returns some of the rows, in the order asked for.
    ///
    /// # Panics
    /// If a row does not exist.
    #[must_use]
    pub fn select(&self, rows: &[usize]) -> Self {
        let mut selected = Self::default();
        self.select_into(rows, &mut selected);
        selected
    }

    /// Writes some of the rows over other features, whose memory is used again.
    ///
    /// # Panics
    /// If a row does not exist.
    pub fn select_into(&self, rows: &[usize], out: &mut Self) {
        out.n_rows = rows.len();
        out.columns.resize_with(self.columns.len(), Vec::new);
        for (out, column) in out.columns.iter_mut().zip(&self.columns) {
            out.clear();
            out.extend(rows.iter().map(|row| column[*row]));
        }
    }
}
