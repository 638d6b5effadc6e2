//! Named places at which a test lets a fault happen.
//!
//! ```text
//! CAUSEWAY_FAILPOINTS="before_commit@2=kill;operator=panic(some text)"
//! CAUSEWAY_FAILPOINT_MARKS=/tmp/marks      a line is appended before a fault happens
//! ```
//!
//! The second time a process passes `before_commit` it kills itself. Without `@n` it is the first time,
//! `@*` is every time. The mark lets a test prove that its fault happened. Without the feature `armed`
//! both functions are empty, and the environment is not looked at.

#[cfg(feature = "armed")]
mod armed;

#[cfg(feature = "armed")]
pub use armed::{at, fails_at};

/// True if this binary can be told to fail.
pub const ARMED: bool = cfg!(feature = "armed");

/// Passes a place where a process can be killed, stopped, delayed, or panic.
#[cfg(not(feature = "armed"))]
#[inline]
pub fn at(_point: &str) {}

/// Passes a place as [`at`] does; returns true if the caller shall fail.
#[cfg(not(feature = "armed"))]
#[inline]
#[must_use]
pub fn fails_at(_point: &str) -> bool {
    false
}
