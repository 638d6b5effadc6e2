//! Models in a lake: where a prediction came from, whether it can be had again, who may ask, and what is certified.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use crate::product::{Product, repository};

const RISKS: &str = "CREATE OR REPLACE TABLE c.risks AS SELECT patient_id, predict('c.recurrence', age, tumour_size, \
                     positive_nodes, progesterone_receptor, oestrogen_receptor) AS risk FROM c.gbsg2";

/// A lake with a study, a model and what the model says of the study.
fn lake() -> Product {
    let lake = Product::init();
    let file = |name: &str| repository(&format!("tests/data/{name}")).display().to_string();
    lake.ok(&[
        "sql",
        "-c",
        &format!(
            "CREATE SCHEMA c; CREATE TABLE c.gbsg2 AS SELECT * FROM read_csv('{}'); \
             CREATE TABLE c.recurrence AS SELECT * FROM read_onnx('{}'); {RISKS}",
            file("clinical/gbsg2.csv"),
            file("models/recurrence.onnx")
        ),
    ]);
    lake
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// Replaces the model by one with another bias of its last layer.
fn replace_model(lake: &Product) {
    let file = lake.folder().join("other.onnx");
    let bytes = fs::read(repository("tests/data/models/recurrence.onnx")).unwrap();
    // The name of the constant is followed by its one number: a tag, a length, four bytes.
    let name = bytes.windows(4).rposition(|part| part == b"\x42\x02b1").unwrap();
    let mut other = bytes;
    other[name + 8] ^= 0x40;
    fs::write(&file, other).unwrap();
    let sql = format!("CREATE OR REPLACE TABLE c.recurrence AS SELECT * FROM read_onnx('{}')", file.display());
    lake.ok(&["sql", "-c", &sql]);
}

#[test]
fn a_prediction_has_the_model_and_the_features_among_its_origins() {
    let lake = lake();
    let found = lake.query(
        "SELECT source_dataset || '.' || source_column AS source, kind FROM lineage_upstream('c.risks.risk', depth => 1) \
         WHERE kind = 'TRANSFORMATION' ORDER BY 1",
    );
    let sources: Vec<&str> = found.iter().map(|row| row["source"].as_str().unwrap()).collect();
    assert_eq!(
        sources,
        [
            "c.gbsg2.age",
            "c.gbsg2.oestrogen_receptor",
            "c.gbsg2.positive_nodes",
            "c.gbsg2.progesterone_receptor",
            "c.gbsg2.tumour_size",
            "c.recurrence.onnx"
        ]
    );
    let files = lake.ok(&["lineage", "c.risks"]);
    assert!(files.contains("recurrence.onnx") && files.contains("gbsg2.csv"), "{files}");
    let read = lake.query("SELECT source_dataset FROM system.table_lineage WHERE dataset = 'c.risks' ORDER BY 1");
    assert_eq!(read.len(), 2, "{read:?}");
}

#[test]
fn a_new_model_explains_another_number_and_the_old_one_is_still_there() {
    let lake = lake();
    replace_model(&lake);
    lake.ok(&["sql", "-c", RISKS]);
    let differ = lake.run(&["diff", "c.risks@0", "c.risks@1"]);
    let text = String::from_utf8_lossy(&differ.stdout);
    assert_eq!(code(&differ), 1, "{text}");
    assert!(text.contains("c.recurrence") && !text.contains("c.gbsg2@1"), "{text}");
    for version in ["c.risks@0", "c.risks@1"] {
        let again: Value = serde_json::from_str(&lake.ok(&["reproduce", version, "--json"])).unwrap();
        assert_eq!(again["reproduced"], true, "{again}");
    }
    let changed = lake.query(
        "SELECT count(*) AS n FROM as_of('c.risks', version => 0) AS a JOIN c.risks AS b USING (patient_id) \
         WHERE a.risk <> b.risk",
    );
    assert_eq!(changed[0]["n"], 686);
}

#[test]
fn who_may_not_read_a_model_may_not_ask_it() {
    let lake = lake();
    lake.ok(&["sql", "-c", "CREATE USER ann; GRANT SELECT ON c.gbsg2 TO ann"]);
    let ask =
        || lake.run(&["sql", "--user", "ann", "-c", "SELECT predict('c.recurrence', age, 1, 1, 1, 1) FROM c.gbsg2"]);
    let (refused, unknown) =
        (ask(), lake.run(&["sql", "--user", "ann", "-c", "SELECT predict('c.recurrense', 1, 1, 1, 1, 1)"]));
    assert!(said(&refused).contains("CW0103") && said(&unknown).contains("CW0103"), "{}", said(&refused));
    lake.ok(&["sql", "-c", "GRANT SELECT (onnx) ON c.recurrence TO ann"]);
    assert_eq!(code(&ask()), 0, "{}", said(&ask()));
    lake.ok(&["audit", "verify"]);
}

#[test]
fn an_origin_is_certified_for_those_who_have_no_lake() {
    let lake = lake();
    // The second reads an older version than it adds to.
    lake.ok(&["sql", "-c", "INSERT INTO c.risks SELECT 'X-1', 0.5"]);
    lake.ok(&["sql", "-c", "INSERT INTO c.risks SELECT 'X-2', risk FROM as_of('c.risks', version => 0) LIMIT 1"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("origin.json");
    lake.ok(&["audit", "certify", "c.risks", "-o", file.to_str().unwrap()]);
    lake.ok(&["audit", "verify"]);
    let key = fs::read_to_string(lake.folder().join("audit.pub")).unwrap();
    let check = |more: &[&str]| {
        let args = ["audit", "verify", "--offline", file.to_str().unwrap(), "--first-key", key.trim()];
        lake.command(&[&args, more].concat()).current_dir(elsewhere.path()).output().unwrap()
    };
    let found: Value = serde_json::from_slice(&check(&["--json"]).stdout).unwrap();
    let origin = &found["origin"];
    assert_eq!((origin["table"].as_str(), origin["version"].as_i64()), (Some("c.risks"), Some(2)));
    assert_eq!((origin["files"].as_array().unwrap().len(), origin["steps"].as_array().unwrap().len()), (2, 5));
    let text = String::from_utf8(check(&[]).stdout).unwrap();
    assert!(text.contains("the certificate holds: c.risks@2 (688 rows)") && text.contains("c.recurrence@0"), "{text}");
    // Not a value of a row, and not a word of a statement.
    let document = fs::read_to_string(&file).unwrap();
    assert!(!document.contains("X-1") && !document.contains("SELECT"), "{document}");
    fs::write(&file, document.replacen("\"n_rows\":688", "\"n_rows\":686", 1)).unwrap();
    let refused = check(&[]);
    assert!(code(&refused) == 1 && said(&refused).contains("CW0710"), "{}", said(&refused));
}

#[test]
fn nothing_is_certified_that_the_log_does_not_hold() {
    let lake = lake();
    let of_run = lake.run(&["audit", "certify", "latest"]);
    assert!(code(&of_run) == 2 && said(&of_run).contains("about a version of a table"), "{}", said(&of_run));
    assert_ne!(code(&lake.run(&["audit", "certify", "c.nothing"])), 0);
    lake.ok(&["sql", "-c", "CREATE USER ann"]);
    assert!(said(&lake.run(&["audit", "certify", "c.risks", "--user", "ann"])).contains("CW0109"));
    let sql = "UPDATE step SET sql = 'SELECT 1' WHERE id = (SELECT max(id) FROM step)";
    let by_hand = Command::new("sqlite3").arg(lake.folder().join("catalog.sqlite")).arg(sql).status();
    assert!(by_hand.expect("sqlite3, which `make test` installs").success());
    let refused = lake.run(&["audit", "certify", "c.risks"]);
    assert!(code(&refused) == 1 && said(&refused).contains("CW0709"), "{}", said(&refused));
}
