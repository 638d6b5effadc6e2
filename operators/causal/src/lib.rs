//! Which variable acts on which? Graphs learned from rows, and effects along them.
//!
//! | operator | answers |
//! |---|---|
//! | [`grn_dropout`] | which genes depend on each other whatever else is held fixed, when many values are lost to dropout |
//! | [`grn_tests`] | by which tests a network came about |
//! | [`grn_validate`] | whether dropout depends on the gene's own value alone, as the method assumes |
//! | [`iv_regression`] | what a treatment does to an outcome, by instruments that move it from outside |
//! | [`iv_diagnostics`] | whether the instruments are strong, agree and are needed |
//! | [`iv_sensitivity`] | how far the effect stands if the instruments act on the outcome by themselves |
//! | [`iv_late`] | what a treatment does to those whom an instrument moves, with learners for everything else |
//! | [`iv_ate`] | what a treatment does on average, by an instrument that may act on the outcome itself |
//! | [`iv_selection`] | how much the answer of iv_ate depends on the learners |
//! | [`simulate_iv`] | what a study with a known effect and an invalid instrument looks like |
//!
//! ```text
//! cells --zeros as bits--> tests of independence, each on its own cells --PC or greedy search--> skeleton
//!       --colliders, Meek's rules--> CPDAG --> Arrow
//! ```
//!
//! ```
//! let names: Vec<&str> = causeway_causal::OPERATORS.iter().map(|operator| operator.spec().name).collect();
//! assert!(names.contains(&"grn_dropout"));
//! ```
//!
//! Where to look next: [`grn_dropout`] shows a whole call; `causeway_core::Spec` explains the tables.

mod ci;
mod expression;
mod fisher_z;
mod ges;
#[cfg(test)]
mod golden;
mod gram;
mod graph;
mod grn;
pub mod grn_dropout;
pub mod grn_tests;
pub mod grn_validate;
mod kernels;
mod orientation;
mod partial;
mod pc;
#[cfg(test)]
mod testing;

#[cfg(test)]
mod calls;
pub mod colide;
pub mod colide_stages;
pub mod compare_graphs;
pub mod independence;
mod iv;
pub mod iv_ate;
pub mod iv_diagnostics;
pub mod iv_late;
pub mod iv_late_nuisances;
pub mod iv_regression;
pub mod iv_selection;
pub mod iv_sensitivity;
mod levelled;
mod linear_iv;
mod moments;
mod random;
pub mod simulate_dropout;
pub mod simulate_iv;
pub mod simulate_sem;
pub mod simulate_sem_edges;

use causeway_core::OperatorFactory;

/// Every operator of this family, in the order the docs list them.
pub const OPERATORS: &[&dyn OperatorFactory] = &[
    &grn_dropout::Factory,
    &grn_tests::Factory,
    &grn_validate::Factory,
    &colide::Factory,
    &colide_stages::Factory,
    &simulate_sem::Factory,
    &simulate_sem_edges::Factory,
    &simulate_dropout::Factory,
    &simulate_iv::Factory,
    &iv_ate::Factory,
    &iv_selection::Factory,
    &compare_graphs::Factory,
    &iv_regression::Factory,
    &iv_diagnostics::Factory,
    &iv_sensitivity::Factory,
    &iv_late::Factory,
    &iv_late_nuisances::Factory,
];
