//! One attempt at a job, from its claim to what is written about it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_model::{AttemptOutcome, CatalogError, ClaimedJob, Ending, ErrorClass, Job, JobState, Lease, LogLevel};
use tokio::task::JoinError;
use tracing::Instrument as _;

use super::execute::{Done, Fault, Work, execute};
use super::heart::{Flags, Held, Stop};
use super::log::AttemptLog;
use super::{AttemptDone, Shared, WorkerEvent, backoff};
use crate::error::JobsError;

/// The wait before an end that could not be written is written again.
const AGAIN: Duration = Duration::from_millis(200);

/// An attempt that has begun.
pub(super) struct Attempt {
    shared: Arc<Shared>,
    job: Job,
    lease: Lease,
    flags: Flags,
    log: AttemptLog,
}

impl Attempt {
    /// Begins to hold the job; `asked` is when the claim was sent.
    pub(super) fn new(shared: Arc<Shared>, claimed: ClaimedJob, asked: Instant) -> Self {
        let ClaimedJob { job, lease } = claimed;
        let timeout = job.spec.timeout_ms.map(|timeout| Duration::from_millis(timeout.unsigned_abs()));
        let held = Held::new(lease.clone(), asked, timeout);
        let flags = held.flags();
        shared.heart.hold(held);
        let log = shared.scribe.log(job.id, lease.attempt);
        Self { shared, job, lease, flags, log }
    }

    /// Does the work and writes how it ended. Returns where the job is then; `None` if that is for
    /// another worker to say.
    pub(super) async fn run(self) -> Option<JobState> {
        // At the gravest level, so that whatever is logged within says whose it is.
        let span = tracing::error_span!(
            "attempt", job = self.job.id.0, attempt = self.lease.attempt, run_id = %self.job.spec.run
        );
        self.run_in_span().instrument(span).await
    }

    async fn run_in_span(self) -> Option<JobState> {
        let started = Instant::now();
        let (id, attempt) = (self.job.id.0, self.lease.attempt);
        tracing::info!(job = id, attempt, run_id = %self.job.spec.run, "job started");
        (self.shared.events)(WorkerEvent::Started(Box::new(self.job.clone())));
        causeway_failpoints::at("claimed");
        let (shared, job, lease) = (Arc::clone(&self.shared), self.job.clone(), self.lease.clone());
        let cancel = self.flags.cancel.clone();
        // In a task of its own, so that a panic ends the task.
        let work = Work::new(shared, self.log.clone());
        let named = Arc::clone(&work.pipeline);
        let work = tokio::spawn(async move { Box::pin(execute(&work, &job, &lease, cancel)).await }.in_current_span());
        let done = work.await.unwrap_or_else(|error| Done::Failed(panicked(&error)));
        causeway_failpoints::at("work_done");
        let has_ended = matches!(done, Done::Ended);
        let ending = ending(done, self.flags.why(), &self.job);
        self.log.end();
        let state = if has_ended { Some(JobState::Succeeded) } else { self.write(&ending).await };
        causeway_failpoints::at("after_done");
        self.shared.heart.release(self.job.id);
        self.shared.spill.clear(id, attempt);
        match state {
            Some(state) => {
                tracing::info!(job = id, attempt, state = state.name(), "job ended");
                let (outcome, pipeline) = (outcome(&ending), named.get().cloned());
                let done = AttemptDone { pipeline, outcome, duration: started.elapsed() };
                (self.shared.events)(WorkerEvent::Ended { job: self.job.id, state, error: words(ending), done });
            }
            None => {
                self.log.tell(
                    LogLevel::Warning,
                    None,
                    "the lease was over; what the attempt says of its end is discarded",
                );
                (self.shared.events)(WorkerEvent::Discarded(self.job.id));
            }
        }
        state
    }

