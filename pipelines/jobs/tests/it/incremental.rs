//! Steps that follow their input give what a step that is made anew gives.

use std::collections::BTreeMap;
use std::sync::Arc;

use causeway_lake::Marker;
use causeway_model::{NewRun, NewStep, Parameters, RunId, RunKind, TableName};
use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::lab::Lab;

/// The steps by pairs: one that follows, one that is made anew from the same text.
const WAYS: [(&str, &str, &str); 4] = [
    ("rows", "append", "SELECT id, site, x * 2 AS double FROM main.visits WHERE x > 3"),
    ("named", "append", "SELECT v.id, s.name FROM main.visits AS v LEFT JOIN main.sites AS s ON s.site = v.site"),
    (
        "sums",
        "incremental(site)",
        "SELECT site, count(*) AS n, sum(x) AS x, max(id) AS last FROM main.visits GROUP BY site",
    ),
    ("pairs", "incremental(site)", "SELECT DISTINCT site, x FROM main.visits WHERE x < 6"),
];

async fn lab() -> Lab {
    let lab = Lab::new().await;
    lab.execute("CREATE TABLE main.visits (id BIGINT, site BIGINT, x BIGINT)").await;
    lab.execute("CREATE TABLE main.sites AS SELECT * FROM (VALUES (1, 'one'), (2, 'two')) AS v(site, name)").await;
    lab.write("pipeline.toml", "name = \"p\"\n");
    for (name, way, query) in WAYS {
        let follows = format!("-- materialize: {way}\nCREATE OR REPLACE TABLE main.{name} AS {query};\n");
        lab.write(&format!("{name}.sql"), &follows);
        lab.write(&format!("{name}_anew.sql"), &format!("CREATE OR REPLACE TABLE main.{name}_anew AS {query};\n"));
    }
    lab
}

/// Returns the rows of each way, sorted, followed and anew.
async fn compare(lab: &Lab, when: &str) {
    for (name, ..) in WAYS {
        let rows = async |table: &str| lab.query(&format!("SELECT * FROM main.{table} ORDER BY 1, 2")).await;
        assert_eq!(rows(name).await, rows(&format!("{name}_anew")).await, "{name} {when}");
    }
}

/// Says how each way's statement was recorded last.
async fn said(lab: &Lab, name: &str) -> String {
    let last = lab.catalog().last_success("p", name).await.unwrap().unwrap();
    if last.sql.contains("added('main.visits'") { "a range".to_owned() } else { "all".to_owned() }
}

