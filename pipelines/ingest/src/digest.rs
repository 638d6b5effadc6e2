//! What identifies a file's content.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{IngestError, Result};

/// Reads a file once and returns the SHA-256 of its content, in hex, and its size in bytes.
///
/// # Errors
/// [`IngestError::Io`] if the file cannot be read.
pub fn digest(path: &Path) -> Result<(String, u64)> {
    let io_error = |source| IngestError::Io { file: path.display().to_string(), source };
    let mut file = File::open(path).map_err(io_error)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    let mut n_bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(io_error)?;
        if read == 0 {
            return Ok((hex::encode(hasher.finalize()), n_bytes));
        }
        hasher.update(&buffer[..read]);
        n_bytes += read as u64;
    }
}
