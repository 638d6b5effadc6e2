//! Cross-fitted nuisances and the estimators made of them.

use causeway_core::{Cancel, OperatorError};
use causeway_numerics::learn::{Features, LearnError, Learner, Training};
use rayon::prelude::*;

use super::fault::{Fault, Found, Nuisance};
use super::parametric::{Guard, raise};
use super::sample::{Sample, error_of_mean, float, mean};
use crate::iv::folds::Folds;
use crate::iv::rows::mix;

/// Parts into which the rows of a fit are divided again, for learners that follow the rows they have seen too closely.
const N_PARTS: usize = 3;

/// A learner that may be chosen for a nuisance.
#[derive(Debug)]
pub(crate) struct Candidate {
    /// The word of the option.
    pub(crate) name: String,
    pub(crate) learner: Box<dyn Learner>,
    /// True if residuals need predictions by other rows than a row's own: of trees.
    pub(crate) adapts: bool,
}

/// The candidates for each nuisance, in the order of [`Nuisance::ALL`].
#[derive(Debug)]
pub(crate) struct Library(pub(crate) [Vec<Candidate>; 4]);

/// One candidate for each nuisance.
pub(crate) type Tuple = [usize; 4];

impl Library {
    /// Returns every tuple, in the order of the positions.
    pub(crate) fn tuples(&self) -> Vec<Tuple> {
        let sizes: Tuple = std::array::from_fn(|nuisance| self.0[nuisance].len());
        let n: usize = sizes.iter().product();
        (0..n)
            .map(|mut index| {
                let mut tuple = [0; 4];
                for nuisance in (0..4).rev() {
                    tuple[nuisance] = index % sizes[nuisance];
                    index /= sizes[nuisance];
                }
                tuple
            })
            .collect()
    }

    /// Returns the names of a tuple's learners.
    pub(crate) fn names(&self, tuple: &Tuple) -> [&str; 4] {
        std::array::from_fn(|nuisance| self.0[nuisance][tuple[nuisance]].name.as_str())
    }

    /// Returns the predictions of a row that are kept.
    pub(crate) fn n_predictions(&self) -> usize {
        let [pi, p, m, c] = std::array::from_fn(|nuisance| self.0[nuisance].len());
        pi + 2 * (p + m + p * m * c)
    }
}

/// What keeps an estimate from dividing by next to nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) guard: Guard,
    /// Fitted probabilities are moved into [clip, 1 - clip].
    pub(crate) clip: f64,
}

/// The rows to learn from, and how.
pub(crate) struct CrossFit<'a> {
    pub(crate) sample: &'a Sample,
    pub(crate) features: &'a Features,
    pub(crate) folds: &'a Folds,
    /// The fold of each row.
    pub(crate) fold_of_row: &'a [usize],
    pub(crate) library: &'a Library,
    pub(crate) rules: Rules,
    pub(crate) seed: u64,
    pub(crate) cancel: &'a Cancel,
}

/// What is predicted of the rows of one fold by fits to the others.
#[derive(Debug)]
pub(crate) struct FoldFits {
    rows: Vec<usize>,
    /// pi by candidate.
    instrument: Vec<Vec<f64>>,
    /// p at Z = 0 and 1, by candidate; m likewise.
    treatment: Vec<[Vec<f64>; 2]>,
    outcome: Vec<[Vec<f64>; 2]>,
    /// C by candidates of p, m and C, the last fastest.
    confounding: Vec<[Vec<f64>; 2]>,
    n_confounding: usize,
    /// The treatment of an arm in which all rows have the same; p is exactly that.
    only: [Option<f64>; 2],
}

/// One row's part in an estimate.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Corrected {
    pub(crate) row: usize,
    /// beta(X) with its correction: its mean is the estimate.
    pub(crate) value: f64,
    pub(crate) effect: f64,
    /// |D(X)| before it is raised.
    pub(crate) relevance: f64,
    /// 1 / (f |D|).
    pub(crate) weight: f64,
    /// True if a probability was moved.
    pub(crate) clipped: bool,
    /// Target and prediction of each nuisance.
    pub(crate) fits: [(f64, f64); 4],
}

