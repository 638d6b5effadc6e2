//! Whether anything a private release leaves behind lets its noise be computed: the whole lake with its catalog and audit
//! log, what the process logs at its most talkative, its metrics, and what the record tells of the release.

use std::path::Path;
use std::process::Command;

use crate::product::{Product, within};
use crate::serve::Serving;

/// Rows, and how many of them are in the part that is counted: numbers that stand nowhere by chance.
const ROWS: i64 = 731_113;
const COUNTED: i64 = ROWS / 3;

/// With so small an epsilon the noise has six digits, more or less.
const COUNT: &str =
    "CREATE TABLE mine.n AS SELECT estimate FROM dp_count((SELECT part FROM a.t WHERE part = 0), epsilon => 0.000001)";

/// Numbers from here on stand nowhere by chance. The noise is smaller once in a thousand runs; then the count is searched alone.
const TELLING: i64 = 1000;

/// Makes a lake with a table whose rows hold small numbers alone.
fn lake() -> Product {
    let lake = Product::init();
    lake.ok(&[
        "sql",
        "-c",
        &format!(
            "CREATE SCHEMA a; CREATE SCHEMA mine; \
             CREATE TABLE a.t AS SELECT value % 3 AS part FROM generate_series(1, {ROWS}); \
             ALTER TABLE a.t SET (protected = true); \
             CALL set_privacy_budget('a.t', epsilon => 4.0); \
             CREATE USER ann; GRANT RELEASE ON a.t TO ann; GRANT ALL ON SCHEMA mine TO ann; \
             GRANT EXECUTE ON OPERATOR dp_count TO ann"
        ),
    ]);
    lake
}

/// A number in all the ways in which it may stand in a file.
fn spellings(number: i64) -> Vec<Vec<u8>> {
    let float = number as f64;
    vec![
        number.to_string().into_bytes(),
        number.to_le_bytes().to_vec(),
        number.to_be_bytes().to_vec(),
        float.to_le_bytes().to_vec(),
        float.to_be_bytes().to_vec(),
        format!("{number:x}").into_bytes(),
    ]
}

/// Returns true if bytes hold a spelling that is not part of a longer number or digest.
fn holds(bytes: &[u8], spelling: &[u8]) -> bool {
    let is_text = spelling.iter().all(u8::is_ascii_alphanumeric);
    let is_edge = |byte: Option<&u8>| !is_text || byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    bytes.windows(spelling.len()).enumerate().any(|(at, window)| {
        window == spelling
            && is_edge(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && is_edge(bytes.get(at + spelling.len()))
    })
}

/// Everything that is left, by where it lies.
fn remains(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            remains(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

/// Runs the job in a process that says all it can, and returns what it said and its metrics.
fn serve_once(lake: &Product, sql: &str) -> (String, String) {
    lake.ok(&["--user", "ann", "submit", sql]);
    let mut command = lake.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("CAUSEWAY_LOG", "trace,sqlx=trace,datafusion=trace");
    let serving = Serving::run(command);
    within("the job is done", || serving.said().contains("job ended"));
    let (_, metrics) = serving.get("/metrics");
    (serving.said(), metrics)
}

/// The catalog in words: in its file, SQLite packs a number into as few bytes as it needs.
fn catalog_in_words(lake: &Product) -> Vec<u8> {
    let dump = Command::new("sqlite3").arg(lake.folder().join("catalog.sqlite")).arg(".dump").output();
    dump.expect("sqlite3, which `make test` installs").stdout
}

fn released(lake: &Product) -> f64 {
    lake.query("SELECT estimate FROM mine.n")[0]["estimate"].as_f64().unwrap()
}

#[test]
fn nothing_that_is_left_tells_the_noise() {
    let lake = lake();
    let (log, metrics) = serve_once(&lake, COUNT);
    assert!(metrics.contains("causeway_jobs"), "these are no metrics");
    let mut found = vec![("the log".to_owned(), log.into_bytes()), ("the metrics".to_owned(), metrics.into_bytes())];
    for (what, args) in [
        ("lineage", ["lineage", "mine.n", "--format", "json"].as_slice()),
        ("OpenLineage", &["lineage", "mine.n", "--format", "openlineage"]),
        ("audit", &["audit", "tail", "--json"]),
        ("operator runs", &["sql", "--format", "json", "-c", "SELECT * FROM system.operator_runs"]),
        ("charges", &["sql", "--format", "json", "-c", "SELECT * FROM system.privacy_charges"]),
        ("steps", &["sql", "--format", "json", "-c", "SELECT * FROM system.steps"]),
        ("budget", &["budget", "a.t", "--json"]),
    ] {
        found.push((what.to_owned(), lake.ok(args).into_bytes()));
    }
    let words = catalog_in_words(&lake);
    assert!(
        holds(&words, ROWS.to_string().as_bytes()),
        "the search is blind: the catalog knows how many rows there are"
    );
    found.push(("the catalog in words".to_owned(), words));
    let estimate = released(&lake);
    remains(&lake.folder(), &mut found);
    let control = estimate.to_le_bytes();
    assert!(
        found.iter().any(|(place, bytes)| place.contains("catalog") && holds(bytes, &control)),
        "the search is blind"
    );
    #[expect(clippy::cast_possible_truncation, reason = "a count with noise of some digits")]
    let noise = estimate as i64 - COUNTED;
    let numbers = [("the true count", COUNTED), ("the noise", noise), ("the noise", -noise)];
    for (what, number) in numbers.into_iter().filter(|(_, number)| number.abs() >= TELLING) {
        for (place, bytes) in &found {
            for spelling in spellings(number) {
                assert!(!holds(bytes, &spelling), "{what}, {number}, stands in {place}");
            }
        }
    }
    let counted = lake.query("SELECT count(*) AS n FROM a.t WHERE part = 0");
    assert_eq!(counted[0]["n"], COUNTED, "this is what was searched for");
}

#[test]
fn two_lakes_that_are_asked_the_same_answer_differently() {
    let answers: Vec<f64> = (0..2)
        .map(|_| {
            let lake = lake();
            lake.ok(&["--user", "ann", "sql", "-c", COUNT]);
            released(&lake)
        })
        .collect();
    assert!((answers[0] - answers[1]).abs() > 0.5, "{answers:?}");
}
