//! Every tuple of learners that `iv_ate` chooses from, with its estimate and pseudo-risk.
//!
//! For each nuisance of `iv_ate` (pi, p, m, C) and each candidate learner, fits outside every fold and combines the fits to
//! one estimate for each tuple and fold s. The pseudo-risk of a tuple k is
//!
//! ```text
//! sum over nuisances j of  max over l, l'  mean_s (psi_s(k with l for j) - psi_s(k with l' for j))^2
//! ```
//!
//! # Input
//! As `iv_ate`, without covariates of single models.
//!
//! # Output
//! One row for each tuple: the four learners, `estimate` and `std_error` (unit of the outcome), `pseudo_risk` (its square),
//! `rank`, `chosen`, `share_weak`, `n_used`.
//!
//! # Parameters
//! `learners`, `min_d`, `weak_share`, and folds and settings of learners as in `iv_ate`.
//!
//! # Shapes
//! n rows, c candidates to c^4 rows; c (1 + 4 + 2 c^2) fits for each fold and repetition; memory O(n c^3).
//!
//! # Errors
//! As `iv_ate`, but weak tuples are shown, not refused.
//!
//! # Guarantees
//! Estimates by fold and risks of 16 tuples equal plain numpy code to 1e-8.
//!
//! # Source
//! Cui and Tchetgen Tchetgen, Selective machine learning of doubly robust functionals, Biometrika 111 (2024), for two
//! nuisances; the sum over four is ours.
//!
//! # Example
//! ```
//! use causeway_causal::{iv_selection, simulate_iv};
//! use causeway_core::{Literals, Relation, RunContext, call};
//!
//! let rows = call(&simulate_iv::Factory, Literals::default(), vec![], &mut RunContext::for_test(1)?)?.batches;
//! let input = Relation::from_batches(rows[0].schema(), rows);
//! let tuples = call(&iv_selection::Factory, Literals::default(), vec![input], &mut RunContext::for_test(1)?)?;
//! assert_eq!(tuples.batches[0].num_rows(), 16);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt64Array};
use causeway_core::{
    ColumnSpec, InputSpec, Literal, Literals, Operator, OperatorFactory, Output, OutputType, PrivacyClaim, Relation,
    Report, Result, Roles, RunContext, Spec, Transformation,
};
use serde_json::json;

use crate::iv::options as shared;
use crate::iv_ate::{Combined, Divisions, Fitting, Selection, Study, Tuple, params as options};

/// Makes the operator `iv_selection`.
#[derive(Debug)]
pub struct Factory;

const FROM_ALL: &[(&str, Transformation)] = &[
    ("outcome", Transformation::Aggregation),
    ("treatment", Transformation::Aggregation),
    ("instrument", Transformation::Aggregation),
    ("covariates", Transformation::Aggregation),
    ("folds", Transformation::Aggregation),
];