impl CrossFit<'_> {
    /// Fits every candidate outside every fold. Fits run side by side; the result does not depend on how many.
    pub(crate) fn fit(&self) -> Found<Vec<FoldFits>> {
        let only = self.sample.arms_without_choice();
        if only.iter().all(Option::is_some) {
            return Err(Fault::NoChoice);
        }
        let folds: Vec<Found<FoldFits>> =
            (0..self.folds.n()).into_par_iter().map(|fold| self.fit_outside(fold, only)).collect();
        folds.into_iter().collect()
    }

    fn fit_outside(&self, fold: usize, only: [Option<f64>; 2]) -> Found<FoldFits> {
        let (sample, library) = (self.sample, &self.library.0);
        let (held_out, others) = (self.folds.rows(fold), self.folds.others(fold));
        let ahead = self.features.select(&held_out);
        let seen = self.features.select(&others);
        let data = Split { fold, rows: &others, seen: &seen, ahead: &ahead };
        let pi = Fitting { fit: self, nuisance: Nuisance::Instrument, arm: None, data };
        let z: Vec<f64> = others.iter().map(|row| sample.z(*row)).collect();
        let instrument = library[0].par_iter().map(|candidate| pi.predict(candidate, &z));
        let mut fits = FoldFits {
            instrument: instrument.collect::<Found<_>>()?,
            treatment: library[1].iter().map(|_| Default::default()).collect(),
            outcome: library[2].iter().map(|_| Default::default()).collect(),
            confounding: (0..library[1].len() * library[2].len() * library[3].len())
                .map(|_| Default::default())
                .collect(),
            n_confounding: library[3].len(),
            only,
            rows: held_out,
        };
        for (arm, only) in only.into_iter().enumerate() {
            let rows: Vec<usize> =
                others.iter().copied().filter(|row| usize::from(sample.instrument[*row]) == arm).collect();
            if rows.is_empty() {
                return Err(Fault::EmptyArm { arm: arm == 1, fold });
            }
            let seen = self.features.select(&rows);
            self.fit_arm(arm, only, Split { fold, rows: &rows, seen: &seen, ahead: &ahead }, &mut fits)?;
        }
        Ok(fits)
    }

    fn fit_arm(&self, arm: usize, only: Option<f64>, data: Split<'_>, fits: &mut FoldFits) -> Found<()> {
        let library = &self.library.0;
        let within = |nuisance| Fitting { fit: self, nuisance, arm: Some(arm == 1), data };
        let (rows, n_ahead) = (data.rows, data.ahead.n_rows());
        let a: Vec<f64> = rows.iter().map(|row| self.sample.a(*row)).collect();
        let y: Vec<f64> = rows.iter().map(|row| self.sample.outcome[*row]).collect();
        let treatment = library[1].par_iter().map(|candidate| match only {
            Some(value) => Ok((vec![value; n_ahead], vec![value; rows.len()])),
            None => within(Nuisance::Treatment).predict_both(candidate, &a),
        });
        let treatment = treatment.collect::<Found<Vec<Both>>>()?;
        let outcome = library[2].par_iter().map(|candidate| within(Nuisance::Outcome).predict_both(candidate, &y));
        let outcome = outcome.collect::<Found<Vec<Both>>>()?;
        let n_c = library[3].len();
        let confounding = (0..fits.confounding.len()).into_par_iter().map(|index| {
            let (p, m) = (&treatment[index / n_c / outcome.len()].1, &outcome[index / n_c % outcome.len()].1);
            if only.is_some() {
                return Ok(vec![0.0; n_ahead]); // A - p is 0
            }
            let products = a.iter().zip(p).zip(y.iter().zip(m));
            let products: Vec<f64> = products.map(|((a, p), (y, m))| (a - self.rules.clipped(*p)) * (y - m)).collect();
            within(Nuisance::Confounding).predict(&library[3][index % n_c], &products)
        });
        let confounding = confounding.collect::<Found<Vec<_>>>()?;
        for (place, (values, _)) in fits.treatment.iter_mut().zip(treatment) {
            place[arm] = values;
        }
        for (place, (values, _)) in fits.outcome.iter_mut().zip(outcome) {
            place[arm] = values;
        }
        for (place, values) in fits.confounding.iter_mut().zip(confounding) {
            place[arm] = values;
        }
        Ok(())
    }
}

impl FoldFits {
    /// Combines the fits of one tuple: the parts of the rows held out, in their order.
    pub(crate) fn combine(&self, sample: &Sample, tuple: &Tuple, rules: &Rules) -> Vec<Corrected> {
        let [pi, p, m, c] = *tuple;
        let confounding = &self.confounding[(p * self.outcome.len() + m) * self.n_confounding + c];
        let row = |(place, row): (usize, &usize)| {
            let pi_raw = self.instrument[pi][place];
            let p_raw = [self.treatment[p][0][place], self.treatment[p][1][place]];
            let fitted = |arm: usize| self.only[arm].is_none();
            let point = Point {
                pi: rules.clipped(pi_raw),
                p: std::array::from_fn(|arm| if fitted(arm) { rules.clipped(p_raw[arm]) } else { p_raw[arm] }),
                m: [self.outcome[m][0][place], self.outcome[m][1][place]],
                c: [confounding[0][place], confounding[1][place]],
            };
            let clipped = rules.moves(pi_raw) || (0..2).any(|arm| fitted(arm) && rules.moves(p_raw[arm]));
            Corrected { clipped, ..point.corrected(sample, *row, &rules.guard) }
        };
        self.rows.iter().enumerate().map(row).collect()
    }
}

