//! The multiply robust estimator with linear models, and its sandwich.

use causeway_core::{Cancel, OperatorError};
use causeway_numerics::Lu;
use causeway_numerics::learn::{Features, LearnError, Learner as _, Logit, Training};

use super::basis::{Basis, InstrumentTerms};
use super::fault::{Fault, Found, Nuisance};
use super::sample::{Sample, error_of_mean, float, map_rows, mean, number, sum_rows};

/// The terms of the five models.
///
/// The estimate is right if the instrument and treatment models are, or if the effect model is and of each pair
/// (instrument, confounding) and (treatment, outcome) at least one.
#[derive(Debug, Clone)]
pub struct Models {
    /// pi(X): logistic, P(Z = 1 | X).
    pub instrument: Basis,
    /// p(Z, X): logistic, E(A | Z, X).
    pub treatment: Basis,
    /// h(Z, X): linear, E(Y - beta(X) A | Z, X).
    pub outcome: Basis,
    /// rho(X): linear, the part of Cov(A, Y | Z, X) that is due to unmeasured causes.
    pub confounding: Basis,
    /// beta(X): linear, the effect at X.
    pub effect: Basis,
}

/// What keeps the estimator from dividing by next to nothing.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    /// |D(X)| below this counts as weak and is raised to it.
    pub min_d: f64,
    /// The share of weak rows that is still accepted.
    pub weak_share: f64,
}

/// An effect with its errors and what they rest on.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// The average effect of the treatment, unit of the outcome.
    pub ate: f64,
    /// Its standard error; with [`multiply_robust`] by the sandwich, which allows for the fitted models.
    pub std_error: f64,
    /// The standard error as if every model were known: right if all of them are right.
    pub std_error_influence: f64,
    /// What each row adds to the error of the effect: mean 0.
    pub influence: Vec<f64>,
    /// The mean of beta(X) alone, without the correction.
    pub plug_in: f64,
    /// The coefficients of beta(X) and their standard errors; empty if it is not linear.
    pub effect: Vec<(f64, f64)>,
    /// |D(X)| of each row, before it is raised.
    pub relevance: Vec<f64>,
    /// 1 / (f(Z | X) |D(X)|) of each row.
    pub weight: Vec<f64>,
}

/// Estimates the average effect of a treatment with an instrument that may act on the outcome itself.
///
/// Fits two logistic models, then beta, h and rho in one linear system, and corrects the mean of beta by the
/// influence function. The error comes from the stacked estimating equations with analytic derivatives.
///
/// # Errors
/// [`Fault`]: separated classes, dependent terms, a weak instrument.
pub fn multiply_robust(sample: &Sample, models: &Models, guard: &Guard, cancel: &Cancel) -> Found<Estimate> {
    if !sample.is_whole() || sample.is_empty() || !models.instrument.constant || !models.treatment.constant {
        return Err(Fault::Shape);
    }
    let only = sample.arms_without_choice();
    let mut models = models.clone();
    match only {
        [Some(_), Some(_)] => return Err(Fault::NoChoice),
        [None, None] => {}
        _ => models.treatment.instrument = InstrumentTerms::Absent, // fitted in one arm only
    }
    let models_terms = [&models.instrument, &models.treatment, &models.outcome, &models.confounding, &models.effect];
    let needed = models_terms.iter().map(|basis| basis.n_terms()).sum::<usize>() + 1;
    if sample.len() < needed {
        return Err(Fault::FewRows { n_rows: sample.len(), needed });
    }
    let fit = Fit::new(sample, &models, *guard, only, cancel)?;
    fit.estimate(cancel)
}

impl Sample {
    /// Returns for Z = 0 and Z = 1 the treatment that all rows have, if all have the same.
    pub(super) fn arms_without_choice(&self) -> [Option<f64>; 2] {
        let only = |z: bool| {
            let mut arm = self.instrument.iter().zip(&self.treatment).filter(|(arm, _)| **arm == z).map(|(_, a)| *a);
            let first = arm.next()?;
            arm.all(|a| a == first).then(|| number(first))
        };
        [only(false), only(true)]
    }
}

