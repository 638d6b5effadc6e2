//! Appends events to a file, one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::Transport;
use crate::error::{OpenLineageError, Result};
use crate::event::Event;

/// A file of events: one write per event, at the file's end, so that several processes may share it.
///
/// A process killed within a write leaves half a line. The next writer begins a new one, so a reader
/// skips one line and loses nothing: that event was never recorded as delivered and comes again.
#[derive(Debug, Clone)]
pub struct FileTransport {
    open: Arc<Mutex<OpenFile>>,
}

#[derive(Debug)]
struct OpenFile {
    path: PathBuf,
    file: File,
    /// True if the file may end within a line.
    torn: bool,
}

impl FileTransport {
    /// Opens a file to append to and makes it, for its owner alone, if there is none.
    ///
    /// # Errors
    /// [`OpenLineageError::Setting`] if it cannot be opened; the folder must be there.
    pub fn open(path: &Path) -> Result<Self> {
        let file = opened(path).map_err(|error| {
            OpenLineageError::Setting(format!("the file of events {} cannot be opened: {error}", path.display()))
        })?;
        Ok(Self { open: Arc::new(Mutex::new(file)) })
    }

    async fn blocking(&self, what: impl FnOnce(&mut OpenFile) -> io::Result<()> + Send + 'static) -> Result<()> {
        let open = Arc::clone(&self.open);
        let done = tokio::task::spawn_blocking(move || {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            what(&mut open).map_err(|error| {
                let path = open.path.display();
                OpenLineageError::Unavailable(format!("the file of events {path} cannot be written: {error}"))
            })
        });
        done.await.map_err(|error| OpenLineageError::Internal(error.to_string()))?
    }
}

#[async_trait]
impl Transport for FileTransport {
    async fn send(&self, event: &Event) -> Result<()> {
        let line = format!("{}\n", event.body);
        self.blocking(move |open| open.append(line)).await
    }

    fn is_buffered(&self) -> bool {
        true
    }

    async fn sync(&self) -> Result<()> {
        self.blocking(|open| open.file.sync_data()).await
    }
}

impl OpenFile {
    fn append(&mut self, mut line: String) -> io::Result<()> {
        if std::mem::replace(&mut self.torn, true) {
            line.insert(0, '\n');
        }
        self.file.write_all(line.as_bytes())?;
        self.torn = false;
        Ok(())
    }
}

fn opened(path: &Path) -> io::Result<OpenFile> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let torn = ends_within_a_line(&mut file)?;
    // A new file is there after a crash only if its folder is on the disk too.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(OpenFile { path: path.to_owned(), file, torn })
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}
