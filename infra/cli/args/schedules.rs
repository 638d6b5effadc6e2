//! Arguments of the commands on schedules.

use std::path::PathBuf;

use causeway_jobs::BACKFILL_PRIORITY;
use clap::{Args, Subcommand};

use super::LimitOptions;

#[derive(Debug, Args)]
pub(crate) struct ScheduleOptions {
    #[command(subcommand)]
    pub(crate) command: ScheduleCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Let a pipeline run by itself, as its pipeline.toml says; again after the file has changed
    Add {
        /// The pipeline: a folder with pipeline.toml
        #[arg(value_name = "DIR")]
        folder: PathBuf,
    },
    /// List the schedules
    List,
    /// Show a schedule and its newest slots
    Show {
        /// The schedule
        #[arg(value_name = "NAME")]
        name: String,
        /// How many slots
        #[arg(short = 'n', long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
        count: i64,
    },
    /// Stop a schedule from firing until it is resumed
    Pause(ScheduleNameOptions),
    /// Let a schedule fire again; what the clock has missed meanwhile is passed over
    Resume(ScheduleNameOptions),
    /// End a schedule and its backfills; what it has done stays
    Drop(ScheduleNameOptions),
    /// Print the next times at which a pipeline or schedule would fire
    Preview {
        /// The pipeline, a folder with pipeline.toml; or the name of a schedule
        #[arg(value_name = "DIR|NAME")]
        target: String,
        /// How many times
        #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
        count: usize,
        /// The instant to start from, RFC 3339 [default: now]
        #[arg(long, value_name = "INSTANT")]
        after: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ScheduleNameOptions {
    /// The schedule
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "Any number of schedulers may share a catalog, and none leads: a moment of a schedule gets one job, whoever is \
first. Only the database's clock counts. A catalog that does not answer is asked again. The first Ctrl-C or SIGTERM ends the scheduler."
)]
pub(crate) struct SchedulerOptions {
    /// Fire what is due and end
    #[arg(long)]
    pub(crate) once: bool,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "The range is kept in the catalog and a scheduler works through it, oldest first, so a backfill goes on wherever \
it was interrupted. Moments that have a good job are passed over. With a schedule alone its backfills are listed, without any all are. \
Exit code with --wait: 0 if all its jobs succeeded, 1 if not, 130 if the waiting was interrupted, which does not stop the backfill."
)]
pub(crate) struct BackfillOptions {
    /// The schedule
    #[arg(value_name = "SCHEDULE", conflicts_with = "cancel")]
    pub(crate) schedule: Option<String>,
    /// Where the range begins: a date in the schedule's zone, or an RFC 3339 instant
    #[arg(long, value_name = "WHEN", requires = "schedule")]
    pub(crate) from: Option<String>,
    /// Where it ends: a date, which is part of it, or an instant, which is not [default: now]
    #[arg(long, value_name = "WHEN", requires = "from")]
    pub(crate) to: Option<String>,
    /// Run moments again whose job has succeeded
    #[arg(long, requires = "from")]
    pub(crate) rerun: bool,
    /// How many of its jobs wait or run at once
    #[arg(long, value_name = "N", default_value_t = 2, requires = "from", value_parser = clap::value_parser!(i64).range(1..=1000))]
    pub(crate) at_once: i64,
    /// Head start of its jobs in seconds of waiting; below 0 lets others go first
    #[arg(long, value_name = "N", default_value_t = BACKFILL_PRIORITY, requires = "from", allow_negative_numbers = true)]
    pub(crate) priority: i64,
    /// Wait until it has ended, and say how far it is
    #[arg(long, requires = "from")]
    pub(crate) wait: bool,
    /// Stop this backfill, by its number, and those of its jobs that wait
    #[arg(long, value_name = "ID")]
    pub(crate) cancel: Option<i64>,
}
