//! Lineage for people: pictures and events, why two runs differ, and whether a run can be repeated.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;

use crate::product::{Product, repository};

const FIRST: &str = "time,status,sex\n1,1,f\n2,0,f\n3,1,m\n4,1,m\n";
const LONGER: &str = "time,status,sex\n1,1,f\n2,0,f\n3,1,m\n4,1,m\n5,0,f\n";

/// A lake with a small pipeline in its folder: a load, a cleaned table, a curve, dice.
struct Study {
    lake: Product,
}

impl Study {
    fn new() -> Self {
        let study = Self { lake: Product::init() };
        std::fs::create_dir(study.folder()).unwrap();
        study.write("pipeline.toml", "name = \"study\"");
        study.write("../a.csv", FIRST);
        study.write("00_schema.sql", "CREATE SCHEMA IF NOT EXISTS c;");
        study.write("10_raw.sql", "COPY INTO c.raw FROM '../a.csv' WITH (mode => 'overwrite');");
        let clean =
            "CREATE OR REPLACE TABLE c.clean AS\nSELECT time, status = 1 AS event, sex\nFROM c.raw\nWHERE time > 0;";
        study.write("20_clean.sql", &format!("-- check: SELECT COUNT(*) > 2 FROM c.clean\n{clean}"));
        study.write(
            "30_curve.sql",
            "CREATE OR REPLACE TABLE c.curve AS SELECT * FROM kaplan_meier(c.clean, by => 'sex');",
        );
        study.write("40_dice.sql", "CREATE OR REPLACE TABLE c.dice AS SELECT sex, random() AS r FROM c.clean;");
        study
    }

    /// The pipeline lies in the lake's folder, whose files may be read.
    fn folder(&self) -> PathBuf {
        self.lake.folder().join("study")
    }

    fn write(&self, file: &str, text: &str) {
        std::fs::write(self.folder().join(file), text).unwrap();
    }

    fn run(&self) {
        self.lake.ok(&["-q", "run", self.folder().to_str().unwrap()]);
    }

    fn reproduce(&self, run: &str) -> Output {
        self.lake.run(&["reproduce", run, "--pipeline", self.folder().to_str().unwrap(), "--json"])
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", said(output)))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn step<'a>(comparison: &'a Value, name: &str) -> &'a Value {
    let steps = comparison["steps"].as_array().unwrap();
    steps.iter().find(|step| step["step"] == name).unwrap_or_else(|| panic!("{name} in {comparison}"))
}

/// All files of a folder with their contents.
fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(contents(&path)),
            false => found.push((path.clone(), std::fs::read(&path).unwrap())),
        }
    }
    found.sort();
    found
}

#[test]
fn lineage_is_drawn_as_graph_and_picture() {
    let study = Study::new();
    study.run();
    let lake = &study.lake;
    let dot = lake.ok(&["lineage", "c.curve", "--columns", "--format", "dot"]);
    assert!(dot.starts_with("digraph lineage {") && dot.contains("<B>c.clean</B> @0"), "{dot}");
    assert!(dot.contains("label=\"AGGREGATION\"") && dot.contains("label=\"GROUP_BY\", style=dotted"), "{dot}");
    let picture = lake.folder().join("curve.svg");
    lake.ok(&["lineage", "c.curve@0", "--columns", "-o", picture.to_str().unwrap()]);
    let svg = std::fs::read_to_string(&picture).unwrap();
    assert!(svg.starts_with("<svg xmlns") && svg.ends_with("</svg>\n"), "{svg}");
    assert!(
        svg.contains("c.curve @0") && svg.contains("a.csv @0") && svg.contains("c.raw.time → c.clean.time: IDENTITY"),
        "{svg}"
    );
    let n_opened = svg.matches("<g ").count();
    assert_eq!((n_opened, svg.matches("</g>").count()), (4, 4), "four boxes: file, raw, clean, curve");
    let tables = lake.ok(&["lineage", "c.raw", "--downstream", "--format", "svg"]);
    assert!(tables.contains("c.dice @0") && tables.contains("step 40_dice"), "{tables}");
    assert_eq!(code(&lake.run(&["lineage", "c.curve", "--json", "--format", "svg"])), 2);
}

