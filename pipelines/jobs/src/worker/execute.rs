//! The work of a job. Doing it a second time finds what the first has done.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use causeway_core::Cancel;
use causeway_engine::{Engine, StatementContext, StepReport, StepRequest};
use causeway_model::{CatalogError, ErrorClass, Job, JobKind, Lease, NewRun, Rights, RunKind, RunState};

use super::log::AttemptLog;
use super::narrate::Narrator;
use super::{Shared, StepDone, WorkerEvent};
use crate::error::{JobsError, Result};
use crate::pipeline::Pipeline;
use crate::run::{RunEvent, RunOfJob, Runner};
use crate::summary::{RunOutcome, RunSummary, StepStatus, StepSummary};

/// The name of the only step of a statement's run. The commit is named after run and step, so it must be
/// the same in every attempt.
const STEP: &str = "statement";

/// What came of the work.
pub(super) enum Done {
    Succeeded,
    /// It succeeded, and the job has ended with the record of it.
    Ended,
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

/// What an attempt works with.
pub(super) struct Work {
    shared: Arc<Shared>,
    narrator: Arc<Narrator>,
    /// The pipeline's name, once it is known.
    pub(super) pipeline: Arc<OnceLock<String>>,
}

impl Work {
    pub(super) fn new(shared: Arc<Shared>, log: AttemptLog) -> Self {
        Self { shared, narrator: Arc::new(Narrator::new(log)), pipeline: Arc::default() }
    }
}

/// Does the work of a job, or what is left of it.
pub(super) async fn execute(work: &Work, job: &Job, lease: &Lease, cancel: Cancel) -> Done {
    causeway_failpoints::at("work");
    let done = match work.shared.engine.for_job(&work.shared.resources(job, lease.attempt)) {
        Err(error) => Err(error.into()),
        Ok(engine) => match job.spec.kind {
            JobKind::Statement => statement(work, &engine, job, lease, cancel).await,
            JobKind::Pipeline => pipeline(work, &engine, job, lease, cancel).await,
        },
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

async fn statement(work: &Work, engine: &Engine, job: &Job, lease: &Lease, cancel: Cancel) -> Result<Done> {
    if lease.attempt > 1 && is_done(engine, job).await? {
        return Ok(Done::Succeeded);
    }
    engine.rights(user(job).as_deref()).await?;
    open_run(engine, job).await?;
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
            lease: Some(lease.clone()),
            ends_job: true,
            progress: Arc::new({
                let narrator = Arc::clone(&work.narrator);
                move |event| narrator.progress(None, event)
            }),
            ..StatementContext::default()
        },
    };
    let report = Box::pin(engine.run_step(&request)).await?;
    work.narrator.statement(&report);
    (work.shared.events)(WorkerEvent::Step(Box::new(StepDone::of_statement(&report))));
    Ok(if report.has_ended { Done::Ended } else { Done::Succeeded })
}

/// Returns true if the job's run has ended well, and only the job was not told.
async fn is_done(engine: &Engine, job: &Job) -> Result<bool> {
    match engine.catalog().run(&job.spec.run).await {
        Ok(run) => Ok(run.state == RunState::Succeeded),
        Err(CatalogError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Begins the run, or opens again what an earlier attempt began.
async fn open_run(engine: &Engine, job: &Job) -> Result<()> {
    let catalog = engine.catalog();
    let new = NewRun {
        id: job.spec.run.clone(),
        kind: RunKind::Statement,
        pipeline: None,
        pipeline_digest: None,
        engine_version: engine.config().version.clone(),
        actor: job.spec.actor.clone(),
        parameters: job.spec.parameters.clone(),
    };
    match catalog.begin_run(&new).await {
        Err(CatalogError::AlreadyExists { .. }) => Ok(catalog.resume_run(&job.spec.run).await?),
        begun => Ok(begun?),
    }
}

async fn pipeline(work: &Work, engine: &Engine, job: &Job, lease: &Lease, cancel: Cancel) -> Result<Done> {
    if lease.attempt > 1 && is_done(engine, job).await? {
        return Ok(Done::Succeeded);
    }
    let pipeline = Pipeline::load(Path::new(&job.spec.work), engine)?;
    work.pipeline.get_or_init(|| pipeline.name().to_owned());
    let (narrator, events) = (Arc::clone(&work.narrator), Arc::clone(&work.shared.events));
    let runner = Runner::new(engine.clone(), &work.shared.state_dir)
        .with_user(user(job))
        .with_cancel(cancel)
        .with_parameters(job.spec.parameters.clone())
        .with_events(Arc::new(move |event| {
            narrator.run(&event);
            if let RunEvent::StepFinished(summary) = &event
                && let Some(done) = StepDone::of_step(summary)
            {
                events(WorkerEvent::Step(Box::new(done)));
            }
        }))
        .with_job(RunOfJob { run: job.spec.run.clone(), lease: lease.clone() });
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

impl StepDone {
    fn of_statement(report: &StepReport) -> Self {
        Self {
            kind: report.kind.name(),
            tables: report.outputs.iter().map(|(table, _)| table.to_string()).collect(),
            rows_out: report.rows_out.unwrap_or(0),
            rows_quarantined: report.rows_quarantined.unwrap_or(0),
        }
    }

    /// Returns what a step did now; nothing for one that was done before or has failed.
    fn of_step(summary: &StepSummary) -> Option<Self> {
        (summary.status == StepStatus::Succeeded).then(|| Self {
            kind: summary.kind,
            tables: summary.outputs.iter().map(|output| output.table.clone()).collect(),
            rows_out: summary.rows_out.unwrap_or(0),
            rows_quarantined: summary.rows_quarantined.unwrap_or(0),
        })
    }
}
