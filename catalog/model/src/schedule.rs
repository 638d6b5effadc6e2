//! Schedules: what queues jobs by itself, and what it has queued.

use serde::{Deserialize, Serialize};

use crate::job::{ConcurrencyGroup, JobState, NewJob};
use crate::{BackfillId, JobId, ScheduleId, TriggerId};

/// An instant by the database's clock, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(pub i64);

/// What to do with a firing at a wall-clock time that clocks skip.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// Fire at the first moment after the gap.
    #[default]
    RunAfter,
    /// Do not fire.
    Skip,
}

impl Gap {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::RunAfter, Self::Skip];

    /// Returns the word for it, as written and as stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::RunAfter => "run_after",
            Self::Skip => "skip",
        }
    }
}

/// What to do with a firing at a wall-clock time that clocks repeat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// Fire the first time only.
    #[default]
    First,
    /// Fire both times.
    Both,
}

impl Fold {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::First, Self::Both];

    /// Returns the word for it, as written and as stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Both => "both",
        }
    }
}

/// What to do with firings whose moment passed while no scheduler ran.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missed {
    /// Pass them over.
    None,
    /// Run the latest, pass the others over.
    #[default]
    Latest,
    /// Run all.
    All,
}

impl Missed {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::None, Self::Latest, Self::All];

    /// Returns the word for it, as written and as stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Latest => "latest",
            Self::All => "all",
        }
    }
}

/// A cron rule in a zone, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronRule {
    /// Minute, hour, day of month, month, day of week.
    pub cron: String,
    /// A zone of the IANA database.
    pub zone: String,
    /// The rule for times that clocks skip.
    pub gap: Gap,
    /// The rule for times that clocks repeat.
    pub fold: Fold,
}

/// What a trigger watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerKind {
    /// A table: fires at a new version.
    Table,
    /// Files of a folder: fires at a new file.
    Path,
    /// Another pipeline: fires when a run of it has succeeded.
    Pipeline,
}

impl TriggerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Table, Self::Path, Self::Pipeline];

    /// Returns the word for it, as written and as stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Path => "path",
            Self::Pipeline => "pipeline",
        }
    }
}

/// What fires a schedule besides the clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// What is watched.
    pub kind: TriggerKind,
    /// `schema.table`, a path with `*` and `?` in its last part, or a pipeline's name.
    pub target: String,
}

/// How the jobs of a schedule run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobTerms {
    /// Seconds of head start before jobs of priority 0.
    pub priority: i64,
    /// What they share their turn with.
    pub group: Option<ConcurrencyGroup>,
    /// Attempts that may fail; at least 1.
    pub max_attempts: i64,
    /// The longest an attempt may take, in milliseconds.
    pub timeout_ms: Option<i64>,
    /// The most memory that an attempt may take.
    pub memory_limit_bytes: Option<i64>,
    /// A job is late if it has not started so many milliseconds after its slot's moment.
    pub start_within_ms: Option<i64>,
    /// A job is late if it has not ended so many milliseconds after its slot's moment.
    pub end_within_ms: Option<i64>,
}

/// What somebody wants run by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleSpec {
    /// Its name, which is the pipeline's.
    pub name: String,
    /// The pipeline's folder.
    pub work: String,
    /// The user whose rights its jobs have.
    pub owner: String,
    /// When it fires by the clock; `None` if by triggers alone.
    pub rule: Option<CronRule>,
    /// What becomes of firings that nobody was there for.
    pub missed: Missed,
    /// What else fires it.
    pub triggers: Vec<Trigger>,
    /// How its jobs run.
    pub terms: JobTerms,
}

/// Whether a schedule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScheduleState {
    /// It fires.
    Active,
    /// It does not until it is resumed.
    Paused,
    /// It never fires again; its record stays.
    Dropped,
}

impl ScheduleState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Dropped];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Dropped => "dropped",
        }
    }
}

/// How far a trigger has looked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerMark {
    /// The trigger.
    pub id: TriggerId,
    /// What it watches.
    pub trigger: Trigger,
    /// The version, the end of a run, or the number of firings, that it has seen last.
    pub mark: i64,
    /// The files that it has seen.
    pub files: Option<String>,
    /// When it fired last.
    pub fired_at: Option<Moment>,
}

/// A schedule of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleEntry {
    /// Its id.
    pub id: ScheduleId,
    /// Grows with each change of the specification, of state, and when it is resumed.
    pub revision: i64,
    /// What is wanted.
    pub spec: ScheduleSpec,
    /// Whether it fires.
    pub state: ScheduleState,
    /// Its next firing by the rule.
    pub next_fire: Option<Moment>,
    /// Its last firing by the rule that has a job.
    pub last_fire: Option<Moment>,
    /// The first and last of the firings that were passed over most recently.
    pub passed_over: Option<(Moment, Moment)>,
    /// Its triggers, in their order.
    pub marks: Vec<TriggerMark>,
    /// When it was added.
    pub added_at: Moment,
}

/// What became of a schedule that was put into the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The schedule.
    pub entry: ScheduleEntry,
    /// What it was before, if it was there.
    pub before: Option<ScheduleEntry>,
}

