//! Taking a job, and taking back those whose worker fell silent.

use causeway_model::{AttemptOutcome, ClaimedJob, ErrorClass, JobId, JobState, Lease, WORKER_LOST};

use super::lease::{self, Held};
use super::{Fault, ended, now, one};
use crate::connection::{Connection, Row, Sql};
use crate::error::Result;

/// How often a claim looks again after another one took the last place of a group.
const LOOKS: usize = 8;

/// The key space of the groups' locks on Postgres, apart from the writers'.
const GROUP_LOCKS: i32 = 0x6a6f_6273;

macro_rules! next_in_line {
    ($lock:literal) => {
        concat!(
            "SELECT j.id, j.group_name FROM job j WHERE j.state = 'queued' AND j.run_at <= $1 AND (j.group_name IS NULL \
             OR (SELECT COUNT(*) FROM job r WHERE r.group_name = j.group_name AND r.state = 'running' \
             AND r.lease_until > $1) < j.group_limit) ORDER BY j.turn, j.id LIMIT 1",
            $lock
        )
    };
}

const NEXT: Sql = Sql { sqlite: next_in_line!(""), postgres: next_in_line!(" FOR UPDATE OF j SKIP LOCKED") };

const TAKE: Sql = Sql {
    sqlite: "UPDATE job SET state = 'running', attempt = attempt + 1, lease_until = $1, \
             lease_token = lower(hex(randomblob(16))) WHERE id = $2 RETURNING attempt, lease_token",
    postgres: "UPDATE job SET state = 'running', attempt = attempt + 1, lease_until = $1, \
               lease_token = gen_random_uuid()::text WHERE id = $2 RETURNING attempt, lease_token",
};

macro_rules! lapsed {
    ($lock:literal) => {
        concat!(
            "SELECT id, attempt, n_failures, max_attempts, cancel_requested_at, lease_token FROM job \
             WHERE state = 'running' AND lease_until <= $1 ORDER BY id",
            $lock
        )
    };
}

/// A job that its worker is just writing to, and perhaps was stopped while it did, is left to the next look.
const LAPSED: Sql = Sql { sqlite: lapsed!(""), postgres: lapsed!(" FOR UPDATE SKIP LOCKED") };

/// What a claim would find.
pub(crate) struct Standing {
    /// A lease is over.
    pub(crate) lapsed: bool,
    /// A job is due.
    pub(crate) due: bool,
}

/// Looks whether there is anything to do, so that an idle worker writes nothing.
pub(crate) async fn standing(connection: &mut Connection) -> Result<Standing> {
    let now = now(connection).await?;
    let sql = "SELECT \
        (SELECT COUNT(*) FROM (SELECT 1 FROM job WHERE state = 'running' AND lease_until <= $1 LIMIT 1) AS lapsed), \
        (SELECT COUNT(*) FROM (SELECT 1 FROM job WHERE state = 'queued' AND run_at <= $1 LIMIT 1) AS due)";
    let row = connection.query(sql).bind(now).fetch_one().await?;
    Ok(Standing { lapsed: row.get::<i64>(0)? > 0, due: row.get::<i64>(1)? > 0 })
}

/// Takes the next job in line. On Postgres several may do so at once: rows that another claim holds are
/// skipped, and a group's places are counted under the group's lock.
pub(crate) async fn claim(connection: &mut Connection, worker: &str, lease_ms: i64) -> Result<Option<ClaimedJob>> {
    for _ in 0..LOOKS {
        let now = now(connection).await?;
        let Some(row) = connection.query(NEXT).bind(now).fetch_optional().await? else { return Ok(None) };
        let (id, group): (i64, Option<String>) = (row.get("id")?, row.get("group_name")?);
        if let Some(group) = &group
            && !has_room(connection, id, group).await?
        {
            continue;
        }
        return take(connection, id, worker, now.saturating_add(lease_ms), now).await.map(Some);
    }
    Ok(None)
}

/// Counts a group's places again where no other claim can take one meanwhile.
async fn has_room(connection: &mut Connection, id: i64, group: &str) -> Result<bool> {
    if let Connection::Sqlite(_) = connection {
        return Ok(true); // nobody else writes
    }
    let lock = connection.query("SELECT pg_advisory_xact_lock($1, hashtext($2))");
    lock.bind(GROUP_LOCKS).bind(group).execute().await?;
    let now = now(connection).await?;
    let places: i64 = connection
        .query(
            "SELECT j.group_limit - (SELECT COUNT(*) FROM job r WHERE r.group_name = j.group_name \
             AND r.state = 'running' AND r.lease_until > $1) FROM job j WHERE j.id = $2",
        )
        .bind(now)
        .bind(id)
        .fetch_scalar()
        .await?;
    Ok(places > 0)
}

async fn take(connection: &mut Connection, id: i64, worker: &str, until: i64, now: i64) -> Result<ClaimedJob> {
    let row = connection.query(TAKE).bind(until).bind(id).fetch_one().await?;
    let lease = Lease { job: JobId(id), attempt: row.get("attempt")?, token: row.get("lease_token")? };
    connection
        .query("INSERT INTO attempt (job_id, attempt, worker, started_at, heartbeat_at) VALUES ($1, $2, $3, $4, $4)")
        .bind(id)
        .bind(lease.attempt)
        .bind(worker)
        .bind(now)
        .execute()
        .await?;
    Ok(ClaimedJob { job: one(connection, id).await?, lease })
}

/// Ends every attempt whose lease is over. Its job waits again, unless that was the last attempt or its
/// owner had asked to stop it.
pub(crate) async fn expire(connection: &mut Connection) -> Result<()> {
    let now = now(connection).await?;
    let rows = connection.query(LAPSED).bind(now).fetch_all().await?;
    for row in &rows {
        expire_one(connection, row, now).await?;
    }
    Ok(())
}

async fn expire_one(connection: &mut Connection, row: &Row, now: i64) -> Result<()> {
    let held = Held::read(row)?;
    let state = held.after_failure(ErrorClass::Lost);
    let fault = Fault { class: ErrorClass::Lost, code: WORKER_LOST, error: "the worker that had the job fell silent" };
    let change = lease::Change { state, outcome: AttemptOutcome::Lost, fault: Some(fault), run_at: now };
    // A heartbeat may have come just in time.
    let changed = connection
        .query("UPDATE job SET lease_until = lease_until WHERE id = $1 AND attempt = $2 AND lease_until <= $3")
        .bind(held.id)
        .bind(held.attempt)
        .bind(now)
        .execute()
        .await?;
    if changed == 0 {
        return Ok(());
    }
    lease::write(connection, &held, &change, now).await?;
    tracing::warn!(job = held.id, attempt = held.attempt, state = state.name(), "lease expired");
    if state == JobState::Queued { Ok(()) } else { ended(connection, held.id).await }
}
