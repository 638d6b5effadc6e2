//! `causeway scheduler`: fires schedules.

use std::sync::Arc;

use causeway_jobs::{Scheduler, SchedulerEvent, SchedulerSink, Schedules};
use serde_json::json;

use super::{backfill, instant};
use crate::app::App;
use crate::args::SchedulerOptions;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::session::Session;
use crate::terminal::{Terminal, Tone, print};

/// Fires schedules until it is stopped, or once.
pub(crate) fn scheduler(app: &App, options: &SchedulerOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &options.limits)?;
    let schedules = Schedules::new(session.engine.clone(), app.user.clone());
    app.wait(async { Ok(schedules.may_schedule().await?) })?;
    let stop = app.interrupts().begin();
    let mut scheduler = Scheduler::new(session.engine.clone(), sink(&app.terminal));
    if !options.once {
        app.terminal.note("the scheduler looks for what is due");
    }
    let n_jobs = app.wait(async {
        Ok(match options.once {
            true => Box::pin(scheduler.run_once()).await?,
            false => Box::pin(scheduler.run(&stop)).await?,
        })
    })?;
    print(&match app.terminal.json {
        true => format!("{}\n", json!({"queued": n_jobs})),
        false => format!("{n_jobs} jobs queued\n"),
    })?;
    Ok(Exit::Ok)
}

/// Returns what tells people of a scheduler's doings.
pub(crate) fn sink(terminal: &Terminal) -> SchedulerSink {
    let terminal = terminal.clone();
    let warning = terminal.paint(Tone::Warning, "warning");
    Arc::new(move |event| match event {
        SchedulerEvent::Fired { schedule, cause, jobs } => {
            let jobs = jobs.iter().map(|job| job.0.to_string()).collect::<Vec<_>>().join(", ");
            terminal.note(&format!("schedule {schedule} fired by {}: job {jobs}", cause.name()));
        }
        SchedulerEvent::PassedOver { schedule, first, last } => {
            let (first, last) = (instant(first), instant(last));
            terminal.note(&format!("{warning}: schedule {schedule}: firings from {first} to {last} were missed"));
        }
        SchedulerEvent::Backfilled(moved) => terminal.note(&backfill::line(&moved)),
        SchedulerEvent::Broken { schedule, code, error } => {
            terminal.note(&format!("{warning}: schedule {schedule} cannot be followed: {code} {error}"));
        }
        SchedulerEvent::Waiting { code, wait } => {
            terminal
                .note(&format!("{warning}: the catalog did not answer ({code}); asked again in {} s", wait.as_secs()));
        }
        SchedulerEvent::ClockOff(off_ms) => {
            let (seconds, side) = (off_ms.unsigned_abs() / 1000, if off_ms > 0 { "ahead of" } else { "behind" });
            terminal.note(&format!(
                "{warning}: this machine's clock is {seconds} s {side} the database's, which alone counts"
            ));
        }
    })
}
