//! What a worker writes about the job it holds, each time by compare-and-set on its lease.

use std::collections::HashMap;

use causeway_audit::Event;
use causeway_model::{AttemptOutcome, CatalogError, Ending, ErrorClass, JobState, Lease};
use serde_json::{Value, json};

use super::{Fault, now, one};
use crate::audit;
use crate::connection::{Connection, Row, Sql};
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
    let Some(row) = row else { return Err(refusal(connection, lease).await?.into()) };
    connection
        .query("UPDATE attempt SET heartbeat_at = $1 WHERE job_id = $2 AND attempt = $3")
        .bind(now)
        .bind(lease.job.0)
        .bind(lease.attempt)
        .execute()
        .await?;
    Ok(row.get::<Option<i64>>(0)?.is_some())
}

/// The leases of a list that hold, each with its job, whose row is kept from others to the end of the transaction.
const HELD: Sql = Sql {
    sqlite: "SELECT j.id, j.attempt, j.n_failures, j.max_attempts, j.cancel_requested_at \
             FROM json_each($1) e JOIN job j ON j.id = e.value ->> 'job' AND j.attempt = e.value ->> 'attempt' \
             AND j.lease_token = e.value ->> 'token' WHERE j.state = 'running' AND j.lease_until > $2",
    postgres: "SELECT j.id, j.attempt, j.n_failures, j.max_attempts, j.cancel_requested_at \
               FROM jsonb_to_recordset($1::text::jsonb) AS e (job bigint, attempt bigint, token text) \
               JOIN job j ON j.id = e.job AND j.attempt = e.attempt AND j.lease_token = e.token \
               WHERE j.state = 'running' AND j.lease_until > $2 ORDER BY j.id FOR UPDATE OF j",
};

const MOVE_JOBS: Sql = Sql {
    sqlite: "UPDATE job SET state = e.value ->> 'state', run_at = e.value ->> 'run_at', \
             n_failures = n_failures + (e.value ->> 'failures'), error_code = e.value ->> 'code', \
             error = e.value ->> 'error', finished_at = e.value ->> 'finished_at', lease_token = NULL, \
             lease_until = NULL FROM json_each($1) e WHERE job.id = e.value ->> 'job'",
    postgres: "UPDATE job SET state = e.state, run_at = e.run_at, n_failures = n_failures + e.failures, \
               error_code = e.code, error = e.error, finished_at = e.finished_at, lease_token = NULL, \
               lease_until = NULL FROM jsonb_to_recordset($1::text::jsonb) AS e (job bigint, state text, \
               run_at bigint, failures bigint, code text, error text, finished_at bigint) WHERE job.id = e.job",
};

const END_ATTEMPTS: Sql = Sql {
    sqlite: "UPDATE attempt SET outcome = e.value ->> 'outcome', class = e.value ->> 'class', \
             error_code = e.value ->> 'code', error = e.value ->> 'error', finished_at = $2 \
             FROM json_each($1) e WHERE job_id = e.value ->> 'job' AND attempt.attempt = e.value ->> 'attempt'",
    postgres: "UPDATE attempt SET outcome = e.outcome, class = e.class, error_code = e.code, error = e.error, \
               finished_at = $2 FROM jsonb_to_recordset($1::text::jsonb) AS e (job bigint, attempt bigint, \
               outcome text, class text, code text, error text) \
               WHERE job_id = e.job AND attempt.attempt = e.attempt",
};

/// Where each job is after its attempt has ended; or that its lease was over.
type Ended = Vec<causeway_model::Result<JobState>>;

/// Ends attempts. One whose lease is over fails alone: nothing is written about it.
pub(crate) async fn end_all(connection: &mut Connection, ends: &[(Lease, Ending)]) -> Result<Ended> {
    let (ended, events) = end(connection, ends).await?;
    audit::append_all(connection, events).await?;
    Ok(ended)
}

