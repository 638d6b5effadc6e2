//! Which variable acts on which? Graphs learned from rows, and effects along them.

#[cfg(test)]
mod calls;
pub mod colide;
pub mod colide_stages;
pub mod compare_graphs;
pub mod independence;
mod moments;
mod random;
pub mod simulate_dropout;
pub mod simulate_sem;
pub mod simulate_sem_edges;

use causeway_core::OperatorFactory;

/// Every operator of this family, in the order the docs list them.
pub const OPERATORS: &[&dyn OperatorFactory] = &[
    &colide::Factory,
    &colide_stages::Factory,
    &simulate_sem::Factory,
    &simulate_sem_edges::Factory,
    &simulate_dropout::Factory,
    &compare_graphs::Factory,
];
