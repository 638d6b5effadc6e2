//! The registry: what this process counts, and what the catalog says at a scrape.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use causeway_engine::Engine;
use causeway_jobs::{AttemptDone, StepDone, WorkerEvent};
use causeway_model::{Catalog, CatalogError, Figures, Job, JobState, WorkerState};
use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, TextEncoder};

use crate::error::Result;
use crate::families::{self as family, FAMILIES, Family, FamilyKind};

/// Bounds in seconds, from a job that does nothing to one that takes the night.
const BUCKETS: [f64; 16] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0, 1_800.0, 7_200.0, 28_800.0];

/// Tables and pipelines that are told apart; what is beyond is `other`.
const MOST_NAMES: usize = 1_000;

/// The value of a label that has too many.
const OTHER: &str = "other";

/// The job label of a statement.
const STATEMENT: &str = "statement";

/// The kind of a step that loads a file.
const LOAD: &str = "copy_into";

/// Everything that is counted. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Registry,
    counters: BTreeMap<&'static str, IntCounterVec>,
    gauges: BTreeMap<&'static str, GaugeVec>,
    histograms: BTreeMap<&'static str, HistogramVec>,
    jobs: Names,
    tables: Names,
    /// Held by a scrape: what it sets is what it writes.
    scrape: Mutex<()>,
}

impl Metrics {
    /// Makes the registry of [`FAMILIES`].
    ///
    /// # Errors
    /// If a family cannot be registered: a bug of the table.
    pub fn new(version: &str) -> Result<Self> {
        let mut inner = Inner {
            registry: Registry::new(),
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
            histograms: BTreeMap::new(),
            jobs: Names::default(),
            tables: Names::default(),
            scrape: Mutex::default(),
        };
        for family in FAMILIES {
            inner.register(family)?;
        }
        inner.set(&family::BUILD_INFO, &[version], 1.0);
        for unlabelled in FAMILIES.iter().filter(|family| family.labels.is_empty()) {
            inner.show(unlabelled);
        }
        for outcome in ["committed", "failed"] {
            inner.count(&family::CATALOG_TRANSACTIONS, &[outcome], 0);
        }
        for outcome in ["delivered", "failed"] {
            inner.count(&family::ALERTS_SENT, &[outcome], 0);
        }
        Ok(Self(Arc::new(inner)))
    }

    /// Counts what a worker does.
    pub fn observe(&self, event: &WorkerEvent) {
        match event {
            WorkerEvent::Started(job) => self.started(job),
            WorkerEvent::Step(done) => self.step(done),
            WorkerEvent::Ended { done, .. } => self.ended(done),
            WorkerEvent::Discarded(_) => self.0.count(&family::STALE_COMPLETIONS, &[], 1),
        }
    }

    fn started(&self, job: &Job) {
        let due = milliseconds(&job.run_at);
        let started = job.started_at.as_deref().and_then(milliseconds);
        if let Some(waited) = due.zip(started).and_then(|(due, started)| started.checked_sub(due)) {
            self.0.time(&family::JOB_QUEUE_WAIT, &[], Duration::from_millis(waited));
        }
    }

    fn step(&self, done: &StepDone) {
        if done.kind != LOAD {
            return;
        }
        let Some(table) = done.tables.first() else { return };
        let table = self.0.tables.known(table);
        self.0.count(&family::INGEST_ROWS, &[&table, "ok"], done.rows_out);
        self.0.count(&family::INGEST_ROWS, &[&table, "quarantined"], done.rows_quarantined);
    }

    fn ended(&self, done: &AttemptDone) {
        let job = self.0.jobs.known(done.pipeline.as_deref().unwrap_or(STATEMENT));
        self.0.count(&family::JOB_RUNS, &[&job, done.outcome.name()], 1);
        self.0.time(&family::JOB_RUN_DURATION, &[&job], done.duration);
    }

    /// Counts a receiver that was told of an alert, or could not be.
    pub fn alerted(&self, delivered: bool) {
        self.0.count(&family::ALERTS_SENT, &[if delivered { "delivered" } else { "failed" }], 1);
    }

    /// Counts a request that was answered.
    pub fn answered(&self, route: &str, status: u16) {
        self.0.count(&family::HTTP_REQUESTS, &[route, &status.to_string()], 1);
    }

    /// Notes the orphans of all tables, in bytes; a table that is not named has gone.
    pub fn orphans(&self, tables: &[(String, u64)]) {
        let mut by_label: BTreeMap<_, u64> = BTreeMap::new();
        for (table, bytes) in tables {
            *by_label.entry(self.0.tables.known(table)).or_default() += bytes;
        }
        let _alone = self.0.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.forget(&family::ORPHANS);
        for (label, bytes) in &by_label {
            self.0.set(&family::ORPHANS, &[label], float(*bytes));
        }
    }

