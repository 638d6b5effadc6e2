//! What every command starts with.

use std::path::PathBuf;
use std::sync::OnceLock;

use anyhow::Context as _;
use causeway_runtime::logging::{self, Verbosity};
use causeway_runtime::{CONFIG_VARIABLE, Project, find_config};
use indicatif::MultiProgress;
use tokio::runtime::Runtime;

use crate::args::{Global, LimitOptions};
use crate::audit::Log;
use crate::errors::Failure;
use crate::interrupt::Interrupts;
use crate::progress::LogWriter;
use crate::terminal::Terminal;

/// Stack of a worker thread: plans are walked recursively there too.
const WORKER_STACK_BYTES: usize = 16 << 20;

/// Names the user whose rights hold, where `--user` does not.
const USER_VARIABLE: &str = "CAUSEWAY_USER";

/// The terminal, the threads and the signals of this process.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) terminal: Terminal,
    /// The bars on the terminal; log lines are written above them.
    pub(crate) bars: MultiProgress,
    /// The user whose rights hold; `None` for the embedded mode's admin.
    pub(crate) user: Option<String>,
    config: Option<PathBuf>,
    verbosity: Verbosity,
    threads: OnceLock<(Runtime, Interrupts)>,
    /// The log that this command may add to.
    pub(crate) log: OnceLock<Log>,
}

impl App {
    /// Looks at the terminal; starts nothing.
    pub(crate) fn new(global: &Global) -> Self {
        Self {
            terminal: Terminal::new(global),
            bars: MultiProgress::new(),
            user: global
                .user
                .clone()
                .or_else(|| std::env::var_os(USER_VARIABLE).map(|name| name.to_string_lossy().into_owned())),
            config: global.config.clone().or_else(|| std::env::var_os(CONFIG_VARIABLE).map(PathBuf::from)),
            verbosity: Verbosity { verbose: global.verbose, quiet: global.quiet },
            threads: OnceLock::new(),
            log: OnceLock::new(),
        }
    }

    /// Finds and reads the configuration, lays the flags over it and starts the log.
    pub(crate) fn project(&self, limits: &LimitOptions) -> Result<Project, Failure> {
        let here = std::env::current_dir().context("the current folder cannot be read")?;
        let mut project = Project::open(&find_config(self.config.as_deref(), &here)?)?;
        let filled = &mut project.config.limits;
        filled.threads = limits.threads.unwrap_or(filled.threads);
        filled.memory_limit_bytes = limits.memory_limit_bytes.unwrap_or(filled.memory_limit_bytes);
        filled.timeout_seconds = limits.timeout_seconds.unwrap_or(filled.timeout_seconds);
        project.config.check()?;
        self.start_log(&project)?;
        Ok(project)
    }

    /// Starts the threads and the watch for signals, the first time.
    pub(crate) fn start_threads(&self, threads: usize) -> Result<(), Failure> {
        if self.threads.get().is_some() {
            return Ok(());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads.max(1))
            .thread_name("causeway-worker")
            .thread_stack_size(WORKER_STACK_BYTES)
            .enable_all()
            .build()
            .context("the worker threads cannot be started")?;
        let interrupts = Interrupts::listen(&self.terminal).context("signals cannot be watched")?;
        // Only this thread fills the cell, and it was empty above.
        let _ = self.threads.set((runtime, interrupts));
        Ok(())
    }

    /// Runs asynchronous work on this thread, whose stack is big.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        self.start_threads(1)?;
        match self.threads.get() {
            Some((runtime, _)) => runtime.block_on(work),
            None => Err(anyhow::anyhow!("the worker threads are not running").into()),
        }
    }

    /// Leaves the threads behind. A query that was interrupted may still compute; nobody waits for it.
    pub(crate) fn leave(self) {
        if let Some((runtime, _)) = self.threads.into_inner() {
            runtime.shutdown_background();
        }
    }

    /// Returns the watch for signals; before the threads run, one that never fires.
    pub(crate) fn interrupts(&self) -> Interrupts {
        self.threads.get().map(|(_, interrupts)| interrupts.clone()).unwrap_or_default()
    }

    fn start_log(&self, project: &Project) -> Result<(), Failure> {
        let writer = LogWriter::above(&self.bars);
        Ok(logging::start(&project.config.log, self.verbosity, self.terminal.colours, writer)?)
    }
}
