//! The front door: the only way to a session.
//!
//! ```text
//! text -> size and depth gate -> parse -> resolve and pin -> plan -> execute under limits -> record
//! ```

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use causeway_core::{Cancel, OperatorFactory};
use causeway_lake::Lake;
use causeway_model::{Catalog, NewRun, Parameters, Rights, RunId, RunKind, RunState, Step, TableName, VersionId};
use datafusion::execution::TaskContext;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{Expr, Query, Statement as SqlStatement, Value, VisitMut, VisitorMut};
use std::ops::ControlFlow;

use crate::access::{Guard, denied};
use crate::analyse::analyse_parsed;
use crate::api::{EngineConfig, Outcome, Rows, StatementContext, StatementInfo, StepReport, StepRequest};
use crate::call::prepare;
use crate::change::Change;
use crate::error::{EngineError, ErrorKind, Result};
use crate::gate::Limits;
use crate::limits::guarded;
use crate::parse::{Parsed, Statement, parse_one, parse_script};
use crate::plan::{Planned, on_big_stack};
use crate::procedure::Procedures;
use crate::relations::CallPlanner;
use crate::release::{Till, explained};
use crate::resolve::{Lookup, Resolved};
use crate::resources::{JobResources, Usage, job_runtime};
use crate::running::Running;
use crate::session::{PlanningContext, base_session, fit};
use crate::system::SystemRelations;

/// A governed SQL engine over one catalog and one lake. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: EngineConfig,
    catalog: Arc<dyn Catalog>,
    lake: Lake,
    system: Arc<dyn SystemRelations>,
    session: SessionState,
    pool: Arc<rayon::ThreadPool>,
    prepared: Mutex<HashMap<String, Box<Query>>>,
    procedures: OnceLock<Arc<dyn Procedures>>,
    /// Bytes that were spilled, by this engine and those made of it for jobs.
    spilled: Arc<AtomicU64>,
}

impl Engine {
    /// Makes an engine. Reads nothing yet.
    ///
    /// # Errors
    /// If the spill folder cannot be used or the operators' threads cannot be started.
    pub fn new(
        config: EngineConfig,
        catalog: Arc<dyn Catalog>,
        lake: Lake,
        system: Arc<dyn SystemRelations>,
    ) -> Result<Self> {
        let spilled = Arc::default();
        let session = base_session(&config, &spilled)?;
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(config.threads)
            .thread_name(|index| format!("operator-{index}"))
            .build()
            .map_err(|error| EngineError::new(ErrorKind::Internal, format!("cannot start threads: {error}")))?;
        let prepared = Mutex::default();
        let procedures = OnceLock::new();
        Ok(Self(Arc::new(Inner {
            config,
            catalog,
            lake,
            system,
            session,
            pool: Arc::new(pool),
            prepared,
            procedures,
            spilled,
        })))
    }

    /// Offers `CALL`; what is called is done by `procedures`. The first to be given stay.
    #[must_use]
    pub fn with_procedures(self, procedures: Arc<dyn Procedures>) -> Self {
        self.0.procedures.get_or_init(|| procedures);
        self
    }

    pub(crate) fn procedures(&self) -> Option<&Arc<dyn Procedures>> {
        self.0.procedures.get()
    }

    /// Returns an engine for one job: over the same catalog and lake, with threads and limits of this one,
    /// and within them its own part of the memory and its own folder to spill to.
    ///
    /// # Errors
    /// If the runtime of the job cannot be made.
    pub fn for_job(&self, resources: &JobResources) -> Result<Self> {
        let inner = &self.0;
        let runtime = job_runtime(inner.session.runtime_env(), resources, &inner.spilled)?;
        let memory_limit_bytes = resources.memory_limit_bytes.min(inner.config.memory_limit_bytes);
        let mut config = inner.session.config().clone();
        fit(&mut config.options_mut().execution, inner.config.threads, memory_limit_bytes);
        let session = SessionStateBuilder::new_from_existing(inner.session.clone())
            .with_config(config)
            .with_runtime_env(runtime)
            .build();
        Ok(Self(Arc::new(Inner {
            config: EngineConfig { memory_limit_bytes, spill_dir: resources.spill_dir.clone(), ..inner.config.clone() },
            catalog: Arc::clone(&inner.catalog),
            lake: inner.lake.clone(),
            system: Arc::clone(&inner.system),
            session,
            pool: Arc::clone(&inner.pool),
            prepared: Mutex::default(),
            procedures: inner.procedures.clone(),
            spilled: Arc::clone(&inner.spilled),
        })))
    }

