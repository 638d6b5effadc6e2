//! Which columns the columns of a plan come from.
//!
//! Walks the analysed (not optimised) logical plan from the scans up. Every node turns the origins of
//! its inputs' columns into the origins of its own; columns are found by their position in the input's
//! schema, never by a bare name. Two things are kept apart:
//!
//! ```text
//! SELECT sex, avg(age) AS mean FROM patients WHERE site = 'north' GROUP BY sex
//!
//! column  sex   <- patients.sex   IDENTITY
//! column  mean  <- patients.age   AGGREGATION
//! output        <- patients.sex   GROUP_BY        which rows there are: concerns every column
//! output        <- patients.site  FILTER
//! ```
//!
//! An INDIRECT kind stands on a single column where only that column depends on it: the condition of a
//! `CASE`, the partition of a window, the `FILTER` of an aggregate, the rows of a subquery in an
//! expression. Along a path the outermost INDIRECT use names the kind, otherwise the innermost
//! INDIRECT one, otherwise the strongest of IDENTITY < TRANSFORMATION < AGGREGATION.
//!
//! A column without origins (a literal, `count(*)`, `random()`) has an empty set; a column whose origin
//! cannot be known has [`OriginSource::Unknown`]. If a column of a table is in no set, changing its
//! values cannot change the output; `property.rs` tests that on random queries.

mod changes;
mod edges;
mod expression;
mod flow;
mod joins;
mod scan;
mod scope;

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use causeway_core::ColumnOrigin;
use causeway_model::EdgeKind;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};

/// Where the columns of a plan come from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct PlanLineage {
    /// The output columns in order, each with its origins.
    pub(crate) columns: Vec<(String, BTreeSet<Origin>)>,
    /// What decides which rows the output has, and in which order.
    pub(crate) indirect: BTreeSet<Origin>,
}

/// One thing that an output depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Origin {
    /// What it is.
    pub(crate) source: OriginSource,
    /// How the output depends on it.
    pub(crate) kind: EdgeKind,
    /// True if a privacy mechanism or a cryptographic hash stands between.
    pub(crate) masking: bool,
}

/// The far end of a dependency.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum OriginSource {
    /// A column of a scanned table.
    Column {
        /// The table, as the scan names it; an alias in the query does not change it.
        relation: String,
        /// The column's name in that table.
        column: String,
    },
    /// An opaque node stood between.
    Unknown,
}

/// What an extension node declares about itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct ExtensionLineage {
    /// The origins of each output column, in order; a column beyond the end is unknown.
    pub(crate) columns: Vec<Vec<ColumnOrigin>>,
    /// The input columns that decide which rows the output has.
    pub(crate) indirect: Vec<ColumnOrigin>,
}

/// Asks an extension node for its lineage; `None` if it is opaque.
pub(crate) type ExtensionLookup<'a> = dyn Fn(&dyn UserDefinedLogicalNode) -> Option<ExtensionLineage> + 'a;

/// Returns where the columns of an analysed plan come from.
///
/// For a statement that writes (`INSERT`, `COPY`, `CREATE TABLE AS`, `UPDATE`, `MERGE`) the columns are
/// those written; for `EXPLAIN` those of the explained query.
pub(crate) fn plan_lineage(plan: &LogicalPlan, extension: &ExtensionLookup<'_>) -> PlanLineage {
    let mut walker = flow::Walker::new(extension);
    let flow = walker.flow(plan, None);
    let sources = &walker.sources;
    let columns = changes::output_names(plan).into_iter().zip(flow.columns.iter().map(|edges| sources.origins(edges)));
    PlanLineage { columns: columns.collect(), indirect: sources.origins(&flow.indirect) }
}
