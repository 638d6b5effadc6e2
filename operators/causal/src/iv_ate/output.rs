//! The rows of the result.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use causeway_core::{Report, Result};
use causeway_numerics::{normal_quantile, normal_two_sided};
use serde_json::{Map, Value, json};

use super::debiased::Inference;
use super::estimate::Effect;
use super::parametric::Guard;
use super::params::{Estimator, IvAte};
use super::sample::float;
use super::study::Study;

/// One row of the result.
#[derive(Debug, Clone, Default)]
pub(super) struct Line {
    term: String,
    estimate: f64,
    std_error: Option<f64>,
    std_error_influence: Option<f64>,
    note: Option<String>,
}

impl Line {
    /// A number without an error.
    pub(super) fn number(term: &str, estimate: f64) -> Self {
        Self { term: term.to_owned(), estimate, ..Self::default() }
    }

    /// An estimate with its error.
    pub(super) fn estimate(term: &str, found: Inference) -> Self {
        Self { std_error: Some(found.std_error), ..Self::number(term, found.estimate) }
    }

    /// Adds the error by the influence function alone.
    pub(super) fn influence(mut self, std_error: f64) -> Self {
        self.std_error_influence = Some(std_error);
        self
    }

    /// Adds words.
    pub(super) fn note(mut self, note: impl Into<String>) -> Self {
        self.note = Some(note.into()).filter(|note| !note.is_empty());
        self
    }
}

/// Returns the rows of the result in order.
pub(super) fn lines(study: &Study, params: &IvAte, effect: &Effect, report: &Report) -> Vec<Line> {
    let mut lines = vec![
        Line::estimate("ate", effect.ate)
            .influence(effect.std_error_influence)
            .note(warnings(study, params, effect, report).join("; ")),
        Line::number("plug_in", effect.plug_in).note("mean of beta(X) without the correction"),
    ];
    lines.extend(effect.slopes.iter().map(|(name, slope)| Line::estimate(&format!("effect_modifier:{name}"), *slope)));
    lines.push(
        Line::estimate("two_stage_least_squares", effect.two_stage)
            .note("right if the instrument is valid and the effect is the same for all"),
    );
    lines.push(
        Line::estimate("exclusion_contrast", effect.contrast)
            .note("ate minus two_stage_least_squares: far from 0 if confounding is stable and the instrument acts on the outcome directly, or if the effect varies"),
    );
    lines.extend(diagnostics(effect, &params.fitting.guard).into_iter().map(|(term, value)| Line::number(term, value)));
    lines.extend(effect.losses.iter().map(|(nuisance, loss)| {
        Line::number(&format!("rmse_{}", nuisance.name()), loss.rmse)
            .note(format!("of rows held out; {:.6} by their mean", loss.rmse_of_mean))
    }));
    lines
}

/// Adds what lineage keeps of an estimate.
pub(super) fn describe(effect: &Effect, guard: &Guard, report: &mut Report) {
    let numbers = diagnostics(effect, guard).into_iter().map(|(term, value)| (term.to_owned(), json!(value)));
    report.insert("diagnostics", Value::Object(numbers.collect::<Map<String, Value>>()));
    if effect.n_folds > 0 {
        report.insert("n_folds", effect.n_folds.into());
        report.insert("folds", json!(effect.folds));
    }
    let losses = effect.losses.iter().map(|(nuisance, loss)| {
        (nuisance.name().to_owned(), json!({ "rmse": loss.rmse, "rmse_of_mean": loss.rmse_of_mean }))
    });
    report.insert("losses", Value::Object(losses.collect()));
}

