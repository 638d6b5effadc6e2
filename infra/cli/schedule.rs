//! `causeway schedule preview`: when a pipeline would fire.

use causeway_jobs::{Firing, Pipeline, Placement};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::{LimitOptions, ScheduleCommand, ScheduleOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::session::Session;
use crate::terminal::print;

/// Prints the next firings of a pipeline.
pub(crate) fn schedule(app: &App, options: &ScheduleOptions) -> Result<Exit, Failure> {
    let ScheduleCommand::Preview { folder, count, after } = &options.command;
    let after = after.as_deref().map(parse_instant).transpose()?.unwrap_or_else(Utc::now);
    let session = Session::open(app, &LimitOptions::default())?;
    let pipeline = Pipeline::load(folder, &session.engine)?;
    let Some(schedule) = pipeline.schedule() else {
        return Err(Failure::new(Exit::Failed, format!("pipeline `{}` has no schedule", pipeline.name()))
            .with_hint("add one to its pipeline.toml, or run it by hand with `causeway run`"));
    };
    let firings: Vec<Firing> = schedule.firings(after).take(*count).collect();
    let text = if app.terminal.json {
        format!("{}\n", firings.iter().map(fact).collect::<Value>())
    } else {
        format!("{} fires at `{}` in {}\n\n{}\n", pipeline.name(), schedule.cron(), schedule.zone(), render(&firings))
    };
    print(&text)?;
    Ok(Exit::Ok)
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
