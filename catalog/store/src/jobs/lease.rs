//! What a worker writes about the job it holds, each time by compare-and-set on its lease.

use causeway_model::{AttemptOutcome, CatalogError, Ending, ErrorClass, Job, JobState, Lease};

use super::{Fault, ended, now, one, record_ends};
use crate::connection::{Connection, Row};
use crate::error::{Result, StoreError};

/// A job that is running.
pub(super) struct Held {
    pub(super) id: i64,
    pub(super) attempt: i64,
    n_failures: i64,
    max_attempts: i64,
    cancel_requested: bool,
}

impl Held {
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            attempt: row.get("attempt")?,
            n_failures: row.get("n_failures")?,
            max_attempts: row.get("max_attempts")?,
            cancel_requested: row.get::<Option<i64>>("cancel_requested_at")?.is_some(),
        })
    }

    /// Returns where the job goes after one more failure.
    pub(super) fn after_failure(&self, class: ErrorClass) -> JobState {
        match class.is_retried() && self.n_failures + 1 < self.max_attempts {
            _ if self.cancel_requested => JobState::Cancelled,
            true => JobState::Queued,
            false => JobState::Dead,
        }
    }

    fn after<'a>(&self, ending: &'a Ending, now: i64) -> Change<'a> {
        let change = |state, outcome| Change { state, outcome, fault: None, run_at: now };
        match ending {
            Ending::Succeeded => change(JobState::Succeeded, AttemptOutcome::Succeeded),
            Ending::Cancelled => change(JobState::Cancelled, AttemptOutcome::Cancelled),
            Ending::Released { .. } if self.cancel_requested => change(JobState::Cancelled, AttemptOutcome::Released),
            Ending::Released { wait_ms } => Change {
                run_at: now.saturating_add((*wait_ms).max(0)),
                ..change(JobState::Queued, AttemptOutcome::Released)
            },
            Ending::Failed { class, code, error, retry_after_ms } => Change {
                fault: Some(Fault { class: *class, code, error }),
                run_at: now.saturating_add((*retry_after_ms).max(0)),
                ..change(self.after_failure(*class), AttemptOutcome::Failed)
            },
        }
    }
}

/// How an attempt ends, and where that leaves its job.
pub(super) struct Change<'a> {
    pub(super) state: JobState,
    pub(super) outcome: AttemptOutcome,
    pub(super) fault: Option<Fault<'a>>,
    pub(super) run_at: i64,
}

pub(crate) async fn renew(connection: &mut Connection, lease: &Lease, lease_ms: i64) -> Result<bool> {
    let now = now(connection).await?;
    let row = connection
        .query(
            "UPDATE job SET lease_until = $1 WHERE id = $2 AND attempt = $3 AND lease_token = $4 \
             AND state = 'running' AND lease_until > $5 RETURNING cancel_requested_at",
        )
        .bind(now.saturating_add(lease_ms))
        .bind(lease.job.0)
        .bind(lease.attempt)
        .bind(&lease.token)
        .bind(now)
        .fetch_optional()
        .await?;
    let Some(row) = row else { return Err(refusal(connection, lease).await) };
    connection
        .query("UPDATE attempt SET heartbeat_at = $1 WHERE job_id = $2 AND attempt = $3")
        .bind(now)
        .bind(lease.job.0)
        .bind(lease.attempt)
        .execute()
        .await?;
    Ok(row.get::<Option<i64>>(0)?.is_some())
}

/// Ends attempts. One whose lease is over fails alone: nothing is written about it.
pub(crate) async fn end_all(
    connection: &mut Connection,
    ends: &[(Lease, Ending)],
) -> Result<Vec<causeway_model::Result<JobState>>> {
    let mut states = Vec::with_capacity(ends.len());
    let mut jobs = Vec::new();
    for (lease, ending) in ends {
        match end(connection, lease, ending).await {
            Ok((state, job)) => {
                states.push(Ok(state));
                jobs.extend(job);
            }
            Err(StoreError::Catalog(error @ (CatalogError::LeaseLost { .. } | CatalogError::NotFound { .. }))) => {
                states.push(Err(error));
            }
            Err(error) => return Err(error),
        }
    }
    record_ends(connection, &jobs).await?;
    Ok(states)
}

/// Ends an attempt. Returns where its job is now, and the job if it has ended with it.
async fn end(connection: &mut Connection, lease: &Lease, ending: &Ending) -> Result<(JobState, Option<Job>)> {
    let now = now(connection).await?;
    // Holds the row, so that what is decided on it is still so when it is written.
    let row = connection
        .query(
            "UPDATE job SET lease_until = lease_until WHERE id = $1 AND attempt = $2 AND lease_token = $3 \
             AND state = 'running' AND lease_until > $4 \
             RETURNING id, attempt, n_failures, max_attempts, cancel_requested_at",
        )
        .bind(lease.job.0)
        .bind(lease.attempt)
        .bind(&lease.token)
        .bind(now)
        .fetch_optional()
        .await?;
    let Some(row) = row else { return Err(refusal(connection, lease).await) };
    let held = Held::read(&row)?;
    let change = held.after(ending, now);
    write(connection, &held, &change, now).await?;
    let job = match change.state {
        JobState::Queued => None,
        _ => Some(ended(connection, held.id).await?),
    };
    Ok((change.state, job))
}

/// Ends an attempt and moves its job. The caller holds the job's row.
pub(super) async fn write(connection: &mut Connection, held: &Held, change: &Change<'_>, now: i64) -> Result<()> {
    let (code, error) = (change.fault.map(|fault| fault.code), change.fault.map(|fault| fault.error));
    connection
        .query(
            "UPDATE job SET state = $1, run_at = $2, n_failures = n_failures + $3, error_code = $4, error = $5, \
             finished_at = $6, lease_token = NULL, lease_until = NULL WHERE id = $7",
        )
        .bind(change.state.name())
        .bind(change.run_at)
        .bind(i64::from(change.fault.is_some()))
        .bind(code)
        .bind(error)
        .bind(change.state.is_ended().then_some(now))
        .bind(held.id)
        .execute()
        .await?;
    connection
        .query(
            "UPDATE attempt SET outcome = $1, class = $2, error_code = $3, error = $4, finished_at = $5 \
             WHERE job_id = $6 AND attempt = $7",
        )
        .bind(change.outcome.name())
        .bind(change.fault.map(|fault| fault.class.name()))
        .bind(code)
        .bind(error)
        .bind(now)
        .bind(held.id)
        .bind(held.attempt)
        .execute()
        .await?;
    Ok(())
}

/// Says why a lease does not hold: there is no such job, or it is over.
async fn refusal(connection: &mut Connection, lease: &Lease) -> StoreError {
    match one(connection, lease.job.0).await {
        Ok(_) => CatalogError::LeaseLost { job: lease.job.0, attempt: lease.attempt }.into(),
        Err(error) => error,
    }
}
