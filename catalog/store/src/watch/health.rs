//! How pipelines fare, noted in the transaction that ends their job.

use std::path::Path;

use causeway_model::{AlertTransition, Job, JobKind, JobState, NewAlert};

use super::alerts;
use crate::connection::Connection;
use crate::error::{Result, StoreError};
use crate::jobs::now;
use crate::runs;

/// Notes how a pipeline's job ended. A change from well to failed, or back, raises an alert; a pipeline
/// that nothing is known of is well. Being stopped by its owner is neither.
pub(crate) async fn note(connection: &mut Connection, job: &Job) -> Result<()> {
    let transition = match (job.spec.kind, job.state) {
        (JobKind::Pipeline, JobState::Dead) => AlertTransition::Failed,
        (JobKind::Pipeline, JobState::Succeeded) => AlertTransition::Recovered,
        _ => return Ok(()),
    };
    let now = now(connection).await?;
    let sql = match transition {
        AlertTransition::Failed => {
            "INSERT INTO pipeline_health (folder, state, changed_at) VALUES ($1, 'failed', $2) \
             ON CONFLICT (folder) DO UPDATE SET state = 'failed', changed_at = $2 WHERE pipeline_health.state <> 'failed'"
        }
        _ => "UPDATE pipeline_health SET state = 'well', changed_at = $2 WHERE folder = $1 AND state <> 'well'",
    };
    if connection.query(sql).bind(&job.spec.work).bind(now).execute().await? == 0 {
        return Ok(());
    }
    let alert = NewAlert {
        key: format!("{}/{}/{}", transition.name(), job.spec.run, job.attempt),
        transition,
        pipeline: name(connection, job).await?,
        folder: job.spec.work.clone(),
        job: Some(job.id),
    };
    alerts::raise(connection, &alert).await.map(drop)
}

/// Returns the pipeline's name; that of its folder if the run was never begun.
async fn name(connection: &mut Connection, job: &Job) -> Result<String> {
    let recorded = match runs::one(connection, &job.spec.run).await {
        Ok(run) => run.pipeline,
        Err(StoreError::Catalog(causeway_model::CatalogError::NotFound { .. })) => None,
        Err(error) => return Err(error),
    };
    let folder = Path::new(&job.spec.work).file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(recorded.or(folder).unwrap_or_else(|| job.spec.work.clone()))
}
