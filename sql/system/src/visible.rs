//! Which rows of a relation a user sees.
//!
//! Admins and auditors see everything, stewards all about tables and rights. Others see columns and
//! edges of columns they may read, datasets and versions they may read all of (the number of rows of a
//! table with hidden ones would say how many), runs they started (an `operator`: all runs), and grants
//! and policies of their own roles.

use std::collections::BTreeSet;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::filter_record_batch;
use causeway_model::{Catalog, Privilege, ReadableColumns, Rights, Securable, TableName};
use datafusion::error::Result;

use crate::provider::{Source, catalog_error};

/// Keeps the rows of a relation that a user may see.
pub(crate) async fn visible(
    source: &Source,
    batch: RecordBatch,
    catalog: &dyn Catalog,
    rights: &Rights,
) -> Result<RecordBatch> {
    if rights.sees_record() {
        return Ok(batch);
    }
    let own = match source {
        Source::Runs | Source::Steps | Source::OperatorRuns => own_runs(catalog, rights).await?,
        _ => BTreeSet::new(),
    };
    let text = |column: &str| batch.column_by_name(column).map(|values| values.as_string::<i32>().clone());
    let keep: Vec<bool> = match (source, text("run"), text("schema")) {
        (Source::Operators | Source::OperatorOptions, ..) => return Ok(batch),
        (Source::Runs | Source::Steps | Source::OperatorRuns, Some(runs), _) => {
            present(&runs).map(|run| rights.has_role("operator") || own.contains(run)).collect()
        }
        (Source::Lineage { .. }, ..) => {
            let sides = [(text("dataset"), text("column")), (text("source_dataset"), text("source_column"))];
            let known = |row: usize| {
                sides.iter().all(|(datasets, columns)| match datasets {
                    Some(datasets) if datasets.is_valid(row) => {
                        let column = columns.as_ref().filter(|columns| columns.is_valid(row));
                        let name = named(datasets.value(row));
                        column.map_or_else(
                            || may_know(rights, &name),
                            |column| may_see_column(rights, &name, column.value(row)),
                        )
                    }
                    _ => true,
                })
            };
            (0..batch.num_rows()).map(known).collect()
        }
        (Source::Columns, _, Some(schemas)) => {
            let (tables, columns) = (text("dataset"), text("name"));
            let shown = |row: usize| match (&tables, &columns) {
                (Some(tables), Some(columns)) => {
                    may_see_column(rights, &TableName::new(schemas.value(row), tables.value(row)), columns.value(row))
                }
                _ => false,
            };
            (0..batch.num_rows()).map(shown).collect()
        }
        (Source::Grants, ..) => {
            let Some(grantees) = text("grantee") else { return Ok(batch.slice(0, 0)) };
            present(&grantees).map(|grantee| rights.may_govern() || rights.has_role(grantee)).collect()
        }
        (Source::RowPolicies, _, Some(schemas)) => {
            let (tables, grantees) = (text("table"), text("grantee"));
            let shown = |row: usize| match (&tables, &grantees) {
                (Some(tables), Some(grantees)) => {
                    let table = TableName::new(schemas.value(row), tables.value(row));
                    rights.may_govern() || (rights.has_role(grantees.value(row)) && may_know(rights, &table))
                }
                _ => false,
            };
            (0..batch.num_rows()).map(shown).collect()
        }
        (Source::Principals, ..) => {
            let Some(names) = text("name") else { return Ok(batch.slice(0, 0)) };
            present(&names).map(|name| rights.may_govern() || rights.has_role(name)).collect()
        }
        (_, _, Some(schemas)) => {
            let policed = policed(catalog).await?;
            let (names, dropped) = (text("name"), batch.column_by_name("dropped_at"));
            let shown = |row: usize| {
                let Some(names) = &names else { return false };
                let name = TableName::new(schemas.value(row), names.value(row));
                dropped.is_none_or(|dropped| dropped.is_null(row)) && is_whole(rights, &policed, &name)
            };
            (0..batch.num_rows()).map(shown).collect()
        }
        _ => return Ok(batch.slice(0, 0)),
    };
    Ok(filter_record_batch(&batch, &BooleanArray::from(keep))?)
}

/// Returns the tables that have row policies.
async fn policed(catalog: &dyn Catalog) -> Result<BTreeSet<TableName>> {
    let policies = catalog.row_policies(None).await.map_err(catalog_error)?;
    Ok(policies.into_iter().map(|policy| policy.table).collect())
}

/// Returns true if a user may read all of a table, so that its counts and its text say nothing new.
fn is_whole(rights: &Rights, policed: &BTreeSet<TableName>, name: &TableName) -> bool {
    if name.schema == "file" || rights.may_govern() {
        return may_know(rights, name);
    }
    rights.readable(name) == ReadableColumns::All && !policed.contains(name)
}

async fn own_runs(catalog: &dyn Catalog, rights: &Rights) -> Result<BTreeSet<String>> {
    let runs = catalog.runs(i64::MAX).await.map_err(catalog_error)?;
    Ok(runs.into_iter().filter(|run| run.actor == rights.user).map(|run| run.id.0).collect())
}

fn present(values: &StringArray) -> impl Iterator<Item = &str> {
    values.iter().map(Option::unwrap_or_default)
}

/// Reads `schema.table`; a schema's name has no dot.
fn named(text: &str) -> TableName {
    let (schema, table) = text.split_once('.').unwrap_or(("main", text));
    TableName::new(schema, table)
}

/// Returns true if a user may know that a table, view or file is there.
pub(crate) fn may_know(rights: &Rights, name: &TableName) -> bool {
    if name.schema == "file" {
        return rights.sees_record() || rights.may(Privilege::Select, &Securable::Schema("file".to_owned()));
    }
    rights.may_know(name)
}

pub(crate) fn may_see_column(rights: &Rights, table: &TableName, column: &str) -> bool {
    if table.schema == "file" || rights.sees_record() || rights.may_govern() {
        return may_know(rights, table);
    }
    match rights.readable(table) {
        ReadableColumns::All => true,
        ReadableColumns::Some(columns) => columns.contains(column),
        ReadableColumns::None => false,
    }
}
