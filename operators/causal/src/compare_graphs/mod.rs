//! How far a learned graph is from another, such as the true one.
//!
//! ```text
//! shd                  unordered pairs whose mark (->, <-, --, none) differs
//! skeleton precision   joined pairs of the estimate that the truth joins;  recall the reverse;  F1 their harmonic mean
//! sid                  ordered pairs (i, j) for which the estimate's parents of i are no valid adjustment
//! ```
//!
//! # Input
//! `estimate` and `truth`, each with `source`, `target` (text or other categories) and, if it has one, `mark`: `->`,
//! `<-`, `--`; without the column every edge points from source to target. Rows with a null mark are no edges.
//!
//! # Output
//! One row: `n_nodes`, `n_edges_estimate`, `n_edges_truth`, `shd`, `n_shared`, `skeleton_precision`, `skeleton_recall`,
//! `skeleton_f1`, `sid`.
//!
//! # Parameters
//! `intervention_distance` true: whether to compute `sid`.
//!
//! # Shapes
//! e edges among v nodes; O(e log e), and O(v^2 (v + e)) for the intervention distance; memory O(v^2).
//!
//! # Errors
//! `Data` for null ends, unknown marks, loops, and pairs that one graph joins in two ways, with their number.
//!
//! # Guarantees
//! `sid` agrees with the effects and regressions of linear systems with random weights on every pair of small random
//! graphs tried. It is null unless both graphs are acyclic and all their edges directed.
//!
//! # Source
//! Tsamardinos, Brown and Aliferis 2006 (structural Hamming distance); Peters and Bühlmann, Structural intervention
//! distance for evaluating causal graphs, Neural Computation 27 (2015), definition 3 and proposition 6.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, RecordBatch, StringArray};
//! use arrow::datatypes::UInt64Type;
//! use causeway_causal::compare_graphs;
//! use causeway_core::{Literals, Relation, RunContext, call};
//!
//! let edges = |target: &str| -> Result<Relation, arrow::error::ArrowError> {
//!     let rows = RecordBatch::try_from_iter([
//!         ("source", Arc::new(StringArray::from(vec!["dose"])) as _),
//!         ("target", Arc::new(StringArray::from(vec![target])) as _),
//!     ])?;
//!     Ok(Relation::from_batches(rows.schema(), vec![rows]))
//! };
//! let inputs = vec![edges("level")?, edges("pulse")?];
//! let found = call(&compare_graphs::Factory, Literals::default(), inputs, &mut RunContext::for_test(1)?)?;
//! assert_eq!(found.batches[0]["shd"].as_primitive::<UInt64Type>().value(0), 2);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod read;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, RecordBatch, UInt64Array};
use causeway_core::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, Literals, Operator, OperatorFactory, Output, OutputType, Parameter,
    ParameterKind, PrivacyClaim, Relation, Report, Result, Roles, RunContext, Spec, Transformation,
};

use self::algorithm::{Dag, Distance, Graph, distance, intervention_distance};
use self::read::read_graphs;

/// Makes the operator `compare_graphs`.
#[derive(Debug)]
pub struct Factory;

const EDGES: &[ColumnRole] = &[
    end("source", "the variable that acts"),
    end("target", "the variable acted on"),
    ColumnRole {
        role: "mark",
        kind: ColumnType::Text,
        unit: "",
        nullable: true,
        required: false,
        several: false,
        meaning: "'->', '<-' or '--'; null: no edge",
    },
];

const fn end(role: &'static str, meaning: &'static str) -> ColumnRole {
    let kind = ColumnType::Category;
    ColumnRole { role, kind, unit: "", nullable: false, required: true, several: false, meaning }
}

const FROM_EDGES: &[(&str, Transformation)] = &[
    ("source", Transformation::Aggregation),
    ("target", Transformation::Aggregation),
    ("mark", Transformation::Aggregation),
];

