//! The audit log as an auditor meets it: through the command, across commands.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::product::Product;

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// A lake with a table and a user who may read one column of it.
fn lake() -> Product {
    let lake = Product::init();
    lake.ok(&[
        "sql",
        "-c",
        "CREATE SCHEMA a; CREATE TABLE a.t AS SELECT 1 AS n, 2 AS secret; CREATE USER ann; \
                            GRANT SELECT (n) ON a.t TO ann; CREATE USER eve; GRANT auditor TO eve",
    ]);
    lake
}

fn records(lake: &Product) -> Vec<Value> {
    let text = lake.ok(&["audit", "tail", "-n", "1000", "--json"]);
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn last(lake: &Product) -> Value {
    records(lake).pop().unwrap()
}

#[test]
fn every_statement_leaves_a_record_and_no_value() {
    let lake = lake();
    lake.ok(&["sql", "-c", "SELECT n FROM a.t WHERE n < 4711", "--user", "ann"]);
    let record = last(&lake);
    assert_eq!((record["action"].as_str(), record["actor"].as_str()), (Some("query"), Some("ann")));
    assert_eq!(record["objects"][1]["name"], "a.t");
    assert_eq!(record["objects"][1]["version"], 0);
    assert!(!record.to_string().contains("4711"), "{record}");
    lake.ok(&["sql", "-c", "INSERT INTO a.t VALUES (3, 4711)"]);
    let record = last(&lake);
    assert_eq!((record["action"].as_str(), record["outcome"]["state"].as_str()), (Some("change"), Some("succeeded")));
    assert!(!record.to_string().contains("4711"), "{record}");
    lake.ok(&["audit", "verify"]);
}

#[test]
fn what_is_turned_away_leaves_a_record_that_does_not_say_what_is_there() {
    let lake = lake();
    for (sql, refused) in [
        ("SELECT secret FROM a.nothing", "CW0103"),
        ("INSERT INTO a.t VALUES (1, 2)", "CW0109"),
        ("SELECT * FROM read_csv('x.csv')", "CW0109"),
        ("GRANT SELECT ON a.t TO ann", "CW0109"),
    ] {
        let output = lake.run(&["sql", "-c", sql, "--user", "ann"]);
        assert_ne!(code(&output), 0, "{sql}");
        let record = last(&lake);
        assert_eq!(record["action"], "refused_attempt", "{sql}: {record}");
        assert_eq!(
            (record["actor"].as_str(), record["outcome"]["code"].as_str()),
            (Some("ann"), Some(refused)),
            "{sql}"
        );
    }
    let key = lake.folder().join("audit.key");
    for (path, refused) in [(key.to_str().unwrap(), "CW0107"), ("/etc/passwd", "CW0502")] {
        lake.run(&["sql", "-c", &format!("SELECT * FROM read_csv('{path}')")]);
        assert_eq!(last(&lake)["outcome"]["code"], refused);
    }
    lake.ok(&["audit", "verify"]);
}

#[test]
fn a_release_beyond_the_budget_leaves_a_record() {
    let lake = lake();
    lake.ok(&["sql", "-c", "CALL set_privacy_budget('a.t', epsilon => 0.5)"]);
    let count = "SELECT * FROM dp_count((SELECT n FROM a.t), epsilon => 0.4)";
    lake.ok(&["sql", "-c", count]);
    let output = lake.run(&["sql", "-c", &count.replace("0.4", "0.3")]);
    assert_ne!(code(&output), 0);
    let record = last(&lake);
    assert_eq!(
        (record["action"].as_str(), record["outcome"]["code"].as_str()),
        (Some("refused_attempt"), Some("CW0412"))
    );
    assert_eq!(record["objects"][0]["name"], "dp_count", "{record}");
    lake.ok(&["audit", "verify"]);
}

#[test]
fn a_pipeline_is_recorded_with_its_steps() {
    let lake = Product::init();
    let folder = lake.folder().join("p");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("pipeline.toml"), "name = \"p\"\n").unwrap();
    fs::write(folder.join("t.sql"), "CREATE OR REPLACE TABLE p.t AS SELECT 1 AS n").unwrap();
    lake.ok(&["sql", "-c", "CREATE SCHEMA p"]);
    lake.ok(&["run", folder.to_str().unwrap()]);
    let words: Vec<String> = records(&lake)
        .iter()
        .skip(2)
        .map(|record| {
            format!("{} {}", record["action"].as_str().unwrap(), record["outcome"]["state"].as_str().unwrap())
        })
        .collect();
    assert_eq!(words, ["run started", "change succeeded", "run succeeded"]);
}

