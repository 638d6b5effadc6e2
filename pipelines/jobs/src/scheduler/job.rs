//! The job of a slot.

use causeway_model::{JobKind, Moment, NewJob, NewSlot, RunId, ScheduleEntry};
use uuid::Uuid;

use super::plan::moment;
use crate::error::Result;
use crate::slot::Slot;

/// Gives a slot of a schedule its job, which has the schedule's terms, but for another priority if a
/// backfill gives one.
pub(super) fn with_job(entry: &ScheduleEntry, slot: &Slot, priority: Option<i64>) -> Result<NewSlot> {
    let terms = &entry.spec.terms;
    let job = NewJob {
        kind: JobKind::Pipeline,
        work: entry.spec.work.clone(),
        base_dir: entry.spec.work.clone(),
        parameters: slot.parameters()?,
        run: RunId(Uuid::now_v7().to_string()),
        actor: entry.spec.owner.clone(),
        dedupe_key: None,
        priority: priority.unwrap_or(terms.priority),
        group: terms.group.clone(),
        max_attempts: terms.max_attempts,
        timeout_ms: terms.timeout_ms,
        memory_limit_bytes: terms.memory_limit_bytes,
    };
    let (start, end): (Moment, Moment) = (moment(slot.start), moment(slot.end));
    Ok(NewSlot { fire_at: end, slot_start: start, slot_end: end, job })
}
