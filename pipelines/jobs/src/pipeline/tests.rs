use std::fs;

use tempfile::TempDir;

use super::*;

/// Understands `CREATE TABLE a.b …`, `INSERT INTO a.b …`, `SELECT …`, and `FROM a.b` in each.
fn analyse(script: &str) -> Result<Vec<StatementInfo>, EngineError> {
    let code: Vec<&str> = script.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
    let statements = code.join("\n");
    let statements = statements.split(';').map(str::trim).filter(|statement| !statement.is_empty());
    Ok(statements.map(statement_info).collect())
}

fn statement_info(sql: &str) -> StatementInfo {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let after = |word: &str| -> Vec<TableName> {
        let pairs = words.windows(2).filter(|pair| pair[0] == word);
        pairs.filter_map(|pair| pair[1].split_once('.')).map(|(schema, table)| TableName::new(schema, table)).collect()
    };
    let (kind, writes) = match words[0] {
        "CREATE" => (StatementKind::CreateTable, after("TABLE")),
        "INSERT" => (StatementKind::Insert, after("INTO")),
        _ => (StatementKind::Query, Vec::new()),
    };
    StatementInfo {
        sql: sql.to_owned(),
        kind,
        reads: after("FROM"),
        writes,
        files: Vec::new(),
        parameters: BTreeSet::new(),
    }
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn load(dir: &TempDir, name: &str) -> Result<Pipeline> {
    Pipeline::load_with(&dir.path().join(name), &analyse)
}

fn names(pipeline: &Pipeline) -> Vec<&str> {
    pipeline.steps.iter().map(|step| step.name.as_str()).collect()
}

#[test]
fn steps_are_ordered_by_what_they_read_and_write() {
    let dir = folder(&[
        ("p/pipeline.toml", "name = \"p\"\nretries = 1"),
        ("p/a.sql", "-- retries: 3\nCREATE TABLE s.z AS SELECT * FROM s.y"),
        ("p/b.sql", "CREATE TABLE s.y AS SELECT * FROM s.x;"),
        ("p/notes.txt", "not a step"),
    ]);
    let pipeline = load(&dir, "p").unwrap();
    assert_eq!(names(&pipeline), ["b", "a"]);
    assert_eq!((pipeline.steps[1].after.as_slice(), pipeline.steps[1].retries), ([0].as_slice(), 3));
    assert_eq!(pipeline.steps[0].retries, 1);
}

#[test]
fn a_step_waits_for_what_its_checks_read() {
    let dir = folder(&[
        ("p/pipeline.toml", "name = \"p\""),
        ("p/a.sql", "-- check: SELECT true FROM s.y\nCREATE TABLE s.z AS SELECT 1"),
        ("p/b.sql", "CREATE TABLE s.y AS SELECT 1"),
    ]);
    assert_eq!(names(&load(&dir, "p").unwrap()), ["b", "a"]);
}

#[test]
fn included_steps_carry_the_name_and_folder_of_their_pipeline() {
    let dir = folder(&[
        ("night/pipeline.toml", "name = \"night\"\ninclude = [\"../lab\"]"),
        ("night/50_all.sql", "CREATE TABLE s.all AS SELECT * FROM s.one"),
        ("lab/pipeline.toml", "name = \"clinical\"\nretries = 2"),
        ("lab/10_one.sql", "CREATE TABLE s.one AS SELECT 1"),
    ]);
    let pipeline = load(&dir, "night").unwrap();
    assert_eq!(names(&pipeline), ["clinical/10_one", "50_all"]);
    assert_eq!(pipeline.steps[0].base_dir, dir.path().join("night/../lab"));
    assert_eq!(pipeline.steps[0].retries, 2);
}

#[test]
fn a_circle_of_includes_is_refused() {
    let dir = folder(&[
        ("a/pipeline.toml", "name = \"a\"\ninclude = [\"../b\"]"),
        ("b/pipeline.toml", "name = \"b\"\ninclude = [\"../a\"]"),
    ]);
    let error = load(&dir, "a").unwrap_err();
    assert_eq!(error.code(), "CW0604");
    assert!(error.to_string().contains("is included twice"), "{error}");
}

#[test]
fn a_step_of_two_statements_or_none_is_refused() {
    for (text, found) in [("SELECT 1; SELECT 2", "2 statements"), ("-- nothing\n", "0 statements")] {
        let dir = folder(&[("p/pipeline.toml", "name = \"p\""), ("p/a.sql", text)]);
        let message = load(&dir, "p").unwrap_err().to_string();
        assert!(message.contains("a.sql:1") && message.contains(found), "{message}");
    }
}

#[test]
fn a_check_must_be_a_query() {
    let dir = folder(&[
        ("p/pipeline.toml", "name = \"p\""),
        ("p/a.sql", "-- Loads.\n-- check: INSERT INTO s.x SELECT 1\nCREATE TABLE s.x AS SELECT 1"),
    ]);
    let message = load(&dir, "p").unwrap_err().to_string();
    assert!(message.contains("a.sql:2: a check is one query"), "{message}");
}

#[test]
fn a_folder_without_steps_and_an_odd_file_name_are_refused() {
    let dir =
        folder(&[("p/pipeline.toml", "name = \"p\""), ("q/pipeline.toml", "name = \"q\""), ("q/My Step.sql", "")]);
    assert!(load(&dir, "p").unwrap_err().to_string().contains("no step"));
    assert!(load(&dir, "q").unwrap_err().to_string().contains("the step's name `My Step` must be"));
    assert_eq!(load(&dir, "nowhere").unwrap_err().code(), "CW0607");
}

#[test]
fn the_digest_covers_manifest_steps_and_contracts() {
    let files = [
        ("p/pipeline.toml", "name = \"p\""),
        ("p/a.sql", "CREATE TABLE s.x AS SELECT 1"),
        ("p/contracts/x.toml", "a = 1"),
    ];
    let dir = folder(&files);
    let before = load(&dir, "p").unwrap().digest;
    assert_eq!(load(&dir, "p").unwrap().digest, before);
    for (name, text) in files {
        fs::write(dir.path().join(name), format!("{text}\n")).unwrap();
        assert_ne!(load(&dir, "p").unwrap().digest, before, "{name}");
        fs::write(dir.path().join(name), text).unwrap();
    }
}