#[test]
fn a_catalog_that_was_set_back_is_found_out() {
    let lake = lake();
    let copy = lake.folder().join("copy");
    fs::create_dir(&copy).unwrap();
    let files = ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"];
    for file in files.iter().filter(|file| lake.folder().join(file).try_exists().unwrap()) {
        fs::copy(lake.folder().join(file), copy.join(file)).unwrap();
    }
    lake.ok(&["sql", "-c", "SELECT * FROM a.t"]);
    lake.ok(&["sql", "-c", "SELECT * FROM a.t"]);
    for file in files {
        fs::remove_file(lake.folder().join(file)).ok();
        fs::copy(copy.join(file), lake.folder().join(file)).ok();
    }
    let output = lake.run(&["audit", "verify"]);
    assert_eq!(code(&output), 1, "{}", said(&output));
    assert!(said(&output).contains("CW0708") && said(&output).contains("2 record(s) short"), "{}", said(&output));
}

#[test]
fn a_proof_holds_without_the_lake() {
    let lake = lake();
    let elsewhere = tempfile::tempdir().unwrap();
    let proof = elsewhere.path().join("proof.json");
    lake.ok(&["audit", "prove", "3", "-o", proof.to_str().unwrap()]);
    let key = fs::read_to_string(lake.folder().join("audit.pub")).unwrap();
    let check = |key: &str| {
        let args = ["audit", "verify", "--offline", proof.to_str().unwrap(), "--first-key", key];
        lake.command(&args).current_dir(elsewhere.path()).output().unwrap()
    };
    assert_eq!(code(&check(key.trim())), 0, "{}", said(&check(key.trim())));
    assert_eq!(code(&check(&"0".repeat(64))), 1);
    let text = fs::read_to_string(&proof).unwrap();
    fs::write(&proof, text.replacen("admin", "adman", 1)).unwrap();
    assert_eq!(code(&check(key.trim())), 1);
    assert_eq!(code(&lake.run(&["audit", "prove", "4000"])), 1);
}

#[test]
fn exported_records_are_checked_without_the_lake() {
    let lake = lake();
    let records = lake.folder().join("records.ndjson");
    lake.ok(&["audit", "export", "--records", records.to_str().unwrap()]);
    let found = lake.ok(&["audit", "verify", "--offline", records.to_str().unwrap()]);
    assert!(found.contains("the audit log holds"), "{found}");
    let text = fs::read_to_string(&records).unwrap();
    let kept: Vec<&str> = text.lines().enumerate().filter(|(number, _)| *number != 2).map(|(_, line)| line).collect();
    fs::write(&records, kept.join("\n")).unwrap();
    let output = lake.run(&["audit", "verify", "--offline", records.to_str().unwrap()]);
    assert_eq!(code(&output), 1);
    assert!(said(&output).contains("record 2"), "{}", said(&output));
}

#[test]
fn a_new_key_follows_from_the_old_one() {
    let lake = lake();
    let before = fs::read(lake.folder().join("audit.key")).unwrap();
    lake.ok(&["audit", "rotate-key"]);
    assert_ne!(fs::read(lake.folder().join("audit.key")).unwrap(), before);
    lake.ok(&["sql", "-c", "SELECT 1"]);
    lake.ok(&["audit", "rotate-key"]);
    lake.ok(&["audit", "verify"]);
    for record in ["0", "5"] {
        let proof = lake.folder().join("proof.json");
        lake.ok(&["audit", "prove", record, "-o", proof.to_str().unwrap()]);
        lake.ok(&["audit", "verify", "--offline", proof.to_str().unwrap()]);
    }
    fs::write(lake.folder().join("audit.key"), before).unwrap();
    fs::remove_file(lake.folder().join("audit.key")).unwrap();
    let output = lake.run(&["sql", "-c", "SELECT 1"]);
    assert_eq!(code(&output), 0);
    assert!(said(&output).contains("not signed"), "{}", said(&output));
}