#[test]
fn lineage_says_which_columns_played_which_role() {
    let study = Study::new();
    study.run();
    let tree = study.lake.ok(&["lineage", "c.curve"]);
    assert!(tree.contains("operator kaplan_meier  by sex; event event; time time"), "{tree}");
    let roles = "SELECT options FROM system.operator_runs WHERE operator = 'kaplan_meier'";
    let options = study.lake.ok(&["sql", "--format", "csv", "-c", roles]);
    assert!(options.contains("\"\"event\"\":\"\"event\"\"") && options.contains("\"\"by\"\":\"\"sex\"\""), "{options}");
    let downstream = study.lake.ok(&["lineage", "c.clean", "--downstream", "--json"]);
    assert!(downstream.contains("\"roles\":{\"by\":\"sex\",\"event\":\"event\",\"time\":\"time\"}"), "{downstream}");
}

#[test]
fn odd_names_are_escaped() {
    let lake = Product::init();
    lake.ok(&["sql", "-q", "-c", "CREATE TABLE x AS SELECT 1 AS \"n&<m>\""]);
    let svg = lake.ok(&["lineage", "main.x", "--columns", "--format", "svg"]);
    assert!(svg.contains("n&amp;&lt;m&gt;") && !svg.contains("<m>"), "{svg}");
    let dot = lake.ok(&["lineage", "main.x", "--columns", "--format", "dot"]);
    assert!(dot.contains("n&amp;&lt;m&gt;") && !dot.contains("<m>"), "{dot}");
}

#[test]
fn lineage_is_told_as_openlineage_events_in_order() {
    let study = Study::new();
    study.run();
    let text = study.lake.ok(&["lineage", "c.curve", "--format", "openlineage"]);
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<String> = events
        .iter()
        .map(|event| format!("{} {}", event["eventType"].as_str().unwrap(), event["job"]["name"].as_str().unwrap()))
        .collect();
    let expected = [
        "START study",
        "START study.10_raw",
        "COMPLETE study.10_raw",
        "START study.20_clean",
        "COMPLETE study.20_clean",
        "START study.30_curve",
        "COMPLETE study.30_curve",
        "COMPLETE study",
    ];
    assert_eq!(told, expected);
    let outputs = &events[6]["outputs"][0]["facets"];
    assert!(outputs["columnLineage"]["fields"]["survival"].is_object(), "{outputs}");
}

#[test]
fn the_same_runs_do_not_differ_and_changes_are_told_from_what_follows() {
    let study = Study::new();
    study.run();
    study.run();
    let lake = &study.lake;
    let same = lake.run(&["diff", "study@-1", "study", "--json"]);
    assert_eq!((code(&same), json(&same)["same"].clone()), (0, Value::Bool(true)), "{}", said(&same));

    study.write("../a.csv", LONGER);
    study.write(
        "30_curve.sql",
        "CREATE OR REPLACE TABLE c.curve AS SELECT * FROM kaplan_meier(c.clean, by => 'sex', confidence => 0.9);",
    );
    study.run();
    let output = lake.run(&["diff", "study@-1", "study", "--json"]);
    assert_eq!(code(&output), 1);
    let comparison = json(&output);
    let verdict = |name: &str| step(&comparison, name)["verdict"].clone();
    assert_eq!(verdict("00_schema"), "same");
    assert_eq!(verdict("10_raw"), "cause");
    assert_eq!(step(&comparison, "10_raw")["causes"][0]["what"], "input file.a.csv");
    assert_eq!(verdict("20_clean"), "follows");
    assert_eq!(step(&comparison, "20_clean")["through"][0], "10_raw");
    assert_eq!(verdict("30_curve"), "cause");
    assert_eq!(step(&comparison, "30_curve")["causes"][1]["what"], "option confidence of kaplan_meier");
    assert!(step(&comparison, "30_curve")["sql"].as_str().unwrap().contains("+CREATE OR REPLACE TABLE c.curve"));
    assert_eq!(verdict("40_dice"), "follows");

    let shown = String::from_utf8(lake.run(&["diff", "c.clean@0", "c.clean@1"]).stdout).unwrap();
    assert!(shown.contains("input file.a.csv: sha256 ") && shown.contains("what only follows from it"), "{shown}");
    assert!(shown.contains("rows written: 4 → 5"), "{shown}");
}

