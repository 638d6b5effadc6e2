//! What an operator may use while it runs: randomness, progress, cancellation, threads, memory.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rand::rngs::OsRng;
use rand::{SeedableRng, TryRngCore};
use rand_chacha::ChaCha20Rng;

use crate::{OperatorError, Result};

/// The seed of a run, recorded in lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seed(pub u64);

/// A flag by which the owner of a run stops it.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the run to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Returns true once the run was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns an error once the run was asked to stop.
    ///
    /// # Errors
    /// [`OperatorError::Cancelled`].
    pub fn check(&self) -> Result<()> {
        if self.is_cancelled() { Err(OperatorError::Cancelled) } else { Ok(()) }
    }
}

/// A source of cryptographic noise for privacy mechanisms. Never seeded, never recorded.
pub trait NoiseSource: Send {
    /// Fills the buffer with unpredictable bytes.
    ///
    /// # Errors
    /// [`OperatorError::Internal`] if the operating system gives none.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()>;
}

/// The operating system's randomness.
#[derive(Debug)]
struct OsNoise;

impl NoiseSource for OsNoise {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        OsRng.try_fill_bytes(bytes).map_err(|error| OperatorError::Internal {
            operator: "noise source",
            problem: format!("the operating system gave no randomness: {error}"),
        })
    }
}

/// A receiver of progress between 0 and 1.
pub type Progress = Arc<dyn Fn(f64) + Send + Sync>;

/// The part of the query's memory an operator may take.
pub trait MemoryBudget: Send + Sync {
    /// Reserves bytes until the run ends.
    ///
    /// # Errors
    /// The reason in words if the limit is reached.
    fn grow(&self, bytes: usize) -> std::result::Result<(), String>;
}

/// A budget without limit.
#[derive(Debug)]
pub struct Unlimited;

impl MemoryBudget for Unlimited {
    fn grow(&self, _bytes: usize) -> std::result::Result<(), String> {
        Ok(())
    }
}

/// A place outside memory for rows that are read more than once: the job's spill folder.
pub trait Scratch: Send + Sync {
    /// Makes an empty file, which vanishes with its handle.
    ///
    /// # Errors
    /// The reason in words.
    fn create(&self) -> std::result::Result<Box<dyn ScratchFile>, String>;
}

/// A file of [`Scratch`]: appended to first, then read any number of times.
pub trait ScratchFile: Send {
    /// Appends bytes.
    ///
    /// # Errors
    /// The reason in words, for example a full disk.
    fn append(&mut self, bytes: &[u8]) -> std::result::Result<(), String>;

    /// Returns a reader of all bytes from the first on. Nothing is appended afterwards.
    ///
    /// # Errors
    /// The reason in words.
    fn reader(&mut self) -> std::result::Result<Box<dyn Read + Send>, String>;
}

/// Everything an operator may use besides its inputs.
pub struct RunContext {
    operator: &'static str,
    seed: Seed,
    rng: ChaCha20Rng,
    noise: Box<dyn NoiseSource>,
    progress: Progress,
    cancel: Cancel,
    memory: Arc<dyn MemoryBudget>,
    scratch: Option<Arc<dyn Scratch>>,
    pool: Arc<rayon::ThreadPool>,
}

impl RunContext {
    /// Makes a context on a thread pool, with the operating system's noise and no limits.
    pub fn new(operator: &'static str, seed: Seed, pool: Arc<rayon::ThreadPool>) -> Self {
        Self {
            operator,
            seed,
            rng: ChaCha20Rng::seed_from_u64(seed.0),
            noise: Box::new(OsNoise),
            progress: Arc::new(|_| {}),
            cancel: Cancel::default(),
            memory: Arc::new(Unlimited),
            scratch: None,
            pool,
        }
    }

    /// Makes a context for tests and benches: seed 0, `threads` threads.
    ///
    /// # Errors
    /// [`OperatorError::Internal`] if the threads cannot be started.
    pub fn for_test(threads: usize) -> Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|error| OperatorError::Internal { operator: "test", problem: error.to_string() })?;
        Ok(Self::new("test", Seed(0), Arc::new(pool)))
    }

    /// Replaces the noise source; only tests do.
    #[must_use]
    pub fn with_noise(mut self, noise: Box<dyn NoiseSource>) -> Self {
        self.noise = noise;
        self
    }

    /// Sets the receiver of progress.
    #[must_use]
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.progress = progress;
        self
    }

    /// Sets the flag that stops the run.
    #[must_use]
    pub fn with_cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Sets the memory budget.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<dyn MemoryBudget>) -> Self {
        self.memory = memory;
        self
    }

    /// Sets the place to spill rows to.
    #[must_use]
    pub fn with_scratch(mut self, scratch: Arc<dyn Scratch>) -> Self {
        self.scratch = Some(scratch);
        self
    }

    /// Returns the seed, for lineage.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// Returns the seeded generator: the same bytes for the same seed on every machine.
    pub fn rng(&mut self) -> &mut ChaCha20Rng {
        &mut self.rng
    }

    /// Returns the cryptographic noise source of privacy mechanisms.
    pub fn noise(&mut self) -> &mut dyn NoiseSource {
        self.noise.as_mut()
    }

    /// Returns the thread pool that operators share. Results must not depend on its size.
    pub fn pool(&self) -> &rayon::ThreadPool {
        &self.pool
    }

    /// Reports the share of work done, from 0 to 1.
    pub fn progress(&self, done: f64) {
        (self.progress)(done.clamp(0.0, 1.0));
    }

    /// Returns an error once the run was cancelled. Call it at least every 50 ms of work.
    ///
    /// # Errors
    /// [`OperatorError::Cancelled`].
    pub fn check_cancelled(&self) -> Result<()> {
        self.cancel.check()
    }

    /// Returns the flag that stops the run, for work on other threads.
    pub fn cancel_flag(&self) -> Cancel {
        self.cancel.clone()
    }

    /// Charges the query's memory budget for a working set that lives until the run ends.
    ///
    /// # Errors
    /// [`OperatorError::Memory`] if the limit is reached.
    pub fn grow_memory(&self, bytes: usize) -> Result<()> {
        self.memory.grow(bytes).map_err(|problem| OperatorError::Memory { operator: self.operator, problem })
    }

    /// Makes a file outside memory, `None` where the run has no place for one.
    ///
    /// # Errors
    /// [`OperatorError::Scratch`] if it cannot be made.
    pub fn scratch_file(&self) -> Result<Option<Box<dyn ScratchFile>>> {
        let file = self.scratch.as_ref().map(|scratch| scratch.create()).transpose();
        file.map_err(|problem| OperatorError::Scratch { operator: self.operator, problem })
    }
}

impl std::fmt::Debug for RunContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunContext").field("operator", &self.operator).field("seed", &self.seed).finish_non_exhaustive()
    }
}
