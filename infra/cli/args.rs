//! The command line, as clap reads it; help, completions, manual and `docs/cli.md` are derived from it.

mod jobs;
mod schedules;

use std::path::PathBuf;

use causeway_model::{ParameterError, Parameters};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::exit::EXIT_CODES;
pub(crate) use jobs::{
    JobIdOptions, JobsOptions, LogsOptions, ServeOptions, StateOption, SubmitOptions, WorkOptions, WorkerOptions,
};
pub(crate) use schedules::{BackfillOptions, ScheduleCommand, ScheduleOptions, SchedulerOptions};

/// SQL in, valid answers out, and for every answer a record of what made it.
#[derive(Debug, Parser)]
#[command(
    name = "causeway",
    version,
    about = "A governed data lake and job engine for sensitive tables",
    arg_required_else_help = true,
    max_term_width = 100,
    after_long_help = EXIT_CODES
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// The configuration, or the folder it lies in [default: $CAUSEWAY_CONFIG, else causeway.toml here or above]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Say more on standard error: -v information, -vv debugging, -vvv everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say less on standard error: -q errors only, -qq nothing
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) quiet: u8,
    /// Write JSON to standard output, for programs
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto, value_name = "WHEN")]
    pub(crate) color: Color,
    /// Show no progress bars, even on a terminal
    #[arg(long, global = true)]
    pub(crate) no_progress: bool,
    /// Act with the rights of this user [default: $CAUSEWAY_USER, else admin: who can open the catalog's file may do everything]
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) user: Option<String>,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a lake: causeway.toml, the catalog and the folder of tables
    Init(InitOptions),
    /// Run a pipeline once; what is up to date is not done again
    Run(RunOptions),
    /// Show what a run of a pipeline would do, and in which order
    Plan(PlanOptions),
    /// Queue a statement or a pipeline for a worker
    Submit(SubmitOptions),
    /// Run queued jobs
    Worker(WorkerOptions),
    /// Run queued jobs and show metrics and health over HTTP
    Serve(ServeOptions),
    /// List the workers, newest first
    Workers,
    /// Show what happened in the attempts of a job
    Logs(LogsOptions),
    /// List jobs, newest first
    Jobs(JobsOptions),
    /// Stop a job that waits or runs
    Cancel(JobIdOptions),
    /// Queue a dead or cancelled job again
    Retry(JobIdOptions),
    /// Run SQL: a statement, a file, standard input, or an interactive shell
    Sql(SqlOptions),
    /// List the operators, or describe one
    Ops(OpsOptions),
    /// Show what a table or column came from, or what was made from it
    Lineage(LineageOptions),
    /// Draw what a query returns: a network, a forest plot, survival curves
    Plot(PlotOptions),
    /// Say what differs between two runs, and which of it can explain a changed number
    Diff(DiffOptions),
    /// Repeat the steps of a run on the versions they read, and compare what they give
    Reproduce(ReproduceOptions),
    /// Check the audit log, prove a record, or look at what was recorded
    Audit(AuditOptions),
    /// Show privacy budgets, or what was spent of one
    Budget(BudgetOptions),
    /// Tell other tools of runs and lineage, or look at what waits to be told
    #[command(name = "openlineage")]
    OpenLineage(OpenLineageOptions),
    /// Let pipelines run by themselves: add, look at, pause and drop schedules
    Schedule(ScheduleOptions),
    /// Run the moments of a schedule that lie in a range
    Backfill(BackfillOptions),
    /// Queue the jobs of schedules when their time comes
    Scheduler(SchedulerOptions),
    /// Check the configuration, the catalog, the lake and the machine
    Doctor,
    /// Explain an error code
    Explain(ExplainOptions),
    /// Show the version
    Version,
    /// Print the completion script of a shell
    Completions(CompletionsOptions),
    /// Print the manual page
    Man(ManOptions),
    /// Write the generated pages of the docs, or check that they are current
    #[command(hide = true)]
    Reference(ReferenceOptions),
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "A steward sets a budget in SQL: CALL set_privacy_budget('schema.table', epsilon => 4.0, unit => 'patient_id'). \
The same rows stand in system.privacy_budgets and system.privacy_charges."
)]
pub(crate) struct BudgetOptions {
    /// Show the account of this table with its newest charges [default: all accounts]
    #[arg(value_name = "TABLE")]
    pub(crate) table: Option<String>,
    /// How many charges
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) count: i64,
}