impl Rules {
    fn clipped(&self, probability: f64) -> f64 {
        probability.clamp(self.clip, 1.0 - self.clip)
    }

    fn moves(&self, probability: f64) -> bool {
        probability < self.clip || probability > 1.0 - self.clip
    }
}

/// The nuisances at one row: pi, and p, m and C at Z = 0 and 1.
struct Point {
    pi: f64,
    p: [f64; 2],
    m: [f64; 2],
    c: [f64; 2],
}

impl Point {
    /// Computes beta + (2 Z - 1) / (f D) ((A - p) (Y - m - beta (A - p)) - rho).
    fn corrected(&self, sample: &Sample, row: usize, guard: &Guard) -> Corrected {
        let (y, a, z) = (sample.outcome[row], sample.a(row), sample.z(row));
        let arm = usize::from(sample.instrument[row]);
        let variance = |arm: usize| self.p[arm] * (1.0 - self.p[arm]);
        let d_raw = variance(1) - variance(0);
        let d = raise(d_raw, guard.min_d);
        let effect = (self.c[1] - self.c[0]) / d;
        let rho = self.c[arm] - effect * variance(arm);
        let f = if arm == 1 { self.pi } else { 1.0 - self.pi };
        let (r, e) = (a - self.p[arm], y - self.m[arm]);
        Corrected {
            row,
            value: effect + (2.0 * z - 1.0) / (f * d) * (r * (e - effect * r) - rho),
            effect,
            relevance: d_raw.abs(),
            weight: 1.0 / (f * d.abs()),
            clipped: false,
            fits: [(z, self.pi), (a, self.p[arm]), (y, self.m[arm]), (r * e, self.c[arm])],
        }
    }
}

/// Predictions of rows held out, and of the rows of the fit.
type Both = (Vec<f64>, Vec<f64>);

/// The rows of a fit and the rows held out.
#[derive(Clone, Copy)]
struct Split<'a> {
    fold: usize,
    rows: &'a [usize],
    /// The features of `rows`, and of the rows held out.
    seen: &'a Features,
    ahead: &'a Features,
}

/// A fit of one nuisance.
struct Fitting<'a> {
    fit: &'a CrossFit<'a>,
    nuisance: Nuisance,
    arm: Option<bool>,
    data: Split<'a>,
}

impl Fitting<'_> {
    /// Fits to all rows and predicts the rows held out.
    fn predict(&self, candidate: &Candidate, values: &[f64]) -> Found<Vec<f64>> {
        Ok(self.learn(candidate, self.data.seen, values, &[self.data.ahead])?.remove(0))
    }

    /// Also predicts the rows of the fit: by the fit itself, or by parts if the learner adapts to its rows.
    fn predict_both(&self, candidate: &Candidate, values: &[f64]) -> Found<Both> {
        let Split { rows, seen, ahead, .. } = self.data;
        if !candidate.adapts {
            let mut both = self.learn(candidate, seen, values, &[ahead, seen])?;
            let own = both.pop().unwrap_or_default();
            return Ok((both.pop().unwrap_or_default(), own));
        }
        let held_out = self.predict(candidate, values)?;
        let mut own = vec![0.0; rows.len()];
        for part in self.parts() {
            let rest: Vec<usize> = (0..rows.len()).filter(|place| part.binary_search(place).is_err()).collect();
            let rest_values: Vec<f64> = rest.iter().map(|place| values[*place]).collect();
            let predicted = self.learn(candidate, &seen.select(&rest), &rest_values, &[&seen.select(&part)])?;
            part.iter().zip(predicted.into_iter().flatten()).for_each(|(place, value)| own[*place] = value);
        }
        Ok((held_out, own))
    }

    /// Divides the places of the rows into parts, each with the rows of some of the other folds; in turn if there is
    /// one other fold only.
    fn parts(&self) -> Vec<Vec<usize>> {
        let n_others = self.fit.folds.n() - 1;
        let n_parts = if n_others == 1 { N_PARTS } else { N_PARTS.min(n_others) };
        let mut parts = vec![Vec::new(); n_parts];
        for (place, row) in self.data.rows.iter().enumerate() {
            let own = self.fit.fold_of_row[*row];
            let group = if n_others == 1 { place } else { own - usize::from(own > self.data.fold) };
            parts[group % n_parts].push(place);
        }
        parts.retain(|part| !part.is_empty());
        parts
    }

    fn learn(
        &self,
        candidate: &Candidate,
        features: &Features,
        values: &[f64],
        ahead: &[&Features],
    ) -> Found<Vec<Vec<f64>>> {
        let cancelled = || self.fit.cancel.is_cancelled();
        let place = (self.data.fold * 4 + self.nuisance as usize) * 2 + usize::from(self.arm == Some(true));
        let training = Training { seed: mix(self.fit.seed ^ mix(place as u64)), cancelled: &cancelled };
        let model = candidate.learner.fit(features, values, &training).map_err(|error| match error {
            LearnError::Cancelled => Fault::Operator(OperatorError::Cancelled),
            error => Fault::Learn { nuisance: self.nuisance, arm: self.arm, fold: Some(self.data.fold), error },
        })?;
        Ok(ahead.iter().map(|ahead| model.predict(ahead)).collect())
    }
}

