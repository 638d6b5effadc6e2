//! The outbox: every transition of a run or step, until it is told and after.
//!
//! A row is written in the transaction of the transition itself. What waits is found through an index
//! that holds nothing else, however many rows were told before.

use causeway_model::{Change, ChangeRecord, Failure, OutboxStatus, RunId, Step, StepId, Transition};

use crate::connection::{Connection, Row, Sql};
use crate::error::Result;
use crate::{rows, write};

macro_rules! select_changes {
    ($rest:literal) => {
        concat!(
            "SELECT e.*, r.uuid, s.name AS step_name FROM lineage_event e JOIN run r ON r.id = e.run_id \
             LEFT JOIN step s ON s.id = e.step_id ",
            $rest
        )
    };
}

/// A transition of a step, about to be recorded.
pub(crate) struct Told<'a> {
    pub(crate) attempt: i64,
    pub(crate) transition: Transition,
    pub(crate) at: &'a str,
    /// Code and message.
    pub(crate) failure: Option<(&'a str, &'a str)>,
}

/// Records a transition of a run that is there.
pub(crate) async fn run(connection: &mut Connection, run: &RunId, transition: Transition, at: &str) -> Result<()> {
    connection
        .query(
            "INSERT INTO lineage_event (run_id, attempt, transition, at) SELECT id, 0, $1, $2 FROM run WHERE uuid = $3",
        )
        .bind(transition.name())
        .bind(at)
        .bind(&run.0)
        .execute()
        .await
        .map(drop)
}

/// Records a transition of a step that is there.
pub(crate) async fn step(connection: &mut Connection, step: StepId, told: &Told<'_>) -> Result<()> {
    let (code, message) = told.failure.unzip();
    connection
        .query(
            "INSERT INTO lineage_event (run_id, step_id, attempt, transition, at, error_code, error) \
             SELECT run_id, id, $1, $2, $3, $4, $5 FROM step WHERE id = $6",
        )
        .bind(told.attempt)
        .bind(told.transition.name())
        .bind(told.at)
        .bind(code)
        .bind(message)
        .bind(step.0)
        .execute()
        .await
        .map(drop)
}

/// Records that a step was started or skipped, and the end of the attempt that was `killed` before.
pub(crate) async fn step_begun(connection: &mut Connection, begun: &Step, killed: Option<i64>) -> Result<()> {
    let at = &begun.started_at;
    if let Some(attempt) = killed {
        step(connection, begun.id, &Told { attempt, transition: Transition::Abort, at, failure: None }).await?;
    }
    match Transition::of_step(begun) {
        None => Ok(()),
        Some(transition) => {
            let attempt = if transition == Transition::Start { begun.attempt } else { 0 };
            step(connection, begun.id, &Told { attempt, transition, at, failure: None }).await
        }
    }
}

pub(crate) async fn pending(connection: &mut Connection, limit: i64) -> Result<Vec<Change>> {
    let found = connection
        .query(
            "SELECT e.*, r.uuid FROM lineage_event e JOIN run r ON r.id = e.run_id WHERE e.delivered_at IS NULL \
             AND NOT EXISTS (SELECT 1 FROM lineage_event h WHERE h.run_id = e.run_id AND h.held) \
             ORDER BY e.id LIMIT $1",
        )
        .bind(limit.max(0))
        .fetch_all()
        .await?;
    found.iter().map(change).collect()
}

pub(crate) async fn delivered(connection: &mut Connection, ids: &[i64]) -> Result<()> {
    let now = write::now(connection).await?;
    connection
        .query(Sql {
            sqlite: "UPDATE lineage_event SET delivered_at = $1, held = FALSE \
                     WHERE id IN (SELECT value FROM json_each($2)) AND delivered_at IS NULL",
            postgres: "UPDATE lineage_event SET delivered_at = $1, held = FALSE \
                       WHERE id = ANY ($2::bigint[]) AND delivered_at IS NULL",
        })
        .bind(now)
        .bind_integers(ids)
        .execute()
        .await
        .map(drop)
}

pub(crate) async fn failed(connection: &mut Connection, id: i64, failure: &Failure, held: bool) -> Result<()> {
    connection
        .query(
            "UPDATE lineage_event SET n_failures = n_failures + 1, failure_code = $1, failure = $2, held = $3 \
             WHERE id = $4 AND delivered_at IS NULL",
        )
        .bind(&failure.code)
        .bind(&failure.message)
        .bind(held)
        .bind(id)
        .execute()
        .await
        .map(drop)
}

pub(crate) async fn release(connection: &mut Connection) -> Result<u64> {
    let held: i64 =
        connection.query("SELECT COUNT(DISTINCT run_id) FROM lineage_event WHERE held").fetch_scalar().await?;
    connection.query("UPDATE lineage_event SET held = FALSE WHERE held").execute().await?;
    Ok(held.unsigned_abs())
}