/// Limits that come before those of the file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits")]
pub(crate) struct LimitOptions {
    /// Threads for queries and operators
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    /// Memory that all statements share, in bytes
    #[arg(long, value_name = "N")]
    pub(crate) memory_limit_bytes: Option<u64>,
    /// Cancel a statement that runs longer
    #[arg(long, value_name = "N")]
    pub(crate) timeout_seconds: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct InitOptions {
    /// The folder to make the lake in
    #[arg(default_value = ".", value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Where the tables shall lie: file:///path, or s3://bucket/prefix [default: the folder `lake` in DIR]
    #[arg(long, value_name = "URL")]
    pub(crate) lake_url: Option<String>,
    /// Where the catalog shall lie: a SQLite file, or postgres://user@host/database [default: catalog.sqlite in DIR]
    #[arg(long, value_name = "URL")]
    pub(crate) catalog_url: Option<String>,
    /// A folder besides DIR whose files statements may read; may be given more than once
    #[arg(long, value_name = "DIR")]
    pub(crate) read: Vec<PathBuf>,
    /// A folder besides DIR/exports that COPY … TO may write to; may be given more than once
    #[arg(long, value_name = "DIR")]
    pub(crate) write: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct RunOptions {
    /// The pipeline: a folder with pipeline.toml and *.sql
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    #[command(flatten)]
    pub(crate) values: ParameterOptions,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

/// Values for the `:name`s in SQL.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ParameterOptions {
    /// A value for `:name` in the SQL; may be given more than once. Without a type it is what it looks like: a number, true, a day, an instant, else text
    #[arg(long = "param", value_name = "NAME[:TYPE]=VALUE")]
    pub(crate) param: Vec<String>,
}

impl ParameterOptions {
    /// Reads the values.
    pub(crate) fn read(&self) -> Result<Parameters, ParameterError> {
        Parameters::parse(self.param.iter().map(String::as_str))
    }
}

#[derive(Debug, Args)]
pub(crate) struct PlanOptions {
    /// The pipeline: a folder with pipeline.toml and *.sql
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SqlOptions {
    /// The statements to run
    #[arg(value_name = "SQL", conflicts_with_all = ["command", "file"])]
    pub(crate) statement: Option<String>,
    /// The statements to run
    #[arg(short = 'c', long, value_name = "SQL", conflicts_with = "file")]
    pub(crate) command: Option<String>,
    /// Read the statements from a file; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How to write the rows [default: table, or what the name of the output file ends in]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Write the rows to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Rows that a table on the terminal shows; 0 shows all
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) max_rows: usize,
    /// Print how long each statement took
    #[arg(long)]
    pub(crate) timing: bool,
    #[command(flatten)]
    pub(crate) values: ParameterOptions,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns for people
    Table,
    /// Comma-separated, with a header; NULL is empty
    Csv,
    /// One array of objects
    Json,
    /// One object per line
    Ndjson,
    /// The Arrow IPC stream format
    Arrow,
    /// Parquet, compressed with zstd
    Parquet,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct OpsOptions {
    #[command(subcommand)]
    pub(crate) command: Option<OpsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OpsCommand {
    /// List the operators
    List,
    /// Describe an operator: inputs, options, output, privacy, source
    Describe {
        /// Its name
        name: String,
        /// Print the page of the docs
        #[arg(long, conflicts_with = "json")]
        markdown: bool,
    },
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "The columns say what is drawn.\n\nNetwork: each row is an edge, with source and target, and if there are such columns mark ('->' for \
an arrow, anything else for a line; without the column all are arrows) and a strength, by which the width is chosen. Only the strongest \
edges are drawn; what the picture leaves out it says.\n\nForest plot: each row is an estimate, with term and estimate, and its interval in \
conf_low and conf_high.\n\nCurve: each row is a point, with time and survival or cumulative_hazard, and its band in columns of that name \
with _low and _high. Columns before `time` name the curve, as in what kaplan_meier returns."
)]
pub(crate) struct PlotOptions {
    /// The query
    #[arg(value_name = "SQL")]
    pub(crate) query: String,
    /// The picture: a file that ends in .svg or .png
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// What to draw [default: what the columns are those of]
    #[arg(long, value_enum)]
    pub(crate) kind: Option<PlotKind>,
    /// How many edges of a network to draw, the strongest first
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) top: usize,
    /// The column with the strength of an edge [default: weight, strength, frequency or statistic, the first that is there]
    #[arg(long, value_name = "COLUMN")]
    pub(crate) weight: Option<String>,
    /// Where the line of a forest plot stands: 0 for differences, 1 for ratios
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    pub(crate) reference: f64,
    /// What stands above the picture
    #[arg(long, value_name = "TEXT")]
    pub(crate) title: Option<String>,
    #[command(flatten)]
    pub(crate) values: ParameterOptions,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

/// A kind of picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlotKind {
    /// Edges: source, target; perhaps mark and weight
    Network,
    /// Estimates: term, estimate; perhaps conf_low and conf_high
    Forest,
    /// Survival curves: time and survival or cumulative_hazard; perhaps both with _low and _high; columns before `time` name a curve
    Curve,
}

#[derive(Debug, Args)]
pub(crate) struct LineageOptions {
    /// schema.table, schema.table.column or file.PATH, at its newest version or with @VERSION
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,
    /// What it came from (the default)
    #[arg(long, conflicts_with = "downstream")]
    pub(crate) upstream: bool,
    /// What was made from it
    #[arg(long)]
    pub(crate) downstream: bool,
    /// Show columns, not only tables
    #[arg(long)]
    pub(crate) columns: bool,
    /// How many steps to follow [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(1..))]
    pub(crate) depth: Option<i64>,
    /// The version to start from [default: the newest]
    #[arg(long, value_name = "N")]
    pub(crate) version: Option<i64>,
    /// What to write [default: tree, or what the name of the output file ends in]
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<LineageFormat>,
    /// Write to a file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How lineage is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LineageFormat {
    /// Lines for people
    Tree,
    /// Graphviz text
    Dot,
    /// A picture
    Svg,
    /// The tree as one object
    Json,
    /// The OpenLineage events of the runs on the way, one per line
    Openlineage,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "A RUN is an id or its unique beginning, `latest`, PIPELINE (its latest run), PIPELINE@-1 (the one before), \
or a version such as schema.table@3, which stands for the steps it came from. Exit code 1 if something differs that a result \
depends on."
)]
pub(crate) struct DiffOptions {
    /// The earlier run, or schema.table@VERSION
    #[arg(value_name = "RUN")]
    pub(crate) before: String,
    /// The later run, or schema.table@VERSION
    #[arg(value_name = "RUN")]
    pub(crate) after: String,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "Nothing in the lake or its catalog changes. Each step is repeated on the versions that it had read, with its seed \
and options, in a scratch folder that is removed. Contents are compared whatever their order. A RUN is named as for `causeway diff`; a \
version such as schema.table@3 stands for the step that made it. Exit code 1 if a step gives another result or cannot be repeated."
)]
pub(crate) struct ReproduceOptions {
    /// The run, or schema.table@VERSION
    #[arg(value_name = "RUN")]
    pub(crate) run: String,
    /// Only this step; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) step: Vec<String>,
    /// The pipeline's folder, where the paths of the files it loads start
    #[arg(long, value_name = "DIR")]
    pub(crate) pipeline: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) limits: LimitOptions,
}

