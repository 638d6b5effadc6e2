//! What the private aggregates share: rows become integers in cells, every cell gets noise, the rest is arithmetic.
//!
//! ```text
//! rows --group by a public list, value to an integer--> (cell, amount)    a function of the row and of the options
//!      --at most rows_per_unit rows of a unit--> cells: sums of amounts   exact integers
//!      --discrete Laplace noise in every cell--> the release              costs epsilon
//!      --differences, ratios, running sums--> estimates and intervals     costs nothing
//! ```
//!
//! A unit changes the vector of cells by at most rows_per_unit times the largest amount in L1, whatever its rows are and
//! in whichever groups they stand, so groups share one ε without any argument about parallel composition.

mod contributions;
mod estimate;
mod groups;
mod options;
mod release;
pub(crate) mod roles;
#[cfg(test)]
pub(crate) mod testing;

pub(crate) use contributions::{Amounts, count_rows};
pub(crate) use estimate::{Estimate, Noise, double, estimates};
use groups::Groups;
pub(crate) use options::{Bins, Bounds, Lattice, confidence};
pub(crate) use release::{Release, Share};
