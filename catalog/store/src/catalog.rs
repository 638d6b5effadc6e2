//! The contract, kept once for both databases.
//!
//! What a database does in its own way is behind [`Backend`]: how a transaction starts, and how it is
//! made certain that it is recorded. The rest is SQL for both.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use causeway_audit::{Event, LogId, Node, NodeId, PublicKey};
use causeway_model::audit::{AuditRecord, AuditState, CoveredRows};
use causeway_model::{
    Agenda, Alert, AlertEnd, AlertId, Attempt, AuditLog, Backfill, BackfillId, BackfillStep, Budget, BudgetPolicy,
    Catalog, CatalogError, Change, ChangeRecord, Charge, ChargeId, ChargeLease, ChargePage, Claim, ClaimedJob, Dataset,
    DatasetId, DatasetVersion, Direction, Ending, Failure, Figures, Grant, Job, JobId, JobPage, JobQueue, JobState,
    Lease, Ledger, LineageRow, LogLine, Moment, NewAlert, NewBackfill, NewCharge, NewFile, NewJob, NewLogLine, NewRun,
    NewStep, NewWorker, OperatorUse, OutboxStatus, PolicyChange, Principal, Registered, ReleasedResult, Reservation,
    Result, Rights, RowPolicy, RuleFiring, Run, RunId, RunState, ScheduleBook, ScheduleEntry, ScheduleId, ScheduleSpec,
    Slot, Step, StepId, StepOutcome, StepState, StoredRelease, Submitted, TableName, TransactionCounts, TriggerFiring,
    VersionId, Watch, WorkerId, WorkerRecord, WorkerState,
};

use crate::connection::Connection;
use crate::error::{Result as StoreResult, StoreError};
use crate::lineage::{self, Question};
use crate::{access, audit, budget, check, complete, datasets, files, jobs, outbox, runs, schedules, steps, watch};

/// A catalog in a database. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SqlCatalog<B> {
    pub(crate) backend: B,
    writes: Arc<Writes>,
    /// The last claim found jobs that are due, and none whose turn it was.
    found_none: Arc<AtomicBool>,
}

/// Transactions that wrote, since the catalog was opened.
#[derive(Debug, Default)]
struct Writes {
    committed: AtomicU64,
    failed: AtomicU64,
}

impl Writes {
    fn count<T>(&self, outcome: &Result<T>) {
        let counter = if outcome.is_ok() { &self.committed } else { &self.failed };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

impl<B> SqlCatalog<B> {
    pub(crate) fn new(backend: B) -> Self {
        Self { backend, writes: Arc::default(), found_none: Arc::default() }
    }
}

/// What each database does in its own way.
pub(crate) trait Backend: Debug + Send + Sync {
    /// Starts a transaction that reads one state of the catalog.
    fn read(&self) -> impl Future<Output = StoreResult<Connection>> + Send;

    /// Returns a connection for one statement that reads.
    fn read_one(&self) -> impl Future<Output = StoreResult<Connection>> + Send;

    /// Starts a transaction that writes. No other one writes until it ends.
    fn write(&self) -> impl Future<Output = StoreResult<Connection>> + Send;

    /// Starts a transaction that takes or holds jobs and writes nothing else: what several may do at once
    /// where rows can be locked one by one.
    fn hold(&self) -> impl Future<Output = StoreResult<Connection>> + Send;

    /// Ends a transaction that wrote; returns only when it is certain whether it is recorded.
    fn commit(&self, connection: Connection) -> impl Future<Output = StoreResult<()>> + Send;

    /// Returns how long calls wait for a server that went away.
    fn patience(&self) -> Duration;

    /// Adds to a call's error where the catalog lies, if that helps.
    fn locate(&self, error: CatalogError) -> CatalogError {
        error
    }
}

/// How often and how long to try again.
pub(crate) struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { until: Instant::now() + limit, pause: Duration::from_millis(20) }
    }

