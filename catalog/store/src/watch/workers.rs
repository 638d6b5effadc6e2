//! Workers.

use causeway_model::{NewWorker, WorkerId, WorkerRecord, WorkerState};

use super::{names, names_json};
use crate::connection::{Connection, Row};
use crate::error::{Result, invalid, not_found};
use crate::jobs::{instant, now};
use crate::rows::word;

/// How long a worker that is gone is remembered: a week.
const REMEMBERED_MS: i64 = 7 * 24 * 60 * 60 * 1_000;

pub(crate) async fn register(connection: &mut Connection, worker: &NewWorker) -> Result<WorkerId> {
    if worker.slots < 1 || worker.lease_ms < 1 {
        return Err(invalid("a worker has at least one slot and a lease above 0"));
    }
    let now = now(connection).await?;
    connection.query("DELETE FROM worker WHERE heartbeat_at < $1").bind(now - REMEMBERED_MS).execute().await?;
    let groups = worker.groups.as_deref().map(names_json).transpose()?;
    let id = connection
        .query(
            "INSERT INTO worker (name, host, pid, slots, group_names, lease_ms, state, started_at, heartbeat_at) \
             VALUES ($1, $2, $3, $4, $5, $6, 'running', $7, $7) RETURNING id",
        )
        .bind(&worker.name)
        .bind(&worker.host)
        .bind(worker.pid)
        .bind(worker.slots)
        .bind(groups)
        .bind(worker.lease_ms)
        .bind(now)
        .fetch_scalar()
        .await?;
    Ok(WorkerId(id))
}

pub(crate) async fn beat(connection: &mut Connection, worker: WorkerId, state: WorkerState) -> Result<()> {
    if state == WorkerState::Silent {
        return Err(invalid("a worker that beats is not silent"));
    }
    let now = now(connection).await?;
    let changed = connection
        .query("UPDATE worker SET state = $1, heartbeat_at = $2 WHERE id = $3")
        .bind(state.name())
        .bind(now)
        .bind(worker.0)
        .execute()
        .await?;
    if changed == 0 { Err(not_found("worker", worker.0)) } else { Ok(()) }
}

pub(crate) async fn list(connection: &mut Connection) -> Result<Vec<WorkerRecord>> {
    let now = now(connection).await?;
    let rows = connection.query("SELECT * FROM worker ORDER BY id DESC").fetch_all().await?;
    rows.iter().map(|row| worker(row, now)).collect()
}

fn worker(row: &Row, now: i64) -> Result<WorkerRecord> {
    let groups: Option<&str> = row.get("group_names")?;
    let (lease_ms, heartbeat_at): (i64, i64) = (row.get("lease_ms")?, row.get("heartbeat_at")?);
    let told = word(row.get("state")?, &WorkerState::ALL, WorkerState::name)?;
    Ok(WorkerRecord {
        id: WorkerId(row.get("id")?),
        spec: NewWorker {
            name: row.get("name")?,
            host: row.get("host")?,
            pid: row.get("pid")?,
            slots: row.get("slots")?,
            groups: groups.map(names).transpose()?,
            lease_ms,
        },
        state: state(told, now - heartbeat_at, lease_ms),
        started_at: instant(row.get("started_at")?)?,
        heartbeat_at: instant(heartbeat_at)?,
    })
}

/// Returns what a worker is doing, which it did not say itself if it was killed.
pub(super) fn state(told: WorkerState, silence_ms: i64, lease_ms: i64) -> WorkerState {
    match told {
        WorkerState::Stopped => told,
        _ if silence_ms > lease_ms => WorkerState::Silent,
        _ => told,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_stopped_is_not_silent_and_who_is_silent_does_not_run() {
        assert_eq!(state(WorkerState::Running, 1000, 1000), WorkerState::Running);
        assert_eq!(state(WorkerState::Running, 1001, 1000), WorkerState::Silent);
        assert_eq!(state(WorkerState::Draining, 1001, 1000), WorkerState::Silent);
        assert_eq!(state(WorkerState::Stopped, i64::MAX, 1000), WorkerState::Stopped);
    }
}
