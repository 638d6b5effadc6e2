//! What can be wrong with a configuration. The reader fixes the file, the variable or the flag.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The result of reading a configuration.
pub type Result<T, E = ConfigError> = std::result::Result<T, E>;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// No `causeway.toml` was found.
    #[error(
        "no causeway.toml in {} or a folder above it; `causeway init DIR` makes a lake, `--config FILE` names one",
        searched.display()
    )]
    NotFound {
        /// Where the search began.
        searched: PathBuf,
    },
    /// The file is there but cannot be read.
    #[error("{}: cannot be read: {problem}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        problem: String,
    },
    /// The file is not TOML, or a value has the wrong type.
    #[error("{place}: {problem}\n  {line}")]
    Syntax {
        /// `file:line:column`.
        place: String,
        /// What was expected.
        problem: String,
        /// The line.
        line: String,
    },
    /// A section or key that does not exist.
    #[error("{place}: unknown {what} `{found}`{suggestion}; allowed: {allowed}")]
    UnknownKey {
        /// `file:line:column`.
        place: String,
        /// `section` or `key`.
        what: &'static str,
        /// What the file says.
        found: String,
        /// The nearest that exists, as a clause.
        suggestion: String,
        /// All that exist.
        allowed: String,
    },
    /// A value out of its range.
    #[error("{key} must be {allowed}")]
    Value {
        /// Section and key.
        key: String,
        /// The range in words.
        allowed: String,
    },
    /// An environment variable that cannot be used.
    #[error("environment variable {name}: {problem}")]
    Environment {
        /// Its name.
        name: String,
        /// What is wrong.
        problem: String,
    },
    /// The log filter is not one.
    #[error("log level `{filter}`: {problem}; use error, warn, info, debug, trace, or `warn,causeway_jobs=debug`")]
    LogFilter {
        /// The filter given.
        filter: String,
        /// What is wrong.
        problem: String,
    },
}

impl ConfigError {
    /// Returns the code of the error's page in the docs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "CW0801",
            Self::Unreadable { .. } => "CW0802",
            Self::Syntax { .. } => "CW0803",
            Self::UnknownKey { .. } => "CW0804",
            Self::Value { .. } => "CW0805",
            Self::Environment { .. } => "CW0806",
            Self::LogFilter { .. } => "CW0807",
        }
    }

    /// Returns false: a configuration does not mend itself.
    pub fn retryable(&self) -> bool {
        false
    }

    pub(crate) fn syntax(path: &Path, text: &str, error: &toml::de::Error) -> Self {
        let offset = error.span().map_or(0, |span| span.start);
        let (line, _) = line_and_column(text, offset);
        Self::Syntax {
            place: place(path, text, offset),
            problem: error.message().replace('\n', ", "),
            line: text.lines().nth(line - 1).unwrap_or_default().trim().to_owned(),
        }
    }

    pub(crate) fn unknown(
        path: &Path,
        text: &str,
        offset: usize,
        what: &'static str,
        found: &str,
        known: &[&str],
    ) -> Self {
        let mut allowed = known.to_vec();
        allowed.dedup();
        Self::UnknownKey {
            place: place(path, text, offset),
            what,
            found: found.to_owned(),
            suggestion: suggestion(found, &allowed),
            allowed: allowed.join(", "),
        }
    }
}

fn suggestion(found: &str, known: &[&str]) -> String {
    let mut clause = String::new();
    let nearest = known.iter().map(|name| (strsim::damerau_levenshtein(found, name), name)).min();
    if let Some((distance, name)) = nearest
        && distance <= 1 + name.len() / 4
    {
        let _ = write!(clause, "; did you mean `{name}`?");
    }
    clause
}

fn place(path: &Path, text: &str, offset: usize) -> String {
    let (line, column) = line_and_column(text, offset);
    format!("{}:{line}:{column}", path.display())
}

fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (line, column)
}
