//! RuleFiring: a slot, its job and the next firing, in the caller's transaction.

use causeway_model::{BackfillId, JobId, NewSlot, RuleFiring, ScheduleId, SlotCause, TriggerFiring};

use super::slots::first_bound;
use crate::connection::{Connection, Sql};
use crate::error::{Result, invalid};
use crate::jobs::{self, now};

/// Fires by the rule, if the next firing is still the one that was found.
pub(crate) async fn by_rule(connection: &mut Connection, firing: &RuleFiring) -> Result<Option<Vec<JobId>>> {
    let now = now(connection).await?;
    check_past(&firing.slots, now)?;
    let last = firing.slots.last().map(|slot| slot.fire_at.0);
    let (passed_from, passed_to) = firing.passed_over.map(|(from, to)| (from.0, to.0)).unzip();
    let moved = connection
        .query(
            "UPDATE schedule SET next_fire_at = $1, last_fire_at = COALESCE($2, last_fire_at), \
             passed_from = COALESCE($3, passed_from), passed_to = COALESCE($4, passed_to) \
             WHERE id = $5 AND revision = $6 AND state = 'active' AND next_fire_at = $7 AND next_fire_at <= $8",
        )
        .bind(firing.next.map(|next| next.0))
        .bind(last)
        .bind(passed_from)
        .bind(passed_to)
        .bind(firing.schedule.0)
        .bind(firing.revision)
        .bind(firing.due.0)
        .bind(now)
        .execute()
        .await?;
    if moved == 0 {
        return Ok(None);
    }
    let mut fired = Vec::with_capacity(firing.slots.len());
    for slot in &firing.slots {
        if !is_taken(connection, firing.schedule, slot).await? {
            fired.push(queue(connection, firing.schedule, slot, SlotCause::Rule, now).await?);
        }
    }
    Ok(Some(fired))
}

/// Fires by triggers, if they have seen no more than what was found.
pub(crate) async fn by_trigger(connection: &mut Connection, firing: &TriggerFiring) -> Result<Option<JobId>> {
    let now = now(connection).await?;
    check_past(std::slice::from_ref(&firing.slot), now)?;
    if !is_unchanged(connection, firing).await? || is_taken(connection, firing.schedule, &firing.slot).await? {
        return Ok(None);
    }
    for seen in &firing.seen {
        connection
            .query("UPDATE schedule_trigger SET mark = $1, files = $2, fired_at = $3 WHERE id = $4")
            .bind(seen.after)
            .bind(&seen.files)
            .bind(firing.slot.fire_at.0)
            .bind(seen.trigger.0)
            .execute()
            .await?;
    }
    queue(connection, firing.schedule, &firing.slot, SlotCause::Trigger, now).await.map(Some)
}

/// Returns true if schedule and triggers are as they were found. No other writer is at work meanwhile.
async fn is_unchanged(connection: &mut Connection, firing: &TriggerFiring) -> Result<bool> {
    if firing.seen.is_empty() {
        return Err(invalid("a firing by triggers names one that has seen something"));
    }
    let schedule = "SELECT COUNT(*) FROM schedule WHERE id = $1 AND revision = $2 AND state = 'active'";
    let mut same: i64 = connection.query(schedule).bind(firing.schedule.0).bind(firing.revision).fetch_scalar().await?;
    for seen in &firing.seen {
        let trigger = "SELECT COUNT(*) FROM schedule_trigger WHERE id = $1 AND schedule_id = $2 AND mark = $3";
        let query = connection.query(trigger).bind(seen.trigger.0).bind(firing.schedule.0).bind(seen.before);
        same = same.min(query.fetch_scalar().await?);
    }
    Ok(same > 0)
}

/// Refuses moments that have not come: the scheduler went by another clock.
pub(super) fn check_past(slots: &[NewSlot], now: i64) -> Result<()> {
    if slots.iter().any(|slot| slot.fire_at.0 > now) {
        return Err(invalid("a slot whose moment has not come by the database's clock gets no job"));
    }
    Ok(())
}

async fn is_taken(connection: &mut Connection, schedule: ScheduleId, slot: &NewSlot) -> Result<bool> {
    let query = connection.query("SELECT COUNT(*) FROM slot WHERE schedule_id = $1 AND fire_at = $2");
    let taken: i64 = query.bind(schedule.0).bind(slot.fire_at.0).fetch_scalar().await?;
    Ok(taken > 0)
}

async fn queue(
    connection: &mut Connection,
    schedule: ScheduleId,
    slot: &NewSlot,
    cause: SlotCause,
    now: i64,
) -> Result<JobId> {
    let job = jobs::submit(connection, &slot.job).await?.job.id;
    insert(connection, schedule, slot, &Given { cause, backfill: None, job, now }).await?;
    Ok(job)
}

/// What a slot is given.
pub(super) struct Given {
    pub(super) cause: SlotCause,
    pub(super) backfill: Option<BackfillId>,
    pub(super) job: JobId,
    pub(super) now: i64,
}

pub(super) async fn insert(
    connection: &mut Connection,
    schedule: ScheduleId,
    slot: &NewSlot,
    given: &Given,
) -> Result<()> {
    connection
        .query(
            "INSERT INTO slot (schedule_id, fire_at, slot_start, slot_end, cause, backfill_id, job_id, fired_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(schedule.0)
        .bind(slot.fire_at.0)
        .bind(slot.slot_start.0)
        .bind(slot.slot_end.0)
        .bind(given.cause.name())
        .bind(given.backfill.map(|backfill| backfill.0))
        .bind(given.job.0)
        .bind(given.now)
        .execute()
        .await?;
    if given.cause == SlotCause::Backfill {
        return Ok(());
    }
    let look =
        concat!("UPDATE slot SET look_at = fire_at + ", first_bound!(), " WHERE schedule_id = $1 AND fire_at = $2");
    connection.query(look).bind(schedule.0).bind(slot.fire_at.0).execute().await.map(drop)
}

/// Notes that the job of a slot has succeeded. A backfill is about the past and says nothing of how a schedule
/// fares now.
pub(crate) async fn succeeded(connection: &mut Connection, jobs: &[i64]) -> Result<()> {
    let now = now(connection).await?;
    let sql = Sql {
        sqlite: "UPDATE schedule SET last_success_at = $1 WHERE id IN (SELECT l.schedule_id FROM slot l \
                 WHERE l.job_id IN (SELECT value FROM json_each($2)) AND l.cause <> 'backfill')",
        postgres: "UPDATE schedule SET last_success_at = $1 WHERE id IN (SELECT l.schedule_id FROM slot l \
                   WHERE l.job_id = ANY ($2::text::bigint[]) AND l.cause <> 'backfill')",
    };
    connection.query(sql).bind(now).bind_integers(jobs).execute().await.map(drop)
}
