//! The command line as a user or a script meets it: streams, formats, exit codes, messages.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::product::{Product, repository};

fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn data_go_to_standard_output_and_notes_to_standard_error() {
    let lake = Product::init();
    let output = lake.run(&["sql", "-c", "CREATE SCHEMA a; CREATE TABLE a.t AS SELECT 1 AS n; SELECT n FROM a.t"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), " n\n───\n 1\n", "{}", said(&output));
    assert!(said(&output).contains("a.t@0"), "{}", said(&output));
    let quiet = lake.run(&["-q", "sql", "-c", "CREATE TABLE a.u AS SELECT 1 AS n"]);
    assert_eq!((code(&quiet), said(&quiet).as_str()), (0, ""));
}

#[test]
fn every_format_is_written_and_a_file_appears_whole() {
    let lake = Product::init();
    let sql = "SELECT 1 AS n, NULL AS missing, 'a,b' AS text";
    assert_eq!(lake.ok(&["sql", "--format", "csv", "-c", sql]), "n,missing,text\n1,,\"a,b\"\n");
    let rows: Value = serde_json::from_str(&lake.ok(&["sql", "--json", sql])).unwrap();
    assert_eq!(rows, serde_json::json!([{"n": 1, "missing": null, "text": "a,b"}]));
    for (file, start) in [("a.parquet", &b"PAR1"[..]), ("a.arrow", &[0xff; 4]), ("a.csv", b"n,text")] {
        let path = lake.folder().join(file);
        lake.ok(&["sql", "-c", "SELECT 1 AS n, 'x' AS text", "-o", path.to_str().unwrap()]);
        assert!(std::fs::read(&path).unwrap().starts_with(start), "{file}");
    }
    let target = lake.folder().join("failed.csv");
    let failed =
        lake.run(&["sql", "-c", "SELECT CAST('x' || n AS INT) FROM (SELECT 1 AS n)", "-o", target.to_str().unwrap()]);
    assert_eq!(code(&failed), 1);
    let left = std::fs::read_dir(lake.folder()).unwrap().filter_map(Result::ok);
    assert!(left.into_iter().all(|entry| !entry.file_name().to_string_lossy().starts_with("failed")));
}

#[test]
fn errors_say_code_place_and_remedy_and_have_their_exit_code() {
    let lake = Product::init();
    let output = lake.run(&["sql", "-c", "SELECT 1;\nSELECT * FROM nowhere.t"]);
    assert_eq!(code(&output), 1);
    assert!(said(&output).starts_with("error[CW0103]: "), "{}", said(&output));
    assert!(said(&output).contains("2 | SELECT * FROM nowhere.t"), "{}", said(&output));
    assert_eq!(code(&lake.run(&["sql", "-c", "SELEC 1"])), 1);
    assert_eq!(code(&lake.run(&["sql", "--format", "xml"])), 2);
    assert_eq!(code(&lake.run(&["sql", "-c", "SELECT 1; SELECT 2", "--json"])), 2);
    assert_eq!(code(&lake.run(&["sql", "-c", "SELECT * FROM read_csv('/etc/passwd')"])), 4);
    let nowhere =
        Command::new(env!("CARGO_BIN_EXE_causeway")).args(["--config", "/nowhere", "doctor"]).output().unwrap();
    assert_eq!(code(&nowhere), 3);
    assert!(said(&nowhere).starts_with("error[CW0802]: "), "{}", said(&nowhere));
    assert!(lake.ok(&["explain", "103"]).starts_with("# CW0103: "));
}

#[test]
fn a_lake_is_not_made_twice_and_a_lost_catalog_is_not_replaced() {
    let lake = Product::init();
    let folder = lake.folder();
    let again = Command::new(env!("CARGO_BIN_EXE_causeway")).arg("init").arg(&folder).output().unwrap();
    assert_eq!(code(&again), 1);
    assert!(said(&again).contains("exists already; nothing was changed"), "{}", said(&again));
    std::fs::remove_file(folder.join("catalog.sqlite")).unwrap();
    let lost = lake.run(&["sql", "-c", "SELECT 1"]);
    assert_eq!(code(&lost), 3);
    assert!(said(&lost).contains("does not exist"), "{}", said(&lost));
    assert!(!folder.join("catalog.sqlite").try_exists().unwrap());
}

#[test]
fn the_doctor_finds_nothing_in_a_new_lake_and_something_in_a_broken_one() {
    let lake = Product::init();
    let checks: Value = serde_json::from_str(&lake.ok(&["doctor", "--json"])).unwrap();
    assert!(checks.as_array().unwrap().iter().all(|check| check["verdict"] != "fail"), "{checks}");
    // SQLite may have left pages beside the file, with which it would mend what is broken here.
    for beside in ["catalog.sqlite-wal", "catalog.sqlite-shm"] {
        if lake.folder().join(beside).try_exists().unwrap() {
            std::fs::remove_file(lake.folder().join(beside)).unwrap();
        }
    }
    std::fs::write(lake.folder().join("catalog.sqlite"), "this is no database, this is a text of some length").unwrap();
    let broken = lake.run(&["doctor"]);
    assert_eq!(code(&broken), 3, "{}", String::from_utf8_lossy(&broken.stdout));
}

