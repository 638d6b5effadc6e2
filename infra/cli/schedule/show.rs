//! `causeway schedule show`: a schedule and its newest slots.

use causeway_jobs::Schedules;
use causeway_model::{ScheduleEntry, Slot};
use serde_json::{Value, json};

use super::{causes, fact, instant};
use crate::app::App;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::terminal::print;

pub(super) fn show(app: &App, schedules: &Schedules, name: &str, count: i64) -> Result<Exit, Failure> {
    let (entry, slots) = app.wait(async {
        let entry = schedules.find(name).await?;
        Ok((entry, schedules.slots(name, count).await?))
    })?;
    if app.terminal.json {
        let mut shown = fact(&entry);
        shown["slots"] = slots.iter().map(slot_fact).collect::<Value>();
        print(&format!("{shown}\n"))?;
        return Ok(Exit::Ok);
    }
    print(&format!("{}\n{}\n", about(&entry), table(&slots)))?;
    Ok(Exit::Ok)
}

fn about(entry: &ScheduleEntry) -> String {
    let spec = &entry.spec;
    let mut lines = vec![
        ("schedule", format!("{}, {}", spec.name, entry.state.name())),
        ("folder", spec.work.clone()),
        ("owner", spec.owner.clone()),
        ("fires", causes(spec)),
        ("missed", spec.missed.name().to_owned()),
        ("next", entry.next_fire.map(instant).unwrap_or_default()),
        ("last", entry.last_fire.map(instant).unwrap_or_default()),
    ];
    if let Some((first, last)) = entry.passed_over {
        lines.push(("passed over", format!("{} to {}", instant(first), instant(last))));
    }
    let shown = lines.into_iter().filter(|(_, text)| !text.is_empty());
    shown.map(|(what, text)| format!("{what:<12} {text}\n")).collect()
}

fn table(slots: &[Slot]) -> Grid {
    let mut grid = Grid::new(&["slot", "covers from", "to", "why", "job", "state", "queued"]).right([4]);
    for slot in slots {
        grid.row([
            instant(slot.fire_at),
            instant(slot.slot_start),
            instant(slot.slot_end),
            slot.backfill.map_or_else(|| slot.cause.name().to_owned(), |id| format!("backfill {}", id.0)),
            slot.job.0.to_string(),
            slot.state.name().to_owned(),
            instant(slot.fired_at),
        ]);
    }
    grid
}

fn slot_fact(slot: &Slot) -> Value {
    json!({
        "fire_at": instant(slot.fire_at),
        "slot_start": instant(slot.slot_start),
        "slot_end": instant(slot.slot_end),
        "cause": slot.cause.name(),
        "backfill": slot.backfill.map(|id| id.0),
        "job": slot.job.0,
        "state": slot.state.name(),
        "fired_at": instant(slot.fired_at),
    })
}
