//! What `CALL` does with the queue of jobs: the same as the commands, under the same checks.

use std::time::Duration;

use async_trait::async_trait;
use causeway_engine::{Called, Engine, EngineError, ProcedureCall, Procedures, Submission};
use causeway_model::{CatalogError, JobId, JobState};

use crate::error::{JobsError, Result};
use crate::queue::{JobRequest, Jobs, Work};
use crate::terms::Terms;

/// The procedures that change the queue.
#[derive(Debug, Clone, Copy, Default)]
pub struct Queue;

#[async_trait]
impl Procedures for Queue {
    async fn call(
        &self,
        engine: &Engine,
        user: Option<&str>,
        call: ProcedureCall,
        is_step: bool,
    ) -> Result<Called, EngineError> {
        let jobs = Jobs::new(engine.clone(), user.map(str::to_owned));
        let called = match call {
            ProcedureCall::Submit(submission) => submit(&jobs, submission).await,
            ProcedureCall::Cancel(job) => jobs.cancel(job).await.map(|state| Called { job, state }),
            ProcedureCall::Retry(job) => retry(&jobs, job, is_step).await,
        };
        called.map_err(|error| match error {
            JobsError::Engine(error) => error,
            error => EngineError::of_procedure(error.code(), error.to_string(), error.hint(), error.retryable()),
        })
    }
}

async fn submit(jobs: &Jobs, submission: Submission) -> Result<Called> {
    let work = match submission.work {
        causeway_engine::Work::Statement(sql, base_dir) => Work::Statement { sql, base_dir },
        causeway_engine::Work::Pipeline(folder) => Work::Pipeline(folder),
    };
    let terms = Terms {
        attempts: submission.attempts,
        timeout: submission.timeout_seconds.map(|seconds| Duration::from_secs(u64::try_from(seconds).unwrap_or(0))),
        memory_limit_bytes: submission.memory_limit_bytes,
        priority: submission.priority,
        group: submission.group,
        ..Terms::default()
    };
    if let Some(problem) = terms.problem() {
        return Err(CatalogError::Invalid(problem).into());
    }
    let request = JobRequest { work, parameters: submission.parameters, key: submission.key, terms };
    let job = Box::pin(jobs.submit(request)).await?.job;
    Ok(Called { job: job.id, state: job.state })
}

/// Queues a job again. A step that is tried once more may find that it has done so already.
async fn retry(jobs: &Jobs, id: JobId, is_step: bool) -> Result<Called> {
    let now = jobs.job(id).await?.state;
    if is_step && matches!(now, JobState::Queued | JobState::Running) {
        return Ok(Called { job: id, state: now });
    }
    let job = jobs.retry(id).await?;
    Ok(Called { job: id, state: job.state })
}
