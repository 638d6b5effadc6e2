//! Dependencies while they are composed: small, ordered, with the sources kept aside.

use std::collections::{BTreeSet, HashMap};

use causeway_model::EdgeKind;

use super::{Origin, OriginSource};

/// How something is used: copied, computed with, filtered by …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) kind: EdgeKind,
    pub(super) masking: bool,
}

impl Use {
    pub(super) const COPY: Self = Self::of(EdgeKind::Identity);

    pub(super) const fn of(kind: EdgeKind) -> Self {
        Self { kind, masking: false }
    }

    /// Returns the use of something whose result is used by `outer`.
    pub(super) fn within(self, outer: Self) -> Self {
        Self { kind: compose(self.kind, outer.kind), masking: self.masking || outer.masking }
    }
}

/// The outermost INDIRECT use wins, then the innermost; of two DIRECT ones the stronger.
fn compose(inner: EdgeKind, outer: EdgeKind) -> EdgeKind {
    if !outer.is_direct() {
        outer
    } else if !inner.is_direct() {
        inner
    } else {
        inner.max(outer)
    }
}

/// A dependency on a numbered source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    source: usize,
    usage: Use,
}

impl Edge {
    /// Returns the edge to what nobody knows.
    pub(super) const fn unknown(usage: Use) -> Self {
        Self { source: Sources::UNKNOWN, usage }
    }
}

pub(super) type Edges = BTreeSet<Edge>;

/// Adds `edges` as they look from outside of `outer`.
pub(super) fn extend_within(into: &mut Edges, edges: &Edges, outer: Use) {
    into.extend(edges.iter().map(|edge| Edge { source: edge.source, usage: edge.usage.within(outer) }));
}

/// The origins of a relation: of each column of its schema, and of its rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Flow {
    pub(super) columns: Vec<Edges>,
    pub(super) indirect: Edges,
}

impl Flow {
    /// Returns the flow of `n_columns` that depend on nothing.
    pub(super) fn constant(n_columns: usize) -> Self {
        Self { columns: vec![Edges::new(); n_columns], indirect: Edges::new() }
    }

    /// Returns the flow of `n_columns` of which nothing is known.
    pub(super) fn unknown(n_columns: usize) -> Self {
        let column = Edges::from([Edge::unknown(Use::of(EdgeKind::Transformation))]);
        let rows = Edges::from([Edge::unknown(Use::of(EdgeKind::Filter))]);
        Self { columns: vec![column; n_columns], indirect: rows }
    }

    /// Adds another relation's rows below this one's, column by column.
    pub(super) fn stack(&mut self, below: Self) {
        for (column, more) in self.columns.iter_mut().zip(below.columns) {
            column.extend(more);
        }
        self.indirect.extend(below.indirect);
    }

    /// Makes every column decide which rows are put together, as `DISTINCT` does.
    pub(super) fn distinct(mut self) -> Self {
        for column in &self.columns {
            extend_within(&mut self.indirect, column, Use::of(EdgeKind::GroupBy));
        }
        self
    }
}

/// The numbered sources of one plan.
#[derive(Debug)]
pub(super) struct Sources {
    list: Vec<OriginSource>,
    numbers: HashMap<OriginSource, usize>,
}

impl Sources {
    const UNKNOWN: usize = 0;

    pub(super) fn new() -> Self {
        Self { list: vec![OriginSource::Unknown], numbers: HashMap::new() }
    }

    /// Returns the edge of a table's own column.
    pub(super) fn column(&mut self, relation: &str, column: &str) -> Edge {
        let source = OriginSource::Column { relation: relation.to_owned(), column: column.to_owned() };
        let next = self.list.len();
        let number = *self.numbers.entry(source.clone()).or_insert(next);
        if number == next {
            self.list.push(source);
        }
        Edge { source: number, usage: Use::COPY }
    }

    /// Returns the edges with their sources named.
    pub(super) fn origins(&self, edges: &Edges) -> BTreeSet<Origin> {
        let named = |edge: &Edge| Origin {
            source: self.list.get(edge.source).cloned().unwrap_or(OriginSource::Unknown),
            kind: edge.usage.kind,
            masking: edge.usage.masking,
        };
        edges.iter().map(named).collect()
    }
}
