//! Schedules as they are stored.

use std::collections::HashMap;

use causeway_model::{
    ConcurrencyGroup, CronRule, Fold, Gap, JobTerms, Missed, Moment, ScheduleEntry, ScheduleId, ScheduleSpec,
    ScheduleState, Trigger, TriggerId, TriggerKind, TriggerMark,
};

use crate::connection::{Connection, Row, Sql};
use crate::error::{Result, not_found};
use crate::rows::word;

const TRIGGERS: Sql = Sql {
    sqlite: "SELECT * FROM schedule_trigger WHERE schedule_id IN (SELECT value FROM json_each($1)) \
             ORDER BY schedule_id, position",
    postgres: "SELECT * FROM schedule_trigger WHERE schedule_id = ANY($1::text::bigint[]) ORDER BY schedule_id, position",
};

pub(crate) async fn all(connection: &mut Connection) -> Result<Vec<ScheduleEntry>> {
    let rows = connection.query("SELECT * FROM schedule WHERE state <> 'dropped' ORDER BY name").fetch_all().await?;
    entries(connection, &rows).await
}

pub(crate) async fn named(connection: &mut Connection, name: &str) -> Result<Option<ScheduleEntry>> {
    let query = connection.query("SELECT * FROM schedule WHERE name = $1 AND state <> 'dropped'");
    let rows = query.bind(name).fetch_all().await?;
    Ok(entries(connection, &rows).await?.pop())
}

/// Returns a schedule, dropped or not.
pub(super) async fn one(connection: &mut Connection, id: ScheduleId) -> Result<ScheduleEntry> {
    let rows = connection.query("SELECT * FROM schedule WHERE id = $1").bind(id.0).fetch_all().await?;
    entries(connection, &rows).await?.pop().ok_or_else(|| not_found("schedule", id.0))
}

/// Returns schedules of these ids, in the order of their ids.
pub(super) async fn of_ids(connection: &mut Connection, ids: &[i64]) -> Result<Vec<ScheduleEntry>> {
    const OF_IDS: Sql = Sql {
        sqlite: "SELECT * FROM schedule WHERE id IN (SELECT value FROM json_each($1)) ORDER BY id",
        postgres: "SELECT * FROM schedule WHERE id = ANY($1::text::bigint[]) ORDER BY id",
    };
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let rows = connection.query(OF_IDS).bind_integers(ids).fetch_all().await?;
    entries(connection, &rows).await
}

/// Adds to rows of schedules their triggers.
pub(super) async fn entries(connection: &mut Connection, rows: &[Row]) -> Result<Vec<ScheduleEntry>> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect::<Result<_>>()?;
    let mut marks: HashMap<i64, Vec<TriggerMark>> = HashMap::new();
    for row in connection.query(TRIGGERS).bind_integers(&ids).fetch_all().await? {
        marks.entry(row.get("schedule_id")?).or_default().push(mark(&row)?);
    }
    rows.iter().zip(ids).map(|(row, id)| entry(row, marks.remove(&id).unwrap_or_default())).collect()
}

fn entry(row: &Row, marks: Vec<TriggerMark>) -> Result<ScheduleEntry> {
    let passed = |column| Ok::<_, crate::error::StoreError>(row.get::<Option<i64>>(column)?.map(Moment));
    Ok(ScheduleEntry {
        id: ScheduleId(row.get("id")?),
        revision: row.get("revision")?,
        spec: ScheduleSpec {
            name: row.get("name")?,
            work: row.get("work")?,
            owner: row.get("owner")?,
            rule: rule(row)?,
            missed: word(row.get("missed")?, &Missed::ALL, Missed::name)?,
            triggers: marks.iter().map(|mark| mark.trigger.clone()).collect(),
            terms: terms(row)?,
        },
        state: word(row.get("state")?, &ScheduleState::ALL, ScheduleState::name)?,
        next_fire: passed("next_fire_at")?,
        last_fire: passed("last_fire_at")?,
        passed_over: passed("passed_from")?.zip(passed("passed_to")?),
        marks,
        added_at: Moment(row.get("added_at")?),
    })
}

fn rule(row: &Row) -> Result<Option<CronRule>> {
    let Some(cron) = row.get::<Option<String>>("cron")? else { return Ok(None) };
    Ok(Some(CronRule {
        cron,
        zone: row.get("zone")?,
        gap: word(row.get("gap")?, &Gap::ALL, Gap::name)?,
        fold: word(row.get("fold")?, &Fold::ALL, Fold::name)?,
    }))
}

fn terms(row: &Row) -> Result<JobTerms> {
    let name: Option<String> = row.get("group_name")?;
    let limit: Option<i64> = row.get("group_limit")?;
    Ok(JobTerms {
        priority: row.get("priority")?,
        group: name.zip(limit).map(|(name, limit)| ConcurrencyGroup { name, limit }),
        max_attempts: row.get("max_attempts")?,
        timeout_ms: row.get("timeout_ms")?,
        memory_limit_bytes: row.get("memory_limit_bytes")?,
        start_within_ms: row.get("start_within_ms")?,
        end_within_ms: row.get("end_within_ms")?,
    })
}

fn mark(row: &Row) -> Result<TriggerMark> {
    let (schema, target): (Option<String>, String) = (row.get("schema_name")?, row.get("target")?);
    Ok(TriggerMark {
        id: TriggerId(row.get("id")?),
        trigger: Trigger {
            kind: word(row.get("kind")?, &TriggerKind::ALL, TriggerKind::name)?,
            target: schema.map_or_else(|| target.clone(), |schema| format!("{schema}.{target}")),
        },
        mark: row.get("mark")?,
        files: row.get("files")?,
        fired_at: row.get::<Option<i64>>("fired_at")?.map(Moment),
    })
}
