//! The verbs on a local disk and in memory: the same suite for both.

mod erasure;
mod helpers;
mod scratch;
mod speed;
mod types;
mod verbs;
