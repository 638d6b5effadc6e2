//! The place where a step is repeated: a catalog that knows its inputs alone, and a lake that shows them.

use std::collections::BTreeMap;
use std::sync::Arc;

use causeway_engine::{Engine, StepRequest};
use causeway_lake::Lake;
use causeway_model::{
    Catalog, Dataset, DatasetKind, DatasetVersion, NewRun, NewStep, OutputVersion, Parameters, RunId, RunKind, Step,
    StepOutcome,
};
use causeway_store::SqliteCatalog;
use causeway_system::System;

use crate::errors::Failure;
use crate::exit::Exit;
use crate::session::Session;

/// A version that was there for a step.
pub(super) struct Given {
    pub(super) dataset: Dataset,
    pub(super) version: DatasetVersion,
    /// The step that made it, where it is needed to make it again.
    pub(super) maker: Option<Step>,
}

impl Given {
    fn name(&self) -> String {
        format!("{}@{}", self.dataset.name, self.version.version)
    }

    /// Describes it for a catalog that does not know it.
    fn output(&self) -> OutputVersion {
        let Self { dataset, version, .. } = self;
        OutputVersion {
            name: dataset.name.clone(),
            kind: dataset.kind,
            location: dataset.location.clone(),
            view_sql: dataset.view_sql.clone(),
            policy: Some(dataset.policy.clone()),
            version: version.version,
            n_rows: version.n_rows,
            n_bytes: version.n_bytes,
            n_files: version.n_files,
            digest: version.digest.clone(),
            columns: version.columns.clone(),
            previous: None,
        }
    }
}

/// An engine over a scratch catalog and a scratch lake.
pub(super) struct Scratch {
    pub(super) engine: Engine,
    pub(super) catalog: Arc<dyn Catalog>,
    pub(super) lake: Lake,
    /// The run that made what is there.
    given: RunId,
    /// Removed with the value.
    _folder: tempfile::TempDir,
}

impl Scratch {
    /// Makes a place in which the versions given are all there is.
    pub(super) async fn new(session: &Session, given: &[Given]) -> Result<Self, Failure> {
        let parent = session.project.spill_dir();
        std::fs::create_dir_all(&parent)?;
        let folder = tempfile::Builder::new().prefix("causeway-reproduce-").tempdir_in(parent)?;
        let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::in_memory().await?);
        let lake = session.engine.lake().scratch(folder.path(), &shown(given))?;
        let config = causeway_engine::EngineConfig { write_paths: Vec::new(), ..session.engine.config().clone() };
        let system = Arc::new(System::new(Arc::clone(&catalog)));
        let engine = Engine::new(config, Arc::clone(&catalog), lake.clone(), system)?;
        let giver = RunId(uuid::Uuid::now_v7().to_string());
        begin_run(catalog.as_ref(), session, &giver).await?;
        let scratch = Self { engine, catalog, lake, given: giver, _folder: folder };
        scratch.fill(session, given).await?;
        Ok(scratch)
    }

    /// Records the tables in the order of their versions, then the views.
    async fn fill(&self, session: &Session, given: &[Given]) -> Result<(), Failure> {
        let schemas = StepOutcome { schemas: session.catalog.schemas().await?, ..StepOutcome::default() };
        self.note("schemas", schemas).await?;
        let mut tables = of_kind(given, DatasetKind::Table);
        tables.sort_by_key(|given| (given.dataset.id, given.version.version));
        for table in tables {
            let outcome = StepOutcome { outputs: vec![table.output()], ..StepOutcome::default() };
            self.note(&table.name(), outcome).await?;
        }
        for view in of_kind(given, DatasetKind::View) {
            self.add_view(view).await?;
        }
        Ok(())
    }

    /// Makes a view as it was: the text that the catalog holds, if it has not changed, else by the
    /// statement that made it.
    async fn add_view(&self, view: &Given) -> Result<(), Failure> {
        let held = view.dataset.view_sql.as_deref().map(sha256);
        if held.is_some() && held == view.version.digest {
            let outcome = StepOutcome { outputs: vec![view.output()], ..StepOutcome::default() };
            return self.note(&view.name(), outcome).await;
        }
        if let Some(maker) = &view.maker {
            let given = self.catalog.run(&self.given).await?;
            let again = StepRequest { run: self.given.clone(), name: view.name(), ..StepRequest::again(maker, &given) };
            self.engine.run_step(&again).await?;
        }
        let made = match self.catalog.dataset(&view.dataset.name).await? {
            Some(made) => self.catalog.latest_version(made.id).await?,
            None => None,
        };
        if made.is_some_and(|made| made.digest == view.version.digest) {
            return Ok(());
        }
        Err(Failure::new(Exit::Failed, format!("the text of view {} is no longer kept", view.name())))
    }

    /// Records something that is there.
    async fn note(&self, name: &str, outcome: StepOutcome) -> Result<(), Failure> {
        let step = NewStep {
            run: self.given.clone(),
            ordinal: 0,
            name: name.to_owned(),
            kind: "given".to_owned(),
            sql: String::new(),
            fingerprint: String::new(),
            seed: 0,
            inputs: Vec::new(),
            lease: None,
        };
        let step = self.catalog.begin_step(&step).await?;
        self.catalog.complete_step(step.id, step.attempt, &outcome).await?;
        Ok(())
    }
}

/// Returns what is of one kind, in the order in which it was recorded.
fn of_kind(given: &[Given], kind: DatasetKind) -> Vec<&Given> {
    given.iter().filter(|given| given.dataset.kind == kind).collect()
}

/// Returns the newest version of each table by its place.
fn shown(given: &[Given]) -> BTreeMap<String, i64> {
    let mut shown = BTreeMap::new();
    for table in of_kind(given, DatasetKind::Table) {
        let newest = shown.entry(table.dataset.location.clone()).or_insert(table.version.version);
        *newest = table.version.version.max(*newest);
    }
    shown
}

/// Begins a run in a scratch catalog.
pub(super) async fn begin_run(catalog: &dyn Catalog, session: &Session, run: &RunId) -> Result<(), Failure> {
    let new = NewRun {
        id: run.clone(),
        kind: RunKind::Statement,
        pipeline: None,
        pipeline_digest: None,
        engine_version: session.engine.config().version.clone(),
        actor: causeway_model::Rights::embedded().user,
        parameters: Parameters::default(),
    };
    Ok(catalog.begin_run(&new).await?)
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    sha2::Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
