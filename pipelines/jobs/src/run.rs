//! Runs a pipeline once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_core::{Cancel, Seed};
use causeway_engine::{Engine, EngineError, ProgressEvent, StatementContext, StatementKind, StepReport, StepRequest};
use causeway_model::{CatalogError, Lease, NewStep, Parameters, RunId, RunState, StepState};
use chrono::Utc;

use crate::check::CheckPlace;
use crate::digest::Digest;
use crate::error::{JobsError, Result};
use crate::lock::RunLock;
use crate::pipeline::{Pipeline, PipelineStep};
use crate::summary::{OutputSummary, RunOutcome, RunSummary, StepError, StepStatus, StepSummary, Totals};

/// The wait before a step is first tried again; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(500);

/// The longest wait before a step is tried again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How often a waiting run looks whether it was stopped.
const POLL: Duration = Duration::from_millis(50);

/// What happens while a pipeline runs.
#[derive(Debug, Clone)]
pub enum RunEvent {
    /// The run was begun, or opened again.
    Started {
        /// The run.
        run: RunId,
        /// True if it goes on with an interrupted run.
        resumed: bool,
        /// How many steps it has.
        n_steps: usize,
    },
    /// A step's turn has come.
    StepStarted {
        /// Its name.
        name: String,
        /// Its position, from 1.
        number: usize,
    },
    /// A step goes on.
    StepProgress {
        /// Its name.
        name: String,
        /// How far it is.
        event: ProgressEvent,
    },
    /// A step failed in a way that may pass, and will be tried again.
    StepRetried {
        /// Its name.
        name: String,
        /// The code of the error.
        code: &'static str,
        /// How long it waits.
        wait: Duration,
    },
    /// A step ended, or was not started.
    StepFinished(Box<StepSummary>),
}

/// A receiver of events. It is called from the run's own threads and should return at once.
pub type EventSink = Arc<dyn Fn(RunEvent) + Send + Sync>;

/// Runs pipelines, one step after another.
#[derive(Clone)]
pub struct Runner {
    pub(crate) engine: Engine,
    state_dir: PathBuf,
    cancel: Cancel,
    events: EventSink,
    pub(crate) user: Option<String>,
    pub(crate) job: Option<RunOfJob>,
    pub(crate) parameters: Parameters,
}

/// A run that an attempt at a job makes or goes on with.
#[derive(Debug, Clone)]
pub struct RunOfJob {
    /// The run.
    pub run: RunId,
    /// The attempt, which begins nothing once its lease is over.
    pub lease: Lease,
}

/// The summaries so far, by position in the pipeline.
type Done = Vec<StepSummary>;

impl Runner {
    /// Makes a runner; `state_dir` holds the locks, so all processes of one lake must share it.
    pub fn new(engine: Engine, state_dir: &Path) -> Self {
        Self {
            engine,
            state_dir: state_dir.to_owned(),
            cancel: Cancel::default(),
            events: Arc::new(|_| {}),
            user: None,
            job: None,
            parameters: Parameters::default(),
        }
    }

    /// Runs with the rights of `user`; `None` for the embedded mode's admin.
    #[must_use]
    pub fn with_user(mut self, user: Option<String>) -> Self {
        self.user = user;
        self
    }

    /// Runs for a job, as the job's run, which ends with the job. What earlier attempts at the job have done
    /// is done, whatever has changed since.
    #[must_use]
    pub fn with_job(mut self, job: RunOfJob) -> Self {
        self.job = Some(job);
        self
    }

    /// Runs with values for the `:name`s of its statements.
    #[must_use]
    pub fn with_parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// Sends what happens to `events`.
    #[must_use]
    pub fn with_events(mut self, events: EventSink) -> Self {
        self.events = events;
        self
    }

