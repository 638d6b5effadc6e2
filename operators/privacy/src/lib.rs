//! What can be told about a table without giving away a person in it?
//!
//! | operator | answers |
//! |---|---|
//! | [`dp_count`], [`dp_sum`], [`dp_mean`], [`dp_histogram`], [`dp_quantile`] | aggregates in groups of a public list |
//! | [`dp_kaplan_meier`] and its siblings | survival from one private histogram |
//! | [`ldp_encode`], [`ldp_sparse_regression`] | regression from messages that are private before they leave their sender |
//! | [`ldp_regression_simulate`] | how many senders that needs |
//!
//! ```text
//! options --> Epsilon, sensitivity, cost (before any row is read)
//! rows --count by public rules--> integers --discrete noise--> release --post-processing--> estimate, interval
//! ```
//!
//! Noise is drawn on integers by exact arithmetic over the operating system's randomness ([`noise`]); no
//! floating-point number stands between a row and the release.
//!
//! ```
//! use causeway_core::{Epsilon, RunContext};
//! use causeway_privacy::noise::{DiscreteLaplace, RandomBits};
//!
//! let mut context = RunContext::for_test(1)?;
//! let laplace = DiscreteLaplace::new(Epsilon::usable(1.0).unwrap(), 1)?;
//! let mut counts = [228, 165];
//! laplace.release(&mut counts, &mut RandomBits::new(context.noise()))?;
//! # Ok::<(), causeway_core::OperatorError>(())
//! ```
//!
//! Where to look next: [`noise`] for the samplers, [`accounting`] for what several releases cost, [`audit`] for attacks
//! that could refute a claim, [`dp_kaplan_meier`] for a whole call, and the files `*.privacy.md` for claims and proofs.

pub mod accounting;
mod aggregate;
pub mod audit;
pub mod dp_count;
pub mod dp_cumulative_incidence;
pub mod dp_histogram;
pub mod dp_kaplan_meier;
pub mod dp_log_rank;
pub mod dp_mean;
pub mod dp_nelson_aalen;
pub mod dp_quantile;
pub mod dp_restricted_mean;
pub mod dp_sum;
pub mod dp_survival_quantile;
mod histogram;
mod ldp;
pub mod ldp_encode;
pub mod ldp_regression_simulate;
pub mod ldp_sparse_regression;
pub mod noise;
mod released;
mod roles;

use causeway_core::OperatorFactory;

/// Every operator of this family, in the order the docs list them.
pub const OPERATORS: &[&dyn OperatorFactory] = &[
    &dp_count::Factory,
    &dp_sum::Factory,
    &dp_mean::Factory,
    &dp_histogram::Factory,
    &dp_quantile::Factory,
    &ldp_encode::Factory,
    &ldp_sparse_regression::Factory,
    &ldp_regression_simulate::Factory,
    &dp_kaplan_meier::Factory,
    &dp_cumulative_incidence::Factory,
    &dp_nelson_aalen::Factory,
    &dp_survival_quantile::Factory,
    &dp_restricted_mean::Factory,
    &dp_log_rank::Factory,
];
