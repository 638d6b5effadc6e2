//! The book of schedules that every store keeps.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    Agenda, Backfill, BackfillId, BackfillStep, JobId, Moment, NewBackfill, Registered, Result, RuleFiring,
    ScheduleEntry, ScheduleId, ScheduleSpec, Slot, TriggerFiring,
};

/// Schedules, and which of their moments have a job.
///
/// ```text
/// agenda ──> what is due ──> fire: slot + job + the next firing, in one transaction,
///    ^                             if nobody else was faster
///    └──────── any number of schedulers, none of which leads
/// ```
///
/// Only the database's clock counts: a scheduler is told the time with the agenda, and what it fires is
/// refused if it lies in the future. What a person does with a schedule is a record of the audit log.
#[async_trait]
pub trait ScheduleBook: Send + Sync + Debug {
    /// Adds a schedule, or changes the one of that name. The next firing stays if the rule does, and a
    /// trigger that was there goes on from where it was; a new one fires at the next change.
    async fn put_schedule(&self, spec: &ScheduleSpec, next_fire: Option<Moment>, actor: &str) -> Result<Registered>;

    /// Stops a schedule from firing; no harm if it is paused.
    async fn pause_schedule(&self, id: ScheduleId, actor: &str) -> Result<ScheduleEntry>;

    /// Lets a paused schedule fire again, by its rule at `next_fire` first; no harm if it is active.
    async fn resume_schedule(&self, id: ScheduleId, next_fire: Option<Moment>, actor: &str) -> Result<ScheduleEntry>;

    /// Ends a schedule and its backfills. Its name is free, its slots and jobs stay.
    async fn drop_schedule(&self, id: ScheduleId, actor: &str) -> Result<()>;

    /// Lists the schedules that were not dropped, by name.
    async fn schedules(&self) -> Result<Vec<ScheduleEntry>>;

    /// Finds a schedule by name.
    async fn schedule(&self, name: &str) -> Result<Option<ScheduleEntry>>;

    /// Returns what there is to do now.
    async fn agenda(&self) -> Result<Agenda>;

    /// Queues the jobs of firings by the rule, oldest first, and moves the next firing; returns the jobs.
    /// A moment that has a job gets no other. Returns `None`, and does nothing, if the schedule is not as
    /// it was found: another scheduler was faster, or somebody changed it. Fails with
    /// [`crate::CatalogError::Invalid`] if a moment lies in the future.
    async fn fire(&self, firing: &RuleFiring) -> Result<Option<Vec<JobId>>>;

    /// Queues the job of a firing by triggers and keeps what they have seen. Returns `None` as
    /// [`ScheduleBook::fire`] does.
    async fn fire_trigger(&self, firing: &TriggerFiring) -> Result<Option<JobId>>;

    /// Lists the slots of a schedule, or of all, newest moment first, at most `limit`.
    async fn slots(&self, schedule: Option<ScheduleId>, limit: i64) -> Result<Vec<Slot>>;

    /// Starts a backfill. Fails with [`crate::CatalogError::Invalid`] for a range that is empty or ends in
    /// the future.
    async fn start_backfill(&self, new: &NewBackfill, actor: &str) -> Result<Backfill>;

    /// Queues the next jobs of a backfill and returns where it is then; `None`, and nothing is done, if it
    /// is not as it was found. A moment whose job waits or runs is passed over; one whose job has
    /// succeeded too, unless the backfill runs such again. With nothing left to do or to wait for, the
    /// backfill is done.
    async fn continue_backfill(&self, step: &BackfillStep) -> Result<Option<Backfill>>;

    /// Stops a backfill and those of its jobs that wait. Fails with [`crate::CatalogError::Invalid`] if it
    /// is done.
    async fn cancel_backfill(&self, id: BackfillId, actor: &str) -> Result<Backfill>;

    /// Returns a backfill.
    async fn backfill(&self, id: BackfillId) -> Result<Backfill>;

    /// Lists the backfills of a schedule, or of all, newest first.
    async fn backfills(&self, schedule: Option<ScheduleId>) -> Result<Vec<Backfill>>;
}
