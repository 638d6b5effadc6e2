//! Schedules: `causeway schedule`, `causeway backfill` and `causeway scheduler`.

mod backfill;
mod changes;
mod preview;
mod scheduler;
mod show;

use std::path::Path;

use causeway_jobs::{Fold, Gap, Schedules};
use causeway_model::{CronRule, Moment, ScheduleEntry, ScheduleSpec, ScheduleState, Trigger};
use chrono::{DateTime, SecondsFormat};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::{LimitOptions, ScheduleCommand, ScheduleOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::session::Session;
use crate::terminal::print;
pub(crate) use backfill::backfill;
pub(crate) use scheduler::{scheduler, sink};

/// Does what is asked with a schedule.
pub(crate) fn schedule(app: &App, options: &ScheduleOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &LimitOptions::default())?;
    let schedules = Schedules::new(session.engine.clone(), app.user.clone());
    match &options.command {
        ScheduleCommand::Add { folder } => add(app, &schedules, folder),
        ScheduleCommand::List => list(app, &schedules),
        ScheduleCommand::Show { name, count } => show::show(app, &schedules, name, *count),
        ScheduleCommand::Pause(named) => {
            let entry = app.wait(async { Ok(schedules.pause(&named.name).await?) })?;
            tell(app, &entry, &format!("schedule {} is paused", named.name))
        }
        ScheduleCommand::Resume(named) => {
            let entry = app.wait(async { Ok(schedules.resume(&named.name).await?) })?;
            tell(app, &entry, &format!("schedule {} is active; {}", named.name, fires(&entry)))
        }
        ScheduleCommand::Drop(named) => drop_schedule(app, &schedules, &named.name),
        ScheduleCommand::Preview { target, count, after } => preview::preview(
            app,
            &session,
            &schedules,
            &preview::Preview { target, count: *count, after: after.as_deref() },
        ),
    }
}

fn add(app: &App, schedules: &Schedules, folder: &Path) -> Result<Exit, Failure> {
    let registered = app.wait(async { Ok(Box::pin(schedules.add(folder)).await?) })?;
    let entry = &registered.entry;
    let name = &entry.spec.name;
    let Some(before) = &registered.before else {
        return tell(app, entry, &format!("schedule {name} is added; {}", fires(entry)));
    };
    let changes = changes::changes(&before.spec, &entry.spec);
    if changes.is_empty() {
        return tell(app, entry, &format!("schedule {name} is as it was; {}", fires(entry)));
    }
    let lines: String = changes.iter().map(|change| format!("\n  {change}")).collect();
    tell(app, entry, &format!("schedule {name} is changed; {}{lines}", fires(entry)))
}

fn drop_schedule(app: &App, schedules: &Schedules, name: &str) -> Result<Exit, Failure> {
    app.wait(async { Ok(schedules.drop(name).await?) })?;
    print(&match app.terminal.json {
        true => format!("{}\n", json!({"schedule": name, "state": ScheduleState::Dropped.name()})),
        false => format!("schedule {name} is dropped\n"),
    })?;
    Ok(Exit::Ok)
}

fn list(app: &App, schedules: &Schedules) -> Result<Exit, Failure> {
    let entries = app.wait(async { Ok(schedules.list().await?) })?;
    if app.terminal.json {
        print(&format!("{}\n", entries.iter().map(fact).collect::<Value>()))?;
        return Ok(Exit::Ok);
    }
    let mut grid = Grid::new(&["schedule", "state", "owner", "fires", "next", "last"]);
    for entry in &entries {
        grid.row([
            entry.spec.name.clone(),
            entry.state.name().to_owned(),
            entry.spec.owner.clone(),
            causes(&entry.spec),
            entry.next_fire.filter(|_| entry.state == ScheduleState::Active).map(instant).unwrap_or_default(),
            entry.last_fire.map(instant).unwrap_or_default(),
        ]);
    }
    print(&format!("{grid}\n"))?;
    Ok(Exit::Ok)
}

/// Says what became of a schedule, to people or to programs.
fn tell(app: &App, entry: &ScheduleEntry, text: &str) -> Result<Exit, Failure> {
    print(&match app.terminal.json {
        true => format!("{}\n", fact(entry)),
        false => format!("{text}\n"),
    })?;
    Ok(Exit::Ok)
}

fn fires(entry: &ScheduleEntry) -> String {
    match entry.next_fire {
        Some(next) => format!("it fires next at {}", instant(next)),
        None => format!("it fires by {}", causes(&entry.spec)),
    }
}

/// Returns what fires a schedule, on one line.
fn causes(spec: &ScheduleSpec) -> String {
    let rule = spec.rule.iter().map(|rule| format!("{} {}", rule.cron, rule.zone));
    rule.chain(spec.triggers.iter().map(trigger)).collect::<Vec<_>>().join(", ")
}

fn trigger(trigger: &Trigger) -> String {
    format!("{} {}", trigger.kind.name(), trigger.target)
}

/// Returns a moment as RFC 3339, in whole seconds unless it has others.
fn instant(moment: Moment) -> String {
    let instant = DateTime::from_timestamp_millis(moment.0);
    instant.map_or_else(String::new, |instant| instant.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

fn fact(entry: &ScheduleEntry) -> Value {
    let ScheduleSpec { name, work, owner, rule, missed, triggers, terms } = &entry.spec;
    let cause = |rule: &CronRule| {
        json!({
            "cron": rule.cron,
            "zone": rule.zone,
            "gap": Gap::name(rule.gap),
            "fold": Fold::name(rule.fold),
        })
    };
    json!({
        "schedule": name,
        "state": entry.state.name(),
        "owner": owner,
        "work": work,
        "rule": rule.as_ref().map(cause),
        "missed": missed.name(),
        "triggers": triggers.iter().map(|on| json!({"on": on.kind.name(), "target": on.target})).collect::<Value>(),
        "priority": terms.priority,
        "group": terms.group.as_ref().map(|group| &group.name),
        "group_limit": terms.group.as_ref().map(|group| group.limit),
        "attempts": terms.max_attempts,
        "timeout_ms": terms.timeout_ms,
        "memory_limit_bytes": terms.memory_limit_bytes,
        "start_within_ms": terms.start_within_ms,
        "end_within_ms": terms.end_within_ms,
        "next_fire_at": entry.next_fire.map(instant),
        "last_fire_at": entry.last_fire.map(instant),
        "passed_over": entry.passed_over.map(|(first, last)| json!([instant(first), instant(last)])),
    })
}