    /// Stops at the next chance once `cancel` is set. The run can be resumed.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Runs a pipeline, or goes on with its interrupted run.
    ///
    /// A step that fails stops the steps that wait for it and no others; that is no error of this
    /// call but stands in the summary.
    ///
    /// # Errors
    /// [`JobsError::Locked`] if the pipeline, or one it includes, runs elsewhere; a parameter that has no
    /// value or is not used; errors of the catalog.
    pub async fn run(&self, pipeline: &Pipeline) -> Result<RunSummary> {
        let mut given = self.parameters.clone();
        if let Some(run) = self.given_run().await? {
            // What the manifest gave the first attempt holds for the others.
            let recorded = run.parameters.iter().filter(|(name, _)| pipeline.defaults.get(name).is_some());
            for (name, value) in recorded {
                given.add_default(name, value.clone())?;
            }
        }
        let parameters = pipeline.complete(&given, Utc::now())?;
        Self { parameters, ..self.clone() }.run_complete(pipeline).await
    }

    async fn run_complete(&self, pipeline: &Pipeline) -> Result<RunSummary> {
        let started = Instant::now();
        self.engine.rights(self.user.as_deref()).await?;
        let mut locks = Vec::with_capacity(pipeline.locks.len());
        for name in &pipeline.locks {
            locks.push(RunLock::acquire(&self.state_dir, name, self.job.as_ref(), &**self.engine.catalog()).await?);
        }
        let (run, resumed) = self.open_run(pipeline).await?;
        tracing::info!(run_id = %run, pipeline = %pipeline.name, resumed, "pipeline started");
        self.tell(RunEvent::Started { run: run.clone(), resumed, n_steps: pipeline.steps.len() });
        let mut done = Done::with_capacity(pipeline.steps.len());
        let mut ordinal = 0;
        for step in &pipeline.steps {
            let summary = self.step(&run, pipeline, step, ordinal, &done).await?;
            self.tell(RunEvent::StepFinished(Box::new(summary.clone())));
            ordinal += 1 + i64::try_from(step.checks.len()).unwrap_or(0);
            done.push(summary);
        }
        let outcome = self.outcome(&done);
        let state = if outcome == RunOutcome::Succeeded { RunState::Succeeded } else { RunState::Failed };
        if self.job.is_none() {
            self.engine.catalog().finish_run(&run, state).await?;
        }
        tracing::info!(run_id = %run, pipeline = %pipeline.name, state = state.name(), "pipeline ended");
        drop(locks);
        Ok(RunSummary {
            run,
            pipeline: pipeline.name.clone(),
            outcome,
            resumed,
            nothing_to_do: done.iter().all(|step| step.status == StepStatus::UpToDate),
            totals: Totals::of(&done),
            steps: done,
            duration_ms: milliseconds(started.elapsed()),
        })
    }

    fn outcome(&self, done: &[StepSummary]) -> RunOutcome {
        let any = |status| done.iter().any(|step| step.status == status);
        if any(StepStatus::Failed) {
            RunOutcome::Failed
        } else if any(StepStatus::Cancelled) || any(StepStatus::NotStarted) {
            RunOutcome::Cancelled
        } else {
            RunOutcome::Succeeded
        }
    }

    fn tell(&self, event: RunEvent) {
        (self.events)(event);
    }

    /// Returns how a statement of a step runs.
    pub(crate) fn context(&self, name: &str) -> StatementContext {
        let (events, step) = (Arc::clone(&self.events), name.to_owned());
        StatementContext {
            cancel: self.cancel.clone(),
            progress: Arc::new(move |event| events(RunEvent::StepProgress { name: step.clone(), event })),
            base_dir: None,
            seed: seed_of(name),
            user: self.user.clone(),
            parameters: self.parameters.clone(),
            // The lock of a pipeline that runs by hand is kept by whoever is asleep with it.
            keep_inputs: self.job.is_some(),
            lease: self.lease(),
            ends_job: false, // what checks its last step may still fail
        }
    }

