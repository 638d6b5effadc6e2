//! A statement that changes something, as one step of a run: prepare, pin, do once, record.
//!
//! ```text
//! earlier attempt? ──landed──> record it
//!        │no
//! the lake ahead of the catalog? ──a killed process's commit──> record it
//!        │
//!     prepare ──same fingerprint──> up to date
//!        │
//!   begin (inputs pinned) ─> write (one Delta commit, marked) ─> complete (one transaction)
//! ```

mod access;
mod copy_into;
mod copy_to;
mod definition;
mod outcome;
mod recover;
mod rows;
mod settings;
mod target;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_lake::{Commit, Marker};
use causeway_model::{
    CatalogError, DatasetId, DatasetVersion, NewStep, Parameters, Step, StepId, StepOutcome, StepState, TableName,
    VersionId,
};
use datafusion::execution::session_state::SessionState;
use sha2::{Digest, Sha256};

use crate::access::Guard;
use crate::api::{StatementKind, StepReport, StepRequest};
use crate::call::References;
use crate::engine::Engine;
use crate::error::{EngineError, Result};
use crate::limits::within;
use crate::parse::{Parsed, Statement};
use crate::procedure::CallStatement;
use crate::resolve::{Lookup, NARROWED, Resolved};
use crate::running::Running;

use copy_into::Load;
use copy_to::Export;
use rows::Write;
use settings::Declare;
use target::Target;
pub(crate) use target::location_of;

/// A changing statement on its way.
pub(crate) struct Change<'a> {
    engine: &'a Engine,
    request: &'a StepRequest,
    parsed: Parsed,
    state: Arc<SessionState>,
    running: Arc<Running>,
    guard: Guard,
}

/// A change ready to be done.
struct Prepared {
    /// The inputs by the reference their scans carry.
    inputs: BTreeMap<String, DatasetVersion>,
    views: Vec<VersionId>,
    /// What besides text, inputs and seed decides the result.
    depends_on: Vec<String>,
    target: Option<Target>,
    task: Task,
    warnings: Vec<String>,
}

enum Task {
    Write(Box<Write>),
    Load(Box<Load>),
    Declare(Box<Declare>),
    Export(Box<Export>),
    /// A change of the catalog alone.
    Record(Box<StepOutcome>),
    /// A procedure, which is asked for when the step is done.
    Call(Box<CallStatement>),
    /// What is asked for is there already.
    Nothing,
}

/// What a task did.
#[derive(Default)]
struct Done {
    outcome: StepOutcome,
    warnings: Vec<String>,
}

