//! Rows touched behind the catalog's back, found by checking its audit log.

use std::path::Path;

use causeway_audit::{Action, AuditError, Event, Export, Finding, LogId, LogKey, Outcome, Place, Problem, TreeHead};
use causeway_model::audit::{AuditFailure, verify};
use causeway_model::{
    AccessChange, AuditLog as _, Catalog, EdgeKind, EdgeSource, Grant, LineageEdge, OperatorUse, PrincipalKind,
    Privilege, RowPolicy, Securable, StepOutcome, TableName,
};
use causeway_store::SqliteCatalog;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, SqlSafeStr as _, SqliteConnection};
use tempfile::TempDir;

use crate::fixtures::{append, output, started, writes};

/// A catalog with a log, and what lies outside of it.
pub(crate) struct Audited {
    folder: TempDir,
    key: LogKey,
    export: Export,
}

impl Audited {
    /// Records a few steps, a grant and queries, then signs a head.
    pub(crate) async fn new(n_queries: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let catalog = SqliteCatalog::open(&folder.path().join("catalog.db")).await.unwrap();
        let key = LogKey::generate().unwrap();
        catalog.start_audit("admin", &LogId::generate().unwrap(), &key.public()).await.unwrap();
        for number in 0..3 {
            append(&catalog, "t", &format!("run {number}")).await.unwrap();
        }
        derive(&catalog).await;
        let grant = Grant {
            grantee: "ann".into(),
            privilege: Privilege::Select,
            on: Securable::Table(TableName::new("a", "t")),
            column: None,
        };
        let policy = RowPolicy {
            table: TableName::new("a", "t"),
            name: "p".into(),
            grantee: "ann".into(),
            condition: "x > 1".into(),
            restrictive: false,
        };
        let access = vec![
            AccessChange::Create(PrincipalKind::User, "ann".into()),
            AccessChange::Join { role: "analyst".into(), member: "ann".into() },
            AccessChange::Grant(grant),
            AccessChange::AddPolicy(policy),
        ];
        let step = started(&catalog, "grant").await;
        let outcome = StepOutcome { access, ..StepOutcome::default() };
        catalog.complete_step(step.id, step.attempt, &outcome).await.unwrap();
        for _ in 0..n_queries {
            catalog.record(Event::new("ann", Action::Query, Outcome::started())).await.unwrap();
        }
        let state = catalog.audit_state().await.unwrap().unwrap();
        let head = TreeHead::new(state.log, state.frontier.size(), state.frontier.root(), state.now).unwrap();
        let export = Export { heads: vec![head.sign(&key).unwrap()], ..Export::default() };
        Self { folder, key, export }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("catalog.db")
    }

    pub(crate) async fn verify(&self, path: &Path) -> Result<(), Finding> {
        let catalog = SqliteCatalog::open(path).await.unwrap();
        match verify(&catalog, self.key.public(), self.export.clone(), &mut |_, _| {}).await {
            Err(AuditFailure::Audit(AuditError::Finding(finding))) => Err(finding),
            other => {
                other.unwrap();
                Ok(())
            }
        }
    }

    /// Runs a statement on a copy of the database, and checks the copy.
    pub(crate) async fn after(&self, sql: &str) -> Finding {
        let copy = self.folder.path().join("copy.db");
        for ending in ["", "-wal", "-shm"] {
            std::fs::remove_file(format!("{}{ending}", copy.display())).ok();
        }
        query(&self.path(), &format!("VACUUM INTO '{}'", copy.display())).await;
        assert!(query(&copy, &format!("PRAGMA foreign_keys = off; {sql}")).await > 0, "nothing touched by {sql}");
        self.verify(&copy).await.unwrap_err()
    }
}

/// Makes a table with an operator and a filter.
async fn derive(catalog: &SqliteCatalog) {
    let source = catalog.dataset(&TableName::new("a", "t")).await.unwrap().unwrap();
    let version = catalog.latest_version(source.id).await.unwrap().unwrap().id;
    let step = started(catalog, "derive").await;
    let filter = LineageEdge {
        output: 0,
        column: None,
        source: EdgeSource::Column { version, column: "x".into() },
        kind: EdgeKind::Filter,
        masking: false,
    };
    let operator = OperatorUse {
        operator: "kaplan_meier".into(),
        version: 1,
        options: serde_json::json!({"time": "x"}),
        report: serde_json::json!({}),
    };
    let outcome = StepOutcome {
        lineage: vec![filter],
        operators: vec![operator],
        ..writes(output(TableName::new("a", "curve"), 0))
    };
    catalog.complete_step(step.id, step.attempt, &outcome).await.unwrap();
}

