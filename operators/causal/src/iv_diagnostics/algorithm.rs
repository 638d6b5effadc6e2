//! The tests, from cross products and scores.

use causeway_core::{Result, RunContext};
use causeway_numerics::matrix::{Cholesky, Matrix};
use causeway_numerics::{chi_square_sf, f_quantile_upper, f_sf, noncentral_chi_square_quantile_upper};

use super::confidence_set::ConfidenceSet;
use crate::linear_iv::{Basis, COLLINEAR, Fit, Model, Options, Scores, float};

/// A test or measure.
#[derive(Debug, Default, Clone)]
pub(super) struct Diagnostic {
    pub(super) name: &'static str,
    pub(super) treatment: Option<String>,
    pub(super) statistic: Option<f64>,
    pub(super) df1: Option<f64>,
    pub(super) df2: Option<f64>,
    pub(super) p_value: Option<f64>,
    pub(super) set: Option<ConfidenceSet>,
    pub(super) note: String,
}

/// What the tests are made of.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    model: &'a Model,
    options: &'a Options,
    /// 2SLS.
    fit: Fit,
    /// Scores of W with the residual of 2SLS.
    of_residual: Scores,
    /// Scores of Z~ with the residuals of D and Y on W.
    of_reduced_form: Scores,
    /// Z~'D Z~'Y times (Z~'Z~)^-1: [D Y]'P_Z~[D Y].
    explained: Matrix,
}

/// Relative bias that the effective F is compared with, and the level of that test.
const BIAS: f64 = 0.1;
const LEVEL: f64 = 0.05;

impl<'a> Parts<'a> {
    /// Reads the rows for the scores.
    pub(super) fn new(model: &'a mut Model, options: &'a Options, context: &RunContext) -> Result<Self> {
        let fit = model.k_class(0.0)?;
        let w = Basis::Columns(model.layout.all_instruments().collect());
        let of_residual = model.scores(&w, &fit.residual(&model.layout), context)?;
        context.progress(0.6);
        let z = Basis::Combinations(model.stage.residual_instruments.clone());
        let residuals = model.stage.residuals(&model.layout, &model.products);
        let of_reduced_form = model.scores(&z, &residuals, context)?;
        context.progress(0.9);
        let explained = model.stage.instrument_factor.quadratic(&model.stage.instrument_moments);
        Ok(Self { model, options, fit, of_residual, of_reduced_form, explained })
    }

    fn n_instruments(&self) -> f64 {
        float(self.model.layout.instruments().len() as u64)
    }

    fn n_treatments(&self) -> usize {
        self.model.layout.treatments().len()
    }

    /// Returns n - dim W.
    fn residual_rows(&self) -> f64 {
        self.model.residual_rows()
    }

    /// Returns the degrees of freedom below the line of a robust F.
    fn robust_rows(&self) -> f64 {
        self.model.n_clusters().map_or(self.residual_rows(), |n_clusters| n_clusters - 1.0)
    }

    /// Returns the factor of small samples of the first stage.
    fn correction(&self) -> f64 {
        self.model.correction(self.options, self.model.layout.all_instruments().len())
    }

    fn treatment(&self, index: usize) -> Option<String> {
        Some(self.model.layout.name(self.model.layout.treatments().start + index).to_owned())
    }

    /// Returns the share of D's variance beside X that Z explains.
    pub(super) fn partial_r2(&self, index: usize) -> Diagnostic {
        let (explained, left) = self.sums_of_squares(index);
        Diagnostic {
            name: "partial_r2",
            treatment: self.treatment(index),
            statistic: Some(explained / (explained + left)),
            note: "share of the treatment's variance beside the covariates that the instruments explain".to_owned(),
            ..Diagnostic::default()
        }
    }

    fn sums_of_squares(&self, index: usize) -> (f64, f64) {
        (self.explained[(index, index)], self.model.stage.residual_products[(index, index)].max(0.0))
    }

    /// Returns the F of Z in the regression of D on W, under equal variances.
    pub(super) fn classical_f(&self, index: usize) -> Diagnostic {
        let f = self.model.classical_f(index);
        let note = if !f.is_finite() {
            "the instruments determine the treatment"
        } else if f < 10.0 {
            "weak: below 10; intervals of iv_regression mislead, use the Anderson-Rubin set"
        } else {
            ""
        };
        f_test("first_stage_f_classic", f, self.n_instruments(), self.residual_rows(), note).of(self.treatment(index))
    }

