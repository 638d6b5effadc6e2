//! From a study to an effect, by each of the estimators.

use causeway_core::{Result, RunContext};
use causeway_numerics::learn::Features;
use rayon::prelude::*;

use super::contrast::{TwoStage, std_error};
use super::debiased::{Corrected, CrossFit, FoldFits, Inference, Library, Loss, Rules, Selection, Tuple};
use super::fault::{Fault, Nuisance};
use super::parametric::{multiply_robust, refuse_weak};
use super::params::{Fitting, IvAte};
use super::sample::{float, mean};
use super::study::Study;
use crate::iv::folds::Folds;
use crate::iv::rows::mix;

/// An effect and all that is told about it.
#[derive(Debug)]
pub(super) struct Effect {
    pub(super) ate: Inference,
    /// The error by the influence function alone.
    pub(super) std_error_influence: f64,
    pub(super) plug_in: f64,
    /// The change of the effect for one unit of each modifier.
    pub(super) slopes: Vec<(String, Inference)>,
    /// |D(X)| of each row, and 1 / (f |D|).
    pub(super) relevance: Vec<f64>,
    pub(super) weight: Vec<f64>,
    /// Of the rows whose probabilities were moved; `None` if none is.
    pub(super) share_clipped: Option<f64>,
    /// How well each nuisance is predicted.
    pub(super) losses: Vec<(Nuisance, Loss)>,
    pub(super) two_stage: Inference,
    pub(super) contrast: Inference,
    /// The fold assignments, for lineage.
    pub(super) folds: Vec<String>,
    pub(super) n_folds: usize,
}

/// Estimates with linear models.
pub(super) fn parametric(study: &Study, params: &IvAte, context: &RunContext) -> Result<Effect> {
    let cancel = context.cancel_flag();
    let models = params.models(study);
    let terms = Some([&models.instrument, &models.treatment]);
    let n_terms = 3 * models.treatment.n_terms() + 2 * models.outcome.n_terms();
    context.grow_memory(size_of::<f64>() * study.sample.len() * (n_terms + 16))?;
    let explain = |fault: Fault| study.explain(fault, None, terms);
    let (sample, scales) = study.sample.standardised();
    if let Some(constant) = scales.iter().position(|scale| scale.abs() <= 0.0) {
        return Err(study.refuse(format!("covariate `{}` is constant; leave it out", study.covariates[constant])));
    }
    let guard = params.fitting.guard;
    let found = context.pool().install(|| multiply_robust(&sample, &models, &guard, &cancel)).map_err(explain)?;
    context.progress(0.8);
    let two_stage = context.pool().install(|| TwoStage::fit(&study.sample, &cancel)).map_err(explain)?;
    let slope = |(index, (value, error)): (&usize, &(f64, f64))| {
        let scale = scales[*index];
        (study.covariates[*index].clone(), Inference { estimate: value / scale, std_error: error / scale })
    };
    Ok(Effect {
        ate: Inference { estimate: found.ate, std_error: found.std_error },
        std_error_influence: found.std_error_influence,
        plug_in: found.plug_in,
        slopes: models.effect.covariates.iter().zip(&found.effect[1..]).map(slope).collect(),
        contrast: difference(found.ate, &found.influence, &two_stage),
        relevance: found.relevance,
        weight: found.weight,
        share_clipped: None,
        losses: Vec::new(),
        two_stage: Inference { estimate: two_stage.estimate, std_error: two_stage.std_error },
        folds: Vec::new(),
        n_folds: 0,
    })
}

/// The effect minus two-stage least squares; the error counts that both come from the same rows.
fn difference(ate: f64, influence: &[f64], two_stage: &TwoStage) -> Inference {
    let joint: Vec<f64> = influence.iter().zip(&two_stage.influence).map(|(own, other)| own - other).collect();
    Inference { estimate: ate - two_stage.estimate, std_error: std_error(&joint) }
}

/// All fits of one division into folds.
#[derive(Debug)]
struct Division {
    folds: Folds,
    fits: Vec<FoldFits>,
}

/// The fits of all divisions.
#[derive(Debug)]
pub(crate) struct Divisions<'a> {
    study: &'a Study,
    rules: Rules,
    pub(crate) library: Library,
    pub(crate) seed: u64,
    divisions: Vec<Division>,
}

/// One tuple over all divisions.
#[derive(Debug)]
pub(crate) struct Combined {
    /// The parts of each division, in the order of the rows.
    pub(crate) divisions: Vec<Vec<Corrected>>,
    pub(crate) ate: Inference,
    /// The share of rows with |D| below the limit.
    pub(crate) share_weak: f64,
}