#[test]
fn an_insert_depends_on_the_rows_it_adds_to() {
    let lake = Product::init();
    for statement in ["CREATE TABLE t AS SELECT 1 AS n", "INSERT INTO t SELECT 2 AS n", "INSERT INTO t SELECT 2 AS n"] {
        lake.ok(&["-q", "sql", "-c", statement]);
    }
    let output = lake.run(&["diff", "main.t@1", "main.t@2", "--json"]);
    let insert = step(&json(&output), "main.t").clone();
    assert_eq!(insert["causes"].as_array().unwrap().len(), 1, "{insert}");
    let kept = &insert["causes"][0];
    assert_eq!(kept["what"], "rows kept of main.t");
    assert!(kept["before"].as_str().unwrap().starts_with("@0") && kept["after"].as_str().unwrap().starts_with("@1"));
    assert_eq!(code(&output), 1);
}

#[test]
fn runs_are_named_by_id_prefix_pipeline_and_version() {
    let study = Study::new();
    study.run();
    let lake = &study.lake;
    let id = lake.query("SELECT run FROM system.runs")[0]["run"].as_str().unwrap().to_owned();
    for name in [id.as_str(), &id[..13], "latest", "study"] {
        assert_eq!(code(&lake.run(&["diff", name, "study"])), 0, "{name}");
    }
    for (wrong, message) in [
        ("stdy", "did you mean `study`?"),
        ("study@-7", "so there is no `study@-7`"),
        ("c.raw@9", "its newest version is 0"),
        ("c.rw", "did you mean `c.raw`?"),
        ("c.raw", "a run and a version of a table are not compared"),
        ("ffff", "there is no run `ffff`"),
    ] {
        let output = lake.run(&["diff", wrong, "study"]);
        assert_eq!(code(&output), 2, "{wrong}");
        assert!(said(&output).contains(message), "{wrong}: {}", said(&output));
    }
}

#[test]
fn a_run_is_repeated_and_the_lake_stays_as_it_was() {
    let study = Study::new();
    study.run();
    study.write("40_dice.sql", "CREATE OR REPLACE TABLE c.dice AS SELECT sex FROM c.clean;");
    study.run();
    let tables = study.lake.folder().join("lake");
    let (before, runs) = (contents(&tables), study.lake.query("SELECT * FROM system.runs"));
    let output = study.reproduce("latest");
    assert_eq!(code(&output), 0, "{}{}", said(&output), String::from_utf8_lossy(&output.stdout));
    let outcome = json(&output);
    // What was up to date is repeated where it was made.
    for name in ["10_raw", "20_clean", "20_clean check 1", "30_curve", "40_dice"] {
        assert_eq!(step(&outcome, name)["verdict"], "reproduced", "{name}: {outcome}");
    }
    assert_eq!(step(&outcome, "30_curve")["outputs"][0]["content"], "same");
    assert!(contents(&tables) == before, "the lake has changed");
    assert_eq!(study.lake.query("SELECT * FROM system.runs"), runs);
}

#[test]
fn what_cannot_be_repeated_says_why() {
    let study = Study::new();
    study.run();
    study.write("../a.csv", LONGER);
    let output = study.reproduce("study");
    assert_eq!(code(&output), 1);
    let outcome = json(&output);
    let raw = step(&outcome, "10_raw");
    assert_eq!(raw["verdict"], "impossible");
    assert!(raw["reason"].as_str().unwrap().starts_with("file `a.csv` has changed: sha256 "), "{raw}");
    let dice = step(&outcome, "40_dice");
    assert_eq!(dice["verdict"], "impossible");
    assert_eq!(dice["reason"], "not deterministic: random() gives another value each time");
    assert_eq!(dice["outputs"][0]["only_now"], 4);
    assert_eq!(dice["outputs"][0]["columns"], serde_json::json!(["r"]));
    assert_eq!(step(&outcome, "20_clean")["verdict"], "reproduced", "judged on what it had read");

    let elsewhere = study.lake.command(&["reproduce", "study", "--step", "10_raw"]).current_dir("/").output().unwrap();
    let shown = String::from_utf8_lossy(&elsewhere.stdout).into_owned();
    assert!(shown.contains("name the pipeline's folder with --pipeline DIR"), "{shown}");
    let unknown = study.lake.run(&["reproduce", "study", "--step", "20_clen"]);
    assert_eq!(code(&unknown), 2);
    assert!(said(&unknown).contains("did you mean `20_clean`?"), "{}", said(&unknown));
    let other = study.lake.run(&[
        "reproduce",
        "study",
        "--pipeline",
        repository("pipelines/recipes/clinical").to_str().unwrap(),
    ]);
    assert!(
        said(&other).contains("holds the pipeline `clinical`, but the run is of pipeline `study`"),
        "{}",
        said(&other)
    );
    assert_eq!(code(&study.lake.run(&["--user", "eve", "reproduce", "study"])), 2);
}

