//! Taking a job, and taking back those whose worker fell silent.

use std::collections::HashMap;

use causeway_model::{AttemptOutcome, Claim, ClaimedJob, ErrorClass, JobId, JobState, Lease, WORKER_LOST};

use super::lease::{self, Held};
use super::read::in_line;
use super::{Fault, ended, now};
use crate::audit;
use crate::connection::{Connection, Row, Sql};
use crate::error::{Result, invalid};

/// How often a claim looks again after other ones took the last places of the groups it had found.
const LOOKS: usize = 8;

/// The key space of the groups' locks on Postgres, apart from the writers'.
const GROUP_LOCKS: i32 = 0x6a6f_6273;

/// The jobs whose turn it is, at most $2 of them at $1, of the groups $3 alone if that is given: the first
/// in line of each waiting group that has room, and the first without a group. The names of the waiting
/// groups are found one after the other, so that nothing is as long as the queue; jobs without one are
/// ordered by their group too, which says nothing but lets Postgres read them in the order of the index.
macro_rules! next_in_line {
    ($is_asked_for:literal, $materialized:literal, $lock:literal, $lock_job:literal) => {
        concat!(
            "WITH RECURSIVE waiting (name) AS (
                SELECT (SELECT j.group_name FROM job j WHERE j.state = 'queued' AND j.group_name IS NOT NULL
                         ORDER BY j.group_name LIMIT 1)
                UNION ALL
                SELECT (SELECT j.group_name FROM job j WHERE j.state = 'queued' AND j.group_name > w.name
                         ORDER BY j.group_name LIMIT 1) FROM waiting w WHERE w.name IS NOT NULL
            ), grouped (id) AS (
                SELECT (SELECT j.id FROM job j WHERE j.state = 'queued' AND j.group_name = w.name AND j.run_at <= $1
                         ORDER BY j.turn, j.id LIMIT 1) FROM waiting w WHERE w.name IS NOT NULL AND ",
            $is_asked_for,
            "), free (id) AS ",
            $materialized,
            " (
                SELECT j.id FROM job j WHERE j.state = 'queued' AND j.group_name IS NULL AND j.run_at <= $1
                   AND CAST($3 AS TEXT) IS NULL ORDER BY j.group_name, j.turn, j.id LIMIT $2 ",
            $lock,
            ")
            SELECT j.id, j.group_name FROM job j
             WHERE j.id IN (SELECT id FROM grouped UNION ALL SELECT id FROM free) AND j.state = 'queued'
               AND (j.group_name IS NULL OR (SELECT COUNT(*) FROM job r WHERE r.group_name = j.group_name
                    AND r.state = 'running' AND r.lease_until > $1) < j.group_limit)
             ORDER BY j.turn, j.id LIMIT $2 ",
            $lock_job
        )
    };
}

const NEXT: Sql = Sql {
    sqlite: next_in_line!("($3 IS NULL OR w.name IN (SELECT value FROM json_each($3)))", "", "", ""),
    postgres: next_in_line!(
        "(CAST($3 AS TEXT) IS NULL OR w.name IN (SELECT jsonb_array_elements_text(CAST($3 AS JSONB))))",
        "MATERIALIZED",
        "FOR UPDATE OF j SKIP LOCKED",
        "FOR UPDATE OF j SKIP LOCKED"
    ),
};

/// [`NEXT`] without locks, for a look.
const LOOK: Sql = Sql {
    sqlite: NEXT.sqlite,
    postgres: next_in_line!(
        "(CAST($3 AS TEXT) IS NULL OR w.name IN (SELECT jsonb_array_elements_text(CAST($3 AS JSONB))))",
        "",
        "",
        ""
    ),
};

const TAKE: Sql = Sql {
    sqlite: "UPDATE job SET state = 'running', attempt = attempt + 1, lease_until = $1, \
             lease_token = lower(hex(randomblob(16))) WHERE id IN (SELECT value FROM json_each($2)) \
             RETURNING id, attempt, lease_token",
    postgres: "UPDATE job SET state = 'running', attempt = attempt + 1, lease_until = $1, \
               lease_token = gen_random_uuid()::text WHERE id = ANY ($2::text::bigint[]) \
               RETURNING id, attempt, lease_token",
};

