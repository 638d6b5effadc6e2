//! What people do with a schedule: each a record of the audit log.

use causeway_model::{
    Moment, Registered, ScheduleEntry, ScheduleId, ScheduleSpec, ScheduleState, Trigger, TriggerKind,
};

use super::backfill;
use super::read::{named, one};
use super::slots::first_bound;
use crate::audit::{self, ScheduleChange};
use crate::connection::{Connection, Query};
use crate::error::{Result, invalid, not_found};
use crate::jobs::now;

pub(crate) async fn put(
    connection: &mut Connection,
    spec: &ScheduleSpec,
    next_fire: Option<Moment>,
    actor: &str,
) -> Result<Registered> {
    check(spec, next_fire)?;
    let before = named(connection, &spec.name).await?;
    let id = match &before {
        Some(before) if before.spec == *spec => {
            return Ok(Registered { entry: before.clone(), before: Some(before.clone()) });
        }
        Some(before) => {
            let next_fire = if before.spec.rule == spec.rule { before.next_fire } else { next_fire };
            update(connection, before, spec, next_fire).await?;
            look_again(connection, before.id).await?;
            before.id
        }
        None => insert(connection, spec, next_fire).await?,
    };
    put_triggers(connection, id, &spec.triggers).await?;
    let entry = one(connection, id).await?;
    let change = if before.is_some() { ScheduleChange::Changed } else { ScheduleChange::Added };
    audit::schedule_changed(connection, &entry, actor, change).await?;
    Ok(Registered { entry, before })
}

fn check(spec: &ScheduleSpec, next_fire: Option<Moment>) -> Result<()> {
    if spec.rule.is_none() && spec.triggers.is_empty() {
        return Err(invalid(format!("schedule `{}` has neither a rule nor a trigger", spec.name)));
    }
    if spec.rule.is_some() != next_fire.is_some() {
        return Err(invalid("a schedule has a next firing if it has a rule"));
    }
    let terms = &spec.terms;
    let bounds = [terms.timeout_ms, terms.start_within_ms, terms.end_within_ms];
    if terms.max_attempts < 1 || bounds.into_iter().flatten().any(|bound| bound < 1) {
        return Err(invalid("the attempts and time limits of a schedule are above 0"));
    }
    if terms.group.as_ref().is_some_and(|group| group.limit < 1) {
        return Err(invalid("a concurrency group lets at least one job run"));
    }
    Ok(())
}

async fn insert(connection: &mut Connection, spec: &ScheduleSpec, next_fire: Option<Moment>) -> Result<ScheduleId> {
    let now = now(connection).await?;
    let query = connection.query(
        "INSERT INTO schedule (work, owner, cron, zone, gap, fold, missed, priority, group_name, group_limit, \
         max_attempts, timeout_ms, memory_limit_bytes, start_within_ms, end_within_ms, next_fire_at, name, added_at, \
         revision, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, 1, \
         'active') RETURNING id",
    );
    Ok(ScheduleId(bind(query, spec, next_fire).bind(&spec.name).bind(now).fetch_scalar().await?))
}

async fn update(
    connection: &mut Connection,
    before: &ScheduleEntry,
    spec: &ScheduleSpec,
    next_fire: Option<Moment>,
) -> Result<()> {
    let query = connection.query(
        "UPDATE schedule SET revision = revision + 1, work = $1, owner = $2, cron = $3, zone = $4, gap = $5, \
         fold = $6, missed = $7, priority = $8, group_name = $9, group_limit = $10, max_attempts = $11, \
         timeout_ms = $12, memory_limit_bytes = $13, start_within_ms = $14, end_within_ms = $15, next_fire_at = $16 \
         WHERE id = $17",
    );
    bind(query, spec, next_fire).bind(before.id.0).execute().await.map(drop)
}

/// Has the open jobs of a schedule looked at by its bounds of now. Whoever was told is not told again.
async fn look_again(connection: &mut Connection, id: ScheduleId) -> Result<()> {
    let sql = concat!(
        "UPDATE slot SET look_at = fire_at + ",
        first_bound!(),
        " WHERE schedule_id = $1 AND cause <> 'backfill' \
         AND job_id IN (SELECT id FROM job WHERE state IN ('queued', 'running'))"
    );
    connection.query(sql).bind(id.0).execute().await.map(drop)
}

/// Binds what may change of a schedule, $1 to $16.
fn bind<'c>(query: Query<'c>, spec: &ScheduleSpec, next_fire: Option<Moment>) -> Query<'c> {
    let (rule, terms) = (spec.rule.as_ref(), &spec.terms);
    query
        .bind(&spec.work)
        .bind(&spec.owner)
        .bind(rule.map(|rule| rule.cron.clone()))
        .bind(rule.map(|rule| rule.zone.clone()))
        .bind(rule.map(|rule| rule.gap.name()))
        .bind(rule.map(|rule| rule.fold.name()))
        .bind(spec.missed.name())
        .bind(terms.priority)
        .bind(terms.group.as_ref().map(|group| group.name.clone()))
        .bind(terms.group.as_ref().map(|group| group.limit))
        .bind(terms.max_attempts)
        .bind(terms.timeout_ms)
        .bind(terms.memory_limit_bytes)
        .bind(terms.start_within_ms)
        .bind(terms.end_within_ms)
        .bind(next_fire.map(|moment| moment.0))
}

