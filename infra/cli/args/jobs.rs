//! Arguments of the commands on jobs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{LimitOptions, ParameterOptions};

/// The largest number of milliseconds and seconds that make sense here: a year.
const YEAR_SECONDS: u64 = 366 * 24 * 60 * 60;

/// The least memory that a job can be given: a sort needs some to spill at all.
const LEAST_MEMORY: i64 = 16 << 20;

#[derive(Debug, Args)]
#[command(
    after_long_help = "A job waits in the catalog until a worker (`causeway worker`) takes it. It runs with the rights of who \
submitted it. An attempt that fails for a reason that may pass, or whose worker is killed, is followed by another; what the first has \
written is found and not written again. Exit code with --wait: 0 if the job succeeds, 1 if not, 130 if the waiting was interrupted, \
which does not stop the job."
)]
pub(crate) struct SubmitOptions {
    /// The statement: one that changes something
    #[arg(value_name = "SQL", required_unless_present = "pipeline", conflicts_with = "pipeline")]
    pub(crate) statement: Option<String>,
    /// A pipeline instead: a folder with pipeline.toml and *.sql
    #[arg(long, value_name = "DIR")]
    pub(crate) pipeline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) values: ParameterOptions,
    /// Wait until the job has ended, and say what happens
    #[arg(long)]
    pub(crate) wait: bool,
    /// A name of your own for this job: submitting again under it returns this job and makes no other
    #[arg(long, value_name = "NAME")]
    pub(crate) key: Option<String>,
    /// Head start before other jobs, in seconds of waiting; below 0 lets others go first [default: what pipeline.toml says, else 0]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) priority: Option<i64>,
    /// Run at most --group-limit jobs of this name at once [default: one at a time of each pipeline]
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// How many jobs of the group run at once
    #[arg(long, value_name = "N", default_value_t = 1, requires = "group", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) group_limit: i64,
    /// Attempts that may fail before the job is dead [default: what pipeline.toml says, else 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..=100))]
    pub(crate) attempts: Option<i64>,
    /// The longest that an attempt may take [default: no limit but that of the worker]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=YEAR_SECONDS))]
    pub(crate) timeout_seconds: Option<u64>,
    /// The most memory that an attempt may take, in bytes [default: what pipeline.toml says, else the memory of the worker divided by its slots]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(LEAST_MEMORY..))]
    pub(crate) memory_limit_bytes: Option<i64>,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "Any number of workers may share a catalog. The first Ctrl-C or SIGTERM ends the worker when its running jobs \
have ended, with exit code 0; the second ends it at once, and after --lease-seconds others take its jobs. Exit code 0 does not say that \
all jobs succeeded: `causeway jobs` does."
)]
pub(crate) struct WorkerOptions {
    /// End when no job waits or runs, at any worker
    #[arg(long, conflicts_with = "once")]
    pub(crate) drain: bool,
    /// Run one job and end; end at once if none is due
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) work: WorkOptions,
}

/// How jobs are taken.
#[derive(Debug, Args)]
pub(crate) struct WorkOptions {
    /// Jobs at once
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub(crate) slots: u64,
    /// Take only jobs of these groups, separated by commas; a pipeline's own group is `pipeline NAME`. Jobs without a group are left to other workers [default: every job]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) groups: Option<Vec<String>>,
    /// How long this worker may be silent before others take its jobs
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) lease_seconds: u64,
    /// Its name in the record of attempts [default: the machine's name and the process]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "One process that runs jobs and shows itself: /metrics for Prometheus, /healthz (it lives), /readyz (it takes \
jobs and the catalog answers). There is no password: listen where only those reach it who may read names of tables and pipelines. The \
first Ctrl-C or SIGTERM ends it when its running jobs have ended, with exit code 0; the second ends it at once."
)]
pub(crate) struct ServeOptions {
    /// Where to listen, as IP:PORT; port 0 takes any that is free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9464")]
    pub(crate) listen: String,
    #[command(flatten)]
    pub(crate) work: WorkOptions,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "The log of an attempt tells when it started, what its steps did, with rows and times, which checks did not hold, \
the code of an error, and how it ended. It holds no value of a row and no text of a statement."
)]
pub(crate) struct LogsOptions {
    /// A job's number, or the id of its run or how that begins
    #[arg(value_name = "RUN|JOB")]
    pub(crate) name: String,
    /// Only this attempt
    #[arg(long, value_name = "N")]
    pub(crate) attempt: Option<i64>,
    /// Go on until the job has ended
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct JobsOptions {
    /// Only jobs in this state
    #[arg(long, value_enum, value_name = "STATE")]
    pub(crate) state: Option<StateOption>,
    /// How many, newest first
    #[arg(short = 'n', long, default_value_t = 50, value_name = "N")]
    pub(crate) count: usize,
}

/// Where a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateOption {
    /// Waits for a worker
    Queued,
    /// A worker has it
    Running,
    /// Done
    Succeeded,
    /// Given up; `causeway retry` runs it again
    Dead,
    /// Stopped by its owner or an operator
    Cancelled,
}

#[derive(Debug, Args)]
pub(crate) struct JobIdOptions {
    /// The job's number, as `causeway jobs` shows it
    #[arg(value_name = "ID")]
    pub(crate) id: i64,
}
