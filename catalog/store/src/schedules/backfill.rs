//! Backfills: a range of a schedule, worked through from a cursor.

use causeway_model::{
    Backfill, BackfillId, BackfillState, BackfillStep, JobId, JobState, Moment, NewBackfill, NewSlot, ScheduleId,
    SlotCause,
};

use super::fire::{Given, check_past, insert};
use super::{owner, read};
use crate::audit::{self, ScheduleChange};
use crate::connection::{Connection, Row};
use crate::error::{Result, invalid, not_found};
use crate::jobs::{self, now};
use crate::rows::word;

macro_rules! select_backfill {
    ($rest:literal) => {
        concat!(
            "SELECT b.*, s.name, s.owner, \
             (SELECT COUNT(*) FROM job j WHERE j.backfill_id = b.id AND j.state IN ('queued', 'running')) AS n_open, \
             (SELECT COUNT(*) FROM job j WHERE j.backfill_id = b.id AND j.state = 'succeeded') AS n_succeeded \
             FROM backfill b JOIN schedule s ON s.id = b.schedule_id ",
            $rest
        )
    };
}

pub(crate) async fn start(connection: &mut Connection, new: &NewBackfill, actor: &str) -> Result<Backfill> {
    let now = now(connection).await?;
    let entry = owner::live(connection, new.schedule).await?;
    if entry.spec.rule.is_none() {
        return Err(invalid(format!("schedule `{}` has no rule, so no moments to fill", entry.spec.name)));
    }
    if new.from >= new.to || new.to.0 > now {
        return Err(invalid("a backfill's range begins before it ends, and ends in the past"));
    }
    if new.at_once < 1 {
        return Err(invalid("a backfill has at least one job at once"));
    }
    let id: i64 = connection
        .query(
            "INSERT INTO backfill (schedule_id, range_from, range_to, rerun, at_once, priority, actor, state, cursor_at, \
             started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $2, $8) RETURNING id",
        )
        .bind(new.schedule.0)
        .bind(new.from.0)
        .bind(new.to.0)
        .bind(new.rerun)
        .bind(new.at_once)
        .bind(new.priority)
        .bind(actor)
        .bind(now)
        .fetch_scalar()
        .await?;
    audit::schedule_changed(connection, &entry, actor, ScheduleChange::BackfillStarted(BackfillId(id))).await?;
    one(connection, BackfillId(id)).await
}

/// Goes one step on, if the backfill stands where it was found.
pub(crate) async fn next(connection: &mut Connection, step: &BackfillStep) -> Result<Option<Backfill>> {
    let now = now(connection).await?;
    check_past(&step.slots, now)?;
    let found = one(connection, step.backfill).await?;
    if found.state != BackfillState::Running || found.cursor != step.cursor {
        return Ok(None);
    }
    let (mut n_fired, mut n_passed, mut next) = (0_i64, 0_i64, step.next);
    for slot in &step.slots {
        if found.n_open + n_fired >= found.spec.at_once {
            next = Some(slot.fire_at);
            break;
        }
        match fill(connection, &found, slot, now).await? {
            true => n_fired += 1,
            false => n_passed += 1,
        }
    }
    connection
        .query("UPDATE backfill SET cursor_at = $1, n_fired = n_fired + $2, n_passed = n_passed + $3 WHERE id = $4")
        .bind(next.map(|next| next.0))
        .bind(n_fired)
        .bind(n_passed)
        .bind(step.backfill.0)
        .execute()
        .await?;
    let moved = one(connection, step.backfill).await?;
    if moved.cursor.is_some() || moved.n_open > 0 {
        return Ok(Some(moved));
    }
    end(connection, step.backfill, BackfillState::Done, now).await?;
    one(connection, step.backfill).await.map(Some)
}

/// Gives a moment a job of the backfill; returns false if it keeps the one it has.
async fn fill(connection: &mut Connection, backfill: &Backfill, slot: &NewSlot, now: i64) -> Result<bool> {
    let schedule = backfill.spec.schedule;
    let found = holder(connection, schedule, slot.fire_at).await?;
    let keeps = found.is_some_and(|state| match state {
        JobState::Queued | JobState::Running => true,
        JobState::Succeeded => !backfill.spec.rerun,
        JobState::Dead | JobState::Cancelled => false,
    });
    if keeps {
        return Ok(false);
    }
    if found.is_some() {
        let gone = connection.query("DELETE FROM slot WHERE schedule_id = $1 AND fire_at = $2");
        gone.bind(schedule.0).bind(slot.fire_at.0).execute().await?;
    }
    let job = jobs::submit(connection, &slot.job).await?.job.id;
    let of_backfill = connection.query("UPDATE job SET backfill_id = $1 WHERE id = $2");
    of_backfill.bind(backfill.id.0).bind(job.0).execute().await?;
    let given = Given { cause: SlotCause::Backfill, backfill: Some(backfill.id), job, now };
    insert(connection, schedule, slot, &given).await?;
    Ok(true)
}

