//! How an output column depends on input columns, in OpenLineage's words.

/// The kind of a dependency (OpenLineage column lineage facet 1-2-0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transformation {
    /// DIRECT: the value is copied.
    Identity,
    /// DIRECT: the value is computed from the input value of the same row.
    Transformation,
    /// DIRECT: the value is computed from the input values of several rows.
    Aggregation,
    /// INDIRECT: the input decides which rows meet.
    Join,
    /// INDIRECT: the input decides which rows are put together.
    GroupBy,
    /// INDIRECT: the input decides which rows are kept.
    Filter,
    /// INDIRECT: the input decides the order, and with it which rows a limit keeps.
    Sort,
    /// INDIRECT: the input partitions or orders a window.
    Window,
    /// INDIRECT: the input decides between branches of an expression.
    Conditional,
}

/// One input column that an output column, or the whole output, depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ColumnOrigin {
    /// The index of the input relation.
    pub input: usize,
    /// The column of that relation.
    pub column: String,
    /// The kind of dependency.
    pub kind: Transformation,
    /// True if a privacy mechanism or a keyed hash stands between.
    pub masking: bool,
}

impl Transformation {
    /// Returns true for the DIRECT kinds.
    pub fn is_direct(self) -> bool {
        matches!(self, Self::Identity | Self::Transformation | Self::Aggregation)
    }

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
}
