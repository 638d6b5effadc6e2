//! `causeway backfill`: runs the moments of a range.

use std::time::Duration;

use causeway_jobs::{BackfillRequest, Schedules};
use causeway_model::{Backfill, BackfillId, BackfillState};
use serde_json::{Value, json};

use super::instant;
use crate::app::App;
use crate::args::{BackfillOptions, LimitOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::session::Session;
use crate::terminal::print;

/// How often a waiting command looks at its backfill.
const LOOK: Duration = Duration::from_millis(500);

/// Starts, lists or stops backfills.
pub(crate) fn backfill(app: &App, options: &BackfillOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &LimitOptions::default())?;
    let schedules = Schedules::new(session.engine.clone(), app.user.clone());
    match (&options.cancel, &options.schedule, &options.from) {
        (Some(id), ..) => cancel(app, &schedules, BackfillId(*id)),
        (None, Some(schedule), Some(from)) => start(app, &schedules, options, schedule, from),
        (None, schedule, _) => list(app, &schedules, schedule.as_deref()),
    }
}

fn start(
    app: &App,
    schedules: &Schedules,
    options: &BackfillOptions,
    schedule: &str,
    from: &str,
) -> Result<Exit, Failure> {
    let request = BackfillRequest {
        schedule: schedule.to_owned(),
        from: from.to_owned(),
        to: options.to.clone(),
        rerun: options.rerun,
        at_once: options.at_once,
        priority: options.priority,
    };
    let started = app.wait(async { Ok(schedules.backfill(&request).await?) })?;
    if options.wait {
        return wait(app, schedules, started);
    }
    tell(app, &started)
}

/// Says how far a backfill is until it has ended.
fn wait(app: &App, schedules: &Schedules, mut backfill: Backfill) -> Result<Exit, Failure> {
    let interrupted = app.interrupts().begin();
    let mut shown = None;
    while backfill.state == BackfillState::Running {
        if interrupted.is_cancelled() {
            let id = backfill.id.0;
            app.terminal.note(&format!("backfill {id} goes on; `causeway backfill --cancel {id}` stops it"));
            return Ok(Exit::Interrupted);
        }
        let line = line(&backfill);
        if shown.as_ref() != Some(&line) {
            app.terminal.note(&line);
            shown = Some(line);
        }
        std::thread::sleep(LOOK);
        backfill = app.wait(async { Ok(schedules.backfill_of(backfill.id).await?) })?;
    }
    tell(app, &backfill)?;
    let all_well = backfill.state == BackfillState::Done && backfill.n_succeeded == backfill.n_fired;
    Ok(if all_well { Exit::Ok } else { Exit::Failed })
}

fn list(app: &App, schedules: &Schedules, schedule: Option<&str>) -> Result<Exit, Failure> {
    let backfills = app.wait(async { Ok(schedules.backfills(schedule).await?) })?;
    if app.terminal.json {
        print(&format!("{}\n", backfills.iter().map(fact).collect::<Value>()))?;
        return Ok(Exit::Ok);
    }
    let header = ["backfill", "schedule", "state", "from", "to", "at", "queued", "open", "succeeded", "passed over"];
    let mut grid = Grid::new(&header).right([0, 6, 7, 8, 9]);
    for backfill in &backfills {
        grid.row([
            backfill.id.0.to_string(),
            backfill.name.clone(),
            backfill.state.name().to_owned(),
            instant(backfill.spec.from),
            instant(backfill.spec.to),
            backfill.cursor.map(instant).unwrap_or_default(),
            backfill.n_fired.to_string(),
            backfill.n_open.to_string(),
            backfill.n_succeeded.to_string(),
            backfill.n_passed_over.to_string(),
        ]);
    }
    print(&format!("{grid}\n"))?;
    Ok(Exit::Ok)
}

fn cancel(app: &App, schedules: &Schedules, id: BackfillId) -> Result<Exit, Failure> {
    let cancelled = app.wait(async { Ok(schedules.cancel_backfill(id).await?) })?;
    tell(app, &cancelled)
}

fn tell(app: &App, backfill: &Backfill) -> Result<Exit, Failure> {
    print(&match app.terminal.json {
        true => format!("{}\n", fact(backfill)),
        false => format!("{}\n", line(backfill)),
    })?;
    Ok(Exit::Ok)
}

/// Says where a backfill is.
pub(super) fn line(backfill: &Backfill) -> String {
    let Backfill { id, name, n_fired, n_open, n_succeeded, n_passed_over, .. } = backfill;
    let reached = match (backfill.state, backfill.cursor) {
        (BackfillState::Running, Some(cursor)) => format!(" at {} of {}", instant(cursor), instant(backfill.spec.to)),
        _ => String::new(),
    };
    format!(
        "backfill {} of {name} is {}{reached}: {n_fired} jobs queued, {n_open} open, {n_succeeded} succeeded, \
         {n_passed_over} moments passed over",
        id.0,
        backfill.state.name()
    )
}

fn fact(backfill: &Backfill) -> Value {
    json!({
        "backfill": backfill.id.0,
        "schedule": backfill.name,
        "state": backfill.state.name(),
        "actor": backfill.actor,
        "from": instant(backfill.spec.from),
        "to": instant(backfill.spec.to),
        "cursor": backfill.cursor.map(instant),
        "rerun": backfill.spec.rerun,
        "at_once": backfill.spec.at_once,
        "priority": backfill.spec.priority,
        "queued": backfill.n_fired,
        "open": backfill.n_open,
        "succeeded": backfill.n_succeeded,
        "passed_over": backfill.n_passed_over,
        "started_at": instant(backfill.started_at),
        "finished_at": backfill.finished_at.map(instant),
    })
}
