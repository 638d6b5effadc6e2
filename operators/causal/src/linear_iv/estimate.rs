//! The k-class of estimators and two-step GMM, from cross products.

use causeway_numerics::matrix::{Cholesky, Dependent, Matrix};

use super::{COLLINEAR, Layout, float};

/// The estimator.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Method {
    /// Two-stage least squares: kappa 1.
    TwoStage,
    /// Limited information maximum likelihood: kappa the smallest root.
    Liml,
    /// LIML's kappa less the constant over n - dim W.
    Fuller(f64),
    /// Two-step GMM with the robust weight of 2SLS.
    Gmm,
}

/// Coefficients of X and D on centred columns, and what their covariance is made of.
#[derive(Debug, Clone)]
pub(crate) struct Fit {
    /// One for each column of Q.
    pub(crate) coefficients: Matrix,
    /// Instruments of the estimator, as combinations of W: one row for each column of W, one column for each of Q.
    pub(crate) to_instruments: Matrix,
    /// (Q'(I - kappa M_W)Q)^-1.
    pub(crate) bread: Matrix,
    /// kappa - 1.
    pub(crate) excess: f64,
}

/// The regression of D on W, and Z less its regression on X.
#[derive(Debug)]
pub(crate) struct FirstStage {
    /// W'W.
    pub(crate) gram: Cholesky,
    /// Z - X (X'X)^-1 X'Z, as combinations of all columns: one row for each column of the layout.
    pub(crate) residual_instruments: Matrix,
    /// The factor of Z~'Z~.
    pub(crate) instrument_factor: Cholesky,
    /// Z~'[D Y].
    pub(crate) instrument_moments: Matrix,
    /// [D Y]'M_W[D Y].
    pub(crate) residual_products: Matrix,
}

/// Returns the regression of D and Y on W.
///
/// # Errors
/// The first column of W that is a combination of those before it.
pub(crate) fn first_stage(layout: &Layout, products: &Matrix) -> Result<FirstStage, Dependent> {
    let w: Vec<usize> = layout.all_instruments().collect();
    let x: Vec<usize> = layout.exogenous().collect();
    let z: Vec<usize> = layout.instruments().collect();
    let dependents: Vec<usize> = (layout.treatments().start..layout.n_columns()).collect();
    let gram = Cholesky::new(&products.select(&w, &w), COLLINEAR)?;
    let mut residual_instruments =
        Matrix::from_fn(layout.n_columns(), z.len(), |row, column| if row == z[column] { 1.0 } else { 0.0 });
    if !x.is_empty() {
        let on_x = Cholesky::new(&products.select(&x, &x), COLLINEAR)?.solve(&products.select(&x, &z));
        for (row, x) in x.iter().enumerate() {
            (0..z.len()).for_each(|column| residual_instruments[(*x, column)] = -on_x[(row, column)]);
        }
    }
    let instrument_gram = products.congruent(&residual_instruments);
    let first = layout.instruments().start;
    let instrument_factor = Cholesky::new(&instrument_gram, COLLINEAR).map_err(|Dependent(z)| Dependent(first + z))?;
    let all: Vec<usize> = (0..layout.n_columns()).collect();
    let instrument_moments = residual_instruments.transposed_times(&products.select(&all, &dependents));
    let explained = gram.quadratic(&products.select(&w, &dependents));
    let residual_products = products.select(&dependents, &dependents).plus(-1.0, &explained);
    Ok(FirstStage { gram, residual_instruments, instrument_factor, instrument_moments, residual_products })
}

/// Returns LIML's kappa less 1: the smallest root of |[D Y]'P_Z~[D Y] - (kappa - 1) [D Y]'M_W[D Y]|.
///
/// # Errors
/// The first of D and Y that is a combination of W and of those before it.
pub(crate) fn liml_kappa(stage: &FirstStage) -> Result<f64, Dependent> {
    let factor = Cholesky::new(&stage.residual_products, COLLINEAR)?;
    let explained = stage.instrument_factor.quadratic(&stage.instrument_moments);
    let half = factor.half_solve(&explained);
    let both = factor.half_solve(&half.transposed());
    let smallest = both.plus(1.0, &both.transposed()).scaled(0.5).symmetric_eigenvalues();
    Ok(smallest.first().copied().unwrap_or(0.0).max(0.0))
}

