//! The one release behind all private survival estimates: how many people end in each public bin of time, and how.
//!
//! ```text
//! rows --one per unit--> cells: stratum x {event 1 .. C, censored} x bin   integers, read nothing but public rules
//!      --discrete Laplace noise in every cell--> noisy counts              the release; costs epsilon
//!      --projection, life table, resampling--> curves, bands, tests        post-processing; costs nothing
//! ```
//!
//! A unit is in one cell at most, by a function of its own rows and of the options, so adding or removing it changes
//! the vector of counts by at most 1 in L1.

mod bands;
mod grid;
mod life_table;
mod log_rank;
mod projection;
mod read;
mod release;
mod resample;
pub(crate) mod roles;
mod strata;
#[cfg(test)]
pub(crate) mod testing;
mod units;

pub(crate) use self::bands::{Bands, spread_of_noise};
pub(crate) use self::grid::Grid;
#[cfg(test)]
pub(crate) use self::life_table::survival_at;
pub(crate) use self::life_table::{Counts, LifeTable, Noise, float};
pub(crate) use self::log_rank::LogRank;
pub(crate) use self::projection::project;
pub(crate) use self::read::{count, durations};
pub(crate) use self::release::{GUARANTEE, Release};
pub(crate) use self::strata::Strata;
pub(crate) use self::units::whole_numbers;
