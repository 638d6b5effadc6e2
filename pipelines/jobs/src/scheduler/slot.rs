//! The job of a slot.

use causeway_model::{JobKind, Moment, NewJob, NewSlot, RunId, ScheduleEntry};
use chrono_tz::Tz;
use uuid::Uuid;

/// The time that a slot covers, without its end, and the zone that it is told in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) start: Moment,
    pub(super) end: Moment,
    pub(super) zone: Tz,
}

/// Makes the slot of a schedule at the end of a span; its job has the schedule's terms, unless a backfill
/// gives it another priority.
pub(super) fn slot(entry: &ScheduleEntry, span: Span, priority: Option<i64>) -> NewSlot {
    let terms = &entry.spec.terms;
    let job = NewJob {
        kind: JobKind::Pipeline,
        work: entry.spec.work.clone(),
        base_dir: entry.spec.work.clone(),
        run: RunId(Uuid::now_v7().to_string()),
        actor: entry.spec.owner.clone(),
        dedupe_key: None,
        priority: priority.unwrap_or(terms.priority),
        group: terms.group.clone(),
        max_attempts: terms.max_attempts,
        timeout_ms: terms.timeout_ms,
    };
    NewSlot { fire_at: span.end, slot_start: span.start, slot_end: span.end, job }
}