    /// Asks the catalog and writes all families in the text format.
    ///
    /// # Errors
    /// If the catalog does not answer; [`crate::ServerError::Metrics`] for a bug of ours is logged and left out.
    pub async fn scrape(&self, engine: &Engine) -> Result<String, CatalogError> {
        let catalog: &dyn Catalog = engine.catalog().as_ref();
        let figures = catalog.figures().await?;
        let audit = catalog.audit_state().await?.map_or(0, |state| state.frontier.size());
        let _alone = self.0.scrape.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.set_figures(&figures);
        self.0.set(&family::AUDIT_SIZE, &[], float(audit));
        let transactions = catalog.transactions();
        self.0.set_total(&family::CATALOG_TRANSACTIONS, &["committed"], transactions.committed);
        self.0.set_total(&family::CATALOG_TRANSACTIONS, &["failed"], transactions.failed);
        let (usage, commits) = (engine.usage(), engine.lake().commit_counts());
        self.0.set(&family::MEMORY_POOL, &["statements"], float(usage.memory_bytes));
        self.0.set_total(&family::SPILL, &[], usage.spilled_bytes);
        self.0.set_total(&family::DELTA_COMMITS, &[], commits.commits);
        self.0.set_total(&family::DELTA_CONFLICTS, &[], commits.conflicts);
        let text = TextEncoder::new().encode_to_string(&self.0.registry.gather());
        Ok(text.unwrap_or_else(|error| {
            tracing::error!(%error, "metrics cannot be written");
            String::new()
        }))
    }
}

impl Inner {
    fn register(&mut self, family: &'static Family) -> Result<()> {
        let labels: Vec<&str> = family.labels.iter().map(|label| label.name).collect();
        match family.kind {
            FamilyKind::Counter => {
                let counter = IntCounterVec::new(Opts::new(family.name, family.help), &labels)?;
                self.registry.register(Box::new(counter.clone()))?;
                self.counters.insert(family.name, counter);
            }
            FamilyKind::Gauge => {
                let gauge = GaugeVec::new(Opts::new(family.name, family.help), &labels)?;
                self.registry.register(Box::new(gauge.clone()))?;
                self.gauges.insert(family.name, gauge);
            }
            FamilyKind::Histogram => {
                let options = HistogramOpts::new(family.name, family.help).buckets(BUCKETS.to_vec());
                let histogram = HistogramVec::new(options, &labels)?;
                self.registry.register(Box::new(histogram.clone()))?;
                self.histograms.insert(family.name, histogram);
            }
        }
        Ok(())
    }

    /// Shows a family without labels before anything of it has happened.
    fn show(&self, family: &Family) {
        self.count(family, &[], 0);
        if let Some(gauge) = self.gauges.get(family.name) {
            drop(gauge.get_metric_with_label_values(&[] as &[&str]));
        }
        if let Some(histogram) = self.histograms.get(family.name) {
            drop(histogram.get_metric_with_label_values(&[] as &[&str]));
        }
    }

    fn count(&self, family: &Family, labels: &[&str], number: u64) {
        if let Some(counter) =
            self.counters.get(family.name).and_then(|counters| counters.get_metric_with_label_values(labels).ok())
        {
            counter.inc_by(number);
        }
    }

    /// Sets a counter that is counted elsewhere.
    fn set_total(&self, family: &Family, labels: &[&str], total: u64) {
        if let Some(counter) =
            self.counters.get(family.name).and_then(|counters| counters.get_metric_with_label_values(labels).ok())
        {
            counter.reset();
            counter.inc_by(total);
        }
    }

    fn set(&self, family: &Family, labels: &[&str], value: f64) {
        if let Some(gauge) =
            self.gauges.get(family.name).and_then(|gauges| gauges.get_metric_with_label_values(labels).ok())
        {
            gauge.set(value);
        }
    }

    fn time(&self, family: &Family, labels: &[&str], time: Duration) {
        if let Some(histogram) =
            self.histograms.get(family.name).and_then(|all| all.get_metric_with_label_values(labels).ok())
        {
            histogram.observe(time.as_secs_f64());
        }
    }

    fn forget(&self, family: &Family) {
        if let Some(gauge) = self.gauges.get(family.name) {
            gauge.reset();
        }
    }

