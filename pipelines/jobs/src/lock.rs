//! One process at a time for a pipeline.

use std::fs::{self, File, TryLockError};
use std::path::Path;

use crate::error::{JobsError, Result};

/// A lock that the operating system takes back when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes the lock of a pipeline, or says who is in the way.
    pub(crate) fn acquire(state_dir: &Path, pipeline: &str) -> Result<Self> {
        let dir = state_dir.join(".locks");
        fs::create_dir_all(&dir).map_err(|error| JobsError::io(&dir, error))?;
        let path = dir.join(format!("{pipeline}.lock"));
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(|error| JobsError::io(&path, error))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => {
                Err(JobsError::Locked { pipeline: pipeline.to_owned(), lock: path.display().to_string() })
            }
            Err(TryLockError::Error(error)) => Err(JobsError::io(&path, error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_refused_until_the_first_ends() {
        let dir = tempfile::tempdir().unwrap();
        let first = RunLock::acquire(dir.path(), "nightly").unwrap();
        let refused = RunLock::acquire(dir.path(), "nightly").unwrap_err();
        assert!(refused.retryable() && refused.code() == "CW0606");
        assert!(refused.to_string().starts_with("pipeline `nightly` is running in another process"), "{refused}");
        RunLock::acquire(dir.path(), "clinical").unwrap();
        drop(first);
        RunLock::acquire(dir.path(), "nightly").unwrap();
    }
}
