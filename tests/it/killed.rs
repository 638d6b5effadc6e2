//! A pipeline killed at random moments ends in the same tables as one that was left alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::product::{Product, repository};

/// Kills in all, spread over the lakes.
const KILLS: usize = 30;
/// Kills of one pipeline before it is left to end.
const KILLS_PER_LAKE: usize = 3;

/// Steps of every kind that writes: load, create, insert, update, delete, merge, view.
const STEPS: &[(&str, &str)] = &[
    ("00_schema", "CREATE SCHEMA IF NOT EXISTS clinical"),
    ("10_lung", "COPY INTO clinical.lung FROM 'lung.csv' WITH (mode => 'append')"),
    (
        "20_patients",
        "CREATE OR REPLACE TABLE clinical.patients AS SELECT patient_id, age, sex, time, status = 1 AS event FROM clinical.lung",
    ),
    (
        "21_add",
        "INSERT INTO clinical.patients SELECT 'X' || patient_id, age, sex, time, status = 1 FROM clinical.lung WHERE sex = 2",
    ),
    ("22_change", "UPDATE clinical.patients SET time = time + 1 WHERE sex = 2"),
    ("23_remove", "DELETE FROM clinical.patients WHERE age > 75"),
    (
        "24_merge",
        "MERGE INTO clinical.patients AS t USING (SELECT * FROM clinical.lung) AS s ON t.patient_id = s.patient_id \
         WHEN MATCHED AND s.age < 50 THEN DELETE WHEN NOT MATCHED THEN INSERT (patient_id, age, sex, time, event) \
         VALUES (s.patient_id, s.age, s.sex, s.time, s.status = 1)",
    ),
    ("25_view", "CREATE OR REPLACE VIEW clinical.men AS SELECT * FROM clinical.patients WHERE sex = 1"),
    (
        "30_curve",
        "CREATE OR REPLACE TABLE clinical.curve AS SELECT * FROM kaplan_meier((SELECT time, event, sex FROM clinical.patients), by => 'sex')",
    ),
    (
        "31_test",
        "CREATE OR REPLACE TABLE clinical.test AS SELECT * FROM log_rank((SELECT time, event, sex FROM clinical.patients), by => 'sex')",
    ),
];

#[test]
fn a_killed_pipeline_ends_in_the_same_tables() {
    let untouched = Product::init();
    let pipeline = write_pipeline(&untouched);
    let started = Instant::now();
    untouched.ok(&["run", &pipeline]);
    let mut whole = started.elapsed();
    let expected = content(&untouched);
    let expected_lineage = lineage(&untouched);

    let seed = std::env::var("KILL_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_261_124);
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let mut interrupted = 0;
    for round in 0..KILLS / KILLS_PER_LAKE {
        let lake = Product::init();
        let pipeline = write_pipeline(&lake);
        for _ in 0..KILLS_PER_LAKE {
            let moment = whole.mul_f64(rng.random_range(0.02..0.9));
            let was_running = kill_after(&lake, &pipeline, moment);
            interrupted += usize::from(was_running);
            // What goes on is shorter than the whole, and the machine may have become less busy.
            whole = whole.mul_f64(if was_running { 1.0 } else { 0.8 });
        }
        lake.ok(&["run", &pipeline]);
        assert_eq!(content(&lake), expected, "round {round}, seed {seed}");
        assert_eq!(lineage(&lake), expected_lineage, "round {round}, seed {seed}");
        assert_one_version_per_step(&lake, round);
    }
    println!("killed: {interrupted} of {KILLS} runs were interrupted");
    assert!(interrupted * 2 > KILLS, "only {interrupted} of {KILLS} runs were interrupted; the test proves nothing");
}

/// Runs the pipeline and kills it; returns true if it had not ended by itself.
fn kill_after(lake: &Product, pipeline: &str, moment: Duration) -> bool {
    let mut child = lake.start(&["run", pipeline]);
    std::thread::sleep(moment);
    let running = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    running
}

fn write_pipeline(lake: &Product) -> String {
    let folder = lake.folder().join("pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(repository("tests/data/clinical/lung.csv"), folder.join("lung.csv")).unwrap();
    std::fs::write(folder.join("pipeline.toml"), "name = \"killed\"\n").unwrap();
    for (name, sql) in STEPS {
        std::fs::write(folder.join(format!("{name}.sql")), format!("{sql};\n")).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

/// Returns the rows of every table, sorted.
fn content(lake: &Product) -> BTreeMap<String, Vec<String>> {
    let tables =
        lake.query("SELECT schema || '.' || name AS name FROM system.datasets WHERE kind <> 'file' ORDER BY name");
    let mut content = BTreeMap::new();
    for table in tables {
        let name = table["name"].as_str().unwrap().to_owned();
        let mut rows: Vec<String> = lake.query(&format!("SELECT * FROM {name}")).iter().map(Value::to_string).collect();
        rows.sort();
        content.insert(name, rows);
    }
    content
}

/// Returns the lineage of the last table without the ids of runs.
fn lineage(lake: &Product) -> Vec<String> {
    let rows = lake.query("SELECT * FROM lineage_upstream('clinical.test')");
    let mut rows: Vec<String> = rows
        .into_iter()
        .map(|mut row| {
            row.as_object_mut().unwrap().remove("run");
            row.to_string()
        })
        .collect();
    rows.sort();
    rows
}

/// Every version that Delta holds is one that the catalog knows, and each was made by one step.
fn assert_one_version_per_step(lake: &Product, round: usize) {
    for (table, writers) in [("lung", 1), ("patients", 5), ("curve", 1), ("test", 1)] {
        let log = lake.folder().join("lake/clinical").join(table).join("_delta_log");
        assert_eq!(commits(&log), writers, "round {round}: commits of {table}");
        let known = lake.query(&format!(
            "SELECT count(*) AS versions, count(DISTINCT step) AS steps FROM system.dataset_versions WHERE schema = 'clinical' AND name = '{table}'"
        ));
        assert_eq!(
            (known[0]["versions"].as_u64(), known[0]["steps"].as_u64()),
            (Some(writers), Some(writers)),
            "round {round}: {table}"
        );
    }
}

fn commits(log: &Path) -> u64 {
    let entries =
        std::fs::read_dir(log).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    entries.filter(|name| name.len() == 25 && name.ends_with(".json")).count() as u64
}