    /// Returns what the statements of this engine, and of its jobs, use and have used.
    pub fn usage(&self) -> Usage {
        let held = self.0.session.runtime_env().memory_pool.reserved();
        Usage {
            memory_bytes: u64::try_from(held).unwrap_or(u64::MAX),
            spilled_bytes: self.0.spilled.load(Ordering::Relaxed),
        }
    }

    /// Returns the catalog.
    pub fn catalog(&self) -> &Arc<dyn Catalog> {
        &self.0.catalog
    }

    /// Returns the lake.
    pub fn lake(&self) -> &Lake {
        &self.0.lake
    }

    /// Returns the limits and places.
    pub fn config(&self) -> &EngineConfig {
        &self.0.config
    }

    /// Returns the relations of the schema `system`.
    pub fn system(&self) -> &dyn SystemRelations {
        self.0.system.as_ref()
    }

    /// Lists all operators in the order of the docs.
    pub fn operators() -> impl Iterator<Item = &'static dyn OperatorFactory> {
        causeway_all::operators()
    }

    /// Splits a script into statements and says what each reads and writes. Looks nothing up.
    ///
    /// # Errors
    /// If the script is too large, too deep, or not SQL; with its position.
    pub fn analyse(&self, script: &str) -> Result<Vec<StatementInfo>> {
        let parsed = parse_script(script, &self.limits())?;
        parsed.into_iter().map(|parsed| analyse_parsed(parsed, None)).collect()
    }

    /// Does the same with values for the parameters, which then also say which files are read.
    ///
    /// # Errors
    /// Those of [`Self::analyse`]; [`ErrorKind::Parameter`] for a name without a value.
    pub fn analyse_with(&self, script: &str, parameters: &Parameters) -> Result<Vec<StatementInfo>> {
        let parsed = parse_script(script, &self.limits())?;
        parsed.into_iter().map(|parsed| analyse_parsed(parsed, Some(parameters))).collect()
    }

    /// Runs one statement. A change is recorded as a run of its own with one step.
    ///
    /// # Errors
    /// Any [`EngineError`]. A query's later failures come through its stream.
    pub async fn execute(&self, sql: &str, context: &StatementContext) -> Result<Outcome> {
        let parsed = parse_one(sql, &self.limits())?;
        let outcome = self.execute_parsed(parsed, context).await;
        if let Err(error) = &outcome {
            self.turned_away(sql, context, error).await;
        }
        outcome
    }

    async fn execute_parsed(&self, parsed: Parsed, context: &StatementContext) -> Result<Outcome> {
        let sql = &parsed.sql;
        match parsed.statement {
            Statement::Query(query) => self.query(sql, query, context).await.map(Outcome::Rows),
            Statement::Explain(statement) => self.explain(sql, *statement, context).await.map(Outcome::Rows),
            Statement::Prepare { name, query } => {
                self.0.prepared.lock().unwrap_or_else(PoisonError::into_inner).insert(name, query);
                Ok(Outcome::Done(StepReport::nothing(parsed_kind())))
            }
            Statement::Execute { name, parameters } => {
                let query = self.bind_parameters(&name, &parameters)?;
                self.query(sql, query, context).await.map(Outcome::Rows)
            }
            Statement::Call(call) => self.call(&call, context).await.map(Outcome::Rows),
            statement => self.statement(Parsed { statement, ..parsed }, context).await,
        }
    }

    /// Runs one statement as a step of a run.
    ///
    /// A step whose inputs, text and operators are those of its last success is skipped. A commit
    /// that landed before a crash is found by its marker and recorded, not repeated. Everything
    /// a step leaves in the catalog is recorded in one transaction.
    ///
    /// # Errors
    /// Any [`EngineError`]; the step is then recorded as failed.
    pub async fn run_step(&self, request: &StepRequest) -> Result<StepReport> {
        let parsed = parse_one(&request.sql, &self.limits())?;
        let report = match self.guard(&request.context).await {
            Ok(guard) => Box::pin(Change::run(self, request, parsed, guard)).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &report {
            self.turned_away(&request.sql, &request.context, error).await;
        }
        report
    }

    /// Records a step of a run that is over, if its commit has landed in the lake without being
    /// recorded; executes nothing. Relative paths of the step start from `base_dir`. What cannot be
    /// recorded is logged and stays as it is.
    pub async fn settle(&self, step: &Step, base_dir: Option<PathBuf>) {
        match Box::pin(self.try_settle(step, base_dir)).await {
            Ok(true) => tracing::info!(run_id = %step.run, step = %step.name, "interrupted step recorded"),
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(run_id = %step.run, step = %step.name, code = error.code(), "interrupted step given up");
            }
        }
    }

    /// The rights are those of the user who started the run. If the user has gone or lost a right
    /// since, what has landed is recorded all the same.
    async fn try_settle(&self, step: &Step, base_dir: Option<PathBuf>) -> Result<bool> {
        let parsed = parse_one(&step.sql, &self.limits())?;
        let run = self.catalog().run(&step.run).await?;
        let mut request = StepRequest::again(step, &run);
        request.context.base_dir = base_dir;
        request.context.user = Some(run.actor).filter(|actor| *actor != Rights::embedded().user);
        let settled = match Box::pin(Change::settle(self, &request, parsed.clone())).await {
            Err(error) if matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound) => {
                request.context.user = None;
                Box::pin(Change::settle(self, &request, parsed)).await
            }
            settled => settled,
        };
        settled.map(|report| report.is_some())
    }

    async fn statement(&self, parsed: Parsed, context: &StatementContext) -> Result<Outcome> {
        let guard = self.guard(context).await?;
        let run = RunId(uuid::Uuid::now_v7().to_string());
        self.catalog()
            .begin_run(&NewRun {
                id: run.clone(),
                kind: RunKind::Statement,
                pipeline: None,
                pipeline_digest: None,
                engine_version: self.config().version.clone(),
                actor: context.actor(),
                parameters: context.parameters.clone(),
            })
            .await?;
        let request = StepRequest {
            run: run.clone(),
            pipeline: None,
            ordinal: 0,
            name: parsed.statement.kind().name().to_owned(),
            sql: parsed.sql.clone(),
            force: false,
            context: context.clone(),
        };
        let result = Box::pin(Change::run(self, &request, parsed, guard)).await;
        let state = if result.is_ok() { RunState::Succeeded } else { RunState::Failed };
        self.catalog().finish_run(&run, state).await?;
        result.map(Outcome::Done)
    }

    /// Plans and starts a query.
    async fn query(&self, sql: &str, mut query: Box<Query>, context: &StatementContext) -> Result<Rows> {
        let references = prepare(&mut query, Some(&context.parameters))?;
        let guard = self.guard(context).await?;
        let (state, _running) = self.session(context, &guard, None)?;
        let resolved = Arc::new(self.lookup(context, &state, &guard).resolve(&references).await?);
        let admission = self.admit(sql, &references, &resolved, context);
        let (cancel, timeout) = (context.cancel.clone(), self.config().timeout);
        // Started where it was planned: it runs while the caller is still being told.
        self.planning(&state, &resolved, move |planning, handle| {
            let plan = planning.plan_query(query).map_err(|error| EngineError::of_plan(&error))?;
            let planned = Planned::new(planning.state, plan, false, handle)?;
            let _runtime = handle.enter();
            start(planning.state, planned.physical, cancel, timeout)
        })
        .await
        .map(|rows| admission.before(rows))
    }

    async fn explain(&self, sql: &str, mut statement: DfStatement, context: &StatementContext) -> Result<Rows> {
        let query = explained_query(&mut statement).ok_or_else(|| {
            EngineError::new(ErrorKind::Unsupported, "EXPLAIN takes a SELECT")
                .with_hint("explain the query that the change is made of")
        })?;
        let references = prepare(query, Some(&context.parameters))?;
        let guard = self.guard(context).await?;
        let (state, _running) = self.session(context, &guard, None)?;
        let resolved = Arc::new(self.lookup(context, &state, &guard).resolve(&references).await?);
        let admission = self.admit(sql, &references, &resolved, context);
        if !resolved.narrowed.is_empty() {
            let query = query.clone();
            let rows = self.explain_releases(&state, &resolved, query, is_analyze(&statement), &guard).await?;
            return Ok(admission.before(rows));
        }
        let (cancel, timeout) = (context.cancel.clone(), self.config().timeout);
        self.planning(&state, &resolved, move |planning, handle| {
            let plan = planning.plan(statement).map_err(|error| EngineError::of_plan(&error))?;
            let physical = handle.block_on(planning.state.create_physical_plan(&plan))?;
            let _runtime = handle.enter();
            start(planning.state, physical, cancel, timeout)
        })
        .await
        .map(|rows| admission.before(rows))
    }

    /// Explains private releases to somebody who may make no more than those: what they cost and what is left. Nothing
    /// that depends on rows is told, not even how many files there are.
    async fn explain_releases(
        &self,
        state: &Arc<SessionState>,
        resolved: &Arc<Resolved>,
        query: Box<Query>,
        is_analyze: bool,
        guard: &Guard,
    ) -> Result<Rows> {
        if is_analyze || !resolved.is_veiled_alone() {
            return Err(denied("EXPLAIN would show what your rights hide of a table")
                .with_hint("ask someone who may read all of it; EXPLAIN of private releases shows their cost"));
        }
        let planned = self.plan(state, resolved, query, Box::new(Ok), false).await?;
        let inputs: Vec<VersionId> = resolved.pins.values().map(|pin| pin.version.id).collect();
        let mut accounts = self.catalog().budgets_of(&inputs).await?;
        // What the tables were made from may be unknown to this user; where it limits nothing it need not be told.
        accounts.retain(|account| account.policy.is_some() || guard.rights.may_know(&account.dataset));
        explained(&planned.logical, &accounts)
    }

    /// Returns all that a user may do; `None` is the embedded mode's only user.
    ///
    /// # Errors
    /// If there is no such user, or the catalog does not answer.
    pub async fn rights(&self, user: Option<&str>) -> Result<Rights> {
        let Some(user) = user else { return Ok(Rights::embedded()) };
        let rights = self.catalog().rights(user).await?;
        rights.ok_or_else(|| {
            denied(format!("there is no user `{user}`")).with_hint("an admin makes users with CREATE USER")
        })
    }

    /// Returns what guards a statement.
    pub(crate) async fn guard(&self, context: &StatementContext) -> Result<Guard> {
        Ok(Guard { rights: Arc::new(self.rights(context.user.as_deref()).await?) })
    }

    /// Returns a session for one statement and what its operators share.
    pub(crate) fn session(
        &self,
        context: &StatementContext,
        guard: &Guard,
        run: Option<&RunId>,
    ) -> Result<(Arc<SessionState>, Arc<Running>)> {
        let till = Till::new(Arc::clone(self.catalog()), self.lake().clone(), Arc::clone(&guard.rights), run.cloned());
        let running = Arc::new(Running::new(context, Arc::clone(&self.0.pool), till));
        let mut state = self.0.session.clone();
        state.config_mut().set_extension(Arc::clone(&running));
        let calls = CallPlanner { system: Arc::clone(&self.0.system), rights: Arc::clone(&guard.rights) };
        state.register_relation_planner(Arc::new(calls))?;
        state.mark_start_execution();
        Ok((Arc::new(state), running))
    }

    pub(crate) fn lookup<'a>(
        &'a self,
        context: &'a StatementContext,
        state: &'a Arc<SessionState>,
        guard: &'a Guard,
    ) -> Lookup<'a> {
        Lookup { engine: self, state, base_dir: self.base_dir(context), pinned: &[], guard }
    }

    pub(crate) fn base_dir<'a>(&'a self, context: &'a StatementContext) -> &'a Path {
        context.base_dir.as_deref().unwrap_or(&self.config().base_dir)
    }

    /// Returns a folder whose files may be read as far as the configuration says, or why they may not.
    ///
    /// # Errors
    /// For a folder that is not there or not allowed, and for those of the lake and the catalog.
    pub fn readable_folder(&self, path: &str, base_dir: &Path) -> Result<PathBuf> {
        let found = causeway_ingest::resolve_folder(path, base_dir, &self.config().read_paths)?;
        self.open_path(found)
    }

    /// Returns a path that may be read as far as the configuration says, or why it may not.
    ///
    /// # Errors
    /// For a file that is not there or not allowed, and for those of the lake and the catalog.
    pub fn readable(&self, path: &str, base_dir: &Path) -> Result<PathBuf> {
        let found = causeway_ingest::resolve_path(path, base_dir, &self.config().read_paths)?;
        self.open_path(found)
    }

    /// Returns a path that may be written, or why it may not.
    pub(crate) fn writable(&self, path: &str, base_dir: &Path) -> Result<PathBuf> {
        let found = causeway_ingest::resolve_new_path(path, base_dir, &self.config().write_paths)?;
        self.open_path(found)
    }

    /// Refuses the files of tables and of the catalog, with what stands beside it (`-wal`, `-shm`).
    fn open_path(&self, path: PathBuf) -> Result<PathBuf> {
        let is_closed = |closed: &PathBuf| {
            let closed = closed.canonicalize().unwrap_or_else(|_| closed.clone());
            let beside = closed.file_name().zip(path.file_name()).is_some_and(|(closed_name, name)| {
                closed.is_file()
                    && path.parent() == closed.parent()
                    && name.to_string_lossy().starts_with(closed_name.to_string_lossy().as_ref())
            });
            path.starts_with(&closed) || beside
        };
        if !self.config().closed_paths.iter().any(is_closed) {
            return Ok(path);
        }
        Err(EngineError::new(
            ErrorKind::Refused,
            "the files of tables and of the catalog are not read or written as files",
        )
        .with_hint("read a table by its name; COPY … TO another folder"))
    }

    /// Returns the name by which the record knows a file: its path below the allowed folder it lies
    /// in, or the whole path if another allowed folder has a file of that name too.
    pub(crate) fn file_name(&self, path: &Path) -> String {
        let config = self.config();
        let allowed: Vec<&PathBuf> = config.read_paths.iter().chain(&config.write_paths).collect();
        let inner = allowed
            .iter()
            .filter_map(|folder| path.strip_prefix(folder).ok())
            .min_by_key(|inner| inner.as_os_str().len());
        let is_unique = |inner: &Path| {
            allowed
                .iter()
                .map(|folder| folder.join(inner))
                .all(|other| other == path || !other.try_exists().unwrap_or(true))
        };
        inner.filter(|inner| is_unique(inner)).unwrap_or(path).to_string_lossy().into_owned()
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits { max_bytes: self.config().max_statement_bytes, max_depth: self.config().max_depth }
    }

    /// Plans a query.
    pub(crate) async fn plan(
        &self,
        state: &Arc<SessionState>,
        resolved: &Arc<Resolved>,
        query: Box<Query>,
        shape: crate::plan::Shape,
        with_lineage: bool,
    ) -> Result<Planned> {
        self.planning(state, resolved, move |planning, handle| {
            let plan = planning.plan_query(query).map_err(|error| EngineError::of_plan(&error))?;
            Planned::new(planning.state, shape(plan)?, with_lineage, handle)
        })
        .await
    }

    /// Plans on a thread with a stack that deep plans cannot exhaust.
    async fn planning<T: Send + 'static>(
        &self,
        state: &Arc<SessionState>,
        resolved: &Arc<Resolved>,
        work: impl FnOnce(&PlanningContext<'_>, &tokio::runtime::Handle) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (state, tables) = (Arc::clone(state), Arc::clone(resolved));
        let handle = tokio::runtime::Handle::current();
        let done = on_big_stack(move || work(&PlanningContext { state: &state, tables: &tables.sources }, &handle));
        match done.await {
            Ok(done) => Ok(done),
            Err(error) => Err(resolved.explain(self, error).await),
        }
    }

    /// Returns the error for a table that is not there, or not for this user, with the nearest name
    /// that is.
    pub(crate) async fn unknown_table(&self, name: &TableName, rights: &Rights) -> EngineError {
        let error = EngineError::new(ErrorKind::NotFound, format!("there is no table or view `{name}`"));
        let mut names: Vec<String> = match self.catalog().datasets(false).await {
            Ok(datasets) => {
                let known = datasets.iter().filter(|dataset| rights.may_know(&dataset.name));
                known.map(|dataset| dataset.name.to_string()).collect()
            }
            Err(error) => return error.into(),
        };
        names.extend(self.system().tables().iter().map(|table| format!("system.{table}")));
        match causeway_core::nearest(&name.to_string(), names.iter().map(String::as_str)) {
            Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
            None => error.with_hint("SELECT * FROM system.datasets lists what there is"),
        }
    }

    fn bind_parameters(&self, name: &str, parameters: &[Expr]) -> Result<Box<Query>> {
        let prepared = self.0.prepared.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        let mut query = prepared.ok_or_else(|| {
            EngineError::new(ErrorKind::NotFound, format!("no statement was prepared as `{name}`"))
                .with_hint("PREPARE name AS SELECT … first, in the same session")
        })?;
        match query.visit(&mut Executed(parameters)) {
            ControlFlow::Continue(()) => Ok(query),
            ControlFlow::Break(placeholder) => Err(EngineError::new(
                ErrorKind::Plan,
                format!("`{name}` needs a value for {placeholder}; {} were given", parameters.len()),
            )),
        }
    }
}

