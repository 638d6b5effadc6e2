//! Jobs: work that waits in the catalog until a worker takes it.

use crate::{Parameters, RunId, ids::JobId};

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// Runs one statement.
    Statement,
    /// Runs a folder of SQL.
    Pipeline,
}

impl JobKind {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Statement, Self::Pipeline];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Pipeline => "pipeline",
        }
    }
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Waits for a worker, for the first time or for another try.
    Queued,
    /// A worker has it.
    Running,
    /// Done.
    Succeeded,
    /// Given up; it can be run again.
    Dead,
    /// Its owner stopped it; it can be run again.
    Cancelled,
}

impl JobState {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Succeeded, Self::Dead, Self::Cancelled];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Dead => "dead",
            Self::Cancelled => "cancelled",
        }
    }

    /// Returns true if nothing happens to it any more by itself.
    pub fn is_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Dead | Self::Cancelled)
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The work is done.
    Succeeded,
    /// The work failed.
    Failed,
    /// Its worker fell silent until its lease was over.
    Lost,
    /// The job's owner stopped it.
    Cancelled,
    /// The worker gave it back untouched.
    Released,
}

impl AttemptOutcome {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Succeeded, Self::Failed, Self::Lost, Self::Cancelled, Self::Released];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
            Self::Released => "released",
        }
    }
}

/// Why an attempt failed; this, never an error's text, decides whether there is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorClass {
    /// It may pass by itself: a busy catalog, a store that did not answer. Tried again.
    Transient,
    /// Trying again gives the same: the statement, the data or a right must change.
    Permanent,
    /// The job's time limit was reached.
    Timeout,
    /// The work panicked, which is a bug of ours.
    Panic,
    /// Its worker vanished. Tried again.
    Lost,
}

impl ErrorClass {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Transient, Self::Permanent, Self::Timeout, Self::Panic, Self::Lost];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Permanent => "permanent",
            Self::Timeout => "timeout",
            Self::Panic => "panic",
            Self::Lost => "lost",
        }
    }

    /// Returns true if another attempt may end otherwise.
    pub fn is_retried(self) -> bool {
        matches!(self, Self::Transient | Self::Lost)
    }
}

/// Jobs that share a name, of which only so many run at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcurrencyGroup {
    /// The name.
    pub name: String,
    /// How many of the group may run when this job starts, itself included; at least 1.
    pub limit: i64,
}

/// A job about to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What it does.
    pub kind: JobKind,
    /// The statement, or the pipeline's folder.
    pub work: String,
    /// The folder that relative paths of a statement start from.
    pub base_dir: String,
    /// The values of the `:name`s in it.
    pub parameters: Parameters,
    /// The run that all its attempts belong to: a fresh UUID, version 7. What an attempt has left in the
    /// lake carries its name, so that the next one finds it.
    pub run: RunId,
    /// The user whose rights hold.
    pub actor: String,
    /// A name that the actor gives to one job only: a second submission returns the first job.
    pub dedupe_key: Option<String>,
    /// Seconds of head start before jobs of priority 0; may be negative. So none waits forever.
    pub priority: i64,
    /// What it shares its turn with.
    pub group: Option<ConcurrencyGroup>,
    /// Attempts that may fail before it is given up; at least 1.
    pub max_attempts: i64,
    /// The longest an attempt may take, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// The most memory an attempt may take, in bytes; `None` for what its worker gives each job.
    pub memory_limit_bytes: Option<i64>,
}

/// A job. Instants are RFC 3339, UTC, by the database's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// What it does, for whom, and how it waits.
    pub spec: NewJob,
    /// Where it is.
    pub state: JobState,
    /// How often it was started.
    pub attempt: i64,
    /// Attempts that count against `max_attempts`: those that failed or were lost.
    pub n_failures: i64,
    /// True once its owner has asked to stop it.
    pub cancel_requested: bool,
    /// The worker that has it.
    pub worker: Option<String>,
    /// The code of the last error; none once it has succeeded.
    pub error_code: Option<String>,
    /// The error in words.
    pub error: Option<String>,
    /// When it was submitted.
    pub submitted_at: String,
    /// The earliest start of its next attempt.
    pub run_at: String,
    /// When its last attempt started.
    pub started_at: Option<String>,
    /// When it ended.
    pub finished_at: Option<String>,
}

/// An attempt of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The job.
    pub job: JobId,
    /// Its number, from 1.
    pub attempt: i64,
    /// Who made it.
    pub worker: String,
    /// When it started.
    pub started_at: String,
    /// When its worker was last heard of.
    pub heartbeat_at: String,
    /// When it ended.
    pub finished_at: Option<String>,
    /// How it ended; `None` while it runs.
    pub outcome: Option<AttemptOutcome>,
    /// Why it failed.
    pub class: Option<ErrorClass>,
    /// The code of its error.
    pub error_code: Option<String>,
    /// The error in words.
    pub error: Option<String>,
}

/// The right to write about an attempt. Whoever comes with it after its time is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The job.
    pub job: JobId,
    /// The attempt.
    pub attempt: i64,
    /// What nobody else knows.
    pub token: String,
}

/// Which jobs are listed, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobPage {
    /// Only those in this state.
    pub state: Option<JobState>,
    /// Only those of this user.
    pub actor: Option<String>,
    /// Only those before this one: the last of the page before.
    pub before: Option<JobId>,
    /// Only those from this one on.
    pub from: Option<JobId>,
    /// At most so many.
    pub limit: i64,
}

impl JobPage {
    /// Returns the page of the newest jobs.
    pub fn newest(limit: i64) -> Self {
        Self { state: None, actor: None, before: None, from: None, limit }
    }
}

/// What a worker asks of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub worker: String,
    /// For how many milliseconds it takes jobs.
    pub lease_ms: i64,
    /// How many it takes at most.
    pub limit: i64,
    /// The only groups whose jobs it takes; `None` for any job.
    pub groups: Option<Vec<String>>,
}

impl Claim {
    /// Returns a claim for one job of any group.
    pub fn one(worker: impl Into<String>, lease_ms: i64) -> Self {
        Self { worker: worker.into(), lease_ms, limit: 1, groups: None }
    }
}

/// A job in the hands of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedJob {
    /// The job.
    pub job: Job,
    /// The right to end it.
    pub lease: Lease,
}

/// How a worker ends an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The work is done.
    Succeeded,
    /// The work failed.
    Failed {
        /// Decides whether it is tried again.
        class: ErrorClass,
        /// The code of the error.
        code: String,
        /// The error in words; never a value of a row.
        error: String,
        /// If it is tried again: how long after now, in milliseconds.
        retry_after_ms: i64,
    },
    /// The work was stopped because its owner wished so.
    Cancelled,
    /// The work could not begin; somebody shall try after so many milliseconds. Counts as no failure.
    Released {
        /// How long.
        wait_ms: i64,
    },
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submitted {
    /// The job.
    pub job: Job,
    /// False if the dedupe key named a job that was there.
    pub is_new: bool,
}
