//! What happened to a run or a step, as the row of an outbox says it.

use causeway_model::{Run, RunId, RunState, Step, StepId, StepState};

/// The code of a statement that was cancelled.
const CANCELLED: &str = "CW0204";

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
            StepState::Failed if step.error_code.as_deref() == Some(CANCELLED) => Some(Self::Abort),
            StepState::Failed => Some(Self::Fail),
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
    /// The step's attempt; of no meaning for a run.
    pub attempt: i64,
    /// What happened.
    pub transition: Transition,
    /// When (RFC 3339, UTC, the database's clock).
    pub at: String,
    /// Why, if it failed.
    pub failure: Option<Failure>,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The code of the error's page.
    pub code: String,
    /// The error in words; it holds no row value, as no error of ours does.
    pub message: String,
}