    async fn step(
        &self,
        run: &RunId,
        pipeline: &Pipeline,
        step: &PipelineStep,
        ordinal: i64,
        done: &Done,
    ) -> Result<StepSummary> {
        let started = Instant::now();
        self.tell(RunEvent::StepStarted { name: step.name.clone(), number: done.len() + 1 });
        let mut summary = StepSummary::new(step);
        let in_the_way = in_the_way(step, done);
        if self.cancel.is_cancelled() {
            return Ok(summary);
        }
        if !in_the_way.is_empty() {
            self.block(run, step, ordinal).await?;
            summary.status = StepStatus::Blocked;
            summary.blocked_by = in_the_way;
            return Ok(summary);
        }
        let mut context = self.context(&step.name);
        context.base_dir = Some(step.base_dir.clone());
        let request = StepRequest {
            run: run.clone(),
            pipeline: Some(pipeline.name.clone()),
            ordinal,
            name: step.name.clone(),
            sql: self.statement_of(run, pipeline, step).await?,
            force: self.must_run(pipeline, step).await?,
            context,
        };
        self.execute(step, &request, &mut summary).await?;
        if summary.status.is_good() {
            self.run_checks(step, &request, &mut summary).await;
        }
        summary.duration_ms = milliseconds(started.elapsed());
        Ok(summary)
    }

    /// Runs the statement and writes what came of it into the summary.
    async fn execute(&self, step: &PipelineStep, request: &StepRequest, summary: &mut StepSummary) -> Result<()> {
        let earlier = self.engine.catalog().step(&request.run, &step.name).await?;
        let was_done = earlier.is_some_and(|earlier| earlier.state == StepState::Succeeded);
        match self.with_retries(step, request, summary).await {
            Ok(report) => {
                summary.status = match report.state {
                    StepState::UpToDate => StepStatus::UpToDate,
                    _ if was_done => StepStatus::DoneBefore,
                    _ => StepStatus::Succeeded,
                };
                summary.take(report);
            }
            Err(error) => {
                self.record_failure(request, step, &error).await?;
                summary.refuse(&error.into(), self.cancel.is_cancelled());
            }
        }
        Ok(())
    }