    /// Returns true, after a pause, if the server went away and may still come back in time.
    pub(crate) async fn outlasts(&mut self, error: &StoreError) -> bool {
        if !error.is_connection_loss() || Instant::now() >= self.until {
            return false;
        }
        tracing::warn!("the connection to the catalog was lost; trying again");
        tokio::time::sleep(self.pause).await;
        self.pause = (self.pause * 2).min(Duration::from_secs(1));
        true
    }
}

/// Runs a transaction, and all of it again if the server went away: what is not committed has left
/// nothing behind.
macro_rules! transact {
    ($catalog:ident, $transaction:block) => {{
        let mut patience = Patience::new($catalog.backend.patience());
        loop {
            match async { $transaction }.await {
                Err(error) if patience.outlasts(&error).await => {}
                outcome => break outcome.map_err(|error: StoreError| $catalog.backend.locate(error.into())),
            }
        }
    }};
}

macro_rules! read {
    ($catalog:ident, |$connection:ident| $work:expr) => {
        transact!($catalog, {
            let $connection = &mut $catalog.backend.read().await?;
            $work.await
        })
    };
}

/// Reads by one statement, without a transaction around it.
macro_rules! read_one {
    ($catalog:ident, |$connection:ident| $work:expr) => {
        transact!($catalog, {
            let $connection = &mut $catalog.backend.read_one().await?;
            $work.await
        })
    };
}

/// Writes in a transaction that `start` starts, and counts it.
macro_rules! write_in {
    ($start:ident, $catalog:ident, |$connection:ident| $work:expr) => {{
        let outcome = transact!($catalog, {
            let mut transaction = $catalog.backend.$start().await?;
            let $connection = &mut transaction;
            let value = $work.await?;
            $catalog.backend.commit(transaction).await?;
            Ok::<_, StoreError>(value)
        });
        $catalog.writes.count(&outcome);
        outcome
    }};
}

/// Writes to the rows of single jobs, beside other writers.
macro_rules! hold {
    ($($call:tt)*) => { write_in!(hold, $($call)*) };
}

macro_rules! write {
    ($($call:tt)*) => { write_in!(write, $($call)*) };
}

#[async_trait]
impl<B: Backend> Catalog for SqlCatalog<B> {
    async fn schemas(&self) -> Result<Vec<String>> {
        read_one!(self, |connection| datasets::schemas(connection))
    }

    async fn dataset(&self, name: &TableName) -> Result<Option<Dataset>> {
        read_one!(self, |connection| datasets::live(connection, name))
    }

    async fn dataset_by_id(&self, id: DatasetId) -> Result<Dataset> {
        read_one!(self, |connection| datasets::by_id(connection, id))
    }

    async fn datasets(&self, include_dropped: bool) -> Result<Vec<Dataset>> {
        read_one!(self, |connection| datasets::list(connection, include_dropped))
    }

    async fn newest(&self, name: &TableName) -> Result<Option<(Dataset, Option<DatasetVersion>)>> {
        read_one!(self, |connection| datasets::newest(connection, name))
    }

    async fn latest_version(&self, dataset: DatasetId) -> Result<Option<DatasetVersion>> {
        read_one!(self, |connection| datasets::latest(connection, dataset))
    }

    async fn version(&self, dataset: DatasetId, version: i64) -> Result<Option<DatasetVersion>> {
        read_one!(self, |connection| datasets::numbered(connection, dataset, version))
    }

    async fn version_at(&self, dataset: DatasetId, instant: &str) -> Result<Option<DatasetVersion>> {
        read_one!(self, |connection| datasets::at(connection, dataset, instant))
    }

    async fn version_by_id(&self, id: VersionId) -> Result<DatasetVersion> {
        read_one!(self, |connection| datasets::version(connection, id))
    }

    async fn versions(&self, dataset: Option<DatasetId>) -> Result<Vec<DatasetVersion>> {
        read_one!(self, |connection| datasets::versions(connection, dataset))
    }

