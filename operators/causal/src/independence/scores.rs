//! Normal scores of a column, or of any part of its rows.

use causeway_numerics::{normal_quantile, normal_quantiles};

/// The position of a row that was not chosen.
const ABSENT: u32 = u32::MAX;

/// The rows of a column in the order of its values, so that no choice of rows needs sorting.
#[derive(Debug)]
pub(crate) struct Sorted {
    rows: Vec<u32>,
    /// The number of the value in each of these rows, counted from the smallest.
    values: Vec<u32>,
}

/// A choice of rows.
#[derive(Debug, Default)]
pub(crate) struct Part {
    n_rows: usize,
    /// Where each row stands among the chosen.
    positions: Vec<u32>,
    /// The score of each rank if there are no ties.
    quantiles: Vec<f64>,
}

impl Sorted {
    /// Sorts a column. `None` if it holds a NaN or more rows than can be numbered.
    pub(crate) fn new(column: &[f64]) -> Option<Self> {
        if column.iter().any(|value| value.is_nan()) {
            return None;
        }
        let n_rows = u32::try_from(column.len()).ok()?;
        let value = |row: u32| column[row as usize] + 0.0; // -0 is 0
        let mut rows: Vec<u32> = (0..n_rows).collect();
        rows.sort_unstable_by(|a, b| value(*a).total_cmp(&value(*b)).then(a.cmp(b)));
        let mut values = Vec::with_capacity(rows.len());
        for (ties, number) in rows.chunk_by(|a, b| value(*a).total_cmp(&value(*b)).is_eq()).zip(0..) {
            values.extend(ties.iter().map(|_| number));
        }
        Some(Self { rows, values })
    }

    /// Returns the normal quantile of each chosen row's share of the chosen, ties at their mean rank. `None` if
    /// they have one value, or there is none.
    pub(crate) fn scores(&self, part: &Part) -> Option<Vec<f64>> {
        let mut chosen = vec![(0, 0); part.n_rows + 1]; // one for what is written and not kept
        let mut n_chosen = 0;
        for (row, value) in self.rows.iter().zip(&self.values) {
            let position = part.positions[*row as usize];
            chosen[n_chosen] = (position, *value);
            n_chosen += usize::from(position != ABSENT);
        }
        chosen.truncate(n_chosen);
        let n = float(n_chosen);
        let mut scores = vec![0.0; n_chosen];
        let mut first = 0;
        for ties in chosen.chunk_by(|a, b| a.1 == b.1) {
            if ties.len() == n_chosen {
                return None;
            }
            let score = match ties {
                [_] => part.quantiles[first],
                _ => normal_quantile((float(first) + 0.5 * float(ties.len())) / n),
            };
            for (position, _) in ties {
                scores[*position as usize] = score;
            }
            first += ties.len();
        }
        (!scores.is_empty()).then_some(scores)
    }

    /// Returns the bytes that the order of a column takes.
    pub(crate) fn bytes(n_rows: usize) -> usize {
        2 * n_rows * size_of::<u32>()
    }
}

impl Part {
    /// Chooses some of `n_all` rows, ascending.
    pub(crate) fn choose(&mut self, rows: &[u32], n_all: usize) {
        self.positions.clear();
        self.positions.resize(n_all, ABSENT);
        for (row, position) in rows.iter().zip(0..) {
            self.positions[*row as usize] = position;
        }
        if self.n_rows != rows.len() {
            self.n_rows = rows.len();
            self.quantiles = normal_quantiles(rows.len());
        }
    }

    /// Chooses all of some rows.
    pub(crate) fn all(n_rows: usize) -> Self {
        let positions = (0..n_rows).zip(0..).map(|(_, position)| position).collect();
        Self { n_rows, positions, quantiles: normal_quantiles(n_rows) }
    }
}

/// Returns the normal scores of a column. `None` if it is constant, empty or holds a NaN.
pub(super) fn normal_scores(column: &[f64]) -> Option<Vec<f64>> {
    Sorted::new(column)?.scores(&Part::all(column.len()))
}

/// Converts a count of rows, far below 2^53.
#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
pub(super) fn float(count: usize) -> f64 {
    count as f64
}
