//! The rows of the result, the notes in words and the report.

use std::sync::Arc;

use arrow::array::{Float64Array, RecordBatch, StringArray, UInt64Array};
use arrow::datatypes::SchemaRef;
use causeway_core::{Output, Report, Result};
use serde_json::{Value, json};

use super::algorithm::{ConfidenceSet, Estimate};
use super::estimate::{Found, NuisanceQuality, Sample};
use super::params::{IvLate, Model};

/// A first stage below is called weak (Staiger and Stock 1997).
const STRONG_F: f64 = 10.0;

/// One row of the result.
#[derive(Debug, Default)]
struct Row {
    term: &'static str,
    estimate: Option<f64>,
    std_error: Option<f64>,
    statistic: f64,
    p_value: f64,
    low: Option<f64>,
    high: Option<f64>,
    note: Vec<String>,
}

/// Makes the result.
pub(super) fn assemble(schema: SchemaRef, params: &IvLate, sample: &Sample, found: &Found) -> Result<Output> {
    let term = if params.model == Model::Interactive { "late" } else { "effect" };
    let first_stage = Row {
        note: weakness(sample, found).into_iter().collect(),
        ..Row::of("first_stage", found.first_stage, params.confidence)
    };
    let rows = [
        Row { note: warnings(params, sample, found), ..Row::of(term, found.effect, params.confidence) },
        first_stage,
        Row::of("reduced_form", found.reduced_form, params.confidence),
        Row::of_set(found.middle_set(), found.reduced_form),
    ];
    let numbers = |part: fn(&Row) -> Option<f64>| Arc::new(rows.iter().map(part).collect::<Float64Array>());
    let note = |row: &Row| (!row.note.is_empty()).then(|| row.note.join("; "));
    let n_used = UInt64Array::from_iter_values(rows.iter().map(|_| sample.rows.n() as u64));
    let batch = RecordBatch::try_new(
        schema,
        vec![
            Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.term))),
            numbers(|row| row.estimate),
            numbers(|row| row.std_error),
            numbers(|row| Some(row.statistic)),
            numbers(|row| Some(row.p_value)),
            numbers(|row| row.low),
            numbers(|row| row.high),
            Arc::new(n_used),
            Arc::new(rows.iter().map(note).collect::<StringArray>()),
        ],
    )?;
    Ok(Output { batches: vec![batch], report: report(params, sample, found) })
}

impl Row {
    fn of(term: &'static str, estimate: Estimate, confidence: f64) -> Self {
        let (low, high) = estimate.interval(confidence);
        Self {
            term,
            estimate: Some(estimate.value),
            std_error: Some(estimate.std_error),
            statistic: estimate.statistic(),
            p_value: estimate.p_value(),
            low: Some(low),
            high: Some(high),
            note: Vec::new(),
        }
    }

    fn of_set(set: ConfidenceSet, reduced_form: Estimate) -> Self {
        let (low, high, note) = match set {
            ConfidenceSet::Interval(low, high) => (Some(low), Some(high), "interval"),
            ConfidenceSet::TwoRays(low, high) => {
                (Some(low), Some(high), "two rays: effects up to conf_low and from conf_high on")
            }
            ConfidenceSet::Line => (None, None, "the whole line: the instrument is too weak to exclude any effect"),
        };
        Self {
            term: "anderson_rubin",
            statistic: reduced_form.statistic(),
            p_value: reduced_form.p_value(),
            low,
            high,
            note: vec![note.to_owned()],
            ..Self::default()
        }
    }
}

fn first_stage_f(found: &Found) -> f64 {
    found.first_stage.statistic().powi(2)
}

fn weakness(sample: &Sample, found: &Found) -> Option<String> {
    let f = first_stage_f(found);
    (f < STRONG_F).then(|| {
        format!(
            "weak first stage: F = {f:.2} of instrument `{}` is below {STRONG_F}, read the set of `anderson_rubin` instead \
             of the interval",
            sample.names[2]
        )
    })
}

fn warnings(params: &IvLate, sample: &Sample, found: &Found) -> Vec<String> {
    let mut warnings: Vec<String> = weakness(sample, found).into_iter().collect();
    let most_clipped = found.divisions.iter().map(|division| division.share_clipped).fold(0.0, f64::max);
    if most_clipped > 0.0 {
        warnings.push(format!(
            "clipped: in {:.2} % of the rows the fitted probability of instrument `{}` lay outside [{}, {}]",
            100.0 * most_clipped,
            sample.names[2],
            params.clip,
            1.0 - params.clip
        ));
    }
    if params.model == Model::Interactive {
        warnings.extend(one_sided(sample));
    }
    warnings
}

/// Says where the treatment needs no learning.
fn one_sided(sample: &Sample) -> Vec<String> {
    let [without, with] = sample.constant_treatment;
    let is = |value: Option<f64>, wanted: f64| value.is_some_and(|value| (value - wanted).abs() <= 0.0);
    let (treatment, instrument) = (&sample.names[1], &sample.names[2]);
    let mut notes = Vec::new();
    if is(without, 0.0) {
        notes.push(format!(
            "one-sided non-compliance: nobody has `{treatment}` = 1 with `{instrument}` = 0, so r_0 = 0 and the effect is \
             that on the treated"
        ));
    }
    if is(with, 1.0) {
        notes.push(format!(
            "one-sided non-compliance: everybody with `{instrument}` = 1 has `{treatment}` = 1, so r_1 = 1"
        ));
    }
    notes
}

/// Returns what lineage keeps of the estimates.
pub(crate) fn report(params: &IvLate, sample: &Sample, found: &Found) -> Report {
    let division = |division: &super::estimate::Division| {
        json!({
            "estimate": division.effect.value, "std_error": division.effect.std_error,
            "folds": division.fingerprint, "share_clipped": division.share_clipped,
            "nuisances": division.qualities.iter().map(nuisance).collect::<Vec<Value>>(),
        })
    };
    Report::from([
        ("model", params.model.name().into()),
        ("n_used", sample.rows.n().into()),
        ("n_dropped", sample.rows.n_dropped.into()),
        ("covariates", json!(sample.names[3..])),
        ("n_folds", found.divisions.first().map_or(0, |division| division.n_folds).into()),
        ("seed", found.seed.into()),
        ("first_stage_f", json!(first_stage_f(found))),
        ("divisions", found.divisions.iter().map(division).collect()),
        ("warnings", json!(warnings(params, sample, found))),
    ])
}

fn nuisance(quality: &NuisanceQuality) -> Value {
    json!({
        "target": quality.target, "instrument": quality.instrument, "learner": quality.learner,
        "rmse": quality.quality.rmse, "rmse_of_mean": quality.quality.rmse_of_mean,
    })
}
