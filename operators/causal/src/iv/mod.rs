//! What the operators with an instrument share: rows, folds, learners and cross-fitting.

pub(crate) mod crossfit;
pub(crate) mod folds;
pub(crate) mod learners;
pub(crate) mod options;
pub(crate) mod rows;
