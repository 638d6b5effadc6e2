//! A run of the pipeline `clinical` that has all there is to tell.

use causeway_model::{
    Column, Dataset, DatasetId, DatasetKind, DatasetPolicy, DatasetVersion, EdgeKind, EdgeSource, LineageEdge, Run,
    RunId, RunKind, RunState, Step, StepId, StepState, TableName, VersionId,
};
use causeway_openlineage::{DatasetRecord, Emitter, NominalTime, Places, RunRecord, StepRecord, Subject, Transition};
use serde_json::Value;

pub(crate) const RUN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

pub(crate) fn emitter() -> Emitter {
    Emitter::new(Places::new("s3://hospital/lake", "/srv/project", "causeway").unwrap())
}

pub(crate) fn event(subject: Subject<'_>, transition: Transition) -> Value {
    serde_json::from_str(&emitter().event(subject, transition).unwrap().body).unwrap()
}

pub(crate) fn step_event(record: &StepRecord, transition: Transition) -> Value {
    event(Subject::Step(record), transition)
}

pub(crate) fn run() -> RunRecord {
    let run = Run {
        id: RunId(RUN.into()),
        kind: RunKind::Pipeline,
        pipeline: Some("clinical".into()),
        pipeline_digest: Some("d1".into()),
        state: RunState::Succeeded,
        engine_version: "0.1.0".into(),
        actor: "admin".into(),
        parameters: causeway_model::Parameters::default(),
        started_at: "2026-05-04T03:00:01.250Z".into(),
        finished_at: Some("2026-05-04T03:00:09.500Z".into()),
    };
    let nominal_time = NominalTime { start: "2026-05-04T03:00:00Z".into(), end: Some("2026-05-05T03:00:00Z".into()) };
    RunRecord { run, nominal_time: Some(nominal_time) }
}

pub(crate) fn column(name: &str, data_type: &str) -> Column {
    Column {
        name: name.into(),
        data_type: data_type.into(),
        nullable: true,
        unit: None,
        meaning: None,
        identifying: false,
    }
}

pub(crate) fn dataset(id: i64, kind: DatasetKind, name: TableName, location: &str) -> Dataset {
    Dataset {
        id: DatasetId(id),
        name,
        kind,
        location: location.into(),
        view_sql: None,
        policy: DatasetPolicy::default(),
        created_at: "2026-05-01T00:00:00Z".into(),
        dropped_at: None,
    }
}

pub(crate) fn version(id: i64, dataset: i64, version: i64, columns: Vec<Column>) -> DatasetVersion {
    DatasetVersion {
        id: VersionId(id),
        dataset: DatasetId(dataset),
        version,
        n_rows: Some(228),
        n_bytes: Some(9_120),
        n_files: Some(1),
        digest: None,
        columns,
        step: Some(StepId(1)),
        committed_at: "2026-05-04T03:00:05Z".into(),
    }
}

/// `clinical.lung`, version 4.
pub(crate) fn lung() -> DatasetRecord {
    let time =
        Column { unit: Some("days".into()), meaning: Some("survival or follow-up".into()), ..column("time", "BIGINT") };
    let columns = vec![time, column("status", "BIGINT"), column("sex", "VARCHAR")];
    let name = TableName::new("clinical", "lung");
    DatasetRecord {
        dataset: dataset(1, DatasetKind::Table, name, "clinical/lung"),
        version: version(14, 1, 4, columns),
    }
}

/// A file outside the lake.
pub(crate) fn codes() -> DatasetRecord {
    let name = TableName::new("file", "data/codes.csv");
    let version = version(20, 2, 0, vec![column("sex", "VARCHAR"), column("label", "VARCHAR")]);
    DatasetRecord { dataset: dataset(2, DatasetKind::File, name, "data/codes.csv"), version }
}

/// A view on the lake.
pub(crate) fn adults() -> DatasetRecord {
    let name = TableName::new("clinical", "adults");
    DatasetRecord {
        dataset: dataset(3, DatasetKind::View, name, ""),
        version: version(30, 3, 0, vec![column("sex", "VARCHAR")]),
    }
}

