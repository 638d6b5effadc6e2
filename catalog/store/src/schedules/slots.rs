//! Slots as they are stored, and those whose jobs are late.

use causeway_model::{BackfillId, JobId, JobState, Lateness, Moment, ScheduleId, Slot, SlotCause};

use crate::connection::{Connection, Row};
use crate::error::Result;
use crate::jobs::now;
use crate::rows::word;

/// The condition under which the job `j` of the slot `l` of the schedule `s` is late.
macro_rules! is_late {
    ($now:literal) => {
        concat!(
            "j.state IN ('queued', 'running') AND l.cause <> 'backfill' \
             AND ((j.attempt = 0 AND l.fire_at + s.start_within_ms < ",
            $now,
            ") OR l.fire_at + s.end_within_ms < ",
            $now,
            ")"
        )
    };
}
pub(crate) use is_late;

/// The milliseconds after its firing when a slot of the schedule `s` may be late first; null if it has no bound.
macro_rules! first_bound {
    () => {
        "(SELECT CASE WHEN s.end_within_ms IS NULL OR s.start_within_ms < s.end_within_ms THEN s.start_within_ms \
         ELSE s.end_within_ms END FROM schedule s WHERE s.id = schedule_id)"
    };
}
pub(super) use first_bound;

macro_rules! select_slot {
    ($rest:literal) => {
        concat!(
            "SELECT l.*, s.name, j.actor AS owner, j.state AS job_state, s.end_within_ms, \
             CAST(CASE WHEN ",
            is_late!("$1"),
            " THEN 1 ELSE 0 END AS BIGINT) AS late FROM slot l JOIN schedule s ON s.id = l.schedule_id JOIN job j ON j.id = l.job_id ",
            $rest
        )
    };
}

pub(crate) async fn list(connection: &mut Connection, of: Option<ScheduleId>, limit: i64) -> Result<Vec<Slot>> {
    let now = now(connection).await?;
    let rows = match of {
        Some(id) => {
            let query = connection
                .query(select_slot!("WHERE l.schedule_id = $2 ORDER BY l.fire_at DESC LIMIT $3"))
                .bind(now)
                .bind(id.0);
            query.bind(limit.max(0)).fetch_all().await?
        }
        None => {
            let query =
                connection.query(select_slot!("ORDER BY l.fire_at DESC, l.schedule_id DESC LIMIT $2")).bind(now);
            query.bind(limit.max(0)).fetch_all().await?
        }
    };
    rows.iter().map(|row| slot(row, now)).collect()
}

fn slot(row: &Row, now: i64) -> Result<Slot> {
    Ok(Slot {
        schedule: ScheduleId(row.get("schedule_id")?),
        name: row.get("name")?,
        owner: row.get("owner")?,
        fire_at: Moment(row.get("fire_at")?),
        slot_start: Moment(row.get("slot_start")?),
        slot_end: Moment(row.get("slot_end")?),
        cause: word(row.get("cause")?, &SlotCause::ALL, SlotCause::name)?,
        backfill: row.get::<Option<i64>>("backfill_id")?.map(BackfillId),
        job: JobId(row.get("job_id")?),
        state: word(row.get("job_state")?, &JobState::ALL, JobState::name)?,
        fired_at: Moment(row.get("fired_at")?),
        lateness: lateness(row, now)?,
    })
}

/// Returns what a late job has not done: past both bounds it has not ended.
fn lateness(row: &Row, now: i64) -> Result<Option<Lateness>> {
    if row.get::<i64>("late")? == 0 {
        return Ok(None);
    }
    let fire_at: i64 = row.get("fire_at")?;
    let end_within: Option<i64> = row.get("end_within_ms")?;
    let is_past_end = end_within.is_some_and(|bound| fire_at.saturating_add(bound) < now);
    Ok(Some(if is_past_end { Lateness::NotEnded } else { Lateness::NotStarted }))
}
