//! Rows of `system.steps`.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use causeway_model::{Catalog, CatalogError, DatasetId, TableName, VersionId};
use datafusion::error::Result;

use crate::cells::{instants, integers, optional_integers, optional_texts, text_lists, texts};
use crate::provider::{Ask, catalog_error};

pub(crate) async fn steps(ask: &Ask<'_>) -> Result<Vec<ArrayRef>> {
    let steps = match ask.catalog.steps(ask.run.as_ref()).await {
        Err(CatalogError::NotFound { .. }) => Vec::new(),
        steps => steps.map_err(catalog_error)?,
    };
    let names = version_names(ask.catalog).await?;
    let named = |versions: &[VersionId]| -> Vec<String> {
        versions.iter().filter_map(|version| names.get(version).cloned()).collect()
    };
    let rows = || steps.iter();
    Ok(vec![
        texts(rows().map(|row| &row.run.0)),
        integers(rows().map(|row| row.ordinal)),
        texts(rows().map(|row| &row.name)),
        texts(rows().map(|row| &row.kind)),
        texts(rows().map(|row| row.state.name())),
        integers(rows().map(|row| row.attempt)),
        optional_integers(rows().map(|row| row.rows_in)),
        optional_integers(rows().map(|row| row.rows_out)),
        optional_integers(rows().map(|row| row.rows_quarantined)),
        optional_integers(rows().map(|row| row.duration_ms)),
        text_lists(rows().map(|row| named(&row.inputs))),
        text_lists(rows().map(|row| named(&row.outputs))),
        integers(rows().map(|row| row.seed)),
        optional_texts(rows().map(|row| row.error_code.as_ref())),
        optional_texts(rows().map(|row| row.error.as_ref())),
        texts(rows().map(|row| &row.sql)),
        texts(rows().map(|row| &row.fingerprint)),
        instants(rows().map(|row| Some(row.started_at.as_str())))?,
        instants(rows().map(|row| row.finished_at.as_deref()))?,
    ])
}

/// Returns `schema.table@version` for every version.
async fn version_names(catalog: &dyn Catalog) -> Result<HashMap<VersionId, String>> {
    let datasets = catalog.datasets(true).await.map_err(catalog_error)?;
    let datasets: HashMap<DatasetId, TableName> =
        datasets.into_iter().map(|dataset| (dataset.id, dataset.name)).collect();
    let versions = catalog.versions(None).await.map_err(catalog_error)?;
    let name = |dataset: DatasetId, version: i64| Some(format!("{}@{version}", datasets.get(&dataset)?));
    Ok(versions.into_iter().filter_map(|version| Some((version.id, name(version.dataset, version.version)?))).collect())
}