    async fn register_file(&self, file: &NewFile) -> Result<VersionId> {
        write!(self, |connection| files::register(connection, file))
    }

    async fn is_ingested(&self, table: &TableName, digest: &str, contract_digest: &str) -> Result<bool> {
        read_one!(self, |connection| files::is_ingested(connection, table, digest, contract_digest))
    }

    async fn begin_run(&self, run: &NewRun) -> Result<()> {
        write!(self, |connection| runs::begin(connection, run))
    }

    async fn resume_run(&self, run: &RunId) -> Result<()> {
        write!(self, |connection| runs::resume(connection, run))
    }

    async fn finish_run(&self, run: &RunId, state: RunState) -> Result<()> {
        write!(self, |connection| runs::finish(connection, run, state))
    }

    async fn run(&self, run: &RunId) -> Result<Run> {
        read_one!(self, |connection| runs::one(connection, run))
    }

    async fn latest_run(&self, pipeline: &str) -> Result<Option<Run>> {
        read_one!(self, |connection| runs::latest(connection, pipeline))
    }

    async fn runs(&self, limit: i64) -> Result<Vec<Run>> {
        read_one!(self, |connection| runs::list(connection, limit))
    }

    async fn begin_step(&self, step: &NewStep) -> Result<Step> {
        write!(self, |connection| steps::begin(connection, step))
    }

    async fn complete_step(&self, step: StepId, attempt: i64, outcome: &StepOutcome) -> Result<Vec<VersionId>> {
        write!(self, |connection| complete::complete(connection, step, attempt, outcome))
    }

    async fn fail_step(&self, step: StepId, attempt: i64, code: &str, error: &str) -> Result<()> {
        write!(self, |connection| steps::fail(connection, step, attempt, code, error))
    }

    async fn skip_step(&self, step: &NewStep, state: StepState) -> Result<Step> {
        write!(self, |connection| steps::skip(connection, step, state))
    }

    async fn step(&self, run: &RunId, name: &str) -> Result<Option<Step>> {
        read_one!(self, |connection| steps::named(connection, run, name))
    }

    async fn step_by_id(&self, id: StepId) -> Result<Step> {
        read_one!(self, |connection| steps::by_id(connection, id))
    }

    async fn steps(&self, run: Option<&RunId>) -> Result<Vec<Step>> {
        read_one!(self, |connection| steps::list(connection, run))
    }

    async fn operators(&self, step: StepId) -> Result<Vec<OperatorUse>> {
        read_one!(self, |connection| steps::operators(connection, step))
    }

    async fn all_operators(&self) -> Result<Vec<(StepId, OperatorUse)>> {
        read!(self, |connection| steps::all_operators(connection))
    }

    async fn last_success(&self, pipeline: &str, step: &str) -> Result<Option<Step>> {
        read_one!(self, |connection| steps::last_success(connection, pipeline, step))
    }

    async fn lineage(
        &self,
        target: VersionId,
        column: Option<&str>,
        direction: Direction,
        depth: Option<i64>,
    ) -> Result<Vec<LineageRow>> {
        let question = Question { target, column, direction, depth };
        read!(self, |connection| lineage::follow(connection, &question))
    }

    async fn rights(&self, user: &str) -> Result<Option<Rights>> {
        read_one!(self, |connection| access::rights(connection, user))
    }

    async fn principals(&self) -> Result<Vec<Principal>> {
        read!(self, |connection| access::principals(connection))
    }

    async fn grants(&self) -> Result<Vec<Grant>> {
        read_one!(self, |connection| access::grants(connection))
    }

    async fn row_policies(&self, table: Option<&TableName>) -> Result<Vec<RowPolicy>> {
        read_one!(self, |connection| access::policies(connection, table))
    }

    async fn pending_changes(&self, limit: i64) -> Result<Vec<Change>> {
        read!(self, |connection| outbox::pending(connection, limit))
    }

