//! Regression from messages that are private before they leave their sender.
//!
//! ```text
//! one person's x, y --clip, lattice--> integers --noise of the person's own--> message      ldp_encode
//! messages --mean--> noisy moments, or a noisy gradient --solve, threshold--> coefficients   ldp_sparse_regression
//! ```
//!
//! Zhu, Ding, Aggarwal, Xu and Wang (2023) for the non-interactive form and the interactive one; Duchi, Jordan and
//! Wainwright (2018) for the randomiser of vectors in a ball.

pub(crate) mod calibration;
pub(crate) mod encoder;
pub(crate) mod options;
pub(crate) mod server;
#[cfg(test)]
mod tests;