/// The fitted models.
struct Fit<'a> {
    sample: &'a Sample,
    models: &'a Models,
    guard: Guard,
    /// The treatment of an arm in which all rows have the same; p is exactly that.
    only: [Option<f64>; 2],
    /// pi(X) of each row.
    pi: Vec<f64>,
    /// p(0, X) and p(1, X) of each row.
    p: [Vec<f64>; 2],
    /// alpha of beta(X), theta of h, gamma of rho.
    alpha: Vec<f64>,
    theta: Vec<f64>,
    gamma: Vec<f64>,
}

/// The terms and values of one row.
#[derive(Default)]
struct Work {
    pi: Vec<f64>,
    /// Terms of p at the row's own Z, at 0 and at 1.
    p: Vec<f64>,
    p_arms: [Vec<f64>; 2],
    h: Vec<f64>,
    rho: Vec<f64>,
    beta: Vec<f64>,
    /// The row's own Z.
    arm: usize,
    /// P(Z = 1 | X), and P(Z | X) of the row's own Z.
    pi_hat: f64,
    f: f64,
    /// p at 0 and at 1.
    p_hats: [f64; 2],
    /// D before and after it is raised to the limit.
    d_raw: f64,
    d: f64,
    /// A - p and (2 Z - 1) / f.
    residual: f64,
    delta: f64,
    effect: f64,
    /// Y - beta A - h, and R e - rho.
    e: f64,
    core: f64,
}

/// Where each model's coefficients stand among all.
struct Layout {
    pi: usize,
    p: usize,
    alpha: usize,
    theta: usize,
    gamma: usize,
    psi: usize,
}

impl<'a> Fit<'a> {
    fn new(
        sample: &'a Sample,
        models: &'a Models,
        guard: Guard,
        only: [Option<f64>; 2],
        cancel: &Cancel,
    ) -> Found<Self> {
        let all: Vec<usize> = (0..sample.len()).collect();
        let logit = Logistic { sample, all: &all, cancel };
        let pi = logit.fit(Nuisance::Instrument, &models.instrument, &all, |row| sample.z(row), &[0.0])?.remove(0);
        let chosen: Vec<usize> =
            all.iter().copied().filter(|row| only[usize::from(sample.instrument[*row])].is_none()).collect();
        let fitted = logit.fit(Nuisance::Treatment, &models.treatment, &chosen, |row| sample.a(row), &[0.0, 1.0])?;
        let mut p = [Vec::new(), Vec::new()];
        for ((p, only), fitted) in p.iter_mut().zip(only).zip(fitted) {
            *p = only.map_or(fitted, |value| vec![value; sample.len()]);
        }
        let zeros = |basis: &Basis| vec![0.0; basis.n_terms()];
        let (alpha, theta, gamma) = (zeros(&models.effect), zeros(&models.outcome), zeros(&models.confounding));
        let mut fit = Self { sample, models, guard, only, pi, p, alpha, theta, gamma };
        fit.solve_linear(cancel)?;
        Ok(fit)
    }

    /// Solves sum s e = 0, sum r (R e - rho) = 0, sum b delta (R e - rho) = 0 for alpha, theta and gamma.
    fn solve_linear(&mut self, cancel: &Cancel) -> Found<()> {
        let (n_beta, n_h, n_rho) = (self.alpha.len(), self.theta.len(), self.gamma.len());
        let k = n_beta + n_h + n_rho;
        let this = &*self;
        let sums = sum_rows(self.sample.len(), k * (k + 1), cancel, |rows, sums| {
            let mut work = Work::default();
            let mut line = vec![0.0; k + 1];
            for index in rows {
                this.read(index, &mut work);
                let (y, a) = (this.sample.outcome[index], this.sample.a(index));
                // what e and R e - rho are made of: the coefficients of (alpha, theta, gamma), and the constant
                fill_line(&mut line, (&work.beta, a), (&work.h, 1.0), n_rho, y);
                add_outer(&mut sums[..n_h * (k + 1)], &work.h, 1.0, &line);
                let r = work.residual;
                fill_line(&mut line, (&work.beta, r * a), (&work.h, r), n_rho, r * y);
                line[n_beta + n_h..k].copy_from_slice(&work.rho);
                let rest = &mut sums[n_h * (k + 1)..];
                add_outer(&mut rest[..n_rho * (k + 1)], &work.rho, 1.0, &line);
                add_outer(&mut rest[n_rho * (k + 1)..], &work.beta, work.delta, &line);
            }
        })?;
        let matrix: Vec<f64> = sums.chunks_exact(k + 1).flat_map(|line| line[..k].iter().copied()).collect();
        let right: Vec<f64> = sums.chunks_exact(k + 1).map(|line| line[k]).collect();
        let lu = Lu::factor(&matrix, k).map_err(|_| Fault::Dependent)?;
        let solution = lu.solve(&right);
        self.alpha.copy_from_slice(&solution[..n_beta]);
        self.theta.copy_from_slice(&solution[n_beta..n_beta + n_h]);
        self.gamma.copy_from_slice(&solution[n_beta + n_h..]);
        Ok(())
    }

