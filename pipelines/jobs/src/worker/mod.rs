//! Takes jobs from the queue and runs them.
//!
//! ```text
//! Worker::run ──claim──> attempt (a task) ──execute──> engine or runner
//!      │                    │  ^ cancel                      │
//!      └─ drain             │  │                             │
//!                 Heart: a thread with its own connection    │
//!                 renews leases, hears of cancellations      │
//!                           └────────── end_attempt <────────┘
//! ```
//!
//! What an attempt does is fenced twice. Its step carries the number of its own attempt, and its commit
//! in the lake the marker of the job's run, so that a second attempt finds what the first has left. Its
//! end is written only under a lease that holds. A worker that was stopped for so long that another took
//! its job can therefore wake up and go on, and nothing comes of it.

mod attempt;
mod backoff;
mod ender;
mod execute;
mod heart;
mod log;
mod narrate;
mod spill;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_core::Cancel;
use causeway_engine::{Engine, JobResources};
use causeway_model::{AttemptOutcome, Claim, Job, JobId, JobState, NewWorker, WorkerState};
use tokio::task::JoinSet;

use crate::error::Result;
use attempt::Attempt;
use ender::Ender;
pub use heart::OpenCatalog;
use heart::{Heart, Presence};
use log::Scribe;
use spill::SpillHome;

/// How often an idle worker looks for work: a job waits about half as long before it starts.
const IDLE: Duration = Duration::from_millis(40);

/// How long a worker works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until it is stopped.
    Stopped,
    /// Until no job waits or runs, at any worker.
    Drained,
    /// Until it has run one job; not at all if none is due.
    Once,
}

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Its name in the record of attempts.
    pub name: String,
    /// The machine it runs on, for people.
    pub host: String,
    /// The only groups whose jobs it takes; `None` takes every job.
    pub groups: Option<Vec<String>>,
    /// Jobs at once; at least 1.
    pub slots: usize,
    /// How long it may be silent before its jobs are given to others.
    pub lease: Duration,
    /// How long it works.
    pub until: Until,
}

/// What a worker does.
#[derive(Debug, Clone)]
pub enum WorkerEvent {
    /// An attempt began.
    Started(Box<Job>),
    /// A step of an attempt has done its work.
    Step(Box<StepDone>),
    /// An attempt ended, and its job is now there.
    Ended {
        /// The job.
        job: JobId,
        /// Where the job is now.
        state: JobState,
        /// What went wrong: code and words.
        error: Option<(String, String)>,
        /// How the attempt went.
        done: AttemptDone,
    },
    /// An attempt ended after its lease: another worker may have the job, this result is discarded.
    Discarded(JobId),
}

/// What a step of an attempt did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepDone {
    /// What its statement does: `copy_into`, `create_table`, …
    pub kind: &'static str,
    /// The tables and views it made or changed.
    pub tables: Vec<String>,
    /// Rows written or changed.
    pub rows_out: u64,
    /// Rows refused by a schema contract.
    pub rows_quarantined: u64,
}

/// How an attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptDone {
    /// The pipeline's name; `None` for a statement, or where no pipeline could be read.
    pub pipeline: Option<String>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// How long it took.
    pub duration: Duration,
}

/// A receiver of events. It is called from the worker's own threads and should return at once.
pub type WorkerSink = Arc<dyn Fn(WorkerEvent) + Send + Sync>;

/// Runs jobs.
pub struct Worker {
    shared: Arc<Shared>,
    until: Until,
    slots: usize,
    presence: Presence,
}

/// What all attempts of a worker use.
struct Shared {
    engine: Engine,
    state_dir: PathBuf,
    name: String,
    groups: Option<Vec<String>>,
    lease: Duration,
    heart: Heart,
    ender: Ender,
    events: WorkerSink,
    scribe: Scribe,
    spill: SpillHome,
    /// Memory of a job that says nothing about it, in bytes.
    memory_of_job: usize,
}

/// What a worker did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WorkerSummary {
    /// Attempts that did their work.
    pub n_succeeded: u64,
    /// Attempts that ended otherwise.
    pub n_others: u64,
}

impl Worker {
    /// Makes a worker, puts it on the list of workers and starts its heart. `state_dir` holds the locks of
    /// pipelines; `open` opens a connection to the same catalog that the work cannot keep busy.
    ///
    /// # Errors
    /// If the thread of the heart, its connection, or a folder to spill to cannot be had.
    pub async fn start(
        engine: Engine,
        state_dir: &Path,
        options: WorkerOptions,
        open: OpenCatalog,
        events: WorkerSink,
    ) -> Result<Self> {
        let slots = options.slots.max(1);
        let spill = SpillHome::open(&engine.config().spill_dir)?;
        let id = engine.catalog().register_worker(&introduced(&options)).await?;
        let presence = Presence::new(id);
        let heart = Heart::start(open, options.lease, presence.clone()).await?;
        let ender = Ender::start(Arc::clone(engine.catalog()));
        let shared = Shared {
            state_dir: state_dir.to_owned(),
            name: options.name,
            groups: options.groups,
            lease: options.lease,
            heart,
            ender,
            events,
            scribe: Scribe::start(Arc::clone(engine.catalog())),
            spill,
            memory_of_job: engine.config().memory_limit_bytes / slots,
            engine,
        };
        Ok(Self { shared: Arc::new(shared), until: options.until, slots, presence })
    }

