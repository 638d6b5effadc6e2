//! The settled part of a stage: steps in single precision around a point kept in double.
//!
//! From the point W_0 the weights move by D, at most the learning rate in a step, and with them
//!
//! ```text
//! C A = C (I - W_0) - C D
//! ```
//!
//! so that C A, exact at W_0, loses nothing that matters if the product with the small D is rounded to seven
//! digits. The inverse is continued in a straight line from where it was computed. Then each column of W walks by
//! itself, and some columns at a time stay in the processor's cache for [`super::descent::PERIOD`] steps.

use causeway_numerics::single::{Left, lanes, panels};

use super::walk::{AdamStep, PanelStep};

/// Matrices in panels of columns; see [`causeway_numerics::single`].
#[derive(Debug)]
pub(super) struct Glide {
    order: usize,
    /// Vectors of each panel.
    panels: Vec<usize>,
    /// -C.
    negative: Left,
    /// W where `product` was last exact.
    start: Vec<f32>,
    /// D.
    moved: Vec<f32>,
    /// C A without and with what D adds.
    base: Vec<f32>,
    product: Vec<f32>,
    /// The transpose of (s I - W o W)^-1 where it was computed, and its change in one step.
    inverse: Vec<f32>,
    inverse_trend: Vec<f32>,
    first_moment: Vec<f32>,
    second_moment: Vec<f32>,
}

/// What holds for some steps in a row.
#[derive(Debug)]
pub(super) struct Course<'a> {
    pub(super) steps: &'a [AdamStep],
    /// mu lambda.
    pub(super) penalty: f64,
    /// -mu / sigma of each column, padded to [`Glide::width`], for each step.
    pub(super) factors: &'a [f32],
}

impl Glide {
    pub(super) fn new(covariance: &[f64], order: usize) -> Self {
        let panels = panels(order);
        let n_columns = panels.iter().sum::<usize>() * lanes();
        let zeros = || vec![0.0; order * n_columns];
        let negative: Vec<f64> = covariance.iter().map(|entry| -entry).collect();
        Self {
            order,
            panels,
            negative: Left::new(&negative, order),
            start: zeros(),
            moved: zeros(),
            base: zeros(),
            product: zeros(),
            inverse: zeros(),
            inverse_trend: zeros(),
            first_moment: zeros(),
            second_moment: zeros(),
        }
    }

    /// Returns the number of columns with padding.
    pub(super) fn width(&self) -> usize {
        self.panels.iter().sum::<usize>() * lanes()
    }

    /// Begins where steps in double precision ended.
    pub(super) fn begin(&mut self, weights: &[f64], first_moment: &[f64], second_moment: &[f64]) {
        let layout = Layout { order: self.order, panels: &self.panels };
        layout.fill(&mut self.start, weights);
        layout.fill(&mut self.first_moment, first_moment);
        layout.fill(&mut self.second_moment, second_moment);
        self.moved.fill(0.0);
    }

    /// Takes C A at the point.
    pub(super) fn take_product(&mut self, product: &[f64]) {
        Layout { order: self.order, panels: &self.panels }.fill(&mut self.base, product);
    }

    /// Takes (s I - W o W)^-1, computed `age` steps after the last one; 0 if there is none.
    pub(super) fn take_inverse(&mut self, inverse: &[f64], age: u32) {
        let share = if age == 0 { 0.0 } else { 1.0 / f64::from(age) };
        let layout = Layout { order: self.order, panels: &self.panels };
        layout.fill_transposed(&mut self.inverse, &mut self.inverse_trend, inverse, share);
    }

    /// Takes some steps, and leaves `weights` and the panels where they end.
    pub(super) fn walk(&mut self, course: &Course<'_>, weights: &mut [f64]) {
        let layout = Layout { order: self.order, panels: &self.panels };
        for panel in layout.each() {
            let cells = panel.cells.clone();
            for (number, step) in course.steps.iter().enumerate() {
                let columns = number * course.factors.len() / course.steps.len() + panel.first_column;
                PanelStep {
                    step: *step,
                    penalty: course.penalty,
                    age: to_float(number),
                    factors: &course.factors[columns..columns + panel.n_columns],
                    product: if number == 0 { &self.base[cells.clone()] } else { &self.product[cells.clone()] },
                    inverse: &self.inverse[cells.clone()],
                    inverse_trend: &self.inverse_trend[cells.clone()],
                    start: &self.start[cells.clone()],
                    moved: &mut self.moved[cells.clone()],
                    first_moment: &mut self.first_moment[cells.clone()],
                    second_moment: &mut self.second_moment[cells.clone()],
                }
                .take();
                let (moved, base) = (&self.moved[cells.clone()], &self.base[cells.clone()]);
                self.negative.multiply_add(moved, base, &mut self.product[cells.clone()], panel.n_vectors);
            }
        }
        std::mem::swap(&mut self.base, &mut self.product);
        layout.add(&self.moved, weights);
        layout.fill(&mut self.start, weights);
        self.moved.fill(0.0);
    }

