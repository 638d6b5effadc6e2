//! What is counted: the one table from which the registry, the docs and the checks are derived.

use std::fmt::Write as _;

/// What a family's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyKind {
    /// Grows, and begins again at 0 with the process, if it is the process that counts.
    Counter,
    /// Is what it is now.
    Gauge,
    /// Counts by size; seconds.
    Histogram,
}

impl FamilyKind {
    /// Returns the word of the exposition format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// Where a family's numbers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// This process counts what it does itself: add up the processes.
    Process,
    /// The catalog, asked at each scrape: every process shows the same, so take one of them.
    Catalog,
}

impl Origin {
    fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Catalog => "catalog",
        }
    }
}

/// A label of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// Which values it has.
    pub values: &'static str,
}

/// Something that is counted.
#[derive(Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name.
    pub name: &'static str,
    /// What its numbers are.
    pub kind: FamilyKind,
    /// What they are told apart by.
    pub labels: &'static [Label],
    /// Where they come from.
    pub origin: Origin,
    /// What they mean.
    pub help: &'static str,
}

const fn family(
    name: &'static str,
    kind: FamilyKind,
    labels: &'static [Label],
    origin: Origin,
    help: &'static str,
) -> Family {
    Family { name, kind, labels, origin, help }
}

const fn label(name: &'static str, values: &'static str) -> Label {
    Label { name, values }
}

/// The pipeline of a job. There are as many values as pipelines, and they are names that authors chose.
const JOB: Label = label("job", "the name of the pipeline; `statement` for a single statement");
const TABLE: Label = label("table", "`schema.table`; at most 1000 tables, what is beyond is `other`");

macro_rules! families {
    ($($constant:ident = $name:literal, $kind:ident, $labels:expr, $origin:ident, $help:literal;)+) => {
        $(pub(crate) const $constant: Family = family($name, FamilyKind::$kind, $labels, Origin::$origin, $help);)+

        /// Everything that is counted, in the order of the docs.
        pub const FAMILIES: &[&Family] = &[$(&$constant),+];
    };
}

