//! Catalogs of every earlier schema, with data in them, under this binary; and a newer one.
//!
//! An old catalog is made from the same migrations, as far as they went then, and filled with what a
//! catalog of today holds of those tables and columns.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use causeway_cluster::{Cluster, Database};
use serde_json::Value;

use super::rounds;
use crate::product::{Product, repository};

/// What an old catalog knows and a migration must not lose.
const RECORD: [&str; 4] = [
    "SELECT schema, name, version, n_rows, n_files, n_columns, step FROM system.dataset_versions ORDER BY 1, 2, 3",
    "SELECT step, kind, state, attempt, rows_out, inputs, outputs, fingerprint FROM system.steps ORDER BY run, ordinal",
    "SELECT \"column\", source_dataset, source_column FROM lineage_upstream('a.third') ORDER BY depth, 1, 2, 3",
    "SELECT * FROM a.second ORDER BY n",
];

/// The schema that brought the audit log.
const AUDITED: usize = 3;

#[test]
fn old_catalogs_on_sqlite_are_brought_up_to_date_and_run_jobs() {
    let lake = filled(Product::init());
    let head = lake.folder().join("catalog.sqlite");
    let untouched = keep(&lake);
    let record = read(&lake, None);
    for schema in old_schemas() {
        restore(&lake, &untouched, schema);
        let old = lake.folder().join("old.sqlite");
        make_old_sqlite(&head, &old, schema);
        std::fs::rename(old, &head).unwrap();
        runs_on(&lake, None, &record, schema);
    }
    sqlite(&head, "INSERT INTO schema_migration VALUES (9999, 'future', '2099-01-01T00:00:00.000Z')");
    is_refused(&lake, None);
    println!("faults: {} old catalogs and a newer one on SQLite", old_schemas().len());
}

#[test]
fn old_catalogs_on_postgres_are_brought_up_to_date_and_run_jobs() {
    let cluster = Cluster::shared();
    let head = cluster.database();
    let lake = filled(Product::init_on(head.url()));
    let untouched = keep(&lake);
    let record = read(&lake, None);
    for schema in old_schemas() {
        restore(&lake, &untouched, schema);
        let name = format!("{}_{schema}", head.name());
        cluster.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE {}", head.name()));
        cluster.psql(&name, &make_old_postgres(schema));
        runs_on(&lake, Some(&cluster.url(&name)), &record, schema);
        cluster.psql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
    }
    is_refused_newer(&lake, &head);
    println!("faults: {} old catalogs and a newer one on Postgres", old_schemas().len());
}

fn is_refused_newer(lake: &Product, head: &Database<'_>) {
    head.psql("INSERT INTO schema_migration VALUES (9999, 'future', '2099-01-01T00:00:00.000Z')");
    is_refused(lake, None);
}

/// All of them; the first, the last before the audit log, and the last if there is little time.
fn old_schemas() -> Vec<usize> {
    let newest = scripts("sqlite").len();
    let wanted = |schema: &usize| rounds() > 1 || [1, AUDITED - 1, newest - 1].contains(schema);
    (1..newest).filter(wanted).collect()
}