    async fn changes_delivered(&self, ids: &[i64]) -> Result<()> {
        write!(self, |connection| outbox::delivered(connection, ids))
    }

    async fn change_failed(&self, id: i64, failure: &Failure, held: bool) -> Result<()> {
        write!(self, |connection| outbox::failed(connection, id, failure, held))
    }

    async fn release_changes(&self) -> Result<u64> {
        write!(self, |connection| outbox::release(connection))
    }

    async fn changes(&self, run: Option<&RunId>) -> Result<Vec<ChangeRecord>> {
        read!(self, |connection| outbox::list(connection, run))
    }

    async fn outbox_status(&self) -> Result<OutboxStatus> {
        read!(self, |connection| outbox::status(connection))
    }

    async fn forget_changes(&self, days: i64, waiting: bool, up_to: Option<i64>, limit: i64) -> Result<u64> {
        write!(self, |connection| outbox::forget(connection, days, waiting, up_to, limit))
    }

    async fn claim_outbox(&self, holder: &str, seconds: i64) -> Result<bool> {
        write!(self, |connection| outbox::claim(connection, holder, seconds))
    }

    async fn yield_outbox(&self, holder: &str) -> Result<()> {
        write!(self, |connection| outbox::give_back(connection, holder))
    }

    async fn check(&self) -> Result<String> {
        read!(self, |connection| check::check(connection))
    }
}

#[async_trait]
impl<B: Backend> AuditLog for SqlCatalog<B> {
    async fn start_audit(&self, actor: &str, log: &LogId, key: &PublicKey) -> Result<()> {
        write!(self, |connection| audit::start(connection, actor, log, key))
    }

    async fn audit_state(&self) -> Result<Option<AuditState>> {
        read!(self, |connection| audit::state(connection))
    }

    async fn record(&self, event: Event) -> Result<Option<u64>> {
        write!(self, |connection| audit::append(connection, event.clone()))
    }

    async fn audit_records(&self, from: i64, limit: i64) -> Result<Vec<AuditRecord>> {
        read!(self, |connection| audit::records(connection, from, limit))
    }

    async fn audit_nodes(&self, ids: &[NodeId]) -> Result<Vec<Node>> {
        read!(self, |connection| audit::nodes(connection, ids))
    }

    async fn covered_rows(&self) -> Result<CoveredRows> {
        read!(self, |connection| audit::covered_rows(connection))
    }
}

#[async_trait]
impl<B: Backend> Budget for SqlCatalog<B> {
    async fn set_budget(&self, dataset: &TableName, policy: &BudgetPolicy, change: &PolicyChange) -> Result<Ledger> {
        write!(self, |connection| budget::set(connection, dataset, policy, change))
    }

    async fn budget(&self, dataset: &TableName) -> Result<Option<Ledger>> {
        read_one!(self, |connection| budget::account(connection, dataset))
    }

    async fn budgets(&self) -> Result<Vec<Ledger>> {
        read_one!(self, |connection| budget::all(connection))
    }

    async fn budgets_of(&self, inputs: &[VersionId]) -> Result<Vec<Ledger>> {
        read!(self, |connection| budget::of(connection, inputs))
    }

    async fn reserve_charge(&self, charge: &NewCharge, lease_ms: i64) -> Result<Reservation> {
        let datasets = read!(self, |connection| budget::sources(connection, &charge.inputs))?;
        write!(self, |connection| budget::reserve(connection, charge, &datasets, lease_ms))
    }

    async fn renew_charge(&self, lease: &ChargeLease, lease_ms: i64) -> Result<()> {
        write!(self, |connection| budget::renew(connection, lease, lease_ms))
    }

    async fn release_charge(&self, lease: &ChargeLease, result: &ReleasedResult) -> Result<Charge> {
        write!(self, |connection| budget::release(connection, lease, result))
    }

    async fn burn_charge(&self, lease: &ChargeLease, code: &str) -> Result<Charge> {
        write!(self, |connection| budget::burn(connection, lease, code))
    }

