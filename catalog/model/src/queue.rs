//! The queue of jobs that every store keeps.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{Attempt, Claim, ClaimedJob, Ending, Job, JobId, JobPage, JobState, Lease, NewJob, Result, Submitted};

/// Jobs, and who works on them.
///
/// ```text
/// submit ─> queued ─claim─> running ─end─> succeeded | dead | cancelled
///              ^               │ failed and worth another try, given back, or its lease is over
///              └───────────────┘
/// ```
///
/// Only the database's clock counts. A worker holds a job by a lease that it renews; whatever it writes
/// carries the lease and is refused once that is over, even if nobody else has taken the job yet. What
/// ends a job ends its run ([`NewJob::run`]) in the same transaction, and is a record of the audit log.
#[async_trait]
pub trait JobQueue: Send + Sync + Debug {
    /// Queues a job. If the actor has given the dedupe key before, returns that job, whatever became of
    /// it; fails with [`crate::CatalogError::AlreadyExists`] if that job does something else.
    async fn submit_job(&self, job: &NewJob) -> Result<Submitted>;

    /// Takes the jobs whose turn it is: of those that are due and whose group has room, the ones that have
    /// waited longest, their priority counted in; of each group one at a time. Before that, jobs whose
    /// lease is over go back into the queue, or are given up.
    async fn claim_jobs(&self, claim: &Claim) -> Result<Vec<ClaimedJob>>;

    /// Takes one job of any group, if one is due.
    async fn claim_job(&self, worker: &str, lease_ms: i64) -> Result<Option<ClaimedJob>> {
        Ok(self.claim_jobs(&Claim::one(worker, lease_ms)).await?.pop())
    }

    /// Holds a job for `lease_ms` milliseconds from now. Returns true if its owner wants it stopped.
    /// Fails with [`crate::CatalogError::LeaseLost`] if the lease is over.
    async fn renew_lease(&self, lease: &Lease, lease_ms: i64) -> Result<bool>;

    /// Ends attempts, all in one transaction, and returns for each where its job is now, or
    /// [`crate::CatalogError::LeaseLost`] if the lease is over; then nothing is written about that one.
    async fn end_attempts(&self, ends: &[(Lease, Ending)]) -> Result<Vec<Result<JobState>>>;

    /// Ends one attempt, as [`JobQueue::end_attempts`] does.
    async fn end_attempt(&self, lease: &Lease, ending: &Ending) -> Result<JobState> {
        let ended = self.end_attempts(&[(lease.clone(), ending.clone())]).await?.pop();
        ended.unwrap_or(Err(crate::CatalogError::LeaseLost { job: lease.job.0, attempt: lease.attempt }))
    }

    /// Stops a job: at once if it waits, else by telling its worker. Returns where it is now. Fails with
    /// [`crate::CatalogError::Invalid`] if it has ended otherwise.
    async fn cancel_job(&self, job: JobId, actor: &str) -> Result<JobState>;

    /// Queues a dead or cancelled job again, its failures forgotten. Fails with
    /// [`crate::CatalogError::Invalid`] for any other.
    async fn retry_job(&self, job: JobId, actor: &str) -> Result<Job>;

    /// Returns a job.
    async fn job(&self, id: JobId) -> Result<Job>;

    /// Lists jobs, newest first.
    async fn jobs(&self, page: &JobPage) -> Result<Vec<Job>>;

    /// Lists the attempts of a job, or of all jobs, by job and number.
    async fn attempts(&self, job: Option<JobId>) -> Result<Vec<Attempt>>;

    /// Counts the jobs that are queued or running.
    async fn open_jobs(&self) -> Result<i64>;
}
