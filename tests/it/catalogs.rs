//! The same binary on SQLite and on Postgres: the same record, the same answers.

use causeway_cluster::Cluster;
use serde_json::Value;

use crate::product::{Product, repository};

/// What the record says, without what differs between any two runs.
const RECORD: [&str; 4] = [
    "SELECT schema, name, version, n_rows, n_files, n_columns, step FROM system.dataset_versions ORDER BY 1, 2, 3",
    "SELECT step, kind, state, attempt, rows_in, rows_out, rows_quarantined, inputs, outputs, fingerprint FROM system.steps ORDER BY ordinal, step",
    "SELECT * FROM system.columns ORDER BY schema, dataset, position",
    "SELECT depth, dataset, version, \"column\", source_dataset, source_version, source_column, kind, direct, masking, step FROM lineage_upstream('clinical.survival_by_sex')",
];

#[test]
fn a_pipeline_leaves_the_same_record_in_either_catalog() {
    let database = Cluster::shared().database();
    let lakes = [Product::init(), Product::init_on(database.url())];
    let recipe = repository("pipelines/recipes/clinical");
    let records: Vec<Vec<Vec<Value>>> = lakes
        .iter()
        .map(|lake| {
            lake.ok(&["run", recipe.to_str().unwrap()]);
            RECORD.iter().map(|sql| lake.query(sql)).collect()
        })
        .collect();
    for (sql, (embedded, server)) in RECORD.iter().zip(records[0].iter().zip(&records[1])) {
        assert!(!embedded.is_empty(), "{sql}");
        assert_eq!(embedded, server, "{sql}");
    }
    let again = lakes[1].ok(&["run", recipe.to_str().unwrap()]);
    assert!(again.contains("nothing to do"), "{again}");
    let compared = lakes[1].ok(&["diff", "clinical@-1", "clinical"]);
    assert!(compared.contains("nothing differs that a result depends on"), "{compared}");
    for lake in &lakes {
        let repeated = lake.ok(&["reproduce", "clinical", "--step", "30_survival_by_sex"]);
        assert!(repeated.contains("clinical.survival_by_sex@0: the same 208 rows"), "{repeated}");
    }
}

#[test]
fn a_user_sees_what_was_granted() {
    let lake = Product::init();
    for sql in [
        "CREATE SCHEMA clinical",
        "CREATE TABLE clinical.visits AS SELECT 1 AS site, 'P1' AS patient",
        "CREATE USER alice",
        "GRANT SELECT (site) ON clinical.visits TO alice",
    ] {
        lake.ok(&["sql", "-c", sql]);
    }
    assert_eq!(
        lake.ok(&["--user", "alice", "sql", "--format", "csv", "-c", "SELECT * FROM clinical.visits"]),
        "site\n1\n"
    );
    let refused = lake.run(&["--user", "alice", "sql", "-c", "SELECT patient FROM clinical.visits"]);
    assert!(!refused.status.success());
    let shown = String::from_utf8_lossy(&refused.stderr);
    assert!(shown.contains("CW0103") && !shown.contains("P1"), "{shown}");
    let nobody = lake.command(&["sql", "-c", "SELECT 1"]).env("CAUSEWAY_USER", "nobody").output().unwrap();
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("CW0109"));
}

#[test]
fn the_files_of_tables_and_catalog_are_closed() {
    let lake = Product::init();
    lake.ok(&["sql", "-c", "CREATE TABLE main.t AS SELECT 1 AS x"]);
    let log = lake.folder().join("lake/main/t/_delta_log/00000000000000000000.json");
    assert!(log.is_file());
    let before = std::fs::read(&log).unwrap();
    for sql in [
        format!("SELECT * FROM read_json('{}')", log.display()),
        format!("COPY (SELECT 1 AS x) TO '{}'", log.display()),
        format!("SELECT * FROM read_csv('{}')", lake.folder().join("catalog.sqlite").display()),
        format!("COPY (SELECT 1 AS x) TO '{}' STORED AS csv", lake.folder().join("catalog.sqlite-wal").display()),
    ] {
        let refused = lake.command(&["sql", "-c", &sql]).env("CAUSEWAY_PATHS_WRITE", lake.folder()).output().unwrap();
        let shown = String::from_utf8_lossy(&refused.stderr);
        assert!(shown.contains("CW0107"), "{sql}: {shown}");
    }
    assert_eq!(std::fs::read(&log).unwrap(), before);
    let beside = format!("COPY (SELECT 1 AS x) TO '{}'", lake.folder().join("lake.csv").display());
    let written = lake.command(&["sql", "-c", &beside]).env("CAUSEWAY_PATHS_WRITE", lake.folder()).output().unwrap();
    assert!(written.status.success(), "{written:?}");
}

#[test]
fn a_password_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let url = "postgres://ann:s3cret@127.0.0.1:1/lake";
    let made = std::process::Command::new(env!("CARGO_BIN_EXE_causeway"))
        .args(["init", folder.path().join("lake").to_str().unwrap(), "--catalog-url", url])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&made.stderr);
    assert!(!made.status.success() && shown.contains("CW04") && !shown.contains("s3cret"), "{shown}");
}