/// A slot about to get its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSlot {
    /// The moment that it stands for; a schedule has one slot for each.
    pub fire_at: Moment,
    /// Where the time begins that it covers.
    pub slot_start: Moment,
    /// Where that time ends; it is not part of it.
    pub slot_end: Moment,
    /// The job.
    pub job: NewJob,
}

/// Firings by the rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFiring {
    /// The schedule.
    pub schedule: ScheduleId,
    /// The revision that was looked at.
    pub revision: i64,
    /// The next firing as it was found.
    pub due: Moment,
    /// The next firing after this one.
    pub next: Option<Moment>,
    /// What runs, oldest first.
    pub slots: Vec<NewSlot>,
    /// The first and last of the firings that are passed over.
    pub passed_over: Option<(Moment, Moment)>,
}

/// What a trigger has seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The trigger.
    pub trigger: TriggerId,
    /// Its mark as it was found.
    pub before: i64,
    /// Its mark from now on.
    pub after: i64,
    /// The files that are there, if it watches files.
    pub files: Option<String>,
}

/// A firing by triggers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TriggerFiring {
    /// The schedule.
    pub schedule: ScheduleId,
    /// The revision that was looked at.
    pub revision: i64,
    /// What has changed; at least one.
    pub seen: Vec<Seen>,
    /// What runs.
    pub slot: NewSlot,
}

/// Why a slot has its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlotCause {
    /// The rule.
    Rule,
    /// A trigger.
    Trigger,
    /// A backfill.
    Backfill,
}

impl SlotCause {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rule, Self::Trigger, Self::Backfill];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Trigger => "trigger",
            Self::Backfill => "backfill",
        }
    }
}

/// A moment of a schedule that has a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The schedule.
    pub schedule: ScheduleId,
    /// Its name.
    pub name: String,
    /// The user whose rights the job has.
    pub owner: String,
    /// The moment that it stands for.
    pub fire_at: Moment,
    /// Where the time begins that it covers.
    pub slot_start: Moment,
    /// Where that time ends.
    pub slot_end: Moment,
    /// Why it has its job.
    pub cause: SlotCause,
    /// The backfill, if that is why.
    pub backfill: Option<BackfillId>,
    /// The job.
    pub job: JobId,
    /// Where the job is.
    pub state: JobState,
    /// When the job was queued.
    pub fired_at: Moment,
    /// What its job has not done in time: it is open, and past a bound of its schedule. `None` for those of
    /// backfills.
    pub lateness: Option<Lateness>,
}

/// What a late job has not done in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lateness {
    /// It has not started.
    NotStarted,
    /// It has not ended.
    NotEnded,
}

impl Lateness {
    /// Returns the word for it, as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::NotStarted => "not_started",
            Self::NotEnded => "not_ended",
        }
    }
}

/// A range of a schedule to be run anew or for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBackfill {
    /// The schedule.
    pub schedule: ScheduleId,
    /// The first moment of the range.
    pub from: Moment,
    /// The end of the range, which is not part of it.
    pub to: Moment,
    /// True to run slots again that have succeeded.
    pub rerun: bool,
    /// Jobs that wait or run at once; at least 1.
    pub at_once: i64,
    /// The priority of its jobs.
    pub priority: i64,
}

/// Where a backfill is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackfillState {
    /// It goes on.
    Running,
    /// All of its range was run.
    Done,
    /// It was stopped.
    Cancelled,
}

impl BackfillState {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Running, Self::Done, Self::Cancelled];

    /// Returns the word for it, as stored and as shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

/// A backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backfill {
    /// Its id.
    pub id: BackfillId,
    /// The name of its schedule.
    pub name: String,
    /// The user whose rights its jobs have.
    pub owner: String,
    /// What is wanted.
    pub spec: NewBackfill,
    /// Who wanted it.
    pub actor: String,
    /// Where it is.
    pub state: BackfillState,
    /// Where it goes on; `None` once all of the range is queued.
    pub cursor: Option<Moment>,
    /// Jobs that it has queued.
    pub n_fired: i64,
    /// Firings that it has passed over, since they had a job.
    pub n_passed_over: i64,
    /// Of its jobs those that wait or run.
    pub n_open: i64,
    /// Of its jobs those that have succeeded.
    pub n_succeeded: i64,
    /// When it was started.
    pub started_at: Moment,
    /// When it ended.
    pub finished_at: Option<Moment>,
}

/// The next firings of a backfill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackfillStep {
    /// The backfill.
    pub backfill: BackfillId,
    /// Where it stood as it was found.
    pub cursor: Option<Moment>,
    /// Where it goes on after this; `None` if this is the end of the range.
    pub next: Option<Moment>,
    /// What runs, oldest first.
    pub slots: Vec<NewSlot>,
}

/// What there is to do for a scheduler, in one state of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agenda {
    /// The time.
    pub now: Moment,
    /// The earliest firing by a rule that is still to come, or is due.
    pub next: Option<Moment>,
    /// Active schedules whose next firing is due.
    pub due: Vec<ScheduleEntry>,
    /// Active schedules one of whose tables or pipelines has changed, and what.
    pub changed: Vec<(ScheduleEntry, Vec<Seen>)>,
    /// Active schedules that watch files.
    pub watching: Vec<ScheduleEntry>,
    /// Backfills that go on, with their schedules, which may be paused.
    pub backfills: Vec<(Backfill, ScheduleEntry)>,
}
