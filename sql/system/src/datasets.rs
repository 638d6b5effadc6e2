//! Rows of `system.datasets`, `system.dataset_versions` and `system.columns`.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use causeway_model::{Catalog, Dataset, DatasetId, DatasetVersion, Step, StepId};
use datafusion::error::Result;

use crate::cells::{booleans, instants, integers, optional_integers, optional_texts, text_lists, texts};
use crate::provider::catalog_error;

/// All datasets with their newest versions.
struct Inventory {
    datasets: Vec<Dataset>,
    versions: Vec<DatasetVersion>,
}

impl Inventory {
    async fn read(catalog: &dyn Catalog) -> Result<Self> {
        Ok(Self {
            datasets: catalog.datasets(true).await.map_err(catalog_error)?,
            versions: catalog.versions(None).await.map_err(catalog_error)?,
        })
    }

    fn newest(&self) -> HashMap<DatasetId, &DatasetVersion> {
        let mut newest: HashMap<DatasetId, &DatasetVersion> = HashMap::new();
        for version in &self.versions {
            let entry = newest.entry(version.dataset).or_insert(version);
            if version.version > entry.version {
                *entry = version;
            }
        }
        newest
    }

    fn by_id(&self) -> HashMap<DatasetId, &Dataset> {
        self.datasets.iter().map(|dataset| (dataset.id, dataset)).collect()
    }
}

pub(crate) async fn datasets(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let inventory = Inventory::read(catalog).await?;
    let newest = inventory.newest();
    let rows = || inventory.datasets.iter();
    let version = |dataset: &Dataset| newest.get(&dataset.id).copied();
    Ok(vec![
        texts(rows().map(|row| &row.name.schema)),
        texts(rows().map(|row| &row.name.table)),
        texts(rows().map(|row| row.kind.name())),
        texts(rows().map(|row| &row.location)),
        optional_integers(rows().map(|row| version(row).map(|version| version.version))),
        optional_integers(rows().map(|row| version(row).and_then(|version| version.n_rows))),
        optional_integers(rows().map(|row| version(row).and_then(|version| version.n_bytes))),
        optional_integers(rows().map(|row| version(row).and_then(|version| version.n_files))),
        text_lists(rows().map(|row| &row.policy.identifying)),
        optional_texts(rows().map(|row| row.policy.subject_key.as_ref())),
        optional_texts(rows().map(|row| row.policy.identity_domain.as_ref())),
        booleans(rows().map(|row| row.policy.protected)),
        optional_texts(rows().map(|row| row.view_sql.as_ref())),
        instants(rows().map(|row| Some(row.created_at.as_str())))?,
        instants(rows().map(|row| version(row).map(|version| version.committed_at.as_str())))?,
        instants(rows().map(|row| row.dropped_at.as_deref()))?,
    ])
}

pub(crate) async fn versions(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let inventory = Inventory::read(catalog).await?;
    let steps = catalog.steps(None).await.map_err(catalog_error)?;
    let steps: HashMap<StepId, &Step> = steps.iter().map(|step| (step.id, step)).collect();
    let by_id = inventory.by_id();
    let rows: Vec<(&DatasetVersion, &Dataset)> =
        inventory.versions.iter().filter_map(|version| Some((version, *by_id.get(&version.dataset)?))).collect();
    let rows = || rows.iter().copied();
    let maker = |version: &DatasetVersion| version.step.and_then(|step| steps.get(&step).copied());
    Ok(vec![
        texts(rows().map(|(_, dataset)| &dataset.name.schema)),
        texts(rows().map(|(_, dataset)| &dataset.name.table)),
        integers(rows().map(|(version, _)| version.version)),
        optional_integers(rows().map(|(version, _)| version.n_rows)),
        optional_integers(rows().map(|(version, _)| version.n_bytes)),
        optional_integers(rows().map(|(version, _)| version.n_files)),
        optional_texts(rows().map(|(version, _)| version.digest.as_ref())),
        integers(rows().map(|(version, _)| i64::try_from(version.columns.len()).unwrap_or(i64::MAX))),
        optional_texts(rows().map(|(version, _)| maker(version).map(|step| &step.run.0))),
        optional_texts(rows().map(|(version, _)| maker(version).map(|step| &step.name))),
        instants(rows().map(|(version, _)| Some(version.committed_at.as_str())))?,
        instants(rows().map(|(_, dataset)| dataset.dropped_at.as_deref()))?,
    ])
}

pub(crate) async fn columns(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let inventory = Inventory::read(catalog).await?;
    let newest = inventory.newest();
    let mut rows = Vec::new();
    for dataset in inventory.datasets.iter().filter(|dataset| dataset.dropped_at.is_none()) {
        if let Some(version) = newest.get(&dataset.id) {
            rows.extend(
                (1..).zip(&version.columns).map(|(position, column)| (dataset, version.version, position, column)),
            );
        }
    }
    let rows = || rows.iter().copied();
    Ok(vec![
        texts(rows().map(|(dataset, ..)| &dataset.name.schema)),
        texts(rows().map(|(dataset, ..)| &dataset.name.table)),
        integers(rows().map(|(_, version, ..)| version)),
        integers(rows().map(|(_, _, position, _)| position)),
        texts(rows().map(|(.., column)| &column.name)),
        texts(rows().map(|(.., column)| &column.data_type)),
        booleans(rows().map(|(.., column)| column.nullable)),
        optional_texts(rows().map(|(.., column)| column.unit.as_ref())),
        optional_texts(rows().map(|(.., column)| column.meaning.as_ref())),
        booleans(rows().map(|(.., column)| column.identifying)),
    ])
}
