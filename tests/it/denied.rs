//! A denied statement reads no data, and its refusal is the same whether there is a table or not.

use std::fmt;
use std::path::Path as Folder;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use causeway_engine::{Engine, EngineConfig, EngineError, Outcome, StatementContext};
use causeway_lake::Lake;
use causeway_store::SqliteCatalog;
use causeway_system::System;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, Result,
};

/// A store that counts what is read of data files, and of anything.
#[derive(Debug, Default)]
struct Counting {
    inner: InMemory,
    data: AtomicUsize,
    all: AtomicUsize,
    paths: Mutex<Vec<String>>,
}

impl Counting {
    fn count(&self, path: &Path) {
        self.all.fetch_add(1, Ordering::SeqCst);
        if path.as_ref().ends_with(".parquet") {
            self.data.fetch_add(1, Ordering::SeqCst);
            self.paths.lock().unwrap().push(path.to_string());
        }
    }

    fn reset(&self) {
        self.data.store(0, Ordering::SeqCst);
        self.all.store(0, Ordering::SeqCst);
        self.paths.lock().unwrap().clear();
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counting {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(location, options).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.count(location);
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.all.fetch_add(1, Ordering::SeqCst);
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.all.fetch_add(1, Ordering::SeqCst);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.count(from);
        self.inner.copy_opts(from, to, options).await
    }
}

/// An engine over a counting store.
pub(crate) struct Lab {
    pub(crate) engine: Engine,
    store: Arc<Counting>,
    folder: tempfile::TempDir,
}

impl Lab {
    /// Nothing yet.
    pub(crate) async fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(Counting::default());
        let lake = Lake::on(Arc::<Counting>::clone(&store)).unwrap();
        let catalog = Arc::new(SqliteCatalog::in_memory().await.unwrap());
        let system = Arc::new(System::new(Arc::<SqliteCatalog>::clone(&catalog)));
        let engine = Engine::new(config(folder.path()), catalog, lake, system).unwrap();
        Self { engine, store, folder }
    }

    /// A table of two sites and a view over it. `nobody` may read neither, but make tables, read and
    /// write files and call operators; `some` reads one column; `viewer` the view alone; `hidden` all
    /// columns of no row.
    async fn open() -> Self {
        let lab = Self::empty().await;
        for sql in [
            "CREATE SCHEMA clinical",
            "CREATE TABLE clinical.visits AS SELECT value AS patient, value % 2 AS site, value % 90 AS age \
             FROM generate_series(1, 5000)",
            "CREATE VIEW clinical.ages AS SELECT age FROM clinical.visits",
            "CREATE TABLE main.own AS SELECT 1 AS age",
            "CREATE USER nobody",
            "CREATE USER some",
            "CREATE USER viewer",
            "CREATE USER hidden",
            "GRANT CREATE ON SCHEMA main TO nobody",
            "GRANT ALL ON main.own TO nobody",
            "GRANT CREATE, SELECT ON SCHEMA file TO nobody",
            "GRANT EXECUTE ON OPERATOR kaplan_meier TO nobody",
            "GRANT SELECT (age) ON clinical.visits TO some",
            "GRANT SELECT ON clinical.ages TO viewer",
            "GRANT SELECT ON SCHEMA clinical TO hidden",
            "CREATE POLICY own_site ON clinical.visits TO nobody USING (site = 1)",
        ] {
            lab.run(sql, None).await.unwrap();
        }
        lab
    }

    pub(crate) async fn run(&self, sql: &str, user: Option<&str>) -> std::result::Result<usize, EngineError> {
        let context = StatementContext { user: user.map(str::to_owned), ..StatementContext::default() };
        match self.engine.execute(sql, &context).await? {
            Outcome::Done(_) => Ok(0),
            Outcome::Rows(rows) => {
                let batches: Vec<_> = rows.stream.try_collect().await?;
                Ok(batches.iter().map(|batch| batch.num_rows()).sum())
            }
        }
    }

    /// Runs a statement that is refused; returns the refusal and asserts that no data was read.
    pub(crate) async fn refused(&self, sql: &str, user: &str) -> String {
        self.store.reset();
        let error = self.run(sql, Some(user)).await.expect_err(sql);
        assert_eq!(self.store.data.load(Ordering::SeqCst), 0, "{sql} read {:?}", self.store.paths.lock().unwrap());
        format!("{} {error} {:?} {:?}", error.code(), error.hint(), error.position())
    }
}

fn config(folder: &Folder) -> EngineConfig {
    std::fs::create_dir(folder.join("lake")).unwrap();
    std::fs::write(folder.join("lake/part.csv"), "age\n1\n").unwrap();
    EngineConfig {
        memory_limit_bytes: 64 << 20,
        threads: 2,
        timeout: None,
        spill_dir: folder.join("spill"),
        max_statement_bytes: 1 << 20,
        max_depth: 64,
        base_dir: folder.to_owned(),
        read_paths: vec![folder.to_owned()],
        write_paths: vec![folder.to_owned()],
        closed_paths: vec![folder.join("lake")],
        version: "test".to_owned(),
    }
}

