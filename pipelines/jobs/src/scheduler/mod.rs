//! Queues the jobs of schedules when their time comes.
//!
//! ```text
//! Scheduler::run ──agenda──> what is due, by the database's clock
//!      │                        │ by rule (plan)   by triggers (files)   by backfill
//!      │                        v
//!      └── waits <──────── fire: one transaction, if no other scheduler was faster
//! ```
//!
//! Any number of schedulers may run; none leads. Each decides from the same agenda, and the catalog takes
//! what comes first: a moment has one job. This machine's clock decides nothing; how far it is off is told.

mod files;
mod job;
mod plan;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_core::Cancel;
use causeway_engine::Engine;
use causeway_model::{
    Agenda, Backfill, BackfillState, BackfillStep, CatalogError, JobId, Moment, RuleFiring, ScheduleEntry, ScheduleId,
    Seen, SlotCause, TriggerFiring,
};
use chrono::Utc;
use chrono_tz::Tz;

use crate::error::{JobsError, Result};
use crate::schedule::{Schedule, instant};
use crate::slot::{Slot, date_in};
use files::Watch;
use job::with_job;
use plan::{moment, plan, slots};

/// The longest wait between two looks.
const LOOK: Duration = Duration::from_secs(1);

/// How often a waiting scheduler sees whether it shall stop.
const NAP: Duration = Duration::from_millis(100);

/// The wait after the catalog did not answer; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_secs(1);

/// The longest such wait.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Moments of a backfill that one transaction looks at.
const BACKFILL_BATCH: usize = 100;

/// Steps of one backfill at one look, so that moments that are done are passed quickly.
const BACKFILL_STEPS: usize = 20;

/// A difference between this machine's clock and the database's that is told.
const CLOCK_OFF_MS: i64 = 2_000;

/// What a scheduler does.
#[derive(Debug, Clone)]
pub enum SchedulerEvent {
    /// Jobs were queued.
    Fired {
        /// The schedule.
        schedule: String,
        /// Why.
        cause: SlotCause,
        /// The jobs, oldest moment first.
        jobs: Vec<JobId>,
    },
    /// Firings were missed and do not run.
    PassedOver {
        /// The schedule.
        schedule: String,
        /// The first of them.
        first: Moment,
        /// The last of them.
        last: Moment,
    },
    /// A backfill went on or ended.
    Backfilled(Box<Backfill>),
    /// A schedule cannot be followed; the others are.
    Broken {
        /// The schedule.
        schedule: String,
        /// The code of the error.
        code: &'static str,
        /// The error in words.
        error: String,
    },
    /// The catalog did not answer; it is asked again after a wait.
    Waiting {
        /// The code of the error.
        code: &'static str,
        /// How long.
        wait: Duration,
    },
    /// This machine's clock is ahead of the database's by so many milliseconds, or behind. Only the
    /// database's counts.
    ClockOff(i64),
}

/// A receiver of events, which should return at once.
pub type SchedulerSink = Arc<dyn Fn(SchedulerEvent) + Send + Sync>;

/// Queues the jobs of schedules.
pub struct Scheduler {
    engine: Engine,
    events: SchedulerSink,
    watch: Watch,
    /// The revision of each schedule that was told to be broken.
    broken: BTreeMap<ScheduleId, i64>,
    clock_off: Option<i64>,
    n_jobs: u64,
}

impl Scheduler {
    /// Makes a scheduler; it reads files and the catalog through `engine`.
    pub fn new(engine: Engine, events: SchedulerSink) -> Self {
        Self { engine, events, watch: Watch::default(), broken: BTreeMap::new(), clock_off: None, n_jobs: 0 }
    }

    /// Fires what is due until `stop` is set. A catalog that does not answer is asked again. Returns how
    /// many jobs it has queued.
    ///
    /// # Errors
    /// Errors of the catalog that waiting does not help.
    pub async fn run(&mut self, stop: &Cancel) -> Result<u64> {
        let mut wait = FIRST_WAIT;
        while !stop.is_cancelled() {
            let pause = match self.look().await {
                Ok(pause) => {
                    wait = FIRST_WAIT;
                    pause
                }
                Err(error) if may_pass(&error) => {
                    tracing::warn!(code = error.code(), "the catalog did not answer");
                    self.tell(SchedulerEvent::Waiting { code: error.code(), wait });
                    let pause = wait;
                    wait = (wait * 2).min(LONGEST_WAIT);
                    pause
                }
                Err(error) => return Err(error),
            };
            sleep(pause, stop).await;
        }
        Ok(self.n_jobs)
    }

