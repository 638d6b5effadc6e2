//! Linear DAG and noise scales, learned together (CoLiDE).
//!
//! Estimates the weights W of X = X W + noise, W a directed acyclic graph, by descending
//!
//! ```text
//! EV  tr(A'CA) / (2 sigma) + d sigma / 2 + lambda |W|_1               A = I - W, C the covariance
//! NV  sum_j (A'CA)_jj / (2 sigma_j) + sum_j sigma_j / 2 + lambda |W|_1
//! ```
//!
//! along a central path with DAGMA's acyclicity h(W) = d log s - log det(s I - W o W).
//!
//! # Input
//! `columns` numbers, one variable each, any unit; default every number column. Nulls, NaN and
//! infinities are refused with their number, constant columns by name.
//!
//! # Output
//! One row for each edge: `source`, `target`, `weight` (unit of the target per unit of the source).
//!
//! # Parameters
//! `variant` `'ev'` or `'nv'`, required; `lambda` 0.05 >= 0; `standardise` false; `threshold` 0.3 >= 0;
//! `max_steps` 70 000; `learning_rate` 3e-4; `compare_variants` false.
//!
//! # Shapes
//! n rows of d columns to at most d (d - 1) / 2 rows; one pass of O(n d^2), then O(d^3) for each of
//! some ten thousand steps; memory O(d^2).
//!
//! # Errors
//! `Data` for unusable rows, constant columns, fewer than two rows or columns; `Memory`, `Cancelled`.
//!
//! # Guarantees
//! None of identification: with noise of unequal variance the order of a linear Gaussian system is not
//! identified, and on standardised columns accuracy falls. The report holds the varsortability, so that one
//! sees whether the order follows from the scale of the columns. Equal to the public implementation on
//! six golden paths: 100 steps to 1e-9, the end to 5e-3 with the same edges, the objective to 1e-6.
//!
//! # Source
//! Saboksayr, Mateos and Tepper, CoLiDE: Concomitant linear DAG estimation, ICLR 2024, eq. 2 and 6;
//! Bello, Aragam and Ravikumar, DAGMA, NeurIPS 2022, for h and the path. We differ in refusing constant
//! columns, which the public code divides by, and, once a stage has settled, in computing the inverse in the gradient of h
//! every eighth step only and the change of C A in single precision.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Float64Array, RecordBatch};
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_causal::colide;
//!
//! let dose: Vec<f64> = (0..200).map(|row| f64::from(row * 37 % 101) / 30.0).collect();
//! let level = dose.iter().zip(0..).map(|(dose, row)| 2.0 * dose + f64::from(row * 53 % 89) / 50.0);
//! let rows = RecordBatch::try_from_iter([
//!     ("level", Arc::new(Float64Array::from_iter_values(level)) as _),
//!     ("dose", Arc::new(Float64Array::from(dose.clone())) as _),
//! ])?;
//! let mut options = Literals::default();
//! options.insert("variant", Literal::Text("ev".to_owned()));
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let edges = call(&colide::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! assert_eq!(edges.batches[0]["source"].as_string::<i32>().value(0), "dose");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod descent;
mod glide;
mod params;
mod prune;
mod report;
#[cfg(test)]
mod tests;
mod walk;

use std::cell::Cell;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use causeway_core::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, Literals, Operator, OperatorError, OperatorFactory, Output,
    OutputType, Parameter, ParameterKind, PrivacyClaim, Relation, Report, Result, Roles, RunContext, Spec,
    Transformation,
};

pub(crate) use self::algorithm::Attempt;
use self::algorithm::{Fit, Problem};
pub(crate) use self::params::Colide;
use self::params::Variant;
use self::prune::prune;
use crate::moments::{self, Moments};

/// Makes the operator `colide`.
#[derive(Debug)]
pub struct Factory;

/// Steps, or legs of eight once a stage has settled, between two reports of progress.
const PROGRESS_STEPS: u32 = 16;

/// Square matrices of doubles that a fit holds.
const MATRICES: usize = 20;

pub(crate) const ROWS: InputSpec = InputSpec {
    name: "rows",
    summary: "one row for each independent sample, one column for each variable",
    required: true,
    columns: &[ColumnRole {
        role: "columns",
        kind: ColumnType::Number,
        unit: "",
        nullable: false,
        required: true,
        several: true,
        meaning: "the variables; without the option every number column",
    }],
};

