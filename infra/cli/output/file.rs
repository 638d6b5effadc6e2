//! A file that appears whole or not at all.

use std::fs::File;
use std::io::{BufWriter, Result, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// A file under a temporary name beside its own.
#[derive(Debug, Clone)]
pub(crate) struct FileSink {
    file: Arc<Mutex<BufWriter<File>>>,
    partial: PathBuf,
    target: PathBuf,
}

impl FileSink {
    /// Makes the temporary file.
    pub(crate) fn create(target: &Path) -> Result<Self> {
        let mut name = target.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.partial", std::process::id()));
        let partial = target.with_file_name(name);
        let file = Arc::new(Mutex::new(BufWriter::new(File::create(&partial)?)));
        Ok(Self { file, partial, target: target.to_owned() })
    }

    /// Gives the file its name.
    pub(crate) fn keep(&self) -> Result<()> {
        self.locked(|file| {
            file.flush()?;
            file.get_ref().sync_all()
        })?;
        std::fs::rename(&self.partial, &self.target)
    }

    /// Removes the temporary file after a failure.
    pub(crate) fn discard(&self) {
        // If it cannot be removed, its name still says that it is not whole.
        let _ = std::fs::remove_file(&self.partial);
    }

    fn locked<T>(&self, work: impl FnOnce(&mut BufWriter<File>) -> Result<T>) -> Result<T> {
        work(&mut self.file.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for FileSink {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.locked(|file| file.write(bytes))
    }

    fn flush(&mut self) -> Result<()> {
        self.locked(Write::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a.csv");
        let mut sink = FileSink::create(&target).unwrap();
        sink.write_all(b"x\n").unwrap();
        assert!(!target.try_exists().unwrap());
        sink.keep().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"x\n");
        FileSink::create(&target).unwrap().discard();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
