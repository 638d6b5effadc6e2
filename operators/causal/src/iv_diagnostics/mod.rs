//! Are the instruments strong, valid, needed? Tests of a linear regression with instruments.
//!
//! ```text
//! F           Z in the regression of D on W = [X Z]: classical, robust, effective
//! AR(b)       [(Y - bD)'M_X P_Z~ (Y - bD) / kz] / [(Y - bD)'M_W (Y - bD) / (n - dim W)] ~ F(kz, n - dim W)
//! set         {b : AR(b) not rejected}: interval, empty, two rays or the whole line
//! Sargan      n e'P_W e / e'e;  J = g'S^-1 g of two-step GMM: do the instruments agree
//! Wu-Hausman  F of the first-stage residuals in the regression of Y on X and D
//! ```
//!
//! # Input
//! As `iv_regression`.
//!
//! # Output
//! One row for each test: `diagnostic`, `treatment`, `statistic`, `df1`, `df2`, `p_value`, `low`, `high`, `shape`,
//! `note` in words.
//!
//! # Parameters
//! `se` `'hc1'`, or `'cluster'` with `cluster`; `small_sample` true; `confidence` 0.95 in (0, 1), of the
//! Anderson-Rubin sets; `missing` `'refuse'`.
//!
//! # Shapes
//! n rows of p columns to about ten rows; three passes of O(n p^2), memory as `iv_regression`.
//!
//! # Errors
//! As `iv_regression`. Tests that cannot be computed have null and say why.
//!
//! # Guarantees
//! The Anderson-Rubin sets hold at any strength of the instruments, the classical one under equal variances. Equal to
//! linearmodels 7.1 and plain numpy formulas on six real cases to 1e-8 relative (J 1e-6); the four shapes exact.
//!
//! # Source
//! Anderson and Rubin 1949; Dufour and Taamouti 2005 (the set); Montiel Olea and Pflueger 2013, eq. 11 and section 4
//! (effective F and its critical value); Cragg and Donald 1993; Sargan 1958; Basmann 1960; Hansen 1982; Wooldridge 1995; Wu 1973; Hausman 1978.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
//! use causeway_causal::iv_diagnostics;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//!
//! let column = |value: fn(f64, f64) -> f64| -> ArrayRef {
//!     Arc::new(Float64Array::from_iter_values((0..400).map(|row| value(f64::from(row % 2), f64::from(row / 2 % 7)))))
//! };
//! let rows = RecordBatch::try_from_iter([
//!     ("lottery", column(|lottery, _| lottery)),
//!     ("dose", column(|lottery, hidden| lottery + hidden)),
//!     ("outcome", column(|lottery, hidden| 2.0 * (lottery + hidden) - 5.0 * hidden)),
//! ])?;
//! let mut options = Literals::default();
//! options.insert("treatment", Literal::Text("dose".to_owned()));
//! options.insert("instruments", Literal::Text("lottery".to_owned()));
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let found = call(&iv_diagnostics::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let names = found.batches[0]["diagnostic"].as_string::<i32>();
//! let position = names.iter().position(|name| name == Some("ar_set_classic")).unwrap();
//! assert_eq!(found.batches[0]["shape"].as_string::<i32>().value(position), "interval");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod confidence_set;
#[cfg(test)]
mod tests;

use causeway_core::{
    Literals, Operator, OperatorError, OperatorFactory, Output, PrivacyClaim, Relation, Result, Roles, RunContext, Spec,
};

use self::algorithm::{Diagnostic, Parts};
use self::confidence_set::ConfidenceSet;
use crate::linear_iv::roles::{CONFIDENCE, MISSING, ROBUST, ROWS, SMALL_SAMPLE, number, words};
use crate::linear_iv::{Design, Model, Options, StandardErrors, Table, Value};

/// Makes the operator `iv_diagnostics`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "iv_diagnostics",
    family: "causal",
    version: 1,
    summary: "Tests of a regression with instruments: strength, agreement, endogeneity, Anderson-Rubin sets.",
    details: "
The model is that of `iv_regression`; W = [X Z], Z~ is Z less its regression on X, M_W the residual maker of W.

Strength, for each treatment: `partial_r2`; `first_stage_f_classic`, the F of Z under equal variances;
`first_stage_f_robust` with the covariance of `se`. For one treatment `first_stage_f_effective` (Montiel Olea and Pflueger):
D'P D over the trace of (Z~'Z~)^-1 times the covariance of Z~'v; `df1` are its effective degrees of freedom and `note` has the 5 %
point for a bias of at most 10 % of the worst case (23.1 for one instrument). For several treatments `cragg_donald_f`.

Effect, for one treatment: `ar_set_classic` and `ar_set_robust` (covariance of `se`). `statistic` and `p_value` test that there is no effect;
`low`, `high` and `shape` are the effects that the test does not reject at `confidence`. `interval`: from low to
high. `two_rays`: up to low and from high on. `real_line`: all. `empty`: none; then the model or an instrument is wrong. `union`:
several pieces, listed in `note`, from low to high (robust, several instruments). The sets are right however weak the
instruments are. The robust set is found by a search over the whole line bent to a circle, 1440 points and the minima between them.

