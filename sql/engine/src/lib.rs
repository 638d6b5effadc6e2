//! Under construction.
mod api;
pub use api::*;
