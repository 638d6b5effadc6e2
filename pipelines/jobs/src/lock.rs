//! One run at a time of a pipeline, among the processes of a machine.

use std::fs::{self, File, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use causeway_model::{Catalog, CatalogError, JobId, JobState};

use crate::error::{JobsError, Result};
use crate::run::RunOfJob;

/// A lock that the operating system takes back when the process ends, however it ends.
///
/// A process that sleeps keeps it. If that is a worker whose job another worker has taken over, nobody has to
/// wait for it: its lease is over, and whatever it says when it wakes up is refused. So the file says which
/// attempt at which job has the lock, and the catalog whether that attempt still counts.
#[derive(Debug)]
pub(crate) struct RunLock {
    _file: File,
}

/// An attempt at a job, as the file names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Holder {
    job: JobId,
    attempt: i64,
}

impl RunLock {
    /// Takes the lock of a pipeline, or says who is in the way. `job` is whom it is for, if it is not a run by
    /// hand.
    pub(crate) async fn acquire(
        state_dir: &Path,
        pipeline: &str,
        job: Option<&RunOfJob>,
        catalog: &dyn Catalog,
    ) -> Result<Self> {
        let dir = state_dir.join(".locks");
        fs::create_dir_all(&dir).map_err(|error| JobsError::io(&dir, error))?;
        let path = dir.join(format!("{pipeline}.lock"));
        let taken = || JobsError::Locked { pipeline: pipeline.to_owned(), lock: path.display().to_string() };
        // Two that look at the same time must not both find nobody.
        let turn = open(&dir.join(format!("{pipeline}.turn")))?;
        if !try_lock(&turn, &path)? {
            return Err(taken());
        }
        let mut file = open(&path)?;
        let own = job.map(|job| Holder { job: job.lease.job, attempt: job.lease.attempt });
        let holder = Holder::read(&mut file).map_err(|error| JobsError::io(&path, error))?;
        let is_free = try_lock(&file, &path)?;
        let is_asleep = job.is_some() && holder.is_some();
        let is_live = match holder.filter(|holder| Some(*holder) != own) {
            Some(holder) => holder.is_live(catalog).await?,
            None => false,
        };
        if is_live || !(is_free || is_asleep) {
            return Err(taken());
        }
        Holder::write(own, &mut file).map_err(|error| JobsError::io(&path, error))?;
        Ok(Self { _file: file })
    }
}

impl Holder {
    fn read(file: &mut File) -> std::io::Result<Option<Self>> {
        let mut text = String::new();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        let mut numbers = text.split_whitespace().map(str::parse);
        Ok(match (numbers.next(), numbers.next()) {
            (Some(Ok(job)), Some(Ok(attempt))) => Some(Self { job: JobId(job), attempt }),
            _ => None,
        })
    }

    fn write(holder: Option<Self>, file: &mut File) -> std::io::Result<()> {
        file.set_len(0)?;
        file.rewind()?;
        match holder {
            Some(Self { job, attempt }) => writeln!(file, "{} {attempt}", job.0),
            None => Ok(()),
        }
    }

    /// Returns true while the attempt has its job.
    async fn is_live(self, catalog: &dyn Catalog) -> Result<bool> {
        match catalog.job(self.job).await {
            Ok(job) => Ok(job.state == JobState::Running && job.attempt == self.attempt),
            Err(CatalogError::NotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn open(path: &PathBuf) -> Result<File> {
    let opened = File::options().create(true).truncate(false).read(true).write(true).open(path);
    opened.map_err(|error| JobsError::io(path, error))
}

fn try_lock(file: &File, path: &Path) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(JobsError::io(path, error)),
    }
}
