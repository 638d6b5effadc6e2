//! Linear regression with instruments: 2SLS, LIML, Fuller and two-step GMM.
//!
//! Estimates b in Y = Q b + e, Q = [X D], where X is exogenous, D is not, and Z moves D but not e:
//!
//! ```text
//! k-class  b = (Q'(I - kappa M_W) Q)^-1 Q'(I - kappa M_W) Y           W = [X Z]
//!          2sls kappa = 1;  liml the smallest root of |[Y D]'M_X[Y D] - kappa [Y D]'M_W[Y D]|;
//!          fuller liml's kappa - c / (n - dim W)
//! gmm      b = (Q'W S^-1 W'Q)^-1 Q'W S^-1 W'Y                         S = sum w w' e^2, e of 2sls
//! robust   V = A Qh' diag(e^2) Qh A,  A = (Q'(I - kappa M_W) Q)^-1,  Qh = P_W Q
//! ```
//!
//! # Input
//! `outcome`, `treatment`, `instruments`, `covariates` numbers or booleans in any unit; `cluster`, `absorb`
//! categories. Rows with nulls, NaN or infinities are refused with their number, or dropped with `missing => 'drop'`.
//!
//! # Output
//! One row for each coefficient, constant and covariates first: `term`, `role`, `estimate` (unit of the outcome
//! per unit of the term), `std_error`, `statistic`, `p_value`, `conf_low`, `conf_high`, `df`, `n_used`.
//!
//! # Parameters
//! `method` `'2sls'`; `se` `'hc1'`, or `'cluster'` with `cluster`; `small_sample` true; `distribution` `'t'`;
//! `confidence` 0.95 in (0, 1); `fuller` 1 > 0; `missing` `'refuse'`.
//!
//! # Shapes
//! n rows of p columns to k rows; O(n p^2) in one pass with `se => 'classic'`, in two with robust errors, three
//! with GMM. Rows are kept up to 256 MiB for the passes after the first and spilled beyond; else memory is O(p^2),
//! with clusters O(G p), with absorbed effects O(levels p + combinations of levels).
//!
//! # Errors
//! `Parameter` for a column in two roles or fewer instruments than treatments; `Data` for missing values, constant or
//! collinear columns by name, instruments that do not move the treatment, too few rows; `Memory`, `Scratch`,
//! `NotConverged` (absorbed effects), `Cancelled`.
//!
//! # Guarantees
//! Consistent if the instruments act on the outcome by the treatments alone and move each of them; standard errors hold
//! for strong instruments only: see `iv_diagnostics`. Equal to linearmodels 7.1 on six real cases: coefficients and
//! standard errors to 1e-8 relative, LIML and GMM to 1e-6. The same bytes for any number of threads and any cut into
//! batches; within 1e-12 for any order of the rows.
//!
//! # Source
//! Theil 1953 and Basmann 1957 (2SLS); Anderson and Rubin 1949 (LIML); Fuller 1977; Hansen 1982 (GMM); White 1980,
//! MacKinnon and White 1985 (HC0, HC1); Liang and Zeger 1986 (clusters); Gaure 2013 (absorbed effects); Chan, Golub and
//! LeVeque 1979 (sums). LIML's robust covariance has P_W Q in its middle, as linearmodels has it.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_causal::iv_regression;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//!
//! // a lottery (z) moves the dose; a hidden cause moves dose and outcome; the effect is 2
//! let column = |value: fn(f64, f64) -> f64| -> ArrayRef {
//!     Arc::new(Float64Array::from_iter_values((0..400).map(|row| {
//!         let (lottery, hidden) = (f64::from(row % 2), f64::from(row / 2 % 7));
//!         value(lottery, hidden)
//!     })))
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
//! let found = call(&iv_regression::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let effect = found.batches[0]["estimate"].as_primitive::<Float64Type>().value(1);
//! assert!((effect - 2.0).abs() < 0.05);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use causeway_core::{
    Literals, Operator, OperatorError, OperatorFactory, Output, PrivacyClaim, Relation, Report, Result, Roles,
    RunContext, Spec,
};

