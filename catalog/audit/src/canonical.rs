//! The one JSON text of a value: RFC 8785 for what the documents here use.
//!
//! Fields are declared in the order of their names and maps are sorted, so serde writes members in
//! RFC 8785's order; numbers are whole and below 2^53; strings are escaped as RFC 8785 asks. Reading
//! writes the value again and compares, so two texts never mean the same value.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{AuditError, Result};

/// The first whole number that RFC 8785 cannot write exactly.
const UNSAFE: u64 = 1 << 53;

/// Why a text is not the canonical text of a value. Holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("not the expected JSON from column {0}")]
    Syntax(usize),
    #[error("not in canonical form")]
    NotCanonical,
    #[error("of an unknown kind")]
    Kind,
}

/// Writes a value.
pub(crate) fn encode<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| AuditError::Internal(format!("a value has no JSON text: {error}")))
}

/// Reads the canonical text of a value.
pub(crate) fn decode<T: Serialize + DeserializeOwned>(text: &[u8]) -> Result<T, Malformed> {
    let value: T = serde_json::from_slice(text).map_err(|error| Malformed::Syntax(error.column()))?;
    let again = serde_json::to_vec(&value).map_err(|_| Malformed::NotCanonical)?;
    if again == text { Ok(value) } else { Err(Malformed::NotCanonical) }
}

/// Returns true if a number is written exactly.
pub(crate) fn is_exact(number: u64) -> bool {
    number < UNSAFE
}

/// Returns true if an id or version is written exactly.
pub(crate) fn is_exact_id(number: i64) -> bool {
    u64::try_from(number).is_ok_and(is_exact)
}