pub(crate) async fn list(connection: &mut Connection, run: Option<&RunId>) -> Result<Vec<ChangeRecord>> {
    let found = match run {
        Some(run) => {
            connection.query(select_changes!("WHERE r.uuid = $1 ORDER BY e.id")).bind(&run.0).fetch_all().await?
        }
        None => connection.query(select_changes!("ORDER BY e.id")).fetch_all().await?,
    };
    found.iter().map(record).collect()
}

pub(crate) async fn status(connection: &mut Connection) -> Result<OutboxStatus> {
    let waiting = connection
        .query("SELECT COUNT(*) AS waiting, MIN(at) AS oldest FROM lineage_event WHERE delivered_at IS NULL")
        .fetch_one()
        .await?;
    let held = connection
        .query("SELECT DISTINCT r.uuid FROM lineage_event e JOIN run r ON r.id = e.run_id WHERE e.held ORDER BY r.uuid")
        .fetch_scalars::<String>()
        .await?;
    let failed = connection
        .query(
            "SELECT failure_code, failure FROM lineage_event WHERE delivered_at IS NULL AND n_failures > 0 \
             ORDER BY id LIMIT 1",
        )
        .fetch_optional()
        .await?;
    Ok(OutboxStatus {
        n_waiting: waiting.get("waiting")?,
        held: held.into_iter().map(RunId).collect(),
        oldest: waiting.get("oldest")?,
        last_failure: failed.as_ref().map(|row| failure(row, "failure_code", "failure")).transpose()?.flatten(),
    })
}

pub(crate) async fn forget(
    connection: &mut Connection,
    days: i64,
    waiting: bool,
    up_to: Option<i64>,
    limit: i64,
) -> Result<u64> {
    let cutoff: String = connection
        .query(Sql {
            sqlite: "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now', (0 - $1) || ' days')",
            postgres: "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC' - make_interval(days => $1::int), \
                       'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
        })
        .bind(days.clamp(0, MOST_DAYS))
        .fetch_scalar()
        .await?;
    connection
        .query(
            "DELETE FROM lineage_event WHERE id IN (SELECT id FROM lineage_event WHERE id <= $4 AND (delivered_at <= $1 \
             OR ($2 AND delivered_at IS NULL AND at <= $1)) ORDER BY id LIMIT $3)",
        )
        .bind(cutoff)
        .bind(waiting)
        .bind(limit.max(0))
        .bind(up_to.unwrap_or(i64::MAX))
        .execute()
        .await
}

/// Two centuries: longer ago than anything was recorded.
const MOST_DAYS: i64 = 73_000;

pub(crate) async fn claim(connection: &mut Connection, holder: &str, seconds: i64) -> Result<bool> {
    let taken = connection
        .query(Sql {
            sqlite: "UPDATE lineage_delivery SET holder = $1, \
                     until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', $2 || ' seconds') \
                     WHERE holder = $1 OR until <= strftime('%Y-%m-%dT%H:%M:%fZ', 'now')",
            postgres: "UPDATE lineage_delivery SET holder = $1, until = to_char(clock_timestamp() AT TIME ZONE 'UTC' \
                       + make_interval(secs => $2), 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') \
                       WHERE holder = $1 OR until <= to_char(clock_timestamp() AT TIME ZONE 'UTC', \
                       'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')",
        })
        .bind(holder)
        .bind(seconds)
        .execute()
        .await?;
    Ok(taken == 1)
}

pub(crate) async fn give_back(connection: &mut Connection, holder: &str) -> Result<()> {
    let sql = "UPDATE lineage_delivery SET holder = '', until = '' WHERE holder = $1";
    connection.query(sql).bind(holder).execute().await.map(drop)
}

fn change(row: &Row) -> Result<Change> {
    Ok(Change {
        id: row.get("id")?,
        run: RunId(row.get("uuid")?),
        step: row.get::<Option<i64>>("step_id")?.map(StepId),
        attempt: row.get("attempt")?,
        transition: rows::word(row.get("transition")?, &Transition::ALL, Transition::name)?,
        at: row.get("at")?,
        failure: failure(row, "error_code", "error")?,
    })
}

fn record(row: &Row) -> Result<ChangeRecord> {
    Ok(ChangeRecord {
        change: change(row)?,
        step: row.get("step_name")?,
        delivered_at: row.get("delivered_at")?,
        last_failure: failure(row, "failure_code", "failure")?,
        n_failures: row.get("n_failures")?,
        held: row.get("held")?,
    })
}

fn failure(row: &Row, code: &'static str, message: &'static str) -> Result<Option<Failure>> {
    let (code, message): (Option<String>, Option<String>) = (row.get(code)?, row.get(message)?);
    Ok(code.zip(message).map(|(code, message)| Failure { code, message }))
}
