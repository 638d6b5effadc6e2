//! Runs folders of SQL: what order the steps have, what is done, what is left to do.
//!
//! ```text
//! pipeline.toml, *.sql ──Pipeline::load──> steps in order ──Plan──> what would run
//!                                                │
//!                                                └──Runner::run──> steps and checks, recorded in
//!                                                                  the catalog; RunSummary
//! ```
//!
//! A step is one statement in one file. The order is inferred: a step runs after all steps that
//! write what it, or one of its checks, reads. A failed step stops those that wait for it and no
//! others; running again goes on with what is not done, and a step whose text and inputs have not
//! changed since it last succeeded is not run at all.
//!
//! # Jobs
//! A job is a statement or a pipeline that waits in the catalog until a [`Worker`] takes it. Work that
//! was begun before its worker was killed is found and gone on with by the next; `docs/jobs.md` says how.
//!
//! # The manifest
//! ```toml
//! name = "nightly"                 # a-z, 0-9, _ and -
//! description = "All domains"
//! include = ["../clinical"]        # their steps run as clinical/10_lung, …
//! retries = 1                      # after errors that may pass; 0 to 10, default 0
//! [schedule]                       # none: runs by hand only
//! cron = "30 2 * * *"              # minute, hour, day of month, month, day of week
//! zone = "Europe/Berlin"           # default UTC
//! gap = "run_after"                # or "skip": firings at times that clocks skip
//! fold = "first"                   # or "both": firings at times that clocks repeat
//! [[alert]]                        # who is told; may stand more than once
//! on = ["failed", "recovered"]     # and "late"; default all three
//! to = ["oncall"]                  # receivers that causeway.toml defines
//! missed = "latest"                # or "none", "all": firings that passed while no scheduler ran
//! [[trigger]]                      # any number; each has one of table, path, pipeline
//! table = "clinical.visits"        # a new version
//! [[trigger]]
//! path = "inbox/*.csv"             # a new file
//! [[trigger]]
//! pipeline = "intake"              # a run that has succeeded
//! [job]                            # how its jobs run
//! attempts = 3                     # failures after which it is given up
//! timeout_seconds = 3600           # the longest an attempt may take
//! memory_limit_bytes = 2147483648  # of one attempt; default: its worker's memory divided by its slots
//! priority = 0                     # head start in seconds of waiting
//! group = "site"                   # default: a group of its own, one at a time
//! group_limit = 2                  # jobs of the group at once
//! start_within_seconds = 600       # late if not started so long after the firing
//! end_within_seconds = 7200        # late if not ended
//! ```
//! An included pipeline's schedule, triggers and `[job]` do not count; its paths start from its own folder.
//!
//! # The header of a step
//! Comment lines before the statement: `-- check: query` (one boolean; not true fails the step),
//! `-- check warn: query` (not true is a warning), `-- retries: 2`, `-- materialize: append` or
//! `incremental(key)` (only what was added to the input is done; `docs/incremental.md` says when). A query may go on in comment
//! lines indented by three spaces. Other comments are prose.
//!
//! # Tables with several writers
//! What makes the table (`CREATE`, `COPY INTO`) runs first, then what changes it, by name. An `INSERT` runs when its own
//! inputs changed and then adds rows once more; a table that is made anew from several sources
//! is one statement with `UNION ALL`.
//!
//! Where to look next: [`Pipeline`], [`Runner`], [`Jobs`], [`Worker`], [`Schedule`], [`Schedules`], [`Scheduler`].

mod check;
mod defaults;
mod digest;
mod error;
mod folder;
mod graph;
mod header;
mod incremental;
mod lock;
mod manifest;
mod pipeline;
mod plan;
mod procedures;
mod queue;
mod resume;
mod run;
mod schedule;
mod scheduler;
mod schedules;
mod slot;
mod summary;
mod terms;
mod worker;

pub use causeway_model::{Fold, Gap, Missed};
pub use error::{JobsError, Result};
pub use folder::alert_rules;
pub use manifest::AlertRule;
pub use pipeline::Pipeline;
pub use plan::{Change, Plan, PlannedSchedule, PlannedStep};
pub use procedures::Queue;
pub use queue::{JobRequest, Jobs, Work};
pub use run::{EventSink, RunEvent, RunOfJob, Runner};
pub use schedule::{Firing, Placement, Schedule};
pub use scheduler::{Scheduler, SchedulerEvent, SchedulerSink};
pub use schedules::{BACKFILL_PRIORITY, BackfillRequest, Schedules};
pub use slot::Slot;
pub use summary::{CheckSummary, OutputSummary, RunOutcome, RunSummary, StepError, StepStatus, StepSummary, Totals};
pub use terms::Terms;
pub use worker::{
    AttemptDone, OpenCatalog, StepDone, Until, Worker, WorkerEvent, WorkerOptions, WorkerSink, WorkerSummary,
};
