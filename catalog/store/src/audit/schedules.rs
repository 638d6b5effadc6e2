//! What people do with schedules, as records.

use causeway_audit::{Action, Digest, Event, Object, ObjectKind, Outcome};
use causeway_model::{BackfillId, ScheduleEntry};

use super::{append, has_started};
use crate::connection::Connection;
use crate::error::Result;

/// What somebody did with a schedule.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ScheduleChange {
    Added,
    Changed,
    Paused,
    Resumed,
    Dropped,
    BackfillStarted(BackfillId),
    BackfillCancelled(BackfillId),
}

impl ScheduleChange {
    fn name(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Dropped => "dropped",
            Self::BackfillStarted(_) => "backfill_started",
            Self::BackfillCancelled(_) => "backfill_cancelled",
        }
    }

    fn backfill(self) -> Option<BackfillId> {
        match self {
            Self::BackfillStarted(id) | Self::BackfillCancelled(id) => Some(id),
            _ => None,
        }
    }
}

/// Records what somebody did with a schedule.
pub(crate) async fn schedule_changed(
    connection: &mut Connection,
    entry: &ScheduleEntry,
    actor: &str,
    change: ScheduleChange,
) -> Result<()> {
    if !has_started(connection).await? {
        return Ok(());
    }
    let object = Object::new(ObjectKind::Schedule, &entry.spec.name).id(entry.id.0);
    let mut event = Event::new(actor, Action::Schedule, Outcome::succeeded())
        .object(object.digest(Digest::of(entry.spec.work.as_bytes())))
        .fact("change", change.name())
        .fact("owner", &entry.spec.owner)
        .fact("state", entry.state.name());
    if let Some(rule) = &entry.spec.rule {
        event = event.fact("cron", &rule.cron).fact("zone", &rule.zone);
    }
    if let Some(backfill) = change.backfill() {
        event = event.fact("backfill", backfill.0.to_string());
    }
    append(connection, event).await.map(drop)
}