use crate::linear_iv::roles::{
    CONFIDENCE, DISTRIBUTION, FULLER, METHOD, MISSING, ROWS, SE, SMALL_SAMPLE, count, number, words,
};
use crate::linear_iv::{Design, Estimate, Method, Model, Options, StandardErrors, Table, Value};

/// Makes the operator `iv_regression`.
#[derive(Debug)]
pub struct Factory;

/// First-stage F below which instruments count as weak (Staiger and Stock 1997).
const WEAK: f64 = 10.0;

/// Clusters below which their number is warned of.
const FEW_CLUSTERS: f64 = 20.0;

static SPEC: Spec = Spec {
    name: "iv_regression",
    family: "causal",
    version: 1,
    summary: "Effect of treatments by instruments: two-stage least squares, LIML, Fuller, GMM.",
    details: "
Model: outcome = X b + D c + e with X a constant and the `covariates`, D the `treatment` columns. The `instruments` Z
move D and are unrelated to e: no hidden common cause with the outcome, no way to it but by D. This cannot be tested
with as many instruments as treatments; `iv_diagnostics` tests the rest, `iv_sensitivity` asks how much a breach matters.

With W = [X Z], P the projection on W and M = I - P, the k-class estimate is (Q'(I - kappa M)Q)^-1 Q'(I - kappa M)Y,
Q = [X D]. `'2sls'` has kappa = 1; `'liml'` the smallest root of |[Y D]'M_X[Y D] - kappa [Y D]'M[Y D]|; `'fuller'`
that less `fuller`/(n - dim W). `'gmm'` weighs the moments by the inverse of their robust (or clustered) covariance at
2SLS. With as many instruments as treatments 2sls, liml and gmm are the same.

Standard errors, with e the residual of the real D and k coefficients: `'classic'` e'e/(n - k) (n without
`small_sample`); `'hc0'` the sandwich with e^2; `'hc1'` that times n/(n - k); `'cluster'` with scores summed within
`cluster`, times (n - 1)/(n - k) G/(G - 1) for G clusters (1 without `small_sample`). For `'gmm'` the weight's and the
final residuals' covariance are both used. Intervals are estimate ± quantile · standard error; they mislead when the
instruments are weak (first-stage F below about 10; for one instrument and exact 5 % tests below 104.7): the
Anderson-Rubin set of `iv_diagnostics` does not.

`absorb` takes off an effect for each level of each of its columns: all columns are regressed on the indicators of the
levels, so that coefficients and standard errors are those of the regression with indicators (but for `'gmm'`, whose weight has no
scores of the indicators); there is no constant then. n - k counts the
effects: exactly for one or two columns, for more an upper bound. Within each level means are below 1e-10 standard deviations.

Rows with a null, NaN or infinity in a column used are refused with their number in each column, or left out with `missing =>
'drop'`. Constant columns, and those of which less than 1e-11 of the variance is left beside others, are refused by name.
Booleans count as 0 and 1. Columns far from zero lose no digits: sums are of deviations.

The report holds kappa, J of GMM, the classical first-stage F of each treatment, degrees of freedom, rows dropped, bytes
spilled and warnings in words. Cost O(n p^2) for each pass: one for `'classic'`, two for robust errors, three for GMM, two more with
`absorb`. Rows beyond 256 MiB are spilled for the later passes. The result does not depend on the cut into batches or the number of threads.",
    inputs: &[ROWS],
    parameters: &[METHOD, SE, SMALL_SAMPLE, DISTRIBUTION, CONFIDENCE, FULLER, MISSING],
    output: &[
        words("term", false, "the column, or `const`"),
        words("role", false, "`constant`, `covariate` or `treatment`"),
        number("estimate", "of `outcome` per unit of the term", "the coefficient"),
        number("std_error", "of `outcome` per unit of the term", "its standard error"),
        number("statistic", "", "estimate over standard error; null if that is 0"),
        number("p_value", "probability", "two-sided, of no effect"),
        number("conf_low", "of `outcome` per unit of the term", "lower end of the interval"),
        number("conf_high", "of `outcome` per unit of the term", "upper end of the interval"),
        number("df", "", "degrees of freedom of the statistic; null with the normal distribution"),
        count("n_used", "rows", "complete rows"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Theil 1953; Basmann 1957; Anderson and Rubin 1949; Fuller 1977; Hansen 1982; White 1980; MacKinnon and White 1985; Liang and Zeger 1986; Gaure 2013",
    example: "SELECT * FROM iv_regression((SELECT * FROM clinical.cohort), outcome => 'y', treatment => ARRAY['dose'], instruments => ARRAY['distance'], covariates => ARRAY['age', 'sex'])",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let options = Options::from_literals(SPEC.name, literals, &roles)?;
        let method = match literals.text("method") {
            Some("liml") => Method::Liml,
            Some("fuller") => Method::Fuller(literals.float("fuller").unwrap_or(1.0)),
            Some("gmm") => Method::Gmm,
            _ => Method::TwoStage,
        };
        if method == Method::Gmm && options.standard_errors == StandardErrors::Classic {
            return Err(OperatorError::Parameter {
                operator: SPEC.name,
                name: "se".to_owned(),
                range: "'hc0', 'hc1' or 'cluster' with method => 'gmm', which is '2sls' under equal variances"
                    .to_owned(),
                value: "'classic'".to_owned(),
            });
        }
        let design = Design::new(SPEC.name, &roles, options.standard_errors == StandardErrors::Cluster)?;
        Ok(Box::new(Bound { method, options, design, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    method: Method,
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
        let reads_again = self.options.standard_errors != StandardErrors::Classic;
        let mut model = Model::read(SPEC.name, &self.design, &self.options, rows, reads_again, context)?;
        context.progress(0.5);
        let estimate = model.estimate(self.method, &self.options, context)?;
        context.progress(1.0);
        let report = report(&model, &estimate, &self.options);
        table(&model, &estimate, &self.options).finish(SPEC.name, self.output_schema()?, report)
    }
}

fn table(model: &Model, estimate: &Estimate, options: &Options) -> Table {
    let distribution = options.distribution(model.residual_degrees(), model.n_clusters());
    let critical = distribution.critical(options.confidence);
    let (coefficients, covariance) = model.uncentred(estimate);
    let mut table = Table::default();
    for (index, column) in model.layout.regressors().into_iter().enumerate() {
        let (value, error) = (coefficients[index], covariance[(index, index)].max(0.0).sqrt());
        let statistic = value / error;
        table.push(vec![
            Value::words(model.layout.name(column)),
            Value::words(model.layout.role(column)),
            Value::Number(value),
            Value::Number(error),
            Value::Number(statistic),
            Value::Number(distribution.p_value(statistic)),
            Value::Number(value - critical * error),
            Value::Number(value + critical * error),
            Value::Number(distribution.degrees_of_freedom),
            Value::Count(model.n_rows),
        ]);
    }
    table
}

fn report(model: &Model, estimate: &Estimate, options: &Options) -> Report {
    let stages: Vec<f64> = (0..model.layout.treatments().len()).map(|index| model.classical_f(index)).collect();
    let mut report = model.report(options);
    report.insert("kappa", (1.0 + estimate.fit.excess).into());
    report.insert("sum_of_squares", estimate.fit.sum_of_squares(&model.layout, &model.products).into());
    report.insert("residual_degrees_of_freedom", model.residual_degrees().into());
    report.insert("hansen_j", estimate.hansen.into());
    report.insert("warnings", warnings(model, &stages).into());
    report.insert("first_stage_f", stages.into());
    report
}

/// Returns what a reader should know before believing an interval.
fn warnings(model: &Model, stages: &[f64]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (column, f) in model.layout.treatments().zip(stages).filter(|(_, f)| **f < WEAK) {
        warnings.push(format!(
            "weak instruments for `{}`: first-stage F {f:.2} is below {WEAK}; intervals mislead, see ar_set_robust of \
             iv_diagnostics",
            model.layout.name(column)
        ));
    }
    if let Some(n_clusters) = model.n_clusters().filter(|n_clusters| *n_clusters < FEW_CLUSTERS) {
        warnings.push(format!("{n_clusters} clusters are few: standard errors are too small more often than not"));
    }
    warnings
}