/// Returns how many rows changed.
pub(crate) async fn query(path: &Path, sql: &str) -> u64 {
    let mut database = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()).into_sql_str()).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    done.rows_affected()
}

fn record(finding: &Finding) -> Option<u64> {
    match finding.place {
        Place::Record(sequence) => Some(sequence),
        _ => None,
    }
}

#[tokio::test]
async fn an_untouched_catalog_holds() {
    let audited = Audited::new(3).await;
    audited.verify(&audited.path()).await.unwrap();
}

#[tokio::test]
async fn records_touched_in_the_table_are_named() {
    let audited = Audited::new(5).await;
    let swap = "UPDATE audit_record SET sequence = -1 WHERE sequence = 4;
                UPDATE audit_record SET sequence = 4 WHERE sequence = 6;
                UPDATE audit_record SET sequence = 6 WHERE sequence = -1";
    for (sql, bad) in [
        (
            "UPDATE audit_record SET content = CAST(replace(CAST(content AS TEXT), 'ann', 'bob') AS BLOB) \
          WHERE sequence = (SELECT MAX(sequence) FROM audit_record)",
            15,
        ),
        ("UPDATE audit_record SET leaf_hash = zeroblob(32) WHERE sequence = 3", 3),
        ("DELETE FROM audit_record WHERE sequence = 2", 2),
        ("DELETE FROM audit_record WHERE sequence >= 12", 12),
        ("INSERT INTO audit_record SELECT 16, content, leaf_hash FROM audit_record WHERE sequence = 15", 16),
        ("INSERT INTO audit_record SELECT -5, content, leaf_hash FROM audit_record WHERE sequence = 15", 0),
        ("DELETE FROM audit_record", 0),
        (swap, 4),
    ] {
        let finding = audited.after(sql).await;
        assert_eq!(record(&finding), Some(bad), "{sql}: {finding}");
    }
    assert_eq!(audited.after("UPDATE audit_state SET frontier = zeroblob(8)").await.problem, Problem::StateDiffers);
    assert_eq!(audited.after("DELETE FROM audit_state").await.problem, Problem::StateDiffers);
}

#[tokio::test]
async fn rows_that_records_cover_are_named() {
    let audited = Audited::new(0).await;
    for (sql, table) in [
        ("UPDATE step SET sql = 'INSERT INTO a.t SELECT 2' WHERE id = 2", "step"),
        ("UPDATE step SET rows_out = 7 WHERE id = 2", "step"),
        ("UPDATE step SET state = 'failed' WHERE id = 2", "step"),
        ("UPDATE run SET actor = 'ann' WHERE id = 2", "step"),
        ("DELETE FROM step_input WHERE step_id = 2", "step"),
        ("INSERT INTO step_input SELECT 2, 7, version_id FROM step_input WHERE step_id = 2", "step"),
        ("INSERT INTO step_operator VALUES (2, 0, 'kaplan_meier', 1, '{}', '{}')", "step"),
        ("UPDATE dataset_version SET n_rows = 5 WHERE step_id = 2", "step"),
        ("UPDATE dataset_version SET digest = 'x' WHERE step_id = 1", "step"),
        (
            "INSERT INTO dataset_version SELECT NULL, dataset_id, 99, n_rows, n_bytes, n_files, digest, step_id, \
          previous_id, committed_at FROM dataset_version WHERE step_id = 2",
            "step",
        ),
        ("UPDATE dataset_column SET name = 'y'", "step"),
        ("DELETE FROM column_edge", "step"),
        ("INSERT INTO column_edge SELECT out_column_id, NULL, kind, masking FROM column_edge", "step"),
        ("UPDATE dataset SET policy = '{}'", "dataset"),
        ("UPDATE dataset SET location = 'elsewhere'", "dataset"),
        ("UPDATE dataset SET dropped_at = created_at", "dataset"),
        (
            "INSERT INTO dataset_version SELECT NULL, dataset_id, 99, n_rows, n_bytes, n_files, digest, NULL, \
          previous_id, committed_at FROM dataset_version WHERE step_id = 2",
            "dataset",
        ),
        ("INSERT INTO access_grant VALUES ('ann', 'select', 'schema', 'secret', '', '')", "access"),
        ("DELETE FROM access_grant", "access"),
        ("INSERT INTO membership VALUES ('admin', 'ann')", "access"),
        ("INSERT INTO principal VALUES ('eve', 'user', '')", "access"),
        ("INSERT INTO row_policy VALUES ('a', 't', 'q', 'ann', 'true', 0)", "access"),
    ] {
        let finding = audited.after(sql).await;
        match &finding.problem {
            Problem::RowChanged { table: found, .. } | Problem::RowGone { table: found, .. } => {
                assert_eq!(found, table, "{sql}: {finding}");
                assert!(record(&finding).is_some(), "{sql}: {finding}");
            }
            other => panic!("{sql}: {other}"),
        }
    }
}

