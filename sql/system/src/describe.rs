//! Every relation with the meaning of its columns: the one table from which the schema, the docs and
//! the shell's `\d` are derived.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

/// A table of the schema `system`, or a function.
#[derive(Debug)]
pub struct RelationDoc {
    /// Its name, without the schema.
    pub name: &'static str,
    /// What one row is.
    pub summary: &'static str,
    /// The call of a function; `None` for a table.
    pub usage: Option<&'static str>,
    /// Its columns in order.
    pub columns: &'static [ColumnDoc],
}

/// A column of a system relation.
#[derive(Debug)]
pub struct ColumnDoc {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// True if it can be null; the meaning says when.
    pub nullable: bool,
    /// What it means, with its unit.
    pub meaning: &'static str,
}

/// The types that system relations use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text,
    /// A list of strings.
    Texts,
    /// A signed 64-bit integer.
    Integer,
    /// A double.
    Number,
    /// `true` or `false`.
    Boolean,
    /// An instant in microseconds, UTC.
    Instant,
}

impl Kind {
    /// Returns the SQL name of the type.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Texts => "text[]",
            Self::Integer => "bigint",
            Self::Number => "double",
            Self::Boolean => "boolean",
            Self::Instant => "timestamp, UTC",
        }
    }

    fn data_type(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Texts => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
            Self::Integer => DataType::Int64,
            Self::Number => DataType::Float64,
            Self::Boolean => DataType::Boolean,
            Self::Instant => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        }
    }
}

impl RelationDoc {
    /// Returns the Arrow schema; the meaning of a column stands in its metadata.
    pub(crate) fn schema(&self) -> SchemaRef {
        let field = |column: &ColumnDoc| {
            let meaning = [("meaning".to_owned(), column.meaning.to_owned())];
            Field::new(column.name, column.kind.data_type(), column.nullable).with_metadata(meaning.into())
        };
        Arc::new(Schema::new(self.columns.iter().map(field).collect::<Vec<_>>()))
    }
}

/// Lists the tables, then the functions.
pub fn relations() -> &'static [RelationDoc] {
    RELATIONS
}

/// Returns the docs page of all relations.
pub fn docs_markdown() -> String {
    let mut page = String::from(
        "# System tables and functions\n\nRead-only; every query asks the catalog anew. Instants are UTC, from the \
         catalog's clock.\n",
    );
    for relation in relations() {
        let title = relation.usage.map_or_else(|| format!("system.{}", relation.name), str::to_owned);
        let _ = write!(page, "\n## `{title}`\n\n{}\n\n", relation.summary);
        page.push_str("| column | type | nulls | meaning |\n|---|---|---|---|\n");
        for column in relation.columns {
            let nulls = if column.nullable { "yes" } else { "no" };
            let _ = writeln!(page, "| `{}` | {} | {nulls} | {} |", column.name, column.kind.describe(), column.meaning);
        }
    }
    page
}

const fn column(name: &'static str, kind: Kind, meaning: &'static str) -> ColumnDoc {
    ColumnDoc { name, kind, nullable: false, meaning }
}

const fn optional(name: &'static str, kind: Kind, meaning: &'static str) -> ColumnDoc {
    ColumnDoc { name, kind, nullable: true, meaning }
}

const LINEAGE_COLUMNS: &[ColumnDoc] = &[
    column("depth", Kind::Integer, "steps away from the target, from 1"),
    column("dataset", Kind::Text, "the output side: `schema.table`"),
    column("version", Kind::Integer, "its version"),
    optional("column", Kind::Text, "its column; null where the input decides which rows the whole output has"),
    optional("source_dataset", Kind::Text, "the input side: `schema.table` or `file.<path>`; null if unknown"),
    optional("source_version", Kind::Integer, "its version; null if unknown"),
    optional("source_column", Kind::Text, "its column; null if unknown"),
    optional(
        "kind",
        Kind::Text,
        "IDENTITY, TRANSFORMATION, AGGREGATION, or, for the choice of rows, JOIN, GROUP_BY, FILTER, SORT, WINDOW, CONDITIONAL; \
         null between tables",
    ),
    optional("direct", Kind::Boolean, "true if the value itself is passed on or computed with; null between tables"),
    optional("masking", Kind::Boolean, "true if a privacy mechanism or keyed hash stands between; null between tables"),
    column("run", Kind::Text, "the run that recorded the edge"),
    column("step", Kind::Text, "its step"),
];

