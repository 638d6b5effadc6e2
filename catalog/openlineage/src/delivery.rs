//! Sends what waits: in order within a run, at least once, under the same identity.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use causeway_model::{Change, RunId};
use tokio::time::{Instant, timeout_at};

use crate::error::{OpenLineageError, Result};
use crate::event::Event;
use crate::transport::Transport;

/// How many changes are read at once, and at most sent between two syncs of a transport that buffers.
const BATCH: usize = 64;

/// The changes that wait to be told: a table of the catalog.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// Takes the outbox for a while, or keeps it; false while somebody else has it.
    async fn claim(&self) -> Result<bool>;

    /// Gives the outbox back.
    async fn give_back(&self) -> Result<()>;

    /// Lists changes that wait, in the order of their numbers, at most `limit`.
    ///
    /// A change that failed for its own fault ([`OpenLineageError::concerns_one_event`]) and the later
    /// ones of its run should be left out until somebody has looked at it: [`deliver`] passes over
    /// them, but a list full of them would hide the others.
    async fn pending(&self, limit: usize) -> Result<Vec<Change>>;

    /// Records that changes were told; no harm if it is recorded already.
    async fn delivered(&self, ids: &[i64]) -> Result<()>;

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
    /// True if somebody else is delivering: what waits is theirs to send.
    pub elsewhere: bool,
}

/// Sends what waits until the outbox is empty, the receiver fails, or the time `within` is over.
///
/// If the receiver cannot be reached, or refuses us, it stops: nothing else would go through. If it
/// refuses one event, that event and the later ones of its run wait, and other runs go on. A change is
/// recorded as delivered once the transport has it safely; a process killed in between sends it again,
/// under the same [`crate::EventId`].
///
/// # Errors
/// Errors of the outbox itself. Those of events and of the receiver are in the [`Delivery`].
pub async fn deliver(
    outbox: &dyn Outbox,
    events: &dyn EventSource,
    transport: &dyn Transport,
    within: Option<Duration>,
) -> Result<Delivery> {
    let until = within.map(|within| Instant::now() + within);
    let mut sending = Sending { outbox, events, transport, until, unsynced: Vec::new(), delivery: Delivery::default() };
    let went = sending.empty_the_outbox().await;
    let given_back = outbox.give_back().await;
    went.and(given_back).map(|()| sending.delivery)
}

/// Changes on their way.
struct Sending<'a> {
    outbox: &'a dyn Outbox,
    events: &'a dyn EventSource,
    transport: &'a dyn Transport,
    until: Option<Instant>,
    /// Sent, and not yet known to be safe.
    unsynced: Vec<i64>,
    delivery: Delivery,
}

impl Sending<'_> {
    async fn empty_the_outbox(&mut self) -> Result<()> {
        loop {
            if !self.outbox.claim().await? {
                self.delivery.elsewhere = true;
                return Ok(());
            }
            let waiting = self.outbox.pending(BATCH).await?;
            let before = self.delivery.n_delivered;
            let went = self.send_all(&waiting).await;
            let synced = self.sync().await;
            went.and(synced)?;
            if self.delivery.stopped.is_some() || self.delivery.n_delivered == before {
                return Ok(());
            }
        }
    }

    async fn send_all(&mut self, waiting: &[Change]) -> Result<()> {
        for change in waiting {
            if self.delivery.held.contains(&change.run) {
                continue;
            }
            if self.until.is_some_and(|until| Instant::now() >= until) {
                self.delivery.stopped = Some(out_of_time());
                return Ok(());
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
        let sending = async { self.transport.send(&self.events.event(change).await?).await };
        match self.until {
            None => sending.await,
            Some(until) => timeout_at(until, sending).await.unwrap_or_else(|_| Err(out_of_time())),
        }
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
        let safe = std::mem::take(&mut self.unsynced);
        self.outbox.delivered(&safe).await?;
        self.delivery.n_delivered += safe.len();
        Ok(())
    }
}

fn out_of_time() -> OpenLineageError {
    OpenLineageError::Unavailable("the time that a command waits for delivery is over; the rest waits".to_owned())
}

#[cfg(test)]
mod tests;
