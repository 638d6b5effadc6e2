//! How far an effect stands if the instruments also act on the outcome by themselves.
//!
//! Valid instruments act by the treatment alone. If Z has direct effects g, Y - Z g has none left, so that
//!
//! ```text
//! b(g) = (Q'P_W Q)^-1 Q'P_W (Y - Z g)          2SLS, for every g that is thought possible
//! union = all b with |b - b(g)| <= c se(g) for some g in [low, high]^j
//! ```
//!
//! # Input
//! As `iv_regression`; `direct` names the instruments that may act by themselves, all if left out.
//!
//! # Output
//! For each treatment and direct instrument the `grid` (one row for each direct effect), the `break_even` (the
//! smallest direct effect with 0 in the interval) and the `union` over the whole range; with several instruments one `union` over all.
//! Columns `kind`, `treatment`, `instrument`, `direct_effect`, `estimate`, `std_error`, `conf_low`, `conf_high`, `n_used`.
//!
//! # Parameters
//! `direct_high` required; `direct_low` - `direct_high`; `points` 21 in [2, 10 000]; `se`, `small_sample`,
//! `distribution`, `confidence`, `missing` as in `iv_regression`.
//!
//! # Shapes
//! n rows of p columns to (points + 2) rows for each treatment and instrument; two passes of O(n p^2), and a union over 2^j corners.
//!
//! # Errors
//! As `iv_regression`; `Parameter` if `direct` is no instrument, `direct_low` is not below `direct_high` or there are more than 16 direct instruments.
//!
//! # Guarantees
//! The union covers the effect at least as often as `confidence` says if the direct effects lie in the range. It is
//! exact over the whole range, not only the grid: the ends of the interval are convex and concave in g. At g = 0 the rows equal `iv_regression`.
//!
//! # Source
//! Conley, Hansen and Rossi, Plausibly exogenous, Review of Economics and Statistics 94 (2012), section III.A (union of
//! confidence intervals).
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_causal::iv_sensitivity;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//!
//! let column = |value: fn(f64, f64) -> f64| -> ArrayRef {
//!     Arc::new(Float64Array::from_iter_values((0..700).map(|row| value(f64::from(row % 2), f64::from(row / 2 % 7)))))
//! };
//! let rows = RecordBatch::try_from_iter([
//!     ("lottery", column(|lottery, _| lottery)),
//!     ("dose", column(|lottery, hidden| lottery + hidden)),
//!     ("outcome", column(|lottery, hidden| 2.0 * (lottery + hidden) - 5.0 * hidden)),
//! ])?;
//! let mut options = Literals::default();
//! options.insert("treatment", Literal::Text("dose".to_owned()));
//! options.insert("instruments", Literal::Text("lottery".to_owned()));
//! options.insert("direct_high", Literal::Float(1.0));
//! options.insert("points", Literal::Integer(3));
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let found = call(&iv_sensitivity::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let estimates = found.batches[0]["estimate"].as_primitive::<Float64Type>();
//! // one unit of direct effect per unit of dose that the lottery gives
//! assert!((estimates.value(0) - 3.0).abs() < 1e-9 && (estimates.value(2) - 1.0).abs() < 1e-9);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
#[cfg(test)]
mod tests;

use causeway_core::{
    ColumnRole, ColumnType, Literals, Operator, OperatorError, OperatorFactory, Output, Parameter, ParameterKind,
    PrivacyClaim, Relation, Result, Roles, RunContext, Spec,
};

use self::algorithm::{Point, Sensitivity, corners};
use crate::linear_iv::roles::{
    ABSORB, CLUSTER, CONFIDENCE, COVARIATES, DISTRIBUTION, INSTRUMENTS, MISSING, OUTCOME, SE, SMALL_SAMPLE, TREATMENT,
    count, input, number, words,
};
use crate::linear_iv::{Design, Model, Options, StandardErrors, Table, Value, float};

/// Makes the operator `iv_sensitivity`.
#[derive(Debug)]
pub struct Factory;

/// Most instruments with direct effects: a union looks at 2^j corners.
const MAX_DIRECT: usize = 16;

const DIRECT: ColumnRole = ColumnRole {
    role: "direct",
    kind: ColumnType::Quantity,
    unit: "any",
    nullable: true,
    required: false,
    several: true,
    meaning: "the instruments that may act on the outcome by themselves; all of them if left out",
};

const fn direct_effect(name: &'static str, default: Option<&'static str>, meaning: &'static str) -> Parameter {
    let kind = ParameterKind::Float { min: f64::NEG_INFINITY, max: f64::INFINITY, open: true };
    Parameter { name, kind, default, unit: "of `outcome` per unit of the instrument", meaning }
}

static SPEC: Spec = Spec {
    name: "iv_sensitivity",
    family: "causal",
    version: 1,
    summary: "Effect of a treatment by instruments that may act on the outcome by themselves (plausibly exogenous).",
    details: "
The model of `iv_regression` with `'2sls'`, but the instruments may have direct effects g on the outcome. For every g the outcome is
replaced by Y - Z g, which such instruments move by the treatment alone; estimate, standard error and interval are those of 2SLS then.

Rows of `kind`, for each treatment and each instrument of `direct`, the other instruments being valid: `grid` for `points` direct effects from
`direct_low` to `direct_high`; `break_even` with the direct effect nearest to 0 at which the interval of the effect reaches 0
(0 if it holds 0 already, null if no direct effect does that); `union` with the smallest and largest end over the whole range. With several direct
instruments a last `union` without an instrument is over all combinations of their direct effects.

The union is exact between the points of the grid as well: the standard error is a norm of an affine function of g, so the
upper end is convex and the lower end concave, and both are extreme where every g_j is at an end. It covers the effect at
least as often as `confidence` says if g lies in the range. How large direct effects can be is knowledge from outside the data.

Standard errors, missing values, `cluster` and `absorb` as in `iv_regression`. Strong instruments are assumed: see `iv_diagnostics`.",
    inputs: &[input(&[OUTCOME, TREATMENT, INSTRUMENTS, COVARIATES, CLUSTER, ABSORB, DIRECT])],
    parameters: &[
        direct_effect("direct_high", None, "largest direct effect thought possible"),
        direct_effect("direct_low", Some("NULL"), "smallest one, below `direct_high`; - `direct_high` if NULL"),
        Parameter {
            name: "points",
            kind: ParameterKind::Integer { min: 2, max: 10_000 },
            default: Some("21"),
            unit: "points",
            meaning: "direct effects of the grid, evenly spaced, both ends included",
        },
        SE,
        SMALL_SAMPLE,
        DISTRIBUTION,
        CONFIDENCE,
        MISSING,
    ],
    output: &[
        words("kind", false, "`grid`, `break_even` or `union`"),
        words("treatment", false, "the treatment"),
        words("instrument", true, "the instrument with the direct effect; null if all have one"),
        number("direct_effect", "of `outcome` per unit of the instrument", "g; null for a union"),
        number("estimate", "of `outcome` per unit of `treatment`", "b(g); null for a union"),
        number("std_error", "of `outcome` per unit of `treatment`", "its standard error; null for a union"),
        number("conf_low", "of `outcome` per unit of `treatment`", "lower end of the interval or union"),
        number("conf_high", "of `outcome` per unit of `treatment`", "upper end"),
        count("n_used", "rows", "complete rows"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Conley, Hansen and Rossi 2012, section III.A",
    example: "SELECT * FROM iv_sensitivity((SELECT * FROM clinical.cohort), outcome => 'y', treatment => ARRAY['dose'], instruments => ARRAY['distance'], direct_high => 0.5)",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let options = Options::from_literals(SPEC.name, literals, &roles)?;
        let design = Design::new(SPEC.name, &roles, options.standard_errors == StandardErrors::Cluster)?;
        let high = literals.float("direct_high").unwrap_or(0.0);
        let low = literals.float("direct_low").unwrap_or(-high);
        if low >= high {
            return Err(OperatorError::Parameter {
                operator: SPEC.name,
                name: "direct_low".to_owned(),
                range: format!("below `direct_high` ({high})"),
                value: low.to_string(),
            });
        }
        let direct = direct_columns(&design, &roles)?;
        let n_points = literals.integer("points").and_then(|points| u32::try_from(points).ok()).unwrap_or(2);
        Ok(Box::new(Bound { options, design, direct, low, high, n_points, roles }))
    }
}

/// Returns which columns of the layout have direct effects.
fn direct_columns(design: &Design, roles: &Roles) -> Result<Vec<usize>> {
    let layout = &design.layout;
    let instruments: Vec<usize> = layout.instruments().collect();
    let named = roles.columns("direct");
    let refuse = |range: String, value: String| OperatorError::Parameter {
        operator: SPEC.name,
        name: "direct".to_owned(),
        range,
        value,
    };
    let mut columns = Vec::new();
    for column in &named {
        let position = instruments.iter().position(|instrument| layout.name(*instrument) == column.name);
        let Some(position) = position else {
            return Err(refuse("columns of `instruments`".to_owned(), format!("column `{}`", column.name)));
        };
        columns.push(instruments[position]);
    }
    if named.is_empty() {
        columns = instruments;
    }
    if columns.len() > MAX_DIRECT {
        return Err(refuse(format!("at most {MAX_DIRECT} columns"), columns.len().to_string()));
    }
    Ok(columns)
}

#[derive(Debug)]
struct Bound {
    options: Options,
    design: Design,
    direct: Vec<usize>,
    low: f64,
    high: f64,
    n_points: u32,
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
        let mut table = Table::default();
        for sensitivity in Sensitivity::new(&mut model, &self.direct, &self.options, context)? {
            self.add(&sensitivity, &model, &mut table);
        }
        context.progress(1.0);
        let report = model.report(&self.options);
        table.finish(SPEC.name, self.output_schema()?, report)
    }
}

impl Bound {
    /// Adds the rows of a treatment.
    fn add(&self, sensitivity: &Sensitivity, model: &Model, table: &mut Table) {
        let treatment = model.layout.name(model.layout.treatments().start + sensitivity.treatment);
        let n_direct = self.direct.len();
        let mut push = |kind: &str, instrument: Option<usize>, effect: Option<f64>, point: Point| {
            table.push(vec![
                Value::words(kind),
                Value::words(treatment),
                instrument.map_or(Value::Null, |column| Value::words(model.layout.name(column))),
                effect.map_or(Value::Null, Value::Number),
                Value::Number(point.estimate),
                Value::Number(point.std_error),
                Value::Number(point.low),
                Value::Number(point.high),
                Value::Count(model.n_rows),
            ]);
        };
        let union = |(low, high)| Point { estimate: f64::NAN, std_error: f64::NAN, low, high };
        for (index, column) in self.direct.iter().enumerate() {
            let alone = |effect: f64| {
                let mut effects = vec![0.0; n_direct];
                effects[index] = effect;
                effects
            };
            for effect in self.grid() {
                push("grid", Some(*column), Some(effect), sensitivity.at(&alone(effect)));
            }
            match sensitivity.break_even(index) {
                Some(effect) => push("break_even", Some(*column), Some(effect), sensitivity.at(&alone(effect))),
                None => push("break_even", Some(*column), None, union((f64::NAN, f64::NAN))),
            }
            let ends = [alone(self.low), alone(self.high)].into_iter();
            push("union", Some(*column), None, union(sensitivity.union(ends)));
        }
        if n_direct > 1 {
            push("union", None, None, union(sensitivity.union(corners(n_direct, self.low, self.high))));
        }
    }

    fn grid(&self) -> impl Iterator<Item = f64> {
        let last = self.n_points - 1;
        let (low, high) = (self.low, self.high);
        (0..self.n_points).map(move |index| {
            let share = float(u64::from(index)) / float(u64::from(last));
            low * (1.0 - share) + high * share
        })
    }
}