/// What the step writes: `clinical.curve`, version 7.
pub(crate) fn curve() -> DatasetRecord {
    let name = TableName::new("clinical", "curve");
    let columns = vec![column("sex", "VARCHAR"), column("time", "BIGINT"), column("survival", "DOUBLE")];
    let version = DatasetVersion { n_rows: Some(12), ..version(47, 4, 7, columns) };
    DatasetRecord { dataset: dataset(4, DatasetKind::Table, name, "clinical/curve"), version }
}

pub(crate) fn edge(column: Option<&str>, version: i64, field: &str, kind: EdgeKind) -> LineageEdge {
    LineageEdge {
        output: 0,
        column: column.map(Into::into),
        source: EdgeSource::Column { version: VersionId(version), column: field.into() },
        kind,
        masking: false,
    }
}

pub(crate) fn step() -> Step {
    Step {
        id: StepId(1),
        run: RunId(RUN.into()),
        ordinal: 1,
        name: "curve".into(),
        kind: "create_table".into(),
        sql: "CREATE OR REPLACE TABLE clinical.curve AS SELECT label AS sex, time, survival FROM \
              dp_kaplan_meier((SELECT * FROM clinical.lung WHERE sex IS NOT NULL), time => 'time', epsilon => 1.0) \
              JOIN 'data/codes.csv' AS codes USING (sex)"
            .into(),
        fingerprint: "f1".into(),
        seed: 7,
        state: StepState::Succeeded,
        attempt: 1,
        inputs: vec![VersionId(14), VersionId(20)],
        outputs: vec![VersionId(47)],
        rows_in: Some(230),
        rows_out: Some(12),
        rows_quarantined: None,
        duration_ms: Some(812),
        error_code: None,
        error: None,
        started_at: "2026-05-04T03:00:04.100Z".into(),
        finished_at: Some("2026-05-04T03:00:04.912Z".into()),
    }
}

/// A step that joins a table with a file and puts a private operator between.
pub(crate) fn curve_step() -> StepRecord {
    let mut survival = edge(Some("survival"), 14, "time", EdgeKind::Aggregation);
    survival.masking = true;
    StepRecord {
        run: run(),
        step: step(),
        inputs: vec![lung(), codes()],
        outputs: vec![curve()],
        origins: Vec::new(),
        edges: vec![
            edge(Some("sex"), 20, "label", EdgeKind::Identity),
            edge(Some("time"), 14, "time", EdgeKind::Transformation),
            survival,
            edge(Some("survival"), 14, "status", EdgeKind::Conditional),
            edge(None, 14, "sex", EdgeKind::Filter),
            edge(None, 14, "sex", EdgeKind::Join),
            edge(None, 20, "sex", EdgeKind::Join),
        ],
        blocking: None,
    }
}

/// A check of `clinical.lung`, with the code and words it failed with if it did.
pub(crate) fn check_step(failure: Option<(&str, &str)>) -> StepRecord {
    let step = Step {
        name: "curve check 1".into(),
        kind: "check".into(),
        sql: "SELECT count(*) = 228 FROM clinical.lung".into(),
        state: if failure.is_some() { StepState::Failed } else { StepState::Succeeded },
        error_code: failure.map(|(code, _)| code.into()),
        error: failure.map(|(_, message)| message.into()),
        rows_out: None,
        ..step()
    };
    StepRecord {
        step,
        inputs: vec![lung(), adults()],
        outputs: Vec::new(),
        edges: Vec::new(),
        blocking: Some(true),
        ..curve_step()
    }
}

/// The step, failed.
pub(crate) fn failed_step() -> StepRecord {
    let mut record = curve_step();
    record.step.state = StepState::Failed;
    record.step.error_code = Some("CW0202".into());
    record.step.error = Some("the memory limit of 512 MiB is reached".into());
    record.outputs.clear();
    record.edges.clear();
    record
}

/// Every event of the run.
pub(crate) fn all_events() -> Vec<Value> {
    let run = run();
    let mut events: Vec<Value> =
        Transition::ALL.into_iter().map(|transition| event(Subject::Run(&run), transition)).collect();
    for record in [curve_step(), failed_step(), check_step(None), check_step(Some(("CW0608", "check 1 is false")))] {
        events.extend(Transition::ALL.into_iter().map(|transition| step_event(&record, transition)));
    }
    events
}
