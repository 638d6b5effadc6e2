//! The order of steps, inferred from what they read and write.

use std::collections::{BTreeMap, BTreeSet};

use causeway_engine::StatementKind;
use causeway_model::TableName;

use crate::error::{JobsError, Result};

/// What the order needs to know of a step.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: StatementKind,
    /// What the statement and its checks read.
    pub(crate) reads: BTreeSet<TableName>,
    pub(crate) writes: BTreeSet<TableName>,
}

/// Who waits for whom.
#[derive(Debug)]
pub(crate) struct Graph {
    /// For each step the steps it waits for.
    pub(crate) after: Vec<BTreeSet<usize>>,
    /// All steps, each after those it waits for, by name where that leaves a choice.
    pub(crate) order: Vec<usize>,
}

/// For each waiting step and the one it waits for, the reason.
type Edges = BTreeMap<(usize, usize), String>;

impl Graph {
    /// Orders steps that are sorted by name.
    pub(crate) fn new(nodes: &[Node<'_>]) -> Result<Self> {
        let mut edges = Edges::new();
        schemas_first(nodes, &mut edges);
        calls_after_what_is_named_before(nodes, &mut edges);
        let tables: BTreeSet<&TableName> = nodes.iter().flat_map(|node| &node.writes).collect();
        for table in tables {
            let chain = writers(nodes, table)?;
            for pair in chain.all.windows(2) {
                edges.entry((pair[1], pair[0])).or_insert_with(|| format!("both write {table}"));
            }
            for reader in readers(nodes, table) {
                readers_after_writers(reader, table, &chain, &mut edges);
            }
        }
        let mut after = vec![BTreeSet::new(); nodes.len()];
        for (later, earlier) in edges.keys() {
            after[*later].insert(*earlier);
        }
        let order = sort(&after);
        if order.len() < nodes.len() {
            return Err(cycle(nodes, &after, &order, &edges));
        }
        Ok(Self { after, order })
    }
}

fn schemas_first(nodes: &[Node<'_>], edges: &mut Edges) {
    let is_schema = |idx: &usize| nodes[*idx].kind == StatementKind::CreateSchema;
    let (schemas, others): (Vec<usize>, Vec<usize>) = (0..nodes.len()).partition(is_schema);
    for schema in schemas {
        for other in &others {
            edges.insert((*other, schema), "schemas come first".to_owned());
        }
    }
}

/// A `CALL` says nothing of what it needs, so it waits for all that its author has put before it.
fn calls_after_what_is_named_before(nodes: &[Node<'_>], edges: &mut Edges) {
    for call in (0..nodes.len()).filter(|idx| nodes[*idx].kind == StatementKind::Call) {
        for earlier in 0..call {
            edges.insert((call, earlier), "a CALL follows the steps named before it".to_owned());
        }
    }
}

/// The steps that write one table, in the order they run.
struct Writers {
    all: Vec<usize>,
    /// Those that drop the table when all is done.
    drops_at_end: Vec<usize>,
}

/// Orders writers: a drop named before what makes the table, then what makes it, then what changes
/// it, then any other drop; by name within each.
fn writers(nodes: &[Node<'_>], table: &TableName) -> Result<Writers> {
    let all: Vec<usize> = (0..nodes.len()).filter(|idx| nodes[*idx].writes.contains(table)).collect();
    let makers: Vec<usize> = all.iter().copied().filter(|idx| replaces(nodes[*idx].kind)).collect();
    if let [first, second, ..] = makers.as_slice() {
        return Err(JobsError::Conflict(format!(
            "steps `{}` and `{}` both make {table}; combine them, or let the second INSERT",
            nodes[*first].name, nodes[*second].name
        )));
    }
    let first_maker = all.iter().copied().find(|idx| makes(nodes[*idx].kind));
    let rank = |idx: usize| match nodes[idx].kind {
        kind if is_drop(kind) && first_maker.is_some_and(|maker| idx < maker) => 0,
        kind if is_drop(kind) => 3,
        kind if makes(kind) => 1,
        _ => 2,
    };
    let drops_at_end = all.iter().copied().filter(|idx| rank(*idx) == 3).collect();
    let mut all = all;
    all.sort_by_key(|idx| (rank(*idx), *idx));
    Ok(Writers { all, drops_at_end })
}

fn readers(nodes: &[Node<'_>], table: &TableName) -> Vec<usize> {
    (0..nodes.len()).filter(|idx| nodes[*idx].reads.contains(table) && !nodes[*idx].writes.contains(table)).collect()
}

fn readers_after_writers(reader: usize, table: &TableName, chain: &Writers, edges: &mut Edges) {
    for writer in &chain.all {
        if chain.drops_at_end.contains(writer) {
            edges.entry((*writer, reader)).or_insert_with(|| format!("drops {table}, which is read"));
        } else {
            edges.entry((reader, *writer)).or_insert_with(|| format!("reads {table}"));
        }
    }
}

fn replaces(kind: StatementKind) -> bool {
    matches!(kind, StatementKind::CreateTable | StatementKind::CreateView)
}

fn makes(kind: StatementKind) -> bool {
    replaces(kind) || kind == StatementKind::CopyInto
}

fn is_drop(kind: StatementKind) -> bool {
    matches!(kind, StatementKind::DropTable | StatementKind::DropView)
}

/// Sorts topologically, the first name first; steps on a cycle, and those after them, are left out.
fn sort(after: &[BTreeSet<usize>]) -> Vec<usize> {
    let mut order = Vec::with_capacity(after.len());
    let mut done = vec![false; after.len()];
    let is_ready = |idx: &usize, done: &[bool]| !done[*idx] && after[*idx].iter().all(|earlier| done[*earlier]);
    while let Some(next) = (0..after.len()).find(|idx| is_ready(idx, &done)) {
        done[next] = true;
        order.push(next);
    }
    order
}

/// Walks back from the first unsorted step until one comes again.
fn cycle(nodes: &[Node<'_>], after: &[BTreeSet<usize>], sorted: &[usize], edges: &Edges) -> JobsError {
    let unsorted: BTreeSet<usize> = (0..nodes.len()).filter(|idx| !sorted.contains(idx)).collect();
    let mut path: Vec<usize> = Vec::new();
    let mut next = unsorted.first().copied();
    while let Some(idx) = next {
        if let Some(start) = path.iter().position(|seen| *seen == idx) {
            path.drain(..start);
            break;
        }
        path.push(idx);
        next = after[idx].iter().copied().find(|earlier| unsorted.contains(earlier));
    }
    path.reverse();
    let first = path.iter().enumerate().min_by_key(|(_, idx)| **idx).map_or(0, |(position, _)| position);
    path.rotate_left(first);
    path.extend(path.first().copied());
    let reasons = path
        .windows(2)
        .filter_map(|pair| edges.get(&(pair[1], pair[0])).map(|reason| format!("`{}`: {reason}", nodes[pair[1]].name)));
    let names: Vec<&str> = path.iter().map(|idx| nodes[*idx].name).collect();
    JobsError::Cycle { cycle: names.join(" → "), reasons: reasons.collect::<Vec<_>>().join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use StatementKind::{CopyInto, CreateSchema, CreateTable, CreateView, Delete, DropTable, Insert, Query};

    fn tables(names: &[&str]) -> BTreeSet<TableName> {
        names.iter().map(|name| TableName::new("s", *name)).collect()
    }

    fn node<'a>(name: &'a str, kind: StatementKind, reads: &[&str], writes: &[&str]) -> Node<'a> {
        Node { name, kind, reads: tables(reads), writes: tables(writes) }
    }

    fn order(nodes: &[Node<'_>]) -> Vec<String> {
        Graph::new(nodes).unwrap().order.into_iter().map(|idx| nodes[idx].name.to_owned()).collect()
    }

    #[test]
    fn readers_come_after_writers_whatever_their_names() {
        let nodes = [
            node("a", CreateTable, &["y"], &["z"]),
            node("b", CreateView, &["x"], &["y"]),
            node("c", CopyInto, &[], &["x"]),
            node("d", Query, &["elsewhere"], &[]),
        ];
        assert_eq!(order(&nodes), ["c", "b", "a", "d"]);
    }

    #[test]
    fn writers_of_one_table_run_maker_first_then_by_name_and_readers_after_all() {
        let nodes = [
            node("a_delete", Delete, &["x"], &["x"]),
            node("b_insert", Insert, &["x", "y"], &["x"]),
            node("c_read", CreateTable, &["x"], &["z"]),
            node("d_create", CreateTable, &["y"], &["x"]),
        ];
        assert_eq!(order(&nodes), ["d_create", "a_delete", "b_insert", "c_read"]);
    }

    #[test]
    fn several_files_load_into_one_table_in_name_order() {
        let nodes = [node("a", CopyInto, &[], &["x"]), node("b", CopyInto, &[], &["x"])];
        assert_eq!(order(&nodes), ["a", "b"]);
    }

    #[test]
    fn schemas_come_first() {
        let nodes = [node("a", CreateTable, &[], &["x"]), node("z", CreateSchema, &[], &[])];
        assert_eq!(order(&nodes), ["z", "a"]);
    }

    #[test]
    fn a_drop_runs_before_the_maker_if_named_so_else_after_the_readers() {
        let maker = || node("b", CreateTable, &[], &["x"]);
        let reader = || node("d", CreateTable, &["x"], &["y"]);
        assert_eq!(order(&[node("a", DropTable, &[], &["x"]), maker(), reader()]), ["a", "b", "d"]);
        assert_eq!(order(&[maker(), node("c", DropTable, &[], &["x"]), reader()]), ["b", "d", "c"]);
    }

    #[test]
    fn a_cycle_is_printed_with_its_reasons() {
        let nodes = [
            node("a", CreateTable, &["z"], &["x"]),
            node("b", CreateTable, &["x"], &["y"]),
            node("c", CreateTable, &["y"], &["z"]),
            node("d", CreateTable, &["z"], &["w"]),
        ];
        let error = Graph::new(&nodes).unwrap_err();
        assert_eq!(error.code(), "CW0603");
        let message = error.to_string();
        assert!(message.contains("a → b → c → a"), "{message}");
        assert!(message.contains("`b`: reads s.x; `c`: reads s.y; `a`: reads s.z"), "{message}");
    }

    #[test]
    fn a_step_that_reads_what_it_replaces_is_no_cycle() {
        assert_eq!(order(&[node("a", CreateTable, &["x"], &["x"])]), ["a"]);
    }

    #[test]
    fn two_makers_of_one_table_are_refused() {
        let nodes = [node("a", CreateTable, &[], &["x"]), node("b", CreateTable, &[], &["x"])];
        let message = Graph::new(&nodes).unwrap_err().to_string();
        assert!(message.contains("steps `a` and `b` both make s.x"), "{message}");
    }
}
