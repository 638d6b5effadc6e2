//! Effect of a treatment on those whom an instrument moves, by cross-fitting.
//!
//! Estimates, from an instrument Z that is as good as random given covariates X and acts on the outcome Y through the
//! treatment A alone,
//!
//! ```text
//! interactive       E[g_1(X) - g_0(X)] / E[r_1(X) - r_0(X)],  g_z = E[Y | Z=z, X],  r_z = P(A=1 | Z=z, X)
//! partially_linear  theta in Y = theta A + g(X) + noise
//! ```
//!
//! by Neyman-orthogonal scores, in which errors of the learned functions of X have no first-order effect.
//!
//! # Input
//! `outcome` any number; `treatment` and `instrument` 0 or 1 (any number with 'partially_linear'); `covariates` numbers;
//! `key` names the row; `folds` may name a column. Nulls, NaN and infinities are refused with their number or dropped.
//!
//! # Output
//! Three rows of estimates (the effect, the first stage, the reduced form) and the Anderson-Rubin set, with standard
//! errors, tests, intervals and a note in words.
//!
//! # Parameters
//! `model`, `learner` and one for each target, `folds` 5, `repeats` 1, `normalise` false, `clip` 0.01, `confidence` 0.95,
//! `missing` 'refuse', `seed`, and the settings of the learners.
//!
//! # Shapes
//! n rows to four; memory O(n k); five fits (three with 'partially_linear') for each fold and repetition.
//!
//! # Errors
//! `Data` for unusable rows, constant columns, collinear or separating covariates, folds without an arm of the
//! instrument, a column in two roles, each with the column's name; `Memory`, `Cancelled`.
//!
//! # Guarantees
//! The rows in another order give the same bits if `key` is unique; so does any number of threads. Plain estimates
//! equal DoubleML 0.11.4 to 1e-6 on the 401(k) data of Abadie (2003) and the schooling data of Card (1995).
//!
//! # Source
//! Imbens and Angrist 1994; Tan 2006; Chernozhukov, Chetverikov, Demirer, Duflo, Hansen, Newey and Robins 2018, section 5.2,
//! definitions 3.1 and 3.3. We normalise by the instrument where `normalise` is set.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Float64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_causal::iv_late;
//! use causeway_core::{Literals, Relation, RunContext, call};
//!
//! // everybody encouraged takes the treatment, which adds 2
//! let column = |value: fn(u32) -> u32| Arc::new(Float64Array::from_iter_values((0..400).map(value).map(f64::from))) as _;
//! let rows = RecordBatch::try_from_iter([
//!     ("outcome", column(|row| 2 * (row % 2) + row * 7 % 11)),
//!     ("treatment", column(|row| row % 2)),
//!     ("instrument", column(|row| row % 2)),
//!     ("age", column(|row| row * 13 % 17)),
//! ])?;
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let found = call(&iv_late::Factory, Literals::default(), vec![input], &mut RunContext::for_test(1)?)?;
//! assert_eq!(found.batches[0]["term"].as_string::<i32>().value(0), "late");
//! let estimate = found.batches[0]["estimate"].as_primitive::<Float64Type>().value(0);
//! assert!((estimate - 2.0).abs() < 0.2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod estimate;
mod output;
mod params;
#[cfg(test)]
mod tests;

use causeway_core::{
    ColumnRole, ColumnSpec, InputSpec, Literals, Operator, OperatorError, OperatorFactory, Output, OutputType,
    Parameter, ParameterKind, PrivacyClaim, Relation, Result, Roles, RunContext, Spec, Transformation,
};

use self::estimate::estimate;
pub(crate) use self::estimate::{Found, NuisanceQuality, Sample};
pub(crate) use self::output::report;
pub(crate) use self::params::IvLate;
use crate::iv::options as shared;
use crate::iv::rows::{Wanted, read};

/// Makes the operator `iv_late`.
#[derive(Debug)]
pub struct Factory;

