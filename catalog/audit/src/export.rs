//! The exported file: signed heads and key rotations outside the catalog, one JSON text a line.
//!
//! Its lines are only ever added. What was cut off in the middle of a write was never acknowledged;
//! the next write removes it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::Deserialize;

use crate::canonical::{self, Malformed};
use crate::error::{AuditError, Result};
use crate::head::{self, SignedHead};
use crate::rotation::{self, KeyRotation};

/// Longer than any line.
const LONGEST_LINE: u64 = 4096;

/// What an exported file says. Nothing in it is trusted before the verifier has checked it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Export {
    /// The signed heads, in the order of the file.
    pub heads: Vec<SignedHead>,
    /// The key rotations, in the order of the file.
    pub rotations: Vec<KeyRotation>,
    /// True if the last line was cut off and left out.
    pub cut_off: bool,
}

impl Export {
    /// Reads a file. A last line without its newline is left out if it is not complete.
    ///
    /// # Errors
    /// [`AuditError::ExportFile`] if it cannot be read or a line is not a head or rotation.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|error| AuditError::export_file(path, error))?;
        Self::parse(&bytes).map_err(|reason| AuditError::export_file(path, reason))
    }

    /// Reads the last head of a file; none if there is no file, or no head in its last lines.
    ///
    /// # Errors
    /// [`AuditError::ExportFile`] if it cannot be read or its last line is not one of its own.
    pub fn last_head(path: &Path) -> Result<Option<SignedHead>> {
        let failed = |error: std::io::Error| AuditError::export_file(path, error);
        let mut file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let start = file.metadata().map_err(failed)?.len().saturating_sub(LONGEST_LINE);
        file.seek(SeekFrom::Start(start)).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        // The first line may have begun before the part that was read.
        let begin = if start == 0 { 0 } else { bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1) };
        let export = Self::parse(bytes.get(begin..).unwrap_or_default());
        Ok(export.map_err(|reason| AuditError::export_file(path, reason))?.heads.pop())
    }

    /// Reads the content of a file; the error says which line is wrong.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut export = Self::default();
        for (number, line) in (1..).zip(bytes.split_inclusive(|byte| *byte == b'\n')) {
            let complete = line.strip_suffix(b"\n");
            match (export.take(complete.unwrap_or(line)), complete) {
                (Ok(()), _) => {}
                (Err(malformed), Some(_)) => return Err(format!("line {number} is {malformed}")),
                (Err(_), None) => export.cut_off = true,
            }
        }
        Ok(export)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Malformed> {
        #[derive(Deserialize)]
        struct Kind {
            kind: String,
        }
        let Kind { kind } = serde_json::from_slice(line).map_err(|error| Malformed::Syntax(error.column()))?;
        match kind.as_str() {
            head::KIND => self.heads.push(canonical::decode(line)?),
            rotation::KIND => self.rotations.push(canonical::decode(line)?),
            _ => return Err(Malformed::Kind),
        }
        Ok(())
    }
}

/// Adds a signed head to the file, which is created if need be, and waits until it is on disk.
///
/// # Errors
/// [`AuditError::ExportFile`] if it cannot be written.
pub fn append_head(path: &Path, head: &SignedHead) -> Result<()> {
    append(path, &head.to_json()?)
}

/// Adds a key rotation to the file, which is created if need be, and waits until it is on disk.
///
/// # Errors
/// [`AuditError::ExportFile`] if it cannot be written.
pub fn append_rotation(path: &Path, rotation: &KeyRotation) -> Result<()> {
    append(path, &canonical::encode(rotation)?)
}

fn append(path: &Path, line: &str) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
        file.lock()?;
        end_last_line(&mut file)?;
        file.write_all(format!("{line}\n").as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| AuditError::export_file(path, error))
}

/// Ends a line that lacks only its newline, and removes one that was cut off.
fn end_last_line(file: &mut File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(LONGEST_LINE);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    match bytes.get(whole..) {
        None | Some([]) => Ok(()),
        Some(tail) if Export::default().take(tail).is_ok() => file.write_all(b"\n"),
        Some(_) if whole == 0 && start > 0 => {
            Err(std::io::Error::other("its last line is too long to be one of its own"))
        }
        Some(_) => file.set_len(start + whole as u64),
    }
}
