//! What there is to do for a scheduler. It is read about once a second by each of them, so every part is
//! served by an index and looks at schedules, not at jobs.

use std::collections::BTreeMap;

use causeway_model::{Agenda, Backfill, Moment, ScheduleEntry, ScheduleId, Seen, TriggerId};

use super::{backfill, read};
use crate::connection::{Connection, Row};
use crate::error::Result;
use crate::jobs::now;

/// Schedules that are handed out at once; the others come with the next look.
const BATCH: i64 = 200;

const CHANGED_TABLES: &str = "SELECT t.id, t.schedule_id, t.mark, v.id AS newest \
    FROM schedule_trigger t JOIN schedule s ON s.id = t.schedule_id AND s.state = 'active' \
    JOIN dataset d ON d.schema_name = t.schema_name AND d.table_name = t.target AND d.dropped_at IS NULL \
    JOIN dataset_version v ON v.dataset_id = d.id \
    AND v.version = (SELECT MAX(n.version) FROM dataset_version n WHERE n.dataset_id = d.id) \
    WHERE t.kind = 'table' AND v.id > t.mark ORDER BY t.id LIMIT $1";

const CHANGED_PIPELINES: &str = "SELECT t.id, t.schedule_id, t.mark, r.newest \
    FROM schedule_trigger t JOIN schedule s ON s.id = t.schedule_id AND s.state = 'active' \
    JOIN (SELECT w.target, (SELECT MAX(n.end_order) FROM run n WHERE n.pipeline = w.target) AS newest \
          FROM (SELECT DISTINCT target FROM schedule_trigger WHERE kind = 'pipeline') w) r ON r.target = t.target \
    WHERE t.kind = 'pipeline' AND r.newest > t.mark ORDER BY t.id LIMIT $1";

pub(crate) async fn agenda(connection: &mut Connection) -> Result<Agenda> {
    let now = now(connection).await?;
    let next = "SELECT MIN(next_fire_at) FROM schedule WHERE state = 'active'";
    let next: Option<i64> = connection.query(next).fetch_scalar().await?;
    Ok(Agenda {
        now: Moment(now),
        next: next.map(Moment),
        due: if next.is_some_and(|next| next <= now) { due(connection, now).await? } else { Vec::new() },
        changed: changed(connection).await?,
        watching: watching(connection).await?,
        backfills: backfills(connection).await?,
    })
}

async fn due(connection: &mut Connection, now: i64) -> Result<Vec<ScheduleEntry>> {
    let sql = "SELECT * FROM schedule WHERE state = 'active' AND next_fire_at <= $1 ORDER BY next_fire_at, id LIMIT $2";
    let rows = connection.query(sql).bind(now).bind(BATCH).fetch_all().await?;
    read::entries(connection, &rows).await
}

async fn changed(connection: &mut Connection) -> Result<Vec<(ScheduleEntry, Vec<Seen>)>> {
    let mut seen: BTreeMap<i64, Vec<Seen>> = BTreeMap::new();
    for sql in [CHANGED_TABLES, CHANGED_PIPELINES] {
        for row in connection.query(sql).bind(BATCH).fetch_all().await? {
            seen.entry(row.get("schedule_id")?).or_default().push(change(&row)?);
        }
    }
    let ids: Vec<i64> = seen.keys().copied().collect();
    let entries = read::of_ids(connection, &ids).await?;
    Ok(entries.into_iter().zip(seen.into_values()).collect())
}

fn change(row: &Row) -> Result<Seen> {
    Ok(Seen { trigger: TriggerId(row.get("id")?), before: row.get("mark")?, after: row.get("newest")?, files: None })
}

async fn watching(connection: &mut Connection) -> Result<Vec<ScheduleEntry>> {
    let sql = "SELECT * FROM schedule s WHERE s.state = 'active' AND EXISTS (SELECT 1 FROM schedule_trigger t \
               WHERE t.schedule_id = s.id AND t.kind = 'path') ORDER BY s.id";
    let rows = connection.query(sql).fetch_all().await?;
    read::entries(connection, &rows).await
}

async fn backfills(connection: &mut Connection) -> Result<Vec<(Backfill, ScheduleEntry)>> {
    let running = backfill::running(connection).await?;
    let mut with_schedules = Vec::with_capacity(running.len());
    for backfill in running {
        let entry = read::one(connection, ScheduleId(backfill.spec.schedule.0)).await?;
        with_schedules.push((backfill, entry));
    }
    Ok(with_schedules)
}