#[derive(Debug, Args)]
pub(crate) struct AuditOptions {
    #[command(subcommand)]
    pub(crate) command: AuditCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Recompute the whole log, compare it with the signed heads, and every row of the catalog with the log
    Verify(AuditVerifyOptions),
    /// Prove that a record is in the log, with a document that needs no catalog
    Prove {
        /// The record's number
        #[arg(value_name = "RECORD")]
        record: u64,
        /// Write the document to a file instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Certify what a version of a table was made from, with a document that needs no catalog
    Certify {
        /// schema.table for its newest version, or schema.table@VERSION
        #[arg(value_name = "TABLE[@VERSION]")]
        table: String,
        /// Write the document to a file instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Sign where the log stands now and add it to the signed heads
    Export {
        /// Write all records to this file too, one a line
        #[arg(long, value_name = "FILE")]
        records: Option<PathBuf>,
    },
    /// Show the newest records
    Tail {
        /// How many
        #[arg(short = 'n', long, default_value_t = 20, value_name = "N")]
        count: u64,
        /// Go on showing records as they come
        #[arg(short, long)]
        follow: bool,
    },
    /// Replace the signing key; the old one signs the new one, and the log says so
    RotateKey,
    /// Attack the privacy mechanisms: is each as private as it says?
    Dp(AuditDpOptions),
    /// Start the log of a lake that never had one; `causeway init` has done it for a new lake
    Start,
}

#[derive(Debug, Args)]
#[command(
    after_long_help = "Runs a mechanism many times on two tables that differ in one person, and tells with the confidence asked for how \
much epsilon it has at least. A bound above the claim is a broken promise (exit code 1); one below proves nothing. Reads no table of the lake."
)]
pub(crate) struct AuditDpOptions {
    /// The operator to attack [default: all]
    #[arg(value_name = "OPERATOR")]
    pub(crate) operator: Option<String>,
    /// The epsilon to claim
    #[arg(long, value_name = "E", default_value_t = 1.0)]
    pub(crate) epsilon: f64,
    /// Runs on each of the two tables; more find more
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) runs: usize,
    /// How sure the bound is
    #[arg(long, value_name = "P", default_value_t = 0.999)]
    pub(crate) confidence: f64,
}