    async fn with_retries(
        &self,
        step: &PipelineStep,
        request: &StepRequest,
        summary: &mut StepSummary,
    ) -> Result<StepReport, EngineError> {
        let mut wait = FIRST_WAIT;
        loop {
            let error = match Box::pin(self.engine.run_step(request)).await {
                Ok(report) => return Ok(report),
                Err(error) => error,
            };
            if !error.retryable() || summary.retries >= step.retries || self.cancel.is_cancelled() {
                return Err(error);
            }
            summary.retries += 1;
            tracing::warn!(run_id = %request.run, step = %step.name, code = error.code(), "step will be tried again");
            self.tell(RunEvent::StepRetried { name: step.name.clone(), code: error.code(), wait });
            self.pause(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn pause(&self, wait: Duration) {
        let end = Instant::now() + wait;
        while Instant::now() < end && !self.cancel.is_cancelled() {
            tokio::time::sleep(POLL).await;
        }
    }

    /// Makes sure that the record knows of a failure; the engine records those after the statement
    /// was understood.
    async fn record_failure(&self, request: &StepRequest, step: &PipelineStep, error: &EngineError) -> Result<()> {
        let catalog = self.engine.catalog();
        let mut new = self.bare_step(&request.run, step, request.ordinal);
        match catalog.step(&request.run, &step.name).await? {
            Some(recorded) if recorded.state == StepState::Failed => return Ok(()),
            Some(recorded) if recorded.state == StepState::Running => {
                (new.fingerprint, new.inputs) = (recorded.fingerprint, recorded.inputs);
            }
            _ => {}
        }
        // It may be another attempt at the job that runs: only who holds the lease may go on.
        let begun = catalog.begin_step(&new).await?;
        Ok(catalog.fail_step(begun.id, begun.attempt, error.code(), &error.to_string()).await?)
    }

    async fn run_checks(&self, step: &PipelineStep, request: &StepRequest, summary: &mut StepSummary) {
        for (ordinal, check) in (request.ordinal + 1..).zip(&step.checks) {
            let place = CheckPlace { run: &request.run, step, ordinal };
            match self.run_check(&place, check, &request.context).await {
                Ok((check_summary, failure)) => {
                    summary.checks.push(check_summary);
                    match failure {
                        Some(error) if check.is_blocking() => summary.refuse(&error, false),
                        Some(error) => summary.warnings.push(error.to_string()),
                        None => {}
                    }
                }
                Err(error) => return summary.refuse(&error, self.cancel.is_cancelled()),
            }
        }
    }

    async fn block(&self, run: &RunId, step: &PipelineStep, ordinal: i64) -> Result<()> {
        match self.engine.catalog().skip_step(&self.bare_step(run, step, ordinal), StepState::Blocked).await {
            // It succeeded before the run was interrupted, and a check before it fails now.
            Ok(_) | Err(CatalogError::AlreadyExists { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns the lease of the job's attempt.
    pub(crate) fn lease(&self) -> Option<Lease> {
        self.job.as_ref().map(|job| job.lease.clone())
    }

    fn bare_step(&self, run: &RunId, step: &PipelineStep, ordinal: i64) -> NewStep {
        NewStep {
            run: run.clone(),
            ordinal,
            name: step.name.clone(),
            kind: step.statement.kind.name().to_owned(),
            sql: step.statement.sql.clone(),
            fingerprint: String::new(),
            seed: i64::from_le_bytes(seed_of(&step.name).0.to_le_bytes()),
            inputs: Vec::new(),
            lease: self.lease(),
        }
    }

    /// Returns true if a step before this one has written the table it changes since it last
    /// changed it: then it must run again though its own inputs are the same. Ids of runs sort by
    /// time.
    async fn must_run(&self, pipeline: &Pipeline, step: &PipelineStep) -> Result<bool> {
        if !changes_in_place(step.statement.kind) {
            return Ok(false);
        }
        let catalog = self.engine.catalog();
        let Some(last) = catalog.last_success(&pipeline.name, &step.name).await? else { return Ok(false) };
        for earlier in step.after.iter().filter_map(|earlier| pipeline.steps.get(*earlier)) {
            let same_table = step.statement.writes.iter().any(|table| earlier.writes(table));
            if same_table
                && let Some(written) = catalog.last_success(&pipeline.name, &earlier.name).await?
                && written.run > last.run
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

impl StepSummary {
    fn new(step: &PipelineStep) -> Self {
        Self {
            name: step.name.clone(),
            kind: step.statement.kind.name(),
            status: StepStatus::NotStarted,
            outputs: Vec::new(),
            rows_in: None,
            rows_out: None,
            rows_quarantined: None,
            duration_ms: 0,
            retries: 0,
            checks: Vec::new(),
            warnings: Vec::new(),
            error: None,
            blocked_by: Vec::new(),
        }
    }

    fn take(&mut self, report: StepReport) {
        let outputs = report.outputs.into_iter();
        self.outputs = outputs.map(|(table, version)| OutputSummary { table: table.to_string(), version }).collect();
        self.rows_in = report.rows_in;
        self.rows_out = report.rows_out;
        self.rows_quarantined = report.rows_quarantined;
        self.warnings = report.warnings;
    }

    /// Notes the first error of a step.
    fn refuse(&mut self, error: &JobsError, cancelled: bool) {
        self.status = if cancelled { StepStatus::Cancelled } else { StepStatus::Failed };
        let code = error.code().to_owned();
        let (message, hint) = (error.to_string(), error.hint());
        let (retryable, panicked) = (error.retryable(), error.panicked());
        self.error.get_or_insert(StepError { code, message, hint, retryable, panicked });
    }
}

/// Returns the failed steps that a step waits for, directly or not.
fn in_the_way(step: &PipelineStep, done: &Done) -> Vec<String> {
    let mut names = BTreeSet::new();
    for earlier in step.after.iter().filter_map(|earlier| done.get(*earlier)) {
        match earlier.status {
            status if status.is_good() => {}
            StepStatus::Blocked => names.extend(earlier.blocked_by.iter().cloned()),
            _ => {
                names.insert(earlier.name.clone());
            }
        }
    }
    names.into_iter().collect()
}

fn changes_in_place(kind: StatementKind) -> bool {
    use StatementKind::{AlterTable, AlterView, CopyInto, Delete, Insert, Merge, Update};
    matches!(kind, Insert | Update | Delete | Merge | CopyInto | AlterTable | AlterView)
}

/// Returns a step's seed: the same in every run, another for every step.
fn seed_of(name: &str) -> Seed {
    let mut digest = Digest::default();
    digest.add(name);
    Seed(digest.number())
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
