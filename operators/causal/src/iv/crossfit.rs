//! Cross-fitting: each row is predicted by a fit to the rows of the other folds.

use std::sync::Mutex;

use causeway_core::{OperatorError, Result, RunContext};
use causeway_numerics::learn::{Features, LearnError, Learner, Training};
use rayon::prelude::*;

use super::folds::Folds;
use super::rows::mix;

/// A function of the covariates that is learned on the way to an effect.
#[derive(Debug)]
pub(crate) struct Nuisance<'a> {
    pub(crate) learner: Box<dyn Learner>,
    /// The column learned, and its values.
    pub(crate) target: &'a str,
    pub(crate) values: &'a [f64],
    /// The rows it is fitted to; all if absent.
    pub(crate) within: Option<Arm<'a>>,
}

/// Rows in which a column of 0 and 1 has one value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arm<'a> {
    pub(crate) column: &'a str,
    pub(crate) values: &'a [f64],
    pub(crate) value: u8,
}

impl Arm<'_> {
    /// Returns true for a row of the arm.
    pub(crate) fn holds(&self, row: usize) -> bool {
        (self.values[row] > 0.5) == (self.value == 1)
    }
}

/// Predictions of the rows of a fold by several functions.
#[derive(Debug)]
struct Predicted {
    rows: Vec<usize>,
    values: Vec<Vec<f64>>,
}

/// Returns which functions are fitted to the same rows.
fn groups(nuisances: &[Nuisance<'_>]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let arm = |index: usize| nuisances[index].within.map(|arm| (arm.column, arm.value));
    for index in 0..nuisances.len() {
        match groups.iter_mut().find(|group| arm(group[0]) == arm(index)) {
            Some(group) => group.push(index),
            None => groups.push(vec![index]),
        }
    }
    groups
}

/// The rows to learn from and how they are divided.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CrossFit<'a> {
    pub(crate) operator: &'static str,
    pub(crate) features: &'a Features,
    /// The names of the covariates.
    pub(crate) names: &'a [String],
    pub(crate) folds: &'a Folds,
    pub(crate) seed: u64,
    /// True for the first of several divisions: the others use its memory again.
    pub(crate) is_first: bool,
}