Agreement, if there are more instruments than treatments: `j_robust`, Hansen's J of two-step GMM, is the one to read;
`wooldridge_score` is close to it; `sargan` and `basmann` assume equal variances and can mislead: on the 401(k)
data in the tests Sargan rejects with p = 0.001 where J has p = 0.26.

`wu_hausman`: F of the first-stage residuals in the least squares of Y on X and D: do least squares and instruments differ.

Missing values, `cluster` and `absorb` as in `iv_regression`; with `absorb` the weight of J has no scores of the levels.
A test that cannot be computed has null and a note.",
    inputs: &[ROWS],
    parameters: &[ROBUST, SMALL_SAMPLE, CONFIDENCE, MISSING],
    output: &[
        words("diagnostic", false, "the test or measure"),
        words("treatment", true, "the treatment it is about; null if about all"),
        number("statistic", "", "its value; null if it cannot be computed"),
        number("df1", "", "degrees of freedom of the F or chi-square"),
        number("df2", "", "degrees of freedom below the line of an F"),
        number("p_value", "probability", "of the hypothesis of the test"),
        number("low", "of `outcome` per unit of `treatment`", "an end of the set; null where it is infinite or there is none"),
        number("high", "of `outcome` per unit of `treatment`", "the other end"),
        words("shape", true, "of the set: `interval`, `empty`, `two_rays`, `real_line`, `union`"),
        words("note", false, "what it says, in words"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Anderson and Rubin 1949; Dufour and Taamouti 2005; Montiel Olea and Pflueger 2013; Cragg and Donald 1993; Sargan 1958; Basmann 1960; Hansen 1982; Wooldridge 1995; Wu 1973; Hausman 1978",
    example: "SELECT * FROM iv_diagnostics((SELECT * FROM clinical.cohort), outcome => 'y', treatment => ARRAY['dose'], instruments => ARRAY['distance', 'policy'], covariates => ARRAY['age', 'sex'])",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let options = Options::from_literals(SPEC.name, literals, &roles)?;
        let design = Design::new(SPEC.name, &roles, options.standard_errors == StandardErrors::Cluster)?;
        Ok(Box::new(Bound { options, design, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    options: Options,
    design: Design,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let rows = inputs
            .into_iter()
            .next()
            .ok_or_else(|| OperatorError::Internal { operator: SPEC.name, problem: "no input relation".to_owned() })?;
        let mut model = Model::read(SPEC.name, &self.design, &self.options, rows, true, context)?;
        context.progress(0.4);
        let diagnostics = diagnostics(&mut model, &self.options, context)?;
        context.progress(1.0);
        let mut report = model.report(&self.options);
        let warnings = diagnostics.iter().filter(|row| row.warns()).map(|row| format!("{}: {}", row.name, row.note));
        report.insert("warnings", warnings.collect::<Vec<String>>().into());
        let mut table = Table::default();
        diagnostics.into_iter().for_each(|row| table.push(cells(row)));
        table.finish(SPEC.name, self.output_schema()?, report)
    }
}

fn diagnostics(model: &mut Model, options: &Options, context: &RunContext) -> Result<Vec<Diagnostic>> {
    let n_treatments = model.layout.treatments().len();
    let parts = Parts::new(model, options, context)?;
    let mut rows = Vec::new();
    for index in 0..n_treatments {
        rows.extend([parts.partial_r2(index), parts.classical_f(index), parts.robust_f(index)]);
    }
    if n_treatments == 1 {
        rows.extend([parts.effective_f(), parts.anderson_rubin(), parts.robust_anderson_rubin()]);
    } else {
        rows.push(parts.cragg_donald());
    }
    if parts.n_restrictions() > 0 {
        rows.push(parts.hansen()?);
        rows.push(parts.wooldridge());
        rows.extend(parts.sargan());
    } else {
        rows.push(Diagnostic {
            name: "j_robust",
            note: "as many instruments as treatments: their agreement cannot be tested".to_owned(),
            ..Diagnostic::default()
        });
    }
    rows.push(parts.wu_hausman());
    Ok(rows)
}

impl Diagnostic {
    /// Returns true if the note is a warning.
    fn warns(&self) -> bool {
        let unbounded = self.set.as_ref().is_some_and(ConfidenceSet::is_unbounded);
        let is_empty = self.set == Some(ConfidenceSet::Empty);
        unbounded || is_empty || self.note.starts_with("weak") || self.note.contains("disagree: not all")
    }
}

fn cells(row: Diagnostic) -> Vec<Value> {
    let number = |value: Option<f64>| value.map_or(Value::Null, Value::Number);
    let ends = row.set.as_ref().and_then(ConfidenceSet::ends);
    vec![
        Value::words(row.name),
        row.treatment.map_or(Value::Null, Value::Text),
        number(row.statistic),
        number(row.df1),
        number(row.df2),
        number(row.p_value),
        number(ends.map(|(low, _)| low)),
        number(ends.map(|(_, high)| high)),
        row.set.as_ref().map_or(Value::Null, |set| Value::words(set.shape())),
        Value::Text(row.note),
    ]
}
