//! The verbs on a local disk and in memory: the same suite for both.

mod helpers;
mod types;
mod verbs;