/// Returns the migrations in their order.
fn scripts(dialect: &str) -> Vec<String> {
    let folder = std::fs::read_dir(repository("catalog/migrations")).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<_> =
        folder.filter(|file| file.to_string_lossy().ends_with(&format!(".{dialect}.sql"))).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

/// Fills a lake with tables, lineage and a pipeline's run.
fn filled(lake: Product) -> Product {
    lake.ok(&[
        "sql",
        "-c",
        "CREATE SCHEMA a; CREATE TABLE a.source AS SELECT 1 AS n; CREATE TABLE a.second (n BIGINT)",
    ]);
    let folder = lake.folder().join("pipeline");
    std::fs::create_dir_all(&folder).unwrap();
    for (file, text) in [
        ("pipeline.toml", "name = \"old\"\n"),
        ("1_second.sql", "INSERT INTO a.second SELECT n FROM a.source;\n"),
        ("2_third.sql", "CREATE OR REPLACE TABLE a.third AS SELECT n + 1 AS n FROM a.second;\n"),
    ] {
        std::fs::write(folder.join(file), text).unwrap();
    }
    lake.ok(&["run", folder.to_str().unwrap()]);
    lake
}

/// Copies a lake aside.
fn keep(lake: &Product) -> std::path::PathBuf {
    let untouched = lake.folder().with_file_name("untouched");
    copy(&lake.folder(), &untouched);
    untouched
}

/// Brings a lake back to what it was. Before there was an audit log there was no key for it.
fn restore(lake: &Product, untouched: &Path, schema: usize) {
    std::fs::remove_dir_all(lake.folder()).unwrap();
    copy(untouched, &lake.folder());
    if schema < AUDITED {
        for file in ["audit.key", "audit.pub", "audit.heads"] {
            let _: std::io::Result<()> = std::fs::remove_file(lake.folder().join(file));
        }
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").args([from, to]).status().unwrap().success());
}

fn command(lake: &Product, url: Option<&str>, args: &[&str]) -> Command {
    let mut command = lake.command(args);
    command.envs(url.map(|url| ("CAUSEWAY_CATALOG_URL", url)));
    command
}

fn ok(lake: &Product, url: Option<&str>, schema: usize, args: &[&str]) -> String {
    let output = command(lake, url, args).output().unwrap();
    assert!(output.status.success(), "schema {schema}, {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn read(lake: &Product, url: Option<&str>) -> Vec<Vec<Value>> {
    let rows = |sql: &&str| {
        let text = ok(lake, url, 0, &["sql", "--format", "ndjson", "-c", sql]);
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Value>>()
    };
    let record: Vec<Vec<Value>> = RECORD.iter().map(rows).collect();
    assert!(record.iter().all(|rows| !rows.is_empty()), "{record:?}");
    record
}

fn runs_on(lake: &Product, url: Option<&str>, record: &[Vec<Value>], schema: usize) {
    assert_eq!(read(lake, url), record, "schema {schema}");
    let pipeline = lake.folder().join("pipeline");
    ok(lake, url, schema, &["submit", "INSERT INTO a.second SELECT 7"]);
    ok(lake, url, schema, &["submit", "--pipeline", pipeline.to_str().unwrap()]);
    ok(lake, url, schema, &["worker", "--drain", "--slots", "1"]);
    let jobs: Value = serde_json::from_str(&ok(lake, url, schema, &["jobs", "--json"])).unwrap();
    let states: Vec<&str> = jobs.as_array().unwrap().iter().map(|job| job["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["succeeded", "succeeded"], "schema {schema}: {jobs}");
    let sums = ok(lake, url, schema, &["sql", "--format", "csv", "-c", "SELECT sum(n) AS n FROM a.third"]);
    // The pipeline found its table changed from outside and made it anew: 1 + 7 and what it inserted once.
    assert!(sums.lines().last().unwrap().parse::<i64>().unwrap() >= 10, "schema {schema}: {sums}");
    if schema >= AUDITED {
        ok(lake, url, schema, &["audit", "verify"]);
    }
}

/// A binary that does not know a catalog's schema touches nothing.
fn is_refused(lake: &Product, url: Option<&str>) {
    for args in
        [vec!["sql", "-c", "SELECT 1"], vec!["submit", "DELETE FROM a.second"], vec!["worker", "--once"], vec!["jobs"]]
    {
        let output = command(lake, url, &args).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && shown.contains("CW0404"), "{args:?}: {shown}");
    }
}

/// Runs SQL in the shell of SQLite and returns what it prints.
fn sqlite(file: &Path, sql: &str) -> String {
    let mut command = Command::new("sqlite3");
    let shell = command.arg("-bail").arg(file).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut shell = shell.expect("sqlite3 is missing; `infra/packaging/setup.sh build` installs it on Debian");
    shell.stdin.take().unwrap().write_all(sql.as_bytes()).unwrap();
    let output = shell.wait_with_output().unwrap();
    assert!(output.status.success(), "{sql}");
    String::from_utf8(output.stdout).unwrap()
}

fn make_old_sqlite(head: &Path, old: &Path, schema: usize) {
    let attach = format!("ATTACH '{}' AS head;\n", head.display());
    let record = sqlite(head, "SELECT sql || ';' FROM sqlite_master WHERE name = 'schema_migration';");
    sqlite(old, &format!("{record}{}", scripts("sqlite")[..schema].join("\n")));
    let copies = sqlite(
        old,
        &(attach.clone()
            + "SELECT 'DELETE FROM main.' || name || '; INSERT INTO main.' || name || ' (' || columns || ') SELECT ' || columns \
               || ' FROM head.' || name || ';' FROM (SELECT t.name, (SELECT group_concat(o.name) FROM pragma_table_info(t.name, 'main') o \
               JOIN pragma_table_info(t.name, 'head') h ON h.name = o.name) AS columns FROM main.sqlite_master t \
               WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%');"),
    );
    let keep = format!("DELETE FROM schema_migration WHERE version > {schema};");
    sqlite(old, &format!("{attach}PRAGMA foreign_keys = OFF;\n{copies}\n{keep}"));
}

fn make_old_postgres(schema: usize) -> String {
    let scripts = scripts("postgres")[..schema].join("\n");
    format!(
        "ALTER SCHEMA public RENAME TO head; CREATE SCHEMA public;\n\
         CREATE TABLE schema_migration (LIKE head.schema_migration INCLUDING ALL);\n{scripts}\n\
         SET session_replication_role = replica;\n\
         DO $$ DECLARE t text; c text; BEGIN\n\
         FOR t IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP\n\
           SELECT string_agg(quote_ident(o.column_name), ',') INTO c FROM information_schema.columns o\n\
             JOIN information_schema.columns h USING (table_name, column_name)\n\
             WHERE o.table_schema = 'public' AND h.table_schema = 'head' AND table_name = t;\n\
           EXECUTE format('DELETE FROM public.%I; INSERT INTO public.%I (%s) SELECT %s FROM head.%I', t, t, c, c, t);\n\
         END LOOP;\n\
         FOR t IN SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'id'\n\
             AND is_identity = 'YES' LOOP\n\
           EXECUTE format('SELECT setval(pg_get_serial_sequence(%L, ''id''), GREATEST((SELECT MAX(id) FROM public.%I), 1))', t, t);\n\
         END LOOP; END $$;\n\
         DELETE FROM schema_migration WHERE version > {schema}; DROP SCHEMA head CASCADE;"
    )
}
