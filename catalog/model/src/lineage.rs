//! Column lineage: edges between columns of dataset versions.

use std::sync::Arc;

use crate::{RunId, VersionId};

/// The kind of a dependency (OpenLineage column lineage facet 1-2-0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeKind {
    /// DIRECT: copied.
    Identity,
    /// DIRECT: computed from the same row.
    Transformation,
    /// DIRECT: computed from several rows.
    Aggregation,
    /// INDIRECT: decides which rows meet.
    Join,
    /// INDIRECT: decides which rows are put together.
    GroupBy,
    /// INDIRECT: decides which rows are kept.
    Filter,
    /// INDIRECT: decides the order.
    Sort,
    /// INDIRECT: partitions or orders a window.
    Window,
    /// INDIRECT: decides between branches of an expression.
    Conditional,
}

impl EdgeKind {
    /// All kinds, in the order of their stored numbers.
    pub const ALL: [Self; 9] = [
        Self::Identity,
        Self::Transformation,
        Self::Aggregation,
        Self::Join,
        Self::GroupBy,
        Self::Filter,
        Self::Sort,
        Self::Window,
        Self::Conditional,
    ];

    /// Returns OpenLineage's subtype name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "IDENTITY",
            Self::Transformation => "TRANSFORMATION",
            Self::Aggregation => "AGGREGATION",
            Self::Join => "JOIN",
            Self::GroupBy => "GROUP_BY",
            Self::Filter => "FILTER",
            Self::Sort => "SORT",
            Self::Window => "WINDOW",
            Self::Conditional => "CONDITIONAL",
        }
    }

    /// Returns true for the DIRECT kinds.
    pub fn is_direct(self) -> bool {
        matches!(self, Self::Identity | Self::Transformation | Self::Aggregation)
    }
}

/// Where an edge comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum EdgeSource {
    /// A column of an input version.
    Column {
        /// The pinned input version.
        version: VersionId,
        /// The column's name in that version.
        column: String,
    },
    /// An opaque node stood between: the origin is unknown, and said to be.
    Unknown,
}

/// One edge of a step, written with its outputs.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineageEdge {
    /// The index of the output in [`crate::StepOutcome::outputs`].
    pub output: usize,
    /// The output column; `None` for an edge that concerns the whole output (INDIRECT kinds).
    pub column: Option<String>,
    /// The origin.
    pub source: EdgeSource,
    /// The kind.
    pub kind: EdgeKind,
    /// True if a privacy mechanism or keyed hash stands between.
    pub masking: bool,
}

/// Which way to follow the edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// To what a result came from.
    Upstream,
    /// To what was made from it.
    Downstream,
}

/// One edge of a closure, with names for people. A closure is tens of thousands of edges between a few
/// hundred tables, so they share their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineageRow {
    /// Steps away from the target, from 1.
    pub depth: i64,
    /// The output side: `schema.table`.
    pub dataset: Arc<str>,
    /// Its version.
    pub version: i64,
    /// Its column; `None` for an edge of the whole output.
    pub column: Option<Arc<str>>,
    /// The input side: `schema.table`, or `file.<path>`; `None` if unknown.
    pub source_dataset: Option<Arc<str>>,
    /// Its version.
    pub source_version: Option<i64>,
    /// Its column.
    pub source_column: Option<Arc<str>>,
    /// The kind.
    pub kind: EdgeKind,
    /// True if a privacy mechanism or keyed hash stands between.
    pub masking: bool,
    /// The run.
    pub run: Arc<RunId>,
    /// The step's name.
    pub step: Arc<str>,
}
