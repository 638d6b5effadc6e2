//! Whether a load may be committed, and what the user is told.

use arrow::datatypes::Schema;
use causeway_model::TableName;

use super::{Mode, Request};
use crate::contract::{ColumnType, Contract};
use crate::error::{FaultCount, IngestError, Result, list_faults};

/// Checks what can be checked without reading.
pub(super) fn check_table(request: &Request) -> Result<()> {
    let contract = &request.contract;
    let refuse = |message: String| Err(IngestError::Contract { place: "contract".to_owned(), message });
    if let Some(table) = contract.table().filter(|table| *table != request.table.to_string()) {
        return refuse(format!("it is for table `{table}`, not for `{}`", request.table));
    }
    if request.mode == Mode::Merge && contract.key.is_empty() {
        return refuse("a merge needs the columns that identify a row; add `key = [\"…\"]`".to_owned());
    }
    Ok(())
}

/// Checks that the table has the contract's columns; their order does not count.
pub(super) fn check_columns(table: &TableName, contract: &Contract, schema: &Schema) -> Result<()> {
    let refuse = |problem| Err(IngestError::TableMismatch { table: table.to_string(), problem });
    for column in &contract.columns {
        let Some((_, field)) = schema.column_with_name(&column.name) else {
            return refuse(format!("the table has no column `{}`", column.name));
        };
        if ColumnType::from_arrow(field.data_type()) != Some(column.column_type) {
            let (found, wanted) = (field.data_type(), column.column_type);
            return refuse(format!("column `{}` is {found} in the table and {wanted} in the contract", column.name));
        }
    }
    let is_named = |name: &str| contract.columns.iter().any(|column| column.name == name);
    match schema.fields().iter().find(|field| !is_named(field.name())) {
        Some(field) => refuse(format!("the contract has no column `{}`", field.name())),
        None => Ok(()),
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share; rows are far below 2^53")]
fn share(faults: &[FaultCount], rows: u64) -> (u64, f64) {
    let bad = faults.iter().map(|fault| fault.rows).sum::<u64>();
    (bad, bad as f64 / rows.max(1) as f64)
}

/// Refuses a file with too many bad rows.
pub(super) fn judge(contract: &Contract, file: &str, rows: u64, faults: &[FaultCount]) -> Result<()> {
    let (bad, share) = share(faults, rows);
    let limit = contract.limits.fail_share;
    if share <= limit {
        return Ok(());
    }
    Err(IngestError::TooManyBadRows { file: file.to_owned(), read: rows, bad, limit, faults: faults.to_vec() })
}

/// Says what the user should know about a load that is committed.
pub(super) fn warnings(contract: &Contract, table: &TableName, rows: u64, faults: &[FaultCount]) -> Vec<String> {
    let (bad, share) = share(faults, rows);
    if rows == 0 {
        return vec!["the file has no rows".to_owned()];
    }
    if share <= contract.limits.warn_share {
        return vec![];
    }
    vec![format!("{bad} of {rows} rows are in `{}`: {}", table.quarantine(), list_faults(faults))]
}
