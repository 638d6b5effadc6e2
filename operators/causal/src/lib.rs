//! Which variable acts on which? Graphs learned from rows, and effects along them.

pub mod colide;
pub mod colide_stages;
mod moments;
#[cfg(test)]
mod testing;

use causeway_core::OperatorFactory;

/// Every operator of this family, in the order the docs list them.
pub const OPERATORS: &[&dyn OperatorFactory] = &[&colide::Factory, &colide_stages::Factory];
