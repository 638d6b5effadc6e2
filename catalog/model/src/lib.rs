//! What is known about data and runs: the types, and the [`Catalog`] trait that a store implements.
//!
//! ```text
//! run ── step ──┬── pinned inputs  (dataset version)
//!               ├── outputs        (dataset version ── columns)
//!               ├── column edges   (output column <- input column, kind, masking)
//!               └── operators      (version, options, seed, report)
//! every transition of a run or step ── change (told to other tools, in its order)
//! ```
//!
//! A step's outcome is recorded by one call, [`Catalog::complete_step`], in one transaction. No SQL
//! stands here; `causeway-store` holds it. With the feature `contract-tests` the module `contract`
//! holds the suite that every store must pass.

mod access;
mod alert;
pub mod audit;
mod book;
mod budget;
mod catalog;
#[cfg(feature = "contract-tests")]
pub mod contract;
mod dataset;
mod error;
mod ids;
mod job;
mod ledger;
mod lineage;
mod outbox;
mod parameters;
mod queue;
mod run;
mod schedule;
mod watch;
mod worker;

pub use access::{
    AccessChange, BUILT_IN, Grant, PUBLIC, Principal, PrincipalKind, Privilege, ReadableColumns, Rights, RowPolicy,
    Securable,
};
pub use alert::{Alert, AlertEnd, AlertTransition, NewAlert};
pub use audit::AuditLog;
pub use book::ScheduleBook;
pub use budget::{
    Adjacency, Amount, BudgetPolicy, Charge, ChargeCost, ChargeLease, ChargePage, ChargeState, Ledger,
    MAX_STORED_RESULT, NewCharge, PolicyChange, ReleasedResult, Reservation, Shortfall, StoredRelease, WHOLE_DELTA,
};
pub use catalog::Catalog;
pub use dataset::{Column, Dataset, DatasetKind, DatasetPolicy, DatasetVersion, Declared, NewFile};
pub use error::{CatalogError, Result, WORKER_LOST};
pub use ids::{
    AlertId, BackfillId, ChargeId, DatasetId, JobId, RunId, ScheduleId, StepId, TableName, TriggerId, VersionId,
    WorkerId,
};
pub use job::{
    Attempt, AttemptOutcome, Claim, ClaimedJob, ConcurrencyGroup, Ending, ErrorClass, Job, JobKind, JobPage, JobState,
    Lease, NewJob, Submitted,
};
pub use ledger::Budget;
pub use lineage::{Direction, EdgeKind, EdgeSource, LineageEdge, LineageRow};
pub use outbox::{Change, ChangeRecord, Failure, OutboxStatus, Transition};
pub use parameters::{
    Finite, ParameterError, ParameterType, ParameterValue, Parameters, RUN_DATE, SLOT_END, SLOT_PARAMETERS, SLOT_START,
};
pub use queue::JobQueue;
pub use run::{
    IngestedFile, NewRun, NewStep, OperatorUse, OutputVersion, Run, RunKind, RunState, Step, StepOutcome, StepState,
};
pub use schedule::{
    Agenda, Backfill, BackfillState, BackfillStep, CronRule, Fold, Gap, JobTerms, Lateness, Missed, Moment,
    NewBackfill, NewSlot, Registered, RuleFiring, ScheduleEntry, ScheduleSpec, ScheduleState, Seen, Slot, SlotCause,
    Trigger, TriggerFiring, TriggerKind, TriggerMark,
};
pub use watch::{Figures, KEPT_LOG_LINES, ScheduleFigures, TOLD_TABLES, TableFigures, TransactionCounts, Watch};
pub use worker::{LogLevel, LogLine, NewLogLine, NewWorker, WorkerRecord, WorkerState};
