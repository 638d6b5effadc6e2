//! Pipelines of the built binary: what a second run does, and what it leaves alone.

use crate::product::{Product, repository};

fn pipeline(product: &Product, steps: &[(&str, &str)]) -> String {
    let folder = product.folder().join("pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(repository("tests/data/clinical/larynx.csv"), folder.join("larynx.csv")).unwrap();
    std::fs::write(folder.join("pipeline.toml"), "name = \"again\"\n").unwrap();
    for (name, sql) in steps {
        std::fs::write(folder.join(format!("{name}.sql")), format!("{sql};\n")).unwrap();
    }
    folder.to_str().unwrap().to_owned()
}

#[test]
fn a_second_run_appends_and_changes_nothing_twice() {
    let product = Product::init();
    let folder = pipeline(
        &product,
        &[
            ("10_load", "COPY INTO main.larynx FROM 'larynx.csv' WITH (mode => 'append')"),
            ("20_change", "UPDATE main.larynx SET age = age + 1"),
            ("30_keep", "CREATE TABLE IF NOT EXISTS main.kept AS SELECT 1 AS x"),
            ("40_add", "INSERT INTO main.kept SELECT 2 AS x"),
        ],
    );
    product.ok(&["run", &folder]);
    let sums =
        || product.query("SELECT count(*) AS n, sum(age) AS age, (SELECT sum(x) FROM main.kept) AS x FROM main.larynx");
    let first = sums();
    for _ in 0..2 {
        product.ok(&["run", &folder]);
        assert_eq!(sums(), first);
    }
}

#[test]
fn a_table_dropped_and_made_anew_is_so_in_every_run() {
    let product = Product::init();
    let steps = [("10_drop", "DROP TABLE IF EXISTS main.anew"), ("20_make", "CREATE TABLE main.anew AS SELECT 1 AS x")];
    let folder = pipeline(&product, &steps);
    for _ in 0..3 {
        product.ok(&["run", &folder]);
        assert_eq!(product.query("SELECT count(*) AS n FROM main.anew")[0]["n"], 1);
    }
}

#[test]
fn a_view_dropped_outside_comes_back() {
    let product = Product::init();
    let folder = pipeline(&product, &[("10_view", "CREATE OR REPLACE VIEW main.one AS SELECT 1 AS x")]);
    product.ok(&["run", &folder]);
    product.ok(&["sql", "-c", "DROP VIEW main.one"]);
    product.ok(&["run", &folder]);
    assert_eq!(product.query("SELECT x FROM main.one")[0]["x"], 1);
}

#[test]
fn an_export_is_whole_and_recorded() {
    let product = Product::init();
    let file = product.folder().join("exports/ages.csv");
    product.ok(&["sql", "-c", "CREATE TABLE main.t AS SELECT 7 AS age"]);
    product.ok(&["sql", "-c", &format!("COPY main.t TO '{}'", file.display())]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "age\n7\n");
    let made = product.query("SELECT source_dataset AS source FROM lineage_downstream('main.t') LIMIT 1");
    assert_eq!(made[0]["source"], "main.t");
}

#[test]
fn parallel_inserts_all_count() {
    let product = Product::init();
    product.ok(&["sql", "-c", "CREATE TABLE main.t AS SELECT 0 AS x"]);
    let children: Vec<_> =
        (1..=6).map(|x| product.start(&["sql", "-c", &format!("INSERT INTO main.t SELECT {x} AS x")])).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let rows = product.query("SELECT count(*) AS n, sum(x) AS x FROM main.t");
    assert_eq!((rows[0]["n"].as_i64(), rows[0]["x"].as_i64()), (Some(7), Some(21)));
    let versions = product
        .query("SELECT count(*) AS n, count(DISTINCT run) AS runs FROM system.dataset_versions WHERE name = 't'");
    assert_eq!((versions[0]["n"].as_i64(), versions[0]["runs"].as_i64()), (Some(7), Some(7)));
}

#[test]
fn no_value_of_a_row_is_printed_or_recorded_with_an_error() {
    let product = Product::init();
    product.ok(&["sql", "-c", "CREATE TABLE main.people AS SELECT 'Anna Secret' AS name, 2469134 AS number"]);
    for sql in [
        "CREATE TABLE main.x AS SELECT CAST(name AS BIGINT) AS n FROM people",
        "SELECT CAST(number AS DECIMAL(3, 1)) FROM people",
        "SELECT regexp_like('x', name || '(') FROM people",
    ] {
        let output = product.run(&["-vv", "sql", "-c", sql]);
        assert!(!output.status.success(), "{sql}");
        let text = String::from_utf8_lossy(&output.stderr);
        let message: String = text.lines().filter(|line| line.contains("error[")).collect();
        assert!(!message.contains("Secret") && !message.contains("2469134"), "{message}");
    }
    let recorded = product.query("SELECT error FROM system.steps WHERE error IS NOT NULL");
    assert!(recorded.iter().all(|row| !row.to_string().contains("Secret")), "{recorded:?}");
}
