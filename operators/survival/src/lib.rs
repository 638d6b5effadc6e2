//! How long until an event, when follow-up ends before everyone has had it?
//!
//! | operator | answers |
//! |---|---|
//! | [`kaplan_meier`] | what share is still without the event at each time |
//! | [`survival_quantile`] | when half (or another share) has had the event |
//! | [`restricted_mean`] | how long one goes without the event on average, up to a horizon |
//! | [`nelson_aalen`] | how much hazard has accumulated at each time |
//! | [`log_rank`] | whether groups differ |
//!
//! ```text
//! batches --count by group, time, event (parallel, exact)--> risk table of each group
//!         --product limit, sums--> curve, quantile, mean, test --> Arrow
//! ```
//!
//! All of them take right-censored durations with ties, late entry (left truncation) and groups of
//! any number of columns. Counting is exact, so results do not depend on the order of rows, the cut
//! into batches or the number of threads.
//!
//! ```
//! use causeway_core::OperatorFactory as _;
//!
//! let names: Vec<&str> = causeway_survival::OPERATORS.iter().map(|operator| operator.spec().name).collect();
//! assert_eq!(names, ["kaplan_meier", "survival_quantile", "restricted_mean", "nelson_aalen", "log_rank"]);
//! ```
//!
//! Where to look next: [`kaplan_meier`] shows a whole call; `causeway_core::Spec` explains the tables.

mod cohort;
mod interval;
pub mod kaplan_meier;
pub mod log_rank;
pub mod nelson_aalen;
mod output;
pub mod restricted_mean;
mod risk_table;
mod roles;
pub mod survival_quantile;
#[cfg(test)]
mod testing;

use causeway_core::OperatorFactory;

/// Every operator of this family, in the order the docs list them.
pub const OPERATORS: &[&dyn OperatorFactory] = &[
    &kaplan_meier::Factory,
    &survival_quantile::Factory,
    &restricted_mean::Factory,
    &nelson_aalen::Factory,
    &log_rank::Factory,
];