    /// Returns the covariance of Z~'v for a treatment, with the factor of small samples.
    fn moment_covariance(&self, index: usize) -> Matrix {
        self.of_reduced_form.product(index, index).scaled(self.correction())
    }

    fn moments(&self, index: usize) -> Matrix {
        let moments = &self.model.stage.instrument_moments;
        Matrix::from_fn(moments.n_rows(), 1, |row, _| moments[(row, index)])
    }

    /// Returns the F of Z in the regression of D on W, robust or clustered.
    pub(super) fn robust_f(&self, index: usize) -> Diagnostic {
        let name = "first_stage_f_robust";
        let Ok(factor) = Cholesky::new(&self.moment_covariance(index), COLLINEAR) else {
            return no_covariance(name).of(self.treatment(index));
        };
        let f = factor.quadratic(&self.moments(index))[(0, 0)] / self.n_instruments();
        f_test(name, f, self.n_instruments(), self.robust_rows(), "").of(self.treatment(index))
    }

    /// Returns the effective F and whether it says that the bias is small.
    pub(super) fn effective_f(&self) -> Diagnostic {
        let factor = &self.model.stage.instrument_factor;
        let half = factor.half_solve(&self.moment_covariance(0));
        let covariance = factor.half_solve(&half.transposed());
        let trace = covariance.trace();
        let f = self.explained[(0, 0)] / trace;
        let squares: f64 = covariance.values().iter().map(|value| value * value).sum();
        let largest = covariance.symmetric_eigenvalues().last().copied().unwrap_or(0.0);
        let noncentrality = 1.0 / BIAS;
        let effective = trace * trace * (1.0 + 2.0 * noncentrality) / (squares + 2.0 * noncentrality * trace * largest);
        let critical = noncentral_chi_square_quantile_upper(LEVEL, effective, noncentrality * effective) / effective;
        let verdict = if f < critical { "weak: below" } else { "above" };
        Diagnostic {
            name: "first_stage_f_effective",
            treatment: self.treatment(0),
            statistic: Some(f),
            df1: Some(effective),
            note: format!("{verdict} {critical:.1}, the 5 % point for a bias of 10 % of the worst case"),
            ..Diagnostic::default()
        }
    }

    /// Returns the smallest eigenvalue of the first stages' F matrix.
    pub(super) fn cragg_donald(&self) -> Diagnostic {
        let treatments: Vec<usize> = (0..self.n_treatments()).collect();
        let left = self.model.stage.residual_products.select(&treatments, &treatments);
        let mut row = Diagnostic {
            name: "cragg_donald_f",
            note: "smallest eigenvalue of the first-stage F matrix; near 0 some combination of treatments is not moved"
                .to_owned(),
            ..Diagnostic::default()
        };
        if let Ok(factor) = Cholesky::new(&left, COLLINEAR) {
            let half = factor.half_solve(&self.explained.select(&treatments, &treatments));
            let both = factor.half_solve(&half.transposed());
            let smallest = both.plus(1.0, &both.transposed()).scaled(0.5).symmetric_eigenvalues();
            row.statistic = smallest.first().map(|value| value * self.residual_rows() / self.n_instruments());
        }
        row
    }

    /// Returns the Anderson-Rubin test of no effect and the set of effects it does not reject, under equal variances.
    pub(super) fn anderson_rubin(&self) -> Diagnostic {
        let (df1, df2) = (self.n_instruments(), self.residual_rows());
        let critical = f_quantile_upper(1.0 - self.options.confidence, df1, df2);
        let ratio = critical * df1 / df2;
        let left = &self.model.stage.residual_products;
        let entry = |row: usize, column: usize| self.explained[(row, column)] - ratio * left[(row, column)];
        let set = ConfidenceSet::of_quadratic(entry(0, 0), entry(0, 1), entry(1, 1));
        let f = self.explained[(1, 1)] / df1 / (left[(1, 1)] / df2);
        with_set(f_test("ar_set_classic", f, df1, df2, ""), set).of(self.treatment(0))
    }

