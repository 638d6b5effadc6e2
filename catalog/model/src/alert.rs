//! What people are alerted to: a pipeline that changes from well to failed, back, or is late.

use crate::ids::{AlertId, JobId};

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertTransition {
    /// A job of the pipeline is dead, and the one before was not.
    Failed,
    /// A job of the pipeline has succeeded, and the one before had not.
    Recovered,
    /// A firing of a schedule did not end in time.
    Late,
}

impl AlertTransition {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Failed, Self::Recovered, Self::Late];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Recovered => "recovered",
            Self::Late => "late",
        }
    }
}

/// An alert about to be raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAlert {
    /// Names the event: it is raised once, however many see it.
    pub key: String,
    /// What changed.
    pub transition: AlertTransition,
    /// The pipeline.
    pub pipeline: String,
    /// Its folder.
    pub folder: String,
    /// The job it is about.
    pub job: Option<JobId>,
}

/// An alert that somebody shall be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// What it says.
    pub spec: NewAlert,
    /// The run it is about.
    pub run: Option<String>,
    /// The code of the error.
    pub error_code: Option<String>,
    /// When it happened: RFC 3339, UTC, by the database's clock.
    pub at: String,
    /// Who was told already.
    pub delivered_to: Vec<String>,
    /// How often telling somebody failed.
    pub n_failures: i64,
}

/// What became of an attempt to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertEnd {
    /// All were told, or nobody wants to know.
    Delivered,
    /// Somebody could not be told; again after so many milliseconds.
    Again {
        /// How long.
        after_ms: i64,
    },
    /// Somebody could not be told for too long.
    GivenUp,
}