    /// Returns its name in the record of attempts.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Works. Once `stop` is set no other job is taken, and those that run are run to their end.
    ///
    /// # Errors
    /// Errors of the catalog that trying again does not help, after the running jobs have ended.
    pub async fn run(self, stop: &Cancel) -> Result<WorkerSummary> {
        let mut running = JoinSet::new();
        let mut summary = WorkerSummary::default();
        let outcome = self.take_jobs(stop, &mut running, &mut summary).await;
        self.presence.drain();
        while let Some(ended) = running.join_next().await {
            summary.count(ended.ok().flatten());
        }
        self.leave().await;
        outcome.map(|()| summary)
    }

    /// Writes the last lines and takes the worker off the list. Its jobs have ended; what cannot be
    /// written now is no reason to fail.
    async fn leave(self) {
        let Self { shared, presence, .. } = self;
        if let Err(error) = shared.engine.catalog().beat_worker(presence.id(), WorkerState::Stopped).await {
            tracing::warn!(code = error.code(), "the end of the worker is not recorded");
        }
        if let Some(shared) = Arc::into_inner(shared) {
            shared.scribe.end().await;
        }
    }

    async fn take_jobs(
        &self,
        stop: &Cancel,
        running: &mut JoinSet<Option<JobState>>,
        summary: &mut WorkerSummary,
    ) -> Result<()> {
        while !stop.is_cancelled() {
            let room = if self.until == Until::Once { 1 } else { self.slots - running.len() };
            if room > 0 && self.take(room, running).await? > 0 {
                if self.until == Until::Once {
                    break;
                }
                // Jobs that have ended meanwhile make room for others.
                while let Some(ended) = running.try_join_next() {
                    summary.count(ended.ok().flatten());
                }
                continue;
            }
            if running.is_empty() && self.is_through().await? {
                break;
            }
            tokio::select! {
                Some(ended) = running.join_next() => summary.count(ended.ok().flatten()),
                () = tokio::time::sleep(IDLE) => {}
            }
        }
        Ok(())
    }

    /// Takes jobs and starts an attempt at each; returns how many were due.
    async fn take(&self, room: usize, running: &mut JoinSet<Option<JobState>>) -> Result<usize> {
        let asked = Instant::now();
        let claim = Claim {
            worker: self.shared.name.clone(),
            lease_ms: i64::try_from(self.shared.lease.as_millis()).unwrap_or(i64::MAX),
            limit: i64::try_from(room).unwrap_or(i64::MAX),
            groups: self.shared.groups.clone(),
        };
        let claimed = match self.shared.engine.catalog().claim_jobs(&claim).await {
            Err(error) if error.retryable() => {
                tracing::warn!(code = error.code(), "no job could be taken; trying again");
                Vec::new()
            }
            claimed => claimed?,
        };
        let taken = claimed.len();
        for claimed in claimed {
            running.spawn(Attempt::new(Arc::clone(&self.shared), claimed, asked).run());
        }
        Ok(taken)
    }

    async fn is_through(&self) -> Result<bool> {
        Ok(match self.until {
            Until::Stopped => false,
            Until::Once => true,
            Until::Drained => self.shared.engine.catalog().open_jobs().await? == 0,
        })
    }
}

impl Shared {
    /// Returns what an attempt may use.
    fn resources(&self, job: &Job, attempt: i64) -> JobResources {
        let asked = job.spec.memory_limit_bytes.and_then(|limit| usize::try_from(limit).ok());
        let memory_limit_bytes = asked.unwrap_or(self.memory_of_job);
        JobResources { memory_limit_bytes, spill_dir: self.spill.of(job.id.0, attempt) }
    }
}

fn introduced(options: &WorkerOptions) -> NewWorker {
    NewWorker {
        name: options.name.clone(),
        host: options.host.clone(),
        pid: i64::from(std::process::id()),
        slots: i64::try_from(options.slots.max(1)).unwrap_or(i64::MAX),
        groups: options.groups.clone(),
        lease_ms: i64::try_from(options.lease.as_millis()).unwrap_or(i64::MAX),
    }
}

impl WorkerSummary {
    fn count(&mut self, ended: Option<JobState>) {
        match ended {
            Some(JobState::Succeeded) => self.n_succeeded += 1,
            _ => self.n_others += 1,
        }
    }
}
