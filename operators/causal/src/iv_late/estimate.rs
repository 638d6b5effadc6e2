//! From rows to estimates: checks, nuisance functions, scores, repetitions.

use causeway_core::{OperatorError, Result, RunContext};
use causeway_numerics::learn::{Features, LearnError};

use super::algorithm::{
    ConfidenceSet, Estimate, Interactive, Scores, average, clip, interactive_scores, median_of, products, ratio,
    residuals, weak_robust_set,
};
use super::params::{IvLate, Model};
use crate::iv::crossfit::{Arm, CrossFit, FitQuality, Nuisance};
use crate::iv::folds::Folds;
use crate::iv::learners::Target;
use crate::iv::rows::{Rows, mix};

/// Rows that passed the checks.
#[derive(Debug)]
pub(crate) struct Sample {
    pub(super) rows: Rows,
    pub(super) outcome: Vec<f64>,
    pub(super) treatment: Vec<f64>,
    pub(super) instrument: Vec<f64>,
    pub(super) features: Features,
    /// Outcome, treatment, instrument, covariates.
    pub(super) names: Vec<String>,
    /// The value of the treatment in the arms of the instrument, if it has one only.
    pub(super) constant_treatment: [Option<f64>; 2],
}

/// What one division into folds gives.
#[derive(Debug)]
pub(crate) struct Division {
    pub(super) effect: Estimate,
    pub(super) first_stage: Estimate,
    pub(super) reduced_form: Estimate,
    /// The effects that the test of Anderson and Rubin does not reject.
    pub(super) set: ConfidenceSet,
    pub(crate) fingerprint: String,
    pub(super) n_folds: usize,
    /// Share of the rows whose probability of the instrument was clipped.
    pub(crate) share_clipped: f64,
    pub(crate) qualities: Vec<NuisanceQuality>,
}

/// How well a nuisance function predicts.
#[derive(Debug)]
pub(crate) struct NuisanceQuality {
    pub(crate) target: String,
    /// The value of the instrument it is fitted to.
    pub(crate) instrument: Option<u8>,
    pub(crate) learner: &'static str,
    pub(crate) quality: FitQuality,
}

/// All divisions and their median.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) divisions: Vec<Division>,
    pub(super) effect: Estimate,
    pub(super) first_stage: Estimate,
    pub(super) reduced_form: Estimate,
    pub(super) seed: u64,
}

impl Found {
    /// Returns the set of the division whose effect is the median, or the next below.
    pub(super) fn middle_set(&self) -> ConfidenceSet {
        let mut order: Vec<&Division> = self.divisions.iter().collect();
        order.sort_by(|a, b| a.effect.value.total_cmp(&b.effect.value));
        order.get((order.len().max(1) - 1) / 2).map_or(ConfidenceSet::Line, |division| division.set)
    }
}

impl Sample {
    /// Checks what can be checked before anything is learned.
    pub(super) fn new(operator: &'static str, model: Model, mut rows: Rows, names: Vec<String>) -> Result<Self> {
        let refuse = |problem: String| Err(OperatorError::Data { operator, problem });
        let n = rows.n();
        if n < names.len() {
            return refuse(format!(
                "{n} usable rows are too few for {} covariates; at least {} are needed",
                names.len() - 3,
                names.len()
            ));
        }
        for (column, name) in rows.columns.iter().zip(&names) {
            if column.iter().all(|value| (value - column[0]).abs() <= 0.0) {
                let role = ["outcome", "treatment", "instrument"].iter().zip(&names).find(|(_, other)| *other == name);
                let role = role.map_or("covariate", |(role, _)| role);
                return refuse(format!("{role} `{name}` is constant in the {n} usable rows; name another column"));
            }
        }
        let mut columns = std::mem::take(&mut rows.columns).into_iter();
        let mut next = || columns.next().unwrap_or_default();
        let (outcome, treatment, instrument) = (next(), next(), next());
        if model == Model::Interactive {
            refuse_other_values(operator, "treatment", &names[1], &treatment)?;
            refuse_other_values(operator, "instrument", &names[2], &instrument)?;
        }
        let features = Features::new(n, columns.collect()).map_err(|error| internal(operator, error))?;
        let constant_treatment = [0, 1].map(|value| {
            let arm = Arm { column: "", values: &instrument, value };
            let mut values = (0..n).filter(|row| arm.holds(*row)).map(|row| treatment[row]);
            let first = values.next()?;
            values.all(|value| (value - first).abs() <= 0.0).then_some(first)
        });
        Ok(Self { rows, outcome, treatment, instrument, features, names, constant_treatment })
    }
}

fn internal(operator: &'static str, error: LearnError) -> OperatorError {
    OperatorError::Internal { operator, problem: error.to_string() }
}

fn refuse_other_values(operator: &'static str, role: &str, name: &str, values: &[f64]) -> Result<()> {
    let n_other = values.iter().filter(|value| value.abs() > 0.0 && (*value - 1.0).abs() > 0.0).count();
    if n_other == 0 {
        return Ok(());
    }
    let problem = format!(
        "column `{name}` plays `{role}` and must be 0 or 1, it is neither in {n_other} rows; recode it in the SELECT, or \
         set model => 'partially_linear'"
    );
    Err(OperatorError::Data { operator, problem })
}