/// The pseudo-risks of all tuples over splits, and the tuple of the smallest.
#[derive(Debug)]
pub(crate) struct Selection {
    /// By tuple, in the order of [`Library::tuples`].
    pub(crate) risks: Vec<f64>,
    /// 1 for the smallest risk; ties in the order of the names.
    pub(crate) ranks: Vec<usize>,
    pub(crate) chosen: usize,
}

impl Selection {
    /// Computes the risks of tuples from their estimates by split.
    ///
    /// The risk of a tuple is the sum over the nuisances of the largest mean squared change between two tuples that
    /// differ from it in that nuisance only. Ties go to the first names.
    pub(crate) fn new(library: &Library, tuples: &[Tuple], by_split: &[Vec<f64>]) -> Self {
        let position = |tuple: &Tuple| {
            tuple.iter().zip(&library.0).fold(0, |index, (place, candidates)| index * candidates.len() + place)
        };
        let change = |nuisance: usize, tuple: &Tuple| {
            let mut largest = 0.0_f64;
            for first in 0..library.0[nuisance].len() {
                for second in 0..first {
                    let mut pair = [*tuple; 2];
                    (pair[0][nuisance], pair[1][nuisance]) = (first, second);
                    let [first, second] = pair.map(|tuple| &by_split[position(&tuple)]);
                    let squares: Vec<f64> = first.iter().zip(second).map(|(a, b)| (a - b).powi(2)).collect();
                    let distance = mean(&squares);
                    largest = if distance.is_nan() { f64::INFINITY } else { largest.max(distance) };
                }
            }
            largest
        };
        let risks: Vec<f64> = tuples.iter().map(|tuple| (0..4).map(|nuisance| change(nuisance, tuple)).sum()).collect();
        let mut order: Vec<usize> = (0..tuples.len()).collect();
        let names = |index: usize| library.names(&tuples[index]);
        order.sort_by(|a, b| risks[*a].total_cmp(&risks[*b]).then_with(|| names(*a).cmp(&names(*b))));
        let mut ranks = vec![0; tuples.len()];
        for (place, index) in order.iter().enumerate() {
            ranks[*index] = place + 1;
        }
        Self { chosen: order.first().copied().unwrap_or(0), risks, ranks }
    }
}

/// An estimate with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Inference {
    pub(crate) estimate: f64,
    pub(crate) std_error: f64,
}

impl Inference {
    /// The mean of one number a row, and its error.
    pub(crate) fn of_mean(values: &[f64]) -> Self {
        Self { estimate: mean(values), std_error: error_of_mean(values) }
    }

    /// The median over repetitions; its variance is the median of each one's own plus its squared distance from it.
    pub(crate) fn median(repetitions: &[Self]) -> Self {
        let estimate = median(repetitions.iter().map(|one| one.estimate).collect());
        let variances = repetitions.iter().map(|one| one.std_error.powi(2) + (one.estimate - estimate).powi(2));
        Self { estimate, std_error: median(variances.collect()).sqrt() }
    }
}

/// Returns the median, NaN of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match (values.get(n.saturating_sub(1) / 2), values.get(n / 2)) {
        (Some(below), Some(above)) => 0.5 * (below + above),
        _ => f64::NAN,
    }
}

/// The root of the mean squared error of a nuisance at rows held out, and of the mean of its target.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loss {
    pub(crate) rmse: f64,
    pub(crate) rmse_of_mean: f64,
}

impl Loss {
    /// Compares targets with predictions.
    pub(crate) fn of(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        let n = float(pairs.clone().count());
        let centre = pairs.clone().map(|(target, _)| target).sum::<f64>() / n;
        let root = |squares: f64| (squares / n).sqrt();
        Self {
            rmse: root(pairs.clone().map(|(target, found)| (target - found).powi(2)).sum()),
            rmse_of_mean: root(pairs.map(|(target, _)| (target - centre).powi(2)).sum()),
        }
    }
}