/// The same without the distance.
const COLUMN_LINEAGE_COLUMNS: &[ColumnDoc] = LINEAGE_COLUMNS.split_at(1).1;

const RELATIONS: &[RelationDoc] = &[
    RelationDoc {
        name: "datasets",
        summary: "Tables, views and the files that were read, one row each; dropped ones stay.",
        usage: None,
        columns: &[
            column("schema", Kind::Text, "the schema; `file` for files outside the lake"),
            column("name", Kind::Text, "the table or view; the path of a file"),
            column("kind", Kind::Text, "table, view or file"),
            column("location", Kind::Text, "the folder in the lake, or the path"),
            optional("version", Kind::Integer, "the newest version; null if there is none"),
            optional("n_rows", Kind::Integer, "rows of that version, if known"),
            optional("n_bytes", Kind::Integer, "bytes stored of that version, if known"),
            optional("n_files", Kind::Integer, "data files of that version, if known"),
            column("identifying", Kind::Texts, "columns that identify a person"),
            optional("subject_key", Kind::Text, "the column that says whose row it is"),
            optional("identity_domain", Kind::Text, "within what the subject key says who someone is, if declared"),
            column("protected", Kind::Boolean, "true if only admins drop, replace or export it"),
            optional("view_sql", Kind::Text, "the query of a view; for those who see the whole record"),
            column("created_at", Kind::Instant, "when it was made"),
            optional("changed_at", Kind::Instant, "when the newest version was recorded"),
            optional("dropped_at", Kind::Instant, "when it was dropped; null while it lives"),
        ],
    },
    RelationDoc {
        name: "dataset_versions",
        summary: "Every version of every dataset, oldest first.",
        usage: None,
        columns: &[
            column("schema", Kind::Text, "the schema"),
            column("name", Kind::Text, "the table, view or file"),
            column(
                "version",
                Kind::Integer,
                "the Delta version of a table; 0, 1, … for a file's contents or a view's text",
            ),
            optional("n_rows", Kind::Integer, "rows, if known"),
            optional("n_bytes", Kind::Integer, "bytes stored, if known"),
            optional("n_files", Kind::Integer, "data files, if known"),
            optional("digest", Kind::Text, "SHA-256 of a file's content or a view's text"),
            column("n_columns", Kind::Integer, "columns"),
            optional("run", Kind::Text, "the run that made it; null for a file"),
            optional("step", Kind::Text, "the step that made it; null for a file"),
            column("committed_at", Kind::Instant, "when it was recorded"),
            optional("dropped_at", Kind::Instant, "when its dataset was dropped; null while it lives"),
        ],
    },
    RelationDoc {
        name: "columns",
        summary: "The columns of the newest version of every live dataset.",
        usage: None,
        columns: &[
            column("schema", Kind::Text, "the schema"),
            column("dataset", Kind::Text, "the table, view or file"),
            column("version", Kind::Integer, "the version described"),
            column("position", Kind::Integer, "from 1"),
            column("name", Kind::Text, "the column"),
            column("type", Kind::Text, "its SQL type"),
            column("nullable", Kind::Boolean, "true if it may hold nulls"),
            optional("unit", Kind::Text, "its unit, if the contract or the operator states one"),
            optional("meaning", Kind::Text, "what it means, if stated"),
            column("identifying", Kind::Boolean, "true if it identifies a person"),
        ],
    },
    RelationDoc {
        name: "runs",
        summary: "Runs of pipelines and changes typed by users, newest first.",
        usage: None,
        columns: &[
            column("run", Kind::Text, "its id, a UUID that sorts by time"),
            column("kind", Kind::Text, "pipeline or statement"),
            optional("pipeline", Kind::Text, "the pipeline; null for a statement"),
            column("state", Kind::Text, "running, succeeded or failed; a killed process leaves running"),
            column("actor", Kind::Text, "the user who started it"),
            column("engine_version", Kind::Text, "the version of the binary"),
            optional("pipeline_digest", Kind::Text, "SHA-256 of the pipeline's files"),
            column("parameters", Kind::Text, "the values of its `:name`s as JSON: {\"site\":{\"bigint\":3}}"),
            column("started_at", Kind::Instant, "when it started"),
            optional("finished_at", Kind::Instant, "when it ended; null while it runs"),
        ],
    },
    RelationDoc {
        name: "steps",
        summary: "The steps of all runs, in their order.",
        usage: None,
        columns: &[
            column("run", Kind::Text, "the run"),
            column("ordinal", Kind::Integer, "its position in the run, from 0"),
            column("step", Kind::Text, "its name"),
            column("kind", Kind::Text, "what the statement does: create_table, insert, copy_into, …"),
            column("state", Kind::Text, "running, succeeded, failed, blocked or up_to_date"),
            column("attempt", Kind::Integer, "how often it was started"),
            optional("rows_in", Kind::Integer, "rows read, if counted"),
            optional("rows_out", Kind::Integer, "rows written"),
            optional("rows_quarantined", Kind::Integer, "rows that a schema contract refused"),
            optional("duration_ms", Kind::Integer, "wall time in milliseconds"),
            column("inputs", Kind::Texts, "the versions it read, as `schema.table@version`"),
            column("outputs", Kind::Texts, "the versions it made"),
            column("seed", Kind::Integer, "the seed of its operators"),
            optional("error_code", Kind::Text, "the code of its error; `causeway explain CODE` says more"),
            optional("error", Kind::Text, "the error in words"),
            column("sql", Kind::Text, "the statement"),
            column("fingerprint", Kind::Text, "digest of all the result depends on: statement, inputs, operators"),
            column("started_at", Kind::Instant, "when the last attempt started"),
            optional("finished_at", Kind::Instant, "when it ended"),
        ],
    },
    RelationDoc {
        name: "jobs",
        summary: "Work that waits for a worker, runs, or has ended, newest first.",
        usage: None,
        columns: &[
            column("job", Kind::Integer, "its number"),
            column("kind", Kind::Text, "statement or pipeline"),
            column("work", Kind::Text, "the statement, or the pipeline's folder"),
            column("parameters", Kind::Text, "the values of its `:name`s as JSON: {\"site\":{\"bigint\":3}}"),
            column("run", Kind::Text, "the run of all its attempts; it is there once the first has begun"),
            column("actor", Kind::Text, "who submitted it; it runs with these rights"),
            column("state", Kind::Text, "queued, running, succeeded, dead (given up) or cancelled"),
            column("priority", Kind::Integer, "head start in seconds of waiting"),
            optional("key", Kind::Text, "the submitter's name for it; the same name makes no other job"),
            optional("concurrency_group", Kind::Text, "the group it shares its turn with"),
            optional("group_limit", Kind::Integer, "how many of the group run at once"),
            column("attempt", Kind::Integer, "how often it was started"),
            column("n_failures", Kind::Integer, "attempts that failed or whose worker fell silent"),
            column("max_attempts", Kind::Integer, "failures after which it is dead"),
            optional("timeout_ms", Kind::Integer, "the longest an attempt may take, in milliseconds"),
            optional("memory_limit_bytes", Kind::Integer, "the most memory that an attempt may take"),
            column("cancel_requested", Kind::Boolean, "true if it was asked to stop"),
            optional("worker", Kind::Text, "the worker of its last attempt"),
            optional("error_code", Kind::Text, "the code of its last error; null once it has succeeded"),
            optional("error", Kind::Text, "the error in words"),
            column("submitted_at", Kind::Instant, "when it was submitted"),
            column("run_at", Kind::Instant, "the earliest start of its next attempt"),
            optional("started_at", Kind::Instant, "when its last attempt started"),
            optional("finished_at", Kind::Instant, "when it ended"),
        ],
    },
    RelationDoc {
        name: "attempts",
        summary: "Every attempt of a worker at a job, by job and number.",
        usage: None,
        columns: &[
            column("job", Kind::Integer, "the job"),
            column("attempt", Kind::Integer, "its number, from 1"),
            column("worker", Kind::Text, "who made it"),
            optional(
                "outcome",
                Kind::Text,
                "succeeded, failed, lost (the worker fell silent), cancelled or released (given back); null while it runs",
            ),
            optional(
                "class",
                Kind::Text,
                "why it failed: transient and lost are tried again; permanent, timeout, panic not",
            ),
            optional("error_code", Kind::Text, "the code of its error"),
            optional("error", Kind::Text, "the error in words"),
            column("started_at", Kind::Instant, "when it started"),
            column("heartbeat_at", Kind::Instant, "when its worker was last heard of"),
            optional("finished_at", Kind::Instant, "when it ended"),
        ],
    },
    RelationDoc {
        name: "workers",
        summary: "The processes that take jobs, newest first; those gone for a week are forgotten. Operators, auditors and admins see them.",
        usage: None,
        columns: &[
            column("worker", Kind::Text, "its name in the record of attempts"),
            column(
                "state",
                Kind::Text,
                "running, draining (takes no other job), stopped, or silent (not heard of for as long as its lease)",
            ),
            column("slots", Kind::Integer, "jobs at once"),
            optional(
                "groups",
                Kind::Text,
                "the only groups whose jobs it takes, separated by commas; null takes every job",
            ),
            column("host", Kind::Text, "the machine"),
            column("pid", Kind::Integer, "the process"),
            column("started_at", Kind::Instant, "when it started"),
            column("heartbeat_at", Kind::Instant, "when it was last heard of"),
        ],
    },
    RelationDoc {
        name: "schedules",
        summary: "Pipelines that run by themselves, by name.",
        usage: None,
        columns: &[
            column("schedule", Kind::Text, "its name, which is the pipeline's"),
            column("state", Kind::Text, "active or paused"),
            column("owner", Kind::Text, "the user whose rights its jobs have"),
            column("work", Kind::Text, "the pipeline's folder"),
            optional("cron", Kind::Text, "when it fires; null if by triggers alone"),
            optional("zone", Kind::Text, "the zone of the cron rule"),
            optional("gap", Kind::Text, "at times that clocks skip: run_after or skip"),
            optional("fold", Kind::Text, "at times that clocks repeat: first or both"),
            column("missed", Kind::Text, "firings that passed while no scheduler ran: none, latest or all run"),
            column("triggers", Kind::Texts, "what else fires it: a kind (table, path, pipeline) and what is watched"),
            column("priority", Kind::Integer, "head start of its jobs in seconds of waiting"),
            optional("concurrency_group", Kind::Text, "the group its jobs share their turn with"),
            optional("group_limit", Kind::Integer, "how many of the group run at once"),
            column("max_attempts", Kind::Integer, "failures after which a job is dead"),
            optional("timeout_ms", Kind::Integer, "the longest an attempt may take, in milliseconds"),
            optional("memory_limit_bytes", Kind::Integer, "the most memory that an attempt may take"),
            optional("start_within_ms", Kind::Integer, "a job is late if it has not started so long after its slot"),
            optional("end_within_ms", Kind::Integer, "a job is late if it has not ended so long after its slot"),
            optional("next_fire_at", Kind::Instant, "its next firing by the rule"),
            optional("last_fire_at", Kind::Instant, "its last firing by the rule that has a job"),
            optional("passed_over_from", Kind::Instant, "the first of the firings that were missed most recently"),
            optional("passed_over_to", Kind::Instant, "the last of them"),
            column("added_at", Kind::Instant, "when it was added"),
        ],
    },
    RelationDoc {
        name: "slots",
        summary: "Moments of schedules and the jobs that they have, newest moment first.",
        usage: None,
        columns: &[
            column("schedule", Kind::Text, "the schedule"),
            column("fire_at", Kind::Instant, "the moment"),
            column("slot_start", Kind::Instant, "where the time begins that it covers: the firing before"),
            column("slot_end", Kind::Instant, "where that time ends, which is not part of it: the moment itself"),
            column("cause", Kind::Text, "rule, trigger or backfill"),
            optional("backfill", Kind::Integer, "the backfill"),
            column("job", Kind::Integer, "the job"),
            column("state", Kind::Text, "the job's state"),
            optional(
                "late",
                Kind::Text,
                "not_started or not_ended, if the job is open and past a bound of its schedule",
            ),
            column("owner", Kind::Text, "the user whose rights the job has"),
            column("fired_at", Kind::Instant, "when the job was queued"),
        ],
    },
    RelationDoc {
        name: "backfills",
        summary: "Ranges of schedules that were to be run, newest first.",
        usage: None,
        columns: &[
            column("backfill", Kind::Integer, "its number"),
            column("schedule", Kind::Text, "the schedule"),
            column("owner", Kind::Text, "the user whose rights its jobs have"),
            column("actor", Kind::Text, "who started it"),
            column("state", Kind::Text, "running, done or cancelled"),
            column("range_from", Kind::Instant, "the first moment of the range"),
            column("range_to", Kind::Instant, "its end, which is not part of it"),
            optional("cursor", Kind::Instant, "where it goes on; null once all is queued"),
            column("rerun", Kind::Boolean, "true if moments whose job has succeeded run again"),
            column("at_once", Kind::Integer, "how many of its jobs wait or run at once"),
            column("priority", Kind::Integer, "head start of its jobs in seconds of waiting"),
            column("n_fired", Kind::Integer, "jobs that it has queued"),
            column("n_passed_over", Kind::Integer, "moments that have kept the job they had"),
            column("n_open", Kind::Integer, "of its jobs those that wait or run"),
            column("n_succeeded", Kind::Integer, "of its jobs those that have succeeded"),
            column("started_at", Kind::Instant, "when it was started"),
            optional("finished_at", Kind::Instant, "when it ended"),
        ],
    },
    RelationDoc {
        name: "privacy_budgets",
        summary: "What may be spent on the people in each dataset, and what was. A dataset without a policy is listed once something was spent.",
        usage: None,
        columns: &[
            column("schema", Kind::Text, "the dataset's schema"),
            column("name", Kind::Text, "the dataset's name; dropped and made again it keeps its account"),
            optional("epsilon_cap", Kind::Number, "what all releases together may cost; null without a policy"),
            optional("epsilon_spent", Kind::Number, "what was spent"),
            optional("epsilon_left", Kind::Number, "what is left; null if nothing limits it"),
            optional("delta_cap", Kind::Number, "the same of delta"),
            optional("delta_spent", Kind::Number, "what was spent of it"),
            optional("delta_left", Kind::Number, "what is left of it"),
            optional("unit", Kind::Text, "the column that says whose row it is; null: every row is somebody else's"),
            optional("rows_per_unit", Kind::Integer, "the most rows of one unit"),
            optional("adjacency", Kind::Text, "add_remove: tables differ in one unit; substitute: in the rows of one"),
            optional("role_caps", Kind::Text, "caps of single roles and what was spent of them, as JSON"),
            optional("allow_unsound", Kind::Boolean, "true if noise without a proof is admitted, at its worst case"),
            optional("cohort_size", Kind::Integer, "the public order of magnitude of the number of units"),
            column("revision", Kind::Integer, "how often the policy was set"),
            optional("changed_at", Kind::Instant, "when it was set last"),
        ],
    },
    RelationDoc {
        name: "privacy_charges",
        summary: "What each private release has cost, newest first.",
        usage: None,
        columns: &[
            column("charge", Kind::Integer, "its number"),
            column(
                "state",
                Kind::Text,
                "reserved (paid for, not yet seen), released, or burned (paid for, never to be seen)",
            ),
            column("operator", Kind::Text, "the operator"),
            column("mechanism", Kind::Text, "its mechanism"),
            column("is_sound", Kind::Boolean, "false for noise without a proof of privacy"),
            optional("epsilon", Kind::Number, "what it cost"),
            optional("delta", Kind::Number, "what it cost of delta"),
            column("datasets", Kind::Texts, "the datasets whose accounts it is on"),
            column("actor", Kind::Text, "who asked first"),
            optional("run", Kind::Text, "the run it belongs to; null for a query"),
            column("options", Kind::Text, "the operator's options as JSON"),
            column("n_takeovers", Kind::Integer, "how often another worker took it up"),
            optional("result_digest", Kind::Text, "SHA-256 of the result"),
            optional("result_bytes", Kind::Integer, "its size"),
            optional("error_code", Kind::Text, "the code of the error for which it was burned"),
            column("reserved_at", Kind::Instant, "when it was paid for"),
            optional("ended_at", Kind::Instant, "when it was released or burned"),
        ],
    },
    RelationDoc {
        name: "operator_runs",
        summary: "The operators that ran in each step, with their options and reports.",
        usage: None,
        columns: &[
            column("run", Kind::Text, "the run"),
            column("step", Kind::Text, "the step"),
            column("operator", Kind::Text, "the operator"),
            column("version", Kind::Integer, "its version then"),
            column("options", Kind::Text, "its options as JSON, defaults and the columns of its roles included"),
            column("report", Kind::Text, "what it reported about the run, as JSON"),
        ],
    },
    RelationDoc {
        name: "operators",
        summary: "The operators that can stand in FROM, one row each.",
        usage: None,
        columns: &[
            column("name", Kind::Text, "its name"),
            column("family", Kind::Text, "the family it belongs to"),
            column("version", Kind::Integer, "raised whenever the same input would give another result"),
            column("summary", Kind::Text, "what it does"),
            column("usage", Kind::Text, "the call with all its options"),
            column("example", Kind::Text, "a call that runs"),
            column("privacy", Kind::Text, "what the result reveals"),
            column("source", Kind::Text, "authors, year, equation"),
        ],
    },
    RelationDoc {
        name: "operator_options",
        summary: "The options of every operator; an option that names a column says which role it plays.",
        usage: None,
        columns: &[
            column("operator", Kind::Text, "the operator"),
            column("option", Kind::Text, "the option"),
            column("kind", Kind::Text, "parameter, or column for a role"),
            column("accepts", Kind::Text, "type and range"),
            optional("default", Kind::Text, "the default as SQL; null if it must be given or names a column"),
            column(
                "required",
                Kind::Boolean,
                "true if the call fails without the option, or without a column of that name",
            ),
            optional("unit", Kind::Text, "the unit, if any"),
            column("meaning", Kind::Text, "what it means"),
        ],
    },
    RelationDoc {
        name: "principals",
        summary: "Users and roles; the built-in roles are among them.",
        usage: None,
        columns: &[
            column("name", Kind::Text, "its name"),
            column("kind", Kind::Text, "user or role"),
            column("member_of", Kind::Texts, "the roles it is a direct member of"),
            column("created_at", Kind::Instant, "when it was made"),
        ],
    },
    RelationDoc {
        name: "grants",
        summary: "Who may do what: one row for each privilege of a user or role.",
        usage: None,
        columns: &[
            column("grantee", Kind::Text, "the user or role; public for everyone"),
            column("privilege", Kind::Text, "select, insert, update, delete, create or execute"),
            column("object_kind", Kind::Text, "table, schema or operator"),
            column("object", Kind::Text, "its name; a schema stands for all its tables"),
            optional("column", Kind::Text, "the column that may be read; null for all"),
        ],
    },
    RelationDoc {
        name: "row_policies",
        summary: "Which rows of a table a user or role sees.",
        usage: None,
        columns: &[
            column("schema", Kind::Text, "the schema"),
            column("table", Kind::Text, "the table"),
            column("name", Kind::Text, "the policy"),
            column("grantee", Kind::Text, "the user or role; public for everyone"),
            column("condition", Kind::Text, "true for the rows shown"),
            column("restrictive", Kind::Boolean, "true if it narrows what other policies show"),
        ],
    },
    RelationDoc {
        name: "table_lineage",
        summary: "What every version was made from: one row for each version that a step read and each it made.",
        usage: None,
        columns: &[
            column("dataset", Kind::Text, "what was made: `schema.table`"),
            column("version", Kind::Integer, "its version"),
            optional("source_dataset", Kind::Text, "what was read: `schema.table` or `file.<path>`"),
            optional("source_version", Kind::Integer, "its version"),
            column("statement", Kind::Text, "what the statement does: create_table, insert, copy_into, …"),
            column("run", Kind::Text, "the run"),
            column("step", Kind::Text, "its step"),
            optional("finished_at", Kind::Instant, "when the step ended"),
        ],
    },
    RelationDoc {
        name: "column_lineage",
        summary: "Where the columns of the newest version of every table and view come from: one row for each edge.",
        usage: None,
        columns: COLUMN_LINEAGE_COLUMNS,
    },
    RelationDoc {
        name: "audit",
        summary: "The audit log: who did or tried what, and when. Auditors and admins see it.",
        usage: None,
        columns: &[
            column("sequence", Kind::Integer, "the record's number"),
            optional("time", Kind::Instant, "when it was recorded; NULL here and below if the record was damaged"),
            optional("actor", Kind::Text, "who"),
            optional("action", Kind::Text, "query, change, export, run, job, grant, user, policy, refused_attempt, …"),
            optional("outcome", Kind::Text, "started (let through), succeeded, failed or refused"),
            optional("code", Kind::Text, "the error's code"),
            optional("run", Kind::Text, "the run"),
            optional("step", Kind::Integer, "the step's id"),
            optional("statement", Kind::Text, "the SHA-256 of the statement"),
            column("objects", Kind::Texts, "what was touched, with its version"),
            optional("facts", Kind::Text, "counts and privileges, as JSON"),
            column("leaf_hash", Kind::Text, "the record's hash in the tree"),
        ],
    },
    RelationDoc {
        name: "openlineage",
        summary: "What other tools are told of runs and steps, in the order in which it happened; for those who see the whole record.",
        usage: None,
        columns: &[
            column("id", Kind::Integer, "its number"),
            column("run", Kind::Text, "the run"),
            optional("step", Kind::Text, "the step; null for the run itself"),
            column("attempt", Kind::Integer, "the step's attempt; 0 for a run, and for a step that was not started"),
            column("type", Kind::Text, "START, COMPLETE, FAIL or ABORT"),
            column("happened_at", Kind::Instant, "when it happened"),
            optional("delivered_at", Kind::Instant, "when the receiver had it; null while it waits"),
            column("held", Kind::Boolean, "true if it and the later ones of its run wait until somebody has looked"),
            column("n_failures", Kind::Integer, "tries that failed"),
            optional("error_code", Kind::Text, "the code of the last try that failed"),
            optional("error", Kind::Text, "why it failed"),
            optional("event", Kind::Text, "the event as JSON; null if the record makes none"),
        ],
    },
    RelationDoc {
        name: "lineage_upstream",
        summary: "What a table or column came from: one row for each edge, nearest first.",
        usage: Some(
            "lineage_upstream('schema.table[.column]' [, columns => true, false or names] [, depth => n] [, as_of => version or instant])",
        ),
        columns: LINEAGE_COLUMNS,
    },
    RelationDoc {
        name: "lineage_downstream",
        summary: "What was made from a table or column: one row for each edge, nearest first.",
        usage: Some(
            "lineage_downstream('schema.table[.column]' [, columns => true, false or names] [, depth => n] [, as_of => version or instant])",
        ),
        columns: LINEAGE_COLUMNS,
    },
];
