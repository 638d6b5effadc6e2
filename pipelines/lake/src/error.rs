//! What can go wrong in the lake, by what the caller can do about it.

use std::error::Error;
use std::io;

use datafusion::error::DataFusionError;
use tokio::task::JoinError;

/// The result of a lake call.
pub type Result<T, E = LakeError> = std::result::Result<T, E>;

/// A lake call failed. No variant carries a value of a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LakeError {
    /// There is no table at the location. The caller fixes the call.
    #[error("table `{location}` does not exist in the lake")]
    TableNotFound {
        /// The table's location.
        location: String,
    },
    /// The table has no such version, or no longer has it.
    #[error("table `{location}` has no version {wanted}; it has versions up to {latest}")]
    VersionNotFound {
        /// The table's location.
        location: String,
        /// The version or instant asked for.
        wanted: String,
        /// The newest version.
        latest: i64,
    },
    /// `create` met a table that another call made.
    #[error("table `{location}` exists already; append to it, or overwrite it")]
    TableExists {
        /// The table's location.
        location: String,
    },
    /// Another writer changed the table meanwhile. The same statement may succeed when run again.
    #[error("table `{location}` was changed by another writer while this one was writing ({detail}); run it again")]
    Conflict {
        /// The table's location.
        location: String,
        /// What the other writer changed.
        detail: &'static str,
    },
    /// The table is being erased from; writers wait.
    #[error("table `{location}` is closed to writers while an erasure runs; run it again later")]
    Fenced {
        /// The table's location.
        location: String,
    },
    /// A column has a type that a Delta table cannot hold.
    #[error("column `{column}` has type {found}, which a lake table cannot hold; use {advice}")]
    UnsupportedType {
        /// The column.
        column: String,
        /// Its Arrow type.
        found: String,
        /// The cast that helps.
        advice: String,
    },
    /// A value does not fit the type that the lake stores it in.
    #[error("column `{column}` holds a value of type {found} outside the range of {stored}; cast it to a wider type")]
    OutOfRange {
        /// The column.
        column: String,
        /// The type of the rows.
        found: String,
        /// The type in the table.
        stored: String,
    },
    /// A null in a column that does not allow nulls.
    #[error("column `{column}` does not allow nulls, but the rows hold some")]
    NullNotAllowed {
        /// The column.
        column: String,
    },
    /// The rows do not have the table's columns.
    #[error("the rows do not fit table `{location}`: {detail}")]
    SchemaMismatch {
        /// The table's location.
        location: String,
        /// Which column is missing, surplus or of another type.
        detail: String,
    },
    /// The location is not a plain relative path.
    #[error("bad table location `{location}`: {reason}; a location looks like `clinical/lung`")]
    BadLocation {
        /// The location, with unprintable characters escaped.
        location: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The lake's own settings are wrong. The operator fixes the configuration.
    #[error("lake setting `{setting}`: {reason}")]
    Config {
        /// The setting.
        setting: String,
        /// What is wrong with it and what is allowed.
        reason: String,
    },
    /// An instant that is not RFC 3339.
    #[error("`{found}` is no RFC 3339 instant; write it like `2026-03-01T04:00:00Z`")]
    BadTimestamp {
        /// What was found.
        found: String,
    },
    /// The version held a subject that has been erased.
    #[error("version {version} of table `{location}` can no longer be read: erased by request {request}")]
    Erased {
        /// The table's location.
        location: String,
        /// The version asked for.
        version: i64,
        /// The erasure request.
        request: String,
    },
    /// Another program wrote the table with a Delta feature that the lake does not use.
    #[error(
        "table `{location}` uses the Delta feature `{feature}`, which the lake does not support; rewrite it without"
    )]
    UnsupportedTable {
        /// The table's location.
        location: String,
        /// The feature.
        feature: String,
    },
    /// The table's own files contradict each other.
    #[error("table `{location}` is damaged: {detail}")]
    Damaged {
        /// The table's location.
        location: String,
        /// What was found.
        detail: String,
    },
    /// The object store refused or is not there.
    #[error("object store, {operation}: {source}")]
    Store {
        /// What the lake was doing.
        operation: &'static str,
        /// The store's error.
        source: object_store::Error,
    },
    /// The store's disk is full. Nothing of this call is visible; the operator frees space.
    #[error("the disk of the lake is full ({operation}); nothing was committed; free space, then run it again")]
    Full {
        /// What the lake was doing.
        operation: &'static str,
    },
    /// The rows to write could not be produced, or the predicate not be evaluated.
    #[error(transparent)]
    Rows(#[from] DataFusionError),
    /// A part of the lake stopped unexpectedly.
    #[error("internal error of the lake: {0}")]
    Internal(String),
    /// A part of the lake, or what makes the rows to write, panicked: our bug.
    #[error("internal error of the lake: {0} panicked; please report the statement")]
    Panicked(&'static str),
}

impl LakeError {
    /// Returns true if the same call may succeed when made again.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Conflict { .. } | Self::Fenced { .. } | Self::Full { .. } => true,
            // What is left of `Generic` after the store's own retries are time-outs and 5xx answers.
            Self::Store { source, .. } => {
                matches!(source, object_store::Error::Generic { .. } | object_store::Error::JoinError { .. })
            }
            _ => false,
        }
    }

    /// Returns the code of the error's page in the docs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TableNotFound { .. } => "CW0301",
            Self::VersionNotFound { .. } => "CW0302",
            Self::TableExists { .. } => "CW0303",
            Self::Conflict { .. } => "CW0304",
            Self::Fenced { .. } => "CW0305",
            Self::UnsupportedType { .. } => "CW0306",
            Self::OutOfRange { .. } => "CW0307",
            Self::NullNotAllowed { .. } => "CW0308",
            Self::SchemaMismatch { .. } => "CW0309",
            Self::BadLocation { .. } => "CW0310",
            Self::Config { .. } => "CW0311",
            Self::BadTimestamp { .. } => "CW0312",
            Self::Erased { .. } => "CW0313",
            Self::UnsupportedTable { .. } => "CW0314",
            Self::Damaged { .. } => "CW0315",
            Self::Store { .. } => "CW0316",
            Self::Rows(_) => "CW0317",
            Self::Internal(_) | Self::Panicked(_) => "CW0318",
            Self::Full { .. } => "CW0319",
        }
    }

    pub(crate) fn damaged(location: &str, detail: impl ToString) -> Self {
        Self::Damaged { location: location.to_owned(), detail: detail.to_string() }
    }

    /// Wraps a store error with what the lake was doing.
    pub(crate) fn store(operation: &'static str) -> impl Fn(object_store::Error) -> Self {
        move |source| match is_disk_full(&source) {
            true => Self::Full { operation },
            false => Self::Store { operation, source },
        }
    }

    /// Says of a task that ended before its work that it did; a panic's words may hold a value of a row.
    pub(crate) fn ended(what: &'static str) -> impl Fn(JoinError) -> Self {
        move |error| match error.is_panic() {
            true => Self::Panicked(what),
            false => Self::Internal(format!("{what} was stopped")),
        }
    }
}

/// Returns true if a full disk, or a used-up quota, is behind an error.
pub fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            // What an error of the system wraps is no source of it.
            let wraps = error.get_ref().is_some_and(|inner| is_disk_full(inner));
            if wraps || matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
                return true;
            }
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_found_behind_what_wraps_it() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let generic = |error| object_store::Error::Generic { store: "local", source: Box::new(error) };
        assert!(is_disk_full(&full()));
        assert!(is_disk_full(&DataFusionError::IoError(full())));
        assert!(is_disk_full(&generic(io::Error::other(generic(full())))));
        assert!(!is_disk_full(&generic(io::Error::other("no space in this text"))));
        let error = LakeError::store("write")(generic(full()));
        assert!(error.code() == "CW0319" && error.retryable(), "{error}");
    }
}
