//! What the operators on gene expression share: columns, options, reading cells, the search.

pub(crate) mod cells;
pub(crate) mod columns;
pub(crate) mod network;
pub(crate) mod options;
pub(crate) mod output;
