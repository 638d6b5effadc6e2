//! What can be told about a table without giving away a person in it?
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
//! Where to look next: [`noise`] for the samplers and their claims, [`dp_kaplan_meier`] for a whole call.

pub mod dp_cumulative_incidence;
pub mod dp_kaplan_meier;
pub mod dp_log_rank;
pub mod dp_nelson_aalen;
pub mod dp_restricted_mean;
pub mod dp_survival_quantile;
mod histogram;
pub mod noise;
mod released;

use causeway_core::OperatorFactory;

/// Every operator of this family, in the order the docs list them.
pub const OPERATORS: &[&dyn OperatorFactory] = &[
    &dp_kaplan_meier::Factory,
    &dp_cumulative_incidence::Factory,
    &dp_nelson_aalen::Factory,
    &dp_survival_quantile::Factory,
    &dp_restricted_mean::Factory,
    &dp_log_rank::Factory,
];
