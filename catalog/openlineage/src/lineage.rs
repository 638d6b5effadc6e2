//! Column lineage as OpenLineage says it.
//!
//! An edge of a column stands under that column, whatever its kind; one that concerns the whole
//! output stands under `dataset`. OpenLineage cannot say "unknown", and leaving it out would say
//! "from nothing": a column whose origin is unknown is listed, and its description says so.

use std::collections::{BTreeMap, BTreeSet};

use causeway_model::{Column, EdgeKind, EdgeSource, LineageEdge};

use crate::error::Result;
use crate::facets::{ColumnLineage, ColumnOrigins, InputField, Transformation};
use crate::naming::DatasetName;

/// What is said of a column that an opaque operation made.
pub(crate) const UNKNOWN: &str = "origin unknown: an opaque operation stands between";

/// Input fields, each with all that is done with it.
type Fields = BTreeMap<(DatasetName, String), BTreeSet<Transformation>>;

/// Builds the facet's body from the edges of one output; `None` without edges.
pub(crate) fn column_lineage<'a>(
    edges: impl Iterator<Item = &'a LineageEdge>,
    columns: &[Column],
    name: impl Fn(causeway_model::VersionId) -> Result<DatasetName>,
) -> Result<Option<ColumnLineage>> {
    let mut by_column: BTreeMap<&str, (Fields, bool)> = BTreeMap::new();
    let mut whole = Fields::new();
    for edge in edges {
        match (&edge.source, edge.column.as_deref()) {
            (EdgeSource::Column { version, column: field }, column) => {
                let fields = column.map_or(&mut whole, |column| &mut by_column.entry(column).or_default().0);
                fields.entry((name(*version)?, field.clone())).or_default().insert(transformation(edge));
            }
            (EdgeSource::Unknown, Some(column)) => by_column.entry(column).or_default().1 = true,
            // Unknown for the whole output: for each of its columns.
            (EdgeSource::Unknown, None) => {
                columns.iter().for_each(|column| by_column.entry(&column.name).or_default().1 = true);
            }
        }
    }
    if by_column.is_empty() && whole.is_empty() {
        return Ok(None);
    }
    let fields = by_column.into_iter().map(|(column, (fields, unknown))| {
        let transformation_description = unknown.then_some(UNKNOWN);
        (column.to_owned(), ColumnOrigins { input_fields: input_fields(fields), transformation_description })
    });
    Ok(Some(ColumnLineage { fields: fields.collect(), dataset: input_fields(whole) }))
}

fn input_fields(fields: Fields) -> Vec<InputField> {
    let field = |((dataset, field), transformations): (_, BTreeSet<_>)| InputField {
        dataset,
        field,
        transformations: transformations.into_iter().collect(),
    };
    fields.into_iter().map(field).collect()
}

fn transformation(edge: &LineageEdge) -> Transformation {
    Transformation { kind: kind(edge.kind), subtype: edge.kind.name(), masking: edge.masking }
}

fn kind(kind: EdgeKind) -> &'static str {
    if kind.is_direct() { "DIRECT" } else { "INDIRECT" }
}

#[cfg(test)]
mod tests;