    fn set_figures(&self, figures: &Figures) {
        for (state, number) in &figures.jobs {
            self.set(&family::JOBS, &[JobState::name(*state)], signed(*number));
        }
        for (state, number) in &figures.workers {
            self.set(&family::WORKERS, &[WorkerState::name(*state)], signed(*number));
        }
        self.set(&family::JOB_OLDEST_DUE, &[], signed(figures.oldest_due_ms) / 1_000.0);
        self.set(&family::ALERTS_WAITING, &[], signed(figures.n_waiting_alerts));
        self.set_total(&family::LEASES_EXPIRED, &[], figures.n_lost_attempts.unsigned_abs());
        self.set(&family::SCHEDULE_LAG, &[], signed(figures.schedule_lag_ms) / 1_000.0);
        // A schedule, or a table, that was dropped is gone.
        self.forget(&family::SCHEDULE_LAST_SUCCESS);
        for schedule in &figures.schedules {
            if let Some(at) = schedule.last_success {
                self.set(&family::SCHEDULE_LAST_SUCCESS, &[&schedule.name], signed(at.0 / 1_000));
            }
        }
        self.forget(&family::TABLE_VERSION);
        self.forget(&family::TABLE_FILES);
        for table in &figures.tables {
            let name = table.name.to_string();
            self.set(&family::TABLE_VERSION, &[&name], signed(table.version));
            if let Some(n_files) = table.n_files {
                self.set(&family::TABLE_FILES, &[&name], signed(n_files));
            }
        }
    }
}

/// Names that are told apart, up to a number.
#[derive(Default)]
struct Names(Mutex<BTreeSet<String>>);

impl Names {
    /// Returns the name, or `other` if there are too many.
    fn known(&self, name: &str) -> String {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains(name) || (known.len() < MOST_NAMES && known.insert(name.to_owned())) {
            return name.to_owned();
        }
        OTHER.to_owned()
    }
}

/// Reads the milliseconds since 1970 of an instant as the catalog writes it.
fn milliseconds(instant: &str) -> Option<u64> {
    let instant = chrono::DateTime::parse_from_rfc3339(instant).ok()?;
    u64::try_from(instant.timestamp_millis()).ok()
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; above 2^53 the last digit is not told")]
fn float(number: u64) -> f64 {
    number as f64
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float; above 2^53 the last digit is not told")]
fn signed(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use causeway_model::AttemptOutcome;

    use super::*;

    fn text(metrics: &Metrics) -> String {
        TextEncoder::new().encode_to_string(&metrics.0.registry.gather()).unwrap()
    }

    #[test]
    fn attempts_are_counted_by_pipeline_and_outcome() {
        let metrics = Metrics::new("1.2.3").unwrap();
        let done = |pipeline: Option<&str>, outcome| AttemptDone {
            pipeline: pipeline.map(str::to_owned),
            outcome,
            duration: Duration::from_millis(30),
        };
        metrics.ended(&done(Some("nightly"), AttemptOutcome::Failed));
        metrics.ended(&done(None, AttemptOutcome::Succeeded));
        metrics.ended(&done(None, AttemptOutcome::Succeeded));
        let text = text(&metrics);
        for line in [
            "causeway_build_info{version=\"1.2.3\"} 1",
            "causeway_job_runs_total{job=\"nightly\",outcome=\"failed\"} 1",
            "causeway_job_runs_total{job=\"statement\",outcome=\"succeeded\"} 2",
            "causeway_job_run_duration_seconds_bucket{job=\"statement\",le=\"0.05\"} 2",
            "causeway_leases_expired_total 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn loads_are_counted_by_table_and_other_steps_not() {
        let metrics = Metrics::new("1").unwrap();
        let done = |kind| StepDone { kind, tables: vec!["a.t".to_owned()], rows_out: 7, rows_quarantined: 2 };
        metrics.step(&done("insert"));
        metrics.step(&done("copy_into"));
        let text = text(&metrics);
        assert!(text.contains("causeway_ingest_rows_total{result=\"ok\",table=\"a.t\"} 7"), "{text}");
        assert!(text.contains("causeway_ingest_rows_total{result=\"quarantined\",table=\"a.t\"} 2"), "{text}");
    }

    #[test]
    fn a_lake_of_many_tables_does_not_fill_the_memory_of_prometheus() {
        let names = Names::default();
        for number in 0..MOST_NAMES {
            assert_eq!(names.known(&format!("a.t{number}")), format!("a.t{number}"));
        }
        assert_eq!((names.known("a.more"), names.known("a.t0")), (OTHER.to_owned(), "a.t0".to_owned()));
    }
}