impl<'a> Divisions<'a> {
    /// Fits every candidate of the library in every division.
    pub(crate) fn fit(study: &'a Study, fitting: &Fitting, library: Library, context: &RunContext) -> Result<Self> {
        let sample = &study.sample;
        let n_repeats = usize::try_from(fitting.n_repeats).unwrap_or(1);
        let working = context.pool().current_num_threads() * (3 * sample.covariates.len() + 16);
        let per_row = n_repeats.saturating_mul(library.n_predictions()).saturating_add(working);
        context.grow_memory(size_of::<f64>().saturating_mul(sample.len()).saturating_mul(per_row))?;
        let features = Features::new(sample.len(), sample.covariates.clone())
            .map_err(|_| study.refuse("covariates must be finite numbers".to_owned()))?;
        let seed = fitting.seed.unwrap_or(context.seed().0);
        let rules = Rules { guard: fitting.guard, clip: fitting.clip };
        let mut divisions = Vec::with_capacity(n_repeats);
        for repetition in 0..fitting.n_repeats {
            let folds = Folds::new(study.operator, fitting.folds, &study.rows, seed, u64::from(repetition))?;
            let mut fold_of_row = vec![0; sample.len()];
            for fold in 0..folds.n() {
                folds.rows(fold).into_iter().for_each(|row| fold_of_row[row] = fold);
            }
            let crossfit = CrossFit {
                sample,
                features: &features,
                folds: &folds,
                fold_of_row: &fold_of_row,
                library: &library,
                rules,
                seed: mix(seed ^ mix(u64::from(repetition))),
                cancel: &context.cancel_flag(),
            };
            let fits = context.pool().install(|| crossfit.fit());
            let fits = fits.map_err(|fault| study.explain(fault, Some(&folds), None))?;
            divisions.push(Division { folds, fits });
            context.progress(0.9 * f64::from(repetition + 1) / f64::from(fitting.n_repeats));
        }
        Ok(Self { study, rules, library, seed, divisions })
    }

    /// Combines the fits of one tuple.
    pub(crate) fn combine(&self, tuple: &Tuple) -> Combined {
        let whole = |division: &Division| {
            let parts = division.fits.iter().flat_map(|fits| fits.combine(&self.study.sample, tuple, &self.rules));
            let mut parts: Vec<Corrected> = parts.collect();
            parts.sort_unstable_by_key(|part| part.row);
            parts
        };
        let divisions: Vec<Vec<Corrected>> = self.divisions.iter().map(whole).collect();
        let own =
            |parts: &Vec<Corrected>| Inference::of_mean(&parts.iter().map(|part| part.value).collect::<Vec<f64>>());
        let weak = |part: &&Corrected| part.relevance < self.rules.guard.min_d;
        let n_weak = divisions.iter().flatten().filter(weak).count();
        Combined {
            ate: Inference::median(&divisions.iter().map(own).collect::<Vec<_>>()),
            share_weak: float(n_weak) / float(divisions.iter().map(Vec::len).sum()),
            divisions,
        }
    }

    /// Computes the pseudo-risks of all tuples over the folds of all divisions.
    pub(crate) fn select(&self, tuples: &[Tuple], context: &RunContext) -> Result<Selection> {
        let estimates = |tuple: &Tuple| -> Vec<f64> {
            let fits = self.divisions.iter().flat_map(|division| &division.fits);
            fits.map(|fits| {
                let parts = fits.combine(&self.study.sample, tuple, &self.rules);
                mean(&parts.iter().map(|part| part.value).collect::<Vec<f64>>())
            })
            .collect()
        };
        let cancel = context.cancel_flag();
        let by_split: Vec<Vec<f64>> = context.pool().install(|| {
            let watched = |tuple| if cancel.is_cancelled() { Vec::new() } else { estimates(tuple) };
            tuples.par_iter().map(watched).collect()
        });
        context.check_cancelled()?;
        Ok(Selection::new(&self.library, tuples, &by_split))
    }

    /// Returns 16 digits for each division, the same if the folds are.
    pub(crate) fn fingerprints(&self) -> Vec<String> {
        self.divisions.iter().map(|division| division.folds.fingerprint(&self.study.rows)).collect()
    }
}

/// Estimates with one tuple of learners.
pub(super) fn debiased(divisions: &Divisions<'_>, tuple: &Tuple, context: &RunContext) -> Result<Effect> {
    let study = divisions.study;
    let explain = |fault: Fault| study.explain(fault, None, None);
    let combined = divisions.combine(tuple);
    let parts = || combined.divisions.iter().flatten();
    let column = |value: fn(&Corrected) -> f64| parts().map(value).collect::<Vec<f64>>();
    let relevance = column(|part| part.relevance);
    refuse_weak(&relevance, &divisions.rules.guard).map_err(explain)?;
    if !combined.ate.estimate.is_finite() {
        return Err(explain(Fault::NotFinite));
    }
    let cancel = context.cancel_flag();
    let two_stage = context.pool().install(|| TwoStage::fit(&study.sample, &cancel)).map_err(explain)?;
    let contrast = |parts: &Vec<Corrected>| {
        let values: Vec<f64> = parts.iter().map(|part| part.value).collect();
        let own = mean(&values);
        let influence: Vec<f64> = values.iter().map(|value| value - own).collect();
        difference(own, &influence, &two_stage)
    };
    let loss = |nuisance: Nuisance| (nuisance, Loss::of(parts().map(move |part| part.fits[nuisance as usize])));
    Ok(Effect {
        ate: combined.ate,
        std_error_influence: combined.ate.std_error,
        plug_in: mean(&column(|part| part.effect)),
        slopes: Vec::new(),
        weight: column(|part| part.weight),
        share_clipped: Some(float(parts().filter(|part| part.clipped).count()) / float(relevance.len())),
        relevance,
        losses: Nuisance::ALL.into_iter().map(loss).collect(),
        contrast: Inference::median(&combined.divisions.iter().map(contrast).collect::<Vec<_>>()),
        two_stage: Inference { estimate: two_stage.estimate, std_error: two_stage.std_error },
        folds: divisions.fingerprints(),
        n_folds: divisions.divisions.first().map_or(0, |division| division.folds.n()),
    })
}