pub(crate) const FROM_COLUMNS: &[(&str, Transformation)] = &[("columns", Transformation::Aggregation)];

pub(crate) static PARAMETERS: [Parameter; 7] = [
    Parameter {
        name: "variant",
        kind: ParameterKind::Choice(&["ev", "nv"]),
        default: None,
        unit: "",
        meaning: "'ev': one noise scale for all variables; 'nv': one for each",
    },
    float("lambda", "0.05", "weight of the L1 penalty; about sqrt(log d / n)"),
    Parameter {
        name: "standardise",
        kind: ParameterKind::Boolean,
        default: Some("false"),
        unit: "",
        meaning: "divide each column by its standard deviation first",
    },
    float("threshold", "0.3", "edges with |weight| up to this are dropped"),
    Parameter {
        name: "max_steps",
        kind: ParameterKind::Integer { min: 1, max: 10_000_000 },
        default: Some("70000"),
        unit: "steps",
        meaning: "most steps of the last stage, and, up to 20 000, of each stage before",
    },
    Parameter {
        name: "learning_rate",
        kind: ParameterKind::Float { min: 0.0, max: 1.0, open: true },
        default: Some("0.0003"),
        unit: "",
        meaning: "step size of Adam",
    },
    Parameter {
        name: "compare_variants",
        kind: ParameterKind::Boolean,
        default: Some("false"),
        unit: "",
        meaning: "also fit the other variant and report its objective and how many edges agree; twice the time",
    },
];

const fn float(name: &'static str, default: &'static str, meaning: &'static str) -> Parameter {
    let kind = ParameterKind::Float { min: 0.0, max: f64::INFINITY, open: false };
    Parameter { name, kind, default: Some(default), unit: "", meaning }
}

