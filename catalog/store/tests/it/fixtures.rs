//! A small step for tests that need many.

use causeway_model::{
    Catalog, CatalogError, Column, DatasetKind, EdgeKind, EdgeSource, LineageEdge, NewRun, NewStep, OutputVersion,
    Parameters, RunId, RunKind, Step, StepOutcome, TableName,
};

/// Runs one step that appends a version to `a.<table>`, its only column coming from the version before.
/// Returns the number of the new version.
pub(crate) async fn append(catalog: &dyn Catalog, table: &str, run: &str) -> Result<i64, CatalogError> {
    let name = TableName::new("a", table);
    let latest = match catalog.dataset(&name).await? {
        Some(dataset) => catalog.latest_version(dataset.id).await?,
        None => None,
    };
    let run = RunId(run.to_string());
    let version = latest.as_ref().map_or(0, |latest| latest.version + 1);
    let previous = latest.map(|latest| latest.id);
    catalog.begin_run(&new_run(&run)).await?;
    let step = NewStep { inputs: previous.into_iter().collect(), ..new_step(&run) };
    let step = catalog.begin_step(&step).await?;
    let identity = |version| LineageEdge {
        output: 0,
        column: Some("x".into()),
        source: EdgeSource::Column { version, column: "x".into() },
        kind: EdgeKind::Identity,
        masking: false,
    };
    let outcome = StepOutcome {
        lineage: previous.map(identity).into_iter().collect(),
        outputs: vec![OutputVersion { previous, ..output(name, version) }],
        ..StepOutcome::default()
    };
    catalog.complete_step(step.id, step.attempt, &outcome).await?;
    Ok(version)
}

/// Starts the only step of a run of its own.
pub(crate) async fn started(catalog: &dyn Catalog, run: &str) -> Step {
    let run = RunId(run.to_string());
    catalog.begin_run(&new_run(&run)).await.unwrap();
    catalog.begin_step(&new_step(&run)).await.unwrap()
}

pub(crate) fn writes(output: OutputVersion) -> StepOutcome {
    StepOutcome { outputs: vec![output], ..StepOutcome::default() }
}

pub(crate) fn new_run(id: &RunId) -> NewRun {
    NewRun {
        id: id.clone(),
        kind: RunKind::Pipeline,
        pipeline: Some("nightly".into()),
        pipeline_digest: None,
        engine_version: "0.1.0".into(),
        actor: "admin".into(),
        parameters: Parameters::default(),
    }
}

pub(crate) fn new_step(run: &RunId) -> NewStep {
    NewStep {
        run: run.clone(),
        ordinal: 0,
        name: "append".into(),
        kind: "insert".into(),
        sql: "INSERT INTO a.t SELECT 1".into(),
        fingerprint: "f".into(),
        seed: 0,
        inputs: Vec::new(),
        lease: None,
    }
}

pub(crate) fn output(name: TableName, version: i64) -> OutputVersion {
    let column = Column {
        name: "x".into(),
        data_type: "BIGINT".into(),
        nullable: false,
        unit: None,
        meaning: None,
        identifying: false,
    };
    OutputVersion {
        location: name.to_string(),
        name,
        kind: DatasetKind::Table,
        view_sql: None,
        policy: None,
        version,
        n_rows: None,
        n_bytes: None,
        n_files: None,
        digest: None,
        columns: vec![column],
        previous: None,
    }
}