/// Returns the k-class estimate for kappa = 1 + `excess`.
///
/// # Errors
/// The first column of Q whose projection on W is a combination of those before it.
pub(crate) fn k_class(layout: &Layout, products: &Matrix, stage: &FirstStage, excess: f64) -> Result<Fit, Dependent> {
    let w: Vec<usize> = layout.all_instruments().collect();
    let q = layout.regressors();
    let outcome = [layout.outcome()];
    let w_on_q = products.select(&w, &q);
    let to_instruments = stage.gram.solve(&w_on_q);
    let w_on_y = products.select(&w, &outcome);
    // Q'(I - kappa M_W) = kappa Q'P_W - (kappa - 1) Q'
    let mix = |projected: Matrix, plain: Matrix| projected.scaled(1.0 + excess).plus(-excess, &plain);
    let projected = to_instruments.transposed_times(&w_on_q);
    let factor = Cholesky::new(&projected, COLLINEAR)?;
    let matrix = mix(projected, products.select(&q, &q));
    let right = mix(to_instruments.transposed_times(&w_on_y), products.select(&q, &outcome));
    let factor = if excess.abs() > 0.0 { Cholesky::new(&matrix, f64::EPSILON)? } else { factor };
    Ok(Fit { coefficients: factor.solve(&right), to_instruments, bread: factor.inverse(), excess })
}

/// Returns the GMM estimate for the weight S^-1, and (Q'W S^-1 W'Q)^-1 in place of the bread.
///
/// # Errors
/// The first column that makes S, or the regression, singular.
pub(crate) fn gmm(layout: &Layout, products: &Matrix, scores: &Matrix) -> Result<Fit, Dependent> {
    let w: Vec<usize> = layout.all_instruments().collect();
    let w_on_q = products.select(&w, &layout.regressors());
    let w_on_y = products.select(&w, &[layout.outcome()]);
    let to_instruments = Cholesky::new(scores, COLLINEAR)?.solve(&w_on_q);
    let factor = Cholesky::new(&to_instruments.transposed_times(&w_on_q), COLLINEAR)?;
    let coefficients = factor.solve(&to_instruments.transposed_times(&w_on_y));
    Ok(Fit { coefficients, to_instruments, bread: factor.inverse(), excess: 0.0 })
}

impl Fit {
    /// Returns the residual Y - Q b as a combination of all columns.
    pub(crate) fn residual(&self, layout: &Layout) -> Matrix {
        let mut residual = Matrix::zeros(layout.n_columns(), 1);
        for (index, column) in layout.regressors().into_iter().enumerate() {
            residual[(column, 0)] = -self.coefficients[(index, 0)];
        }
        residual[(layout.outcome(), 0)] = 1.0;
        residual
    }

    /// Returns the sum of squared residuals.
    pub(crate) fn sum_of_squares(&self, layout: &Layout, products: &Matrix) -> f64 {
        products.congruent(&self.residual(layout))[(0, 0)].max(0.0)
    }
}

impl FirstStage {
    /// Returns D and Y less their regression on W, as combinations of all columns.
    pub(crate) fn residuals(&self, layout: &Layout, products: &Matrix) -> Matrix {
        let w: Vec<usize> = layout.all_instruments().collect();
        let dependents: Vec<usize> = (layout.treatments().start..layout.n_columns()).collect();
        let on_w = self.gram.solve(&products.select(&w, &dependents));
        Matrix::from_fn(layout.n_columns(), dependents.len(), |row, column| {
            if row < w.len() {
                -on_w[(row, column)]
            } else if row == dependents[column] {
                1.0
            } else {
                0.0
            }
        })
    }
}

/// Returns Fuller's kappa less 1.
pub(crate) fn fuller(liml_excess: f64, constant: f64, residual_rows: f64) -> f64 {
    liml_excess - constant / residual_rows
}

/// Returns n - dim W, less what was absorbed.
pub(crate) fn residual_rows(n_rows: u64, layout: &Layout, n_absorbed: usize) -> f64 {
    float(n_rows) - float(layout.all_instruments().len() as u64) - float(n_absorbed as u64)
}
