//! Lists of edges to graphs over one set of variables.

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use causeway_core::{BoundColumn, OperatorError, Relation, Result, Roles, RunContext};

use super::algorithm::{Graph, Mark};

/// Rows that are no edge, and why.
#[derive(Debug, Default)]
struct Faults {
    null_ends: usize,
    loops: usize,
    unknown_marks: usize,
    contradictions: usize,
}

/// An edge as it stands in a row.
struct Edge {
    source: String,
    target: String,
    is_directed: bool,
}

/// Reads the estimate and the truth; returns the number of variables and both graphs.
pub(super) fn read_graphs(
    operator: &'static str,
    roles: &Roles,
    inputs: Vec<Relation>,
    context: &RunContext,
) -> Result<(usize, [Graph; 2])> {
    let mut lists: Vec<Vec<Edge>> = Vec::new();
    let mut faults = vec![Faults::default(), Faults::default()];
    for (input, mut relation) in inputs.into_iter().enumerate() {
        let column = |role: &str| roles.columns(role).into_iter().find(|column| column.input == input);
        let (Some(source), Some(target)) = (column("source"), column("target")) else {
            return Err(OperatorError::Internal { operator, problem: "an end of the edges is not bound".to_owned() });
        };
        let mut edges = Vec::new();
        while let Some(batch) = relation.next_batch(context)? {
            context.grow_memory(batch.get_array_memory_size())?;
            read_batch(&batch, [source, target], column("mark"), &mut edges, &mut faults[input])?;
        }
        lists.push(edges);
    }
    let names: BTreeMap<&str, usize> =
        lists.iter().flatten().flat_map(|edge| [(edge.source.as_str(), 0), (edge.target.as_str(), 0)]).collect();
    let numbers: BTreeMap<&str, usize> = names.into_keys().zip(0..).collect();
    let mut graphs = [Graph::new(), Graph::new()];
    for ((graph, edges), faults) in graphs.iter_mut().zip(&lists).zip(&mut faults) {
        for edge in edges {
            add(graph, numbers[edge.source.as_str()], numbers[edge.target.as_str()], edge.is_directed, faults);
        }
    }
    for (faults, relation) in faults.iter().zip(["estimate", "truth"]) {
        faults.check(operator, relation)?;
    }
    Ok((numbers.len(), graphs))
}

fn read_batch(
    batch: &RecordBatch,
    ends: [&BoundColumn; 2],
    mark: Option<&BoundColumn>,
    edges: &mut Vec<Edge>,
    faults: &mut Faults,
) -> Result<()> {
    let text = |column: &BoundColumn| -> Result<StringArray> {
        Ok(cast(batch.column(column.index), &DataType::Utf8)?.as_string::<i32>().clone())
    };
    let (source, target) = (text(ends[0])?, text(ends[1])?);
    let mark = mark.map(text).transpose()?;
    for row in 0..batch.num_rows() {
        let mark = match &mark {
            Some(marks) if marks.is_null(row) => continue,
            Some(marks) => marks.value(row),
            None => "->",
        };
        if source.is_null(row) || target.is_null(row) {
            faults.null_ends += 1;
            continue;
        }
        let (source, target) = (source.value(row).to_owned(), target.value(row).to_owned());
        match mark {
            _ if source == target => faults.loops += 1,
            "->" => edges.push(Edge { source, target, is_directed: true }),
            "<-" => edges.push(Edge { source: target, target: source, is_directed: true }),
            "--" => edges.push(Edge { source, target, is_directed: false }),
            _ => faults.unknown_marks += 1,
        }
    }
    Ok(())
}

fn add(graph: &mut Graph, source: usize, target: usize, is_directed: bool, faults: &mut Faults) {
    let mark = match (is_directed, source < target) {
        (false, _) => Mark::Undirected,
        (true, true) => Mark::Forward,
        (true, false) => Mark::Backward,
    };
    let before = graph.insert((source.min(target), source.max(target)), mark);
    if before.is_some_and(|before| before != mark) {
        faults.contradictions += 1;
    }
}

impl Faults {
    fn check(&self, operator: &'static str, relation: &str) -> Result<()> {
        let found = [
            (self.null_ends, "without a source or a target"),
            (self.loops, "from a variable to itself"),
            (self.unknown_marks, "whose mark is none of '->', '<-', '--'"),
            (self.contradictions, "joining a pair otherwise than an earlier one"),
        ];
        let words: Vec<String> = found
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, what)| format!("{count} {} {what}", if *count == 1 { "row" } else { "rows" }))
            .collect();
        if words.is_empty() {
            return Ok(());
        }
        let problem = format!("`{relation}` has {}; filter or correct them in the SELECT", words.join(", "));
        Err(OperatorError::Data { operator, problem })
    }
}
