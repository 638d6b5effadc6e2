//! Time limit and cancellation of a running statement.

use std::future::Future;
use std::time::Duration;

use causeway_core::Cancel;
use datafusion::common::DataFusionError;
use datafusion::common::runtime::SpawnedTask;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use crate::error::{EngineError, ErrorKind, Result};

/// How often a cancellation is looked for.
const POLL: Duration = Duration::from_millis(20);

/// Ends a stream with an error once it is cancelled or its time is up. The stream is computed by a task
/// of its own, so that the clock is watched also while a join does not yield.
pub(crate) fn guarded(
    mut stream: SendableRecordBatchStream,
    cancel: Cancel,
    timeout: Option<Duration>,
) -> SendableRecordBatchStream {
    let schema = stream.schema();
    let deadline = timeout.map(|timeout| (Instant::now() + timeout, timeout));
    let (sender, receiver) = mpsc::channel(2);
    let task = SpawnedTask::spawn(async move {
        while let Some(batch) = stream.next().await {
            if sender.send(batch).await.is_err() {
                break;
            }
        }
    });
    let guarded = futures::stream::unfold(Some((receiver, task, looks())), move |state| {
        let cancel = cancel.clone();
        async move {
            let (mut receiver, task, mut looks) = state?;
            match stopped(receiver.recv(), &mut looks, &cancel, deadline).await {
                Ok(Some(batch)) => Some((batch, Some((receiver, task, looks)))),
                Ok(None) => {
                    let panicked = task.join().await.err()?;
                    Some((Err(DataFusionError::ExecutionJoin(Box::new(panicked))), None))
                }
                Err(error) => Some((Err(error.into_datafusion()), None)),
            }
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, guarded))
}

/// Runs work until it ends, is cancelled, or its time is up.
pub(crate) async fn within<T>(
    work: impl Future<Output = Result<T>>,
    cancel: &Cancel,
    timeout: Option<Duration>,
) -> Result<T> {
    let deadline = timeout.map(|timeout| (Instant::now() + timeout, timeout));
    stopped(work, &mut looks(), cancel, deadline).await?
}

/// Ticks when to look for a cancellation.
fn looks() -> Interval {
    let mut looks = tokio::time::interval_at(Instant::now() + POLL, POLL);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    looks
}

async fn stopped<T>(
    work: impl Future<Output = T>,
    looks: &mut Interval,
    cancel: &Cancel,
    deadline: Option<(Instant, Duration)>,
) -> Result<T> {
    tokio::pin!(work);
    loop {
        if cancel.is_cancelled() {
            return Err(EngineError::new(ErrorKind::Cancelled, "cancelled"));
        }
        if let Some((_, timeout)) = deadline.filter(|(deadline, _)| Instant::now() >= *deadline) {
            return Err(EngineError::new(
                ErrorKind::Timeout,
                format!("the time limit of {} s is reached", timeout.as_secs_f64()),
            )
            .with_hint("raise limits.timeout_seconds, or reduce the input"));
        }
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            _ = looks.tick() => {}
        }
    }
}