#[test]
fn a_script_comes_from_standard_input_and_a_reader_may_leave() {
    let lake = Product::init();
    let mut child = lake
        .command(&["sql", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"SELECT value FROM generate_series(1, 3000000)").unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "value\n");
    let output = child.wait_with_output().unwrap();
    assert_eq!((code(&output), said(&output).as_str()), (0, ""));
}

#[test]
fn a_termination_signal_stops_a_query_at_once() {
    let lake = Product::init();
    let sql =
        "SELECT count(*) FROM generate_series(1, 100000) a JOIN generate_series(1, 1000000) b ON a.value < b.value";
    let mut child = lake.start(&["sql", "-c", sql]);
    std::thread::sleep(Duration::from_millis(1500));
    let started = Instant::now();
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn system_tables_and_operators_are_listed_for_programs() {
    let lake = Product::init();
    let operators: Value = serde_json::from_str(&lake.ok(&["ops", "--json"])).unwrap();
    assert!(operators.as_array().unwrap().iter().any(|operator| operator["name"] == "kaplan_meier"));
    let listed = lake.query("SELECT name FROM system.operators");
    assert_eq!(listed.len(), operators.as_array().unwrap().len());
    let one: Value = serde_json::from_str(&lake.ok(&["ops", "describe", "kaplan_meier", "--json"])).unwrap();
    assert_eq!(one["family"], "survival");
    let wrong = lake.run(&["ops", "describe", "kaplan_maier"]);
    assert_eq!(code(&wrong), 2);
    assert!(said(&wrong).contains("did you mean `kaplan_meier`?"), "{}", said(&wrong));
}

#[test]
fn lineage_is_drawn_from_a_table_to_its_source_and_back() {
    let lake = Product::init();
    lake.ok(&[
        "sql",
        "-q",
        "-c",
        "CREATE SCHEMA a; CREATE TABLE a.t AS SELECT 1 AS n, 2 AS k; CREATE TABLE a.u AS SELECT n + 1 AS m FROM a.t WHERE k > 0",
    ]);
    let tables = lake.ok(&["lineage", "a.u"]);
    assert!(tables.starts_with("a.u @0") && tables.contains("a.t @0"), "{tables}");
    let columns = lake.ok(&["lineage", "a.u", "--columns"]);
    assert!(columns.contains("a.t.n @0  TRANSFORMATION") && columns.contains("a.t.k @0  FILTER"), "{columns}");
    let down: Value = serde_json::from_str(&lake.ok(&["lineage", "a.t.n", "--downstream", "--json"])).unwrap();
    assert!(down.to_string().contains("\"column\":\"m\""), "{down}");
    let wrong = lake.run(&["lineage", "a.v"]);
    assert_eq!(code(&wrong), 1);
    assert!(said(&wrong).contains("did you mean"), "{}", said(&wrong));
}

#[test]
fn shells_and_manual_readers_are_served() {
    let causeway = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_causeway")).args(args).output().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let script = causeway(&["completions", shell]);
        assert!(String::from_utf8_lossy(&script.stdout).contains("lineage"), "{shell}");
    }
    let page = causeway(&["man"]);
    assert!(String::from_utf8_lossy(&page.stdout).contains("Exit codes"));
    assert_eq!(code(&causeway(&["version"])), 0);
    assert_eq!(code(&causeway(&["no-such-command"])), 2);
}

#[test]
fn a_network_is_drawn_from_a_query() {
    let lake = Product::init();
    let file = |name: &str| lake.folder().join(name).display().to_string();
    let edges = "SELECT 'Gata' || i AS source, 'Fog' || (i % 3) AS target, i - 5.5 AS weight, \
                 CASE WHEN i > 5 THEN '->' ELSE '--' END AS mark FROM generate_series(1, 10) AS s(i)";
    let svg = file("network.svg");
    lake.ok(&["plot", edges, "-o", &svg, "--top", "4", "--title", "A & B"]);
    let picture = std::fs::read_to_string(&svg).unwrap();
    assert!(picture.contains("A &amp; B") && picture.contains("the 4 strongest of 10 edges"), "{picture}");
    assert!(picture.contains("Gata10") && !picture.contains("Gata5"), "the strongest, whatever their sign");
    let png = file("network.png");
    lake.ok(&["plot", edges, "-o", &png]);
    assert!(std::fs::read(&png).unwrap().starts_with(b"\x89PNG"));
    for (query, output, said) in [
        ("SELECT 1 AS source", &svg, "no column `target`; it has source"),
        ("SELECT 'a' AS source, 'a' AS target", &svg, "there is no edge to draw"),
        ("SELECT 'a' AS source, 'b' AS target, 'x' AS weight", &svg, "`weight` is not a number"),
        ("CREATE SCHEMA a", &svg, "the rows of one query"),
        (edges, &file("network.pdf"), "must end in .svg or .png"),
    ] {
        let refused = lake.run(&["plot", query, "-o", output]);
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && error.contains(said), "{query}: {error}");
    }
    assert!(!lake.folder().join("network.pdf").try_exists().unwrap());
}

