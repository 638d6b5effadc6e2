//! Lineage, read: nodes and edges in SQL, distances and order here.

mod graph;
mod names;
mod sql;

use hashbrown::HashSet;

use causeway_model::{Direction, EdgeKind, LineageRow, VersionId};

use crate::connection::{Connection, Sql};
use crate::error::{Result, damaged};
use crate::{datasets, edges, write};
use graph::Graph;
use names::{ColumnRow, Names};

/// How many steps are read one by one, which is quickest while a step leads to many nodes. What lies
/// beyond is left to the database: a table changed ten thousand times is as many steps long.
const STEPS: i64 = 64;

/// Where to start and how far to go.
pub(crate) struct Question<'a> {
    pub(crate) target: VersionId,
    pub(crate) column: Option<&'a str>,
    pub(crate) direction: Direction,
    pub(crate) depth: Option<i64>,
}

/// An edge by its nodes: a column's id, or a version's id negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Edge {
    output: i64,
    /// The origin's column id, if it is known.
    source: Option<i64>,
    kind: EdgeKind,
    masking: bool,
}

pub(crate) async fn follow(connection: &mut Connection, question: &Question<'_>) -> Result<Vec<LineageRow>> {
    let start = start(connection, question).await?;
    if question.depth.is_some_and(|depth| depth < 1) {
        return Ok(Vec::new());
    }
    let reached = reach(connection, start, question).await?;
    let edges = reached.edges;
    let names = Names::load(connection, &edges, reached.columns).await?;
    // A node without edges has no name here.
    let Some(place) = names.place(start) else { return Ok(Vec::new()) };
    let found = Graph::new(&names, &edges, question.direction)?.nearest_first(place, question.depth);
    let mut rows = Vec::with_capacity(found.len());
    for edge in found {
        rows.push(names.row(edge)?);
    }
    Ok(rows)
}

/// Checks that the target exists and returns its node.
async fn start(connection: &mut Connection, question: &Question<'_>) -> Result<i64> {
    let Some(column) = question.column else {
        datasets::version(connection, question.target).await?;
        return Ok(-question.target.0);
    };
    match write::column_ids(connection, question.target).await?.get(column) {
        Some(id) => Ok(*id),
        None => Err(edges::missing_column(connection, question.target, column).await),
    }
}

/// What can be reached.
#[derive(Default)]
struct Reached {
    edges: Vec<Edge>,
    /// The columns that were passed on the way.
    columns: Vec<ColumnRow>,
}

/// Reads the edges that can be reached; those a step too far may be among them.
async fn reach(connection: &mut Connection, start: i64, question: &Question<'_>) -> Result<Reached> {
    let direction = question.direction;
    let mut reached = Reached::default();
    let mut seen = HashSet::new();
    let mut frontier = vec![start];
    if start < 0 {
        frontier.extend(nodes(connection, sql::COLUMNS_OF, &frontier).await?);
    }
    // The nodes that stand for the same as a frontier's come one step later, hence one step more.
    let steps = question.depth.map_or(STEPS, |depth| STEPS.min(depth.saturating_add(1)));
    for _ in 0..steps {
        frontier.retain(|node| seen.insert(*node));
        if frontier.is_empty() {
            return Ok(reached);
        }
        frontier = step(connection, direction, &frontier, &mut reached).await?;
    }
    if steps == STEPS {
        let closure = match direction {
            Direction::Upstream => sql::CLOSURE_UP,
            Direction::Downstream => sql::CLOSURE_DOWN,
        };
        let mut rest = nodes(connection, closure, &frontier).await?;
        rest.retain(|node| seen.insert(*node));
        step(connection, direction, &rest, &mut reached).await?;
    }
    Ok(reached)
}

/// Reads the edges of some nodes and returns the nodes they lead to.
async fn step(
    connection: &mut Connection,
    direction: Direction,
    from: &[i64],
    reached: &mut Reached,
) -> Result<Vec<i64>> {
    let sql = match direction {
        Direction::Upstream => sql::EDGES_UP,
        Direction::Downstream => sql::EDGES_DOWN,
    };
    let found = connection.query(sql).bind_integers(from).fetch_one().await?;
    let columns = names::columns(&found, 2)?;
    let mut next = match direction {
        Direction::Upstream => columns.iter().map(|column| -column.version).collect(),
        Direction::Downstream => found.integers(5)?,
    };
    reached.columns.extend(columns);
    for (output, origin) in found.integers(0)?.into_iter().zip(found.integers(1)?) {
        let edge = unpack(output, origin)?;
        reached.edges.push(edge);
        match direction {
            Direction::Upstream => next.extend(edge.source),
            Direction::Downstream => next.push(edge.output),
        }
    }
    Ok(next)
}

async fn nodes(connection: &mut Connection, sql: Sql, of: &[i64]) -> Result<Vec<i64>> {
    connection.query(sql).bind_integers(of).fetch_one().await?.integers(0)
}

/// Takes apart the number that [`sql`] makes of an edge's origin: its column id (0 if unknown), four
/// bits of the kind, one of masking.
fn unpack(output: i64, origin: i64) -> Result<Edge> {
    let source = Some(origin >> 5).filter(|source| *source != 0);
    let number = (origin >> 1) & 0xf;
    let kind = usize::try_from(number).ok().and_then(|number| EdgeKind::ALL.get(number));
    let kind = *kind.ok_or_else(|| damaged(format!("unknown kind of lineage edge {number}")))?;
    Ok(Edge { output, source, kind, masking: origin & 1 == 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_unpacked_as_it_was_packed() {
        for (number, kind) in (0..).zip(EdgeKind::ALL) {
            let known = Edge { output: 7, source: Some(1 << 40), kind, masking: true };
            assert_eq!(unpack(7, (1 << 45) + number * 2 + 1).unwrap(), known);
            let unknown = Edge { output: -7, source: None, kind, masking: false };
            assert_eq!(unpack(-7, number * 2).unwrap(), unknown);
        }
        assert!(unpack(7, 32 + 9 * 2).is_err());
    }
}
