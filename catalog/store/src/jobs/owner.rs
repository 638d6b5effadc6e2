//! What the owner of a job does with it.

use causeway_model::{Job, JobId, JobState};

use super::{ended, now, one, turn};
use crate::audit::{self, JobChange};
use crate::connection::Connection;
use crate::error::{Result, invalid};

pub(crate) async fn cancel(connection: &mut Connection, id: JobId, actor: &str) -> Result<JobState> {
    let now = now(connection).await?;
    // A claim may take the job between the two, never give it back.
    let waited = connection
        .query(
            "UPDATE job SET state = 'cancelled', cancel_requested_at = $1, finished_at = $1 \
             WHERE id = $2 AND state = 'queued'",
        )
        .bind(now)
        .bind(id.0)
        .execute()
        .await?;
    let told = connection
        .query("UPDATE job SET cancel_requested_at = COALESCE(cancel_requested_at, $1) WHERE id = $2 AND state = 'running'")
        .bind(now)
        .bind(id.0)
        .execute()
        .await?;
    let job = one(connection, id.0).await?;
    if waited + told == 0 {
        return match job.state {
            JobState::Cancelled => Ok(job.state),
            state => {
                Err(invalid(format!("job {} is {}; only a queued or running one is cancelled", id.0, state.name())))
            }
        };
    }
    audit::job_changed(connection, &job, actor, JobChange::CancelRequested).await?;
    if waited > 0 {
        let events = ended(connection, &[id.0]).await?;
        audit::append_all(connection, events).await?;
    }
    Ok(job.state)
}

pub(crate) async fn retry(connection: &mut Connection, id: JobId, actor: &str) -> Result<Job> {
    let job = one(connection, id.0).await?;
    if !matches!(job.state, JobState::Dead | JobState::Cancelled) {
        let state = job.state.name();
        return Err(invalid(format!("job {} is {state}; only a dead or cancelled one is run again", id.0)));
    }
    let now = now(connection).await?;
    connection
        .query(
            "UPDATE job SET state = 'queued', turn = $1, run_at = $2, n_failures = 0, cancel_requested_at = NULL, \
             error_code = NULL, error = NULL, finished_at = NULL WHERE id = $3",
        )
        .bind(turn(now, job.spec.priority))
        .bind(now)
        .bind(id.0)
        .execute()
        .await?;
    let job = one(connection, id.0).await?;
    audit::job_changed(connection, &job, actor, JobChange::Retried).await?;
    Ok(job)
}
