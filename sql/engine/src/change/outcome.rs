//! What a written table inherits from its inputs, and the lineage that is recorded with it.

use std::collections::BTreeMap;

use causeway_lake::Commit;
use causeway_model::{
    Column, Dataset, DatasetKind, DatasetPolicy, DatasetVersion, EdgeKind, EdgeSource, LineageEdge, OutputVersion,
};
use datafusion::arrow::datatypes::Schema;

use crate::lineage::{Origin, OriginSource, PlanLineage};
use crate::parse::DEFAULT_SCHEMA;
use crate::types::column_of;

use super::target::Target;

/// The columns of an output with what they inherit.
pub(super) struct Described {
    pub(super) columns: Vec<Column>,
    pub(super) policy: DatasetPolicy,
}

/// Describes the columns of a query's result. A column computed row by row from an identifying one
/// is identifying, an unkeyed hash of it too; a copied column keeps its unit and meaning. What holds an
/// identifying column of a protected table is protected.
pub(super) fn describe(
    schema: &Schema,
    lineage: &PlanLineage,
    inputs: &BTreeMap<String, DatasetVersion>,
    policies: &BTreeMap<String, DatasetPolicy>,
) -> Described {
    let (mut policy, nothing) = (DatasetPolicy::default(), DatasetPolicy::default());
    let mut columns: Vec<Column> = schema.fields().iter().map(|field| column_of(field)).collect();
    for (column, (_, origins)) in columns.iter_mut().zip(&lineage.columns) {
        for origin in origins.iter().filter(|origin| origin.kind.is_direct()) {
            let OriginSource::Column { relation, column: name } = &origin.source else { continue };
            let Some(source) = source_column(inputs, relation, name) else { continue };
            let of_source = pinned(policies, relation).unwrap_or(&nothing);
            if origin.kind == EdgeKind::Identity {
                column.unit = column.unit.take().or_else(|| source.unit.clone());
                column.meaning = column.meaning.take().or_else(|| source.meaning.clone());
                if of_source.subject_key.as_ref() == Some(name) && policy.subject_key.is_none() {
                    policy.subject_key = Some(column.name.clone());
                    policy.identity_domain.clone_from(&of_source.identity_domain);
                }
            }
            let identifies = source.identifying && !is_count(origin.kind, source, column);
            column.identifying |= identifies;
            policy.protected |= identifies && of_source.protected;
        }
        if column.identifying {
            policy.identifying.push(column.name.clone());
        }
    }
    Described { columns, policy }
}

impl Described {
    /// Adds what was declared of the table that gets this new content.
    pub(super) fn renew(&mut self, table: Option<&Dataset>) {
        if let Some(table) = table {
            self.policy = table.policy.renewed(std::mem::take(&mut self.policy), &self.columns);
        }
        for column in &mut self.columns {
            column.identifying |= self.policy.identifying.contains(&column.name);
        }
    }
}

/// Finds what stands under a scan's reference; a table named without its schema is one of `main`.
fn pinned<'a, T>(by_reference: &'a BTreeMap<String, T>, relation: &str) -> Option<&'a T> {
    by_reference.get(relation).or_else(|| by_reference.get(&format!("{DEFAULT_SCHEMA}.{relation}")))
}

fn source_column<'a>(inputs: &'a BTreeMap<String, DatasetVersion>, relation: &str, name: &str) -> Option<&'a Column> {
    pinned(inputs, relation)?.columns.iter().find(|column| column.name == name)
}

/// Returns true for a number made of several texts, such as a count: it shows none of them. The
/// largest of several numbers is one of them.
fn is_count(kind: EdgeKind, source: &Column, output: &Column) -> bool {
    let is_number = |column: &Column| {
        let data_type = column.data_type.as_str();
        matches!(data_type, "smallint" | "int" | "bigint" | "real" | "double") || data_type.starts_with("decimal")
    };
    kind == EdgeKind::Aggregation && is_number(output) && !is_number(source)
}

/// Turns a plan's lineage into the edges of output `output`.
pub(super) fn edges(
    lineage: &PlanLineage,
    inputs: &BTreeMap<String, DatasetVersion>,
    output: usize,
) -> Vec<LineageEdge> {
    let mut edges = Vec::new();
    for (name, origins) in &lineage.columns {
        edges.extend(origins.iter().map(|origin| edge(origin, Some(name.clone()), inputs, output)));
    }
    edges.extend(lineage.indirect.iter().map(|origin| edge(origin, None, inputs, output)));
    edges.sort();
    edges.dedup();
    edges
}

fn edge(
    origin: &Origin,
    column: Option<String>,
    inputs: &BTreeMap<String, DatasetVersion>,
    output: usize,
) -> LineageEdge {
    let source = match &origin.source {
        OriginSource::Column { relation, column } if source_column(inputs, relation, column).is_some() => {
            pinned(inputs, relation).map_or(EdgeSource::Unknown, |version| EdgeSource::Column {
                version: version.id,
                column: column.clone(),
            })
        }
        _ => EdgeSource::Unknown,
    };
    LineageEdge { output, column, source, kind: origin.kind, masking: origin.masking }
}

/// Returns the edges by which an appended table keeps the rows of its previous version.
pub(super) fn kept_edges(previous: &DatasetVersion, columns: &[Column], output: usize) -> Vec<LineageEdge> {
    let kept = columns.iter().filter(|column| previous.columns.iter().any(|old| old.name == column.name));
    kept.map(|column| LineageEdge {
        output,
        column: Some(column.name.clone()),
        source: EdgeSource::Column { version: previous.id, column: column.name.clone() },
        kind: EdgeKind::Identity,
        masking: false,
    })
    .collect()
}

/// Describes a committed table version for the catalog.
pub(super) fn output_version(
    target: &Target,
    commit: &Commit,
    described: Described,
    previous: Option<&DatasetVersion>,
) -> OutputVersion {
    let count = |number: u64| i64::try_from(number).ok();
    OutputVersion {
        name: target.name.clone(),
        kind: DatasetKind::Table,
        location: target.location.clone(),
        view_sql: None,
        policy: Some(described.policy),
        version: commit.version,
        n_rows: count(commit.n_rows),
        n_bytes: count(commit.n_bytes),
        n_files: count(commit.n_files),
        digest: None,
        columns: described.columns,
        previous: previous.map(|version| version.id),
    }
}