/// Grants something after the catalog was touched, and checks.
async fn after_another_change(audited: &Audited, sql: &str) -> Finding {
    let path = audited.folder.path().join(format!("{:x}.db", sql.len()));
    std::fs::remove_file(&path).ok();
    query(&audited.path(), &format!("VACUUM INTO '{}'", path.display())).await;
    assert!(query(&path, sql).await > 0, "nothing touched by {sql}");
    let catalog = SqliteCatalog::open(&path).await.unwrap();
    let step = started(&catalog, "later").await;
    let access = vec![AccessChange::Create(PrincipalKind::User, "zed".into())];
    let outcome = StepOutcome { access, ..writes(output(TableName::new("a", "curve"), 1)) };
    catalog.complete_step(step.id, step.attempt, &outcome).await.unwrap();
    audited.verify(&path).await.unwrap_err()
}

#[tokio::test]
async fn a_later_change_does_not_cover_up_what_was_touched_before() {
    let audited = Audited::new(0).await;
    for sql in [
        "INSERT INTO membership VALUES ('admin', 'ann')",
        "DELETE FROM row_policy",
        "UPDATE dataset SET policy = '{}' WHERE table_name = 'curve'",
        "CREATE TRIGGER t AFTER INSERT ON run BEGIN INSERT INTO membership VALUES ('admin', 'ann'); END; \
         DELETE FROM access_grant WHERE grantee = 'ann'",
    ] {
        let finding = after_another_change(&audited, sql).await;
        assert!(matches!(finding.problem, Problem::RowTouched { .. }), "{sql}: {finding}");
    }
}

/// Columns that may change without a record: where a run is and when it ended, why an attempt before the
/// good one failed.
const FREE: [&str; 6] = ["run.id", "run.state", "run.finished_at", "run.end_order", "step.error", "step.error_code"];

#[tokio::test]
async fn every_column_of_every_covered_row_counts() {
    let audited = Audited::new(0).await;
    let mut n_checked = 0;
    for table in [
        "run",
        "step",
        "step_input",
        "step_operator",
        "dataset",
        "dataset_version",
        "dataset_column",
        "column_edge",
        "dataset_edge",
        "principal",
        "membership",
        "access_grant",
        "row_policy",
    ] {
        for (column, kind) in columns(&audited.path(), table).await {
            if FREE.contains(&format!("{table}.{column}").as_str()) {
                continue;
            }
            let changed = match kind.as_str() {
                "INTEGER" => format!("COALESCE({column}, 0) + 1000"),
                _ => format!("COALESCE({column}, '') || 'x'"),
            };
            let sql = format!(
                "PRAGMA ignore_check_constraints = on; \
                 UPDATE {table} SET {column} = {changed} WHERE {column} IS (SELECT {column} FROM {table} LIMIT 1)"
            );
            let finding = audited.after(&sql).await;
            let is_found = matches!(
                finding.problem,
                Problem::RowChanged { .. } | Problem::RowGone { .. } | Problem::RowUnrecorded { .. }
            );
            assert!(is_found, "{sql}: {finding}");
            n_checked += 1;
        }
    }
    assert!(n_checked > 60, "{n_checked}");
}

pub(crate) async fn columns(path: &Path, table: &str) -> Vec<(String, String)> {
    let mut database = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await.unwrap();
    let sql = "SELECT name, type FROM pragma_table_info($1)";
    sqlx::query_as(sql).bind(table).fetch_all(&mut database).await.unwrap()
}

#[tokio::test]
async fn rows_put_there_by_hand_are_named() {
    let audited = Audited::new(0).await;
    for sql in [
        "INSERT INTO step SELECT NULL, run_id, 9, 'forged', kind, sql, fingerprint, seed, state, attempt, rows_in, \
         rows_out, rows_quarantined, duration_ms, error_code, error, started_at, finished_at FROM step WHERE id = 1",
        "INSERT INTO dataset SELECT NULL, 'a', 'forged', kind, location, view_sql, policy, created_at, dropped_at \
         FROM dataset LIMIT 1",
    ] {
        let finding = audited.after(sql).await;
        assert!(matches!(finding.problem, Problem::RowUnrecorded { .. }), "{sql}: {finding}");
    }
}