#[derive(Debug, Args)]
pub(crate) struct AuditVerifyOptions {
    /// Check a proof, a certificate, or the records that `audit export --records` wrote, without a catalog
    #[arg(long, value_name = "FILE")]
    pub(crate) offline: Option<PathBuf>,
    /// The signed heads to trust [default: audit.heads of the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) heads: Option<PathBuf>,
    /// The log's first public key, as a file or 64 hexadecimal digits [default: the .pub file beside the key]
    #[arg(long, value_name = "KEY")]
    pub(crate) first_key: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OpenLineageOptions {
    #[command(subcommand)]
    pub(crate) command: OpenLineageCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum OpenLineageCommand {
    /// Send the lineage events that wait, all of them
    Deliver {
        /// Also try again those that were held back because the receiver refused one of their run
        #[arg(long)]
        held: bool,
    },
    /// Show where events go, how many wait, and why
    Status,
    /// Delete the events that were delivered long ago; the record of their runs stays
    Forget {
        /// How many days ago
        #[arg(long, value_name = "N", default_value_t = 90, value_parser = clap::value_parser!(i64).range(0..))]
        days: i64,
        /// Also those that happened as long ago and still wait: they will never be told
        #[arg(long)]
        waiting: bool,
        /// Keep them in this table of the lake first, which is made if need be
        #[arg(long, value_name = "SCHEMA.TABLE")]
        archive: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ExplainOptions {
    /// The code, such as CW0103; without one the codes are listed
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsOptions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(crate) struct ManOptions {
    /// Write one page for each command to this folder instead
    #[arg(long, value_name = "DIR")]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ReferenceOptions {
    /// The folder of the docs
    #[arg(value_name = "DIR", default_value = "docs")]
    pub(crate) folder: PathBuf,
    /// Write nothing; name the pages that are not current and fail
    #[arg(long)]
    pub(crate) check: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_contradict_each_other_nowhere() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_statement_can_be_given_in_one_way_only() {
        let parse = |words: &[&str]| Arguments::try_parse_from([&["causeway", "sql"], words].concat());
        assert!(parse(&["SELECT 1"]).is_ok());
        assert!(parse(&["-c", "SELECT 1", "--format", "csv", "-o", "a.csv"]).is_ok());
        assert!(parse(&["SELECT 1", "-c", "SELECT 2"]).is_err());
        assert!(parse(&["-c", "SELECT 1", "-f", "a.sql"]).is_err());
        assert!(parse(&["--format", "xml"]).is_err());
    }
}