#[test]
fn estimates_and_curves_are_drawn_from_queries() {
    let lake = Product::init();
    let svg = lake.folder().join("picture.svg");
    let draw = |query: &str, options: &[&str]| {
        lake.ok(&[&["plot", query, "-o", svg.to_str().unwrap()], options].concat());
        std::fs::read_to_string(&svg).unwrap()
    };
    let estimates = "SELECT * FROM (VALUES ('a <b>', 2.5, 2.0, 3.0), ('c', 1.0, NULL, NULL), (NULL, 1.0, 0.0, 2.0)) \
                     AS v(term, estimate, conf_low, conf_high)";
    let forest = draw(estimates, &["--title", "effects", "--reference", "1"]);
    assert!(forest.contains("a &lt;b&gt;") && forest.contains("2.500 [2.000, 3.000]"), "{forest}");
    assert!(forest.contains("1.000") && !forest.contains("0.000, 2.000"), "a row without a term is left out");
    let lung = format!("read_csv('{}')", repository("tests/data/survival/lung.csv").display());
    let curve = draw(
        &format!("SELECT * FROM kaplan_meier((SELECT time, event, \"group\" AS sex FROM {lung}), by => 'sex')"),
        &[],
    );
    assert!(["sex 1", "sex 2", "survival", "time"].iter().all(|word| curve.contains(word)), "{curve}");
    assert_eq!(curve.matches("<polygon").count(), 2, "each curve has its band");
    for (query, options, said) in [
        ("SELECT 1 AS n", &[][..], "no columns to draw; it has n"),
        ("SELECT 'a' AS term, 'b' AS estimate", &[], "`estimate` is not a number"),
        ("SELECT 1 AS n", &["--kind", "curve"], "no column `time`"),
        ("SELECT 'a' AS term, 1.0 AS estimate WHERE false", &[], "there is no estimate to draw"),
    ] {
        let refused = lake.run(&[&["plot", query, "-o", svg.to_str().unwrap()], options].concat());
        let error = String::from_utf8_lossy(&refused.stderr);
        assert!(!refused.status.success() && error.contains(said), "{query}: {error}");
    }
}

#[test]
fn a_matrix_of_anndata_loads_as_three_tables() {
    let lake = Product::init();
    let packed = std::fs::File::open(repository("pipelines/cells/tests/data/csr.h5ad.gz")).unwrap();
    let mut file = std::fs::File::create(lake.folder().join("cells.h5ad")).unwrap();
    std::io::copy(&mut flate2::read::GzDecoder::new(packed), &mut file).unwrap();
    let path = lake.folder().join("cells.h5ad");
    let copy = |table: &str, options: &str| format!("COPY INTO a.{table} FROM '{}'{options};", path.display());
    lake.ok(&["sql", "-c", "CREATE SCHEMA a"]);
    lake.ok(&["sql", "-c", &copy("counts", "")]);
    lake.ok(&["sql", "-c", &copy("cells", " WITH (part => 'cells')")]);
    lake.ok(&["sql", "-c", &copy("scaled", " WITH (layer => 'scaled')")]);
    let expected = |name: &str| {
        let text = std::fs::read_to_string(repository(&format!("pipelines/cells/tests/data/{name}"))).unwrap();
        text.lines().count() - 1
    };
    for (table, file) in [("counts", "csr.values.csv"), ("cells", "csr.cells.csv"), ("scaled", "csr.scaled.values.csv")]
    {
        assert_eq!(lake.query(&format!("SELECT * FROM a.{table}")).len(), expected(file), "{table}");
    }
    let joined = lake.query("SELECT count(*) AS n FROM a.counts c JOIN a.cells o ON c.cell = o.cell");
    assert_eq!(joined[0]["n"], expected("csr.values.csv"));
}

#[test]
fn a_table_beside_a_matrix_that_links_to_a_closed_folder_is_not_read() {
    let lake = Product::init();
    let closed = tempfile::tempdir().unwrap();
    let from = repository("tests/data/matrices/market_v3");
    let folder = lake.folder().join("matrix");
    std::fs::create_dir_all(&folder).unwrap();
    for file in ["matrix.mtx.gz", "features.tsv.gz"] {
        std::fs::copy(from.join(file), folder.join(file)).unwrap();
    }
    std::fs::write(closed.path().join("barcodes.tsv.gz"), "secret").unwrap();
    std::os::unix::fs::symlink(closed.path().join("barcodes.tsv.gz"), folder.join("barcodes.tsv.gz")).unwrap();
    lake.ok(&["sql", "-c", "CREATE SCHEMA a"]);
    let copy = format!("COPY INTO a.counts FROM '{}'", folder.join("matrix.mtx.gz").display());
    let refused = lake.run(&["sql", "-c", &copy]);
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(error.contains("CW0502") && !error.contains("secret"), "{error}");
}