    /// Computes the terms and values of a row.
    fn read(&self, row: usize, work: &mut Work) {
        let (models, sample) = (self.models, self.sample);
        let (y, a, z) = (sample.outcome[row], sample.a(row), sample.z(row));
        let x = |covariate: usize| sample.covariates[covariate][row];
        models.instrument.fill(x, z, &mut work.pi);
        models.treatment.fill(x, z, &mut work.p);
        models.treatment.fill(x, 0.0, &mut work.p_arms[0]);
        models.treatment.fill(x, 1.0, &mut work.p_arms[1]);
        models.outcome.fill(x, z, &mut work.h);
        models.confounding.fill(x, z, &mut work.rho);
        models.effect.fill(x, z, &mut work.beta);
        work.arm = usize::from(sample.instrument[row]);
        work.p_hats = [self.p[0][row], self.p[1][row]];
        let [p0, p1] = work.p_hats;
        work.pi_hat = self.pi[row];
        work.f = if work.arm == 1 { work.pi_hat } else { 1.0 - work.pi_hat };
        work.d_raw = p1 * (1.0 - p1) - p0 * (1.0 - p0);
        work.d = raise(work.d_raw, self.guard.min_d);
        work.residual = a - work.p_hats[work.arm];
        work.delta = (2.0 * z - 1.0) / work.f;
        work.effect = dot(&work.beta, &self.alpha);
        work.e = y - work.effect * a - dot(&work.h, &self.theta);
        work.core = work.residual * work.e - dot(&work.rho, &self.gamma);
    }

    fn estimate(&self, cancel: &Cancel) -> Found<Estimate> {
        let n_rows = self.sample.len();
        let values = map_rows(n_rows, cancel, |rows| {
            let mut work = Work::default();
            rows.map(|index| {
                self.read(index, &mut work);
                let corrected = work.effect + work.delta / work.d * work.core;
                [corrected, work.effect, work.d_raw.abs(), 1.0 / (work.f * work.d.abs())]
            })
            .collect()
        })?;
        let column = |index: usize| values.iter().map(|row| row[index]).collect::<Vec<f64>>();
        let (corrected, relevance) = (column(0), column(2));
        refuse_weak(&relevance, &self.guard)?;
        let ate = mean(&corrected);
        if !ate.is_finite() {
            return Err(Fault::NotFinite);
        }
        let errors = self.influence(ate, cancel)?;
        let influence: Vec<f64> = errors.iter().map(|row| row[0]).collect();
        let deviation = |index: usize| root_mean_square(errors.iter().map(|row| row[index])) / float(n_rows).sqrt();
        let effect = self.alpha.iter().enumerate().map(|(index, value)| (*value, deviation(index + 1))).collect();
        Ok(Estimate {
            ate,
            std_error: deviation(0),
            std_error_influence: error_of_mean(&corrected),
            influence,
            plug_in: mean(&column(1)),
            effect,
            relevance,
            weight: column(3),
        })
    }

    fn layout(&self) -> Layout {
        let p = self.models.instrument.n_terms();
        let alpha = p + self.models.treatment.n_terms();
        let theta = alpha + self.alpha.len();
        let gamma = theta + self.theta.len();
        Layout { pi: 0, p, alpha, theta, gamma, psi: gamma + self.gamma.len() }
    }

