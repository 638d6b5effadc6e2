//! Rows on their way from the reading threads to the lake's writes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, stream};
use tokio::sync::{Mutex, mpsc, watch};

/// A channel's end that several streams take from.
pub(super) type SharedReceiver = Arc<Mutex<mpsc::Receiver<RecordBatch>>>;

pub(super) fn share(receiver: mpsc::Receiver<RecordBatch>) -> SharedReceiver {
    Arc::new(Mutex::new(receiver))
}

/// Decides something once; dropped undecided, it decides no.
pub(super) struct Gate(watch::Sender<Option<bool>>);

/// Waits for a [`Gate`].
#[derive(Clone)]
pub(super) struct Signal(watch::Receiver<Option<bool>>);

impl Gate {
    pub(super) fn new() -> (Self, Signal) {
        let (sender, receiver) = watch::channel(None);
        (Self(sender), Signal(receiver))
    }

    pub(super) fn decide(&self, is_open: bool) {
        self.0.send_replace(Some(is_open));
    }
}

impl Signal {
    /// Waits for the decision.
    pub(super) async fn opens(mut self) -> bool {
        self.0.wait_for(Option::is_some).await.is_ok_and(|decided| *decided == Some(true))
    }
}

/// The error that ends a write which must not be committed; the reason is reported elsewhere.
pub(super) fn refused() -> DataFusionError {
    DataFusionError::Execution("the load was refused".to_owned())
}

/// Yields rows until the channel closes; then ends if the signal says so, and fails otherwise.
pub(super) fn rows_until(schema: SchemaRef, rows: SharedReceiver, end: Signal) -> SendableRecordBatchStream {
    let rows = stream::try_unfold((rows, end), |(rows, end)| async move {
        let next = rows.lock().await.recv().await;
        match next {
            Some(batch) => Ok(Some((batch, (rows, end)))),
            None if end.opens().await => Ok(None),
            None => Err(refused()),
        }
    });
    Box::pin(RecordBatchStreamAdapter::new(schema, rows))
}

/// Puts a batch before a stream.
pub(super) fn chained(first: RecordBatch, rest: SendableRecordBatchStream) -> SendableRecordBatchStream {
    let schema = rest.schema();
    Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter([Ok(first)]).chain(rest)))
}