impl Change<'_> {
    /// Runs a parsed statement as a step, with the rights of its user.
    pub(crate) async fn run(
        engine: &Engine,
        request: &StepRequest,
        parsed: Parsed,
        guard: Guard,
    ) -> Result<StepReport> {
        let started = Instant::now();
        let (state, running) = engine.session(&request.context, &guard, Some(&request.run))?;
        let change = Change { engine, request, parsed, state, running, guard };
        let earlier = engine.catalog().step(&request.run, &request.name).await?;
        if let Some(step) = earlier.as_ref().filter(|step| step.state == StepState::Succeeded) {
            return change.report_of(step).await;
        }
        let preparing = Box::pin(change.prepare_after(earlier.as_ref()));
        let (prepared, landed) = match within(preparing, &request.context.cancel, engine.config().timeout).await {
            Ok(ready) => ready,
            Err(error) => return Err(change.refuse(error).await),
        };
        if matches!(prepared.task, Task::Nothing) {
            return change.nothing_to_do(&prepared).await;
        }
        if landed.is_none()
            && !request.force
            && let Some(report) = change.skip_if_up_to_date(&prepared).await?
        {
            return Ok(report);
        }
        Box::pin(change.perform(prepared, landed, started)).await
    }

    fn kind(&self) -> StatementKind {
        self.parsed.statement.kind()
    }

    /// Returns the values of the statement's parameters.
    fn parameters(&self) -> Option<&Parameters> {
        Some(&self.request.context.parameters)
    }

    /// Returns the name of this step's commit in the lake, the same for every attempt.
    fn marker(&self) -> Marker {
        Marker(format!("causeway/{}/{}", self.request.run, self.request.name))
    }

    fn lookup<'b>(&'b self, pinned: &'b [DatasetVersion]) -> Lookup<'b> {
        Lookup {
            engine: self.engine,
            state: &self.state,
            base_dir: self.engine.base_dir(&self.request.context),
            pinned,
            guard: &self.guard,
        }
    }

    /// Prepares the change. After an attempt that did not end, its pinned inputs are taken again
    /// if its commit has landed.
    async fn prepare_after(&self, earlier: Option<&Step>) -> Result<(Prepared, Option<Commit>)> {
        if let Some(step) = earlier.filter(|step| matches!(step.state, StepState::Running | StepState::Failed))
            && let Ok(prepared) = self.prepare_again(step).await
        {
            match self.landed(&prepared).await {
                Ok(None) if step.state == StepState::Running && self.keeps_inputs() => return Ok((prepared, None)),
                Ok(Some(commit)) => return Ok((prepared, Some(commit))),
                Ok(None) | Err(_) => {}
            }
        }
        if earlier.is_none() {
            self.catch_up().await?;
        }
        Ok((self.prepare(&[]).await?, None))
    }

    /// Returns true if this attempt reads what the one before it has pinned: whichever of the two commits,
    /// the record says what the rows were made from. What changes rows in place is computed from the newest
    /// version, and another's commit in between is a conflict.
    fn keeps_inputs(&self) -> bool {
        let in_place = matches!(self.kind(), StatementKind::Update | StatementKind::Delete | StatementKind::Merge);
        self.request.context.keep_inputs && !in_place
    }

    async fn landed(&self, prepared: &Prepared) -> Result<Option<Commit>> {
        let Some(target) = &prepared.target else { return Ok(None) };
        let marker = match &prepared.task {
            Task::Write(_) | Task::Declare(_) => self.marker(),
            Task::Load(load) => load.marker(self),
            Task::Export(_) | Task::Record(_) | Task::Call(_) | Task::Nothing => return Ok(None),
        };
        Ok(self.engine.lake().committed(&target.location, &marker).await?)
    }

    async fn prepare(&self, pinned: &[DatasetVersion]) -> Result<Prepared> {
        match &self.parsed.statement {
            Statement::CreateTableAs { name, create, query } => {
                self.create_table_as(name, *create, query, pinned).await
            }
            Statement::CreateTable { name, create, definition } => self.create_table(name, *create, definition).await,
            Statement::CreateView { name, create, query } => self.create_view(name, *create, query).await,
            Statement::CreateSchema { name, if_not_exists } => self.create_schema(name, *if_not_exists).await,
            Statement::Drop { view, names, if_exists } => self.drop_datasets(*view, names, *if_exists).await,
            Statement::Insert(insert) => self.insert(insert, pinned).await,
            Statement::Update(_) | Statement::Delete(_) | Statement::Merge(_) => self.rewrite(pinned).await,
            Statement::CopyInto(copy) => self.copy_into(copy).await,
            Statement::CopyTo(copy) => self.copy_to(copy, pinned).await,
            Statement::Access(statement) => self.change_access(statement).await,
            Statement::Settings(statement) => self.alter(statement).await,
            Statement::Call(call) => Ok(Prepared { task: Task::Call(call.clone()), ..Prepared::nothing() }),
            Statement::Query(_) | Statement::Explain(_) | Statement::Prepare { .. } | Statement::Execute { .. } => {
                Err(EngineError::new(crate::error::ErrorKind::Plan, "a query changes nothing and cannot be a step")
                    .with_hint("store its result: CREATE OR REPLACE TABLE schema.table AS SELECT …"))
            }
        }
    }

    /// Resolves what a query reads.
    async fn resolve(&self, references: &References, pinned: &[DatasetVersion]) -> Result<Arc<Resolved>> {
        Ok(Arc::new(self.lookup(pinned).resolve(references).await?))
    }

    /// Returns the digest of all the result depends on. The version of the target itself is left
    /// out: the runner forces a step whose target was written anew before it.
    fn fingerprint(&self, prepared: &Prepared) -> String {
        let mut digest = Sha256::new();
        digest.update(self.kind().name());
        digest.update([0]);
        digest.update(self.parsed.sql.as_bytes());
        digest.update(self.request.context.seed.0.to_le_bytes());
        let target = prepared.target.as_ref().and_then(|target| target.dataset.as_ref()).map(|dataset| dataset.id);
        for (key, version) in &prepared.inputs {
            if Some(version.dataset) != target {
                digest.update(format!("\0{key}={}", version.id.0));
            }
        }
        for view in &prepared.views {
            digest.update(format!("\0view={}", view.0));
        }
        for dependency in &prepared.depends_on {
            digest.update(format!("\0{dependency}"));
        }
        for name in &self.parsed.parameters {
            if let Some(value) = self.request.context.parameters.get(name) {
                digest.update(format!("\0:{name} {}={value}", value.parameter_type()));
            }
        }
        hex::encode(digest.finalize())
    }

    fn new_step(&self, prepared: &Prepared) -> NewStep {
        let inputs: BTreeSet<VersionId> =
            prepared.inputs.values().map(|version| version.id).chain(prepared.views.iter().copied()).collect();
        NewStep { fingerprint: self.fingerprint(prepared), inputs: inputs.into_iter().collect(), ..self.bare_step() }
    }

    fn bare_step(&self) -> NewStep {
        NewStep {
            run: self.request.run.clone(),
            ordinal: self.request.ordinal,
            name: self.request.name.clone(),
            kind: self.kind().name().to_owned(),
            sql: self.parsed.sql.clone(),
            fingerprint: String::new(),
            seed: i64::from_le_bytes(self.request.context.seed.0.to_le_bytes()),
            inputs: Vec::new(),
            lease: self.request.context.lease.clone(),
        }
    }

    /// Skips the step if nothing it depends on has changed since it last succeeded in this pipeline
    /// and its table was not changed from outside.
    async fn skip_if_up_to_date(&self, prepared: &Prepared) -> Result<Option<StepReport>> {
        let Some(pipeline) = &self.request.pipeline else { return Ok(None) };
        let catalog = self.engine.catalog();
        let Some(last) = catalog.last_success(pipeline, &self.request.name).await? else { return Ok(None) };
        let step = self.new_step(prepared);
        if last.fingerprint != step.fingerprint || !self.is_untouched(prepared, pipeline).await? {
            return Ok(None);
        }
        catalog.skip_step(&step, StepState::UpToDate).await?;
        let mut report = StepReport::nothing(self.kind());
        report.state = StepState::UpToDate;
        for version in &last.outputs {
            report.outputs.extend(self.named(*version).await?);
        }
        Ok(Some(report))
    }

    /// Returns true if the newest version of the target was made by this pipeline.
    async fn is_untouched(&self, prepared: &Prepared, pipeline: &str) -> Result<bool> {
        let target = match (&prepared.task, &prepared.target) {
            (Task::Record(outcome), _) => return self.is_recorded(outcome, pipeline).await,
            (_, Some(target)) => target,
            (_, None) => return Ok(false),
        };
        let Some(dataset) = &target.dataset else { return Ok(false) };
        self.is_made_by(dataset.id, pipeline).await
    }

    /// Returns true if a change of the catalog alone would change nothing.
    async fn is_recorded(&self, outcome: &StepOutcome, pipeline: &str) -> Result<bool> {
        let schemas = self.engine.catalog().schemas().await?;
        if !outcome.access.is_empty()
            || !outcome.dropped.is_empty()
            || outcome.schemas.iter().any(|schema| !schemas.contains(schema))
        {
            return Ok(false);
        }
        for output in &outcome.outputs {
            match self.engine.catalog().dataset(&output.name).await? {
                Some(dataset) if self.is_made_by(dataset.id, pipeline).await? => {}
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn is_made_by(&self, dataset: DatasetId, pipeline: &str) -> Result<bool> {
        let Some(newest) = self.engine.catalog().latest_version(dataset).await? else { return Ok(false) };
        let Some(step) = newest.step else { return Ok(false) };
        let step = self.engine.catalog().step_by_id(step).await?;
        Ok(self.engine.catalog().run(&step.run).await?.pipeline.as_deref() == Some(pipeline))
    }

    async fn perform(&self, prepared: Prepared, landed: Option<Commit>, started: Instant) -> Result<StepReport> {
        let step = match self.engine.catalog().begin_step(&self.new_step(&prepared)).await {
            // The next to write the table has found what an earlier attempt had committed, and recorded it just now.
            Err(error @ CatalogError::AlreadyExists { .. }) => {
                let done = self.engine.catalog().step(&self.request.run, &self.request.name).await?;
                return self.report_of(&done.ok_or(error)?).await;
            }
            begun => begun?,
        };
        causeway_failpoints::at("inputs_pinned");
        match Box::pin(self.attempt(&step, prepared, landed, started)).await {
            Ok(report) => Ok(report),
            Err(error) => match Box::pin(self.record_landed(step.id, started)).await {
                Some(report) => Ok(report),
                None => Err(self.fail(step.id, step.attempt, error).await),
            },
        }
    }

    async fn attempt(
        &self,
        step: &Step,
        prepared: Prepared,
        landed: Option<Commit>,
        started: Instant,
    ) -> Result<StepReport> {
        let mut warnings = prepared.warnings.clone();
        let is_landed = landed.is_some();
        let is_narrowed = prepared.depends_on.iter().any(|what| what.starts_with(NARROWED));
        let work = Box::pin(self.work(prepared, landed));
        // What has landed is recorded, whatever time it takes and whoever has cancelled meanwhile.
        let done = if is_landed {
            work.await?
        } else {
            within(work, &self.request.context.cancel, self.engine.config().timeout).await?
        };
        let mut outcome = done.outcome;
        outcome.operators = self.running.operators();
        // Rows that the user may not see were read to be left out: their number is not told.
        outcome.rows_in = outcome.rows_in.filter(|_| !is_narrowed);
        outcome.duration_ms = i64::try_from(started.elapsed().as_millis()).unwrap_or(i64::MAX);
        let context = &self.request.context;
        outcome.ends = context.lease.clone().filter(|_| context.ends_job);
        causeway_failpoints::at("before_catalog_done");
        self.engine.catalog().complete_step(step.id, step.attempt, &outcome).await?;
        causeway_failpoints::at("step_done");
        warnings.extend(done.warnings);
        Ok(self.report(&outcome, warnings, started.elapsed()))
    }

    /// After a failure: records the step's commit if it has landed all the same, for example just
    /// before the time limit, or reports it if another process has recorded it.
    async fn record_landed(&self, step: StepId, started: Instant) -> Option<StepReport> {
        let mut now = self.engine.catalog().step_by_id(step).await.ok()?;
        if now.state != StepState::Succeeded {
            let (prepared, commit) = self.prepare_landed(&now).await.ok()??;
            if let Ok(report) = self.attempt(&now, prepared, Some(commit), started).await {
                return Some(report);
            }
            now = self.engine.catalog().step_by_id(step).await.ok()?;
        }
        if now.state == StepState::Succeeded { self.report_of(&now).await.ok() } else { None }
    }

    /// Prepares an earlier attempt again over its pinned inputs.
    async fn prepare_again(&self, step: &Step) -> Result<Prepared> {
        let mut pinned = Vec::with_capacity(step.inputs.len());
        for input in &step.inputs {
            pinned.push(self.engine.catalog().version_by_id(*input).await?);
        }
        self.prepare(&pinned).await
    }

    /// Prepares an earlier attempt again if its commit has landed.
    async fn prepare_landed(&self, step: &Step) -> Result<Option<(Prepared, Commit)>> {
        let prepared = self.prepare_again(step).await?;
        Ok(self.landed(&prepared).await?.map(|commit| (prepared, commit)))
    }

    /// Records an attempt whose commit has landed; does nothing else.
    pub(crate) async fn settle(engine: &Engine, request: &StepRequest, parsed: Parsed) -> Result<Option<StepReport>> {
        let started = Instant::now();
        let Some(step) = engine.catalog().step(&request.run, &request.name).await? else { return Ok(None) };
        if !matches!(step.state, StepState::Running | StepState::Failed) {
            return Ok(None);
        }
        let guard = engine.guard(&request.context).await?;
        let (state, running) = engine.session(&request.context, &guard, Some(&request.run))?;
        let change = Change { engine, request, parsed, state, running, guard };
        match Box::pin(change.prepare_landed(&step)).await? {
            // Its process may be alive: the attempt keeps its number, and one of the two completes it.
            Some((prepared, commit)) if step.state == StepState::Running => {
                Box::pin(change.attempt(&step, prepared, Some(commit), started)).await.map(Some)
            }
            Some((prepared, commit)) => Box::pin(change.perform(prepared, Some(commit), started)).await.map(Some),
            None => Ok(None),
        }
    }

    async fn nothing_to_do(&self, prepared: &Prepared) -> Result<StepReport> {
        self.engine.catalog().skip_step(&self.new_step(prepared), StepState::UpToDate).await?;
        let mut report = StepReport::nothing(self.kind());
        report.state = StepState::UpToDate;
        report.warnings.clone_from(&prepared.warnings);
        Ok(report)
    }

    async fn work(&self, prepared: Prepared, landed: Option<Commit>) -> Result<Done> {
        causeway_failpoints::at("running");
        match prepared.task {
            Task::Write(write) => write.perform(self, &prepared.inputs, prepared.target, landed).await,
            Task::Load(load) => load.perform(self, &prepared.inputs, prepared.target, landed.is_some()).await,
            Task::Declare(declare) => declare.perform(self, prepared.target, landed).await,
            Task::Export(export) => export.perform(self, &prepared.inputs).await,
            Task::Record(outcome) => Ok(Done { outcome: *outcome, warnings: Vec::new() }),
            Task::Call(call) => self.call(&call).await,
            Task::Nothing => Ok(Done::default()),
        }
    }

    /// Calls a procedure. A job that it queues is named after run and step, so that there is one however
    /// often the step is tried.
    async fn call(&self, call: &CallStatement) -> Result<Done> {
        let key = format!("{}/{}", self.request.run, self.request.name);
        self.engine.call_as(call, &self.request.context, &self.guard, Some(&key)).await?;
        Ok(Done::default())
    }

    /// Records a failure; the first error is the one the user sees.
    async fn fail(&self, step: StepId, attempt: i64, error: EngineError) -> EngineError {
        match self.engine.catalog().fail_step(step, attempt, error.code(), &error.to_string()).await {
            Ok(()) => error,
            Err(second) => {
                tracing::warn!(code = second.code(), "a failed step could not be recorded");
                error
            }
        }
    }

    /// Records a statement that could not even be prepared.
    async fn refuse(&self, error: EngineError) -> EngineError {
        match self.engine.catalog().begin_step(&self.bare_step()).await {
            Ok(step) => self.fail(step.id, step.attempt, error).await,
            Err(_) => error,
        }
    }

    fn report(&self, outcome: &StepOutcome, warnings: Vec<String>, duration: Duration) -> StepReport {
        let count = |rows: Option<i64>| rows.and_then(|rows| u64::try_from(rows).ok());
        StepReport {
            kind: self.kind(),
            state: StepState::Succeeded,
            outputs: outcome.outputs.iter().map(|output| (output.name.clone(), output.version)).collect(),
            rows_in: count(outcome.rows_in),
            rows_out: count(outcome.rows_out),
            rows_quarantined: count(outcome.rows_quarantined),
            duration,
            warnings,
            has_ended: outcome.ends.is_some(),
        }
    }

    /// Reports a step that this run has already done.
    async fn report_of(&self, step: &Step) -> Result<StepReport> {
        let count = |rows: Option<i64>| rows.and_then(|rows| u64::try_from(rows).ok());
        let mut report = StepReport::nothing(self.kind());
        for version in &step.outputs {
            report.outputs.extend(self.named(*version).await?);
        }
        report.rows_in = count(step.rows_in);
        report.rows_out = count(step.rows_out);
        report.rows_quarantined = count(step.rows_quarantined);
        report.duration = Duration::from_millis(count(step.duration_ms).unwrap_or(0));
        Ok(report)
    }

    async fn named(&self, version: VersionId) -> Result<Option<(TableName, i64)>> {
        let version = self.engine.catalog().version_by_id(version).await?;
        let dataset = self.engine.catalog().dataset_by_id(version.dataset).await?;
        Ok(Some((dataset.name, version.version)))
    }
}

impl StepReport {
    /// Returns the report of a step that did nothing.
    pub(crate) fn nothing(kind: StatementKind) -> Self {
        Self {
            kind,
            state: StepState::Succeeded,
            outputs: Vec::new(),
            rows_in: None,
            rows_out: None,
            rows_quarantined: None,
            duration: Duration::ZERO,
            warnings: Vec::new(),
            has_ended: false,
        }
    }
}

/// Names the operators a query calls with their versions: another version is another result.
fn operator_versions(references: &References) -> Vec<String> {
    references
        .operators
        .iter()
        .filter_map(|name| crate::call::operator(name))
        .map(|factory| format!("{}@{}", factory.spec().name, factory.spec().version))
        .collect()
}
