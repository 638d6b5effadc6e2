//! Rows of `system.runs` and `system.operator_runs`.

use arrow::array::ArrayRef;
use causeway_model::Catalog;
use datafusion::error::Result;

use crate::cells::{instants, integers, optional_texts, texts};
use crate::provider::catalog_error;

pub(crate) async fn runs(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let runs = catalog.runs(i64::MAX).await.map_err(catalog_error)?;
    let rows = || runs.iter();
    Ok(vec![
        texts(rows().map(|row| &row.id.0)),
        texts(rows().map(|row| row.kind.name())),
        optional_texts(rows().map(|row| row.pipeline.as_ref())),
        texts(rows().map(|row| row.state.name())),
        texts(rows().map(|row| &row.actor)),
        texts(rows().map(|row| &row.engine_version)),
        optional_texts(rows().map(|row| row.pipeline_digest.as_ref())),
        instants(rows().map(|row| Some(row.started_at.as_str())))?,
        instants(rows().map(|row| row.finished_at.as_deref()))?,
    ])
}

pub(crate) async fn operator_runs(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let mut rows = Vec::new();
    for step in catalog.steps(None).await.map_err(catalog_error)? {
        for used in catalog.operators(step.id).await.map_err(catalog_error)? {
            rows.push((step.run.0.clone(), step.name.clone(), used));
        }
    }
    let rows = || rows.iter();
    Ok(vec![
        texts(rows().map(|(run, ..)| run)),
        texts(rows().map(|(_, step, _)| step)),
        texts(rows().map(|(.., used)| &used.operator)),
        integers(rows().map(|(.., used)| used.version)),
        texts(rows().map(|(.., used)| used.options.to_string())),
        texts(rows().map(|(.., used)| used.report.to_string())),
    ])
}
