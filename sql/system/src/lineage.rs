//! Rows of the lineage functions, and what `'schema.table.column'` means.

use arrow::array::ArrayRef;
use causeway_core::nearest;
use causeway_model::{Catalog, CatalogError, Dataset, DatasetVersion, Direction, Rights, TableName};
use datafusion::error::{DataFusionError, Result};

use crate::cells::{booleans, integers, optional_integers, optional_texts, texts};
use crate::provider::catalog_error;

/// What a lineage question is about: a version, and perhaps one of its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The table, view or file.
    pub dataset: Dataset,
    /// The version asked for, or the newest.
    pub version: DatasetVersion,
    /// The column, if one was named.
    pub column: Option<String>,
}

impl Target {
    /// Finds `schema.table`, `schema.table.column` or `file.<path>[.column]`. A dataset of the whole
    /// name comes first, since paths hold dots.
    ///
    /// # Errors
    /// [`CatalogError::NotFound`], or [`CatalogError::Invalid`] with the names that exist.
    pub async fn find(catalog: &dyn Catalog, text: &str, version: Option<i64>) -> Result<Self, CatalogError> {
        let Some((schema, rest)) = text.split_once('.') else {
            return Err(CatalogError::Invalid(format!(
                "`{text}` names no table; write schema.table or schema.table.column"
            )));
        };
        if let Some(dataset) = catalog.dataset(&TableName::new(schema, rest)).await? {
            return Self::of(catalog, dataset, version, None).await;
        }
        if let Some((table, column)) = rest.rsplit_once('.')
            && let Some(dataset) = catalog.dataset(&TableName::new(schema, table)).await?
        {
            return Self::of(catalog, dataset, version, Some(column)).await;
        }
        Err(unknown_dataset(catalog, &Rights::embedded(), text).await?)
    }

    /// Finds what a user may know of; the rest is not found.
    async fn find_known(
        catalog: &dyn Catalog,
        rights: &Rights,
        text: &str,
        version: Option<i64>,
    ) -> Result<Self, CatalogError> {
        match Self::find(catalog, text, version).await {
            Ok(target) if is_known(rights, &target) => Ok(target),
            Err(error) if rights.sees_record() => Err(error),
            _ => Err(unknown_dataset(catalog, rights, text).await?),
        }
    }

    async fn of(
        catalog: &dyn Catalog,
        dataset: Dataset,
        version: Option<i64>,
        column: Option<&str>,
    ) -> Result<Self, CatalogError> {
        let found = match version {
            Some(number) => catalog.version(dataset.id, number).await?,
            None => catalog.latest_version(dataset.id).await?,
        };
        let Some(found) = found else {
            let number = version.map_or_else(|| "any".to_owned(), |number| number.to_string());
            return Err(CatalogError::NotFound { what: "version", name: format!("{}@{number}", dataset.name) });
        };
        if let Some(column) = column
            && found.columns.iter().all(|known| known.name != column)
        {
            return Err(unknown_column(&dataset, &found, column));
        }
        Ok(Self { dataset, version: found, column: column.map(str::to_owned) })
    }
}

fn is_known(rights: &Rights, target: &Target) -> bool {
    let name = &target.dataset.name;
    match &target.column {
        Some(column) => rights.may_know_column(name, column),
        None => rights.may_know(name),
    }
}

async fn unknown_dataset(catalog: &dyn Catalog, rights: &Rights, text: &str) -> Result<CatalogError, CatalogError> {
    let datasets = catalog.datasets(false).await?;
    let known = datasets.iter().filter(|dataset| rights.may_know(&dataset.name));
    let names: Vec<String> = known.map(|dataset| dataset.name.to_string()).collect();
    let meant = nearest(text, names.iter().map(String::as_str));
    let hint = meant.map_or_else(
        || "`SELECT * FROM system.datasets` lists them".to_owned(),
        |name| format!("did you mean `{name}`?"),
    );
    Ok(CatalogError::Invalid(format!("table `{text}` not found; {hint}")))
}

fn unknown_column(dataset: &Dataset, version: &DatasetVersion, column: &str) -> CatalogError {
    let known: Vec<&str> = version.columns.iter().map(|column| column.name.as_str()).collect();
    let meant = nearest(column, known.iter().copied()).map(|name| format!("; did you mean `{name}`?"));
    CatalogError::Invalid(format!(
        "column `{column}` not found in {}@{}{}; it has: {}",
        dataset.name,
        version.version,
        meant.unwrap_or_default(),
        known.join(", ")
    ))
}

pub(crate) async fn rows(
    catalog: &dyn Catalog,
    rights: &Rights,
    target: &str,
    version: Option<i64>,
    depth: Option<i64>,
    direction: Direction,
) -> Result<Vec<ArrayRef>> {
    let target = Target::find_known(catalog, rights, target, version).await.map_err(target_error)?;
    let edges =
        catalog.lineage(target.version.id, target.column.as_deref(), direction, depth).await.map_err(catalog_error)?;
    let rows = || edges.iter();
    Ok(vec![
        integers(rows().map(|row| row.depth)),
        texts(rows().map(|row| &row.dataset)),
        integers(rows().map(|row| row.version)),
        optional_texts(rows().map(|row| row.column.as_ref())),
        optional_texts(rows().map(|row| row.source_dataset.as_ref())),
        optional_integers(rows().map(|row| row.source_version)),
        optional_texts(rows().map(|row| row.source_column.as_ref())),
        texts(rows().map(|row| row.kind.name())),
        booleans(rows().map(|row| row.kind.is_direct())),
        booleans(rows().map(|row| row.masking)),
        texts(rows().map(|row| &row.run.0)),
        texts(rows().map(|row| &row.step)),
    ])
}

/// A wrong name is the statement's fault, all else the catalog's.
fn target_error(error: CatalogError) -> DataFusionError {
    match error {
        CatalogError::Invalid(message) => DataFusionError::Plan(message),
        other => catalog_error(other),
    }
}
