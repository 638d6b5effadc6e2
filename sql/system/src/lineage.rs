//! Rows of the lineage functions, and what `'schema.table.column'` means.

use std::collections::BTreeMap;

use arrow::array::ArrayRef;
use causeway_core::nearest;
use causeway_model::{Catalog, CatalogError, Dataset, DatasetVersion, Direction, LineageRow, Rights, TableName};
use datafusion::error::{DataFusionError, Result};

use crate::cells::{integers, optional_booleans, optional_integers, optional_texts, texts};
use crate::provider::catalog_error;
use crate::question::{Columns, Question, When};
use crate::tables;

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
        Self::find_at(catalog, text, &version.map_or(When::Newest, When::Version)).await
    }

    pub(crate) async fn find_at(catalog: &dyn Catalog, text: &str, when: &When) -> Result<Self, CatalogError> {
        let Some((schema, rest)) = text.split_once('.') else {
            return Err(CatalogError::Invalid(format!(
                "`{text}` names no table; write schema.table or schema.table.column"
            )));
        };
        if let Some(dataset) = catalog.dataset(&TableName::new(schema, rest)).await? {
            return Self::of(catalog, dataset, when, None).await;
        }
        if let Some((table, column)) = rest.rsplit_once('.')
            && let Some(dataset) = catalog.dataset(&TableName::new(schema, table)).await?
        {
            return Self::of(catalog, dataset, when, Some(column)).await;
        }
        Err(unknown_dataset(catalog, &Rights::embedded(), text).await?)
    }

    /// Finds what a user may know of; the rest is not found.
    async fn find_known(catalog: &dyn Catalog, rights: &Rights, text: &str, when: &When) -> Result<Self, CatalogError> {
        match Self::find_at(catalog, text, when).await {
            Ok(target) if is_known(rights, &target) => Ok(target),
            Err(error) if rights.sees_record() => Err(error),
            _ => Err(unknown_dataset(catalog, rights, text).await?),
        }
    }

    async fn of(
        catalog: &dyn Catalog,
        dataset: Dataset,
        when: &When,
        column: Option<&str>,
    ) -> Result<Self, CatalogError> {
        let found = match when {
            When::Newest => catalog.latest_version(dataset.id).await?,
            When::Version(number) => catalog.version(dataset.id, *number).await?,
            When::Instant(instant) => catalog.version_at(dataset.id, instant).await?,
        };
        let Some(found) = found else {
            let name = format!("{}@{}", dataset.name, when.words());
            return Err(CatalogError::NotFound { what: "version", name });
        };
        if let Some(column) = column
            && found.columns.iter().all(|known| known.name != column)
        {
            return Err(unknown_column(&Rights::embedded(), &dataset, &found, column));
        }
        Ok(Self { dataset, version: found, column: column.map(str::to_owned) })
    }
}

fn is_known(rights: &Rights, target: &Target) -> bool {
    match &target.column {
        Some(column) => rights.may_know_column_of(&target.dataset, column),
        None => rights.may_know(&target.dataset.name),
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

fn unknown_column(rights: &Rights, dataset: &Dataset, version: &DatasetVersion, column: &str) -> CatalogError {
    let known: Vec<&str> = version
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .filter(|name| rights.may_know_column_of(dataset, name))
        .collect();
    let meant = nearest(column, known.iter().copied()).map(|name| format!("; did you mean `{name}`?"));
    CatalogError::Invalid(format!(
        "column `{column}` not found in {}@{}{}; it has: {}",
        dataset.name,
        version.version,
        meant.unwrap_or_default(),
        known.join(", ")
    ))
}

/// Returns the rows of a lineage function.
pub(crate) async fn rows(catalog: &dyn Catalog, rights: &Rights, question: &Question) -> Result<Vec<ArrayRef>> {
    let target = Target::find_known(catalog, rights, &question.target, &question.when).await.map_err(target_error)?;
    match &question.columns {
        Columns::None => tables::closure(catalog, &target.version, question).await,
        Columns::All => {
            let column = target.column.as_deref();
            let edges = catalog.lineage(target.version.id, column, question.direction, question.depth).await;
            Ok(columns(&edges.map_err(catalog_error)?))
        }
        Columns::Named(names) => {
            let edges = of_columns(catalog, rights, &target, names, question).await.map_err(target_error)?;
            Ok(columns(&edges))
        }
    }
}

/// Follows several columns of a target. An edge met from more than one keeps the nearest distance.
async fn of_columns(
    catalog: &dyn Catalog,
    rights: &Rights,
    target: &Target,
    names: &[String],
    question: &Question,
) -> Result<Vec<LineageRow>, CatalogError> {
    if let Some(column) = &target.column {
        let problem = format!("`{}` names the column `{column}` already; leave `columns` out", question.target);
        return Err(CatalogError::Invalid(problem));
    }
    let mut edges: BTreeMap<String, LineageRow> = BTreeMap::new();
    for name in names {
        let is_known = target.version.columns.iter().any(|column| column.name == *name)
            && rights.may_know_column_of(&target.dataset, name);
        if !is_known {
            return Err(unknown_column(rights, &target.dataset, &target.version, name));
        }
        for row in catalog.lineage(target.version.id, Some(name), question.direction, question.depth).await? {
            // All but the distance says which edge it is.
            let identity = format!("{:?}", LineageRow { depth: 0, ..row.clone() });
            let nearest = edges.entry(identity).or_insert_with(|| row.clone());
            nearest.depth = nearest.depth.min(row.depth);
        }
    }
    let mut edges: Vec<LineageRow> = edges.into_values().collect();
    edges.sort_by_key(|row| row.depth);
    Ok(edges)
}

/// Returns the edges into the newest version of every live table and view: `system.column_lineage`.
pub(crate) async fn newest(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let mut edges = Vec::new();
    for dataset in catalog.datasets(false).await.map_err(catalog_error)? {
        let newest = catalog.latest_version(dataset.id).await.map_err(catalog_error)?;
        let Some(newest) = newest.filter(|newest| newest.step.is_some()) else { continue };
        let rows = catalog.lineage(newest.id, None, Direction::Upstream, Some(1)).await.map_err(catalog_error)?;
        edges.extend(rows);
    }
    let mut columns = columns(&edges);
    columns.remove(0);
    Ok(columns)
}

fn columns(edges: &[LineageRow]) -> Vec<ArrayRef> {
    let rows = || edges.iter();
    vec![
        integers(rows().map(|row| row.depth)),
        texts(rows().map(|row| &row.dataset)),
        integers(rows().map(|row| row.version)),
        optional_texts(rows().map(|row| row.column.as_ref())),
        optional_texts(rows().map(|row| row.source_dataset.as_ref())),
        optional_integers(rows().map(|row| row.source_version)),
        optional_texts(rows().map(|row| row.source_column.as_ref())),
        optional_texts(rows().map(|row| Some(row.kind.name()))),
        optional_booleans(rows().map(|row| Some(row.kind.is_direct()))),
        optional_booleans(rows().map(|row| Some(row.masking))),
        texts(rows().map(|row| &row.run.0)),
        texts(rows().map(|row| &row.step)),
    ]
}

/// A wrong name is the statement's fault, all else the catalog's.
fn target_error(error: CatalogError) -> DataFusionError {
    match error {
        CatalogError::Invalid(message) => DataFusionError::Plan(message),
        other => catalog_error(other),
    }
}