pub(crate) const ROWS: InputSpec = InputSpec {
    name: "rows",
    summary: "one row for each person",
    required: true,
    columns: &[
        shared::OUTCOME,
        ColumnRole {
            meaning: "0 untreated, 1 treated; any number with model => 'partially_linear'",
            ..shared::TREATMENT
        },
        ColumnRole {
            meaning: "0 not encouraged, 1 encouraged; any number with model => 'partially_linear'",
            ..shared::INSTRUMENT
        },
        shared::COVARIATES,
        shared::KEY,
        shared::FOLD,
    ],
};

pub(crate) const FROM_ALL: &[(&str, Transformation)] = &[
    ("outcome", Transformation::Aggregation),
    ("treatment", Transformation::Aggregation),
    ("instrument", Transformation::Aggregation),
    ("covariates", Transformation::Aggregation),
    ("folds", Transformation::Aggregation),
];

pub(crate) static PARAMETERS: [Parameter; 19] = [
    Parameter {
        name: "model",
        kind: ParameterKind::Choice(&["interactive", "partially_linear"]),
        default: Some("'interactive'"),
        unit: "",
        meaning: "an effect that may differ between persons, or one that is the same for all",
    },
    shared::LEARNER,
    shared::OUTCOME_LEARNER,
    shared::TREATMENT_LEARNER,
    shared::INSTRUMENT_LEARNER,
    shared::FOLDS,
    shared::REPEATS,
    Parameter {
        name: "normalise",
        kind: ParameterKind::Boolean,
        default: Some("false"),
        unit: "",
        meaning: "with 'interactive': divide the weights by their means",
    },
    shared::CLIP,
    shared::CONFIDENCE,
    shared::MISSING,
    shared::SEED,
    shared::TREES,
    shared::DEPTH,
    shared::MIN_LEAF,
    shared::TRIED,
    shared::LEARNING_RATE,
    shared::PENALTY,
    shared::L1_RATIO,
];

