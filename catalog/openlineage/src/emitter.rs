//! Builds events from records: pure, and the same bytes for the same record.

mod dataset;

use causeway_model::{Run, RunKind, Transition};
use uuid::Uuid;

use crate::error::{OpenLineageError, Result};
use crate::event::{Event, JobFacets, JobPart, RunEvent, RunFacets, RunPart, SCHEMA_URL};
use crate::facet::Facet;
use crate::facets::{ErrorMessage, JobType, Nominal, Parent, ParentJob, ParentRun, ProcessingEngine, Root, Sql};
use crate::ids::{EventId, run_uuid, step_uuid};
use crate::naming::Places;
use crate::record::{RunRecord, StepRecord};

/// The kind of a step that is a `-- check:`.
const CHECK: &str = "check";

/// The dialect that statements are parsed in.
const DIALECT: &str = "postgres";

/// The job of every run that is no pipeline's.
const STATEMENT: &str = "statement";

/// What an event is about.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A run.
    Run(&'a RunRecord),
    /// A step.
    Step(&'a StepRecord),
}

/// Builds events.
#[derive(Debug, Clone)]
pub struct Emitter {
    places: Places,
    sends_sql: bool,
}

impl Emitter {
    /// Makes an emitter. Jobs live in the namespace of the catalog's own names.
    pub fn new(places: Places) -> Self {
        Self { places, sends_sql: true }
    }

    /// Leaves the text of statements out of events: it may hold values that a person typed.
    #[must_use]
    pub fn without_sql(mut self) -> Self {
        self.sends_sql = false;
        self
    }

    /// Builds the event of a transition. Inputs stand in every event of a step; outputs, lineage and
    /// statistics in [`Transition::Complete`] alone, since an attempt that fails leaves nothing.
    ///
    /// # Errors
    /// [`OpenLineageError::Record`] if the run's id is no UUID, an ended run or step has no end, or
    /// an edge comes from a version that the record does not hold; [`OpenLineageError::Place`] if a
    /// dataset's location cannot be named.
    pub fn event(&self, subject: Subject<'_>, transition: Transition) -> Result<Event> {
        match subject {
            Subject::Run(record) => self.of_run(record, transition),
            Subject::Step(record) => self.of_step(record, transition),
        }
    }

    fn of_run(&self, record: &RunRecord, transition: Transition) -> Result<Event> {
        let run = &record.run;
        let producer = producer(run);
        let id = run_uuid(&run.id)?;
        let at = time(transition, &run.started_at, run.finished_at.as_deref(), || format!("run `{}`", run.id))?;
        let kind = if run.kind == RunKind::Pipeline { "PIPELINE" } else { "STATEMENT" };
        let event = RunEvent {
            event_type: transition.name(),
            event_time: at.clone(),
            run: RunPart { run_id: text(id), facets: run_facets(record, &producer) },
            job: self.job(job_name(run).to_owned(), JobFacets { job_type: job_type(&producer, kind), sql: None }),
            inputs: Vec::new(),
            outputs: Vec::new(),
            producer,
            schema_url: SCHEMA_URL,
        };
        Event::new(EventId::new(id, transition, &at), &event)
    }

    fn of_step(&self, record: &StepRecord, transition: Transition) -> Result<Event> {
        let (run, step) = (&record.run.run, &record.step);
        let producer = producer(run);
        let parent = run_uuid(&run.id)?;
        let id = step_uuid(parent, &step.name, step.attempt);
        let at = time(transition, &step.started_at, step.finished_at.as_deref(), || what(record))?;
        let facets = RunFacets {
            parent: Some(Facet::new(&producer, self.parent(run, parent))),
            error_message: failure(record, transition).map(|body| Facet::new(&producer, body)),
            ..run_facets(&record.run, &producer)
        };
        let (inputs, outputs) = self.datasets(record, transition, &producer)?;
        let event = RunEvent {
            event_type: transition.name(),
            event_time: at.clone(),
            run: RunPart { run_id: text(id), facets },
            job: self.step_job(record, &producer),
            inputs,
            outputs,
            producer,
            schema_url: SCHEMA_URL,
        };
        Event::new(EventId::new(id, transition, &at), &event)
    }

    fn job(&self, name: String, facets: JobFacets) -> JobPart {
        JobPart { namespace: self.places.logical().to_owned(), name, facets }
    }

    fn step_job(&self, record: &StepRecord, producer: &str) -> JobPart {
        let kind = if is_check(record) { "CHECK" } else { "STEP" };
        let sql = || Facet::new(producer, Sql { query: record.step.sql.clone(), dialect: DIALECT });
        let facets = JobFacets { job_type: job_type(producer, kind), sql: self.sends_sql.then(sql) };
        self.job(format!("{}.{}", job_name(&record.run.run), record.step.name), facets)
    }

    fn parent(&self, run: &Run, id: Uuid) -> Parent {
        let of_run = ParentRun { run_id: text(id) };
        let of_job = ParentJob { namespace: self.places.logical().to_owned(), name: job_name(run).to_owned() };
        Parent { run: of_run.clone(), job: of_job.clone(), root: Root { run: of_run, job: of_job } }
    }
}

fn run_facets(record: &RunRecord, producer: &str) -> RunFacets {
    let engine = ProcessingEngine {
        version: record.run.engine_version.clone(),
        name: "causeway",
        adapter_version: env!("CARGO_PKG_VERSION"),
    };
    let nominal = record
        .nominal_time
        .as_ref()
        .map(|time| Nominal { nominal_start_time: time.start.clone(), nominal_end_time: time.end.clone() });
    RunFacets {
        processing_engine: Facet::new(producer, engine),
        nominal_time: nominal.map(|body| Facet::new(producer, body)),
        parent: None,
        error_message: None,
    }
}

fn job_type(producer: &str, kind: &'static str) -> Facet<JobType> {
    Facet::new(producer, JobType { processing_type: "BATCH", integration: "CAUSEWAY", job_type: kind })
}

fn failure(record: &StepRecord, transition: Transition) -> Option<ErrorMessage> {
    if !matches!(transition, Transition::Fail | Transition::Abort) {
        return None;
    }
    let message = record.step.error.as_deref()?;
    let code = record.step.error_code.as_deref().map(|code| format!("{code}: ")).unwrap_or_default();
    Some(ErrorMessage { message: format!("{code}{message}"), programming_language: "Rust" })
}

fn is_check(record: &StepRecord) -> bool {
    record.step.kind == CHECK
}

/// Names who made an event: the version that ran it, not the one that tells of it.
fn producer(run: &Run) -> String {
    format!("urn:causeway:{}", run.engine_version)
}

fn job_name(run: &Run) -> &str {
    run.pipeline.as_deref().unwrap_or(STATEMENT)
}

fn what(record: &StepRecord) -> String {
    format!("step `{}` of run `{}`", record.step.name, record.run.run.id)
}

fn text(id: Uuid) -> String {
    id.hyphenated().to_string()
}

fn time(
    transition: Transition,
    started: &str,
    finished: Option<&str>,
    what: impl FnOnce() -> String,
) -> Result<String> {
    let time = if transition == Transition::Start { Some(started) } else { finished };
    let missing = || OpenLineageError::Record {
        what: what(),
        problem: format!("it has no end, so {} has no time", transition.name()),
    };
    time.map(str::to_owned).ok_or_else(missing)
}
