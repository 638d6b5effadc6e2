//! From a catalog on disk to a file of events.

use std::sync::Arc;
use std::time::Duration;

use causeway_model::{
    Catalog, DatasetKind, EdgeKind, EdgeSource, LineageEdge, NewFile, NewRun, NewStep, OutputVersion, Parameters,
    RunId, RunKind, RunState, Step, StepId, StepOutcome, StepState, TableName, VersionId,
};
use causeway_openlineage::transport::FileTransport;
use causeway_openlineage::{CatalogOutbox, Change, Delivery, EventSource, Outbox, Reader, deliver};
use causeway_store::SqliteCatalog;
use serde_json::Value;

use crate::fixtures::{RUN, column, edge, emitter};
use crate::schemas::event_faults;

/// A catalog.
struct Recorded {
    catalog: Arc<SqliteCatalog>,
    folder: tempfile::TempDir,
}

fn table(name: &str, version: i64, columns: &[&str], previous: Option<VersionId>) -> OutputVersion {
    OutputVersion {
        name: TableName::new("clinical", name),
        kind: DatasetKind::Table,
        location: format!("clinical/{name}"),
        view_sql: None,
        policy: None,
        version,
        n_rows: Some(10),
        n_bytes: Some(1000),
        n_files: Some(1),
        digest: None,
        columns: columns.iter().map(|name| column(name, "BIGINT")).collect(),
        previous,
    }
}

fn new_step(name: &str, inputs: Vec<VersionId>) -> NewStep {
    NewStep {
        run: RunId(RUN.into()),
        ordinal: 0,
        name: name.into(),
        kind: "insert".into(),
        sql: format!("INSERT INTO clinical.{name} SELECT 1"),
        fingerprint: "f1".into(),
        seed: 7,
        inputs,
        lease: None,
    }
}

