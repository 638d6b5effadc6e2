//! The queue of jobs. Submitting and reading stand here, taking a job in [`claim`], what a worker writes
//! about it in [`lease`], what its owner does in [`owner`].

mod claim;
mod lease;
mod owner;
mod read;

use causeway_audit::Event;
use causeway_model::{ErrorClass, Job, JobKind, JobState, NewJob, RunState, Submitted};

use crate::audit::{self, JobChange};
use crate::connection::Connection;
use crate::error::{Result, already_exists, invalid};
use crate::runs;
use crate::schedules;
use crate::watch::health;
pub(crate) use claim::{claim, expire, is_anybodys_turn, standing};
pub(crate) use lease::{end_all, hold, renew, succeed};
pub(crate) use owner::{cancel, retry};
pub(crate) use read::{attempts, count_open, instant, list, one};

/// What one point of priority is worth in waiting.
const PRIORITY_MS: i64 = 1_000;

/// Priorities beyond this would outlast any queue.
const LARGEST_PRIORITY: i64 = 10_000_000;

const NOW: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)";

/// Returns the database's time in milliseconds since 1970.
pub(crate) async fn now(connection: &mut Connection) -> Result<i64> {
    match connection.own_time() {
        Some(time) => Ok(time.timestamp_millis()),
        None => connection.query(NOW).fetch_scalar().await,
    }
}

/// Returns a job's place in the line. Of two that wait, the one with the smaller number is first at any
/// moment: waiting counts for both alike.
fn turn(since: i64, priority: i64) -> i64 {
    since.saturating_sub(priority.saturating_mul(PRIORITY_MS))
}

pub(crate) async fn submit(connection: &mut Connection, new: &NewJob) -> Result<Submitted> {
    check(new)?;
    if let Some(key) = &new.dedupe_key
        && let Some(id) = by_key(connection, &new.actor, key).await?
    {
        let job = one(connection, id).await?;
        if (job.spec.kind, &job.spec.work, &job.spec.parameters) != (new.kind, &new.work, &new.parameters) {
            return Err(already_exists("another job with the key", key));
        }
        return Ok(Submitted { job, is_new: false });
    }
    let id = insert(connection, new).await?;
    let job = one(connection, id).await?;
    audit::job_changed(connection, &job, &new.actor, JobChange::Submitted).await?;
    Ok(Submitted { job, is_new: true })
}

fn check(new: &NewJob) -> Result<()> {
    if new.max_attempts < 1 {
        return Err(invalid("a job has at least one attempt"));
    }
    if new.priority.abs() > LARGEST_PRIORITY {
        return Err(invalid(format!("a priority lies between -{LARGEST_PRIORITY} and {LARGEST_PRIORITY} seconds")));
    }
    if new.group.as_ref().is_some_and(|group| group.limit < 1) {
        return Err(invalid("a concurrency group lets at least one job run"));
    }
    if new.timeout_ms.is_some_and(|timeout| timeout < 1) {
        return Err(invalid("a job's time limit is above 0"));
    }
    if new.memory_limit_bytes.is_some_and(|limit| limit < 1) {
        return Err(invalid("a job's memory limit is above 0"));
    }
    Ok(())
}

async fn by_key(connection: &mut Connection, actor: &str, key: &str) -> Result<Option<i64>> {
    let query = connection.query("SELECT id FROM job WHERE actor = $1 AND dedupe_key = $2");
    query.bind(actor).bind(key).fetch_optional_scalar().await
}

async fn insert(connection: &mut Connection, new: &NewJob) -> Result<i64> {
    let now = now(connection).await?;
    connection
        .query(
            "INSERT INTO job (kind, work, base_dir, run, actor, dedupe_key, priority, group_name, group_limit, \
             max_attempts, timeout_ms, memory_limit_bytes, state, turn, run_at, submitted_at, parameters) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'queued', $13, $14, $15, $16) RETURNING id",
        )
        .bind(new.kind.name())
        .bind(&new.work)
        .bind(&new.base_dir)
        .bind(&new.run.0)
        .bind(&new.actor)
        .bind(&new.dedupe_key)
        .bind(new.priority)
        .bind(new.group.as_ref().map(|group| group.name.clone()))
        .bind(new.group.as_ref().map(|group| group.limit))
        .bind(new.max_attempts)
        .bind(new.timeout_ms)
        .bind(new.memory_limit_bytes)
        .bind(turn(now, new.priority))
        .bind(now)
        .bind(now)
        .bind(new.parameters.to_json().to_string())
        .fetch_scalar()
        .await
}

/// An error as it is kept with a job and an attempt.
#[derive(Clone, Copy)]
struct Fault<'a> {
    class: ErrorClass,
    code: &'a str,
    error: &'a str,
}

/// Ends the runs of jobs that have ended, and returns what is to be recorded of it.
async fn ended(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Event>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let jobs = read::in_line(connection, ids).await?;
    for job in &jobs {
        let state = if job.state == JobState::Succeeded { RunState::Succeeded } else { RunState::Failed };
        runs::end(connection, &job.spec.run, state).await?;
        health::note(connection, job).await?;
    }
    // Schedules submit pipelines alone.
    let of_schedules = |job: &&Job| (job.spec.kind, job.state) == (JobKind::Pipeline, JobState::Succeeded);
    let succeeded: Vec<i64> = jobs.iter().filter(of_schedules).map(|job| job.id.0).collect();
    if !succeeded.is_empty() {
        schedules::succeeded(connection, &succeeded).await?;
    }
    Ok(jobs.iter().map(|job| audit::job_event(job, &job.spec.actor, JobChange::Ended)).collect())
}

#[cfg(test)]
mod tests {
    use super::turn;

    #[test]
    fn waiting_makes_up_for_priority() {
        assert!(turn(1_000, 0) < turn(2_000, 0));
        assert!(turn(2_000, 2) < turn(1_000, 0));
        assert!(turn(1_000, 0) < turn(4_000, 2));
    }
}
