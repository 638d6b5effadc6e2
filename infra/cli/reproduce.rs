//! `causeway reproduce`: the steps of a run once more, on the versions they read, to see whether they
//! give the same.
//!
//! ```text
//! recorded step ──> scratch catalog: its inputs at their versions
//!                   scratch lake: reads through to the lake, writes to a folder that goes away
//!                        └── the engine, unchanged ──> result ── content compared ── recorded result
//! ```
//!
//! Each step is done on what it had read, not on what the step before it gives now, so each is judged
//! on its own.

mod content;
mod instants;
mod report;
mod scratch;
mod step;

use std::path::PathBuf;

use causeway_audit::{Action, Event, Object, ObjectKind};
use causeway_core::nearest;
use causeway_jobs::Pipeline;
use causeway_model::{Run, Step};
use serde::Serialize;
use serde_json::json;

use crate::app::App;
use crate::args::ReproduceOptions;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::progress::StepProgress;
use crate::record::Record;
use crate::runs::{Named, find};
use crate::session::Session;
use crate::terminal::print;

use step::Reproduction;

/// What came of repeating a run.
#[derive(Debug, Serialize)]
struct Outcome {
    run: String,
    pipeline: Option<String>,
    /// The binary that ran it, and this one.
    engine_version: String,
    engine_version_now: String,
    /// True if every step that makes something gave the same.
    reproduced: bool,
    /// Things the user should know.
    notes: Vec<String>,
    steps: Vec<Reproduction>,
}

/// Notes in the audit log that data are read for this.
async fn admitted(session: &Session, options: &ReproduceOptions) -> Result<(), Failure> {
    let event = Event::new("admin", Action::Call, causeway_audit::Outcome::started())
        .object(Object::new(ObjectKind::Procedure, "reproduce"))
        .fact("run", options.run.chars().take(64).collect::<String>());
    session.catalog.record(event).await?;
    Ok(())
}

/// Repeats the steps of a run in a scratch place and compares what they give.
pub(crate) fn reproduce(app: &App, options: &ReproduceOptions) -> Result<Exit, Failure> {
    if app.user.is_some() {
        return Err(Failure::usage(
            "this command repeats steps with all rights, whoever asks; --user does not go with it",
        )
        .with_hint("who may open the catalog may repeat; others ask an admin"));
    }
    let session = Session::open(app, &options.limits)?;
    app.wait(admitted(&session, options))?;
    let named = app.wait(find(session.catalog.as_ref(), &options.run))?;
    let record = app.wait(read(&session, &named))?;
    let (run, steps) = chosen(&record, &named, options)?;
    let pipeline = pipeline(&session, options, run)?;
    let progress = StepProgress::new(app);
    let mut done = Vec::with_capacity(steps.len());
    for step in steps.into_iter().map(|step| record.making(step)) {
        let Some(run) = record.run(&step.run) else { continue };
        let bar = progress.begin(&step.name);
        let repeating = step::Repeating {
            session: &session,
            record: &record,
            run,
            base_dir: base_dir(pipeline.as_ref(), step),
            cancel: app.interrupts().begin(),
            progress: bar.sink(),
        };
        let repeated = app.wait(async { Ok(Box::pin(repeating.step(step)).await) })?;
        bar.end();
        if app.interrupts().is_interrupted() {
            return Ok(Exit::Interrupted);
        }
        done.push(repeated);
    }
    let outcome = Outcome {
        run: run.id.0.clone(),
        pipeline: run.pipeline.clone(),
        engine_version: run.engine_version.clone(),
        engine_version_now: session.engine.config().version.clone(),
        reproduced: done.iter().all(|step| step.verdict.is_good()),
        notes: notes(&session, run, pipeline.as_ref()),
        steps: done,
    };
    let text = match app.terminal.json {
        true => format!("{}\n", json!(outcome)),
        false => report::render(&app.terminal, &outcome),
    };
    print(&text)?;
    Ok(if outcome.reproduced { Exit::Ok } else { Exit::Failed })
}

/// Reads the run, or that of the step that made a version.
async fn read(session: &Session, named: &Named) -> Result<Record, Failure> {
    let catalog = session.catalog.as_ref();
    let mut record = Record::default();
    match named {
        Named::Run(run) => record.add_run(catalog, run).await?,
        Named::Version(version) => record.add_upstream(catalog, version.id, Some(1)).await?,
    }
    Ok(record)
}

/// Returns the run and those of its steps that shall be repeated. A version stands for the step that
/// made it.
fn chosen<'a>(
    record: &'a Record,
    named: &'a Named,
    options: &ReproduceOptions,
) -> Result<(&'a Run, Vec<&'a Step>), Failure> {
    let (run, only) = match named {
        Named::Run(run) => (run, None),
        Named::Version(version) => {
            let step = record.maker(version.id);
            let run = step.and_then(|step| record.run(&step.run));
            let unmade = || Failure::usage(format!("no run made `{}`; it was read as it is", options.run));
            (run.ok_or_else(unmade)?, step.map(|step| step.name.as_str()))
        }
    };
    let all = record.steps_of(&run.id);
    let wanted: Vec<&str> = options.step.iter().map(String::as_str).chain(only).collect();
    if let Some(unknown) = wanted.iter().find(|name| all.iter().all(|step| step.name != **name)) {
        let names = all.iter().map(|step| step.name.as_str());
        let failure = Failure::usage(format!("run {} has no step `{unknown}`", run.id));
        return Err(match nearest(unknown, names.clone()) {
            Some(meant) => failure.with_hint(format!("did you mean `{meant}`?")),
            None => failure.with_hint(format!("its steps: {}", names.collect::<Vec<_>>().join(", "))),
        });
    }
    let steps = all.into_iter().filter(|step| wanted.is_empty() || wanted.contains(&step.name.as_str()));
    Ok((run, steps.collect()))
}

fn pipeline(session: &Session, options: &ReproduceOptions, run: &Run) -> Result<Option<Pipeline>, Failure> {
    let Some(folder) = &options.pipeline else { return Ok(None) };
    let pipeline = Pipeline::load(folder, &session.engine)?;
    if run.pipeline.as_deref() == Some(pipeline.name()) {
        return Ok(Some(pipeline));
    }
    let ran = run.pipeline.as_ref().map_or_else(|| "a statement".to_owned(), |name| format!("pipeline `{name}`"));
    Err(Failure::usage(format!(
        "{} holds the pipeline `{}`, but the run is of {ran}",
        folder.display(),
        pipeline.name()
    )))
}

/// Returns the folder that relative paths of a step start from; `None` for the current one.
fn base_dir(pipeline: Option<&Pipeline>, step: &Step) -> Option<PathBuf> {
    let name = step.name.split(" check ").next().unwrap_or(&step.name);
    pipeline?.base_dir(name).map(|folder| std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()))
}

fn notes(session: &Session, run: &Run, pipeline: Option<&Pipeline>) -> Vec<String> {
    let mut notes = Vec::new();
    let now = &session.engine.config().version;
    if run.engine_version != *now {
        notes.push(format!("the run was made by causeway {}, this is {now}", run.engine_version));
    }
    if pipeline.is_some_and(|pipeline| run.pipeline_digest.as_deref() != Some(pipeline.digest())) {
        notes.push(
            "the pipeline's files have changed since; statements are taken from the record, contracts from the folder"
                .to_owned(),
        );
    }
    notes
}
