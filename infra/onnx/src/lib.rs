//! Trained networks over the columns of a table, read from ONNX and run in this process.
//!
//! ```text
//! bytes --counted (wire), parsed--> graph --only what the answer needs (outline)--> shapes checked --> Model --columns--> one row of numbers per row
//! ```
//!
//! What is accepted is a feed-forward network: one input of *features* columns, any number of rows, and one output with
//! a row for each of them. Every value between is a row of numbers per row, and how many there are and what they cost is
//! known before anything runs, so a model cannot take more memory than [`Model::predict`] says. Nothing loops, nothing is
//! random and no other file is read.
//!
//! The same row gives the same bits, whatever rows are around it.

mod error;
mod model;
mod outline;
mod proto;
#[cfg(test)]
mod tests;
mod wire;

pub use error::{OnnxError, Result};
pub use model::{MAX_BYTES, Model};
