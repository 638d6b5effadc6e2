//! What a run did, for people and for programs.

use causeway_model::RunId;
use serde::Serialize;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// Every step is done and every blocking check is true.
    Succeeded,
    /// A step or a blocking check failed; running again goes on from there.
    Failed,
    /// The owner stopped it; running again goes on from there.
    Cancelled,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// Done in this run.
    Succeeded,
    /// Nothing it depends on has changed since it last succeeded.
    UpToDate,
    /// Done by this run before it was interrupted.
    DoneBefore,
    /// The statement or a blocking check failed.
    Failed,
    /// A step it waits for failed.
    Blocked,
    /// The owner stopped it.
    Cancelled,
    /// The run was stopped before its turn came.
    NotStarted,
}

impl StepStatus {
    /// Returns true if the steps that wait for it may run.
    pub(crate) fn is_good(self) -> bool {
        matches!(self, Self::Succeeded | Self::UpToDate | Self::DoneBefore)
    }
}

/// An error of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepError {
    /// The code of its page in the docs.
    pub code: String,
    /// What happened.
    pub message: String,
    /// How to fix it, if there is more to say.
    pub hint: Option<String>,
    /// True if the step may succeed when it is run again.
    #[serde(skip)]
    pub retryable: bool,
    /// True if the step panicked, which is our bug.
    #[serde(skip)]
    pub panicked: bool,
}

/// A check of a step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckSummary {
    /// Its number in the file, from 1.
    pub number: usize,
    /// The query.
    pub sql: String,
    /// True if its failure fails the step.
    pub blocking: bool,
    /// True if it holds.
    pub passed: bool,
}

/// A version of a table or view that a step made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OutputSummary {
    /// The table or view.
    pub table: String,
    /// The version.
    pub version: i64,
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepSummary {
    /// Its name.
    pub name: String,
    /// What the statement does: `copy_into`, `create_table`, …
    pub kind: &'static str,
    /// How it ended.
    pub status: StepStatus,
    /// The versions it made, or, if up to date, has made.
    pub outputs: Vec<OutputSummary>,
    /// Rows read from tables and files.
    pub rows_in: Option<u64>,
    /// Rows written or changed.
    pub rows_out: Option<u64>,
    /// Rows refused by a schema contract.
    pub rows_quarantined: Option<u64>,
    /// Wall time, checks included.
    pub duration_ms: u64,
    /// How often it was tried again.
    pub retries: u32,
    /// Its checks.
    pub checks: Vec<CheckSummary>,
    /// Things the user should know.
    pub warnings: Vec<String>,
    /// Why it failed.
    pub error: Option<StepError>,
    /// The failed steps that stand in its way.
    pub blocked_by: Vec<String>,
}

/// Counts over all steps. Rows are those moved by this call: steps done before count no rows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Steps done.
    pub n_succeeded: usize,
    /// Steps that had nothing to do.
    pub n_up_to_date: usize,
    /// Steps done before an interruption.
    pub n_done_before: usize,
    /// Steps failed.
    pub n_failed: usize,
    /// Steps not started because of others.
    pub n_blocked: usize,
    /// Steps stopped or not started because the run was stopped.
    pub n_stopped: usize,
    /// Checks that hold.
    pub n_checks_passed: usize,
    /// Checks that do not.
    pub n_checks_failed: usize,
    /// Rows read.
    pub rows_in: u64,
    /// Rows written.
    pub rows_out: u64,
    /// Rows refused.
    pub rows_quarantined: u64,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// The run.
    pub run: RunId,
    /// The pipeline.
    pub pipeline: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// True if it went on with an interrupted run.
    pub resumed: bool,
    /// True if every step was up to date: nothing was written.
    pub nothing_to_do: bool,
    /// The steps in the order they ran.
    pub steps: Vec<StepSummary>,
    /// Counts over all steps.
    pub totals: Totals,
    /// Wall time.
    pub duration_ms: u64,
}

impl Totals {
    /// Counts.
    pub(crate) fn of(steps: &[StepSummary]) -> Self {
        let mut totals = Self::default();
        for step in steps {
            *totals.of_status(step.status) += 1;
            for check in &step.checks {
                *(if check.passed { &mut totals.n_checks_passed } else { &mut totals.n_checks_failed }) += 1;
            }
            if step.status != StepStatus::DoneBefore {
                totals.rows_in += step.rows_in.unwrap_or(0);
                totals.rows_out += step.rows_out.unwrap_or(0);
                totals.rows_quarantined += step.rows_quarantined.unwrap_or(0);
            }
        }
        totals
    }

    fn of_status(&mut self, status: StepStatus) -> &mut usize {
        match status {
            StepStatus::Succeeded => &mut self.n_succeeded,
            StepStatus::UpToDate => &mut self.n_up_to_date,
            StepStatus::DoneBefore => &mut self.n_done_before,
            StepStatus::Failed => &mut self.n_failed,
            StepStatus::Blocked => &mut self.n_blocked,
            StepStatus::Cancelled | StepStatus::NotStarted => &mut self.n_stopped,
        }
    }
}