families! {
    BUILD_INFO = "causeway_build_info", Gauge, &[label("version", "of the binary")], Process,
        "Always 1; the version of the binary.";
    JOBS = "causeway_jobs", Gauge, &[label("state", "queued, running, dead, cancelled")], Catalog,
        "Jobs by state. Those that succeeded are counted when they end, by causeway_job_runs_total.";
    JOB_OLDEST_DUE = "causeway_job_oldest_due_seconds", Gauge, &[], Catalog,
        "For how long the oldest of the jobs at the front of the line has been due; 0 if none is.";
    JOB_RUNS = "causeway_job_runs_total", Counter,
        &[JOB, label("outcome", "succeeded, failed, cancelled, released")], Process,
        "Attempts at jobs that this worker has ended.";
    JOB_RUN_DURATION = "causeway_job_run_duration_seconds", Histogram, &[JOB], Process,
        "How long the attempts of this worker took.";
    JOB_QUEUE_WAIT = "causeway_job_queue_wait_seconds", Histogram, &[], Process,
        "From the moment a job was due to the moment this worker started it, by the catalog's clock.";
    SCHEDULE_LAG = "causeway_schedule_lag_seconds", Gauge, &[], Catalog,
        "For how long the next firing of an active schedule has been due; of the one that waits longest.";
    SCHEDULE_LAST_SUCCESS = "causeway_schedule_last_success_timestamp_seconds", Gauge, &[JOB], Catalog,
        "When a job of each schedule has succeeded last, leaving out backfills; at most 1000 schedules.";
    LEASES_EXPIRED = "causeway_leases_expired_total", Counter, &[], Catalog,
        "Attempts whose worker fell silent until its lease was over.";
    STALE_COMPLETIONS = "causeway_stale_completions_rejected_total", Counter, &[], Process,
        "Ends of attempts that this worker brought after its lease; the catalog refused them.";
    WORKERS = "causeway_workers", Gauge, &[label("state", "running, draining, silent")], Catalog,
        "Workers by state; a silent one may have been killed.";
    ALERTS_WAITING = "causeway_alerts_waiting", Gauge, &[], Catalog,
        "Alerts that somebody is still to be told.";
    ALERTS_SENT = "causeway_alerts_sent_total", Counter, &[label("outcome", "delivered, failed")], Process,
        "Receivers that this process told of an alert, or could not tell.";
    MEMORY_POOL = "causeway_memory_pool_bytes", Gauge, &[label("pool", "statements")], Process,
        "Memory that statements hold.";
    SPILL = "causeway_spill_bytes_total", Counter, &[], Process,
        "Bytes that sorts and joins wrote to disk for want of memory.";
    INGEST_ROWS = "causeway_ingest_rows_total", Counter, &[TABLE, label("result", "ok, quarantined")], Process,
        "Rows of files that jobs loaded, or refused by a schema contract.";
    TABLE_VERSION = "causeway_table_version", Gauge, &[TABLE], Catalog,
        "The newest version of each table.";
    TABLE_FILES = "causeway_table_files", Gauge, &[TABLE], Catalog,
        "The files of the newest version of each table.";
    ORPHANS = "causeway_orphan_bytes", Gauge, &[TABLE], Process,
        "Data files below a table that none of its versions names, counted every ten minutes; what a writer has not committed yet is among them.";
    DELTA_COMMITS = "causeway_delta_commits_total", Counter, &[], Process,
        "Commits of this process to tables.";
    DELTA_CONFLICTS = "causeway_delta_commit_conflicts_total", Counter, &[], Process,
        "How often a commit found that another writer had been faster; most are then tried again.";
    CATALOG_TRANSACTIONS = "causeway_catalog_transactions_total", Counter,
        &[label("outcome", "committed, failed")], Process,
        "Transactions by which this process wrote to the catalog; one that is tried again counts once.";
    AUDIT_SIZE = "causeway_audit_log_size", Gauge, &[], Catalog,
        "Records of the audit log.";
    HTTP_REQUESTS = "causeway_http_requests_total", Counter,
        &[label("route", "/metrics, /healthz, /readyz, other"), label("status", "of the answer")], Process,
        "Requests that this process answered.";
}

/// Returns the docs page of all families.
pub fn docs_markdown() -> String {
    let mut page = String::from(
        "# Metrics\n\n`causeway serve` answers `GET /metrics` in the text format of Prometheus. A family of origin \
         `process` counts what this process did: add up the processes. One of origin `catalog` is read from the catalog at \
         each scrape, and every process shows the same: take the largest. Labels hold names of pipelines and tables, never \
         a user, a run, a query or a value.\n\n| family | type | labels | origin | meaning |\n|---|---|---|---|---|\n",
    );
    for family in FAMILIES {
        let labels: Vec<String> =
            family.labels.iter().map(|label| format!("`{}`: {}", label.name, label.values)).collect();
        let (kind, origin) = (family.kind.name(), family.origin.name());
        let _ = writeln!(page, "| `{}` | {kind} | {} | {origin} | {} |", family.name, labels.join("; "), family.help);
    }
    page
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions_and_stand_once() {
        let names: BTreeSet<&str> = FAMILIES.iter().map(|family| family.name).collect();
        assert_eq!(names.len(), FAMILIES.len());
        for family in FAMILIES {
            let name = family.name;
            assert!(name.starts_with("causeway_"), "{name}");
            assert!(name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'), "{name}");
            assert_eq!(name.ends_with("_total"), family.kind == FamilyKind::Counter, "{name}");
            assert!(family.kind != FamilyKind::Histogram || name.ends_with("_seconds"), "{name}");
            assert!(family.help.ends_with('.') && !family.help.contains('\n'), "{name}");
        }
    }

    #[test]
    fn no_label_is_an_id_or_a_person() {
        let allowed = ["job", "outcome", "pool", "result", "route", "state", "status", "table", "version"];
        for family in FAMILIES {
            for label in family.labels {
                assert!(allowed.contains(&label.name), "{} has the label {}", family.name, label.name);
            }
        }
    }
}