const BEGIN: Sql = Sql {
    sqlite: "INSERT INTO attempt (job_id, attempt, worker, started_at, heartbeat_at) \
             SELECT id, attempt, $1, $2, $2 FROM job WHERE id IN (SELECT value FROM json_each($3))",
    postgres: "INSERT INTO attempt (job_id, attempt, worker, started_at, heartbeat_at) \
               SELECT id, attempt, $1, $2, $2 FROM job WHERE id = ANY ($3::text::bigint[])",
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

/// Looks whether a claim would take a job. It costs as much as a claim, but locks nothing: a worker that waits
/// for a group of others to have room must not hold up those who write.
pub(crate) async fn is_anybodys_turn(connection: &mut Connection, claim: &Claim) -> Result<bool> {
    let (now, groups) = (now(connection).await?, groups(claim)?);
    Ok(connection.query(LOOK).bind(now).bind(1_i64).bind(&groups).fetch_optional().await?.is_some())
}

fn groups(claim: &Claim) -> Result<Option<String>> {
    let groups = claim.groups.as_ref().map(serde_json::to_string).transpose();
    groups.map_err(|error| invalid(format!("names of groups: {error}")))
}

/// Takes the next jobs in line. On Postgres several may do so at once: rows that another claim holds are
/// skipped, and a group's places are counted under the group's lock.
pub(crate) async fn claim(connection: &mut Connection, claim: &Claim) -> Result<Vec<ClaimedJob>> {
    let groups = groups(claim)?;
    for _ in 0..LOOKS {
        let now = now(connection).await?;
        let next = connection.query(NEXT).bind(now).bind(claim.limit.max(0)).bind(&groups).fetch_all().await?;
        if next.is_empty() {
            break;
        }
        let ids = with_room(connection, &next).await?;
        if !ids.is_empty() {
            return take(connection, &ids, claim, now).await;
        }
    }
    Ok(Vec::new())
}

/// Returns the jobs that have no group or whose group still has room when its lock is held. The locks are
/// taken in the order of names, so that two claims never wait for each other.
async fn with_room(connection: &mut Connection, next: &[Row]) -> Result<Vec<i64>> {
    let mut jobs = Vec::with_capacity(next.len());
    for row in next {
        jobs.push((row.get::<Option<String>>("group_name")?, row.get::<i64>("id")?));
    }
    jobs.sort_unstable();
    let mut ids = Vec::with_capacity(jobs.len());
    for (group, id) in jobs {
        if match &group {
            Some(group) => has_room(connection, id, group).await?,
            None => true,
        } {
            ids.push(id);
        }
    }
    Ok(ids)
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

async fn take(connection: &mut Connection, ids: &[i64], claim: &Claim, now: i64) -> Result<Vec<ClaimedJob>> {
    let until = now.saturating_add(claim.lease_ms);
    let taken = connection.query(TAKE).bind(until).bind_integers(ids).fetch_all().await?;
    let mut leases = HashMap::with_capacity(taken.len());
    for row in &taken {
        let job = JobId(row.get("id")?);
        leases.insert(job, Lease { job, attempt: row.get("attempt")?, token: row.get("lease_token")? });
    }
    connection.query(BEGIN).bind(&claim.worker).bind(now).bind_integers(ids).execute().await?;
    let jobs = in_line(connection, ids).await?;
    Ok(jobs.into_iter().filter_map(|job| Some(ClaimedJob { lease: leases.remove(&job.id)?, job })).collect())
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
    lease::write(connection, &[(&held, change)], now).await?;
    tracing::warn!(job = held.id, attempt = held.attempt, state = state.name(), "lease expired");
    if state == JobState::Queued {
        return Ok(());
    }
    let events = ended(connection, &[held.id]).await?;
    audit::append_all(connection, events).await.map(drop)
}
