//! `causeway plan`: what a run would do.

use causeway_jobs::{Pipeline, Plan};
use serde_json::json;

use crate::app::App;
use crate::args::{LimitOptions, PlanOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::session::Session;
use crate::terminal::print;

/// Prints the order of the steps, what they read and write, and what has changed.
pub(crate) fn plan(app: &App, options: &PlanOptions) -> Result<Exit, Failure> {
    let session = Session::open(app, &LimitOptions::default())?;
    let pipeline = Pipeline::load(&options.folder, &session.engine)?;
    let plan = app.wait(async { Ok(Plan::new(&pipeline, &session.engine, app.user.as_deref()).await?) })?;
    let text = if app.terminal.json { format!("{}\n", json!(plan)) } else { plan.to_string() };
    print(&text)?;
    Ok(Exit::Ok)
}
