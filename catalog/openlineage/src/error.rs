//! What can go wrong between a record and the place its event goes to, by what the reader can do.

use causeway_model::CatalogError;

/// The result of a call of this crate.
pub type Result<T, E = OpenLineageError> = std::result::Result<T, E>;

/// An event cannot be built or sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenLineageError {
    /// The record does not hold together, so no event can say what happened.
    #[error("no event can be made of {what}: {problem}")]
    Record {
        /// Which run or step.
        what: String,
        /// What is missing or contradicts itself.
        problem: String,
    },
    /// A place cannot be named the OpenLineage way. The caller fixes the configuration.
    #[error("the place `{place}` cannot be named: {problem}")]
    Place {
        /// The place, without credentials.
        place: String,
        /// What is wrong, what is allowed.
        problem: String,
    },
    /// A setting of the transport is wrong, or the receiver says so. An operator fixes it.
    #[error("{0}")]
    Setting(String),
    /// The receiver or the disk does not take events now. Trying again will help.
    #[error("{0}")]
    Unavailable(String),
    /// The receiver will never take this event; others it may take.
    #[error("{0}")]
    Refused(String),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// A fault of this crate.
    #[error("internal error: {0}")]
    Internal(String),
}

impl OpenLineageError {
    /// Returns true if the same call may succeed when tried again.
    pub fn retryable(&self) -> bool {
        match self {
            Self::Unavailable(_) => true,
            Self::Catalog(error) => error.retryable(),
            _ => false,
        }
    }

    /// Returns true if only this event is at fault: events of other runs can be sent all the same.
    pub fn concerns_one_event(&self) -> bool {
        match self {
            Self::Record { .. } | Self::Place { .. } | Self::Refused(_) | Self::Internal(_) => true,
            Self::Catalog(error) => matches!(error, CatalogError::NotFound { .. } | CatalogError::Damaged(_)),
            Self::Setting(_) | Self::Unavailable(_) => false,
        }
    }

    /// Returns the code of the error's page in the docs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Record { .. } => "CW0901",
            Self::Place { .. } => "CW0902",
            Self::Setting(_) => "CW0903",
            Self::Unavailable(_) => "CW0904",
            Self::Refused(_) => "CW0905",
            Self::Catalog(error) => error.code(),
            Self::Internal(_) => "CW0999",
        }
    }
}