    /// Returns the Anderson-Rubin test and set with robust or clustered covariance.
    pub(super) fn robust_anderson_rubin(&self) -> Diagnostic {
        let name = "ar_set_robust";
        let (df1, df2) = (self.n_instruments(), self.robust_rows());
        let critical = f_quantile_upper(1.0 - self.options.confidence, df1, df2);
        let scores = &self.of_reduced_form;
        let (treatment, cross, outcome) = (scores.product(0, 0), scores.product(0, 1), scores.product(1, 1));
        let cross = cross.plus(1.0, &cross.transposed());
        let (moments, outcomes) = (self.moments(0), self.moments(1));
        let correction = self.correction();
        // F for the effect b / one; its parts are of one degree, so that one may be 0
        let f = |one: f64, b: f64| {
            let covariance = outcome.scaled(one * one).plus(-b * one, &cross).plus(b * b, &treatment);
            let moments = outcomes.scaled(one).plus(-b, &moments);
            let factor = Cholesky::new(&covariance.scaled(correction), f64::EPSILON).ok()?;
            Some(factor.quadratic(&moments)[(0, 0)] / df1)
        };
        let Some(at_zero) = f(1.0, 0.0).filter(|_| Cholesky::new(&treatment, COLLINEAR).is_ok()) else {
            return no_covariance(name).of(self.treatment(0));
        };
        let set = if moments.n_rows() == 1 {
            let ratio = critical * correction;
            let (d, y) = (moments[(0, 0)], outcomes[(0, 0)]);
            ConfidenceSet::of_quadratic(
                d * d - ratio * treatment[(0, 0)],
                d * y - 0.5 * ratio * cross[(0, 0)],
                y * y - ratio * outcome[(0, 0)],
            )
        } else {
            let left = &self.model.stage.residual_products;
            let scale = (left[(1, 1)] / df2 / self.explained[(0, 0)]).sqrt() * (critical * df1).sqrt();
            let effect = self.fit.coefficients.values().last().copied().unwrap_or(0.0);
            ConfidenceSet::of_function(effect, scale, |one, b| f(one, b).map_or(1.0, |f| f - critical))
        };
        with_set(f_test(name, at_zero, df1, df2, ""), set).of(self.treatment(0))
    }

    /// Returns the number of instruments beyond the treatments.
    pub(super) fn n_restrictions(&self) -> usize {
        self.model.layout.instruments().len() - self.n_treatments()
    }

    /// Returns Sargan's and Basmann's tests.
    pub(super) fn sargan(&self) -> [Diagnostic; 2] {
        let n = float(self.model.n_rows);
        let w: Vec<usize> = self.model.layout.all_instruments().collect();
        let all: Vec<usize> = (0..self.model.layout.n_columns()).collect();
        let moments = self.model.products.select(&w, &all).times(&self.fit.residual(&self.model.layout));
        let squares = self.fit.sum_of_squares(&self.model.layout, &self.model.products);
        let sargan = n * self.model.stage.gram.quadratic(&moments)[(0, 0)] / squares;
        let basmann = sargan * self.residual_rows() / (n - sargan);
        let note = "assumes equal variances; where they differ read j_robust";
        [self.chi_square("sargan", sargan, note), self.chi_square("basmann", basmann, note)]
    }

    /// Returns Hansen's J of two-step GMM: the test of the instruments to read.
    pub(super) fn hansen(&self) -> Result<Diagnostic> {
        let weight = self.of_residual.product(0, 0);
        if Cholesky::new(&weight, COLLINEAR).is_err() {
            return Ok(no_covariance("j_robust"));
        }
        let fit = self.model.second_step(&weight)?;
        let j = self.model.hansen(&fit, &weight)?;
        let mut row = self.chi_square("j_robust", j, "");
        row.note = match row.p_value {
            Some(p) if p < LEVEL => "the instruments disagree: not all of them act by the treatment alone",
            _ => "the instruments agree, which does not prove that they are valid",
        }
        .to_owned();
        Ok(row)
    }

    /// Returns Wooldridge's score test: scores of the instruments left over beside X and the fitted D.
    pub(super) fn wooldridge(&self) -> Diagnostic {
        let name = "wooldridge_score";
        let layout = &self.model.layout;
        let w: Vec<usize> = layout.all_instruments().collect();
        let gram = self.model.products.select(&w, &w);
        let left_over: Vec<usize> = w[w.len() - self.n_restrictions()..].to_vec();
        let fitted = &self.fit.to_instruments;
        let Ok(factor) = Cholesky::new(&gram.congruent(fitted), COLLINEAR) else { return no_covariance(name) };
        let chosen = Matrix::from_fn(
            w.len(),
            left_over.len(),
            |row, column| {
                if w[row] == left_over[column] { 1.0 } else { 0.0 }
            },
        );
        let on_fitted = factor.solve(&fitted.transposed_times(&gram).times(&chosen));
        let combination = chosen.plus(-1.0, &fitted.times(&on_fitted));
        let moments = combination.transposed_times(&self.of_residual.total(0));
        let covariance = self.of_residual.product(0, 0).congruent(&combination);
        match Cholesky::new(&covariance, COLLINEAR) {
            Ok(factor) => self.chi_square(name, factor.quadratic(&moments)[(0, 0)], "robust; close to j_robust"),
            Err(_) => no_covariance(name),
        }
    }