/// Returns where the job is that a moment has.
async fn holder(connection: &mut Connection, schedule: ScheduleId, fire_at: Moment) -> Result<Option<JobState>> {
    let sql = "SELECT j.state FROM slot l JOIN job j ON j.id = l.job_id WHERE l.schedule_id = $1 AND l.fire_at = $2";
    let query = connection.query(sql).bind(schedule.0).bind(fire_at.0);
    let state: Option<String> = query.fetch_optional_scalar().await?;
    state.map(|state| word(&state, &JobState::ALL, JobState::name)).transpose()
}

pub(crate) async fn cancel(connection: &mut Connection, id: BackfillId, actor: &str) -> Result<Backfill> {
    let found = one(connection, id).await?;
    match found.state {
        BackfillState::Cancelled => return Ok(found),
        BackfillState::Done => {
            return Err(invalid(format!("backfill {} is done; only a running one is stopped", id.0)));
        }
        BackfillState::Running => {}
    }
    let waiting = connection.query(
        "SELECT j.id FROM slot l JOIN job j ON j.id = l.job_id WHERE l.backfill_id = $1 AND j.state = 'queued' \
         ORDER BY j.id",
    );
    for job in waiting.bind(id.0).fetch_scalars::<i64>().await? {
        jobs::cancel(connection, JobId(job), actor).await?;
    }
    let now = now(connection).await?;
    end(connection, id, BackfillState::Cancelled, now).await?;
    let entry = read::one(connection, found.spec.schedule).await?;
    audit::schedule_changed(connection, &entry, actor, ScheduleChange::BackfillCancelled(id)).await?;
    one(connection, id).await
}

async fn end(connection: &mut Connection, id: BackfillId, state: BackfillState, now: i64) -> Result<()> {
    let query = connection.query("UPDATE backfill SET state = $1, finished_at = $2 WHERE id = $3");
    query.bind(state.name()).bind(now).bind(id.0).execute().await?;
    Ok(())
}

pub(crate) async fn one(connection: &mut Connection, id: BackfillId) -> Result<Backfill> {
    let row = connection.query(select_backfill!("WHERE b.id = $1")).bind(id.0).fetch_optional().await?;
    backfill(&row.ok_or_else(|| not_found("backfill", id.0))?)
}

pub(super) async fn running(connection: &mut Connection) -> Result<Vec<Backfill>> {
    let rows = connection.query(select_backfill!("WHERE b.state = 'running' ORDER BY b.id")).fetch_all().await?;
    rows.iter().map(backfill).collect()
}

pub(crate) async fn list(connection: &mut Connection, of: Option<ScheduleId>) -> Result<Vec<Backfill>> {
    let rows = match of {
        Some(id) => {
            let query = connection.query(select_backfill!("WHERE b.schedule_id = $1 ORDER BY b.id DESC"));
            query.bind(id.0).fetch_all().await?
        }
        None => connection.query(select_backfill!("ORDER BY b.id DESC")).fetch_all().await?,
    };
    rows.iter().map(backfill).collect()
}

fn backfill(row: &Row) -> Result<Backfill> {
    Ok(Backfill {
        id: BackfillId(row.get("id")?),
        name: row.get("name")?,
        owner: row.get("owner")?,
        spec: NewBackfill {
            schedule: ScheduleId(row.get("schedule_id")?),
            from: Moment(row.get("range_from")?),
            to: Moment(row.get("range_to")?),
            rerun: row.get("rerun")?,
            at_once: row.get("at_once")?,
            priority: row.get("priority")?,
        },
        actor: row.get("actor")?,
        state: word(row.get("state")?, &BackfillState::ALL, BackfillState::name)?,
        cursor: row.get::<Option<i64>>("cursor_at")?.map(Moment),
        n_fired: row.get("n_fired")?,
        n_passed_over: row.get("n_passed")?,
        n_open: row.get("n_open")?,
        n_succeeded: row.get("n_succeeded")?,
        started_at: Moment(row.get("started_at")?),
        finished_at: row.get::<Option<i64>>("finished_at")?.map(Moment),
    })
}
