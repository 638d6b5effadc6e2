//! What is counted at a scrape. Each query reads an index or a small table; none reads what has ended well.

use causeway_model::{Figures, JobState, Moment, ScheduleFigures, TOLD_TABLES, TableFigures, TableName, WorkerState};

use super::workers;
use crate::connection::Connection;
use crate::error::Result;
use crate::jobs::now;
use crate::rows::word;

const OPEN: &str = "SELECT (SELECT COUNT(*) FROM job WHERE state = 'queued'), (SELECT COUNT(*) FROM job WHERE state = 'running'), \
     (SELECT COUNT(*) FROM attempt WHERE outcome = 'lost'), (SELECT COUNT(*) FROM alert WHERE state = 'waiting')";

/// The first in line that is due has not always waited longest; of those at the front one has.
const OLDEST_DUE: &str = "SELECT MIN(run_at) FROM (SELECT run_at FROM job WHERE state = 'queued' ORDER BY turn, id LIMIT 100) \
                          AS front WHERE run_at <= $1";

const TABLES: &str = "SELECT d.schema_name, d.table_name, v.version, v.n_files FROM dataset d \
    JOIN dataset_version v ON v.dataset_id = d.id \
    AND v.version = (SELECT MAX(n.version) FROM dataset_version n WHERE n.dataset_id = d.id) \
    WHERE d.dropped_at IS NULL AND d.kind = 'table' ORDER BY d.id LIMIT $1";

const LAG: &str = "SELECT MIN(next_fire_at) FROM schedule WHERE state = 'active'";

const SCHEDULES: &str = "SELECT name, last_success_at FROM schedule WHERE state <> 'dropped' ORDER BY id LIMIT $1";

pub(crate) async fn read(connection: &mut Connection) -> Result<Figures> {
    let now = now(connection).await?;
    let open = connection.query(OPEN).fetch_one().await?;
    let mut jobs = vec![(JobState::Queued, open.get(0)?), (JobState::Running, open.get(1)?)];
    jobs.extend(given_up(connection).await?);
    let oldest: Option<i64> = connection.query(OLDEST_DUE).bind(now).fetch_scalar().await?;
    let due: Option<i64> = connection.query(LAG).fetch_scalar().await?;
    Ok(Figures {
        jobs,
        oldest_due_ms: oldest.map_or(0, |since| now - since),
        n_lost_attempts: open.get(2)?,
        workers: count_workers(connection, now).await?,
        n_waiting_alerts: open.get(3)?,
        tables: tables(connection).await?,
        schedule_lag_ms: due.map_or(0, |due| (now - due).max(0)),
        schedules: schedules(connection).await?,
    })
}

async fn given_up(connection: &mut Connection) -> Result<[(JobState, i64); 2]> {
    let sql = "SELECT state, COUNT(*) FROM job WHERE state IN ('dead', 'cancelled') GROUP BY state";
    let mut counts = [(JobState::Dead, 0), (JobState::Cancelled, 0)];
    for row in connection.query(sql).fetch_all().await? {
        let state = word(row.get(0)?, &JobState::ALL, JobState::name)?;
        if let Some(count) = counts.iter_mut().find(|(counted, _)| *counted == state) {
            count.1 = row.get(1)?;
        }
    }
    Ok(counts)
}

async fn count_workers(connection: &mut Connection, now: i64) -> Result<Vec<(WorkerState, i64)>> {
    let rows = connection
        .query("SELECT state, lease_ms, heartbeat_at FROM worker WHERE state <> 'stopped'")
        .fetch_all()
        .await?;
    let mut counts = [WorkerState::Running, WorkerState::Draining, WorkerState::Silent].map(|state| (state, 0));
    for row in &rows {
        let told = word(row.get(0)?, &WorkerState::ALL, WorkerState::name)?;
        let state = workers::state(told, now - row.get::<i64>(2)?, row.get(1)?);
        if let Some(count) = counts.iter_mut().find(|(counted, _)| *counted == state) {
            count.1 += 1;
        }
    }
    Ok(counts.to_vec())
}

async fn tables(connection: &mut Connection) -> Result<Vec<TableFigures>> {
    let rows = connection.query(TABLES).bind(TOLD_TABLES).fetch_all().await?;
    let table = |row: &crate::connection::Row| {
        Ok(TableFigures {
            name: TableName { schema: row.get("schema_name")?, table: row.get("table_name")? },
            version: row.get("version")?,
            n_files: row.get("n_files")?,
        })
    };
    rows.iter().map(table).collect()
}

async fn schedules(connection: &mut Connection) -> Result<Vec<ScheduleFigures>> {
    let rows = connection.query(SCHEDULES).bind(TOLD_TABLES).fetch_all().await?;
    let schedule = |row: &crate::connection::Row| {
        let last_success = row.get::<Option<i64>>("last_success_at")?.map(Moment);
        Ok(ScheduleFigures { name: row.get("name")?, last_success })
    };
    rows.iter().map(schedule).collect()
}
