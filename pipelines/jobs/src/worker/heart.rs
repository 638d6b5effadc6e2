//! Keeps the leases of a worker alive, on a thread that no job can keep busy.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use causeway_core::Cancel;
use causeway_model::{Catalog, CatalogError, JobId, Lease, WorkerId, WorkerState};
use tokio::sync::oneshot;

use crate::error::{JobsError, Result};

/// How often the heart looks whether a job shall stop.
const BEAT: Duration = Duration::from_millis(300);

/// A lease is renewed when this part of it has passed.
const RENEWALS_PER_LEASE: u32 = 4;

/// How often, at the least, a worker says that it lives.
const PRESENCE: Duration = Duration::from_secs(5);

/// Opens a connection to the catalog on the thread that will use it.
pub type OpenCatalog =
    Box<dyn FnOnce() -> Pin<Box<dyn Future<Output = Result<Arc<dyn Catalog>, CatalogError>>>> + Send>;

/// Why an attempt is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// The job's owner wishes so.
    Cancelled,
    /// Its time limit is reached.
    TimedOut,
    /// Another worker may have the job.
    LeaseLost,
}

/// An attempt that runs.
#[derive(Debug, Clone)]
pub(super) struct Held {
    lease: Lease,
    /// When the request was sent that the catalog granted last: the lease holds from then at least.
    renewed: Instant,
    deadline: Option<Instant>,
    flags: Flags,
}

/// How an attempt is told to stop, and why.
#[derive(Debug, Clone, Default)]
pub(super) struct Flags {
    pub(super) cancel: Cancel,
    why: Arc<OnceLock<Stop>>,
}

impl Flags {
    /// Returns why the attempt was told to stop, if it was.
    pub(super) fn why(&self) -> Option<Stop> {
        self.why.get().copied()
    }

    fn stop(&self, why: Stop) {
        let first = *self.why.get_or_init(|| why);
        tracing::debug!(?first, "attempt is told to stop");
        self.cancel.cancel();
    }
}

impl Held {
    pub(super) fn new(lease: Lease, asked: Instant, timeout: Option<Duration>) -> Self {
        let deadline = timeout.map(|timeout| Instant::now() + timeout);
        Self { lease, renewed: asked, deadline, flags: Flags::default() }
    }

    pub(super) fn flags(&self) -> Flags {
        self.flags.clone()
    }
}

/// A worker on the list of workers.
#[derive(Debug, Clone)]
pub(super) struct Presence {
    id: WorkerId,
    drains: Arc<AtomicBool>,
}

impl Presence {
    pub(super) fn new(id: WorkerId) -> Self {
        Self { id, drains: Arc::default() }
    }

    pub(super) fn id(&self) -> WorkerId {
        self.id
    }

    /// Says that it takes no other job.
    pub(super) fn drain(&self) {
        self.drains.store(true, Ordering::Relaxed);
    }

    fn state(&self) -> WorkerState {
        if self.drains.load(Ordering::Relaxed) { WorkerState::Draining } else { WorkerState::Running }
    }
}

/// The thread, which ends with the value.
#[derive(Debug)]
pub(super) struct Heart {
    held: Arc<Mutex<Vec<Held>>>,
    stopped: Arc<AtomicBool>,
}

impl Heart {
    /// Starts the thread and returns once its connection is open.
    pub(super) async fn start(open: OpenCatalog, lease: Duration, presence: Presence) -> Result<Self> {
        let heart = Self { held: Arc::default(), stopped: Arc::default() };
        let (held, stopped) = (Arc::clone(&heart.held), Arc::clone(&heart.stopped));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| JobsError::io("the heart's thread".as_ref(), error))?;
        let (ready, opened) = oneshot::channel();
        let beat = move || {
            runtime.block_on(async {
                match open().await {
                    Ok(catalog) => {
                        // Nobody waiting any more is the caller's choice.
                        let _: Result<(), _> = ready.send(Ok(()));
                        Pulse { catalog, held, lease, presence }.beat(&stopped).await;
                    }
                    Err(error) => drop(ready.send(Err(error))),
                }
            });
        };
        let thread = std::thread::Builder::new().name("causeway-heart".to_owned()).spawn(beat);
        thread.map_err(|error| JobsError::io("the heart's thread".as_ref(), error))?;
        let gone = |_| CatalogError::Backend("the connection of the heartbeats was not opened".to_owned());
        opened.await.map_err(gone)??;
        Ok(heart)
    }

    /// Begins to hold a lease.
    pub(super) fn hold(&self, held: Held) {
        lock(&self.held).push(held);
    }

    /// Lets go of a job.
    pub(super) fn release(&self, job: JobId) {
        lock(&self.held).retain(|held| held.lease.job != job);
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

fn lock(held: &Mutex<Vec<Held>>) -> MutexGuard<'_, Vec<Held>> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the thread works with.
struct Pulse {
    catalog: Arc<dyn Catalog>,
    held: Arc<Mutex<Vec<Held>>>,
    lease: Duration,
    presence: Presence,
}

impl Pulse {
    async fn beat(&self, stopped: &AtomicBool) {
        let pause = BEAT.min(self.lease / (2 * RENEWALS_PER_LEASE));
        let mut told = (Instant::now(), WorkerState::Running);
        while !stopped.load(Ordering::Relaxed) {
            let state = self.presence.state();
            if told.1 != state || told.0.elapsed() >= PRESENCE.min(self.lease / RENEWALS_PER_LEASE) {
                told = (Instant::now(), state);
                self.live(state).await;
            }
            let held = lock(&self.held).clone();
            for held in &held {
                self.watch(held).await;
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn live(&self, state: WorkerState) {
        let limit = self.lease / RENEWALS_PER_LEASE;
        match tokio::time::timeout(limit, self.catalog.beat_worker(self.presence.id, state)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(code = error.code(), "the worker cannot say that it lives"),
            Err(_) => tracing::warn!("the worker cannot say that it lives: no answer"),
        }
    }

    async fn watch(&self, held: &Held) {
        if held.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            held.flags.stop(Stop::TimedOut);
        }
        if held.renewed.elapsed() >= self.lease {
            held.flags.stop(Stop::LeaseLost);
        }
        if held.flags.why() == Some(Stop::LeaseLost) {
            return;
        }
        // A catalog that does not answer must not keep the other leases from being watched.
        let limit = self.lease / RENEWALS_PER_LEASE;
        match tokio::time::timeout(limit, self.ask(held)).await {
            Ok(Ok(true)) => held.flags.stop(Stop::Cancelled),
            Ok(Err(CatalogError::LeaseLost { .. })) => held.flags.stop(Stop::LeaseLost),
            Ok(Ok(false)) => {}
            Ok(Err(error)) => tracing::warn!(job = held.lease.job.0, code = error.code(), "heartbeat failed"),
            Err(_) => tracing::warn!(job = held.lease.job.0, "heartbeat got no answer"),
        }
    }

    /// Renews a lease if it is time to, and asks whether the job shall stop.
    async fn ask(&self, held: &Held) -> Result<bool, CatalogError> {
        if held.renewed.elapsed() < self.lease / RENEWALS_PER_LEASE {
            return Ok(self.catalog.job(held.lease.job).await?.cancel_requested);
        }
        let asked = Instant::now();
        let lease_ms = i64::try_from(self.lease.as_millis()).unwrap_or(i64::MAX);
        let cancelled = self.catalog.renew_lease(&held.lease, lease_ms).await?;
        if let Some(kept) = lock(&self.held).iter_mut().find(|kept| kept.lease == held.lease) {
            kept.renewed = asked;
        }
        Ok(cancelled)
    }
}