impl Recorded {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let catalog = SqliteCatalog::open(&folder.path().join("catalog.sqlite")).await.unwrap();
        let run = NewRun {
            id: RunId(RUN.into()),
            kind: RunKind::Pipeline,
            pipeline: Some("clinical".into()),
            pipeline_digest: None,
            engine_version: "0.1.0".into(),
            actor: "admin".into(),
            parameters: Parameters::default(),
        };
        catalog.begin_run(&run).await.unwrap();
        Self { catalog: Arc::new(catalog), folder }
    }

    fn catalog(&self) -> Arc<dyn Catalog> {
        Arc::clone(&self.catalog) as Arc<dyn Catalog>
    }

    fn reader(&self) -> Reader {
        Reader::new(self.catalog(), emitter())
    }

    fn outbox(&self) -> CatalogOutbox {
        CatalogOutbox::new(self.catalog(), Duration::from_secs(30))
    }

    /// Delivers to a file and returns what it holds.
    async fn deliver(&self) -> (Delivery, Vec<Value>) {
        let path = self.folder.path().join("events.ndjson");
        let transport = FileTransport::open(&path).unwrap();
        let delivery = deliver(&self.outbox(), &self.reader(), &transport, None).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        (delivery, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    async fn changes(&self) -> Vec<Change> {
        self.catalog.pending_changes(100).await.unwrap()
    }

    async fn begin(&self, name: &str, inputs: Vec<VersionId>) -> Step {
        self.catalog.begin_step(&new_step(name, inputs)).await.unwrap()
    }

    async fn complete(&self, step: &Step, output: OutputVersion, lineage: Vec<LineageEdge>) -> VersionId {
        let outcome = StepOutcome { outputs: vec![output], lineage, rows_out: Some(10), ..StepOutcome::default() };
        self.catalog.complete_step(step.id, step.attempt, &outcome).await.unwrap()[0]
    }

    async fn fail(&self, step: &Step) {
        self.catalog.fail_step(step.id, step.attempt, "CW0202", "the memory limit is reached").await.unwrap();
    }

    async fn finish(&self) {
        self.catalog.finish_run(&RunId(RUN.into()), RunState::Succeeded).await.unwrap();
    }
}

/// A file is loaded, appended to, and a curve made of it, at the second attempt.
async fn clinical() -> Recorded {
    let recorded = Recorded::new().await;
    let file = NewFile {
        path: "data/lung.csv".into(),
        digest: "aa".into(),
        n_bytes: 120,
        columns: vec![column("time", "BIGINT")],
    };
    let file = recorded.catalog.register_file(&file).await.unwrap();
    let from_file = || edge(Some("time"), file.0, "time", EdgeKind::Identity);
    let load = recorded.begin("load", vec![file]).await;
    let first = recorded.complete(&load, table("lung", 0, &["time"], None), vec![from_file()]).await;
    let more = recorded.begin("more", vec![file]).await;
    let kept = edge(Some("time"), first.0, "time", EdgeKind::Identity);
    let second = recorded.complete(&more, table("lung", 1, &["time"], Some(first)), vec![from_file(), kept]).await;
    let curve = recorded.begin("curve", vec![second]).await;
    recorded.fail(&curve).await;
    let curve = recorded.begin("curve", vec![second]).await;
    let unknown =
        LineageEdge { source: EdgeSource::Unknown, ..edge(Some("survival"), 0, "", EdgeKind::Transformation) };
    let edges = vec![
        edge(Some("time"), second.0, "time", EdgeKind::Identity),
        edge(None, second.0, "time", EdgeKind::Sort),
        unknown,
    ];
    recorded.complete(&curve, table("curve", 0, &["time", "survival"], None), edges).await;
    recorded.finish().await;
    recorded
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(future)
}

fn delivered() -> Vec<Value> {
    run(async {
        let recorded = clinical().await;
        let (delivery, events) = recorded.deliver().await;
        assert!(delivery.stopped.is_none() && delivery.held.is_empty());
        assert_eq!(events.len(), delivery.n_delivered);
        assert_eq!(recorded.deliver().await.0.n_delivered, 0);
        events
    })
}

#[test]
fn every_change_becomes_a_valid_event_in_its_order() {
    let events = delivered();
    let told =
        |event: &Value| format!("{} {}", event["job"]["name"].as_str().unwrap(), event["eventType"].as_str().unwrap());
    assert_eq!(
        events.iter().map(told).collect::<Vec<_>>(),
        [
            "clinical START",
            "clinical.load START",
            "clinical.load COMPLETE",
            "clinical.more START",
            "clinical.more COMPLETE",
            "clinical.curve START",
            "clinical.curve FAIL",
            "clinical.curve START",
            "clinical.curve COMPLETE",
            "clinical COMPLETE",
        ]
    );
    for event in &events {
        assert!(event_faults(event).is_empty(), "{:?}\n{event:#}", event_faults(event));
    }
}

#[test]
fn an_attempt_is_told_as_it_was_though_another_followed() {
    let events = delivered();
    let run = |at: usize| &events[at]["run"];
    assert_eq!(run(5)["runId"], run(6)["runId"]);
    assert_eq!(run(7)["runId"], run(8)["runId"]);
    assert_ne!(run(6)["runId"], run(7)["runId"]);
    assert_eq!(run(6)["facets"]["errorMessage"]["message"], "CW0202: the memory limit is reached");
    assert_eq!(run(7)["facets"].get("errorMessage"), None);
}

#[test]
fn lineage_is_that_of_the_catalog() {
    let events = delivered();
    let lineage = |at: usize| &events[at]["outputs"][0]["facets"]["columnLineage"];
    let sources = |at: usize, column: &str| -> Vec<String> {
        let fields = lineage(at)["fields"][column]["inputFields"].as_array().unwrap();
        fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(sources(2, "time"), ["/srv/project/data/lung.csv"]);
    assert_eq!(sources(4, "time"), ["/srv/project/data/lung.csv", "lake/clinical/lung"]);
    assert_eq!(sources(8, "time"), ["lake/clinical/lung"]);
    assert_eq!(lineage(8)["dataset"][0]["transformations"][0]["subtype"], "SORT");
    assert!(lineage(8)["fields"]["survival"]["transformationDescription"].as_str().unwrap().contains("unknown"));
    assert!(sources(8, "survival").is_empty());
}

#[test]
fn the_same_change_has_the_same_identity_whenever_it_is_told() {
    run(async {
        let recorded = clinical().await;
        for change in recorded.changes().await {
            let (first, again) = (recorded.reader().event(&change).await, recorded.reader().event(&change).await);
            assert_eq!(first.unwrap(), again.unwrap());
        }
    });
}

#[test]
fn a_step_nobody_knows_holds_its_run_alone() {
    run(async {
        let recorded = Recorded::new().await;
        let mut change = recorded.changes().await.remove(0);
        change.step = Some(StepId(999));
        let error = recorded.reader().event(&change).await.unwrap_err();
        assert_eq!((error.code(), error.concerns_one_event()), ("CW0401", true));
    });
}

/// A step was killed, then blocked when the run was gone on with.
#[test]
fn killed_and_blocked_attempts_are_aborted() {
    let events = run(async {
        let recorded = Recorded::new().await;
        let step = recorded.begin("load", Vec::new()).await;
        let again = recorded.begin("load", Vec::new()).await;
        assert_eq!((step.id, again.attempt), (step.id, 2));
        recorded.catalog.fail_step(step.id, 2, "CW0204", "cancelled").await.unwrap();
        let blocked = NewStep { name: "curve".into(), ..new_step("load", Vec::new()) };
        recorded.catalog.skip_step(&blocked, StepState::Blocked).await.unwrap();
        recorded.deliver().await.1
    });
    let told = |event: &Value| {
        assert!(event_faults(event).is_empty(), "{event:#}");
        let of = |place: &str| event.pointer(place).unwrap().as_str().unwrap().to_owned();
        (of("/job/name"), of("/eventType"), of("/run/runId"))
    };
    let told: Vec<_> = events.iter().map(told).collect();
    let types: Vec<_> = told.iter().map(|(job, kind, _)| format!("{job} {kind}")).collect();
    assert_eq!(
        types,
        [
            "clinical START",
            "clinical.load START",
            "clinical.load ABORT",
            "clinical.load START",
            "clinical.load ABORT",
            "clinical.curve ABORT",
        ]
    );
    assert_eq!(told[1].2, told[2].2, "the killed attempt is the one that began");
    assert_eq!(told[3].2, told[4].2);
    assert_ne!(told[1].2, told[3].2);
}

#[test]
fn one_delivers_at_a_time() {
    run(async {
        let recorded = Recorded::new().await;
        let other = recorded.outbox();
        assert!(other.claim().await.unwrap() && other.claim().await.unwrap());
        let (delivery, events) = recorded.deliver().await;
        assert!(delivery.elsewhere && events.is_empty());
        other.give_back().await.unwrap();
        assert_eq!(recorded.deliver().await.0.n_delivered, 1);
    });
}