    async fn charge(&self, id: ChargeId) -> Result<Charge> {
        read_one!(self, |connection| budget::one(connection, id))
    }

    async fn charges(&self, page: &ChargePage) -> Result<Vec<Charge>> {
        read_one!(self, |connection| budget::charges(connection, page))
    }

    async fn stored_release(&self, question: &str) -> Result<Option<StoredRelease>> {
        read!(self, |connection| budget::stored(connection, question))
    }
}

#[async_trait]
impl<B: Backend> JobQueue for SqlCatalog<B> {
    async fn submit_job(&self, job: &NewJob) -> Result<Submitted> {
        write!(self, |connection| jobs::submit(connection, job))
    }

    async fn claim_jobs(&self, claim: &Claim) -> Result<Vec<ClaimedJob>> {
        let mut standing = read_one!(self, |connection| jobs::standing(connection))?;
        if standing.lapsed {
            write!(self, |connection| jobs::expire(connection))?;
            standing.due = true;
        }
        if !standing.due {
            return Ok(Vec::new());
        }
        if self.found_none.load(Ordering::Relaxed)
            && !read_one!(self, |connection| jobs::is_anybodys_turn(connection, claim))?
        {
            return Ok(Vec::new());
        }
        let claimed = hold!(self, |connection| jobs::claim(connection, claim))?;
        self.found_none.store(claimed.is_empty(), Ordering::Relaxed);
        Ok(claimed)
    }

    async fn renew_lease(&self, lease: &Lease, lease_ms: i64) -> Result<bool> {
        hold!(self, |connection| jobs::renew(connection, lease, lease_ms))
    }

    async fn end_attempts(&self, ends: &[(Lease, Ending)]) -> Result<Vec<Result<JobState>>> {
        write!(self, |connection| jobs::end_all(connection, ends))
    }

    async fn cancel_job(&self, job: JobId, actor: &str) -> Result<JobState> {
        write!(self, |connection| jobs::cancel(connection, job, actor))
    }

    async fn retry_job(&self, job: JobId, actor: &str) -> Result<Job> {
        write!(self, |connection| jobs::retry(connection, job, actor))
    }

    async fn job(&self, id: JobId) -> Result<Job> {
        read_one!(self, |connection| jobs::one(connection, id.0))
    }

    async fn jobs(&self, page: &JobPage) -> Result<Vec<Job>> {
        read_one!(self, |connection| jobs::list(connection, page))
    }

    async fn attempts(&self, job: Option<JobId>) -> Result<Vec<Attempt>> {
        read!(self, |connection| jobs::attempts(connection, job))
    }

    async fn open_jobs(&self) -> Result<i64> {
        read_one!(self, |connection| jobs::count_open(connection))
    }
}

#[async_trait]
impl<B: Backend> Watch for SqlCatalog<B> {
    async fn register_worker(&self, worker: &NewWorker) -> Result<WorkerId> {
        hold!(self, |connection| watch::workers::register(connection, worker))
    }

    async fn beat_worker(&self, worker: WorkerId, state: WorkerState) -> Result<()> {
        hold!(self, |connection| watch::workers::beat(connection, worker, state))
    }

    async fn workers(&self) -> Result<Vec<WorkerRecord>> {
        read!(self, |connection| watch::workers::list(connection))
    }

    async fn add_log_lines(&self, lines: &[NewLogLine]) -> Result<()> {
        hold!(self, |connection| watch::log::add(connection, lines))
    }

    async fn log_lines(&self, job: JobId, after: i64, limit: i64) -> Result<Vec<LogLine>> {
        read_one!(self, |connection| watch::log::list(connection, job, after, limit))
    }

    async fn job_of_run(&self, run: &str) -> Result<Option<JobId>> {
        read_one!(self, |connection| watch::log::job_of_run(connection, run))
    }

    async fn raise_alert(&self, alert: &NewAlert) -> Result<bool> {
        hold!(self, |connection| watch::alerts::raise(connection, alert))
    }

