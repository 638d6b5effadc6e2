//! What people see who come with psql.

use causeway_cluster::Cluster;
use causeway_model::{
    Catalog, Column, EdgeKind, EdgeSource, LineageEdge, OperatorUse, OutputVersion, RunId, RunState, StepOutcome,
    TableName,
};
use causeway_store::PostgresCatalog;
use serde_json::json;

use crate::fixtures::{append, output, started, writes};

/// `a.s`, and a table `a.t` made from it with a column for each kind of edge, named after it, and an
/// edge that concerns all of it.
async fn recorded() -> (PostgresCatalog, causeway_cluster::Database<'static>) {
    let database = Cluster::shared().database();
    let catalog = PostgresCatalog::open(database.url()).await.unwrap();
    append(&catalog, "s", "first").await.unwrap();
    let source = catalog.versions(None).await.unwrap()[0].id;
    let edge = |kind: EdgeKind| LineageEdge {
        output: 0,
        column: Some(kind.name().into()),
        source: EdgeSource::Column { version: source, column: "x".into() },
        kind,
        masking: false,
    };
    let mut lineage = EdgeKind::ALL.map(edge).to_vec();
    lineage.push(LineageEdge { column: None, source: EdgeSource::Unknown, ..edge(EdgeKind::Filter) });
    let operator =
        OperatorUse { operator: "log_rank".into(), version: 1, options: json!({"by": "sex"}), report: json!({}) };
    let table = output(TableName::new("a", "t"), 0);
    let column = |kind: EdgeKind| Column { name: kind.name().into(), ..table.columns[0].clone() };
    let table = OutputVersion { columns: EdgeKind::ALL.map(column).to_vec(), ..table };
    let step = started(&catalog, "second").await;
    let outcome = StepOutcome { lineage, operators: vec![operator], duration_ms: 1500, ..writes(table) };
    catalog.complete_step(step.id, 1, &outcome).await.unwrap();
    catalog.finish_run(&RunId("second".into()), RunState::Succeeded).await.unwrap();
    (catalog, database)
}

#[tokio::test]
async fn times_and_options_have_real_types() {
    let (_catalog, database) = Box::pin(recorded()).await;
    for (view, column, kind) in [
        ("v_datasets", "created_at", "timestamp with time zone"),
        ("v_datasets", "policy", "jsonb"),
        ("v_dataset_versions", "committed_at", "timestamp with time zone"),
        ("v_runs", "started_at", "timestamp with time zone"),
        ("v_runs", "duration", "interval"),
        ("v_steps", "finished_at", "timestamp with time zone"),
        ("v_operators", "options", "jsonb"),
        ("v_columns", "nullable", "boolean"),
        ("v_lineage", "committed_at", "timestamp with time zone"),
    ] {
        let types = database.psql(&format!("SELECT DISTINCT pg_typeof({column}) FROM {view}"));
        assert_eq!(types, format!("{kind}\n"), "{view}.{column}");
    }
}

#[tokio::test]
async fn views_say_what_was_recorded() {
    let (_catalog, database) = Box::pin(recorded()).await;
    assert_eq!(database.psql("SELECT table_name, latest_version FROM v_datasets ORDER BY 1"), "s|0\nt|0\n");
    assert_eq!(database.psql("SELECT run, step FROM v_dataset_versions WHERE table_name = 't'"), "second|append\n");
    assert_eq!(database.psql("SELECT duration FROM v_steps WHERE run = 'second'"), "00:00:01.5\n");
    assert_eq!(database.psql("SELECT options ->> 'by' FROM v_operators"), "sex\n");
    assert_eq!(database.psql("SELECT state FROM v_runs WHERE finished_at >= started_at"), "succeeded\n");
    assert_eq!(database.psql("SELECT name, data_type FROM v_columns WHERE table_name = 's'"), "x|BIGINT\n");
}

#[tokio::test]
async fn lineage_kinds_have_their_names() {
    let (_catalog, database) = Box::pin(recorded()).await;
    let rows =
        database.psql("SELECT kind FROM v_lineage WHERE column_name = kind AND source_table = 's' ORDER BY kind");
    let mut expected = EdgeKind::ALL.map(EdgeKind::name);
    expected.sort_unstable();
    assert_eq!(rows.lines().collect::<Vec<_>>(), expected);
    let unknown = database.psql("SELECT column_name IS NULL, kind FROM v_lineage WHERE source_column IS NULL");
    assert_eq!(unknown, "t|FILTER\n");
}