static SPEC: Spec = Spec {
    name: "iv_selection",
    family: "causal",
    version: 1,
    summary: "Estimates and pseudo-risks of all tuples of learners that iv_ate chooses from.",
    details: "
`iv_ate(…, estimator => 'selective')` learns four nuisances: P(Z=1 | X), P(A=1 | Z, X), E[Y | Z, X] and Cov(A, Y | Z, X). With the same
options this operator shows every combination of the candidates `learners`: one row for each tuple.

`pseudo_risk` is the sum over the four nuisances of the largest mean squared change of the estimate, over folds, when the learner
of that nuisance alone is exchanged for another. It is near 0 only if the estimate does not depend on any single choice, as
is so where enough nuisances are right. The tuple with the smallest is `chosen`; ties go to the first names. `estimate` and `std_error`
are those of `iv_ate` with the tuple's learners. `share_weak` is the share of rows with |D(X)| < `min_d`.

Read the spread of the estimates as well: where all candidates are wrong the smallest risk is no recommendation. The
error of the chosen tuple does not count the choice. Cost: c candidates take c (1 + 4 + 2 c^2) fits for each fold and
repetition, and c^4 combinations of them.",
    inputs: &[InputSpec {
        name: "rows",
        summary: "one row for each person",
        required: true,
        columns: &[
            shared::OUTCOME,
            shared::TREATMENT,
            shared::INSTRUMENT,
            shared::COVARIATES,
            shared::KEY,
            shared::FOLD,
        ],
    }],
    parameters: &[
        options::CANDIDATES,
        options::MIN_D,
        options::WEAK_SHARE,
        shared::FOLDS,
        shared::REPEATS,
        shared::CLIP,
        shared::MISSING,
        shared::SEED,
        shared::TREES,
        shared::DEPTH,
        shared::MIN_LEAF,
        shared::TRIED,
        shared::LEARNING_RATE,
        shared::PENALTY,
        shared::L1_RATIO,
    ],
    output: &[
        word("instrument_learner", "learner of P(Z=1 | X)"),
        word("treatment_learner", "learner of P(A=1 | Z, X)"),
        word("outcome_learner", "learner of E[Y | Z, X]"),
        word("confounding_learner", "learner of Cov(A, Y | Z, X)"),
        number("estimate", "of `outcome`", "the average effect with these learners"),
        number("std_error", "of `outcome`", "its error by the influence function"),
        number("pseudo_risk", "of `outcome`, squared", "the smaller, the less single learners matter"),
        ColumnSpec {
            name: "rank",
            kind: OutputType::UInt64,
            nullable: false,
            unit: "",
            meaning: "1 for the smallest pseudo-risk; ties by the names",
            from: FROM_ALL,
        },
        ColumnSpec {
            name: "chosen",
            kind: OutputType::Boolean,
            nullable: false,
            unit: "",
            meaning: "true for the tuple that iv_ate takes",
            from: FROM_ALL,
        },
        number("share_weak", "share of rows", "rows with |D(X)| < `min_d`"),
        ColumnSpec {
            name: "n_used",
            kind: OutputType::UInt64,
            nullable: false,
            unit: "rows",
            meaning: "rows without a missing number",
            from: FROM_ALL,
        },
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Cui and Tchetgen Tchetgen 2024, carried over to four nuisances",
    example: "SELECT * FROM iv_selection((SELECT * FROM clinical.cohort), outcome => 'y', treatment => 'a', instrument => 'z', learners => ARRAY['constant', 'linear', 'forest']) ORDER BY rank",
};

const fn number(name: &'static str, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable: true, unit, meaning, from: FROM_ALL }
}

const fn word(name: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Utf8, nullable: false, unit: "", meaning, from: &[] }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let mut literals = literals.clone();
        literals.insert("learner", Literal::Text("linear".to_owned())); // of a nuisance without candidates: there is none
        Ok(Box::new(Bound { params: Fitting::from_literals(SPEC.name, &literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: Fitting,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let study = Study::read(SPEC.name, &self.roles, &[], self.params.missing, inputs, context)?;
        let divisions = Divisions::fit(&study, &self.params, self.params.library(), context)?;
        let tuples = divisions.library.tuples();
        let selection = divisions.select(&tuples, context)?;
        let mut found = Vec::with_capacity(tuples.len());
        for tuple in &tuples {
            context.check_cancelled()?;
            let Combined { ate, share_weak, .. } = divisions.combine(tuple);
            found.push([ate.estimate, ate.std_error, share_weak]);
        }
        context.progress(1.0);
        let report = Report::from([
            ("n_used", study.sample.len().into()),
            ("n_dropped", study.rows.n_dropped.into()),
            ("seed", divisions.seed.into()),
            ("folds", json!(divisions.fingerprints())),
        ]);
        let columns = columns(&divisions, &tuples, &selection, &found, study.sample.len());
        Ok(Output { batches: vec![RecordBatch::try_new(self.output_schema()?, columns)?], report })
    }
}

fn columns(
    divisions: &Divisions<'_>,
    tuples: &[Tuple],
    selection: &Selection,
    found: &[[f64; 3]],
    n_used: usize,
) -> Vec<ArrayRef> {
    let names = |nuisance: usize| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(tuples.iter().map(|tuple| divisions.library.names(tuple)[nuisance])))
    };
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let number =
        |index: usize| -> ArrayRef { Arc::new(found.iter().map(|row| finite(row[index])).collect::<Float64Array>()) };
    let ranks = selection.ranks.iter().map(|rank| *rank as u64);
    let chosen = (0..tuples.len()).map(|index| Some(index == selection.chosen));
    vec![
        names(0),
        names(1),
        names(2),
        names(3),
        number(0),
        number(1),
        Arc::new(selection.risks.iter().map(|risk| finite(*risk)).collect::<Float64Array>()),
        Arc::new(UInt64Array::from_iter_values(ranks)),
        Arc::new(chosen.collect::<BooleanArray>()),
        number(2),
        Arc::new(UInt64Array::from(vec![n_used as u64; tuples.len()])),
    ]
}
