//! What can go wrong with a pipeline, by what its reader can do.

use std::path::{Path, PathBuf};

use causeway_engine::EngineError;
use causeway_model::{CatalogError, ParameterError};

/// The result of a call of this crate.
pub type Result<T, E = JobsError> = std::result::Result<T, E>;

/// A pipeline cannot be loaded, planned or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JobsError {
    /// `pipeline.toml` is wrong. Its author fixes it.
    #[error("{place}: {problem}")]
    Manifest {
        /// File and line.
        place: String,
        /// What is wrong, what is allowed.
        problem: String,
    },
    /// A step's file or header is wrong. Its author fixes it.
    #[error("{place}: {problem}")]
    Step {
        /// File and line.
        place: String,
        /// What is wrong, what is allowed.
        problem: String,
    },
    /// A step's SQL is wrong. Its author fixes it.
    #[error("{place}: {source}")]
    Statement {
        /// File and line.
        place: String,
        /// The engine's refusal.
        source: EngineError,
    },
    /// Steps wait for each other. Their author breaks the circle.
    #[error("steps wait for each other: {cycle} ({reasons}); a step runs after all steps that write what it reads")]
    Cycle {
        /// `a → b → a`.
        cycle: String,
        /// Why each waits for the one before.
        reasons: String,
    },
    /// Two steps, or two included pipelines, contradict each other.
    #[error("{0}")]
    Conflict(String),
    /// The schedule is no schedule. Its author fixes it.
    #[error("{0}")]
    Schedule(String),
    /// The pipeline is running in another process. Trying again later will help.
    #[error("pipeline `{pipeline}` is running in another process, which holds {lock}; wait until it ends or stop it")]
    Locked {
        /// The pipeline.
        pipeline: String,
        /// The lock's file.
        lock: String,
    },
    /// A file or folder cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's refusal.
        source: std::io::Error,
    },
    /// A blocking check is not true. The data or the check must change.
    #[error("check {number} is {found}: {sql}")]
    CheckFailed {
        /// The check's number in its file, from 1.
        number: usize,
        /// `false` or `null`.
        found: &'static str,
        /// The check.
        sql: String,
    },
    /// A check's query does not answer yes or no. Its author fixes it.
    #[error("check {number} must return one row with one boolean column, it returned {found}")]
    CheckShape {
        /// The check's number in its file, from 1.
        number: usize,
        /// What came instead.
        found: String,
    },
    /// The work is no job. Its author fixes it.
    #[error("a job is one statement that changes something: {0}")]
    NotAJob(&'static str),
    /// The user lacks a right; ask for it.
    #[error("{0}")]
    Denied(String),
    /// A job has reached its time limit.
    #[error("the job's time limit of {limit_ms} ms is reached; submit it with a longer one, or reduce its work")]
    TimedOut {
        /// The limit.
        limit_ms: i64,
    },
    /// The code that does a job's work panicked: our bug.
    #[error("the job panicked, which is a bug; please report what it does")]
    Panicked,
    /// A job's work was stopped from outside. Trying again will help.
    #[error("the work was stopped before its end")]
    Stopped,
    /// A parameter is none.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The engine refused or failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The catalog refused or failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl JobsError {
    /// Returns the code of the error's page in the docs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Manifest { .. } => "CW0601",
            Self::Step { .. } => "CW0602",
            Self::Cycle { .. } => "CW0603",
            Self::Conflict(_) => "CW0604",
            Self::Schedule(_) => "CW0605",
            Self::Locked { .. } => "CW0606",
            Self::Io { .. } => "CW0607",
            Self::CheckFailed { .. } => "CW0608",
            Self::CheckShape { .. } => "CW0609",
            Self::NotAJob(_) => "CW0610",
            Self::Denied(_) => "CW0109",
            Self::TimedOut { .. } => "CW0611",
            Self::Panicked => "CW0612",
            Self::Stopped => "CW0613",
            Self::Statement { source, .. } | Self::Engine(source) => source.code(),
            Self::Parameter(error) => error.code(),
            Self::Catalog(error) => error.code(),
        }
    }

    /// Returns true if the same call may succeed when tried again.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Locked { .. } | Self::Stopped => true,
            Self::Statement { source, .. } | Self::Engine(source) => source.retryable(),
            Self::Catalog(error) => error.retryable(),
            _ => false,
        }
    }

    /// Returns true if code panicked, which is our bug.
    pub fn panicked(&self) -> bool {
        match self {
            Self::Panicked => true,
            Self::Statement { source, .. } | Self::Engine(source) => source.panicked(),
            _ => false,
        }
    }

    /// Returns how to fix it, if there is more to say than the message does.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Statement { source, .. } | Self::Engine(source) => source.hint().map(|hint| hint.to_string()),
            _ => None,
        }
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// Names a line of a file.
pub(crate) fn place(file: &Path, line: usize) -> String {
    format!("{}:{line}", file.display())
}