    async fn raise_late_alerts(&self, limit: i64) -> Result<u64> {
        if !read_one!(self, |connection| watch::alerts::is_look_due(connection))? {
            return Ok(0);
        }
        hold!(self, |connection| watch::alerts::raise_late(connection, limit))
    }

    async fn claim_alerts(&self, lease_ms: i64, limit: i64) -> Result<Vec<Alert>> {
        if !read_one!(self, |connection| watch::alerts::is_due(connection))? {
            return Ok(Vec::new());
        }
        hold!(self, |connection| watch::alerts::claim(connection, lease_ms, limit))
    }

    async fn end_alert(&self, alert: AlertId, delivered_to: &[String], end: AlertEnd) -> Result<()> {
        hold!(self, |connection| watch::alerts::end(connection, alert, delivered_to, end))
    }

    async fn figures(&self) -> Result<Figures> {
        read!(self, |connection| watch::figures::read(connection))
    }

    fn transactions(&self) -> TransactionCounts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        TransactionCounts { committed: count(&self.writes.committed), failed: count(&self.writes.failed) }
    }
}

#[async_trait]
impl<B: Backend> ScheduleBook for SqlCatalog<B> {
    async fn put_schedule(&self, spec: &ScheduleSpec, next_fire: Option<Moment>, actor: &str) -> Result<Registered> {
        write!(self, |connection| schedules::put(connection, spec, next_fire, actor))
    }

    async fn pause_schedule(&self, id: ScheduleId, actor: &str) -> Result<ScheduleEntry> {
        write!(self, |connection| schedules::pause(connection, id, actor))
    }

    async fn resume_schedule(&self, id: ScheduleId, next_fire: Option<Moment>, actor: &str) -> Result<ScheduleEntry> {
        write!(self, |connection| schedules::resume(connection, id, next_fire, actor))
    }

    async fn drop_schedule(&self, id: ScheduleId, actor: &str) -> Result<()> {
        write!(self, |connection| schedules::discard(connection, id, actor))
    }

    async fn schedules(&self) -> Result<Vec<ScheduleEntry>> {
        read!(self, |connection| schedules::all(connection))
    }

    async fn schedule(&self, name: &str) -> Result<Option<ScheduleEntry>> {
        read!(self, |connection| schedules::named(connection, name))
    }

    async fn agenda(&self) -> Result<Agenda> {
        read!(self, |connection| schedules::agenda(connection))
    }

    async fn fire(&self, firing: &RuleFiring) -> Result<Option<Vec<JobId>>> {
        write!(self, |connection| schedules::by_rule(connection, firing))
    }

    async fn fire_trigger(&self, firing: &TriggerFiring) -> Result<Option<JobId>> {
        write!(self, |connection| schedules::by_trigger(connection, firing))
    }

    async fn slots(&self, schedule: Option<ScheduleId>, limit: i64) -> Result<Vec<Slot>> {
        read!(self, |connection| schedules::slots(connection, schedule, limit))
    }

    async fn start_backfill(&self, new: &NewBackfill, actor: &str) -> Result<Backfill> {
        write!(self, |connection| schedules::start(connection, new, actor))
    }

    async fn continue_backfill(&self, step: &BackfillStep) -> Result<Option<Backfill>> {
        write!(self, |connection| schedules::continue_backfill(connection, step))
    }

    async fn cancel_backfill(&self, id: BackfillId, actor: &str) -> Result<Backfill> {
        write!(self, |connection| schedules::cancel_backfill(connection, id, actor))
    }

    async fn backfill(&self, id: BackfillId) -> Result<Backfill> {
        read_one!(self, |connection| schedules::backfill(connection, id))
    }

    async fn backfills(&self, schedule: Option<ScheduleId>) -> Result<Vec<Backfill>> {
        read_one!(self, |connection| schedules::backfills(connection, schedule))
    }
}