/// Estimates over all divisions into folds.
pub(super) fn estimate(
    operator: &'static str,
    params: &IvLate,
    sample: &Sample,
    seed: u64,
    context: &RunContext,
) -> Result<Found> {
    let mut divisions = Vec::new();
    for repetition in 0..params.n_repeats {
        let folds = Folds::new(operator, params.folds, &sample.rows, seed, u64::from(repetition))?;
        let cross_fit = CrossFit {
            operator,
            features: &sample.features,
            names: &sample.names[3..],
            folds: &folds,
            seed: mix(seed ^ mix(u64::from(repetition).wrapping_add(1 << 32))),
            is_first: repetition == 0,
        };
        let division = match params.model {
            Model::Interactive => interactive(params, sample, &cross_fit, context)?,
            Model::PartiallyLinear => partially_linear(params, sample, &cross_fit, context)?,
        };
        if !(division.effect.value.is_finite() && division.effect.std_error.is_finite()) {
            let problem = format!(
                "the instrument `{}` does not move the treatment `{}` at all, so there is no effect to estimate",
                sample.names[2], sample.names[1]
            );
            return Err(OperatorError::Data { operator, problem });
        }
        divisions.push(division);
        context.progress(f64::from(repetition + 1) / f64::from(params.n_repeats));
    }
    let median = |part: fn(&Division) -> Estimate| median_of(&divisions.iter().map(part).collect::<Vec<Estimate>>());
    Ok(Found {
        effect: median(|division| division.effect),
        first_stage: median(|division| division.first_stage),
        reduced_form: median(|division| division.reduced_form),
        seed,
        divisions,
    })
}

fn interactive(params: &IvLate, sample: &Sample, cross_fit: &CrossFit<'_>, context: &RunContext) -> Result<Division> {
    let arm = |value: u8| Arm { column: &sample.names[2], values: &sample.instrument, value };
    let is_binary = sample.outcome.iter().all(|value| value.abs() <= 0.0 || (value - 1.0).abs() <= 0.0);
    let outcome_target = if is_binary { Target::Logistic } else { Target::Squared };
    let mut nuisances = Vec::new();
    for value in [0, 1] {
        nuisances.push(Nuisance {
            learner: params.learners.make(params.outcome_learner.as_deref(), outcome_target),
            target: &sample.names[0],
            values: &sample.outcome,
            within: Some(arm(value)),
        });
    }
    nuisances.push(Nuisance {
        learner: params.learners.make(params.instrument_learner.as_deref(), Target::Logistic),
        target: &sample.names[2],
        values: &sample.instrument,
        within: None,
    });
    for value in [0, 1] {
        if sample.constant_treatment[usize::from(value)].is_none() {
            nuisances.push(Nuisance {
                learner: params.learners.make(params.treatment_learner.as_deref(), Target::Logistic),
                target: &sample.names[1],
                values: &sample.treatment,
                within: Some(arm(value)),
            });
        }
    }
    let predicted = cross_fit.predict(&nuisances, context)?;
    let qualities = qualities(&nuisances, &predicted);
    let mut predicted = predicted.into_iter();
    let mut next = || predicted.next().unwrap_or_default();
    let (outcome, mut instrument) = ([next(), next()], next());
    let treatment =
        sample.constant_treatment.map(|constant| constant.map_or_else(&mut next, |value| vec![value; sample.rows.n()]));
    let n_clipped = clip(&mut instrument, params.clip);
    let fitted = Interactive {
        outcome: outcome.each_ref().map(Vec::as_slice),
        treatment: treatment.each_ref().map(Vec::as_slice),
        instrument: &instrument,
    };
    let scores = interactive_scores(&sample.outcome, &sample.treatment, &sample.instrument, fitted, params.normalise);
    Ok(Division {
        effect: ratio(&scores.outcome, &scores.treatment),
        first_stage: average(&scores.treatment),
        reduced_form: average(&scores.outcome),
        set: weak_robust_set(&scores, params.confidence),
        fingerprint: cross_fit.folds.fingerprint(&sample.rows),
        n_folds: cross_fit.folds.n(),
        share_clipped: n_clipped as f64 / sample.rows.n() as f64,
        qualities,
    })
}

fn partially_linear(
    params: &IvLate,
    sample: &Sample,
    cross_fit: &CrossFit<'_>,
    context: &RunContext,
) -> Result<Division> {
    let nuisance = |named: &Option<String>, column: usize, values| Nuisance {
        learner: params.learners.make(named.as_deref(), Target::Squared),
        target: &sample.names[column],
        values,
        within: None,
    };
    let nuisances = [
        nuisance(&params.outcome_learner, 0, &sample.outcome),
        nuisance(&params.treatment_learner, 1, &sample.treatment),
        nuisance(&params.instrument_learner, 2, &sample.instrument),
    ];
    let predicted = cross_fit.predict(&nuisances, context)?;
    let residual = |index: usize| residuals(nuisances[index].values, &predicted[index]);
    let (outcome, treatment, instrument) = (residual(0), residual(1), residual(2));
    let squares = products(&instrument, &instrument);
    let scores = Scores { outcome: products(&instrument, &outcome), treatment: products(&instrument, &treatment) };
    Ok(Division {
        effect: ratio(&scores.outcome, &scores.treatment),
        first_stage: ratio(&scores.treatment, &squares),
        reduced_form: ratio(&scores.outcome, &squares),
        set: weak_robust_set(&scores, params.confidence),
        fingerprint: cross_fit.folds.fingerprint(&sample.rows),
        n_folds: cross_fit.folds.n(),
        share_clipped: 0.0,
        qualities: qualities(&nuisances, &predicted),
    })
}

fn qualities(nuisances: &[Nuisance<'_>], predicted: &[Vec<f64>]) -> Vec<NuisanceQuality> {
    let quality = |(nuisance, predicted): (&Nuisance<'_>, &Vec<f64>)| NuisanceQuality {
        target: nuisance.target.to_owned(),
        instrument: nuisance.within.map(|arm| arm.value),
        learner: nuisance.learner.name(),
        quality: FitQuality::of(nuisance, predicted),
    };
    nuisances.iter().zip(predicted).map(quality).collect()
}