    /// Returns the diagonal of A'CA = CA - W'CA.
    pub(super) fn residual_variances(&self) -> Vec<f64> {
        let mut squares = vec![0.0; self.width()];
        for panel in (Layout { order: self.order, panels: &self.panels }).each() {
            let squares = &mut squares[panel.first_column..panel.first_column + panel.n_columns];
            let weights = self.start[panel.cells.clone()].chunks_exact(panel.n_columns);
            let products = self.base[panel.cells.clone()].chunks_exact(panel.n_columns);
            for (row, (weights, products)) in weights.zip(products).enumerate() {
                for ((square, weight), product) in squares.iter_mut().zip(weights).zip(products) {
                    *square -= f64::from(*weight) * f64::from(*product);
                }
                if (panel.first_column..panel.first_column + panel.n_columns).contains(&row) {
                    squares[row - panel.first_column] += f64::from(products[row - panel.first_column]);
                }
            }
        }
        squares.truncate(self.order);
        squares
    }
}

/// Where the cells of a matrix stand.
struct Layout<'a> {
    order: usize,
    panels: &'a [usize],
}

#[derive(Debug, Clone)]
struct Panel {
    n_vectors: usize,
    first_column: usize,
    n_columns: usize,
    cells: std::ops::Range<usize>,
}

impl<'a> Layout<'a> {
    fn each(&self) -> impl Iterator<Item = Panel> + use<'a> {
        let (order, n_lanes) = (self.order, lanes());
        self.panels.iter().scan(0, move |first_column, n_vectors| {
            let n_columns = n_vectors * n_lanes;
            let first = *first_column;
            *first_column += n_columns;
            let cells = first * order..*first_column * order;
            Some(Panel { n_vectors: *n_vectors, first_column: first, n_columns, cells })
        })
    }

    /// Lays out a row-major matrix.
    #[expect(clippy::cast_possible_truncation, reason = "rounded to single precision")]
    fn fill(&self, out: &mut [f32], matrix: &[f64]) {
        for panel in self.each() {
            let out = out[panel.cells.clone()].chunks_exact_mut(panel.n_columns);
            for (out, row) in out.zip(matrix.chunks_exact(self.order)) {
                for (out, value) in out.iter_mut().zip(&row[panel.first_column..]) {
                    *out = *value as f32;
                }
            }
        }
    }

    /// Adds to a row-major matrix.
    fn add(&self, values: &[f32], matrix: &mut [f64]) {
        for panel in self.each() {
            let values = values[panel.cells.clone()].chunks_exact(panel.n_columns);
            for (values, row) in values.zip(matrix.chunks_exact_mut(self.order)) {
                for (out, value) in row[panel.first_column..].iter_mut().zip(values) {
                    *out += f64::from(*value);
                }
            }
        }
    }

    /// Lays out the transpose of a row-major matrix, and a share of its difference from what stood there.
    #[expect(clippy::cast_possible_truncation, reason = "rounded to single precision")]
    fn fill_transposed(&self, out: &mut [f32], trend: &mut [f32], matrix: &[f64], share: f64) {
        for panel in self.each() {
            let out = &mut out[panel.cells.clone()];
            let trend = &mut trend[panel.cells.clone()];
            for first_row in (0..self.order).step_by(8) {
                for column in 0..panel.n_columns.min(self.order - panel.first_column) {
                    let source = (panel.first_column + column) * self.order;
                    for row in first_row..(first_row + 8).min(self.order) {
                        let cell = row * panel.n_columns + column;
                        let value = matrix[source + row];
                        trend[cell] = ((value - f64::from(out[cell])) * share) as f32;
                        out[cell] = value as f32;
                    }
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a number of steps")]
fn to_float(count: usize) -> f64 {
    count as f64
}
