//! The SQL of the product: every file of `tests/slt`, statement by statement, against a fresh
//! engine with a catalog and a lake in memory.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use async_trait::async_trait;
use causeway_engine::{Engine, EngineConfig, EngineError, Outcome, StatementContext};
use causeway_jobs::Queue;
use causeway_lake::{Lake, LakeConfig};
use causeway_model::Parameters;
use causeway_store::SqliteCatalog;
use causeway_system::System;
use futures::TryStreamExt;
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Runner};

use crate::product::repository;

/// The fewest statements and queries the files must hold together.
const AT_LEAST: usize = 120;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_statement_answers_as_written() {
    let folder = repository("tests/slt");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "slt"));
    files.sort();
    let mut statements = 0;
    let mut failures = Vec::new();
    for file in &files {
        let records = sqllogictest::parse_file::<DefaultColumnType>(file).unwrap();
        statements += records
            .iter()
            .filter(|record| {
                matches!(record, sqllogictest::Record::Statement { .. } | sqllogictest::Record::Query { .. })
            })
            .count();
        let mut runner = Runner::new(|| async { Ok(Database::open().await) });
        if std::env::var_os("UPDATE_SLT").is_some() {
            update(&mut runner, file).await;
        } else if let Err(error) = runner.run_file_async(file).await {
            failures.push(error.display(false).to_string());
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(statements >= AT_LEAST, "{statements} statements in {} files", files.len());
    println!("slt: {statements} statements in {} files", files.len());
}

/// Writes the answers into a file; the reader of the change decides whether they are right.
async fn update<M>(runner: &mut Runner<Database, M>, file: &Path)
where
    M: sqllogictest::MakeConnection<Conn = Database>,
{
    let (normalizer, validator, columns) =
        (sqllogictest::default_normalizer, sqllogictest::default_validator, sqllogictest::default_column_validator);
    runner.update_test_file(file, " ", validator, normalizer, columns).await.unwrap();
}

/// One engine with everything in memory; files are read from the repository, written to a folder
/// that is removed.
struct Database {
    engine: Engine,
    _exports: tempfile::TempDir,
}

impl Database {
    async fn open() -> Self {
        let root = repository("");
        let exports = tempfile::tempdir().unwrap();
        let config = EngineConfig {
            memory_limit_bytes: 256 << 20,
            threads: 2,
            timeout: Some(Duration::from_secs(60)),
            spill_dir: exports.path().to_owned(),
            max_statement_bytes: 1 << 20,
            max_depth: 64,
            base_dir: root.clone(),
            read_paths: vec![root.join("tests/data"), root.join("pipelines/recipes"), root.join("tests/slt")],
            write_paths: vec![exports.path().to_owned()],
            closed_paths: Vec::new(),
            version: "test".to_owned(),
        };
        let catalog = Arc::new(SqliteCatalog::in_memory().await.unwrap());
        let lake = Lake::open(&LakeConfig { url: "memory:///".to_owned(), ..LakeConfig::default() }).unwrap();
        let system = Arc::new(System::new(Arc::<SqliteCatalog>::clone(&catalog)));
        let engine = Engine::new(config, catalog, lake, system).unwrap().with_procedures(Arc::new(Queue));
        Self { engine, _exports: exports }
    }
}

/// An error as the files quote it: code, message, hint.
#[derive(Debug)]
struct Quoted(EngineError);

impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code(), self.0)?;
        if let Some(position) = self.0.position() {
            write!(f, " [line {} column {}]", position.line, position.column)?;
        }
        match self.0.hint() {
            Some(hint) => write!(f, " (hint: {hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Quoted {}

#[async_trait]
impl AsyncDB for Database {
    type Error = Quoted;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Quoted> {
        let user = sql.strip_prefix("-- as ").and_then(|rest| rest.lines().next()).map(str::to_owned);
        let parameters = sql.lines().map_while(|line| line.strip_prefix("-- param "));
        let parameters = Parameters::parse(parameters).unwrap();
        let context = StatementContext { user, parameters, ..StatementContext::default() };
        match self.engine.execute(sql, &context).await.map_err(Quoted)? {
            Outcome::Done(report) => Ok(DBOutput::StatementComplete(report.rows_out.unwrap_or(0))),
            Outcome::Rows(rows) => {
                let types = rows.schema.fields().iter().map(|field| column_type(field.data_type())).collect();
                let batches: Vec<RecordBatch> =
                    rows.stream.try_collect().await.map_err(|error| Quoted(EngineError::from(error)))?;
                Ok(DBOutput::Rows { types, rows: batches.iter().flat_map(text_rows).collect() })
            }
        }
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &str {
        "causeway"
    }
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        data_type if data_type.is_integer() => DefaultColumnType::Integer,
        data_type if data_type.is_floating() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Text,
    }
}

fn text_rows(batch: &RecordBatch) -> Vec<Vec<String>> {
    (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| text(column.as_ref(), row)).collect()).collect()
}

/// Floats are printed with six decimals, so that the files show what a reader checks.
fn text(column: &dyn Array, row: usize) -> String {
    if column.is_null(row) {
        return "NULL".to_owned();
    }
    if *column.data_type() == DataType::Float64 {
        let text = format!("{:.6}", column.as_primitive::<Float64Type>().value(row));
        let text = text.trim_end_matches('0').trim_end_matches('.');
        return if text == "-0" { "0".to_owned() } else { text.to_owned() };
    }
    let text = ArrayFormatter::try_new(column, &FormatOptions::default()).unwrap().value(row).to_string();
    if text.is_empty() { "(empty)".to_owned() } else { text.replace('\n', "\\n") }
}
