//! Which variable acts on which? Graphs learned from rows, and effects along them.

mod ci;
mod expression;
mod fisher_z;
mod ges;
#[cfg(test)]
mod golden;
mod gram;
mod graph;
mod grn;
pub mod grn_dropout;
pub mod grn_tests;
pub mod grn_validate;
mod kernels;
mod orientation;
mod partial;
mod pc;
#[cfg(test)]
mod testing;

use causeway_core::OperatorFactory;

/// Every operator of this family, in the order the docs list them.
pub const OPERATORS: &[&dyn OperatorFactory] = &[&grn_dropout::Factory, &grn_tests::Factory, &grn_validate::Factory];