impl CrossFit<'_> {
    /// Returns, for each nuisance function, its prediction of every row.
    ///
    /// Fits run side by side; the result does not depend on how many do.
    pub(crate) fn predict(&self, nuisances: &[Nuisance<'_>], context: &RunContext) -> Result<Vec<Vec<f64>>> {
        let (n_folds, n_rows) = (self.folds.n(), self.features.n_rows());
        let flag = context.cancel_flag();
        let cancelled = || flag.is_cancelled();
        let groups = groups(nuisances);
        if self.is_first {
            context.grow_memory(self.bytes(nuisances, &groups, context.pool().current_num_threads()))?;
        }
        let spare = Mutex::new(Vec::new());
        let fit = |task: usize| {
            let (group, fold) = (&groups[task / n_folds], task % n_folds);
            self.fit(group, fold, nuisances, &spare, &cancelled)
        };
        let tasks = (0..groups.len() * n_folds).into_par_iter().with_max_len(1);
        let predicted: Vec<Result<Predicted>> = context.pool().install(|| tasks.map(fit).collect());
        context.check_cancelled()?;
        let mut out = vec![vec![0.0; n_rows]; nuisances.len()];
        for (task, predicted) in predicted.into_iter().enumerate() {
            let predicted = predicted?;
            for (nuisance, values) in groups[task / n_folds].iter().zip(predicted.values) {
                let out = &mut out[*nuisance];
                predicted.rows.iter().zip(values).for_each(|(row, value)| out[*row] = value);
            }
        }
        Ok(out)
    }

    /// Returns an upper estimate of the memory of the fits that run at once, and of all predictions.
    fn bytes(&self, nuisances: &[Nuisance<'_>], groups: &[Vec<usize>], n_threads: usize) -> usize {
        let (n_rows, n_columns) = (self.features.n_rows(), self.features.n_columns());
        let models = |group: &Vec<usize>| {
            group.iter().fold(0_usize, |sum, nuisance| {
                sum.saturating_add(nuisances[*nuisance].learner.bytes(n_rows, n_columns))
            })
        };
        let rows = n_rows * (n_columns + 4) * size_of::<f64>();
        let task = groups.iter().map(models).max().unwrap_or(0).saturating_add(rows);
        let n_tasks = n_threads.min(groups.len() * self.folds.n());
        task.saturating_mul(n_tasks).saturating_add(2 * n_rows * nuisances.len() * size_of::<f64>())
    }

    /// Fits functions to the same rows and predicts a fold.
    fn fit(
        &self,
        group: &[usize],
        fold: usize,
        nuisances: &[Nuisance<'_>],
        spare: &Mutex<Vec<Features>>,
        cancelled: &(dyn Fn() -> bool + Sync),
    ) -> Result<Predicted> {
        let first = &nuisances[group[0]];
        let mut rows = self.folds.others(fold);
        if let Some(arm) = &first.within {
            rows.retain(|row| arm.holds(*row));
        }
        if rows.is_empty() {
            return Err(self.refuse(format!("no row is left {}; name other folds", self.place(first, fold))));
        }
        // memory is used again: fresh pages cost as much as a small fit
        let take = || spare.lock().ok().and_then(|mut spare| spare.pop()).unwrap_or_default();
        let mut features = take();
        self.features.select_into(&rows, &mut features);
        let mut models = Vec::with_capacity(group.len());
        for nuisance in group {
            let seed = mix(self.seed ^ mix((nuisance * self.folds.n() + fold) as u64));
            let nuisance = &nuisances[*nuisance];
            let values: Vec<f64> = rows.iter().map(|row| nuisance.values[*row]).collect();
            let fitted = nuisance.learner.fit(&features, &values, &Training { seed, cancelled });
            models.push(fitted.map_err(|error| self.explain(error, nuisance, fold))?);
        }
        let held_out = self.folds.rows(fold);
        self.features.select_into(&held_out, &mut features);
        let values = models.iter().map(|model| model.predict(&features)).collect();
        if let Ok(mut spare) = spare.lock() {
            spare.push(features);
        }
        Ok(Predicted { rows: held_out, values })
    }

    fn refuse(&self, problem: String) -> OperatorError {
        OperatorError::Data { operator: self.operator, problem }
    }

    /// Says which rows a fit is of.
    fn place(&self, nuisance: &Nuisance<'_>, fold: usize) -> String {
        let arm = nuisance.within.map(|arm| format!(" with `{}` = {}", arm.column, arm.value)).unwrap_or_default();
        format!("outside fold {}{arm}", self.folds.name(fold))
    }

    /// Says in words why a fit is impossible and what to do.
    fn explain(&self, error: LearnError, nuisance: &Nuisance<'_>, fold: usize) -> OperatorError {
        let place = self.place(nuisance, fold);
        self.refuse(match in_words(error, self.names, nuisance.target) {
            Some((problem, remedy)) => format!("{problem} in the rows {place}; {remedy}"),
            None => return OperatorError::Cancelled,
        })
    }
}

/// Returns what is wrong and what to do, or nothing if a fit was cancelled.
pub(crate) fn in_words(error: LearnError, names: &[String], target: &str) -> Option<(String, &'static str)> {
    let name = error.column().and_then(|column| names.get(column)).map_or("", String::as_str);
    Some(match error {
        LearnError::Cancelled => return None,
        LearnError::FewRows { n_rows, needed } => (
            format!("{n_rows} rows are too few to learn `{target}`, which takes at least {needed},"),
            "name fewer covariates or set fewer folds",
        ),
        LearnError::Constant { .. } => {
            (format!("covariate `{name}` is constant"), "leave it out or merge its rare values")
        }
        LearnError::Collinear { .. } => {
            (format!("covariate `{name}` is a weighted sum of those named before it (collinear)"), "leave it out")
        }
        LearnError::OneClass => (
            format!("`{target}` has only one value"),
            "set fewer folds, or a learner that can do without ('linear', 'forest')",
        ),
        LearnError::NotBinary => (
            format!("`{target}` has values other than 0 and 1, which a logit or a logistic loss cannot learn"),
            "name another learner for it",
        ),
        LearnError::Separation { alone: true, .. } => (
            format!(
                "covariate `{name}` tells `{target}` = 0 from 1 without error (perfect separation), so a logit has no estimate"
            ),
            "leave it out, or name a learner with bounds ('lasso', 'forest')",
        ),
        LearnError::Separation { .. } => (
            format!(
                "the covariates together, `{name}` most, tell `{target}` = 0 from 1 without error (perfect separation), so a logit has no estimate"
            ),
            "leave some out, or name a learner with bounds ('lasso', 'forest')",
        ),
        LearnError::NotConverged { iterations } => (
            format!("the fit of `{target}` did not settle within {iterations} iterations"),
            "set a larger `penalty` or name another learner",
        ),
        _ => {
            (format!("numbers are too large to learn `{target}`"), "divide the outcome and the covariates by constants")
        }
    })
}

/// How well held-out rows are predicted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct FitQuality {
    /// The root of the mean squared error, unit of the target.
    pub(crate) rmse: f64,
    /// The same for the mean of the rows as the only prediction.
    pub(crate) rmse_of_mean: f64,
}

impl FitQuality {
    /// Compares predictions with the rows that a nuisance function is meant for.
    pub(crate) fn of(nuisance: &Nuisance<'_>, predicted: &[f64]) -> Self {
        let own = |row: &usize| nuisance.within.is_none_or(|arm| arm.holds(*row));
        let rows = || (0..predicted.len()).filter(own);
        let n = rows().count() as f64;
        let mean = rows().map(|row| nuisance.values[row]).sum::<f64>() / n;
        let root = |error: f64| (error / n).sqrt();
        Self {
            rmse: root(rows().map(|row| (nuisance.values[row] - predicted[row]).powi(2)).sum()),
            rmse_of_mean: root(rows().map(|row| (nuisance.values[row] - mean).powi(2)).sum()),
        }
    }
}
