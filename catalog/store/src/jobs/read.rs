//! Jobs and attempts as they are stored.

use causeway_model::{
    Attempt, AttemptOutcome, ConcurrencyGroup, ErrorClass, Job, JobId, JobKind, JobPage, JobState, NewJob, RunId,
};
use chrono::{DateTime, SecondsFormat};

use crate::connection::{Connection, Row, Sql};
use crate::error::{Result, damaged, not_found};
use crate::rows::{parameters, word};

macro_rules! select_job {
    ($rest:literal) => {
        concat!(
            "SELECT j.*, a.worker, a.started_at FROM job j \
             LEFT JOIN attempt a ON a.job_id = j.id AND a.attempt = j.attempt ",
            $rest
        )
    };
}

pub(crate) async fn one(connection: &mut Connection, id: i64) -> Result<Job> {
    let row = connection.query(select_job!("WHERE j.id = $1")).bind(id).fetch_optional().await?;
    job(&row.ok_or_else(|| not_found("job", id))?)
}

const IN_LINE: Sql = Sql {
    sqlite: select_job!("WHERE j.id IN (SELECT value FROM json_each($1)) ORDER BY j.turn, j.id"),
    postgres: select_job!("WHERE j.id = ANY ($1::text::bigint[]) ORDER BY j.turn, j.id"),
};

/// Reads jobs in the order of their turns.
pub(super) async fn in_line(connection: &mut Connection, ids: &[i64]) -> Result<Vec<Job>> {
    connection.query(IN_LINE).bind_integers(ids).fetch_all().await?.iter().map(job).collect()
}

/// Lists a page of jobs. Each of the three texts is served by an index, newest first.
pub(crate) async fn list(connection: &mut Connection, page: &JobPage) -> Result<Vec<Job>> {
    let before = page.before.map_or(i64::MAX, |job| job.0);
    let from = page.from.map_or(i64::MIN, |job| job.0);
    let query = match (page.state, &page.actor) {
        (Some(state), _) => connection
            .query(select_job!(
                "WHERE j.id < $1 AND j.id >= $3 AND j.state = $4 AND (CAST($5 AS TEXT) IS NULL OR j.actor = $5) \
                 ORDER BY j.id DESC LIMIT $2"
            ))
            .bind(before)
            .bind(page.limit.max(0))
            .bind(from)
            .bind(state.name())
            .bind(page.actor.as_deref()),
        (None, Some(actor)) => connection
            .query(select_job!("WHERE j.id < $1 AND j.id >= $3 AND j.actor = $4 ORDER BY j.id DESC LIMIT $2"))
            .bind(before)
            .bind(page.limit.max(0))
            .bind(from)
            .bind(actor.as_str()),
        (None, None) => connection
            .query(select_job!("WHERE j.id < $1 AND j.id >= $3 ORDER BY j.id DESC LIMIT $2"))
            .bind(before)
            .bind(page.limit.max(0))
            .bind(from),
    };
    query.fetch_all().await?.iter().map(job).collect()
}

pub(crate) async fn attempts(connection: &mut Connection, of: Option<JobId>) -> Result<Vec<Attempt>> {
    let rows = match of {
        Some(id) => {
            one(connection, id.0).await?;
            let query = connection.query("SELECT * FROM attempt WHERE job_id = $1 ORDER BY attempt");
            query.bind(id.0).fetch_all().await?
        }
        None => connection.query("SELECT * FROM attempt ORDER BY job_id, attempt").fetch_all().await?,
    };
    rows.iter().map(attempt).collect()
}

pub(crate) async fn count_open(connection: &mut Connection) -> Result<i64> {
    let sql =
        "SELECT (SELECT COUNT(*) FROM job WHERE state = 'queued') + (SELECT COUNT(*) FROM job WHERE state = 'running')";
    connection.query(sql).fetch_scalar().await
}

fn job(row: &Row) -> Result<Job> {
    Ok(Job {
        id: JobId(row.get("id")?),
        spec: spec(row)?,
        state: word(row.get("state")?, &JobState::ALL, JobState::name)?,
        attempt: row.get("attempt")?,
        n_failures: row.get("n_failures")?,
        cancel_requested: row.get::<Option<i64>>("cancel_requested_at")?.is_some(),
        worker: row.get("worker")?,
        error_code: row.get("error_code")?,
        error: row.get("error")?,
        submitted_at: instant(row.get("submitted_at")?)?,
        run_at: instant(row.get("run_at")?)?,
        started_at: row.get::<Option<i64>>("started_at")?.map(instant).transpose()?,
        finished_at: row.get::<Option<i64>>("finished_at")?.map(instant).transpose()?,
    })
}

fn spec(row: &Row) -> Result<NewJob> {
    let name: Option<String> = row.get("group_name")?;
    let limit: Option<i64> = row.get("group_limit")?;
    Ok(NewJob {
        kind: word(row.get("kind")?, &JobKind::ALL, JobKind::name)?,
        work: row.get("work")?,
        base_dir: row.get("base_dir")?,
        parameters: parameters(row)?,
        run: RunId(row.get("run")?),
        actor: row.get("actor")?,
        dedupe_key: row.get("dedupe_key")?,
        priority: row.get("priority")?,
        group: name.zip(limit).map(|(name, limit)| ConcurrencyGroup { name, limit }),
        max_attempts: row.get("max_attempts")?,
        timeout_ms: row.get("timeout_ms")?,
        memory_limit_bytes: row.get("memory_limit_bytes")?,
    })
}

fn attempt(row: &Row) -> Result<Attempt> {
    let outcome: Option<&str> = row.get("outcome")?;
    let class: Option<&str> = row.get("class")?;
    Ok(Attempt {
        job: JobId(row.get("job_id")?),
        attempt: row.get("attempt")?,
        worker: row.get("worker")?,
        started_at: instant(row.get("started_at")?)?,
        heartbeat_at: instant(row.get("heartbeat_at")?)?,
        finished_at: row.get::<Option<i64>>("finished_at")?.map(instant).transpose()?,
        outcome: outcome.map(|stored| word(stored, &AttemptOutcome::ALL, AttemptOutcome::name)).transpose()?,
        class: class.map(|stored| word(stored, &ErrorClass::ALL, ErrorClass::name)).transpose()?,
        error_code: row.get("error_code")?,
        error: row.get("error")?,
    })
}

/// Writes an instant as the catalog shows it.
pub(crate) fn instant(milliseconds: i64) -> Result<String> {
    let instant = DateTime::from_timestamp_millis(milliseconds);
    let instant = instant.ok_or_else(|| damaged("an instant of a job lies outside the calendar"))?;
    Ok(instant.to_rfc3339_opts(SecondsFormat::Millis, true))
}