/// Every way to name a table.
const SHAPES: &[&str] = &[
    "SELECT * FROM {t}",
    "SELECT count(*) FROM {t}",
    "SELECT age FROM {t} WHERE age > 10 ORDER BY age LIMIT 1",
    "WITH c AS (SELECT * FROM {t}) SELECT * FROM c",
    "SELECT * FROM main.own AS o JOIN {t} AS t ON o.age = t.age",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM {t})",
    "SELECT (SELECT max(age) FROM {t}) AS age",
    "SELECT age FROM main.own UNION ALL SELECT age FROM {t}",
    "SELECT * FROM kaplan_meier((SELECT age AS time, true AS event FROM {t}))",
    "SELECT * FROM kaplan_meier({t})",
    "SELECT * FROM as_of('{t}', version => 0)",
    "SELECT * FROM as_of('{t}', version => 9)",
    "SELECT * FROM as_of('{t}', timestamp => '2999-01-01T00:00:00Z')",
    "EXPLAIN SELECT * FROM {t}",
    "CREATE TABLE main.copy AS SELECT * FROM {t}",
    "CREATE VIEW main.look AS SELECT * FROM {t}",
    "INSERT INTO main.own SELECT age FROM {t}",
    "UPDATE main.own SET age = (SELECT max(age) FROM {t})",
    "DELETE FROM main.own WHERE age IN (SELECT age FROM {t})",
    "MERGE INTO main.own AS o USING {t} AS t ON o.age = t.age WHEN MATCHED THEN DELETE",
    "INSERT INTO {t} SELECT 1, 1, 1",
    "UPDATE {t} SET age = 1",
    "DELETE FROM {t}",
    "MERGE INTO {t} AS t USING main.own AS o ON o.age = t.age WHEN MATCHED THEN DELETE",
    "COPY (SELECT * FROM {t}) TO 'out.csv'",
    "COPY {t} TO 'out.csv'",
    "DROP TABLE {t}",
    "CREATE OR REPLACE TABLE {t} AS SELECT 1 AS age",
    "ALTER TABLE {t} SET (protected = true)",
    "SELECT * FROM lineage_upstream('{t}')",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_reads_nothing_and_does_not_say_what_is_there() {
    let lab = Lab::open().await;
    for shape in SHAPES {
        let there = lab.refused(&shape.replace("{t}", "clinical.visits"), "nobody").await;
        let not_there = lab.refused(&shape.replace("{t}", "clinical.absent"), "nobody").await;
        assert_eq!(there.replace("clinical.visits", "{t}"), not_there.replace("clinical.absent", "{t}"), "{shape}");
    }
    for shape in &SHAPES[..14] {
        lab.refused(&shape.replace("{t}", "clinical.visits"), "viewer").await;
    }
    assert!(!lab.folder.path().join("out.csv").try_exists().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_column_not_granted_is_refused_before_data_is_read() {
    let lab = Lab::open().await;
    lab.run("DROP POLICY own_site ON clinical.visits", None).await.unwrap();
    for column in ["patient", "absent_"] {
        for sql in [
            format!("SELECT {column} FROM clinical.visits"),
            format!("SELECT age FROM clinical.visits WHERE {column} = 1"),
            format!("SELECT age FROM as_of(clinical.visits, version => 0) ORDER BY {column}"),
        ] {
            let refusal = lab.refused(&sql, "some").await;
            assert!(refusal.contains("No field named") && !refusal.contains("site"), "{refusal}");
        }
    }
    lab.store.reset();
    assert_eq!(lab.run("SELECT age FROM clinical.visits", Some("some")).await.unwrap(), 5000);
    assert!(lab.store.data.load(Ordering::SeqCst) > 0, "the store counts what is read");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_and_views_that_show_nothing_read_nothing() {
    let lab = Lab::open().await;
    for sql in ["SELECT * FROM clinical.visits", "SELECT * FROM clinical.visits WHERE 1 / (age - 3) > 0"] {
        lab.store.reset();
        assert_eq!(lab.run(sql, Some("hidden")).await.unwrap(), 0);
        assert_eq!(lab.store.data.load(Ordering::SeqCst), 0, "{sql}");
    }
    let refusal = lab.refused("SELECT * FROM clinical.ages", "viewer").await;
    assert!(refusal.starts_with("CW0109") && !refusal.contains("visits"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_and_foreign_files_are_not_opened() {
    let lab = Lab::open().await;
    for path in ["lake/part.csv", "lake/part.txt"] {
        let refusal = lab.refused(&format!("SELECT * FROM read_csv('{path}')"), "nobody").await;
        assert!(!refusal.contains("age"), "{refusal}");
    }
    let there = lab.refused("SELECT * FROM read_csv('lake/part.csv')", "some").await;
    let not_there = lab.refused("SELECT * FROM read_csv('lake/none.csv')", "some").await;
    assert_eq!(there.replace("part", "none"), not_there);
    assert!(there.starts_with("CW0109"), "{there}");
    assert_eq!(lab.store.all.load(Ordering::SeqCst), 0);
}
