//! Where the attempts of a worker spill to: a folder of its own, which the next worker to start on this
//! machine removes if the process was killed.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::{JobsError, Result};

/// What the folders of workers begin with, in the folder that all spill to.
const PREFIX: &str = "worker-";

/// What the lock beside such a folder ends in.
const LOCK: &str = "lock";

/// The folder of one worker; removed with the value.
#[derive(Debug)]
pub(super) struct SpillHome {
    folder: PathBuf,
    lock: PathBuf,
    /// Held as long as the process lives: the system takes it back however that ends.
    _held: File,
}

impl SpillHome {
    /// Removes the folders of workers that are gone, and makes one.
    pub(super) fn open(spill_dir: &Path) -> Result<Self> {
        fs::create_dir_all(spill_dir).map_err(|error| JobsError::io(spill_dir, error))?;
        sweep(spill_dir).map_err(|error| JobsError::io(spill_dir, error))?;
        loop {
            let folder = spill_dir.join(format!("{PREFIX}{}", Uuid::now_v7()));
            let lock = folder.with_extension(LOCK);
            let held = File::create(&lock).map_err(|error| JobsError::io(&lock, error))?;
            // Whoever sweeps at this moment may have taken the lock, or removed it before.
            if held.try_lock().is_ok() && lock.try_exists().map_err(|error| JobsError::io(&lock, error))? {
                fs::create_dir_all(&folder).map_err(|error| JobsError::io(&folder, error))?;
                return Ok(Self { folder, lock, _held: held });
            }
        }
    }

    /// Returns the folder of an attempt, which is made when it is first needed.
    pub(super) fn of(&self, job: i64, attempt: i64) -> PathBuf {
        self.folder.join(format!("job-{job}-{attempt}"))
    }

    /// Removes the folder of an attempt, if it was made.
    pub(super) fn clear(&self, job: i64, attempt: i64) {
        let folder = self.of(job, attempt);
        if let Err(error) = remove(&folder) {
            tracing::warn!(job, attempt, kind = %error.kind(), "the spill folder of an attempt cannot be removed");
        }
    }
}

impl Drop for SpillHome {
    fn drop(&mut self) {
        // What stays is swept by the next worker.
        let _: io::Result<()> = remove(&self.folder).and_then(|()| fs::remove_file(&self.lock));
    }
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Removes every worker's folder whose lock nobody holds.
fn sweep(spill_dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(spill_dir)? {
        let lock = entry?.path();
        let name = lock.file_name().unwrap_or_default().to_string_lossy();
        if !name.starts_with(PREFIX) || lock.extension().is_none_or(|ending| ending != LOCK) {
            continue;
        }
        match sweep_one(&lock) {
            Ok(true) => tracing::info!("the spill folder of a worker that is gone is removed"),
            Ok(false) => {}
            // Another user's, or just swept by another worker.
            Err(error) => tracing::debug!(kind = %error.kind(), "a spill folder stays"),
        }
    }
    Ok(())
}

fn sweep_one(lock: &Path) -> io::Result<bool> {
    let held = File::options().write(true).open(lock)?;
    if held.try_lock().is_err() {
        return Ok(false);
    }
    remove(&lock.with_extension(""))?;
    fs::remove_file(lock)?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(folder: &Path) -> usize {
        fs::read_dir(folder).unwrap().count()
    }

    #[test]
    fn an_attempt_leaves_nothing_and_a_worker_neither() {
        let spill = tempfile::tempdir().unwrap();
        let home = SpillHome::open(spill.path()).unwrap();
        let attempt = home.of(7, 1);
        fs::create_dir_all(&attempt).unwrap();
        fs::write(attempt.join("spilled"), "rows").unwrap();
        home.clear(7, 1);
        home.clear(8, 1);
        assert_eq!(entries(&home.folder), 0);
        drop(home);
        assert_eq!(entries(spill.path()), 0);
    }

    #[test]
    fn what_a_killed_worker_left_is_swept_and_what_a_living_one_has_stays() {
        let spill = tempfile::tempdir().unwrap();
        let living = SpillHome::open(spill.path()).unwrap();
        fs::create_dir_all(living.of(1, 1)).unwrap();
        let killed = spill.path().join("worker-killed");
        fs::create_dir_all(killed.join("job-2-1")).unwrap();
        fs::write(killed.with_extension(LOCK), "").unwrap();
        fs::create_dir_all(spill.path().join("worker-without-lock")).unwrap();
        let next = SpillHome::open(spill.path()).unwrap();
        assert!(!killed.try_exists().unwrap() && !killed.with_extension(LOCK).try_exists().unwrap());
        assert!(living.of(1, 1).try_exists().unwrap(), "its worker lives");
        assert!(spill.path().join("worker-without-lock").try_exists().unwrap(), "nobody says whose it is");
        assert_ne!(living.folder, next.folder);
    }
}
