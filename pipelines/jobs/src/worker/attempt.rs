//! One attempt at a job, from its claim to what is written about it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_model::{CatalogError, ClaimedJob, Ending, ErrorClass, Job, JobState, Lease};
use tokio::task::JoinError;

use super::execute::{Done, Fault, execute};
use super::heart::{Flags, Held, Stop};
use super::{Shared, WorkerEvent, backoff};
use crate::error::JobsError;

/// The wait before an end that could not be written is written again.
const AGAIN: Duration = Duration::from_millis(200);

/// An attempt that has begun.
pub(super) struct Attempt {
    shared: Arc<Shared>,
    job: Job,
    lease: Lease,
    flags: Flags,
}

impl Attempt {
    /// Begins to hold the job; `asked` is when the claim was sent.
    pub(super) fn new(shared: Arc<Shared>, claimed: ClaimedJob, asked: Instant) -> Self {
        let ClaimedJob { job, lease } = claimed;
        let timeout = job.spec.timeout_ms.map(|timeout| Duration::from_millis(timeout.unsigned_abs()));
        let held = Held::new(lease.clone(), asked, timeout);
        let flags = held.flags();
        shared.heart.hold(held);
        Self { shared, job, lease, flags }
    }

    /// Does the work and writes how it ended. Returns where the job is then; `None` if that is for
    /// another worker to say.
    pub(super) async fn run(self) -> Option<JobState> {
        let (id, attempt) = (self.job.id.0, self.lease.attempt);
        tracing::info!(job = id, attempt, run_id = %self.job.spec.run, "job started");
        (self.shared.events)(WorkerEvent::Started(Box::new(self.job.clone())));
        let (shared, job, cancel) = (Arc::clone(&self.shared), self.job.clone(), self.flags.cancel.clone());
        // In a task of its own, so that a panic ends the task.
        let work = tokio::spawn(async move { Box::pin(execute(&shared, &job, cancel)).await });
        let done = work.await.unwrap_or_else(|error| Done::Failed(panicked(&error)));
        let ending = ending(done, self.flags.why(), &self.job);
        let state = self.write(&ending).await;
        self.shared.heart.release(self.job.id);
        match state {
            Some(state) => {
                tracing::info!(job = id, attempt, state = state.name(), "job ended");
                (self.shared.events)(WorkerEvent::Ended { job: self.job.id, state, error: words(ending) });
            }
            None => (self.shared.events)(WorkerEvent::Discarded(self.job.id)),
        }
        state
    }

    /// Writes the end, as long as there is hope that the lease holds.
    async fn write(&self, ending: &Ending) -> Option<JobState> {
        loop {
            let error = match self.shared.engine.catalog().end_attempt(&self.lease, ending).await {
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
        Done::Succeeded => return Ending::Succeeded,
        Done::InUse => return Ending::Released { wait_ms: milliseconds(backoff::IN_USE) },
        Done::Failed(fault) => fault,
    };
    let fault = match why {
        Some(Stop::Cancelled) => return Ending::Cancelled,
        Some(Stop::TimedOut) => {
            let limit_ms = job.spec.timeout_ms.unwrap_or_default();
            Fault::new(ErrorClass::Timeout, &JobsError::TimedOut { limit_ms })
        }
        Some(Stop::LeaseLost) | None => fault,
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

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
