//! Tables that may be read through privacy mechanisms alone: what is refused, what is answered, what is paid.

use std::sync::{Arc, Mutex};

use arrow::array::{AsArray as _, RecordBatch};
use arrow::datatypes::Float64Type;
use causeway_engine::{Engine, Outcome, ProgressEvent, StatementContext};
use causeway_model::{Amount, ChargePage, ChargeState, TableName};
use futures::TryStreamExt as _;

use crate::denied::Lab;

const ATTACKS: &str = include_str!("veil/attacks.sql");
const LEGITIMATE: &str = include_str!("veil/legitimate.sql");

/// The statements of a fixture, each with the line above it.
fn statements(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split("\n\n").skip(1).map(|block| match block.trim().strip_prefix("-- ") {
        Some(rest) => rest.split_once('\n').unwrap(),
        None => ("", block.trim()),
    })
}

fn patients() -> TableName {
    TableName::new("clinical", "patients")
}

/// A hospital; `ann` may make private releases of its patients under a budget.
async fn hospital(epsilon: f64) -> Lab {
    let lab = Lab::empty().await;
    let patients = "SELECT value AS patient, value % 2 AS sex, value % 90 AS age, CAST(value % 1000 AS DOUBLE) AS days, \
                    value % 3 = 0 AS died, 'ward ' || (value % 5) AS ward FROM generate_series(1, 500)";
    for sql in [
        "CREATE SCHEMA clinical",
        "CREATE SCHEMA mine",
        &format!("CREATE TABLE clinical.patients AS {patients}"),
        "CREATE TABLE clinical.stays AS SELECT 1 AS stay",
        "CREATE TABLE clinical.secret AS SELECT 1 AS patient",
        "CREATE VIEW clinical.adults AS SELECT patient, age FROM clinical.patients WHERE age >= 18",
        "CREATE TABLE main.wards AS SELECT 'ward ' || value AS ward, value * 10 AS beds FROM generate_series(1, 4)",
        "CREATE TABLE mine.ages AS SELECT CAST(1 AS BIGINT) AS age",
        "ALTER TABLE clinical.patients SET (protected = true)",
        "CREATE USER ann",
        "GRANT RELEASE ON clinical.patients TO ann",
        "GRANT RELEASE ON clinical.adults TO ann",
        "GRANT RELEASE ON clinical.stays TO ann",
        "GRANT SELECT ON main.wards TO ann",
        "GRANT ALL ON SCHEMA mine TO ann",
        "GRANT CREATE, SELECT ON SCHEMA file TO ann",
        &format!("CALL set_privacy_budget('clinical.patients', epsilon => {epsilon}, unit => 'patient')"),
    ] {
        lab.run(sql, None).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    for operator in Engine::operators() {
        let grant = format!("GRANT EXECUTE ON OPERATOR {} TO ann", operator.spec().name);
        lab.run(&grant, None).await.unwrap();
    }
    lab
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attacks_are_refused_before_a_row_is_read() {
    let lab = hospital(4.0).await;
    let mut wrong = Vec::new();
    let mut n_attacks = 0;
    for (expected, sql) in statements(ATTACKS) {
        n_attacks += 1;
        let refusal = lab.refused(sql, "ann").await;
        if !refusal.contains(expected) {
            wrong.push(format!("{sql}\n  expected: {expected}\n  refusal: {refusal}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(n_attacks >= 60, "{n_attacks}");
    let account = lab.engine.catalog().budget(&patients()).await.unwrap().unwrap();
    assert_eq!(account.spent, Amount::default(), "a refusal costs nothing");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn releases_are_answered_and_what_is_released_is_free() {
    let lab = hospital(10.0).await;
    let mut wrong = Vec::new();
    let mut n_statements = 0;
    for (_, sql) in statements(LEGITIMATE) {
        n_statements += 1;
        if let Err(error) = lab.run(sql, Some("ann")).await {
            wrong.push(format!("{sql}\n  {error} {:?}", error.hint()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(n_statements >= 40, "{n_statements}");
}

/// The first rows that a query yields to `ann`.
async fn rows(lab: &Lab, sql: &str) -> RecordBatch {
    let context = StatementContext { user: Some("ann".to_owned()), ..StatementContext::default() };
    let Outcome::Rows(rows) = lab.engine.execute(sql, &context).await.unwrap() else { panic!("{sql}") };
    let batches: Vec<RecordBatch> = rows.stream.try_collect().await.unwrap();
    batches.into_iter().find(|batch| batch.num_rows() > 0).unwrap()
}

/// One number that a query yields.
async fn number(lab: &Lab, sql: &str) -> f64 {
    rows(lab, sql).await.column(0).as_primitive::<Float64Type>().value(0)
}

fn count_of(condition: &str) -> String {
    format!(
        "SELECT estimate FROM dp_count((SELECT patient FROM clinical.patients WHERE {condition}), epsilon => 0.4, unit => 'patient')"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_is_paid_once_and_answered_the_same() {
    let lab = hospital(1.0).await;
    let first = number(&lab, &count_of("age > 60")).await;
    for _ in 0..5 {
        assert!((number(&lab, &count_of("age > 60")).await - first).abs() <= 0.0, "it is the same release");
    }
    number(&lab, &count_of("age > 61")).await;
    let refusal = lab.refused(&count_of("age > 62"), "ann").await;
    assert!(refusal.contains("asks for epsilon 0.4") && refusal.contains("epsilon 0.2 left"), "{refusal}");
    let account = lab.engine.catalog().budget(&patients()).await.unwrap().unwrap();
    assert_eq!(account.spent, Amount::pure(800_000));
    let charges = lab.engine.catalog().charges(&ChargePage::newest(9)).await.unwrap();
    assert_eq!(charges.len(), 2);
    assert!(charges.iter().all(|charge| charge.state == ChargeState::Released && charge.spec.actor == "ann"));
    lab.run("INSERT INTO clinical.patients SELECT 501, 1, 70, 1.0, true, 'ward 1'", None).await.unwrap();
    lab.refused(&count_of("age > 60"), "ann").await;
}

/// Eighty thousand rows of noise take more than the catalog stores.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_release_is_kept_and_shown_again() {
    let lab = hospital(1.0).await;
    let rows = "SELECT value % 7 - 3.0 AS y, value % 3 - 1.0 AS x FROM generate_series(1, 80000)";
    lab.run(&format!("CREATE TABLE main.public AS {rows}"), None).await.unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let ask = |told: Arc<Mutex<Vec<String>>>| {
        let progress = move |event: ProgressEvent| told.lock().unwrap().extend(event.note());
        let context = StatementContext { progress: Arc::new(progress), ..StatementContext::default() };
        let engine = lab.engine.clone();
        async move {
            let sql = "SELECT * FROM ldp_encode(main.public, outcome => 'y', covariates => ARRAY['x'], epsilon => 1.0)";
            let Outcome::Rows(rows) = engine.execute(sql, &context).await.unwrap() else { panic!("no rows") };
            rows.stream.try_collect::<Vec<RecordBatch>>().await.unwrap()
        }
    };
    let first = ask(Arc::clone(&told)).await;
    assert!(told.lock().unwrap().is_empty());
    let again = ask(Arc::clone(&told)).await;
    assert_eq!(first, again, "byte for byte");
    assert_eq!(first.iter().map(RecordBatch::num_rows).sum::<usize>(), 80_000);
    let notes = told.lock().unwrap().clone();
    assert!(notes.len() == 1 && notes[0].contains("seconds ago is shown again, at no cost (charge 1)"), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_has_the_budget_of_what_it_was_made_from() {
    let lab = hospital(0.5).await;
    lab.run("CREATE TABLE clinical.copy AS SELECT patient, age FROM clinical.patients", None).await.unwrap();
    lab.run("GRANT RELEASE ON clinical.copy TO ann", None).await.unwrap();
    number(&lab, &count_of("age > 60")).await;
    let refusal = lab.refused(&count_of("age > 60").replace("clinical.patients", "clinical.copy"), "ann").await;
    assert!(refusal.contains("privacy budget of `clinical.patients`"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_veiled_table_holds_is_not_told_by_the_record() {
    let lab = hospital(4.0).await;
    for relation in ["datasets", "dataset_versions"] {
        let sql = format!("SELECT name FROM system.{relation} WHERE schema = 'clinical' AND name = 'patients'");
        assert_eq!(lab.run(&sql, Some("ann")).await.unwrap(), 0, "{relation} tells how many rows there are");
    }
    lab.run(
        "CREATE TABLE mine.n AS SELECT estimate FROM dp_count(clinical.patients, epsilon => 0.1, unit => 'patient')",
        Some("ann"),
    )
    .await
    .unwrap();
    let told = lab.run("SELECT rows_in FROM system.steps WHERE rows_in IS NOT NULL", Some("ann")).await.unwrap();
    assert_eq!(told, 0, "a step does not tell how many rows it has read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn explain_tells_the_cost_and_what_is_left_and_names_no_unknown_table() {
    let lab = hospital(4.0).await;
    for sql in [
        "CREATE TABLE clinical.derived AS SELECT patient, 1 AS n FROM clinical.secret",
        "GRANT RELEASE ON clinical.derived TO ann",
        "CALL set_privacy_budget('clinical.derived', epsilon => 1.0)",
    ] {
        lab.run(sql, None).await.unwrap();
    }
    let told =
        rows(&lab, "EXPLAIN SELECT * FROM dp_count((SELECT patient FROM clinical.derived), epsilon => 0.1)").await;
    let lines: Vec<&str> = told.column(1).as_string::<i32>().iter().flatten().collect();
    assert!(lines[0].contains("costs epsilon 0.1"), "{lines:?}");
    assert_eq!(lines[1..], ["clinical.derived has epsilon 1 left"]);
    let account = lab.engine.catalog().budget(&TableName::new("clinical", "derived")).await.unwrap().unwrap();
    assert_eq!(account.spent, Amount::default(), "to ask what it costs costs nothing");
}