    /// Fires what is due now, and returns how many jobs that gave. Where files are watched it looks twice,
    /// since a file counts once it has not changed between two looks.
    ///
    /// # Errors
    /// Errors of the catalog.
    pub async fn run_once(&mut self) -> Result<u64> {
        while self.look().await?.is_zero() {}
        if !self.engine.catalog().agenda().await?.watching.is_empty() {
            tokio::time::sleep(files::PAUSE).await;
            self.look().await?;
        }
        Ok(self.n_jobs)
    }

    /// Looks once; returns how long nothing is due by a rule, at most [`LOOK`].
    async fn look(&mut self) -> Result<Duration> {
        let agenda = self.engine.catalog().agenda().await?;
        let answered = Instant::now();
        self.compare_clocks(&agenda);
        for entry in &agenda.due {
            let fired = self.by_rule(entry, agenda.now).await;
            self.or_broken(entry, fired)?;
        }
        for (entry, seen) in self.triggered(&agenda).await? {
            let fired = self.by_triggers(&entry, seen, agenda.now).await;
            self.or_broken(&entry, fired)?;
        }
        for (backfill, entry) in &agenda.backfills {
            let filled = self.fill(backfill.clone(), entry).await;
            self.or_broken(entry, filled)?;
        }
        if !agenda.due.is_empty() {
            return Ok(Duration::ZERO); // what comes next is known only now
        }
        let left = agenda.next.map_or(i64::MAX, |next| next.0.saturating_sub(agenda.now.0));
        let left = Duration::from_millis(u64::try_from(left).unwrap_or(0));
        Ok(left.saturating_sub(answered.elapsed()).clamp(Duration::from_millis(1), LOOK))
    }

    fn compare_clocks(&mut self, agenda: &Agenda) {
        let off = Utc::now().timestamp_millis().saturating_sub(agenda.now.0);
        let told = self.clock_off.unwrap_or(0);
        if off.saturating_sub(told).abs() > CLOCK_OFF_MS {
            self.clock_off = Some(off);
            tracing::warn!(off_ms = off, "this machine's clock is not the database's");
            self.tell(SchedulerEvent::ClockOff(off));
        }
    }

    async fn by_rule(&mut self, entry: &ScheduleEntry, now: Moment) -> Result<()> {
        let (Some(rule), Some(due)) = (&entry.spec.rule, entry.next_fire) else { return Ok(()) };
        let schedule = Schedule::of_rule(rule)?;
        let (Some(from), Some(to)) = (instant(due), instant(now)) else { return Ok(()) };
        let plan = plan(&schedule, from, to, entry.spec.missed);
        let firing = RuleFiring {
            schedule: entry.id,
            revision: entry.revision,
            due,
            next: plan.next,
            slots: plan.run.iter().map(|slot| with_job(entry, slot, None)).collect::<Result<_>>()?,
            passed_over: plan.passed_over,
        };
        let Some(jobs) = self.engine.catalog().fire(&firing).await? else { return Ok(()) };
        if let Some((first, last)) = plan.passed_over {
            tracing::warn!(schedule = entry.spec.name, "missed firings are passed over");
            self.tell(SchedulerEvent::PassedOver { schedule: entry.spec.name.clone(), first, last });
        }
        self.fired(entry, SlotCause::Rule, jobs);
        Ok(())
    }

    /// Returns the schedules whose triggers have seen something, with all that they have seen.
    async fn triggered(&mut self, agenda: &Agenda) -> Result<Vec<(ScheduleEntry, Vec<Seen>)>> {
        let mut triggered = agenda.changed.clone();
        if agenda.watching.is_empty() || !self.watch.is_due() {
            return Ok(triggered);
        }
        for (entry, looked) in self.look_at_files(agenda.watching.clone()).await {
            let Some(seen) = self.or_broken(&entry, looked)?.filter(|seen| !seen.is_empty()) else { continue };
            match triggered.iter_mut().find(|(known, _)| known.id == entry.id) {
                Some((_, all)) => all.extend(seen),
                None => triggered.push((entry, seen)),
            }
        }
        Ok(triggered)
    }

    /// Looks at files on a thread that may wait for them.
    async fn look_at_files(&mut self, watching: Vec<ScheduleEntry>) -> Vec<(ScheduleEntry, Result<Vec<Seen>>)> {
        let (engine, mut watch) = (self.engine.clone(), std::mem::take(&mut self.watch));
        let look = move || {
            let looked = watching.into_iter().map(|entry| {
                let seen = watch.look(&engine, &entry);
                (entry, seen)
            });
            let looked: Vec<_> = looked.collect();
            (watch, looked)
        };
        let Ok((watch, looked)) = tokio::task::spawn_blocking(look).await else { return Vec::new() };
        self.watch = watch;
        looked
    }

