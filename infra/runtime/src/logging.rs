//! The log: to standard error, as lines for people or JSON for programs.

use tracing_subscriber::EnvFilter;
/// Where log lines go: makes a writer for each.
pub use tracing_subscriber::fmt::writer::BoxMakeWriter as LogTarget;

use crate::{ConfigError, LogFormat, LogSection, Result};

/// The variable that sets the level, before the file and after the flags.
pub const LOG_VARIABLE: &str = "CAUSEWAY_LOG";

/// What the command line says about the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Verbosity {
    /// How often `-v` was given.
    pub verbose: u8,
    /// How often `-q` was given.
    pub quiet: u8,
}

impl Verbosity {
    /// Returns the level the flags ask for, if they were given.
    pub fn level(self) -> Option<&'static str> {
        match i16::from(self.verbose) - i16::from(self.quiet) {
            0 => None,
            ..=-2 => Some("off"),
            -1 => Some("error"),
            1 => Some("info"),
            2 => Some("debug"),
            3.. => Some("trace"),
        }
    }
}

/// Starts the log of this process. Flags come before `CAUSEWAY_LOG`, that before the file.
///
/// # Errors
/// [`ConfigError::LogFilter`] if the level is not one.
pub fn start(section: &LogSection, verbosity: Verbosity, colours: bool, writer: LogTarget) -> Result<()> {
    let given = verbosity.level().map(str::to_owned).or_else(|| std::env::var(LOG_VARIABLE).ok());
    let filter = parse_filter(given.as_deref().unwrap_or(&section.level))?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_target(true);
    let started = match section.format {
        LogFormat::Text => builder.with_ansi(colours).compact().try_init(),
        LogFormat::Json => builder.with_ansi(false).json().flatten_event(true).try_init(),
    };
    // A second start in one process keeps the first log: the tests of the binary do that.
    drop(started);
    Ok(())
}

/// Libraries whose logs may quote values.
const QUIET: &str = "datafusion=warn,datafusion_datasource_parquet=warn,datafusion_optimizer=warn,\
                     datafusion_physical_optimizer=warn,datafusion_pruning=warn,parquet=warn,sqlparser=warn,sqlx=warn";

fn parse_filter(level: &str) -> Result<EnvFilter> {
    let refused = |problem: String| ConfigError::LogFilter { filter: level.to_owned(), problem };
    // A lone unknown word would be taken for the name of a module and silence everything.
    let is_word = !level.is_empty() && level.chars().all(|letter| letter.is_ascii_alphabetic());
    if is_word && !["off", "error", "warn", "info", "debug", "trace"].contains(&level.to_lowercase().as_str()) {
        return Err(refused("is not a level".to_owned()));
    }
    // A bare level speaks of Causeway; libraries below stay at warnings.
    let filter = match level.to_lowercase().as_str() {
        word @ ("info" | "debug") => format!("warn,causeway={word},{}", rooms(word)),
        _ => level.to_owned(),
    };
    // What DataFusion and the Parquet reader log below warnings quotes predicates, literals included.
    let filter = format!("{filter},{QUIET}");
    EnvFilter::try_new(filter).map_err(|error| refused(error.to_string()))
}

fn rooms(level: &str) -> String {
    ["core", "engine", "ingest", "jobs", "lake", "server", "store", "system", "survival"]
        .map(|room| format!("causeway_{room}={level}"))
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_move_the_level_both_ways() {
        let level = |verbose, quiet| Verbosity { verbose, quiet }.level();
        assert_eq!(level(0, 0), None);
        assert_eq!(level(1, 0), Some("info"));
        assert_eq!(level(4, 0), Some("trace"));
        assert_eq!(level(0, 1), Some("error"));
        assert_eq!(level(0, 2), Some("off"));
    }

    #[test]
    fn a_filter_is_checked() {
        assert!(parse_filter("info").unwrap().to_string().contains("causeway_jobs=info"));
        assert!(parse_filter("warn,causeway_jobs=debug").is_ok());
        assert_eq!(parse_filter("loud").unwrap_err().code(), "CW0807");
        assert_eq!(parse_filter("a=b=c").unwrap_err().code(), "CW0807");
    }
}
