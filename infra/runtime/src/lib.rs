//! What every role of the binary starts with: its configuration and its log.
//!
//! ```text
//! defaults < causeway.toml < CAUSEWAY_* variables < flags ──> Config ──> Project (paths resolved)
//! ```
//!
//! [`Config`] is the one table of truth: the file, the environment and the flags only fill it, and the
//! page `docs/configuration.md` is generated from it. [`Project::open`] finds the file and resolves
//! what is relative to it; [`logging::start`] sends the log to standard error.
//!
//! ```
//! use causeway_runtime::Config;
//!
//! let config = Config::from_toml("[limits]\nthreads = 4\n", "causeway.toml".as_ref())?;
//! assert_eq!(config.limits.threads, 4);
//! # Ok::<(), causeway_runtime::ConfigError>(())
//! ```

mod config;
mod discover;
mod environment;
mod error;
mod keys;
pub mod logging;
mod machine;
mod project;

pub use config::{
    AlertsSection, AuditSection, CatalogSection, Config, LakeSection, LimitsSection, LogFormat, LogSection,
    OpenLineageSection, PathsSection, ReceiverSection,
};
pub use discover::{CONFIG_FILE, CONFIG_VARIABLE, find_config};
pub use error::{ConfigError, Result};
pub use keys::{KeyDoc, key_docs};
pub use machine::Machine;
pub use project::Project;
