//! Rows that an operator reads more than once, in files of the job's spill folder.

use std::fs::File;
use std::io::{Read, Write as _};
use std::sync::Arc;

use causeway_core::{Scratch, ScratchFile};
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::spill_file::{SpillFile, SpillWriter};

/// The spill folder of a job.
pub(crate) struct SpillFolder(pub(crate) Arc<RuntimeEnv>);

impl Scratch for SpillFolder {
    fn create(&self) -> Result<Box<dyn ScratchFile>, String> {
        let file = self.0.disk_manager.create_tmp_file("rows of an operator").map_err(|error| error.to_string())?;
        let writer = file.open_writer().map_err(|error| error.to_string())?;
        Ok(Box::new(SpilledRows { file, writer }))
    }
}

/// A spill file; the disk manager removes it when it is dropped.
struct SpilledRows {
    file: Arc<dyn SpillFile>,
    writer: Box<dyn SpillWriter>,
}

impl ScratchFile for SpilledRows {
    fn append(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.writer.write_all(bytes).map_err(|error| error.to_string())
    }

    fn reader(&mut self) -> Result<Box<dyn Read + Send>, String> {
        self.writer.flush().map_err(|error| error.to_string())?;
        let path = self.file.path().ok_or("the spill folder is not a local one")?;
        Ok(Box::new(File::open(path).map_err(|error| error.to_string())?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;

    use super::*;
    use crate::resources::shared_runtime;

    #[test]
    fn what_is_appended_is_read_again_any_number_of_times_and_counted() {
        let folder = tempfile::tempdir().unwrap();
        let spilled = Arc::new(AtomicU64::new(0));
        let runtime = shared_runtime(1 << 20, folder.path(), &spilled).unwrap();
        let mut file = SpillFolder(runtime).create().unwrap();
        file.append(b"one ").unwrap();
        file.append(b"two").unwrap();
        for _ in 0..2 {
            let mut found = String::new();
            file.reader().unwrap().read_to_string(&mut found).unwrap();
            assert_eq!(found, "one two");
        }
        assert_eq!(spilled.load(std::sync::atomic::Ordering::Relaxed), 7);
    }
}
