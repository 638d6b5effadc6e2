//! The book of schedules. What people do with a schedule stands in [`owner`], what a scheduler reads in
//! [`agenda`] and writes in [`fire`] and [`backfill`], what is shown in [`read`] and [`slots`].

mod agenda;
mod backfill;
mod fire;
mod owner;
mod read;
mod slots;

pub(crate) use agenda::agenda;
pub(crate) use backfill::{
    cancel as cancel_backfill, list as backfills, next as continue_backfill, one as backfill, start,
};
pub(crate) use fire::{by_rule, by_trigger, succeeded};
pub(crate) use owner::{discard, pause, put, resume};
pub(crate) use read::{all, named};
pub(crate) use slots::{is_late, list as slots};
