//! Columns with mean 0 and variance 1, made block by block where they are needed.

use pulp::{Simd, WithSimd};

use super::cholesky::Cholesky;
use super::kernels::{BLOCK_ROWS, add_dots, add_multiple, dot, run, sum};
use super::{Features, LearnError, Result, Training, to_float};

/// Columns of which no more than this share of the variance is left by those before them are collinear.
const COLLINEAR: f64 = 1e-10;

/// Blocks between two questions whether to go on.
pub(super) const WATCH: usize = 64;

/// What gives columns the mean 0 and the population variance 1.
#[derive(Debug)]
pub(super) struct Scale {
    means: Vec<f64>,
    /// 1 over the standard deviation; 0 for a constant column.
    factors: Vec<f64>,
}

impl Scale {
    /// Measures columns.
    pub(super) fn of(features: &Features, training: &Training<'_>) -> Result<Self> {
        let mut scale = Self { means: Vec::new(), factors: Vec::new() };
        for column in features.columns() {
            training.check()?;
            let (mean, deviation) = run(MeanAndDeviation(column));
            if !deviation.is_finite() {
                return Err(LearnError::NotFinite);
            }
            // rounding of the mean leaves a few units in the last place of a constant column
            let is_constant = deviation <= 1e-13 * mean.abs() || deviation <= 0.0;
            scale.means.push(mean);
            scale.factors.push(if is_constant { 0.0 } else { 1.0 / deviation });
        }
        Ok(scale)
    }

    /// Refuses a constant column.
    pub(super) fn refuse_constants(&self) -> Result<()> {
        match self.factors.iter().position(|factor| *factor <= 0.0) {
            Some(column) => Err(LearnError::Constant { column }),
            None => Ok(()),
        }
    }

    /// Returns the weighted sum on the columns' own scale.
    pub(super) fn unscaled(&self, intercept: f64, weights: &[f64]) -> WeightedSum {
        let mut sum = WeightedSum { intercept, weights: Vec::with_capacity(weights.len()) };
        for ((weight, mean), factor) in weights.iter().zip(&self.means).zip(&self.factors) {
            let weight = weight * factor;
            sum.intercept -= weight * mean;
            sum.weights.push(weight);
        }
        sum
    }
}

/// Measures one column.
struct MeanAndDeviation<'a>(&'a [f64]);

impl WithSimd for MeanAndDeviation<'_> {
    type Output = (f64, f64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> (f64, f64) {
        let column = self.0;
        let (n_rows, first) = (to_float(column.len()), column.first().copied().unwrap_or(0.0));
        let mut buffer = [0.0; BLOCK_ROWS];
        let (mut total, mut squares) = (0.0, 0.0);
        for block in column.chunks(BLOCK_ROWS) {
            for (out, value) in buffer.iter_mut().zip(block) {
                *out = value - first;
            }
            total += sum(simd, &buffer[..block.len()]);
        }
        let offset = total / n_rows;
        for block in column.chunks(BLOCK_ROWS) {
            for (out, value) in buffer.iter_mut().zip(block) {
                *out = (value - first) - offset;
            }
            squares += dot(simd, &buffer[..block.len()], &buffer[..block.len()]);
        }
        (first + offset, (squares / n_rows).sqrt())
    }
}

/// Rows of standardised columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Design<'a> {
    pub(super) columns: &'a [Vec<f64>],
    pub(super) scale: &'a Scale,
    pub(super) n_rows: usize,
}

impl<'a> Design<'a> {
    /// Takes all rows of features.
    pub(super) fn new(features: &'a Features, scale: &'a Scale) -> Self {
        Self { columns: features.columns(), scale, n_rows: features.n_rows() }
    }

    /// Returns the number of columns.
    pub(super) fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// Returns room for [`Design::fill`].
    pub(super) fn block(&self) -> Vec<f64> {
        vec![0.0; self.columns.len() * BLOCK_ROWS]
    }