static SPEC: Spec = Spec {
    name: "iv_late",
    family: "causal",
    version: 1,
    summary: "Effect of a treatment by a valid instrument, with cross-fitted learners (interactive or partially linear).",
    details: "
`model => 'interactive'`: local average treatment effect, the mean effect on the compliers, who take the treatment if and
only if encouraged. With g_z(X) = E[Y | Z=z, X], r_z(X) = P(A=1 | Z=z, X), m(X) = P(Z=1 | X)

    psi_b = g_1 - g_0 + Z (Y - g_1) / m - (1 - Z) (Y - g_0) / (1 - m),   psi_a the same with A and r,
    estimate = mean(psi_b) / mean(psi_a),   std_error = sqrt(mean((psi_b - estimate psi_a)^2) / n) / |mean(psi_a)|.

`normalise => true` divides the weights Z/m and (1-Z)/(1-m) by their means over all rows (Hajek), which helps where m comes
close to 0 or 1. m is moved into [`clip`, 1 - `clip`]. If the treatment has one value within an arm of the instrument (nobody
treated without encouragement), r_z is that value and is not learned.

`model => 'partially_linear'`: the effect theta of Y = theta A + g(X) + noise, the same for all. Y, A and Z are predicted
from X; with the residuals, estimate = sum(Z Y) / sum(Z A). A and Z may be any numbers.

Cross-fitting: every row is predicted by fits to the other folds. The fold of a row is a hash of its key and the seed,
or the value of the column that `folds` names. A `key` makes the result independent of the order of the rows, and keeps
rows of one key in one fold; standard errors still take the rows as independent. `repeats` => r divides r times anew: the estimate is the median, its variance the
median of v + (estimate_r - estimate)^2; the Anderson-Rubin set is that of the division with the median estimate.

Learners: 'linear' least squares (a logit for a probability), 'lasso' and 'elastic_net' with a penalty chosen by
five-fold cross-validation within the other folds, 'forest' the mean of trees over rows drawn with replacement, 'boosting' a
sum of small trees. `outcome_learner`, `treatment_learner`, `instrument_learner` name another for one target; named so,
'linear' is least squares for a probability too.

Rows: `late` (or `effect`); `first_stage`, the effect of the instrument on the treatment (the share of compliers, or
the slope); `reduced_form`, its effect on the outcome; `anderson_rubin`, the test of no effect and the set of effects not rejected, valid however
weak the instrument is: an interval, two rays or the whole line, as `note` says. `note` warns of a weak first
stage (F < 10), of clipped probabilities and of one-sided non-compliance. The report holds, for each learned
function, the root mean squared error of held-out rows beside that of the mean; `iv_late_nuisances` returns it as rows.

What it rests on: given X the instrument is as good as random and acts on Y through A only, it moves nobody away from
the treatment, and 0 < m < 1. None of this can be seen in the data. Linear learners are poor where the outcome is curved
in X: on the 401(k) data of 1991 linear terms give 1,828 dollars with a standard error of 5,751, forests 11,686 with 1,626; compare
learners.

Refused: null, NaN and infinite numbers (or dropped, `missing => 'drop'`), constant columns, with linear learners also
collinear covariates and perfect separation. Cost: a fit for each function, fold and repetition; memory O(n k).",
    inputs: &[ROWS],
    parameters: &PARAMETERS,
    output: &[
        ColumnSpec {
            name: "term",
            kind: OutputType::Utf8,
            nullable: false,
            unit: "",
            meaning: "`late` or `effect`, `first_stage`, `reduced_form`, `anderson_rubin`",
            from: &[],
        },
        number("estimate", "of `outcome`, by one of `treatment`", "null for `anderson_rubin`"),
        number("std_error", "as `estimate`", "null for `anderson_rubin`"),
        number("statistic", "", "estimate / std_error; for `anderson_rubin` that of the reduced form"),
        number("p_value", "probability", "two-sided, of the standard normal distribution"),
        number("conf_low", "as `estimate`", "lower end; the end of the left ray; null if the set is the whole line"),
        number("conf_high", "as `estimate`", "upper end; the end of the right ray; null if the set is the whole line"),
        ColumnSpec {
            name: "n_used",
            kind: OutputType::UInt64,
            nullable: false,
            unit: "rows",
            meaning: "rows without a missing number",
            from: FROM_ALL,
        },
        ColumnSpec {
            name: "note",
            kind: OutputType::Utf8,
            nullable: true,
            unit: "",
            meaning: "shape of the set, and warnings; null if there is nothing to say",
            from: FROM_ALL,
        },
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Imbens and Angrist 1994; Tan 2006; Chernozhukov et al. 2018, Double/debiased machine learning, section 5.2; Fieller 1954; Anderson and Rubin 1949",
    example: "SELECT * FROM iv_late((SELECT * FROM clinical.cohort), outcome => 'y', treatment => 'a', instrument => 'z', covariates => ARRAY['age', 'sex'], learner => 'forest')",
};

const fn number(name: &'static str, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable: true, unit, meaning, from: FROM_ALL }
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
        output::assemble(self.output_schema()?, &self.params, &sample, &found)
    }
}

/// Reads the rows and estimates over all divisions into folds.
pub(crate) fn learn(
    operator: &'static str,
    params: &IvLate,
    roles: &Roles,
    inputs: Vec<Relation>,
    context: &RunContext,
) -> Result<(Sample, Found)> {
    let relation = inputs
        .into_iter()
        .next()
        .ok_or_else(|| OperatorError::Internal { operator, problem: "no input relation".to_owned() })?;
    let mut numbers = vec![roles.required("outcome")?, roles.required("treatment")?, roles.required("instrument")?];
    numbers.extend(roles.columns("covariates"));
    let wanted = Wanted {
        operator,
        numbers: &numbers,
        key: roles.column("key"),
        fold: roles.column("folds"),
        missing: params.missing,
    };
    let rows = read(wanted, relation, context)?;
    let names = numbers.iter().map(|column| column.name.clone()).collect();
    let sample = Sample::new(operator, params.model, rows, names)?;
    let found = estimate(operator, params, &sample, params.seed.unwrap_or(context.seed().0), context)?;
    context.progress(1.0);
    Ok((sample, found))
}
