//! SHA-256 over texts and files.

use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{JobsError, Result};

/// A digest of a sequence of texts; where one ends and the next begins counts.
#[derive(Debug, Default)]
pub(crate) struct Digest(Sha256);

impl Digest {
    pub(crate) fn add(&mut self, text: &str) {
        self.0.update(text.len().to_string());
        self.0.update([0]);
        self.0.update(text);
    }

    pub(crate) fn hex(self) -> String {
        hex::encode(self.0.finalize())
    }

    /// Returns 63 bits of the digest: a number that fits every signed column.
    pub(crate) fn number(self) -> u64 {
        let bytes = self.0.finalize();
        bytes.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)) >> 1
    }
}

/// Returns the digest of a file's content, read in pieces off the async threads.
pub(crate) async fn of_file(path: &Path) -> Result<String> {
    let owned = path.to_owned();
    let read = move || {
        let mut hasher = Sha256::new();
        std::io::copy(&mut std::fs::File::open(owned)?, &mut hasher)?;
        Ok(hex::encode(hasher.finalize()))
    };
    let done = tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    done.map_err(|error| JobsError::io(path, error))
}