/// Returns quantiles of |D| and of the weights, and the shares of rows that were moved.
fn diagnostics(effect: &Effect, guard: &Guard) -> Vec<(&'static str, f64)> {
    let sorted = |values: &[f64]| {
        let mut values = values.to_vec();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let (relevance, weight) = (sorted(&effect.relevance), sorted(&effect.weight));
    let n_weak = relevance.partition_point(|d| *d < guard.min_d);
    let mut found = vec![
        ("min_abs_d", quantile(&relevance, 0.0)),
        ("abs_d_q05", quantile(&relevance, 0.05)),
        ("abs_d_median", quantile(&relevance, 0.5)),
        ("weight_median", quantile(&weight, 0.5)),
        ("weight_q95", quantile(&weight, 0.95)),
        ("weight_max", quantile(&weight, 1.0)),
        ("share_weak", float(n_weak) / float(relevance.len())),
    ];
    found.extend(effect.share_clipped.map(|share| ("share_clipped", share)));
    found
}

/// Returns a quantile of sorted values, between two of them in a straight line.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * float(sorted.len().saturating_sub(1));
    let below = (0..sorted.len()).rev().find(|index| float(*index) <= place).unwrap_or(0);
    match (sorted.get(below), sorted.get(below + 1)) {
        (Some(low), Some(high)) => low + (place - float(below)) * (high - low),
        (Some(low), None) => *low,
        _ => f64::NAN,
    }
}

/// Says in words what an estimate rests on besides the model.
fn warnings(study: &Study, params: &IvAte, effect: &Effect, report: &Report) -> Vec<String> {
    let (treatment, instrument) = study.arms();
    let mut words = Vec::new();
    if params.estimator == Estimator::Selective {
        let learners = report.get("learners").and_then(Value::as_str).unwrap_or_default();
        words.push(format!("learners chosen: {learners}; the error does not count the choice"));
    }
    for (arm, only) in study.sample.arms_without_choice().into_iter().enumerate() {
        if let Some(value) = only {
            let value = if value > 0.5 { 1 } else { 0 };
            words.push(format!(
                "one-sided non-compliance: `{treatment}` = {value} in every row with `{instrument}` = {arm}, so stable \
                 confounding means none at all in the other arm, and the estimate is the adjusted contrast within that arm"
            ));
        }
    }
    let guard = &params.fitting.guard;
    let n_weak = effect.relevance.iter().filter(|d| **d < guard.min_d).count();
    if n_weak > 0 {
        let percent = 100.0 * float(n_weak) / float(effect.relevance.len());
        words.push(format!("|D(X)| was raised to {} in {percent:.2} % of the rows", guard.min_d));
    }
    if let Some(share) = effect.share_clipped.filter(|share| *share > 0.0) {
        let clip = params.fitting.clip;
        words.push(format!(
            "fitted probabilities were moved into [{clip}, {}] in {:.2} % of the rows",
            1.0 - clip,
            100.0 * share
        ));
    }
    words
}

/// Returns the table; numbers that are not finite are null.
pub(super) fn table(lines: &[Line], confidence: f64, n_used: usize, schema: SchemaRef) -> Result<RecordBatch> {
    let width = normal_quantile(0.5 + 0.5 * confidence);
    let column = |value: &dyn Fn(&Line) -> Option<f64>| -> ArrayRef {
        Arc::new(lines.iter().map(|line| value(line).filter(|value| value.is_finite())).collect::<Float64Array>())
    };
    let statistic = |line: &Line| line.std_error.map(|error| line.estimate / error);
    let bound = |line: &Line, sign: f64| line.std_error.map(|error| line.estimate + sign * width * error);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(lines.iter().map(|line| line.term.as_str()))),
        column(&|line| Some(line.estimate)),
        column(&|line| line.std_error),
        column(&statistic),
        column(&|line| statistic(line).map(normal_two_sided)),
        column(&|line| bound(line, -1.0)),
        column(&|line| bound(line, 1.0)),
        Arc::new(UInt64Array::from(vec![n_used as u64; lines.len()])),
        column(&|line| line.std_error_influence),
        Arc::new(lines.iter().map(|line| line.note.as_deref()).collect::<StringArray>()),
    ];
    Ok(RecordBatch::try_new(schema, columns)?)
}