async fn insert(lab: &Lab, id: i64, random: &mut StdRng) {
    let rows: Vec<String> = (0..random.random_range(1..4))
        .map(|row| {
            let site = random.random_range(0..4);
            let site = if site == 0 { "NULL".to_owned() } else { site.to_string() };
            format!("({}, {site}, {})", id * 10 + row, random.random_range(0..9))
        })
        .collect();
    lab.execute(&format!("INSERT INTO main.visits VALUES {}", rows.join(", "))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_sequence_of_appends_the_result_is_the_whole_one() {
    let lab = lab().await;
    let mut random = StdRng::seed_from_u64(20_261_124);
    for round in 0..12 {
        for append in 0..random.random_range(0..3) {
            insert(&lab, round * 10 + append, &mut random).await;
        }
        let summary = lab.run().await;
        assert!(summary.steps.iter().all(|step| step.error.is_none()), "round {round}: {:?}", summary.steps);
        compare(&lab, &format!("after round {round}")).await;
    }
    for (name, ..) in WAYS {
        assert_eq!(said(&lab, name).await, "a range", "{name} was followed at last");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_else_happens_the_result_is_made_anew() {
    let lab = lab().await;
    let mut random = StdRng::seed_from_u64(7);
    insert(&lab, 1, &mut random).await;
    lab.run().await;
    for (what, change, expected) in [
        ("rows were added", "INSERT INTO main.visits VALUES (100, 1, 5)", ["a range"; 4]),
        ("rows were changed", "UPDATE main.visits SET x = 8 WHERE id = 100", ["all"; 4]),
        ("rows were added again", "INSERT INTO main.visits VALUES (101, 2, 5)", ["a range"; 4]),
        ("rows were removed", "DELETE FROM main.visits WHERE id = 101", ["all"; 4]),
        (
            "the input was made anew",
            "CREATE OR REPLACE TABLE main.visits AS SELECT CAST(1 AS BIGINT) AS id, CAST(1 AS BIGINT) AS site, CAST(4 AS BIGINT) AS x",
            ["all"; 4],
        ),
        ("and then added to", "INSERT INTO main.visits VALUES (102, 2, 5)", ["a range"; 4]),
        (
            "another input has changed",
            "INSERT INTO main.sites VALUES (3, 'three')",
            ["a range", "all", "a range", "a range"],
        ),
    ] {
        lab.execute(change).await;
        lab.run().await;
        compare(&lab, what).await;
        for ((name, ..), expected) in WAYS.iter().zip(expected) {
            assert_eq!(said(&lab, name).await, expected, "{name} after {what}");
        }
    }
    lab.execute("DELETE FROM main.sums WHERE site = 1").await;
    lab.execute("INSERT INTO main.visits VALUES (103, 2, 5)").await;
    lab.run().await;
    compare(&lab, "somebody has written the result").await;
    assert_eq!((said(&lab, "sums").await, said(&lab, "rows").await), ("all".to_owned(), "a range".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_change_nothing_is_done() {
    let lab = lab().await;
    let mut random = StdRng::seed_from_u64(1);
    insert(&lab, 1, &mut random).await;
    lab.run().await;
    insert(&lab, 2, &mut random).await;
    lab.run().await;
    assert!(lab.run().await.nothing_to_do, "a range that was done is up to date");
    lab.write("rows.sql", "-- materialize: append\nCREATE OR REPLACE TABLE main.rows AS SELECT id, site, x * 3 AS double FROM main.visits;\n");
    insert(&lab, 3, &mut random).await;
    lab.run().await;
    assert_eq!((said(&lab, "rows").await, said(&lab, "named").await), ("all".to_owned(), "a range".to_owned()));
}

/// Leaves what a process leaves that is killed after its step has added row 2 and before that is recorded.
async fn killed_after_its_commit(lab: &Lab, follows: &str) -> RunId {
    let pipeline = lab.load();
    let new = NewRun {
        id: RunId("fffffff0-0000-7000-8000-000000000000".to_owned()),
        kind: RunKind::Pipeline,
        pipeline: Some("p".to_owned()),
        pipeline_digest: Some(pipeline.digest().to_owned()),
        engine_version: "test".to_owned(),
        actor: "admin".to_owned(),
        parameters: Parameters::default(),
    };
    lab.catalog().begin_run(&new).await.unwrap();
    let visits = lab.catalog().dataset(&TableName::new("main", "visits")).await.unwrap().unwrap();
    let versions = lab.catalog().versions(Some(visits.id)).await.unwrap();
    let until = versions.iter().map(|version| version.version).max().unwrap();
    let inputs = versions.iter().filter(|version| version.version >= until - 1).map(|version| version.id).collect();
    let sql = lab.engine.growing(follows, None).unwrap().since(until - 1, until, &BTreeMap::new()).unwrap();
    let step = NewStep {
        run: new.id.clone(),
        ordinal: 0,
        name: "1_rows".to_owned(),
        kind: "insert".to_owned(),
        sql,
        fingerprint: "f".to_owned(),
        seed: 0,
        inputs,
        lease: None,
    };
    lab.catalog().begin_step(&step).await.unwrap();
    let marker = Marker(format!("causeway/{}/1_rows", new.id));
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![2]));
    let rows = RecordBatch::try_from_iter([("id", ids)]).unwrap();
    let stream = RecordBatchStreamAdapter::new(rows.schema(), futures::stream::iter([Ok(rows)]));
    let target = lab.catalog().dataset(&TableName::new("main", "rows")).await.unwrap().unwrap();
    lab.engine.lake().append(&target.location, vec![Box::pin(stream)], &marker).await.unwrap();
    new.id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attempt_that_was_killed_is_gone_on_with_in_its_range() {
    let follows = "CREATE OR REPLACE TABLE main.rows AS SELECT id FROM main.visits";
    for changed in [false, true] {
        let lab = Lab::new().await;
        lab.execute("CREATE TABLE main.visits (id BIGINT)").await;
        lab.execute("INSERT INTO main.visits VALUES (1)").await;
        lab.pipeline(&[("1_rows", &format!("-- materialize: append\n{follows};\n"))]);
        lab.run().await;
        lab.execute("INSERT INTO main.visits VALUES (2)").await;
        let killed = killed_after_its_commit(&lab, follows).await;
        lab.execute("INSERT INTO main.visits VALUES (3)").await;
        if changed {
            lab.write("2_more.sql", "CREATE OR REPLACE TABLE main.z AS SELECT 1 AS x;\n");
        }
        let next = lab.run().await;
        assert_eq!((next.run == killed, next.resumed), (!changed, !changed));
        lab.run().await;
        assert_eq!(lab.query("SELECT id FROM main.rows ORDER BY id").await, "1\n2\n3", "each row once");
        let last = lab.catalog().last_success("p", "1_rows").await.unwrap().unwrap();
        assert!(last.sql.contains("since => 2, until => 3"), "{}", last.sql);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_reads_a_part_has_the_part_made_anew() {
    let lab = Lab::new().await;
    for sql in [
        "CREATE TABLE main.visits (id BIGINT)",
        "INSERT INTO main.visits VALUES (1), (-1)",
        "CREATE USER alice",
        "GRANT SELECT, CREATE ON SCHEMA main TO alice",
        "CREATE POLICY some ON main.visits TO alice USING (id > 0)",
    ] {
        lab.execute(sql).await;
    }
    lab.pipeline(&[(
        "rows",
        "-- materialize: append\nCREATE OR REPLACE TABLE main.rows AS SELECT id FROM main.visits;\n",
    )]);
    for _ in 0..2 {
        let hers = lab.runner().with_user(Some("alice".to_owned())).run(&lab.load()).await.unwrap();
        assert!(hers.steps[0].error.is_none(), "{:?}", hers.steps[0].error);
        lab.execute("INSERT INTO main.visits VALUES (2), (-2)").await;
    }
    assert_eq!(lab.query("SELECT id FROM main.rows ORDER BY id").await, "1\n2");
    assert_eq!(said(&lab, "rows").await, "all");
}

#[tokio::test]
async fn a_step_that_does_not_follow_is_refused_when_it_is_read() {
    let lab = Lab::new().await;
    lab.pipeline(&[(
        "a",
        "-- Counts.\n-- materialize: append\nCREATE OR REPLACE TABLE main.n AS SELECT count(*) AS n FROM main.v;\n",
    )]);
    let error = causeway_jobs::Pipeline::load(&lab.path("p"), &lab.engine).unwrap_err();
    assert!(
        error.to_string().contains("a.sql:2: ") && error.to_string().contains("each row comes from one row"),
        "{error}"
    );
    assert_eq!(error.code(), "CW0106");
}
