//! What can go wrong in a catalog, by what the caller can do.

use crate::Shortfall;

/// The result of a catalog call.
pub type Result<T, E = CatalogError> = std::result::Result<T, E>;

/// The code of an attempt whose worker vanished.
pub const WORKER_LOST: &str = "CW0410";

/// A catalog call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The thing named does not exist.
    #[error("{what} `{name}` does not exist")]
    NotFound {
        /// Dataset, schema, run, step, version.
        what: &'static str,
        /// Its name or id.
        name: String,
    },
    /// The thing named exists already.
    #[error("{what} `{name}` exists already")]
    AlreadyExists {
        /// Dataset, schema, run.
        what: &'static str,
        /// Its name or id.
        name: String,
    },
    /// The call asks for something that cannot be recorded; the caller fixes the call.
    #[error("{0}")]
    Invalid(String),
    /// The step is not running: another process completed or restarted it.
    #[error("step {step} is no longer running attempt {attempt}; its result is discarded")]
    Stale {
        /// The step's id.
        step: i64,
        /// The attempt that came too late.
        attempt: i64,
    },
    /// The worker's lease on a job is over: another one may have the job.
    #[error("the lease on job {job} is over; the result of attempt {attempt} is discarded")]
    LeaseLost {
        /// The job's id.
        job: i64,
        /// The attempt that came too late.
        attempt: i64,
    },
    /// A release would cost more than a privacy budget has left. Nothing was charged; trying again will not help.
    #[error("{0}")]
    BudgetExceeded(Box<Shortfall>),
    /// The policy of a privacy budget does not admit such a release, whatever it costs. Nothing was charged.
    #[error("the privacy budget of `{dataset}` does not admit the release: {reason}")]
    BudgetTerms {
        /// The dataset whose policy it is.
        dataset: String,
        /// What it asks for.
        reason: String,
    },
    /// The release was given up after it was paid for; the same key never gives a result.
    #[error("charge {charge} was burned: its release failed after it was paid for; ask anew, which is charged anew")]
    ChargeBurned {
        /// The charge's number.
        charge: i64,
    },
    /// Somebody else has taken a charge over, or it has ended.
    #[error("charge {charge} is no longer held by this worker; its result is discarded")]
    ChargeLost {
        /// The charge's number.
        charge: i64,
    },
    /// The catalog was made by a newer binary.
    #[error("the catalog has schema version {found}, this binary knows up to {known}; use a newer causeway")]
    Newer {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// Another process holds the catalog; trying again will help.
    #[error("the catalog is busy: {0}")]
    Busy(String),
    /// The catalog's disk is full; nothing of the call was recorded. The operator frees space.
    #[error("the catalog cannot grow: {0}")]
    Full(String),
    /// The database refused or is not there.
    #[error("catalog: {0}")]
    Backend(String),
    /// The stored content does not have the expected form.
    #[error("the catalog is damaged: {0}")]
    Damaged(String),
}

impl CatalogError {
    /// Returns true if the same call may succeed when tried again.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Full(_))
    }

    /// Returns the code of the error's page in the docs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "CW0401",
            Self::AlreadyExists { .. } => "CW0402",
            Self::Stale { .. } => "CW0403",
            Self::Newer { .. } => "CW0404",
            Self::Busy(_) => "CW0405",
            Self::Backend(_) => "CW0406",
            Self::Damaged(_) => "CW0407",
            Self::Invalid(_) => "CW0408",
            Self::LeaseLost { .. } => "CW0409",
            Self::Full(_) => "CW0411",
            Self::BudgetExceeded(_) => "CW0412",
            Self::BudgetTerms { .. } => "CW0413",
            Self::ChargeBurned { .. } => "CW0414",
            Self::ChargeLost { .. } => "CW0415",
        }
    }
}
