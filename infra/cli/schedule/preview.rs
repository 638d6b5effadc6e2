//! `causeway schedule preview`: when a pipeline or schedule would fire.

use std::path::Path;

use causeway_jobs::{Firing, Pipeline, Placement, Schedule, Schedules};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::app::App;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::session::Session;
use crate::terminal::print;

/// What is asked for.
pub(super) struct Preview<'a> {
    pub(super) target: &'a str,
    pub(super) count: usize,
    pub(super) after: Option<&'a str>,
}

/// Prints the next firings of a pipeline, or of a schedule by its name.
pub(super) fn preview(app: &App, session: &Session, schedules: &Schedules, asked: &Preview) -> Result<Exit, Failure> {
    let after = asked.after.map(parse_instant).transpose()?.unwrap_or_else(Utc::now);
    let (name, schedule) = find(app, session, schedules, asked.target)?;
    let Some(schedule) = schedule else {
        return Err(Failure::new(Exit::Failed, format!("pipeline `{name}` has no schedule"))
            .with_hint("add one to its pipeline.toml, or run it by hand with `causeway run`"));
    };
    let firings: Vec<Firing> = schedule.firings(after).take(asked.count).collect();
    let text = if app.terminal.json {
        format!("{}\n", firings.iter().map(fact).collect::<Value>())
    } else {
        format!("{name} fires at `{}` in {}\n\n{}\n", schedule.cron(), schedule.zone(), render(&firings))
    };
    print(&text)?;
    Ok(Exit::Ok)
}

/// Returns the rule of a folder's manifest; of a schedule where there is no such folder.
fn find(
    app: &App,
    session: &Session,
    schedules: &Schedules,
    target: &str,
) -> Result<(String, Option<Schedule>), Failure> {
    let folder = Path::new(target);
    if folder.is_dir() || target.contains('/') {
        let pipeline = Pipeline::load(folder, &session.engine)?;
        return Ok((pipeline.name().to_owned(), pipeline.schedule().cloned()));
    }
    let entry = app.wait(async { Ok(schedules.find(target).await?) })?;
    let rule = entry.spec.rule.as_ref().map(Schedule::of_rule).transpose()?;
    Ok((entry.spec.name, rule))
}

fn parse_instant(text: &str) -> Result<DateTime<Utc>, Failure> {
    let parsed = DateTime::parse_from_rfc3339(text).map(|instant| instant.to_utc());
    parsed.map_err(|_| Failure::usage("--after takes an RFC 3339 instant, such as 2026-03-28T00:00:00Z"))
}

fn render(firings: &[Firing]) -> String {
    let mut grid = Grid::new(&["#", "there", "UTC", "note"]).right([0]);
    for (number, firing) in (1..).zip(firings) {
        grid.row([
            format!("{number}"),
            firing.at.format("%a %Y-%m-%d %H:%M %Z").to_string(),
            firing.at.to_utc().format("%Y-%m-%d %H:%M").to_string(),
            note(firing.placement).to_owned(),
        ]);
    }
    grid.to_string()
}

fn note(placement: Placement) -> &'static str {
    match placement {
        Placement::Regular => "",
        Placement::AfterGap => "clocks skip this time; fires after the gap",
        Placement::FirstOfTwo => "this time comes twice; the first",
        Placement::SecondOfTwo => "this time comes twice; the second",
    }
}

fn fact(firing: &Firing) -> Value {
    json!({"at": firing.at.to_rfc3339(), "utc": firing.at.to_utc().to_rfc3339(), "placement": firing.placement})
}
