//! Which variable acts on which? Graphs learned from rows, and effects along them.

use causeway_core::OperatorFactory;

/// Every operator of this family, in the order the docs list them.
pub const OPERATORS: &[&dyn OperatorFactory] = &[];
