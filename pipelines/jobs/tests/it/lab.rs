//! A lake of its own for each test, and a folder to write pipelines in.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use causeway_core::{Literal, Literals};
use causeway_engine::{Engine, EngineConfig, Outcome, StatementContext, SystemFunction, SystemRelations};
use causeway_jobs::{Pipeline, RunSummary, Runner, StepStatus, StepSummary};
use causeway_lake::{Lake, LakeConfig};
use causeway_model::{Catalog, Rights};
use causeway_store::SqliteCatalog;
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::TableProvider;
use futures::TryStreamExt;
use tempfile::TempDir;

/// A schema `system` with nothing in it.
#[derive(Debug)]
struct NoSystem;

impl SystemRelations for NoSystem {
    fn tables(&self) -> Vec<&'static str> {
        Vec::new()
    }

    fn table(&self, _: &str, _: &Arc<Rights>) -> Option<Arc<dyn TableProvider>> {
        None
    }

    fn functions(&self) -> Vec<SystemFunction> {
        Vec::new()
    }

    fn function(
        &self,
        name: &str,
        _: &[Literal],
        _: &Literals,
        _: &Arc<Rights>,
    ) -> Result<Arc<dyn TableProvider>, String> {
        Err(format!("no function {name}"))
    }
}

pub(crate) struct Lab {
    pub(crate) dir: TempDir,
    pub(crate) engine: Engine,
}

impl Lab {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().canonicalize().unwrap();
        let repository =
            Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..").canonicalize().unwrap();
        let catalog = SqliteCatalog::open(&home.join("catalog.sqlite")).await.unwrap();
        fs::create_dir_all(home.join("lake")).unwrap();
        let url = format!("file://{}", home.join("lake").display());
        let lake = Lake::open(&LakeConfig { url, ..LakeConfig::default() }).unwrap();
        let config = EngineConfig {
            memory_limit_bytes: 1 << 30,
            threads: 2,
            timeout: None,
            spill_dir: home.join("spill"),
            max_statement_bytes: 1 << 20,
            max_depth: 64,
            base_dir: home.clone(),
            read_paths: vec![home.clone(), repository],
            write_paths: vec![home.clone()],
            closed_paths: Vec::new(),
            version: "test".to_owned(),
        };
        let engine = Engine::new(config, Arc::new(catalog), lake, Arc::new(NoSystem)).unwrap();
        Self { dir, engine }
    }

    pub(crate) fn catalog(&self) -> &Arc<dyn Catalog> {
        self.engine.catalog()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// Writes a file of the pipeline `p`.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path("p").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes the pipeline `p` of steps by name and text.
    pub(crate) fn pipeline(&self, steps: &[(&str, &str)]) {
        self.write("pipeline.toml", "name = \"p\"\n");
        for (name, text) in steps {
            self.write(&format!("{name}.sql"), text);
        }
    }

    pub(crate) fn load(&self) -> Pipeline {
        Pipeline::load(&self.path("p"), &self.engine).unwrap()
    }

    pub(crate) fn runner(&self) -> Runner {
        Runner::new(self.engine.clone(), &self.path("state"))
    }

    pub(crate) async fn run(&self) -> RunSummary {
        self.runner().run(&self.load()).await.unwrap()
    }

    /// Runs a statement that changes something, outside any pipeline.
    pub(crate) async fn execute(&self, sql: &str) {
        match Box::pin(self.engine.execute(sql, &StatementContext::default())).await.unwrap() {
            Outcome::Done(_) => {}
            Outcome::Rows(_) => panic!("{sql} returns rows"),
        }
    }

    /// Returns the rows of a query as a table without its frame.
    pub(crate) async fn query(&self, sql: &str) -> String {
        let Outcome::Rows(rows) = Box::pin(self.engine.execute(sql, &StatementContext::default())).await.unwrap()
        else {
            panic!("{sql} returns no rows")
        };
        let batches: Vec<_> = rows.stream.try_collect().await.unwrap();
        let table = pretty_format_batches(&batches).unwrap().to_string();
        let rows = table.lines().filter(|line| line.starts_with('|')).skip(1);
        let cells = |line: &str| {
            let cells = line.trim_matches('|').split('|').map(str::trim);
            cells.collect::<Vec<_>>().join(" ")
        };
        rows.map(cells).collect::<Vec<_>>().join("\n")
    }

    /// Returns the number of versions a table has.
    pub(crate) async fn n_versions(&self, table: &str) -> usize {
        let name = causeway_model::TableName::new("main", table);
        let dataset = self.catalog().dataset(&name).await.unwrap().unwrap();
        self.catalog().versions(Some(dataset.id)).await.unwrap().len()
    }
}

/// Returns the name and status of each step.
pub(crate) fn statuses(summary: &RunSummary) -> Vec<(&str, StepStatus)> {
    summary.steps.iter().map(|step| (step.name.as_str(), step.status)).collect()
}

pub(crate) fn step<'a>(summary: &'a RunSummary, name: &str) -> &'a StepSummary {
    summary.steps.iter().find(|step| step.name == name).unwrap()
}
