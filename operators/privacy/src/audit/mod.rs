//! Is a mechanism as private as it says? An attack answers with a lower bound on ε.
//!
//! ```text
//! two neighbouring tables --mechanism, many runs each--> a number a run
//! some runs  --> threshold                         fixed before the other runs are looked at
//! other runs --> how often above, for each table   --Clopper-Pearson--> epsilon >= ln(low(p) / high(p'))
//! ```
//!
//! A mechanism that is ε-private gives every event under one table at most exp(ε) times the probability under the other
//! (plus δ). The bound holds with the confidence asked for, so a private mechanism is found above its ε that rarely at
//! most. A small bound proves nothing: another event or pair may tell more.
//!
//! [`PAIRS`] has the pair of tables of each private operator on which it is most easily attacked, and [`operator`] runs
//! that attack; [`lower_bound`] is for any other mechanism.
//!
//! ```
//! use causeway_core::{Epsilon, RunContext};
//! use causeway_privacy::audit::{Attack, lower_bound};
//! use causeway_privacy::noise::{DiscreteLaplace, RandomBits};
//!
//! let mut context = RunContext::for_test(1)?;
//! let mut bits = RandomBits::new(context.noise());
//! let laplace = DiscreteLaplace::new(Epsilon::usable(1.0).unwrap(), 1)?;
//! let attack = Attack { runs: 20_000, confidence: 0.999, delta: 0.0 };
//! let count = |with_person: bool| Ok((laplace.sample(&mut bits)? + i64::from(with_person)) as f64);
//! let bound = lower_bound(attack, count)?;
//! assert!(bound.epsilon > 0.8 && bound.epsilon <= 1.0);
//! # Ok::<(), causeway_core::OperatorError>(())
//! ```

mod bound;
mod pairs;
#[cfg(test)]
mod tests;

pub use bound::{Attack, LowerBound, lower_bound};
pub use pairs::{PAIRS, Pair, attack, operator};