    fn chi_square(&self, name: &'static str, statistic: f64, note: &str) -> Diagnostic {
        let df = self.n_restrictions();
        Diagnostic {
            name,
            statistic: Some(statistic),
            df1: Some(float(df as u64)),
            p_value: u32::try_from(df).ok().map(|df| chi_square_sf(statistic, df)),
            note: note.to_owned(),
            ..Diagnostic::default()
        }
    }

    /// Returns the F of the fitted D beside X and D in the regression of Y.
    pub(super) fn wu_hausman(&self) -> Diagnostic {
        let layout = &self.model.layout;
        let all: Vec<usize> = (0..layout.n_columns()).collect();
        let (q, outcome) = (layout.regressors(), [layout.outcome()]);
        let products = &self.model.products;
        let (df1, df2) = (float(self.n_treatments() as u64), self.model.residual_degrees());
        let df2 = df2 - df1;
        // V = D - its fit, as combinations of all columns
        let residuals = self.model.stage.residuals(layout, products);
        let v = Matrix::from_fn(layout.n_columns(), self.n_treatments(), |row, column| residuals[(row, column)]);
        let on = |left: &Matrix, columns: &[usize]| left.transposed_times(&products.select(&all, columns));
        let Ok(by_q) = Cholesky::new(&products.select(&q, &q), COLLINEAR) else { return no_covariance("wu_hausman") };
        let (v_on_q, q_on_y) = (on(&v, &q), products.select(&q, &outcome));
        let left_of_v = products.congruent(&v).plus(-1.0, &by_q.quadratic(&v_on_q.transposed()));
        let Ok(factor) = Cholesky::new(&left_of_v, COLLINEAR) else { return no_covariance("wu_hausman") };
        let with_y = on(&v, &outcome).plus(-1.0, &v_on_q.times(&by_q.solve(&q_on_y)));
        let gained = factor.quadratic(&with_y)[(0, 0)];
        let reduced = products[(outcome[0], outcome[0])] - by_q.quadratic(&q_on_y)[(0, 0)];
        let f = gained / df1 / ((reduced - gained) / df2);
        let mut row = f_test("wu_hausman", f, df1, df2, "");
        row.note = match row.p_value {
            Some(p) if p < LEVEL => {
                "least squares and instruments disagree: the treatment is endogenous if the instruments are valid"
            }
            _ => "no evidence that least squares would be biased",
        }
        .to_owned();
        row
    }
}

impl Diagnostic {
    fn of(self, treatment: Option<String>) -> Self {
        Self { treatment, ..self }
    }
}

fn f_test(name: &'static str, f: f64, df1: f64, df2: f64, note: &str) -> Diagnostic {
    let finite = f.is_finite().then_some(f);
    Diagnostic {
        name,
        statistic: finite,
        df1: Some(df1),
        df2: Some(df2),
        p_value: finite.map(|f| f_sf(f, df1, df2)),
        note: note.to_owned(),
        ..Diagnostic::default()
    }
}

fn with_set(row: Diagnostic, set: ConfidenceSet) -> Diagnostic {
    let note = match &set {
        ConfidenceSet::Empty => "no effect fits: the model or an instrument is wrong".to_owned(),
        ConfidenceSet::Interval(..) => {
            "statistic and p-value test no effect; low to high holds at any strength".to_owned()
        }
        ConfidenceSet::TwoRays(..) => "weak instruments: all effects up to low and from high on fit".to_owned(),
        ConfidenceSet::RealLine => "weak instruments: every effect fits".to_owned(),
        ConfidenceSet::Union(pieces) => {
            let pieces: Vec<String> = pieces.iter().map(|(low, high)| format!("{low:.6} to {high:.6}")).collect();
            format!("several pieces fit: {}", pieces.join(", "))
        }
    };
    Diagnostic { set: Some(set), note, ..row }
}

fn no_covariance(name: &'static str) -> Diagnostic {
    let note =
        "not computed: the covariance of the moments is singular (fewer clusters than instruments, or a perfect fit)";
    Diagnostic { name, note: note.to_owned(), ..Diagnostic::default() }
}
