//! Rows of `system.principals`, `system.grants` and `system.row_policies`.

use arrow::array::ArrayRef;
use causeway_model::{Catalog, Grant, Securable};
use datafusion::error::Result;

use crate::cells::{booleans, instants, optional_texts, text_lists, texts};
use crate::provider::catalog_error;

pub(crate) async fn principals(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let principals = catalog.principals().await.map_err(catalog_error)?;
    let rows = || principals.iter();
    Ok(vec![
        texts(rows().map(|row| &row.name)),
        texts(rows().map(|row| row.kind.name())),
        text_lists(rows().map(|row| &row.member_of)),
        instants(rows().map(|row| Some(row.created_at.as_str())))?,
    ])
}

pub(crate) async fn grants(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let grants = catalog.grants().await.map_err(catalog_error)?;
    let rows = || grants.iter();
    Ok(vec![
        texts(rows().map(|row| &row.grantee)),
        texts(rows().map(|row| row.privilege.name())),
        texts(rows().map(kind_of)),
        texts(rows().map(name_of)),
        optional_texts(rows().map(|row| row.column.as_ref())),
    ])
}

fn kind_of(grant: &Grant) -> &'static str {
    match grant.on {
        Securable::Table(_) => "table",
        Securable::Schema(_) => "schema",
        Securable::Operator(_) => "operator",
    }
}

fn name_of(grant: &Grant) -> String {
    match &grant.on {
        Securable::Table(name) => name.to_string(),
        Securable::Schema(name) | Securable::Operator(name) => name.clone(),
    }
}

pub(crate) async fn row_policies(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let policies = catalog.row_policies(None).await.map_err(catalog_error)?;
    let rows = || policies.iter();
    Ok(vec![
        texts(rows().map(|row| &row.table.schema)),
        texts(rows().map(|row| &row.table.table)),
        texts(rows().map(|row| &row.name)),
        texts(rows().map(|row| &row.grantee)),
        texts(rows().map(|row| &row.condition)),
        booleans(rows().map(|row| row.restrictive)),
    ])
}
