//! Users, roles, grants and row policies: the statements that change them, and the guard that every
//! statement passes.
//!
//! ```text
//! GRANT SELECT (age, sex) ON clinical.lung TO alice      grammar ──> AccessChange ──> one step
//! SELECT * FROM clinical.lung                            guard: the scan is replaced by
//!                                                          SELECT age, sex FROM clinical.lung WHERE policy
//! ```
//!
//! A table that a user may not read is resolved as if it were not there, so that neither an error nor
//! a hint says whether it is.

mod barrier;
mod grammar;
mod guard;
mod settings;
mod veil;

pub(crate) use barrier::Barrier;
pub(crate) use grammar::{
    AccessStatement, create_policy, create_role, create_user, drop_policy, drop_principals, grant,
};
pub(crate) use guard::{Guard, Reading, condition, denied};
pub(crate) use settings::{Setting, SettingsStatement, alter};
pub(crate) use veil::Veil;
