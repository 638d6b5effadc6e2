//! The SQLite store: the contract, several writers, crashes, refusals.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

mod contract;
mod crash;
mod fixtures;
mod refusals;
mod writers;
