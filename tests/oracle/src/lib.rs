//! Our privacy mechanisms beside those of OpenDP 0.16: maps from distance to loss, and distributions of noise.
//!
//! It is a crate of its own so that the other crates are tested without building OpenDP and its dependencies.

#[cfg(test)]
mod tests;