static SPEC: Spec = Spec {
    name: "colide",
    family: "causal",
    version: 1,
    summary: "Linear DAG between number columns, learned together with the noise scales (CoLiDE).",
    details: "
Model: each variable is a weighted sum of its parents plus noise. With C the covariance of the columns and
A = I - W the score is tr(A'CA)/(2 sigma) + d sigma/2 + lambda |W|_1 ('ev'), or the same with one sigma for each
column ('nv'). It is minimised along four stages with mu = 1, 0.1, 0.01, 0.001 and s = 1, 0.9, 0.8, 0.7 of
mu score + h, h(W) = d log s - log det(s I - W o W), by Adam steps on W, each followed by the best sigma in closed
form. Once a stage has settled (after 1000 steps of the first, 200 of the others) the inverse in the gradient of h is
computed every eighth step and continued in a straight line between, and the steps are taken in single precision around a
point kept in double; this moves the final weights by less than 0.001 in the tests. A stage ends when the objective changes by less than 1e-6 over 1000 steps; one that leaves the domain of h
begins again with half the learning rate and s + 0.1. At the end weights up to `threshold` are dropped, then the
smallest until no cycle is left. Only C is kept of the rows. `colide_stages` shows the path.

The report holds the noise scales, the objective, the stages, whether the last one converged, and the
varsortability of the result (share of directed paths along which the variance grows; near 1 the order may come
from the units of the columns alone: try `standardise => true`). The variant is never chosen for you: on data
with unequal noise 'ev' has been seen to do better than 'nv', so compare both (`compare_variants => true`).

Not guaranteed: hidden common causes, cycles and non-linear effects break the model, and with unequal noise the
direction of Gaussian edges is not identified. Nulls, NaN and infinities are refused with the number of such rows,
constant columns by name; filter or select others. With fewer rows than columns it runs, but then only the
penalty decides. Cost O(n d^2) for the rows and O(d^3) for each of about 20 000 to 60 000 steps; memory O(d^2).
The result does not depend on the cut into batches or the number of threads.",
    inputs: &[ROWS],
    parameters: &PARAMETERS,
    output: &[
        edge_column("source", OutputType::Utf8, "the column that acts"),
        edge_column("target", OutputType::Utf8, "the column acted on"),
        edge_column("weight", OutputType::Float64, "change of the target for one unit of the source"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Saboksayr, Mateos and Tepper 2024, eq. 2 and 6; Bello, Aragam and Ravikumar 2022; Reisach, Seiler and Weichwald 2021 (varsortability)",
    example: "SELECT * FROM colide((SELECT expression_a, expression_b, expression_c FROM genomic.expression), variant => 'ev')",
};

const fn edge_column(name: &'static str, kind: OutputType, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: false, unit: "", meaning, from: FROM_COLUMNS }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { params: Colide::from_literals(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: Colide,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let graph = learn(SPEC.name, &self.params, &self.roles, inputs, context)?;
        let n = graph.names.len();
        let edges: Vec<usize> = (0..n * n).filter(|cell| graph.weights[*cell].abs() > 0.0).collect();
        let names = |index: &dyn Fn(&usize) -> usize| -> ArrayRef {
            Arc::new(StringArray::from_iter_values(edges.iter().map(|cell| graph.names[index(cell)].as_str())))
        };
        let weights = Float64Array::from_iter_values(edges.iter().map(|cell| graph.weights[*cell]));
        let columns = vec![names(&|cell| cell / n), names(&|cell| cell % n), Arc::new(weights)];
        let batches =
            if edges.is_empty() { Vec::new() } else { vec![RecordBatch::try_new(self.output_schema()?, columns)?] };
        Ok(Output { batches, report: graph.report })
    }
}

/// A learned graph.
#[derive(Debug)]
pub(crate) struct Graph {
    names: Vec<String>,
    /// The weights that are kept, row-major.
    weights: Vec<f64>,
    /// The stages of the fit asked for, then of the other variant.
    pub(crate) paths: Vec<(&'static str, Vec<Attempt>)>,
    pub(crate) report: Report,
}

/// Reads the rows and fits what the options ask for.
pub(crate) fn learn(
    operator: &'static str,
    params: &Colide,
    roles: &Roles,
    inputs: Vec<Relation>,
    context: &RunContext,
) -> Result<Graph> {
    let columns = roles.columns("columns");
    if columns.len() < 2 {
        let problem = format!("a graph needs at least two number columns, found {}", columns.len());
        return Err(OperatorError::Data { operator, problem });
    }
    let rows = inputs
        .into_iter()
        .next()
        .ok_or_else(|| OperatorError::Internal { operator, problem: "no input relation".to_owned() })?;
    let moments = moments::read(operator, &columns, rows, context)?;
    context.grow_memory(MATRICES * size_of::<f64>() * (columns.len() + 4).pow(2))?;
    let n_fits = if params.compare_variants { 2 } else { 1 };
    let fit = |variant: Variant, index: u32| fit(params, variant, &moments, context, Share { index, of: n_fits });
    let first = fit(params.variant, 0)?;
    let second = if params.compare_variants { Some(fit(params.variant.other(), 1)?) } else { None };
    let n = columns.len();
    let weights = prune(&first.point.weights(n), n, params.threshold);
    let mut report = report::describe(params, &moments, &first, &weights);
    if let Some(second) = &second {
        let others = prune(&second.point.weights(n), n, params.threshold);
        report::add_comparison(&mut report, second, &weights, &others);
    }
    let mut paths = vec![(params.variant.name(), first.attempts)];
    paths.extend(second.map(|second| (params.variant.other().name(), second.attempts)));
    Ok(Graph { names: moments.names, weights, paths, report })
}

/// Which of several fits of equal length one is.
#[derive(Debug, Clone, Copy)]
struct Share {
    index: u32,
    of: u32,
}

fn fit(params: &Colide, variant: Variant, moments: &Moments, context: &RunContext, share: Share) -> Result<Fit> {
    let n = moments.names.len();
    let mut covariance = moments.covariance.clone();
    if params.standardise {
        let deviations: Vec<f64> = (0..n).map(|index| covariance[index * n + index].sqrt()).collect();
        for (cell, entry) in covariance.iter_mut().enumerate() {
            *entry /= deviations[cell / n] * deviations[cell % n];
        }
    }
    let n_steps = Cell::new(0_u32);
    let watch = |done: f64| {
        n_steps.set(n_steps.get().wrapping_add(1));
        if n_steps.get() % PROGRESS_STEPS == 1 {
            context.progress((f64::from(share.index) + done) / f64::from(share.of));
        }
        context.check_cancelled()
    };
    Problem::new(&covariance, n, variant, params.lambda).fit(&params.schedule, &watch)
}