    /// Writes the rows from `first` on, up to [`BLOCK_ROWS`], column below column.
    #[inline(always)]
    pub(super) fn fill(&self, first: usize, block: &mut [f64]) {
        let end = self.n_rows.min(first + BLOCK_ROWS);
        let scale = self.scale.means.iter().zip(&self.scale.factors);
        for ((out, column), (mean, factor)) in block.chunks_exact_mut(BLOCK_ROWS).zip(self.columns).zip(scale) {
            for (out, value) in out.iter_mut().zip(&column[first..end]) {
                *out = (value - mean) * factor;
            }
        }
    }

    /// Returns the sums of products of the columns with each other and with outcomes.
    pub(super) fn products(&self, outcomes: &[f64], training: &Training<'_>) -> Result<Products> {
        let mut products = Products {
            columns: vec![0.0; self.n_columns()],
            lower: (1..=self.n_columns()).map(|length| vec![0.0; length]).collect(),
            with_outcomes: vec![0.0; self.n_columns()],
        };
        let mut block = self.block();
        for (index, outcomes) in outcomes.chunks(BLOCK_ROWS).enumerate() {
            if index % WATCH == 0 {
                training.check()?;
            }
            run(AddProducts {
                design: self,
                first: index * BLOCK_ROWS,
                block: &mut block,
                outcomes,
                out: &mut products,
            });
        }
        Ok(products)
    }

    /// Evaluates a weighted sum of standardised columns, of which the first weight is the intercept.
    pub(super) fn evaluate(&self, weights: &[f64]) -> Vec<f64> {
        let mut out = vec![weights[0]; self.n_rows];
        let mut block = self.block();
        for (index, out) in out.chunks_mut(BLOCK_ROWS).enumerate() {
            run(Evaluate { design: self, first: index * BLOCK_ROWS, block: &mut block, weights: &weights[1..], out });
        }
        out
    }
}

/// Sums over rows.
#[derive(Debug, Clone)]
pub(super) struct Products {
    /// Of each column.
    pub(super) columns: Vec<f64>,
    /// Of products of two columns, the lower triangle.
    pub(super) lower: Vec<Vec<f64>>,
    /// Of products of each column with the outcome.
    pub(super) with_outcomes: Vec<f64>,
}

/// Adds the products of one block.
struct AddProducts<'a> {
    design: &'a Design<'a>,
    first: usize,
    block: &'a mut [f64],
    outcomes: &'a [f64],
    out: &'a mut Products,
}

impl WithSimd for AddProducts<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { block, outcomes, out, .. } = self;
        let n = outcomes.len();
        self.design.fill(self.first, block);
        add_dots(simd, outcomes, block, &mut out.with_outcomes);
        for (index, column) in block.chunks_exact(BLOCK_ROWS).enumerate() {
            out.columns[index] += sum(simd, &column[..n]);
            add_dots(simd, &column[..n], block, &mut out.lower[index]);
        }
    }
}

/// Adds the weighted sums of one block.
struct Evaluate<'a> {
    design: &'a Design<'a>,
    first: usize,
    block: &'a mut [f64],
    weights: &'a [f64],
    out: &'a mut [f64],
}

impl WithSimd for Evaluate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        self.design.fill(self.first, self.block);
        for (weight, column) in self.weights.iter().zip(self.block.chunks_exact(BLOCK_ROWS)) {
            add_multiple(self.out, *weight, column);
        }
    }
}

impl Products {
    /// Returns the factorised products; refuses columns that are collinear.
    pub(super) fn factorised(&self) -> Result<Cholesky> {
        Cholesky::new(&self.lower, COLLINEAR).map_err(|column| LearnError::Collinear { column })
    }
}

/// An intercept and one weight for each column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct WeightedSum {
    pub(super) intercept: f64,
    pub(super) weights: Vec<f64>,
}

impl WeightedSum {
    /// Returns the sum for each row.
    pub(super) fn evaluate(&self, features: &Features) -> Vec<f64> {
        let mut out = vec![self.intercept; features.n_rows()];
        run(AddColumns { sum: self, columns: features.columns(), out: &mut out });
        out
    }
}

/// Adds the weighted columns.
struct AddColumns<'a> {
    sum: &'a WeightedSum,
    columns: &'a [Vec<f64>],
    out: &'a mut [f64],
}

impl WithSimd for AddColumns<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        for (weight, column) in self.sum.weights.iter().zip(self.columns) {
            add_multiple(self.out, *weight, column);
        }
    }
}