#[test]
fn changes_of_a_table_are_repeated_on_what_was_there_before() {
    let lake = Product::init();
    let statements = [
        "CREATE SCHEMA d",
        "CREATE TABLE d.t AS SELECT value AS n, value % 3 AS k, value * 0.1 AS x FROM generate_series(1, 50)",
        "INSERT INTO d.t SELECT n + 100, k, x FROM d.t",
        "UPDATE d.t SET k = 9 WHERE n > 120",
        "DELETE FROM d.t WHERE n = 2",
        "MERGE INTO d.t USING (SELECT 3 AS n, 7 AS k) s ON d.t.n = s.n WHEN MATCHED THEN UPDATE SET k = s.k",
        "CREATE VIEW d.v AS SELECT k, sum(x) AS x FROM d.t GROUP BY k",
        "CREATE TABLE d.w AS SELECT * FROM d.v",
        "CREATE OR REPLACE VIEW d.v AS SELECT 1 AS n",
        "CREATE OR REPLACE TABLE d.t AS SELECT a.n FROM d.t a JOIN as_of('d.t', version => 1) b ON a.n = b.n",
        "DROP TABLE d.w",
    ];
    for statement in statements {
        lake.ok(&["-q", "sql", "-c", statement]);
    }
    // An instant of the past: the scratch catalog is younger.
    let instant = lake.query("SELECT max(committed_at) AS at FROM system.dataset_versions")[0]["at"].clone();
    let instant = instant.as_str().unwrap().trim_end_matches('Z').to_owned() + "Z";
    lake.ok(&["-q", "sql", "-c", "CREATE OR REPLACE TABLE d.t AS SELECT 1 AS other"]);
    lake.ok(&["-q", "sql", "-c", &format!("CREATE TABLE d.z AS SELECT * FROM as_of('d.t', timestamp => '{instant}')")]);
    for version in ["d.t@0", "d.t@1", "d.t@2", "d.t@3", "d.t@4", "d.t@5", "d.v@0", "d.v@1", "d.w@0", "d.z@0"] {
        let output = lake.run(&["reproduce", version, "--json"]);
        assert_eq!(code(&output), 0, "{version}: {}{}", said(&output), String::from_utf8_lossy(&output.stdout));
        assert_eq!(json(&output)["steps"][0]["verdict"], "reproduced", "{version}");
    }
}

#[test]
fn what_a_user_with_few_rights_made_is_not_repeated_with_all() {
    let lake = Product::init();
    for statement in [
        "CREATE SCHEMA s; CREATE TABLE s.t AS SELECT 1 AS n",
        "CREATE SCHEMA own; CREATE USER eve; GRANT SELECT ON s.t TO eve; GRANT CREATE ON SCHEMA own TO eve",
    ] {
        for statement in statement.split("; ") {
            lake.ok(&["-q", "sql", "-c", statement]);
        }
    }
    lake.ok(&["-q", "--user", "eve", "sql", "-c", "CREATE TABLE own.t AS SELECT * FROM s.t"]);
    let output = lake.run(&["reproduce", "own.t@0", "--json"]);
    assert_eq!(code(&output), 1);
    let reason = json(&output)["steps"][0]["reason"].clone();
    assert_eq!(reason, "it ran with the rights of `eve`, which may have narrowed what it read");
}
