//! What is known of workers and attempts while they work, and who is told of it.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    Alert, AlertEnd, AlertId, JobId, JobState, LogLine, Moment, NewAlert, NewLogLine, NewWorker, Result, TableName,
    WorkerId, WorkerRecord, WorkerState,
};

/// The lines of all attempts that are kept; the oldest go first.
pub const KEPT_LOG_LINES: i64 = 200_000;

/// Tables, and schedules, whose figures are told; beyond it a scrape would grow with the lake.
pub const TOLD_TABLES: i64 = 1_000;

/// A table, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFigures {
    /// The table.
    pub name: TableName,
    /// Its newest version.
    pub version: i64,
    /// The files of that version.
    pub n_files: Option<i64>,
}

/// A schedule, as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleFigures {
    /// The schedule.
    pub name: String,
    /// When a job of it has succeeded last; jobs of backfills do not count.
    pub last_success: Option<Moment>,
}

/// Transactions by which this process wrote to the catalog since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TransactionCounts {
    /// Those that were committed.
    pub committed: u64,
    /// Those that were not: refused, in conflict, or the database was away for too long.
    pub failed: u64,
}

/// What the catalog counts. Reading it costs about the same whatever has ended before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// Jobs by state; those that have succeeded are not counted again each time.
    pub jobs: Vec<(JobState, i64)>,
    /// For how long the oldest job that is due has waited, in milliseconds.
    pub oldest_due_ms: i64,
    /// Attempts whose lease went over, ever.
    pub n_lost_attempts: i64,
    /// Workers by state; those that have stopped are left out.
    pub workers: Vec<(WorkerState, i64)>,
    /// Alerts that somebody is still to be told.
    pub n_waiting_alerts: i64,
    /// The tables of the lake, at most [`TOLD_TABLES`].
    pub tables: Vec<TableFigures>,
    /// For how long the next firing of an active schedule has been due, in milliseconds; of the one that waits
    /// longest.
    pub schedule_lag_ms: i64,
    /// The schedules, at most [`TOLD_TABLES`].
    pub schedules: Vec<ScheduleFigures>,
}

/// Workers, logs of attempts, alerts, and counts of all of it.
#[async_trait]
pub trait Watch: Send + Sync + Debug {
    /// Adds a worker that starts. Those gone for a week are forgotten.
    async fn register_worker(&self, worker: &NewWorker) -> Result<WorkerId>;

    /// Says that a worker lives, and what it is doing.
    async fn beat_worker(&self, worker: WorkerId, state: WorkerState) -> Result<()>;

    /// Lists the workers, newest first.
    async fn workers(&self) -> Result<Vec<WorkerRecord>>;

    /// Keeps lines of attempts; the oldest beyond [`KEPT_LOG_LINES`] are forgotten.
    async fn add_log_lines(&self, lines: &[NewLogLine]) -> Result<()>;

    /// Lists the lines of a job's attempts that come after the line `after`, in order, at most `limit`.
    async fn log_lines(&self, job: JobId, after: i64, limit: i64) -> Result<Vec<LogLine>>;

    /// Finds the job that a run belongs to, by the run's id or its beginning. `None` if there is none, or
    /// more than one.
    async fn job_of_run(&self, run: &str) -> Result<Option<JobId>>;

    /// Raises an alert; returns false if its key was raised before.
    async fn raise_alert(&self, alert: &NewAlert) -> Result<bool>;

    /// Raises an alert for each job of a schedule that is late and was not told of, at most `limit`; returns
    /// how many. See [`crate::Slot::lateness`].
    async fn raise_late_alerts(&self, limit: i64) -> Result<u64>;

    /// Takes alerts that are due, at most `limit`. Nobody else takes them for `lease_ms` milliseconds.
    async fn claim_alerts(&self, lease_ms: i64, limit: i64) -> Result<Vec<Alert>>;

    /// Says who was told of an alert, and whether that is all.
    async fn end_alert(&self, alert: AlertId, delivered_to: &[String], end: AlertEnd) -> Result<()>;

    /// Counts.
    async fn figures(&self) -> Result<Figures>;

    /// Returns how often this process wrote to the catalog.
    fn transactions(&self) -> TransactionCounts;
}
