//! What can go wrong with the audit log, by what the reader can do.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use crate::finding::{Finding, Problem};

/// The result of a call.
pub type Result<T, E = AuditError> = std::result::Result<T, E>;

/// A call of the audit log failed. No message holds a record's content.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The event cannot be written as a record; the caller fixes the call.
    #[error("the event cannot be recorded: {0}")]
    Record(&'static str),
    /// The text is not an instant of the form that is recorded.
    #[error("a time must be RFC 3339 in UTC, such as 2026-11-24T09:00:00.123Z")]
    Time,
    /// The text is not a digest, key or signature.
    #[error("a {what} must be {digits} lower-case hexadecimal digits")]
    Digits {
        /// What it should be.
        what: &'static str,
        /// How many digits it has.
        digits: usize,
    },
    /// The content is not the canonical text of a record.
    #[error("the content of a record is refused: {0}")]
    Content(String),
    /// Others may read the signing key.
    #[error("the key file {} has mode {mode:04o}: others may read or change it; `chmod 600 {}`, and replace the key if they may have", .path.display(), .path.display())]
    KeyPermissions {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A key file is never overwritten.
    #[error("the key file {} exists already; a key is never overwritten", .path.display())]
    KeyExists {
        /// The file.
        path: PathBuf,
    },
    /// The signing key cannot be read or written.
    #[error("the key file {}: {reason}", .path.display())]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The exported file cannot be read or written.
    #[error("the exported heads {}: {reason}", .path.display())]
    ExportFile {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A key or its rotation does not hold.
    #[error("{0}")]
    Key(String),
    /// The log is not what was recorded and signed.
    #[error("{0}")]
    Finding(#[from] Finding),
    /// The document does not prove what it says.
    #[error("the proof does not hold: {0}")]
    Proof(String),
    /// There is no such record or size.
    #[error("{0}")]
    Range(String),
    /// The stored state of the tree cannot be used.
    #[error("{0}; it can be recomputed from the records")]
    Tree(String),
    /// The operating system gives no random bytes.
    #[error("no random bytes: {0}")]
    Randomness(String),
    /// A bug.
    #[error("{0}; please report it")]
    Internal(String),
}

impl AuditError {
    /// Returns true if the same call may succeed when tried again.
    pub fn retryable(&self) -> bool {
        matches!(self, Self::Randomness(_))
    }

    /// Returns the code of the error's page in the docs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Record(_) | Self::Time | Self::Digits { .. } => "CW0701",
            Self::Content(_) => "CW0702",
            Self::KeyPermissions { .. } => "CW0703",
            Self::KeyExists { .. } | Self::KeyFile { .. } => "CW0704",
            Self::ExportFile { .. } => "CW0705",
            Self::Key(_) => "CW0706",
            Self::Finding(finding) => finding.code(),
            Self::Proof(_) => "CW0710",
            Self::Range(_) => "CW0711",
            Self::Tree(_) => "CW0712",
            Self::Randomness(_) => "CW0713",
            Self::Internal(_) => "CW0799",
        }
    }

    /// Says why a key file cannot be used.
    pub(crate) fn key_file(path: &Path, reason: impl Display) -> Self {
        Self::KeyFile { path: path.to_owned(), reason: reason.to_string() }
    }

    /// Says why an exported file cannot be used.
    pub(crate) fn export_file(path: &Path, reason: impl Display) -> Self {
        Self::ExportFile { path: path.to_owned(), reason: reason.to_string() }
    }
}

impl Finding {
    /// Returns the code of the finding's page in the docs.
    pub fn code(&self) -> &'static str {
        match self.problem {
            Problem::BadRotation(_)
            | Problem::UnknownKey { .. }
            | Problem::RetiredKey { .. }
            | Problem::BadSignature
            | Problem::OtherLog => "CW0706",
            Problem::Truncated { .. } => "CW0708",
            Problem::RowChanged { .. }
            | Problem::RowGone { .. }
            | Problem::RowBack { .. }
            | Problem::RowTouched { .. }
            | Problem::RowUnrecorded { .. }
            | Problem::ChargeChanged { .. }
            | Problem::ReleaseChanged { .. }
            | Problem::SpentDiffers { .. } => "CW0709",
            _ => "CW0707",
        }
    }
}