    /// Returns the influence of each row on psi and on each alpha: -(J^-1 g), J the mean derivative of the stacked
    /// equations g = (scores of pi and p, s e, r core, b delta core, corrected effect - psi).
    fn influence(&self, ate: f64, cancel: &Cancel) -> Found<Vec<Vec<f64>>> {
        let layout = self.layout();
        let order = layout.psi + 1;
        let n_rows = self.sample.len();
        let sums = sum_rows(n_rows, order * order, cancel, |rows, sums| {
            let mut work = Work::default();
            let mut slopes = Slopes::new(order);
            for index in rows {
                self.read(index, &mut work);
                self.add_derivatives(index, &work, &mut slopes, sums);
            }
        })?;
        let derivative: Vec<f64> = sums.iter().map(|sum| sum / float(n_rows)).collect();
        let lu = Lu::factor(&derivative, order).map_err(|_| Fault::NotFinite)?;
        let targets = std::iter::once(layout.psi).chain(layout.alpha..layout.theta);
        let lines: Vec<Vec<f64>> = targets
            .map(|target| {
                let mut unit = vec![0.0; order];
                unit[target] = -1.0;
                lu.solve_transposed(&unit)
            })
            .collect();
        map_rows(n_rows, cancel, |rows| {
            let mut work = Work::default();
            let mut scores = Vec::with_capacity(order);
            rows.map(|index| {
                self.read(index, &mut work);
                self.scores(index, &work, ate, &mut scores);
                lines.iter().map(|line| dot(line, &scores)).collect()
            })
            .collect()
        })
    }

    /// Writes the stacked equations of a row.
    fn scores(&self, row: usize, work: &Work, ate: f64, out: &mut Vec<f64>) {
        out.clear();
        let z = self.sample.z(row);
        out.extend(work.pi.iter().map(|term| term * (z - work.pi_hat)));
        out.extend(work.p.iter().map(|term| term * work.residual)); // 0 where p is not fitted
        out.extend(work.h.iter().map(|term| term * work.e));
        out.extend(work.rho.iter().map(|term| term * work.core));
        out.extend(work.beta.iter().map(|term| term * work.delta * work.core));
        out.push(work.effect + work.delta / work.d * work.core - ate);
    }

    /// Adds the derivatives of a row's equations by all coefficients: one line of `sums` for each equation.
    fn add_derivatives(&self, row: usize, work: &Work, slopes: &mut Slopes, sums: &mut [f64]) {
        let layout = self.layout();
        let order = layout.psi + 1;
        self.fill_slopes(row, work, slopes);
        let mut equations = sums.chunks_exact_mut(order);
        for (term, line) in work.pi.iter().zip(&mut equations) {
            add_scaled(&mut line[layout.pi..], &work.pi, -term * work.pi_hat * (1.0 - work.pi_hat));
        }
        let spread = self.spread(work.arm, work);
        for (term, line) in work.p.iter().zip(&mut equations) {
            add_scaled(&mut line[layout.p..], &work.p, -term * spread);
        }
        for (term, line) in work.h.iter().zip(&mut equations) {
            add_scaled(&mut line[layout.alpha..], &work.beta, -term * self.sample.a(row));
            add_scaled(&mut line[layout.theta..], &work.h, -term);
        }
        for (term, line) in work.rho.iter().zip(&mut equations) {
            add_scaled(line, &slopes.core, *term);
        }
        for (term, line) in work.beta.iter().zip(&mut equations) {
            add_scaled(line, &slopes.core, term * work.delta);
            add_scaled(line, &slopes.delta, term * work.core);
        }
        for line in &mut equations {
            add_scaled(&mut line[layout.alpha..], &work.beta, 1.0);
            add_scaled(line, &slopes.core, work.delta / work.d);
            add_scaled(line, &slopes.delta, work.core / work.d);
            add_scaled(line, &slopes.d, -work.delta * work.core / (work.d * work.d));
            line[layout.psi] -= 1.0;
        }
    }

    /// Writes the derivatives of core, delta and D.
    fn fill_slopes(&self, row: usize, work: &Work, slopes: &mut Slopes) {
        let layout = self.layout();
        slopes.clear();
        let spread = self.spread(work.arm, work);
        add_scaled(&mut slopes.core[layout.p..], &work.p, -spread * work.e);
        add_scaled(&mut slopes.core[layout.alpha..], &work.beta, -work.residual * self.sample.a(row));
        add_scaled(&mut slopes.core[layout.theta..], &work.h, -work.residual);
        add_scaled(&mut slopes.core[layout.gamma..], &work.rho, -1.0);
        // d(1/f) = -f'/f^2, and f' = (2 Z - 1) f (1 - f) along the linear predictor
        add_scaled(&mut slopes.delta[layout.pi..], &work.pi, -(1.0 - work.f) / work.f);
        if work.d_raw.abs() >= self.guard.min_d {
            for (arm, sign) in [(0, -1.0), (1, 1.0)] {
                let slope = sign * (1.0 - 2.0 * work.p_hats[arm]) * self.spread(arm, work);
                add_scaled(&mut slopes.d[layout.p..], &work.p_arms[arm], slope);
            }
        }
    }