    /// Writes the end, as long as there is hope that the lease holds.
    async fn write(&self, ending: &Ending) -> Option<JobState> {
        loop {
            let error = match self.shared.ender.end(&self.lease, ending).await {
                Ok(state) => return Some(state),
                Err(error) => error,
            };
            let (job, attempt) = (self.job.id.0, self.lease.attempt);
            let is_over = matches!(error, CatalogError::LeaseLost { .. }) || self.flags.why() == Some(Stop::LeaseLost);
            if is_over || !error.retryable() {
                tracing::warn!(job, attempt, code = error.code(), "the end of an attempt is discarded");
                return None;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Decides what is written. Work that was done counts as done, whatever was wished meanwhile.
fn ending(done: Done, why: Option<Stop>, job: &Job) -> Ending {
    let fault = match done {
        Done::Succeeded | Done::Ended => return Ending::Succeeded,
        Done::InUse => return Ending::Released { wait_ms: milliseconds(backoff::IN_USE) },
        Done::Failed(fault) => fault,
    };
    let fault = match why {
        Some(Stop::Cancelled) => return Ending::Cancelled,
        Some(Stop::TimedOut) => {
            let limit_ms = job.spec.timeout_ms.unwrap_or_default();
            Fault::new(ErrorClass::Timeout, &JobsError::TimedOut { limit_ms })
        }
        // The work was stopped because the lease could not be renewed in time. If it holds after all, that is no
        // fault of the job.
        Some(Stop::LeaseLost) => return Ending::Released { wait_ms: milliseconds(backoff::IN_USE) },
        None => fault,
    };
    let retry_after_ms = milliseconds(backoff::after(job.n_failures + 1));
    Ending::Failed { class: fault.class, code: fault.code, error: fault.error, retry_after_ms }
}

fn panicked(error: &JoinError) -> Fault {
    let class = if error.is_panic() { ErrorClass::Panic } else { ErrorClass::Transient };
    Fault::new(class, &JobsError::Panicked)
}

fn words(ending: Ending) -> Option<(String, String)> {
    match ending {
        Ending::Failed { code, error, .. } => Some((code, error)),
        _ => None,
    }
}

fn outcome(ending: &Ending) -> AttemptOutcome {
    match ending {
        Ending::Succeeded => AttemptOutcome::Succeeded,
        Ending::Failed { .. } => AttemptOutcome::Failed,
        Ending::Cancelled => AttemptOutcome::Cancelled,
        Ending::Released { .. } => AttemptOutcome::Released,
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use causeway_model::{JobId, JobKind, NewJob, Parameters, RunId};

    use super::*;

    fn job() -> Job {
        let spec = NewJob {
            kind: JobKind::Statement,
            work: "DELETE FROM a.t".to_owned(),
            base_dir: "/".to_owned(),
            parameters: Parameters::default(),
            run: RunId("r".to_owned()),
            actor: "admin".to_owned(),
            dedupe_key: None,
            priority: 0,
            group: None,
            max_attempts: 3,
            timeout_ms: Some(1500),
            memory_limit_bytes: None,
        };
        Job {
            id: JobId(1),
            spec,
            state: JobState::Running,
            attempt: 1,
            n_failures: 0,
            cancel_requested: false,
            worker: None,
            error_code: None,
            error: None,
            submitted_at: String::new(),
            run_at: String::new(),
            started_at: None,
            finished_at: None,
        }
    }

    fn failed(why: Option<Stop>) -> Ending {
        let fault = Fault { class: ErrorClass::Transient, code: "CW0405".to_owned(), error: "busy".to_owned() };
        ending(Done::Failed(fault), why, &job())
    }

    fn code(ending: Ending) -> (ErrorClass, String) {
        match ending {
            Ending::Failed { class, code, .. } => (class, code),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn work_that_was_done_counts_whatever_was_wished_meanwhile() {
        for why in [None, Some(Stop::Cancelled), Some(Stop::TimedOut), Some(Stop::LeaseLost)] {
            assert_eq!(ending(Done::Succeeded, why, &job()), Ending::Succeeded, "{why:?}");
        }
    }

    #[test]
    fn who_stopped_the_work_decides_how_it_ended() {
        assert_eq!(failed(Some(Stop::Cancelled)), Ending::Cancelled);
        assert_eq!(code(failed(Some(Stop::TimedOut))), (ErrorClass::Timeout, "CW0611".to_owned()));
        assert_eq!(code(failed(None)), (ErrorClass::Transient, "CW0405".to_owned()));
        assert_eq!(ending(Done::InUse, None, &job()), Ending::Released { wait_ms: 2000 });
        assert_eq!(failed(Some(Stop::LeaseLost)), Ending::Released { wait_ms: 2000 }, "no fault of the job");
    }

    #[tokio::test]
    async fn a_panic_is_a_fault_of_the_job() {
        let work = tokio::spawn(async { assert_eq!(1, 2, "this is the panic of the test") });
        let fault = panicked(&work.await.unwrap_err());
        assert_eq!((fault.class, fault.code.as_str()), (ErrorClass::Panic, "CW0612"));
        assert!(!fault.error.contains("this is"), "a panic's words may hold a value: {}", fault.error);
    }
}
