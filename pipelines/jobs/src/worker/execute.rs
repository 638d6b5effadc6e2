//! The work of a job. Doing it a second time finds what the first has done.

use std::path::{Path, PathBuf};

use causeway_core::Cancel;
use causeway_engine::{StatementContext, StepRequest};
use causeway_model::{CatalogError, ErrorClass, Job, JobKind, NewRun, Rights, RunKind, RunState};

use super::Shared;
use crate::error::{JobsError, Result};
use crate::pipeline::Pipeline;
use crate::run::Runner;
use crate::summary::{RunOutcome, RunSummary};

/// The name of the only step of a statement's run. The commit is named after run and step, so it must be
/// the same in every attempt.
const STEP: &str = "statement";

/// What came of the work.
pub(super) enum Done {
    Succeeded,
    Failed(Fault),
    /// The pipeline runs elsewhere; nothing was begun.
    InUse,
}

/// Why the work failed.
pub(super) struct Fault {
    pub(super) class: ErrorClass,
    pub(super) code: String,
    pub(super) error: String,
}

impl Fault {
    pub(super) fn new(class: ErrorClass, error: &JobsError) -> Self {
        Self { class, code: error.code().to_owned(), error: error.to_string() }
    }
}

/// Does the work of a job, or what is left of it.
pub(super) async fn execute(shared: &Shared, job: &Job, cancel: Cancel) -> Done {
    causeway_failpoints::at("work");
    let done = match job.spec.kind {
        JobKind::Statement => statement(shared, job, cancel).await,
        JobKind::Pipeline => pipeline(shared, job, cancel).await,
    };
    done.unwrap_or_else(|error| match error {
        JobsError::Locked { .. } => Done::InUse,
        error => Done::Failed(Fault::new(class(error.retryable(), error.panicked()), &error)),
    })
}

fn class(retryable: bool, panicked: bool) -> ErrorClass {
    match retryable {
        _ if panicked => ErrorClass::Panic,
        true => ErrorClass::Transient,
        false => ErrorClass::Permanent,
    }
}

/// Returns the user whose rights hold; the embedded mode's admin has no name as a user.
fn user(job: &Job) -> Option<String> {
    Some(job.spec.actor.clone()).filter(|actor| *actor != Rights::embedded().user)
}

async fn statement(shared: &Shared, job: &Job, cancel: Cancel) -> Result<Done> {
    let engine = &shared.engine;
    if is_done(shared, job).await? {
        return Ok(Done::Succeeded);
    }
    engine.rights(user(job).as_deref()).await?;
    open_run(shared, job).await?;
    let base_dir = Some(PathBuf::from(&job.spec.base_dir));
    let request = StepRequest {
        run: job.spec.run.clone(),
        pipeline: None,
        ordinal: 0,
        name: STEP.to_owned(),
        sql: job.spec.work.clone(),
        force: false,
        context: StatementContext {
            cancel,
            base_dir,
            user: user(job),
            parameters: job.spec.parameters.clone(),
            keep_inputs: true,
            ..StatementContext::default()
        },
    };
    Box::pin(engine.run_step(&request)).await?;
    Ok(Done::Succeeded)
}

/// Returns true if the job's run has ended well, and only the job was not told.
async fn is_done(shared: &Shared, job: &Job) -> Result<bool> {
    match shared.engine.catalog().run(&job.spec.run).await {
        Ok(run) => Ok(run.state == RunState::Succeeded),
        Err(CatalogError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Begins the run, or opens again what an earlier attempt began.
async fn open_run(shared: &Shared, job: &Job) -> Result<()> {
    let catalog = shared.engine.catalog();
    let new = NewRun {
        id: job.spec.run.clone(),
        kind: RunKind::Statement,
        pipeline: None,
        pipeline_digest: None,
        engine_version: shared.engine.config().version.clone(),
        actor: job.spec.actor.clone(),
        parameters: job.spec.parameters.clone(),
    };
    match catalog.begin_run(&new).await {
        Err(CatalogError::AlreadyExists { .. }) => Ok(catalog.resume_run(&job.spec.run).await?),
        begun => Ok(begun?),
    }
}

async fn pipeline(shared: &Shared, job: &Job, cancel: Cancel) -> Result<Done> {
    if is_done(shared, job).await? {
        return Ok(Done::Succeeded);
    }
    let pipeline = Pipeline::load(Path::new(&job.spec.work), &shared.engine)?;
    let runner = Runner::new(shared.engine.clone(), &shared.state_dir)
        .with_user(user(job))
        .with_cancel(cancel)
        .with_parameters(job.spec.parameters.clone())
        .with_run(job.spec.run.clone());
    let summary = Box::pin(runner.run(&pipeline)).await?;
    Ok(match summary.outcome {
        RunOutcome::Succeeded => Done::Succeeded,
        RunOutcome::Failed | RunOutcome::Cancelled => Done::Failed(first_fault(&summary)),
    })
}

/// Returns the error of the first step that has one.
fn first_fault(summary: &RunSummary) -> Fault {
    let failed = summary.steps.iter().find_map(|step| Some((&step.name, step.error.as_ref()?)));
    match failed {
        Some((step, error)) => Fault {
            class: class(error.retryable, error.panicked),
            code: error.code.clone(),
            error: format!("step {step}: {}", error.message),
        },
        None => Fault::new(ErrorClass::Transient, &JobsError::Stopped),
    }
}
