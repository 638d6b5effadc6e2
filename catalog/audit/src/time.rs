//! Instants as the caller's clock gave them.

use std::fmt;

use chrono::DateTime;

use crate::error::{AuditError, Result};

/// The longest text: nine digits of a second.
const LONGEST: usize = "2026-11-24T09:00:00.000000000Z".len();

/// An instant in UTC, RFC 3339 with a capital `T` and `Z` and at most nine digits of a second. Its
/// text is kept as given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(String);

impl Timestamp {
    /// Takes an instant as text.
    ///
    /// # Errors
    /// [`AuditError::Time`] if it is not of the form described above.
    pub fn new(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"-:T.Z".contains(&byte));
        let is_time =
            text.len() <= LONGEST && text.ends_with('Z') && is_plain && DateTime::parse_from_rfc3339(&text).is_ok();
        if is_time { Ok(Self(text)) } else { Err(AuditError::Time) }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Timestamp {
    type Error = AuditError;

    fn try_from(text: String) -> Result<Self> {
        Self::new(text)
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> Self {
        time.0
    }
}