static SPEC: Spec = Spec {
    name: "compare_graphs",
    family: "causal",
    version: 1,
    summary: "Distances between two graphs: structural Hamming and intervention distance, skeleton precision and recall.",
    details: "
`shd` counts the unordered pairs of variables whose mark differs: an edge too many, one missing, one turned round or
without its direction all count 1. The skeleton measures look only at which pairs are joined: precision is the share of
the estimate's pairs that the truth joins, recall the share of the truth's pairs that the estimate joins, F1 their harmonic mean;
each is null where its denominator is 0. `sid` counts the ordered pairs (i, j) for which adjusting for the parents
of i in the estimate gives a wrong effect of i on j if the truth holds; it is 0 for the truth itself and for any
graph that adds edges along its order, and null unless both graphs are acyclic with all edges directed.

Variables are those named in either list; one that neither list joins changes no measure. Without a column `mark` every edge
points from source to target. Rows with a null mark are no edges; null ends, other marks, edges from a variable to itself
and pairs that one list joins in two ways are refused with their number; the same edge twice counts once. Cost
O(edges log edges), and O(v^2 (v + edges)) for `sid` of v variables, which `intervention_distance => false` saves.",
    inputs: &[
        InputSpec { name: "estimate", summary: "one row for each edge of the graph to judge", required: true, columns: EDGES },
        InputSpec { name: "truth", summary: "one row for each edge of the graph to compare with", required: true, columns: EDGES },
    ],
    parameters: &[Parameter {
        name: "intervention_distance",
        kind: ParameterKind::Boolean,
        default: Some("true"),
        unit: "",
        meaning: "compute `sid`; false saves time on graphs of thousands of variables",
    }],
    output: &[
        count("n_nodes", false, "variables named in either list"),
        count("n_edges_estimate", false, "pairs that the estimate joins"),
        count("n_edges_truth", false, "pairs that the truth joins"),
        count("shd", false, "structural Hamming distance: pairs whose mark differs"),
        count("n_shared", false, "pairs that both join"),
        ratio("skeleton_precision", "share of the estimate's pairs that the truth joins; null without any"),
        ratio("skeleton_recall", "share of the truth's pairs that the estimate joins; null without any"),
        ratio("skeleton_f1", "harmonic mean of both; null if both graphs are empty"),
        count("sid", true, "structural intervention distance; null unless both are directed and acyclic"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Tsamardinos, Brown and Aliferis 2006; Peters and Buhlmann 2015, definition 3 and proposition 6",
    example: "SELECT * FROM compare_graphs((SELECT source, target FROM genomic.network), truth => (SELECT source, target FROM simulate_sem_edges(n_variables => 10)))",
};

const fn count(name: &'static str, nullable: bool, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::UInt64, nullable, unit: "", meaning, from: FROM_EDGES }
}

const fn ratio(name: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable: true, unit: "", meaning, from: FROM_EDGES }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { intervention_distance: literals.boolean("intervention_distance"), roles }))
    }
}

#[derive(Debug)]
struct Bound {
    intervention_distance: bool,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let (n_nodes, [estimate, truth]) = read_graphs(SPEC.name, &self.roles, inputs, context)?;
        let distance = distance(&estimate, &truth);
        let sid = if self.intervention_distance { sid(&estimate, &truth, n_nodes, context)? } else { None };
        context.progress(1.0);
        let columns = measures(n_nodes, &estimate, &truth, distance, sid);
        let report = Report::from([
            ("n_nodes", n_nodes.into()),
            ("shd", distance.shd.into()),
            ("n_shared", distance.n_shared.into()),
        ]);
        Ok(Output { batches: vec![RecordBatch::try_new(self.output_schema()?, columns)?], report })
    }
}

fn sid(estimate: &Graph, truth: &Graph, n_nodes: usize, context: &RunContext) -> Result<Option<usize>> {
    let (Some(estimate), Some(truth)) = (Dag::new(estimate, n_nodes), Dag::new(truth, n_nodes)) else {
        return Ok(None);
    };
    context.grow_memory(n_nodes * n_nodes)?;
    let cancel = context.cancel_flag();
    context.pool().install(|| intervention_distance(&estimate, &truth, &|| cancel.check())).map(Some)
}

fn measures(n_nodes: usize, estimate: &Graph, truth: &Graph, distance: Distance, sid: Option<usize>) -> Vec<ArrayRef> {
    let count =
        |value: Option<usize>| -> ArrayRef { Arc::new(UInt64Array::from(vec![value.map(|value| value as u64)])) };
    let ratio = |n: usize, of: usize| -> ArrayRef {
        Arc::new(Float64Array::from(vec![(of > 0).then(|| float(n) / float(of))]))
    };
    let shared = distance.n_shared;
    vec![
        count(Some(n_nodes)),
        count(Some(estimate.len())),
        count(Some(truth.len())),
        count(Some(distance.shd)),
        count(Some(shared)),
        ratio(shared, estimate.len()),
        ratio(shared, truth.len()),
        ratio(2 * shared, estimate.len() + truth.len()),
        count(sid),
    ]
}

#[expect(clippy::cast_precision_loss, reason = "counts of edges")]
fn float(count: usize) -> f64 {
    count as f64
}
