//! Rows of `system.jobs` and `system.attempts`.

use arrow::array::ArrayRef;
use causeway_model::{AttemptOutcome, Catalog, ErrorClass};
use datafusion::error::Result;

use crate::cells::{booleans, instants, integers, optional_integers, optional_texts, texts};
use crate::provider::catalog_error;

pub(crate) async fn jobs(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let jobs = catalog.jobs(None, i64::MAX).await.map_err(catalog_error)?;
    let rows = || jobs.iter();
    let groups = || rows().map(|row| row.spec.group.as_ref());
    Ok(vec![
        integers(rows().map(|row| row.id.0)),
        texts(rows().map(|row| row.spec.kind.name())),
        texts(rows().map(|row| &row.spec.work)),
        texts(rows().map(|row| row.spec.parameters.to_json().to_string())),
        texts(rows().map(|row| &row.spec.run.0)),
        texts(rows().map(|row| &row.spec.actor)),
        texts(rows().map(|row| row.state.name())),
        integers(rows().map(|row| row.spec.priority)),
        optional_texts(rows().map(|row| row.spec.dedupe_key.as_ref())),
        optional_texts(groups().map(|group| group.map(|group| &group.name))),
        optional_integers(groups().map(|group| group.map(|group| group.limit))),
        integers(rows().map(|row| row.attempt)),
        integers(rows().map(|row| row.n_failures)),
        integers(rows().map(|row| row.spec.max_attempts)),
        optional_integers(rows().map(|row| row.spec.timeout_ms)),
        booleans(rows().map(|row| row.cancel_requested)),
        optional_texts(rows().map(|row| row.worker.as_ref())),
        optional_texts(rows().map(|row| row.error_code.as_ref())),
        optional_texts(rows().map(|row| row.error.as_ref())),
        instants(rows().map(|row| Some(row.submitted_at.as_str())))?,
        instants(rows().map(|row| Some(row.run_at.as_str())))?,
        instants(rows().map(|row| row.started_at.as_deref()))?,
        instants(rows().map(|row| row.finished_at.as_deref()))?,
    ])
}

pub(crate) async fn attempts(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let attempts = catalog.attempts(None).await.map_err(catalog_error)?;
    let rows = || attempts.iter();
    Ok(vec![
        integers(rows().map(|row| row.job.0)),
        integers(rows().map(|row| row.attempt)),
        texts(rows().map(|row| &row.worker)),
        optional_texts(rows().map(|row| row.outcome.map(AttemptOutcome::name))),
        optional_texts(rows().map(|row| row.class.map(ErrorClass::name))),
        optional_texts(rows().map(|row| row.error_code.as_ref())),
        optional_texts(rows().map(|row| row.error.as_ref())),
        instants(rows().map(|row| Some(row.started_at.as_str())))?,
        instants(rows().map(|row| Some(row.heartbeat_at.as_str())))?,
        instants(rows().map(|row| row.finished_at.as_deref()))?,
    ])
}