    /// Returns the derivative of p of an arm by its linear predictor: 0 where p is not fitted.
    fn spread(&self, arm: usize, work: &Work) -> f64 {
        let p = work.p_hats[arm];
        if self.only[arm].is_some() { 0.0 } else { p * (1.0 - p) }
    }
}

/// The derivatives of parts of a row's equations by all coefficients.
struct Slopes {
    core: Vec<f64>,
    delta: Vec<f64>,
    d: Vec<f64>,
}

impl Slopes {
    fn new(order: usize) -> Self {
        Self { core: vec![0.0; order], delta: vec![0.0; order], d: vec![0.0; order] }
    }

    fn clear(&mut self) {
        self.core.fill(0.0);
        self.delta.fill(0.0);
        self.d.fill(0.0);
    }
}

/// Logistic regressions on rows of a sample.
struct Logistic<'a> {
    sample: &'a Sample,
    all: &'a [usize],
    cancel: &'a Cancel,
}

impl Logistic<'_> {
    /// Fits to `rows` and predicts all rows, once for each of `arms` as the instrument.
    fn fit(
        &self,
        nuisance: Nuisance,
        basis: &Basis,
        rows: &[usize],
        class: impl Fn(usize) -> f64,
        arms: &[f64],
    ) -> Found<Vec<Vec<f64>>> {
        let refuse = |error: LearnError| match error {
            LearnError::Cancelled => Fault::Operator(OperatorError::Cancelled),
            error => Fault::Learn { nuisance, arm: None, fold: None, error },
        };
        let covariates = &self.sample.covariates;
        let columns = basis.columns(covariates, rows, |row| self.sample.z(row));
        let features = Features::new(rows.len(), columns).map_err(refuse)?;
        let classes: Vec<f64> = rows.iter().map(|row| class(*row)).collect();
        let cancelled = || self.cancel.is_cancelled();
        let model = Logit.fit(&features, &classes, &Training { seed: 0, cancelled: &cancelled }).map_err(refuse)?;
        let predict = |z: &f64| {
            let columns = basis.columns(covariates, self.all, |_| *z);
            Ok(model.predict(&Features::new(self.all.len(), columns).map_err(refuse)?))
        };
        arms.iter().map(predict).collect()
    }
}

/// Refuses if too many rows are weak.
pub(super) fn refuse_weak(relevance: &[f64], guard: &Guard) -> Found<()> {
    let n_weak = relevance.iter().filter(|d| d.is_nan() || **d < guard.min_d).count();
    if float(n_weak) > guard.weak_share * float(relevance.len()) {
        return Err(Fault::Weak { n_weak, n_rows: relevance.len() });
    }
    Ok(())
}

/// Returns D moved away from 0 to at least `min`.
pub(super) fn raise(d: f64, min: f64) -> f64 {
    if d.abs() >= min { d } else { min.copysign(d) }
}

fn dot(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(left, right)| left * right).sum()
}

fn root_mean_square(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = float(values.len());
    (values.map(|value| value * value).sum::<f64>() / n).sqrt()
}

/// Writes the factors of alpha and theta, zeros for gamma, and the constant.
fn fill_line(line: &mut [f64], beta: (&[f64], f64), h: (&[f64], f64), n_rho: usize, constant: f64) {
    let factors = beta.0.iter().map(|term| term * beta.1).chain(h.0.iter().map(|term| term * h.1));
    let values = factors.chain(std::iter::repeat_n(0.0, n_rho)).chain([constant]);
    for (entry, value) in line.iter_mut().zip(values) {
        *entry = value;
    }
}

/// Adds `factor` times left right' to row-major sums.
fn add_outer(sums: &mut [f64], left: &[f64], factor: f64, right: &[f64]) {
    for (line, left) in sums.chunks_exact_mut(right.len()).zip(left) {
        add_scaled(line, right, factor * left);
    }
}

/// Adds `factor` times `values` to the first entries of `line`.
fn add_scaled(line: &mut [f64], values: &[f64], factor: f64) {
    for (entry, value) in line.iter_mut().zip(values) {
        *entry += factor * value;
    }
}
