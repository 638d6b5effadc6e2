//! The relations over a small record: one file, one load, one table made from it.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::pretty::pretty_format_batches;
use causeway_core::{Literal, Literals};
use causeway_engine::SystemRelations;
use causeway_model::{
    Catalog, Column, DatasetKind, EdgeKind, EdgeSource, LineageEdge, NewFile, NewRun, NewStep, OutputVersion,
    Parameters, Rights, RunId, RunKind, RunState, StepOutcome, TableName, VersionId,
};
use causeway_openlineage::{Emitter, Places};
use causeway_store::SqliteCatalog;
use datafusion::prelude::SessionContext;

use crate::System;

/// OpenLineage takes UUIDs alone.
const RUN: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn column(name: &str) -> Column {
    Column {
        name: name.to_owned(),
        data_type: "BIGINT".to_owned(),
        nullable: true,
        unit: (name == "time").then(|| "day".to_owned()),
        meaning: None,
        identifying: false,
    }
}

fn output(table: &str, columns: &[&str]) -> OutputVersion {
    OutputVersion {
        name: TableName::new("clinical", table),
        kind: DatasetKind::Table,
        location: format!("clinical/{table}"),
        view_sql: None,
        policy: None,
        version: 0,
        n_rows: Some(228),
        n_bytes: Some(4096),
        n_files: Some(1),
        digest: None,
        columns: columns.iter().copied().map(column).collect(),
        previous: None,
    }
}

fn edge(column: &str, version: VersionId, kind: EdgeKind) -> LineageEdge {
    let source = EdgeSource::Column { version, column: "time".to_owned() };
    LineageEdge { output: 0, column: Some(column.to_owned()), source, kind, masking: false }
}

async fn step(catalog: &SqliteCatalog, ordinal: i64, name: &str, input: VersionId, outcome: StepOutcome) -> VersionId {
    let new = NewStep {
        run: RunId(RUN.to_owned()),
        ordinal,
        name: name.to_owned(),
        kind: "create_table".to_owned(),
        sql: format!("CREATE TABLE {name}"),
        fingerprint: "f".to_owned(),
        seed: 7,
        inputs: vec![input],
        lease: None,
    };
    let begun = catalog.begin_step(&new).await.unwrap();
    catalog.complete_step(begun.id, begun.attempt, &outcome).await.unwrap()[0]
}

async fn system() -> System {
    let catalog = SqliteCatalog::in_memory().await.unwrap();
    let run = NewRun {
        id: RunId(RUN.to_owned()),
        kind: RunKind::Pipeline,
        pipeline: Some("nightly".to_owned()),
        pipeline_digest: None,
        actor: "admin".to_owned(),
        engine_version: "0.1.0".to_owned(),
        parameters: Parameters::default(),
    };
    catalog.begin_run(&run).await.unwrap();
    let columns = vec![column("time")];
    let file = NewFile { path: "data/lung.csv".to_owned(), digest: "ab".repeat(32), n_bytes: 9, columns };
    let file = catalog.register_file(&file).await.unwrap();
    let loaded = StepOutcome {
        outputs: vec![output("lung", &["time"])],
        lineage: vec![edge("time", file, EdgeKind::Identity)],
        rows_out: Some(228),
        ..StepOutcome::default()
    };
    let lung = step(&catalog, 0, "load", file, loaded).await;
    let made = StepOutcome {
        outputs: vec![output("curve", &["time", "survival"])],
        lineage: vec![edge("time", lung, EdgeKind::Identity), edge("survival", lung, EdgeKind::Aggregation)],
        ..StepOutcome::default()
    };
    step(&catalog, 1, "curve", lung, made).await;
    catalog.finish_run(&run.id, RunState::Succeeded).await.unwrap();
    let places = Places::new("memory:///", "/srv/project", "causeway").unwrap();
    System::new(Arc::new(catalog)).with_events(Emitter::new(places))
}

fn everything() -> Arc<Rights> {
    Arc::new(Rights::embedded())
}

/// Runs a query in which `t` is the relation.
async fn ask(provider: Arc<dyn datafusion::catalog::TableProvider>, sql: &str) -> Result<String, String> {
    let session = SessionContext::new();
    session.register_table("t", provider).unwrap();
    let rows: Vec<RecordBatch> = session
        .sql(sql)
        .await
        .map_err(|error| error.to_string())?
        .collect()
        .await
        .map_err(|error| error.to_string())?;
    Ok(pretty_format_batches(&rows).unwrap().to_string())
}

async fn upstream(system: &System, target: &str, options: &Literals) -> Result<String, String> {
    let provider = system.function("lineage_upstream", &[Literal::Text(target.to_owned())], options, &everything())?;
    ask(provider, "SELECT depth, dataset, \"column\", source_dataset, source_column, kind, step FROM t").await
}

