//! The table's log: its actions, reading it, and the state that follows from it.

pub(crate) mod actions;
pub(crate) mod read;
pub(crate) mod state;