/// Ends attempts and returns what is to be recorded of it.
async fn end(connection: &mut Connection, ends: &[(Lease, Ending)]) -> Result<(Ended, Vec<Event>)> {
    let now = now(connection).await?;
    let held = held(connection, ends.iter().map(|(lease, _)| lease), now).await?;
    let mut changes = Vec::with_capacity(held.len());
    for (lease, ending) in ends {
        if let Some(held) = held.get(&(lease.job.0, lease.attempt)) {
            changes.push((held, held.after(ending, now)));
        }
    }
    write(connection, &changes, now).await?;
    let ended = changes.iter().filter(|(_, change)| change.state != JobState::Queued).map(|(held, _)| held.id);
    let ended: Vec<i64> = ended.collect();
    let events = super::ended(connection, &ended).await?;
    let moved: HashMap<i64, JobState> = changes.iter().map(|(held, change)| (held.id, change.state)).collect();
    let mut states = Vec::with_capacity(ends.len());
    for (lease, _) in ends {
        let is_held = held.contains_key(&(lease.job.0, lease.attempt));
        states.push(match moved.get(&lease.job.0).filter(|_| is_held) {
            Some(state) => Ok(*state),
            None => Err(refusal(connection, lease).await?),
        });
    }
    Ok((states, events))
}

/// Ends an attempt well, and returns what is to be recorded of it.
pub(crate) async fn succeed(connection: &mut Connection, lease: &Lease) -> Result<Vec<Event>> {
    let (ended, events) = end(connection, &[(lease.clone(), Ending::Succeeded)]).await?;
    ended.into_iter().try_for_each(|state| state.map(drop))?;
    Ok(events)
}

/// Fails if a lease is over. Nobody takes the job over before the transaction ends.
pub(crate) async fn hold(connection: &mut Connection, lease: &Lease) -> Result<()> {
    let now = now(connection).await?;
    match held(connection, [lease], now).await?.is_empty() {
        false => Ok(()),
        true => Err(refusal(connection, lease).await?.into()),
    }
}

/// Reads the jobs whose leases hold, by job and attempt.
async fn held(
    connection: &mut Connection,
    leases: impl IntoIterator<Item = &Lease>,
    now: i64,
) -> Result<HashMap<(i64, i64), Held>> {
    let leases: Value = leases
        .into_iter()
        .map(|lease| json!({"job": lease.job.0, "attempt": lease.attempt, "token": lease.token}))
        .collect();
    let rows = connection.query(HELD).bind(leases.to_string()).bind(now).fetch_all().await?;
    rows.iter().map(Held::read).map(|held| held.map(|held| ((held.id, held.attempt), held))).collect()
}

/// Ends attempts and moves their jobs. The caller holds the jobs' rows.
pub(super) async fn write(connection: &mut Connection, changes: &[(&Held, Change<'_>)], now: i64) -> Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let row = |(held, change): &(&Held, Change<'_>)| {
        json!({
            "job": held.id,
            "attempt": held.attempt,
            "state": change.state.name(),
            "outcome": change.outcome.name(),
            "run_at": change.run_at,
            "failures": i64::from(change.fault.is_some()),
            "class": change.fault.map(|fault| fault.class.name()),
            "code": change.fault.map(|fault| fault.code),
            "error": change.fault.map(|fault| fault.error),
            "finished_at": change.state.is_ended().then_some(now),
        })
    };
    let rows = changes.iter().map(row).collect::<Value>().to_string();
    connection.query(MOVE_JOBS).bind(&rows).execute().await?;
    connection.query(END_ATTEMPTS).bind(&rows).bind(now).execute().await?;
    Ok(())
}

/// Says why a lease does not hold: there is no such job, or it is over.
async fn refusal(connection: &mut Connection, lease: &Lease) -> Result<CatalogError> {
    match one(connection, lease.job.0).await {
        Ok(_) => Ok(CatalogError::LeaseLost { job: lease.job.0, attempt: lease.attempt }),
        Err(StoreError::Catalog(error @ CatalogError::NotFound { .. })) => Ok(error),
        Err(error) => Err(error),
    }
}
