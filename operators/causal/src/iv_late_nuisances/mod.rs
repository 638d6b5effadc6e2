//! How well the functions behind an estimate of `iv_late` predict.
//!
//! Runs the fits of [`crate::iv_late`] with the same options and returns one row for each learned function and division
//! into folds: its error on the rows left out, beside that of their mean.
//!
//! # Input, Parameters, Errors, Guarantees, Source
//! As [`crate::iv_late`].
//!
//! # Output
//! `division` from 1, `target`, `instrument`, `learner`, `rmse`, `rmse_of_mean`, `share_clipped`, `folds`.
//!
//! # Shapes
//! Up to five rows for each division, three with `model => 'partially_linear'`.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
use causeway_core::{
    ColumnSpec, Literals, Operator, OperatorFactory, Output, OutputType, PrivacyClaim, Relation, Result, Roles,
    RunContext, Spec,
};

use crate::iv_late::{FROM_ALL, Found, IvLate, NuisanceQuality, PARAMETERS, ROWS, learn, report};

/// Makes the operator `iv_late_nuisances`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "iv_late_nuisances",
    family: "causal",
    version: 1,
    summary: "The learned functions behind an estimate of `iv_late`, with their errors on rows left out.",
    details: "
Runs the same fits as `iv_late` with the same options, and returns how well they predict instead of what follows. `target` is
the column learned; `instrument` is the arm of the instrument it is learned in, null if in all rows. `rmse` is the root of the mean squared
error of rows in the folds left out, within that arm; `rmse_of_mean` that of the rows' own mean as the only prediction. A
learner whose `rmse` is above it predicts nothing: try another. A function that is known needs no row (nobody treated without
encouragement). `share_clipped` is the share of all rows whose probability of the instrument was moved into [`clip`, 1 - `clip`];
`folds` is a fingerprint of which keys are in which fold. A better prediction does not by itself make the estimate right: what `iv_late`
rests on cannot be seen in the data. Nulls and cost are those of `iv_late`.",
    inputs: &[ROWS],
    parameters: &PARAMETERS,
    output: &[
        column("division", OutputType::UInt64, "", "1 to `repeats`"),
        column("target", OutputType::Utf8, "", "the column learned"),
        ColumnSpec {
            nullable: true,
            ..column("instrument", OutputType::UInt64, "", "the value of the instrument in the rows learned from; null if all")
        },
        column("learner", OutputType::Utf8, "", "the learner"),
        column("rmse", OutputType::Float64, "of `target`", "root mean squared error of rows left out"),
        column("rmse_of_mean", OutputType::Float64, "of `target`", "the same for the mean of those rows"),
        column("share_clipped", OutputType::Float64, "", "rows whose probability of the instrument was clipped"),
        column("folds", OutputType::Utf8, "", "fingerprint of the folds, 16 hexadecimal digits"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Chernozhukov et al. 2018, Double/debiased machine learning",
    example: "SELECT * FROM iv_late_nuisances((SELECT * FROM clinical.cohort), outcome => 'y', treatment => 'a', instrument => 'z', covariates => ARRAY['age', 'sex'], learner => 'forest')",
};

const fn column(name: &'static str, kind: OutputType, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: false, unit, meaning, from: FROM_ALL }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { params: IvLate::new(SPEC.name, literals, &roles)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: IvLate,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let (sample, found) = learn(SPEC.name, &self.params, &self.roles, inputs, context)?;
        let batch = RecordBatch::try_new(self.output_schema()?, columns(&found))?;
        Ok(Output { batches: vec![batch], report: report(&self.params, &sample, &found) })
    }
}

fn columns(found: &Found) -> Vec<ArrayRef> {
    let mut rows = Vec::new();
    for (number, division) in (1..).zip(&found.divisions) {
        rows.extend(division.qualities.iter().map(|quality| (number, division, quality)));
    }
    let doubles = |value: fn(&NuisanceQuality) -> f64| -> ArrayRef {
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, _, quality)| value(quality))))
    };
    vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|(number, ..)| *number))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, _, quality)| &quality.target))),
        Arc::new(rows.iter().map(|(_, _, quality)| quality.instrument.map(u64::from)).collect::<UInt64Array>()),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, _, quality)| quality.learner))),
        doubles(|quality| quality.quality.rmse),
        doubles(|quality| quality.quality.rmse_of_mean),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|(_, division, _)| division.share_clipped))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|(_, division, _)| &division.fingerprint))),
    ]
}
