//! An open lake: configuration, catalog, tables and engine.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use causeway_engine::{Engine, EngineConfig};
use causeway_jobs::Queue;
use causeway_lake::{Lake, LakeConfig};
use causeway_model::Catalog;
use causeway_runtime::Project;
use causeway_store::SqliteCatalog;
use causeway_system::System;

use crate::app::App;
use crate::args::LimitOptions;
use crate::audit;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::openlineage;
use crate::version::VERSION;

/// An open lake.
pub(crate) struct Session {
    pub(crate) project: Project,
    pub(crate) catalog: Arc<dyn Catalog>,
    pub(crate) engine: Engine,
    /// True once a statement was run that is recorded.
    pub(crate) changed: AtomicBool,
}

impl Session {
    /// Opens the lake that the configuration describes. No table is looked at.
    pub(crate) fn open(app: &App, limits: &LimitOptions) -> Result<Self, Failure> {
        let project = app.project(limits)?;
        app.start_threads(project.threads())?;
        let catalog = app.wait(open_catalog(&project))?;
        audit::begin(app, &project, &catalog)?;
        let lake = open_lake(&project)?;
        let system = System::new(Arc::clone(&catalog));
        // Without a name for the lake's place there are no events to show; the rest goes on.
        let system = Arc::new(match openlineage::emitter(&project) {
            Ok(emitter) => system.with_events(emitter),
            Err(_) => system,
        });
        let engine = Engine::new(engine_config(&project)?, Arc::clone(&catalog), lake, system)?;
        let engine = engine.with_procedures(Arc::new(Queue));
        Ok(Self { project, catalog, engine, changed: AtomicBool::new(false) })
    }
}

/// Opens the lake's catalog, which must exist: a new one would hide that the old one is lost.
pub(crate) async fn open_catalog(project: &Project) -> Result<Arc<dyn Catalog>, Failure> {
    let Some(file) = project.catalog_file() else {
        return Ok(causeway_store::open(&project.catalog_url()).await?);
    };
    if !file.try_exists()? {
        return Err(Failure::new(Exit::Unusable, format!("the catalog {} does not exist", file.display()))
            .with_hint("restore it from a backup, correct catalog.url, or make a new lake with `causeway init DIR`"));
    }
    if file.metadata()?.len() == 0 {
        return Err(Failure::new(Exit::Unusable, format!("the catalog {} is empty", file.display()))
            .with_hint("restore it from a backup, or make a new lake with `causeway init DIR`"));
    }
    Ok(Arc::new(SqliteCatalog::open(&file).await?))
}

/// Opens the store of the lake's tables.
pub(crate) fn open_lake(project: &Project) -> Result<Lake, Failure> {
    let options = project.config.lake.options.clone();
    Ok(Lake::open(&LakeConfig { url: project.lake_url(), options })?)
}

/// Returns what statements may not read or write as files, wherever it lies.
fn closed_paths(project: &Project) -> Vec<PathBuf> {
    let mut closed = vec![project.audit_key(), project.audit_first_key(), project.audit_heads()];
    closed.extend(project.lake_folder().into_iter().chain(project.catalog_file()));
    closed.extend(project.openlineage_file().into_iter().chain(project.openlineage_token_file()));
    closed
}

fn engine_config(project: &Project) -> Result<EngineConfig, Failure> {
    Ok(EngineConfig {
        memory_limit_bytes: usize::try_from(project.memory_limit_bytes()).unwrap_or(usize::MAX),
        threads: project.threads(),
        timeout: project.timeout(),
        spill_dir: project.spill_dir(),
        max_statement_bytes: project.config.limits.max_statement_bytes,
        max_depth: project.config.limits.max_depth,
        base_dir: std::env::current_dir().context("the current folder cannot be read")?,
        read_paths: project.read_paths(),
        write_paths: project.write_paths(),
        closed_paths: closed_paths(project),
        version: VERSION.to_owned(),
    })
}
