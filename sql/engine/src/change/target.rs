//! The table that a change makes or changes.

use causeway_model::{Dataset, DatasetKind, DatasetVersion, Privilege, Securable, TableName};

use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind, Result};
use crate::parse::{CreateMode, DEFAULT_SCHEMA};

use super::Change;

/// Characters that Delta does not take in a column name.
const REFUSED_IN_COLUMNS: &[char] = &[' ', ',', ';', '{', '}', '(', ')', '\n', '\t', '='];

/// Returns where a table lies, or will lie.
pub(crate) async fn location_of(engine: &Engine, table: &TableName) -> Result<String> {
    Ok(Target::find(engine, table).await?.location)
}

/// A table to write: where it lies, and what it is now.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) name: TableName,
    pub(super) location: String,
    pub(super) dataset: Option<Dataset>,
    pub(super) newest: Option<DatasetVersion>,
}

impl Target {
    /// Looks a table up for creation. `None` means that it is there and may stay.
    pub(super) async fn create(change: &Change<'_>, name: &TableName, create: CreateMode) -> Result<Option<Self>> {
        let engine = change.engine;
        change.guard.require(Privilege::Create, &Securable::Schema(name.schema.clone()))?;
        let target = Self::find(engine, name).await?;
        if create == CreateMode::Replace {
            change.guard.require_unprotected(target.dataset.as_ref(), "replaced")?;
        }
        match (&target.dataset, create) {
            (Some(_), CreateMode::Fail) => {
                Err(EngineError::new(ErrorKind::AlreadyExists, format!("table `{name}` exists already"))
                    .with_hint("use CREATE OR REPLACE TABLE, or CREATE TABLE IF NOT EXISTS"))
            }
            (Some(_), CreateMode::Keep) => Ok(None),
            _ => Ok(Some(target)),
        }
    }

    /// Looks an existing table up for a change that needs these privileges.
    pub(super) async fn existing(
        change: &Change<'_>,
        name: &TableName,
        privileges: &[Privilege],
    ) -> Result<(Self, Dataset, DatasetVersion)> {
        let engine = change.engine;
        change.guard.require_on_table(engine, name, privileges).await?;
        let target = Self::find(engine, name).await?;
        match (target.dataset.clone(), target.newest.clone()) {
            (Some(dataset), Some(newest)) => Ok((target, dataset, newest)),
            _ => Err(engine.unknown_table(name, &change.guard.rights).await),
        }
    }

    /// Looks a table up; it need not be there, its schema must.
    pub(super) async fn find(engine: &Engine, name: &TableName) -> Result<Self> {
        check_schema(engine, &name.schema).await?;
        let (dataset, newest) = engine.catalog().newest(name).await?.unzip();
        if dataset.as_ref().is_some_and(|dataset| dataset.kind == DatasetKind::View) {
            return Err(EngineError::new(ErrorKind::Plan, format!("`{name}` is a view and cannot be written"))
                .with_hint("DROP VIEW it first, or write the table it reads from"));
        }
        let (location, newest) = match &dataset {
            Some(dataset) => (dataset.location.clone(), newest.flatten()),
            None => (free_location(engine, name).await?, None),
        };
        Ok(Self { name: name.clone(), location, dataset, newest })
    }
}

/// Refuses schemas that are not there or not for users.
pub(super) async fn check_schema(engine: &Engine, schema: &str) -> Result<()> {
    if matches!(schema, "system" | "file") {
        return Err(EngineError::new(
            ErrorKind::Refused,
            format!("schema `{schema}` belongs to the system and cannot be written"),
        ));
    }
    let schemas = engine.catalog().schemas().await?;
    if schema == DEFAULT_SCHEMA || schemas.iter().any(|known| known == schema) {
        return Ok(());
    }
    let error = EngineError::new(ErrorKind::NotFound, format!("there is no schema `{schema}`"));
    Err(match causeway_core::nearest(schema, schemas.iter().map(String::as_str)) {
        Some(nearest) => error.with_hint(format!("did you mean `{nearest}`? Else CREATE SCHEMA {schema} first")),
        None => error.with_hint(format!("CREATE SCHEMA {schema} first")),
    })
}

/// Returns a folder that no table, dropped ones included, has used.
async fn free_location(engine: &Engine, name: &TableName) -> Result<String> {
    let used: Vec<String> =
        engine.catalog().datasets(true).await?.into_iter().map(|dataset| dataset.location).collect();
    let base = format!("{}/{}", name.schema, name.table);
    let mut location = base.clone();
    let mut generation = 1;
    while used.contains(&location) {
        generation += 1;
        location = format!("{base}.{generation}");
    }
    Ok(location)
}

/// Refuses column names that the table format cannot hold.
pub(super) fn check_column_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<()> {
    let mut seen: Vec<String> = Vec::new();
    for (index, name) in names.into_iter().enumerate() {
        if name.is_empty() || name.contains(REFUSED_IN_COLUMNS) {
            return Err(EngineError::new(
                ErrorKind::Plan,
                format!("column {} needs a plain name, it is called `{name}`", index + 1),
            )
            .with_hint("name it with AS, for example count(*) AS n_rows"));
        }
        let lower = name.to_lowercase();
        if seen.contains(&lower) {
            return Err(EngineError::new(ErrorKind::Plan, format!("two columns are called `{name}`"))
                .with_hint("rename one with AS"));
        }
        seen.push(lower);
    }
    Ok(())
}
