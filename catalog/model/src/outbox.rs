//! What happened to a run or a step, as the row of the outbox says it.

use crate::{Run, RunId, RunState, Step, StepId, StepState};

/// The codes of a statement and of a load that were cancelled.
const CANCELLED: [&str; 2] = ["CW0204", "CW0513"];

/// A transition of a run or a step; the OpenLineage event types that we send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transition {
    /// It started.
    Start,
    /// It ended well.
    Complete,
    /// It failed.
    Fail,
    /// It ended without a result and without a fault of its own: cancelled, killed, or not started
    /// because a step it reads from failed.
    Abort,
}

impl Transition {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Start, Self::Complete, Self::Fail, Self::Abort];

    /// Returns OpenLineage's `eventType`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
        }
    }

    /// Returns the transition of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|transition| transition.name() == name)
    }

    /// Returns the transition of a step that ended with an error of this code.
    pub fn of_failure(code: &str) -> Self {
        if CANCELLED.contains(&code) { Self::Abort } else { Self::Fail }
    }

    /// Returns the last transition of a run.
    pub fn of_run(run: &Run) -> Self {
        match run.state {
            RunState::Running => Self::Start,
            RunState::Succeeded => Self::Complete,
            RunState::Failed => Self::Fail,
        }
    }

    /// Returns the last transition of a step; `None` for one that was up to date: nothing happened.
    pub fn of_step(step: &Step) -> Option<Self> {
        match step.state {
            StepState::Running => Some(Self::Start),
            StepState::Succeeded => Some(Self::Complete),
            StepState::Failed => Some(Self::of_failure(step.error_code.as_deref().unwrap_or_default())),
            StepState::Blocked => Some(Self::Abort),
            StepState::UpToDate => None,
        }
    }
}

/// A transition that waits to be told. An outbox row is written in the transaction that records
/// the transition itself, so neither exists without the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The row's number; rows of one run are numbered in the order in which they happened.
    pub id: i64,
    /// The run.
    pub run: RunId,
    /// The step; `None` if the run itself changed.
    pub step: Option<StepId>,
    /// The step's attempt; 0 for a step that was not started, and for a run.
    pub attempt: i64,
    /// What happened.
    pub transition: Transition,
    /// When (RFC 3339, UTC, the database's clock).
    pub at: String,
    /// Why, if it failed.
    pub failure: Option<Failure>,
}

/// Why a step failed, or why a change could not be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The code of the error's page.
    pub code: String,
    /// The error in words; it holds no row value, as no error of ours does.
    pub message: String,
}

/// A change, and how far the telling of it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeRecord {
    /// The change.
    pub change: Change,
    /// The name of its step.
    pub step: Option<String>,
    /// When it was told; `None` while it waits.
    pub delivered_at: Option<String>,
    /// The last try that failed.
    pub last_failure: Option<Failure>,
    /// How many tries failed.
    pub n_failures: i64,
    /// True if it waits until somebody has looked at it, and the later ones of its run with it.
    pub held: bool,
}

/// What waits in the outbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutboxStatus {
    /// Changes that wait, the held ones among them.
    pub n_waiting: i64,
    /// Runs whose changes wait until somebody has looked.
    pub held: Vec<RunId>,
    /// When the oldest change that waits happened.
    pub oldest: Option<String>,
    /// Why the oldest change that waits and was tried could not be told.
    pub last_failure: Option<Failure>,
}
