//! What identifies a file's content.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use crate::error::{IngestError, Result};
use crate::expression::matrix_files;

/// Reads a file once and returns the SHA-256 of its content, in hex, and its size in bytes. For a Matrix
/// Market file the tables beside it count too, one after the other.
///
/// # Errors
/// [`IngestError::Io`] if the file cannot be read, [`IngestError::Cells`] if a table beside it is missing.
pub fn digest(path: &Path) -> Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let mut n_bytes = 0;
    for file in matrix_files(path)? {
        n_bytes += add(&file, &mut hasher)?;
    }
    Ok((hex::encode(hasher.finalize()), n_bytes))
}

/// Adds a file's content and returns its size.
fn add(path: &Path, hasher: &mut Sha256) -> Result<u64> {
    let io_error = |source| IngestError::Io { file: path.display().to_string(), source };
    let mut file = File::open(path).map_err(io_error)?;
    let mut buffer = vec![0; 1 << 20];
    let mut n_bytes = 0;
    loop {
        let read = file.read(&mut buffer).map_err(io_error)?;
        if read == 0 {
            return Ok(n_bytes);
        }
        hasher.update(&buffer[..read]);
        n_bytes += read as u64;
    }
}
