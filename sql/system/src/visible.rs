//! Which rows of a relation a user sees.
//!
//! Admins and auditors see everything. Others see what concerns tables they hold a right on, runs they
//! started (an `operator`: all runs), and grants and policies of their own roles (a `steward`: all).

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
            let sides = [text("dataset"), text("source_dataset")];
            let known = |row: usize| {
                sides.iter().flatten().all(|side| side.is_null(row) || may_know(rights, &named(side.value(row))))
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
        (Source::RowPolicies | Source::Grants, ..) => {
            let Some(grantees) = text("grantee") else { return Ok(batch.slice(0, 0)) };
            present(&grantees).map(|grantee| rights.may_govern() || rights.has_role(grantee)).collect()
        }
        (Source::Principals, ..) => {
            let Some(names) = text("name") else { return Ok(batch.slice(0, 0)) };
            present(&names).map(|name| rights.may_govern() || rights.has_role(name)).collect()
        }
        (_, _, Some(schemas)) => {
            let names = text("name");
            let known = |row: usize| {
                names
                    .as_ref()
                    .is_some_and(|names| may_know(rights, &TableName::new(schemas.value(row), names.value(row))))
            };
            (0..batch.num_rows()).map(known).collect()
        }
        _ => return Ok(batch.slice(0, 0)),
    };
    Ok(filter_record_batch(&batch, &BooleanArray::from(keep))?)
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

fn may_see_column(rights: &Rights, table: &TableName, column: &str) -> bool {
    match rights.readable(table) {
        ReadableColumns::Some(columns) if !rights.may_govern() => columns.contains(column),
        _ => may_know(rights, table),
    }
}