/// Keeps the triggers that were there with what they have seen, adds the others as of now.
async fn put_triggers(connection: &mut Connection, id: ScheduleId, triggers: &[Trigger]) -> Result<()> {
    let marks = one(connection, id).await?.marks;
    for gone in marks.iter().filter(|mark| !triggers.contains(&mark.trigger)) {
        connection.query("DELETE FROM schedule_trigger WHERE id = $1").bind(gone.id.0).execute().await?;
    }
    for (position, trigger) in (0_i64..).zip(triggers) {
        match marks.iter().find(|mark| mark.trigger == *trigger) {
            Some(mark) => {
                let query = connection.query("UPDATE schedule_trigger SET position = $1 WHERE id = $2");
                query.bind(position).bind(mark.id.0).execute().await?;
            }
            None => add_trigger(connection, id, position, trigger).await?,
        }
    }
    Ok(())
}

async fn add_trigger(connection: &mut Connection, id: ScheduleId, position: i64, trigger: &Trigger) -> Result<()> {
    let (schema, target) = match (trigger.kind, trigger.target.split_once('.')) {
        (TriggerKind::Table, Some((schema, table))) => (Some(schema), table),
        (TriggerKind::Table, None) => return Err(invalid("a trigger names a table as schema.table")),
        (TriggerKind::Path | TriggerKind::Pipeline, _) => (None, trigger.target.as_str()),
    };
    let mark = mark_now(connection, schema, trigger.kind, target).await?;
    connection
        .query(
            "INSERT INTO schedule_trigger (schedule_id, position, kind, schema_name, target, mark) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.0)
        .bind(position)
        .bind(trigger.kind.name())
        .bind(schema)
        .bind(target)
        .bind(mark)
        .execute()
        .await?;
    Ok(())
}

/// Returns what is the newest now: only what comes later fires.
async fn mark_now(connection: &mut Connection, schema: Option<&str>, kind: TriggerKind, target: &str) -> Result<i64> {
    let newest: Option<i64> = match kind {
        TriggerKind::Path => None,
        TriggerKind::Table => {
            let sql = "SELECT MAX(v.id) FROM dataset d JOIN dataset_version v ON v.dataset_id = d.id \
                       WHERE d.schema_name = $1 AND d.table_name = $2 AND d.dropped_at IS NULL";
            connection.query(sql).bind(schema).bind(target).fetch_scalar().await?
        }
        TriggerKind::Pipeline => {
            let query = connection.query("SELECT MAX(end_order) FROM run WHERE pipeline = $1");
            query.bind(target).fetch_scalar().await?
        }
    };
    Ok(newest.unwrap_or(0))
}

pub(crate) async fn pause(connection: &mut Connection, id: ScheduleId, actor: &str) -> Result<ScheduleEntry> {
    let before = live(connection, id).await?;
    if before.state == ScheduleState::Paused {
        return Ok(before);
    }
    let sql = "UPDATE schedule SET state = 'paused', revision = revision + 1 WHERE id = $1";
    connection.query(sql).bind(id.0).execute().await?;
    changed(connection, id, actor, ScheduleChange::Paused).await
}

pub(crate) async fn resume(
    connection: &mut Connection,
    id: ScheduleId,
    next_fire: Option<Moment>,
    actor: &str,
) -> Result<ScheduleEntry> {
    let before = live(connection, id).await?;
    if before.state == ScheduleState::Active {
        return Ok(before);
    }
    check(&before.spec, next_fire)?;
    let sql = "UPDATE schedule SET state = 'active', revision = revision + 1, next_fire_at = $1 WHERE id = $2";
    connection.query(sql).bind(next_fire.map(|moment| moment.0)).bind(id.0).execute().await?;
    changed(connection, id, actor, ScheduleChange::Resumed).await
}

pub(crate) async fn discard(connection: &mut Connection, id: ScheduleId, actor: &str) -> Result<()> {
    live(connection, id).await?;
    let running = connection.query("SELECT id FROM backfill WHERE schedule_id = $1 AND state = 'running' ORDER BY id");
    for backfill in running.bind(id.0).fetch_scalars::<i64>().await? {
        backfill::cancel(connection, causeway_model::BackfillId(backfill), actor).await?;
    }
    let sql = "UPDATE schedule SET state = 'dropped', revision = revision + 1, next_fire_at = NULL WHERE id = $1";
    connection.query(sql).bind(id.0).execute().await?;
    changed(connection, id, actor, ScheduleChange::Dropped).await.map(drop)
}

/// Returns a schedule that was not dropped.
pub(super) async fn live(connection: &mut Connection, id: ScheduleId) -> Result<ScheduleEntry> {
    let entry = one(connection, id).await?;
    if entry.state == ScheduleState::Dropped {
        return Err(not_found("schedule", &entry.spec.name));
    }
    Ok(entry)
}

async fn changed(
    connection: &mut Connection,
    id: ScheduleId,
    actor: &str,
    change: ScheduleChange,
) -> Result<ScheduleEntry> {
    let entry = one(connection, id).await?;
    audit::schedule_changed(connection, &entry, actor, change).await?;
    Ok(entry)
}
