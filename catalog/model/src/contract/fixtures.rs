//! What the cases build their catalogs from.

use std::sync::Arc;

use crate::{
    Catalog, Column, Dataset, DatasetKind, DatasetVersion, Direction, EdgeKind, EdgeSource, IngestedFile, LineageEdge,
    LineageRow, NewFile, NewRun, NewStep, OutputVersion, Parameters, RunId, RunKind, Step, StepOutcome, TableName,
    VersionId,
};

pub(super) const PIPELINE: &str = "nightly";

pub(super) fn run_id(number: u8) -> RunId {
    RunId(format!("01890000-0000-7000-8000-0000000000{number:02}"))
}

pub(super) fn new_run(number: u8) -> NewRun {
    NewRun {
        id: run_id(number),
        kind: RunKind::Pipeline,
        pipeline: Some(PIPELINE.into()),
        pipeline_digest: Some("d1".into()),
        actor: "admin".to_owned(),
        engine_version: "0.1.0".into(),
        parameters: Parameters::default(),
    }
}

pub(super) fn new_step(run: u8, name: &str) -> NewStep {
    NewStep {
        run: run_id(run),
        ordinal: 0,
        name: name.into(),
        kind: "create_table".into(),
        sql: format!("CREATE TABLE {name} AS SELECT 1"),
        fingerprint: "f1".into(),
        seed: 7,
        inputs: Vec::new(),
        lease: None,
    }
}

pub(super) fn column(name: &str) -> Column {
    Column {
        name: name.into(),
        data_type: "BIGINT".into(),
        nullable: true,
        unit: None,
        meaning: None,
        identifying: false,
    }
}

pub(super) fn columns(names: &[&str]) -> Vec<Column> {
    names.iter().map(|name| column(name)).collect()
}

/// Splits `schema.table`.
pub(super) fn name(dotted: &str) -> TableName {
    let (schema, table) = dotted.split_once('.').unwrap();
    TableName::new(schema, table)
}

pub(super) fn table(dotted: &str, version: i64, names: &[&str]) -> OutputVersion {
    OutputVersion {
        name: name(dotted),
        kind: DatasetKind::Table,
        location: dotted.replace('.', "/"),
        view_sql: None,
        policy: None,
        version,
        n_rows: Some(10),
        n_bytes: Some(1000),
        n_files: Some(1),
        digest: None,
        columns: columns(names),
        previous: None,
    }
}

pub(super) fn view(dotted: &str, sql: &str, names: &[&str]) -> OutputVersion {
    OutputVersion {
        kind: DatasetKind::View,
        location: String::new(),
        view_sql: Some(sql.into()),
        n_rows: None,
        n_bytes: None,
        n_files: None,
        digest: Some(format!("digest of {sql}")),
        ..table(dotted, 0, names)
    }
}

pub(super) fn file(path: &str, digest: &str) -> NewFile {
    NewFile { path: path.into(), digest: digest.into(), n_bytes: 42, columns: columns(&["time", "status", "sex"]) }
}

pub(super) fn ingested(table: &str, digest: &str, file: VersionId) -> IngestedFile {
    IngestedFile { table: name(table), digest: digest.into(), contract_digest: "c1".into(), file }
}

pub(super) fn writes(outputs: Vec<OutputVersion>) -> StepOutcome {
    StepOutcome { outputs, rows_out: Some(10), duration_ms: 5, ..StepOutcome::default() }
}

/// An edge of the first output.
pub(super) fn edge(column: &str, version: VersionId, source: &str, kind: EdgeKind) -> LineageEdge {
    LineageEdge {
        output: 0,
        column: Some(column.into()),
        source: EdgeSource::Column { version, column: source.into() },
        kind,
        masking: false,
    }
}

/// An edge of the whole first output.
pub(super) fn whole_edge(version: VersionId, source: &str, kind: EdgeKind) -> LineageEdge {
    LineageEdge { column: None, ..edge("", version, source, kind) }
}

/// Starts run 1 unless it is there, and a step in it.
pub(super) async fn started(catalog: &dyn Catalog, step: &str) -> Step {
    if catalog.run(&run_id(1)).await.is_err() {
        catalog.begin_run(&new_run(1)).await.unwrap();
    }
    catalog.begin_step(&new_step(1, step)).await.unwrap()
}

/// Runs a step from start to end.
pub(super) async fn done(catalog: &dyn Catalog, step: &str, outcome: StepOutcome) -> Vec<VersionId> {
    let step = started(catalog, step).await;
    catalog.complete_step(step.id, step.attempt, &outcome).await.unwrap()
}

/// Writes one table version in a step named after both.
pub(super) async fn written(catalog: &dyn Catalog, dotted: &str, version: i64, names: &[&str]) -> VersionId {
    let step = format!("{dotted}@{version}");
    done(catalog, &step, writes(vec![table(dotted, version, names)])).await[0]
}

/// Writes one table version with its lineage.
pub(super) async fn derived(
    catalog: &dyn Catalog,
    dotted: &str,
    names: &[&str],
    lineage: Vec<LineageEdge>,
) -> VersionId {
    let outcome = StepOutcome { lineage, ..writes(vec![table(dotted, 0, names)]) };
    done(catalog, dotted, outcome).await[0]
}

pub(super) async fn live(catalog: &dyn Catalog, dotted: &str) -> Dataset {
    catalog.dataset(&name(dotted)).await.unwrap().unwrap()
}

pub(super) async fn latest(catalog: &dyn Catalog, dotted: &str) -> DatasetVersion {
    let dataset = live(catalog, dotted).await;
    catalog.latest_version(dataset.id).await.unwrap().unwrap()
}

pub(super) async fn upstream(catalog: &dyn Catalog, target: VersionId, column: Option<&str>) -> Vec<LineageRow> {
    catalog.lineage(target, column, Direction::Upstream, None).await.unwrap()
}

pub(super) async fn downstream(catalog: &dyn Catalog, target: VersionId, column: Option<&str>) -> Vec<LineageRow> {
    catalog.lineage(target, column, Direction::Downstream, None).await.unwrap()
}

/// One line per row: `depth output <- source KIND`.
pub(super) fn lines(rows: &[LineageRow]) -> Vec<String> {
    let dotted = |dataset: &str, column: &Option<Arc<str>>| match column {
        Some(column) => format!("{dataset}.{column}"),
        None => dataset.to_string(),
    };
    let line = |row: &LineageRow| {
        let source = row.source_dataset.as_ref().map(|source| dotted(source, &row.source_column));
        let source = source.unwrap_or_else(|| "?".into());
        format!("{} {} <- {source} {}", row.depth, dotted(&row.dataset, &row.column), row.kind.name())
    };
    rows.iter().map(line).collect()
}
