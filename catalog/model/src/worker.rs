//! Workers, as the catalog knows them, and what they tell of an attempt.

use crate::ids::{JobId, WorkerId};

/// What a worker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerState {
    /// Takes jobs.
    Running,
    /// Ends what it has and takes no other.
    Draining,
    /// Has ended.
    Stopped,
    /// Was not heard of for as long as its lease; it may have been killed.
    Silent,
}

impl WorkerState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Running, Self::Draining, Self::Stopped, Self::Silent];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
            Self::Silent => "silent",
        }
    }
}

/// A worker about to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWorker {
    /// Its name in the record of attempts. Two that run at once should differ.
    pub name: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: i64,
    /// Jobs at once.
    pub slots: i64,
    /// The only groups whose jobs it takes; `None` takes every job.
    pub groups: Option<Vec<String>>,
    /// How long it may be silent, in milliseconds.
    pub lease_ms: i64,
}

/// A worker. Instants are RFC 3339, UTC, by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerRecord {
    /// Its id.
    pub id: WorkerId,
    /// What it said about itself.
    pub spec: NewWorker,
    /// What it is doing.
    pub state: WorkerState,
    /// When it started.
    pub started_at: String,
    /// When it was last heard of.
    pub heartbeat_at: String,
}

/// How grave a line of a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// What was asked for is done.
    Info,
    /// Something that the owner should look at.
    Warning,
    /// Something failed.
    Error,
}

impl LogLevel {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Error];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// A line about to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLogLine {
    /// The job.
    pub job: JobId,
    /// The attempt.
    pub attempt: i64,
    /// How long ago it happened, in milliseconds.
    pub age_ms: i64,
    /// How grave it is.
    pub level: LogLevel,
    /// The step it speaks of.
    pub step: Option<String>,
    /// What happened; never a value of a row or a literal of a statement.
    pub message: String,
}

/// A line of the log of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its place in the order of all lines.
    pub id: i64,
    /// The attempt.
    pub attempt: i64,
    /// When it happened: RFC 3339, UTC, by the database's clock.
    pub at: String,
    /// How grave it is.
    pub level: LogLevel,
    /// The step it speaks of.
    pub step: Option<String>,
    /// What happened.
    pub message: String,
}
