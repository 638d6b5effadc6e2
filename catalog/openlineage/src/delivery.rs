//! Sends what waits: in order within a run, at least once, under the same identity.

use std::collections::BTreeSet;

use async_trait::async_trait;
use causeway_model::RunId;

use crate::change::Change;
use crate::error::{OpenLineageError, Result};
use crate::event::Event;
use crate::transport::Transport;

/// How many changes are read at once, and at most sent between two syncs of a transport that buffers.
const BATCH: usize = 64;

/// The changes that wait to be told: a table of the catalog.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Lists changes that wait, in the order of their numbers, at most `limit`.
    ///
    /// A change that failed for its own fault ([`OpenLineageError::concerns_one_event`]) and the later
    /// ones of its run should be left out until somebody has looked at it: [`deliver`] passes over
    /// them, but a list full of them would hide the others.
    async fn pending(&self, limit: usize) -> Result<Vec<Change>>;

    /// Records that a change was told; no harm if it is recorded already.
    async fn delivered(&self, id: i64) -> Result<()>;

    /// Records why a change could not be told; it waits on.
    async fn failed(&self, id: i64, error: &OpenLineageError) -> Result<()>;
}

/// Makes the event of a change.
#[async_trait]
pub trait EventSource: Send + Sync {
    /// Builds the event: for the same change under the same identity, whenever it is asked.
    async fn event(&self, change: &Change) -> Result<Event>;
}

/// What a call of [`deliver`] did.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Events that are safely with the receiver, and recorded as such.
    pub n_delivered: usize,
    /// Runs that wait because one of their events can never be sent.
    pub held: BTreeSet<RunId>,
    /// Why it stopped before the outbox was empty.
    pub stopped: Option<OpenLineageError>,
}

/// Sends what waits until the outbox is empty or the receiver fails.
///
/// If the receiver cannot be reached, or refuses us, it stops: nothing else would go through. If it
/// refuses one event, that event and the later ones of its run wait, and other runs go on. A change is
/// recorded as delivered once the transport has it safely; a process killed in between sends it again,
/// under the same [`crate::EventId`].
///
/// # Errors
/// Errors of the outbox itself. Those of events and of the receiver are in the [`Delivery`].
pub async fn deliver(outbox: &dyn Outbox, events: &dyn EventSource, transport: &dyn Transport) -> Result<Delivery> {
    let mut delivery = Delivery::default();
    loop {
        let waiting = outbox.pending(BATCH).await?;
        let before = delivery.n_delivered;
        let mut sending = Sending { outbox, events, transport, unsynced: Vec::new(), delivery };
        let went = sending.send_all(&waiting).await;
        let synced = sending.sync().await;
        delivery = sending.delivery;
        went.and(synced)?;
        if delivery.stopped.is_some() || delivery.n_delivered == before {
            return Ok(delivery);
        }
    }
}

/// One batch on its way.
struct Sending<'a> {
    outbox: &'a dyn Outbox,
    events: &'a dyn EventSource,
    transport: &'a dyn Transport,
    /// Sent, and not yet known to be safe.
    unsynced: Vec<i64>,
    delivery: Delivery,
}

impl Sending<'_> {
    async fn send_all(&mut self, waiting: &[Change]) -> Result<()> {
        for change in waiting {
            if self.delivery.held.contains(&change.run) {
                continue;
            }
            let Err(error) = self.send(change).await else {
                self.sent(change.id).await?;
                continue;
            };
            self.outbox.failed(change.id, &error).await?;
            if !error.concerns_one_event() {
                self.delivery.stopped = Some(error);
                return Ok(());
            }
            tracing::warn!(run_id = %change.run, change = change.id, code = error.code(), "lineage event held back");
            self.delivery.held.insert(change.run.clone());
        }
        Ok(())
    }

    async fn send(&self, change: &Change) -> Result<()> {
        self.transport.send(&self.events.event(change).await?).await
    }

    async fn sent(&mut self, id: i64) -> Result<()> {
        self.unsynced.push(id);
        if self.transport.is_buffered() { Ok(()) } else { self.record().await }
    }

    /// Makes what was sent safe, and records it. If that fails, it counts as not sent.
    async fn sync(&mut self) -> Result<()> {
        if self.unsynced.is_empty() {
            return Ok(());
        }
        match self.transport.sync().await {
            Ok(()) => self.record().await,
            Err(error) => {
                self.delivery.stopped = Some(error);
                Ok(())
            }
        }
    }

    async fn record(&mut self) -> Result<()> {
        for id in std::mem::take(&mut self.unsynced) {
            self.outbox.delivered(id).await?;
            self.delivery.n_delivered += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
