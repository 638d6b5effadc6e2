//! Says in words what happens in an attempt: counts, times and codes, never what a statement says.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use causeway_engine::{ProgressEvent, StepReport};
use causeway_model::{LogLevel, StepState};

use super::log::AttemptLog;
use crate::run::RunEvent;
use crate::summary::{StepStatus, StepSummary};

/// How often a step that runs long says how far it is.
const PROGRESS: Duration = Duration::from_secs(5);

/// Tells the log of an attempt what its runner says.
pub(super) struct Narrator {
    log: AttemptLog,
    /// When progress was told last.
    told: Mutex<Instant>,
}

impl Narrator {
    pub(super) fn new(log: AttemptLog) -> Self {
        Self { log, told: Mutex::new(Instant::now()) }
    }

    /// Tells what happened in a pipeline.
    pub(super) fn run(&self, event: &RunEvent) {
        match event {
            RunEvent::Started { resumed, n_steps, .. } => {
                let how = if *resumed { "goes on with a run of" } else { "begins a run of" };
                self.info(None, format!("{how} {}", counted(*n_steps, "step")));
            }
            RunEvent::StepStarted { name, .. } => self.info(Some(name), "started".to_owned()),
            RunEvent::StepProgress { name, event } => self.progress(Some(name), *event),
            RunEvent::StepRetried { name, code, wait } => {
                let message = format!("failed with {code}; tried again in {:.1} s", wait.as_secs_f64());
                self.log.tell(LogLevel::Warning, Some(name), message);
            }
            RunEvent::StepFinished(summary) => self.step(summary),
        }
    }

    /// Tells, from time to time, how far a step is.
    pub(super) fn progress(&self, step: Option<&str>, event: ProgressEvent) {
        if let Some(note) = event.note() {
            return self.info(step, note);
        }
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.elapsed() < PROGRESS {
            return;
        }
        *told = Instant::now();
        drop(told);
        let message = match event {
            ProgressEvent::RowsRead(rows) => format!("{rows} rows read so far"),
            ProgressEvent::Share(share) => format!("{:.0} % done", 100.0 * share.clamp(0.0, 1.0)),
            ProgressEvent::ServedAgain { .. } => return,
        };
        self.info(step, message);
    }

    /// Tells what the only step of a statement's job did.
    pub(super) fn statement(&self, report: &StepReport) {
        let done = if report.state == StepState::UpToDate { "up to date" } else { "done" };
        let rows = rows(report.rows_in, report.rows_out, report.rows_quarantined);
        self.info(None, format!("{done}{rows}, {:.1} s", report.duration.as_secs_f64()));
        self.warn(None, report.warnings.len());
    }

    fn step(&self, summary: &StepSummary) {
        let step = Some(summary.name.as_str());
        let failed_checks = summary.checks.iter().filter(|check| !check.passed);
        for check in failed_checks.clone() {
            let level = if check.blocking { LogLevel::Error } else { LogLevel::Warning };
            self.log.tell(level, step, format!("check {} does not hold", check.number));
        }
        // Each check that only warns has left a warning, which repeats its query.
        let n_warned = failed_checks.filter(|check| !check.blocking).count();
        self.warn(step, summary.warnings.len().saturating_sub(n_warned));
        let (level, message) = outcome(summary);
        self.log.tell(level, step, message);
    }

    /// Warnings may quote the statement; they stand in the record of the run.
    fn warn(&self, step: Option<&str>, n_warnings: usize) {
        if n_warnings > 0 {
            self.log.tell(LogLevel::Warning, step, counted(n_warnings, "warning"));
        }
    }

    fn info(&self, step: Option<&str>, message: String) {
        self.log.tell(LogLevel::Info, step, message);
    }
}

fn outcome(summary: &StepSummary) -> (LogLevel, String) {
    let seconds = Duration::from_millis(summary.duration_ms).as_secs_f64();
    let rows = rows(summary.rows_in, summary.rows_out, summary.rows_quarantined);
    let n_passed = summary.checks.iter().filter(|check| check.passed).count();
    let checks = if n_passed > 0 { format!(", {} held", counted(n_passed, "check")) } else { String::new() };
    match summary.status {
        StepStatus::Succeeded => (LogLevel::Info, format!("done{rows}{checks}, {seconds:.1} s")),
        StepStatus::UpToDate => (LogLevel::Info, format!("up to date{checks}")),
        StepStatus::DoneBefore => (LogLevel::Info, format!("done by an earlier attempt{checks}")),
        StepStatus::Failed => {
            let code = summary.error.as_ref().map_or("no code", |error| error.code.as_str());
            (LogLevel::Error, format!("failed with {code} after {seconds:.1} s"))
        }
        StepStatus::Blocked => (LogLevel::Warning, format!("not started: {} failed", summary.blocked_by.join(", "))),
        StepStatus::Cancelled => (LogLevel::Warning, format!("stopped after {seconds:.1} s")),
        StepStatus::NotStarted => (LogLevel::Warning, "not started: the run was stopped".to_owned()),
    }
}

fn rows(read: Option<u64>, written: Option<u64>, quarantined: Option<u64>) -> String {
    let part = |rows: Option<u64>, what: &str| rows.map(|rows| format!(", {rows} rows {what}")).unwrap_or_default();
    let refused = part(quarantined.filter(|rows| *rows > 0), "quarantined");
    format!("{}{}{refused}", part(read, "read"), part(written, "written"))
}

fn counted(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::summary::{CheckSummary, StepError};

    fn summary(status: StepStatus) -> StepSummary {
        StepSummary {
            name: "10_load".to_owned(),
            kind: "copy_into",
            status,
            outputs: Vec::new(),
            rows_in: Some(228),
            rows_out: Some(227),
            rows_quarantined: Some(1),
            duration_ms: 1_240,
            retries: 0,
            checks: Vec::new(),
            warnings: Vec::new(),
            error: None,
            blocked_by: vec!["05_first".to_owned()],
        }
    }

    #[test]
    fn a_step_is_told_by_its_counts() {
        let (level, message) = outcome(&summary(StepStatus::Succeeded));
        assert_eq!(level, LogLevel::Info);
        assert_eq!(message, "done, 228 rows read, 227 rows written, 1 rows quarantined, 1.2 s");
        assert_eq!(outcome(&summary(StepStatus::Blocked)).1, "not started: 05_first failed");
    }

    #[test]
    fn what_failed_is_told_by_its_code_and_not_by_its_words() {
        let secret = "1984-03-02";
        let mut failed = summary(StepStatus::Failed);
        failed.error = Some(StepError {
            code: "CW0201".to_owned(),
            message: format!("{secret} is no number"),
            hint: None,
            retryable: false,
            panicked: false,
        });
        failed.checks.push(CheckSummary {
            number: 2,
            sql: format!("SELECT count(*) = 0 FROM a.t WHERE born = '{secret}'"),
            blocking: true,
            passed: false,
        });
        let (level, message) = outcome(&failed);
        assert_eq!((level, message.as_str()), (LogLevel::Error, "failed with CW0201 after 1.2 s"));
    }
}