    /// Fires a schedule once for all that its triggers have seen.
    async fn by_triggers(&mut self, entry: &ScheduleEntry, seen: Vec<Seen>, now: Moment) -> Result<()> {
        let zone = match &entry.spec.rule {
            Some(rule) => Schedule::of_rule(rule)?.zone(),
            None => Tz::UTC,
        };
        let last = entry.marks.iter().filter_map(|mark| mark.fired_at).max();
        let start = last.unwrap_or(entry.added_at);
        let (Some(start), Some(end)) = (instant(start), instant(now)) else { return Ok(()) };
        let slot = Slot { start, end, run_date: date_in(start, zone) };
        let slot = with_job(entry, &slot, None)?;
        let firing = TriggerFiring { schedule: entry.id, revision: entry.revision, seen, slot };
        if let Some(job) = self.engine.catalog().fire_trigger(&firing).await? {
            self.fired(entry, SlotCause::Trigger, vec![job]);
        }
        Ok(())
    }

    /// Goes on with a backfill until its jobs are as many as may be at once.
    async fn fill(&mut self, mut backfill: Backfill, entry: &ScheduleEntry) -> Result<()> {
        for _ in 0..BACKFILL_STEPS {
            let is_full = backfill.n_open >= backfill.spec.at_once;
            if backfill.state != BackfillState::Running || is_full || (backfill.cursor.is_none() && backfill.n_open > 0)
            {
                break;
            }
            let (n_fired, step) = (backfill.n_fired, next_step(&backfill, entry)?);
            let Some(moved) = self.engine.catalog().continue_backfill(&step).await? else { break };
            backfill = moved;
            self.n_jobs += u64::try_from(backfill.n_fired - n_fired).unwrap_or(0);
            self.tell(SchedulerEvent::Backfilled(Box::new(backfill.clone())));
        }
        Ok(())
    }

    fn fired(&mut self, entry: &ScheduleEntry, cause: SlotCause, jobs: Vec<JobId>) {
        if jobs.is_empty() {
            return;
        }
        self.n_jobs += u64::try_from(jobs.len()).unwrap_or(0);
        tracing::info!(schedule = entry.spec.name, cause = cause.name(), n_jobs = jobs.len(), "schedule fired");
        self.tell(SchedulerEvent::Fired { schedule: entry.spec.name.clone(), cause, jobs });
    }

    /// Lets an error of one schedule not stop the others; it is told once. Errors of the catalog are handed
    /// on.
    fn or_broken<T>(&mut self, entry: &ScheduleEntry, outcome: Result<T>) -> Result<Option<T>> {
        let error = match outcome {
            Ok(value) => {
                self.broken.remove(&entry.id);
                return Ok(Some(value));
            }
            Err(JobsError::Catalog(CatalogError::Invalid(problem))) => JobsError::Schedule(problem),
            Err(JobsError::Catalog(error)) => return Err(error.into()),
            Err(error) => error,
        };
        if self.broken.insert(entry.id, entry.revision) != Some(entry.revision) {
            tracing::error!(schedule = entry.spec.name, code = error.code(), "a schedule cannot be followed");
            let (code, error) = (error.code(), error.to_string());
            self.tell(SchedulerEvent::Broken { schedule: entry.spec.name.clone(), code, error });
        }
        Ok(None)
    }

    fn tell(&self, event: SchedulerEvent) {
        (self.events)(event);
    }
}

/// Returns the next moments of a backfill's range.
fn next_step(backfill: &Backfill, entry: &ScheduleEntry) -> Result<BackfillStep> {
    let mut step = BackfillStep { backfill: backfill.id, cursor: backfill.cursor, next: None, slots: Vec::new() };
    let (Some(rule), Some(cursor)) = (&entry.spec.rule, backfill.cursor) else { return Ok(step) };
    let schedule = Schedule::of_rule(rule)?;
    let (Some(from), Some(to)) = (instant(cursor), instant(backfill.spec.to)) else { return Ok(step) };
    let batch = slots(&schedule, from, to, BACKFILL_BATCH);
    let last = batch.last().filter(|_| batch.len() == BACKFILL_BATCH);
    step.next = last.and_then(|slot| schedule.first_after(moment(slot.end))).filter(|next| *next < backfill.spec.to);
    step.slots = batch.iter().map(|slot| with_job(entry, slot, Some(backfill.spec.priority))).collect::<Result<_>>()?;
    Ok(step)
}

/// Returns true for what a catalog says that is away for a while.
fn may_pass(error: &JobsError) -> bool {
    matches!(error, JobsError::Catalog(error) if error.retryable() || matches!(error, CatalogError::Backend(_)))
}

async fn sleep(pause: Duration, stop: &Cancel) {
    let started = Instant::now();
    while !stop.is_cancelled() {
        let left = pause.saturating_sub(started.elapsed());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(NAP)).await;
    }
}
