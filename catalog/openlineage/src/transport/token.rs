//! A bearer token that shows itself to nobody but the receiver.

use std::fmt;
use std::io::Read;
use std::path::Path;

use reqwest::header::HeaderValue;

use crate::error::{OpenLineageError, Result};

/// The longest token that is read; a longer file is something else.
const LONGEST: u64 = 16 * 1024;

/// A bearer token. It prints as `[redacted]`.
#[derive(Clone)]
pub struct Token(HeaderValue);

impl Token {
    /// Makes a token of a secret.
    ///
    /// # Errors
    /// [`OpenLineageError::Setting`] if it is empty or holds anything but visible ASCII.
    pub fn new(secret: &str) -> Result<Self> {
        if secret.is_empty() {
            return Err(OpenLineageError::Setting("the token is empty".to_owned()));
        }
        if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
            let problem = "the token holds spaces, line breaks or other letters than ASCII; a token has none";
            return Err(OpenLineageError::Setting(problem.to_owned()));
        }
        let mut header = HeaderValue::try_from(format!("Bearer {secret}"))
            .map_err(|_| OpenLineageError::Setting("the token cannot be sent in a header".to_owned()))?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// Reads a token from a file that holds nothing else; the line's end does not count.
    ///
    /// # Errors
    /// [`OpenLineageError::Setting`] if the file cannot be read or holds no token.
    pub fn from_file(path: &Path) -> Result<Self> {
        let unread = |error: &dyn fmt::Display| {
            OpenLineageError::Setting(format!("the token's file {} cannot be read: {error}", path.display()))
        };
        let file = std::fs::File::open(path).map_err(|error| unread(&error))?;
        let mut text = String::new();
        file.take(LONGEST).read_to_string(&mut text).map_err(|error| unread(&error.kind()))?;
        Self::new(text.trim_end_matches(['\r', '\n']))
    }

    /// Returns the value of the `Authorization` header; it is marked so that HTTP does not print it.
    pub(super) fn expose(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_not_printed() {
        let token = Token::new("s3cret").unwrap();
        assert_eq!(format!("{token:?}"), "[redacted]");
        assert!(!format!("{:?}", token.expose()).contains("s3cret"));
        assert_eq!(token.expose(), "Bearer s3cret");
    }

    #[test]
    fn a_file_holds_one_token() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        for (text, is_token) in [
            ("s3cret\n", true),
            ("s3cret", true),
            ("", false),
            ("\n", false),
            ("two words\n", false),
            ("l\u{fc}ng", false),
        ] {
            std::fs::write(&path, text).unwrap();
            let token = Token::from_file(&path);
            assert_eq!(token.is_ok(), is_token, "{text:?}");
            assert!(token.err().is_none_or(|error| !error.to_string().contains("words")));
        }
        let error = Token::from_file(&folder.path().join("none")).unwrap_err();
        assert!(error.to_string().contains("none cannot be read"), "{error}");
    }
}