#[tokio::test]
async fn every_table_answers_with_the_schema_it_promises() {
    let system = system().await;
    for name in system.tables() {
        let provider = system.table(name, &everything()).unwrap();
        ask(provider, "SELECT * FROM t").await.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    assert!(system.table("passwords", &everything()).is_none());
}

#[tokio::test]
async fn steps_name_their_inputs_and_outputs_as_versions() {
    let provider = system().await.table("steps", &everything()).unwrap();
    let shown = ask(provider, "SELECT step, state, inputs, outputs, seed FROM t ORDER BY ordinal").await.unwrap();
    assert!(shown.contains("| load  | succeeded | [file.data/lung.csv@0] | [clinical.lung@0]  | 7    |"), "{shown}");
    assert!(shown.contains("| curve | succeeded | [clinical.lung@0]      | [clinical.curve@0] | 7    |"), "{shown}");
}

#[tokio::test]
async fn columns_carry_their_units_and_instants_are_instants() {
    let system = system().await;
    let shown = ask(
        system.table("columns", &everything()).unwrap(),
        "SELECT dataset, position, name, unit FROM t WHERE schema = 'clinical' ORDER BY 1, 2",
    );
    let shown = shown.await.unwrap();
    assert!(shown.contains("| curve   | 1        | time     | day  |"), "{shown}");
    let shown = ask(
        system.table("datasets", &everything()).unwrap(),
        "SELECT count(*) FROM t WHERE created_at > TIMESTAMP '2020-01-01'",
    );
    assert!(shown.await.unwrap().contains("| 3        |"));
}

#[tokio::test]
async fn lineage_reaches_the_file_and_stops_at_the_depth() {
    let system = system().await;
    let all = upstream(&system, "clinical.curve.survival", &Literals::default()).await.unwrap();
    assert!(
        all.contains(
            "| 1     | clinical.curve | survival | clinical.lung      | time          | AGGREGATION | curve |"
        ),
        "{all}"
    );
    assert!(
        all.contains(
            "| 2     | clinical.lung  | time     | file.data/lung.csv | time          | IDENTITY    | load  |"
        ),
        "{all}"
    );
    let mut options = Literals::default();
    options.insert("depth", Literal::Integer(1));
    let near = upstream(&system, "clinical.curve", &options).await.unwrap();
    assert!(near.contains("clinical.lung") && !near.contains("file."), "{near}");
    let provider = system.function(
        "lineage_downstream",
        &[Literal::Text("file.data/lung.csv.time".to_owned())],
        &Literals::default(),
        &everything(),
    );
    let down = ask(provider.unwrap(), "SELECT dataset, \"column\" FROM t ORDER BY depth, 2").await.unwrap();
    assert!(down.contains("| clinical.curve | survival |"), "{down}");
}

#[tokio::test]
async fn wrong_targets_and_options_are_refused_with_the_right_ones() {
    let system = system().await;
    let none = Literals::default();
    let message = upstream(&system, "clinical.lumg", &none).await.unwrap_err();
    assert!(message.contains("table `clinical.lumg` not found; did you mean `clinical.lung`?"), "{message}");
    let message = upstream(&system, "clinical.curve.survial", &none).await.unwrap_err();
    assert!(message.contains("did you mean `survival`?; it has: time, survival"), "{message}");
    let mut wrong = Literals::default();
    wrong.insert("dept", Literal::Integer(1));
    let message = upstream(&system, "clinical.curve", &wrong).await.unwrap_err();
    assert!(message.contains("no option `dept` (did you mean `depth`?)"), "{message}");
    let mut zero = Literals::default();
    zero.insert("depth", Literal::Integer(0));
    let message = upstream(&system, "clinical.curve", &zero).await.unwrap_err();
    assert!(message.contains("must be a whole number >= 1"), "{message}");
    assert!(system.function("lineage_upstream", &[], &none, &everything()).is_err());
}

fn options(given: &[(&str, Literal)]) -> Literals {
    let mut options = Literals::default();
    for (name, value) in given {
        options.insert(*name, value.clone());
    }
    options
}

fn text(value: &str) -> Literal {
    Literal::Text(value.to_owned())
}

#[tokio::test]
async fn lineage_follows_the_columns_named_or_tables() {
    let system = system().await;
    let one = options(&[("columns", text("time")), ("depth", Literal::Integer(1))]);
    let shown = upstream(&system, "clinical.curve", &one).await.unwrap();
    assert!(shown.contains("| time   |") && !shown.contains("survival"), "{shown}");
    let both = options(&[("columns", Literal::List(vec![text("time"), text("survival")]))]);
    let shown = upstream(&system, "clinical.curve", &both).await.unwrap();
    assert_eq!(shown.matches("| 2     | clinical.lung  | time").count(), 1, "an edge met twice is shown once: {shown}");
    let tables = upstream(&system, "clinical.curve", &options(&[("columns", Literal::Boolean(false))])).await.unwrap();
    assert!(
        tables.contains("| 1     | clinical.curve |        | clinical.lung      |               |      | curve |"),
        "{tables}"
    );
    assert!(tables.contains("| 2     | clinical.lung  |        | file.data/lung.csv |"), "{tables}");
}

#[tokio::test]
async fn lineage_starts_at_a_version_or_an_instant() {
    let system = system().await;
    for moment in [Literal::Integer(0), text("2999-01-01T00:00:00Z")] {
        let shown = upstream(&system, "clinical.curve", &options(&[("as_of", moment)])).await.unwrap();
        assert!(shown.contains("clinical.lung"), "{shown}");
    }
    for missing in [Literal::Integer(7), text("1999-01-01T00:00:00+02:00")] {
        let refused = upstream(&system, "clinical.curve", &options(&[("as_of", missing)])).await.unwrap_err();
        assert!(refused.contains("clinical.curve@"), "{refused}");
    }
}

#[tokio::test]
async fn wrong_values_of_lineage_options_are_refused_with_the_right_ones() {
    let system = system().await;
    let cases = [
        (options(&[("as_of", text("yesterday"))]), "or an instant such as '2026-03-01T04:00:00Z'"),
        (options(&[("as_of", Literal::Integer(1)), ("version", Literal::Integer(1))]), "not both"),
        (options(&[("columns", Literal::Float(1.0))]), "must be true for edges between columns, false for"),
        (options(&[("columns", text("survial"))]), "did you mean `survival`?; it has: time, survival"),
        (options(&[("colums", Literal::Boolean(true))]), "no option `colums` (did you mean `columns`?)"),
    ];
    for (wrong, message) in cases {
        let refused = upstream(&system, "clinical.curve", &wrong).await.unwrap_err();
        assert!(refused.contains(message), "{refused}");
    }
    let twice = upstream(&system, "clinical.curve.time", &options(&[("columns", text("time"))])).await.unwrap_err();
    assert!(twice.contains("names the column `time` already"), "{twice}");
}

#[tokio::test]
async fn the_lineage_tables_hold_edges_with_their_versions() {
    let system = system().await;
    let tables = system.table("table_lineage", &everything()).unwrap();
    let shown = ask(tables, "SELECT dataset, version, source_dataset, source_version, step FROM t ORDER BY step").await;
    let shown = shown.unwrap();
    assert!(shown.contains("| clinical.curve | 0       | clinical.lung      | 0              | curve |"), "{shown}");
    let columns = system.table("column_lineage", &everything()).unwrap();
    let shown = ask(columns, "SELECT dataset, \"column\", source_column, kind FROM t ORDER BY 1, 2").await.unwrap();
    assert!(shown.contains("| clinical.curve | survival | time          | AGGREGATION |"), "{shown}");
    let nobody = Arc::new(Rights { user: "eve".to_owned(), roles: BTreeSet::new(), grants: BTreeSet::new() });
    for table in ["table_lineage", "column_lineage"] {
        let shown = ask(system.table(table, &nobody).unwrap(), "SELECT count(*) AS n FROM t").await.unwrap();
        assert!(shown.contains("| 0 |"), "{shown}");
    }
}

#[tokio::test]
async fn options_of_operators_are_listed_with_ranges() {
    let system = system().await;
    let shown = ask(
        system.table("operator_options", &everything()).unwrap(),
        "SELECT accepts, required FROM t WHERE operator = 'kaplan_meier' AND option = 'time'",
    );
    let shown = shown.await.unwrap();
    assert!(shown.contains("the name of a column that is a number") && shown.contains("true"), "{shown}");
}

#[tokio::test]
async fn events_are_shown_to_those_who_see_the_whole_record() {
    let system = system().await;
    let told = system.table("openlineage", &everything()).unwrap();
    let shown = ask(told, "SELECT step, type, attempt, delivered_at, event LIKE '{%}' AS is_built FROM t ORDER BY id");
    let shown = shown.await.unwrap();
    assert!(shown.contains("|       | START    | 0       |              | true     |"), "{shown}");
    assert!(shown.contains("| curve | COMPLETE | 1       |              | true     |"), "{shown}");
    let few = ask(system.table("openlineage", &everything()).unwrap(), "SELECT type, event FROM t LIMIT 1");
    assert_eq!(few.await.unwrap().matches("START").count(), 2, "its type, and the event's");
    let count = |rights: Rights, condition: &str| {
        let provider = system.table("openlineage", &Arc::new(rights)).unwrap();
        let sql = format!("SELECT 'n=' || count(*) FROM t WHERE {condition}");
        async move { ask(provider, &sql).await.unwrap() }
    };
    assert!(count(Rights::embedded(), "true").await.contains("n=6 "));
    assert!(count(Rights::embedded(), &format!("run = '{RUN}'")).await.contains("n=6 "));
    assert!(count(Rights::embedded(), "run = 'another'").await.contains("n=0 "));
    let nobody = Rights { roles: std::collections::BTreeSet::new(), user: "alice".to_owned(), ..Rights::embedded() };
    assert!(count(nobody, "true").await.contains("n=0 "));
}
