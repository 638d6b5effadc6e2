//! What several releases cost together, in integers that are only ever rounded up.
//!
//! | accountant | amount | together | k related units |
//! |---|---|---|---|
//! | [`Pure`] | ε | sum | k ε |
//! | [`Approximate`] | (ε, δ) | sums | (k ε, δ (exp(k ε) - 1) / (exp(ε) - 1)) |
//! | [`Concentrated`] | ρ | sum | k² ρ |
//!
//! Composition is sequential and may be adaptive: a later release may depend on earlier ones. Releases from disjoint
//! units cost their maximum instead, but only with a proof that they are: see [`Disjoint`]. Every sum is checked: an
//! accountant that would overflow answers `None`, and the caller refuses.
//!
//! ```
//! use causeway_core::{Delta, Epsilon, Rho};
//! use causeway_privacy::accounting::{Concentrated, Pure};
//!
//! let tenth = Epsilon::spent(0.1).unwrap();
//! let ten = (0..10).try_fold(Pure::default(), |spent, _| spent.and(tenth)).unwrap();
//! assert_eq!(ten.micro(), 1_000_000); // ten tenths are one
//!
//! let spent = Concentrated::default().and(Rho::spent(0.125).unwrap()).unwrap();
//! assert_eq!(spent.to_epsilon(Delta::spent(1e-6).unwrap()).unwrap().micro(), 2_419_094);
//! ```

mod approximate;
mod concentrated;
mod pure;
#[cfg(test)]
mod tests;

pub use approximate::Approximate;
pub use concentrated::Concentrated;
pub use pure::{Disjoint, Pure};

use causeway_core::Epsilon;

/// Shares of the last digits by which a formula in floating point is raised before it is rounded up, well above the
/// error of a few dozen operations and of the functions of `libm`.
const SLACK: f64 = 1e-12;

/// Returns ε of a formula, raised by its possible error and rounded up; none if it is not finite or does not fit.
fn rounded_up(epsilon: f64) -> Option<Epsilon> {
    Epsilon::spent(epsilon.max(0.0) * (1.0 + SLACK) + SLACK)
}
