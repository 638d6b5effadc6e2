//! What one job of a process may use: a part of the memory, and a folder to spill to.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::disk_manager::{DiskManager, DiskManagerMode};
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::spill_file::{SpillFile, SpillWriter, TempFileFactory};
use futures::Stream;

/// Consumers that an error about memory names.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(4);

/// Limits and places of one job. What the process allows altogether still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobResources {
    /// Memory for all statements of the job, in bytes.
    pub memory_limit_bytes: usize,
    /// The folder that the job spills to. It is made when it is first needed; the caller removes it.
    pub spill_dir: PathBuf,
}

/// What all statements of an engine use and have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Memory held now, in bytes.
    pub memory_bytes: u64,
    /// Bytes written to spill files since the engine was made.
    pub spilled_bytes: u64,
}

/// Makes what all statements of a process share.
pub(crate) fn shared_runtime(
    memory_limit_bytes: usize,
    spill_dir: &Path,
    spilled: &Arc<AtomicU64>,
) -> Result<Arc<RuntimeEnv>> {
    std::fs::create_dir_all(spill_dir).map_err(DataFusionError::IoError)?;
    RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(fair_pool(memory_limit_bytes)))
        .with_disk_manager_builder(DiskManager::builder().with_temp_file_factory(SpillFiles::new(spill_dir, spilled)))
        .build_arc()
}

/// Makes the part of one job.
pub(crate) fn job_runtime(
    shared: &RuntimeEnv,
    resources: &JobResources,
    spilled: &Arc<AtomicU64>,
) -> Result<Arc<RuntimeEnv>> {
    let pool = JobPool { own: fair_pool(resources.memory_limit_bytes), shared: Arc::clone(&shared.memory_pool) };
    let files = SpillFiles::new(&resources.spill_dir, spilled);
    RuntimeEnvBuilder::from_runtime_env(shared)
        .with_memory_pool(Arc::new(pool))
        .with_disk_manager_builder(DiskManager::builder().with_temp_file_factory(files))
        .build_arc()
}

fn fair_pool(limit: usize) -> TrackConsumersPool<FairSpillPool> {
    TrackConsumersPool::new(FairSpillPool::new(limit), NAMED_CONSUMERS)
}

/// A job's own pool within that of the process: memory is taken from both, or from neither.
#[derive(Debug)]
struct JobPool {
    own: TrackConsumersPool<FairSpillPool>,
    shared: Arc<dyn MemoryPool>,
}

impl fmt::Display for JobPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job({}) in {}", self.own, self.shared)
    }
}

impl MemoryPool for JobPool {
    fn name(&self) -> &str {
        "job"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.shared.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.own.try_grow(reservation, additional)?;
        self.shared.try_grow(reservation, additional).inspect_err(|_| self.own.shrink(reservation, additional))
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}

/// Makes spill files in one folder, and the folder with the first of them; counts what is written.
struct SpillFiles {
    folder: PathBuf,
    files: Mutex<Option<Arc<DiskManager>>>,
    spilled: Arc<AtomicU64>,
}

impl SpillFiles {
    fn new(folder: &Path, spilled: &Arc<AtomicU64>) -> Arc<Self> {
        Arc::new(Self { folder: folder.to_owned(), files: Mutex::default(), spilled: Arc::clone(spilled) })
    }

    fn files(&self) -> Result<Arc<DiskManager>> {
        let mut files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(files) = files.as_ref() {
            return Ok(Arc::clone(files));
        }
        std::fs::create_dir_all(&self.folder).map_err(DataFusionError::IoError)?;
        let mode = DiskManagerMode::Directories(vec![self.folder.clone()]);
        let made = Arc::new(DiskManager::builder().with_mode(mode).build()?);
        *files = Some(Arc::clone(&made));
        Ok(made)
    }
}

impl TempFileFactory for SpillFiles {
    fn create_temp_file(&self, description: &str) -> Result<Arc<dyn SpillFile>> {
        let file = self.files()?.create_tmp_file(description)?;
        Ok(Arc::new(CountedFile { file, spilled: Arc::clone(&self.spilled) }))
    }
}

/// A spill file whose bytes are counted.
struct CountedFile {
    file: Arc<dyn SpillFile>,
    spilled: Arc<AtomicU64>,
}

impl SpillFile for CountedFile {
    fn path(&self) -> Option<&Path> {
        self.file.path()
    }

    fn size(&self) -> Option<u64> {
        self.file.size()
    }

    fn read_stream(&self) -> Result<Pin<Box<dyn Stream<Item = Result<Bytes>> + Send>>> {
        self.file.read_stream()
    }

    fn open_writer(&self) -> Result<Box<dyn SpillWriter>> {
        Ok(Box::new(CountedWriter { writer: self.file.open_writer()?, spilled: Arc::clone(&self.spilled) }))
    }
}

struct CountedWriter {
    writer: Box<dyn SpillWriter>,
    spilled: Arc<AtomicU64>,
}

impl std::io::Write for CountedWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.spilled.fetch_add(u64::try_from(written).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.flush()
    }
}

impl SpillWriter for CountedWriter {
    fn finish(&mut self) -> Result<()> {
        self.writer.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn runtimes(
        shared_limit: usize,
        job_limit: usize,
        folder: &Path,
    ) -> (Arc<RuntimeEnv>, Arc<RuntimeEnv>, Arc<AtomicU64>) {
        let spilled = Arc::new(AtomicU64::new(0));
        let shared = shared_runtime(shared_limit, folder, &spilled).unwrap();
        let resources = JobResources { memory_limit_bytes: job_limit, spill_dir: folder.join("job") };
        let job = job_runtime(&shared, &resources, &spilled).unwrap();
        (shared, job, spilled)
    }

    #[test]
    fn a_job_takes_its_memory_from_its_own_pool_and_from_that_of_all() {
        let folder = tempfile::tempdir().unwrap();
        let (shared, job, _) = runtimes(1_000, 600, folder.path());
        let reservation = MemoryConsumer::new("a").register(&job.memory_pool);
        reservation.try_grow(500).unwrap();
        assert_eq!((job.memory_pool.reserved(), shared.memory_pool.reserved()), (500, 500));
        assert!(reservation.try_grow(200).is_err(), "beyond the job's own limit");
        let other = MemoryConsumer::new("b").register(&shared.memory_pool);
        other.try_grow(450).unwrap();
        assert!(reservation.try_grow(80).is_err(), "beyond what all have");
        assert_eq!((job.memory_pool.reserved(), shared.memory_pool.reserved()), (500, 950));
        drop(reservation);
        assert_eq!((job.memory_pool.reserved(), shared.memory_pool.reserved()), (0, 450));
    }

    #[test]
    fn a_job_spills_to_its_own_folder_which_is_made_when_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let (_shared, job, spilled) = runtimes(1_000, 600, folder.path());
        let own = folder.path().join("job");
        assert!(!own.try_exists().unwrap());
        let file = job.disk_manager.create_tmp_file("a test").unwrap();
        assert!(file.path().unwrap().starts_with(&own));
        file.open_writer().unwrap().write_all(&[7; 1234]).unwrap();
        assert_eq!((spilled.load(Ordering::Relaxed), file.size()), (1234, Some(1234)));
    }
}