#[test]
fn only_who_may_see_the_record_reads_the_log() {
    let lake = lake();
    for args in [&["audit", "tail"][..], &["audit", "verify"], &["audit", "prove", "0"]] {
        let refused = lake.run(&[args, &["--user", "ann"]].concat());
        assert_ne!(code(&refused), 0, "{}", said(&refused));
        assert_eq!(code(&lake.run(&[args, &["--user", "eve"]].concat())), 0);
    }
    let rows = lake.run(&["sql", "--user", "eve", "-c", "SELECT * FROM a.t"]);
    assert_ne!(code(&rows), 0);
}

#[cfg(unix)]
#[test]
fn the_key_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let lake = lake();
    let key = lake.folder().join("audit.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let output = lake.run(&["audit", "export"]);
    assert_eq!(code(&output), 1);
    assert!(said(&output).contains("CW0703") && said(&output).contains("chmod 600"), "{}", said(&output));
}

#[test]
fn a_log_that_is_gone_is_not_started_anew() {
    let lake = lake();
    let catalog = lake.folder().join("catalog.sqlite");
    for ending in ["", "-wal", "-shm"] {
        fs::remove_file(format!("{}{ending}", catalog.display())).ok();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    drop(runtime.block_on(causeway_store::SqliteCatalog::open(&catalog)).unwrap());
    let heads = fs::read(lake.folder().join("audit.heads")).unwrap();
    let statement = lake.run(&["sql", "-c", "SELECT 1"]);
    assert_eq!(code(&statement), 0);
    assert!(said(&statement).contains("no audit log"), "{}", said(&statement));
    let verified = lake.run(&["audit", "verify"]);
    assert_eq!(code(&verified), 1);
    assert!(said(&verified).contains("CW0708"), "{}", said(&verified));
    assert_eq!(code(&lake.run(&["audit", "start"])), 1);
    assert_eq!(fs::read(lake.folder().join("audit.heads")).unwrap(), heads);
}

#[test]
fn a_key_is_replaced_by_one_at_a_time() {
    let lake = lake();
    let rotations: Vec<_> = (0..3).map(|_| lake.start(&["audit", "rotate-key"])).collect();
    for mut rotation in rotations {
        assert!(rotation.wait().unwrap().success());
    }
    lake.ok(&["audit", "verify"]);
}

#[test]
fn heads_that_are_named_must_be_there() {
    let lake = lake();
    assert_ne!(code(&lake.run(&["audit", "verify", "--heads", "nosuch"])), 0);
}

#[test]
fn the_record_tells_a_user_no_number_and_no_name_that_is_hidden() {
    let lake = lake();
    lake.ok(&[
        "sql",
        "-c",
        "CREATE TABLE a.p AS SELECT value AS n FROM generate_series(1, 10); CREATE POLICY few ON a.p USING (n < 4); \
         CREATE SCHEMA s; GRANT CREATE ON SCHEMA s TO ann; GRANT SELECT ON a.p TO ann; \
         CREATE VIEW a.v AS SELECT n FROM a.t WHERE secret > 0; GRANT SELECT ON a.v TO ann",
    ]);
    lake.ok(&["sql", "--user", "ann", "-c", "CREATE TABLE s.t AS SELECT * FROM a.p"]);
    let steps = "SELECT rows_in, rows_out FROM system.steps WHERE kind = 'create_table' AND rows_out = 3";
    let as_ann = |sql: &str| lake.ok(&["sql", "--user", "ann", "--json", "-c", sql]);
    assert_eq!(as_ann(steps).trim(), r#"[{"rows_in":null,"rows_out":3}]"#);
    let views = as_ann("SELECT name, view_sql FROM system.datasets WHERE kind = 'view'");
    assert!(views.contains(r#""view_sql":null"#) && !views.contains("secret"), "{views}");
    assert!(lake.ok(&["sql", "-c", "SELECT view_sql FROM system.datasets WHERE kind = 'view'"]).contains("secret"));
}
