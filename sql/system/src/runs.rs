//! Rows of `system.runs` and `system.operator_runs`.

use std::collections::HashMap;

use arrow::array::ArrayRef;
use causeway_model::{Catalog, CatalogError, OperatorUse, Step, StepId};
use datafusion::error::Result;

use crate::cells::{instants, integers, optional_texts, texts};
use crate::provider::{Ask, catalog_error};

/// Newest first.
pub(crate) async fn runs(ask: &Ask<'_>) -> Result<Vec<ArrayRef>> {
    let runs = match &ask.run {
        Some(run) => match ask.catalog.run(run).await {
            Err(CatalogError::NotFound { .. }) => Vec::new(),
            run => vec![run.map_err(catalog_error)?],
        },
        None => {
            let limit = ask.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(i64::MAX);
            ask.catalog.runs(limit).await.map_err(catalog_error)?
        }
    };
    let rows = || runs.iter();
    Ok(vec![
        texts(rows().map(|row| &row.id.0)),
        texts(rows().map(|row| row.kind.name())),
        optional_texts(rows().map(|row| row.pipeline.as_ref())),
        texts(rows().map(|row| row.state.name())),
        texts(rows().map(|row| &row.actor)),
        texts(rows().map(|row| &row.engine_version)),
        optional_texts(rows().map(|row| row.pipeline_digest.as_ref())),
        texts(rows().map(|row| row.parameters.to_json().to_string())),
        instants(rows().map(|row| Some(row.started_at.as_str())))?,
        instants(rows().map(|row| row.finished_at.as_deref()))?,
    ])
}

pub(crate) async fn operator_runs(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let steps = catalog.steps(None).await.map_err(catalog_error)?;
    let steps: HashMap<StepId, &Step> = steps.iter().map(|step| (step.id, step)).collect();
    let uses = catalog.all_operators().await.map_err(catalog_error)?;
    let uses: Vec<(&Step, OperatorUse)> =
        uses.into_iter().filter_map(|(step, used)| Some((*steps.get(&step)?, used))).collect();
    let rows = || uses.iter();
    Ok(vec![
        texts(rows().map(|(step, _)| &step.run.0)),
        texts(rows().map(|(step, _)| &step.name)),
        texts(rows().map(|(.., used)| &used.operator)),
        integers(rows().map(|(.., used)| used.version)),
        texts(rows().map(|(.., used)| used.options.to_string())),
        texts(rows().map(|(.., used)| used.report.to_string())),
    ])
}
