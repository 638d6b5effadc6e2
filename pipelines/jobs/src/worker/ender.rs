//! Writes the ends of attempts. Those that come while others are being written share a transaction, so
//! that many short jobs do not wait for the disk one by one.

use std::sync::Arc;

use causeway_model::{Catalog, CatalogError, Ending, JobState, Lease};
use tokio::sync::{mpsc, oneshot};

/// How many ends are written at once.
const AT_ONCE: usize = 64;

/// An end, and who waits for it to be written.
struct End {
    lease: Lease,
    ending: Ending,
    answer: oneshot::Sender<Result<JobState, CatalogError>>,
}

/// The task that writes, which ends with the value.
pub(super) struct Ender {
    ends: mpsc::Sender<End>,
}

impl Ender {
    /// Starts the task.
    pub(super) fn start(catalog: Arc<dyn Catalog>) -> Self {
        let (ends, mut received) = mpsc::channel(AT_ONCE);
        tokio::spawn(async move {
            let mut batch = Vec::with_capacity(AT_ONCE);
            while received.recv_many(&mut batch, AT_ONCE).await > 0 {
                write(&*catalog, &mut batch).await;
            }
        });
        Self { ends }
    }

    /// Writes how an attempt ended and returns where its job is now.
    pub(super) async fn end(&self, lease: &Lease, ending: &Ending) -> Result<JobState, CatalogError> {
        let (answer, written) = oneshot::channel();
        let gone = || CatalogError::Backend("the task that writes the ends of attempts is gone".to_owned());
        let end = End { lease: lease.clone(), ending: ending.clone(), answer };
        self.ends.send(end).await.map_err(|_| gone())?;
        written.await.map_err(|_| gone())?
    }
}

/// Writes ends in one transaction, and one by one if that fails: each then has an error of its own.
async fn write(catalog: &dyn Catalog, batch: &mut Vec<End>) {
    let ends: Vec<_> = batch.iter().map(|end| (end.lease.clone(), end.ending.clone())).collect();
    let together = catalog.end_attempts(&ends).await;
    let mut states = together.unwrap_or_default().into_iter();
    for end in batch.drain(..) {
        let state = match states.next() {
            Some(state) => state,
            None => catalog.end_attempt(&end.lease, &end.ending).await,
        };
        // Nobody waiting any more changes nothing about what is written.
        let _: Result<(), _> = end.answer.send(state);
    }
}