/// Starts a plan under its limits.
fn start(
    state: &SessionState,
    physical: Arc<dyn ExecutionPlan>,
    cancel: Cancel,
    timeout: Option<Duration>,
) -> Result<Rows> {
    let stream = execute_stream(physical, Arc::new(TaskContext::from(state)))?;
    let stream = guarded(stream, cancel, timeout);
    Ok(Rows { schema: stream.schema(), stream })
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("config", &self.0.config).finish_non_exhaustive()
    }
}

fn parsed_kind() -> crate::api::StatementKind {
    crate::api::StatementKind::Query
}

fn is_analyze(statement: &DfStatement) -> bool {
    match statement {
        DfStatement::Explain(explain) => explain.options.analyze || is_analyze(&explain.statement),
        DfStatement::Statement(statement) => matches!(statement.as_ref(), SqlStatement::Explain { analyze: true, .. }),
        _ => false,
    }
}

fn explained_query(statement: &mut DfStatement) -> Option<&mut Box<Query>> {
    match statement {
        DfStatement::Explain(explain) => explained_query(&mut explain.statement),
        DfStatement::Statement(statement) => match statement.as_mut() {
            SqlStatement::Query(query) => Some(query),
            SqlStatement::Explain { statement, .. } => match statement.as_mut() {
                SqlStatement::Query(query) => Some(query),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}

/// Puts the values of EXECUTE in the place of `$1`, `$2`, …
struct Executed<'a>(&'a [Expr]);

impl VisitorMut for Executed<'_> {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<String> {
        let Expr::Value(value) = expr else { return ControlFlow::Continue(()) };
        let Value::Placeholder(name) = &value.value else { return ControlFlow::Continue(()) };
        if name.starts_with(':') {
            return ControlFlow::Continue(());
        }
        let index = name.trim_start_matches('$').parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match index.and_then(|index| self.0.get(index)) {
            Some(parameter) => {
                *expr = parameter.clone();
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(name.clone()),
        }
    }
}
