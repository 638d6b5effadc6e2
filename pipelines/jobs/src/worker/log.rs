//! What is told of attempts: lines for the catalog, written by one task for all attempts of a worker,
//! many at once, so that a job without news costs nothing and none waits for its lines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use causeway_model::{Catalog, JobId, LogLevel, NewLogLine};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

/// How often lines are written.
const PAUSE: Duration = Duration::from_millis(400);

/// How long the end of a worker waits for its last lines.
const LAST_LINES: Duration = Duration::from_secs(5);

/// Lines that may wait; what comes beyond is left out.
const WAITING: usize = 10_000;

/// Lines of one attempt; what comes beyond is left out, but for errors.
const LINES_OF_ATTEMPT: usize = 1_000;

/// Writes the lines of a worker.
#[derive(Debug)]
pub(super) struct Scribe {
    lines: mpsc::Sender<Told>,
    hurry: Arc<Notify>,
    task: JoinHandle<()>,
}

/// A line, and when it was told.
#[derive(Debug)]
struct Told {
    at: Instant,
    line: NewLogLine,
}

impl Scribe {
    pub(super) fn start(catalog: Arc<dyn Catalog>) -> Self {
        let (lines, waiting) = mpsc::channel(WAITING);
        let hurry = Arc::default();
        let task = tokio::spawn(write(catalog, waiting, Arc::clone(&hurry)));
        Self { lines, hurry, task }
    }

    /// Returns the log of an attempt.
    pub(super) fn log(&self, job: JobId, attempt: i64) -> AttemptLog {
        AttemptLog { job, attempt, n_lines: Arc::default(), lines: self.lines.clone(), hurry: Arc::clone(&self.hurry) }
    }

    /// Writes what is left. No attempt may run any more.
    pub(super) async fn end(self) {
        drop(self.lines);
        self.hurry.notify_one();
        if !matches!(tokio::time::timeout(LAST_LINES, self.task).await, Ok(Ok(()))) {
            tracing::warn!("the last lines of attempts are not kept");
        }
    }
}

async fn write(catalog: Arc<dyn Catalog>, mut waiting: mpsc::Receiver<Told>, hurry: Arc<Notify>) {
    let mut told = Vec::new();
    while waiting.recv_many(&mut told, WAITING).await > 0 {
        let lines: Vec<NewLogLine> = told.drain(..).map(Told::line).collect();
        if let Err(error) = catalog.add_log_lines(&lines).await {
            tracing::warn!(code = error.code(), n_lines = lines.len(), "lines of attempts are not kept");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = hurry.notified() => {}
        }
    }
}

impl Told {
    fn line(self) -> NewLogLine {
        let age_ms = i64::try_from(self.at.elapsed().as_millis()).unwrap_or(i64::MAX);
        NewLogLine { age_ms, ..self.line }
    }
}

/// The log of one attempt. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct AttemptLog {
    job: JobId,
    attempt: i64,
    n_lines: Arc<AtomicUsize>,
    lines: mpsc::Sender<Told>,
    hurry: Arc<Notify>,
}

impl AttemptLog {
    /// Has the lines written soon: somebody may wait for the last ones.
    pub(super) fn end(&self) {
        if self.n_lines.load(Ordering::Relaxed) > 0 {
            self.hurry.notify_one();
        }
    }

    /// Tells what happened. The message holds no value of a row and no literal of a statement.
    pub(super) fn tell(&self, level: LogLevel, step: Option<&str>, message: impl Into<String>) {
        let n_before = self.n_lines.fetch_add(1, Ordering::Relaxed);
        let message = match n_before {
            LINES_OF_ATTEMPT => "more happens than is told here".to_owned(),
            LINES_OF_ATTEMPT.. if level != LogLevel::Error => return,
            _ => message.into(),
        };
        let (job, attempt) = (self.job, self.attempt);
        let line = NewLogLine { job, attempt, age_ms: 0, level, step: step.map(str::to_owned), message };
        if self.lines.try_send(Told { at: Instant::now(), line }).is_err() {
            tracing::debug!(job = job.0, attempt, "a line of an attempt is left out");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> (AttemptLog, mpsc::Receiver<Told>) {
        let (lines, waiting) = mpsc::channel(WAITING);
        (AttemptLog { job: JobId(7), attempt: 2, n_lines: Arc::default(), lines, hurry: Arc::default() }, waiting)
    }

    #[test]
    fn an_attempt_that_tells_too_much_is_cut_short_and_still_says_why_it_failed() {
        let (log, mut waiting) = log();
        for number in 0..LINES_OF_ATTEMPT + 50 {
            log.tell(LogLevel::Info, None, format!("line {number}"));
        }
        log.tell(LogLevel::Error, Some("10_load"), "failed: CW0103");
        let mut lines = Vec::new();
        while let Ok(told) = waiting.try_recv() {
            lines.push(told.line());
        }
        assert_eq!(lines.len(), LINES_OF_ATTEMPT + 2);
        assert_eq!(lines[LINES_OF_ATTEMPT].message, "more happens than is told here");
        let last = lines.last().unwrap();
        assert_eq!(
            (last.level, last.step.as_deref(), last.job, last.attempt),
            (LogLevel::Error, Some("10_load"), JobId(7), 2)
        );
    }

    #[test]
    fn nobody_waits_for_a_line() {
        let (log, waiting) = log();
        drop(waiting);
        log.tell(LogLevel::Info, None, "nobody listens");
    }
}
