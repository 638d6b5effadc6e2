//! Looks up what a statement reads and pins it: tables at a version, files by digest, views expanded.

use std::collections::{BTreeMap, HashMap};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use causeway_lake::At;
use causeway_model::{
    Column, Dataset, DatasetId, DatasetKind, DatasetPolicy, DatasetVersion, NewFile, Parameters, ReadableColumns,
    Rights, TableName, VersionId,
};
use datafusion::catalog::TableProvider;
use datafusion::catalog::view::ViewTable;
use datafusion::common::TableReference;
use datafusion::datasource::file_format::FileFormat as DfFileFormat;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::datasource::provider_as_source;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::TableSource;

use crate::access::{Guard, Reading, denied};
use crate::call::{
    Added, FileCall, FileFormat, Moment, References, added_key, file_key, prepare, table_key, version_key,
};
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind, Result};
use crate::parse::parse_query;
use crate::plan::on_big_stack;
use crate::predict::model_file;
use crate::running::Running;
use crate::session::PlanningContext;
use crate::types::column_of;

/// What a dependency on the user's rights begins with.
pub(crate) const NARROWED: &str = "narrowed";

/// How a table is narrowed that may be read through privacy mechanisms alone.
pub(crate) const VEILED: &str = "private releases alone";

/// Views within views deeper than this are taken for a cycle.
const MAX_VIEW_DEPTH: usize = 32;

/// An input of a statement, fixed to one version.
#[derive(Debug, Clone)]
pub(crate) struct Pin {
    pub(crate) dataset: Dataset,
    pub(crate) version: DatasetVersion,
}

/// A file a statement reads, not yet known to the catalog.
#[derive(Debug, Clone)]
pub(crate) struct FilePin {
    pub(crate) path: PathBuf,
    pub(crate) shown: String,
    pub(crate) columns: Vec<Column>,
}

/// Everything a statement reads, by the reference its scans carry.
pub(crate) struct Resolved {
    pub(crate) sources: HashMap<TableReference, Arc<dyn TableSource>>,
    pub(crate) pins: BTreeMap<String, Pin>,
    pub(crate) views: Vec<VersionId>,
    pub(crate) files: BTreeMap<String, FilePin>,
    /// How what is read is narrowed by the user's rights, by the reference its scans carry.
    pub(crate) narrowed: BTreeMap<String, String>,
    /// The tables that may be read through privacy mechanisms alone, by the reference their scans carry.
    pub(crate) veiled: BTreeMap<String, TableName>,
    /// The first protected table or view among what is read.
    pub(crate) protected: Option<Dataset>,
    missing: Vec<TableName>,
    rights: Arc<Rights>,
}

/// How to look things up.
pub(crate) struct Lookup<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) state: &'a Arc<SessionState>,
    pub(crate) base_dir: &'a Path,
    /// The versions an interrupted step had pinned; tables not among them are taken at their newest.
    pub(crate) pinned: &'a [DatasetVersion],
    /// What the statement's user may read.
    pub(crate) guard: &'a Guard,
}

/// Returns the newest of the pinned versions of a dataset; `as_of` pins older ones beside it.
pub(crate) fn newest_of(pinned: &[DatasetVersion], dataset: DatasetId) -> Option<&DatasetVersion> {
    pinned.iter().filter(|version| version.dataset == dataset).max_by_key(|version| version.version)
}

impl Lookup<'_> {
    /// Looks up all references of a statement.
    pub(crate) async fn resolve(&self, references: &References) -> Result<Resolved> {
        let mut resolved = Resolved {
            sources: HashMap::new(),
            pins: BTreeMap::new(),
            views: Vec::new(),
            files: BTreeMap::new(),
            narrowed: BTreeMap::new(),
            veiled: BTreeMap::new(),
            protected: None,
            missing: Vec::new(),
            rights: Arc::clone(&self.guard.rights),
        };
        self.add(references, &mut resolved, 0).await?;
        if let Some(running) = self.state.config().get_extension::<Running>() {
            running.veil(&resolved.veiled);
            let versions = resolved.pins.iter().map(|(key, pin)| (key.clone(), pin.version.id));
            running.till.pin(versions);
        }
        Ok(resolved)
    }

    async fn add(&self, references: &References, resolved: &mut Resolved, depth: usize) -> Result<()> {
        self.guard.require_operators(&references.operators)?;
        if !references.files.is_empty() {
            self.guard.require_files()?;
        }
        for name in &references.tables {
            let key = table_key(name);
            if !resolved.sources.contains_key(&key) {
                self.add_table(name, key, resolved, depth).await?;
            }
        }
        for (name, moment) in &references.versions {
            self.add_version(name, moment, resolved).await?;
        }
        for added in &references.added {
            self.add_added(added, resolved).await?;
        }
        if !references.added.is_empty() && !resolved.narrowed.is_empty() {
            return Err(denied("what was added to a table is told to who may read all of it")
                .with_hint("read the tables themselves; a step of a pipeline is then materialized in full"));
        }
        for file in &references.files {
            self.add_file(file, resolved).await?;
        }
        Ok(())
    }

    async fn add_table(
        &self,
        name: &TableName,
        key: TableReference,
        resolved: &mut Resolved,
        depth: usize,
    ) -> Result<()> {
        if name.schema == "system" {
            if let Some(provider) = self.engine.system().table(&name.table, &self.guard.rights) {
                resolved.sources.insert(key, provider_as_source(provider));
            } else {
                resolved.missing.push(name.clone());
            }
            return Ok(());
        }
        let Some((dataset, newest)) = self.engine.catalog().newest(name).await? else {
            resolved.missing.push(name.clone());
            return Ok(());
        };
        let (version, at) = match (newest_of(self.pinned, dataset.id), newest) {
            (Some(pinned), _) => (pinned.clone(), At::Version(pinned.version)),
            (None, Some(newest)) => {
                let at = At::Recorded(newest.version);
                (newest, at)
            }
            (None, None) => return Err(self.without_version(&dataset).await),
        };
        let Some(reading) = self.guard.reading(self.engine, &dataset, &version).await? else {
            resolved.missing.push(name.clone());
            return Ok(());
        };
        resolved.note_protection(&dataset);
        match dataset.kind {
            DatasetKind::View => {
                self.add_view(&dataset, key, reading, resolved, depth).await?;
                resolved.views.push(version.id);
                Ok(())
            }
            DatasetKind::Table => self.add_pin(key, Pin { dataset, version }, &at, reading, resolved).await,
            DatasetKind::File => Ok(()),
        }
    }

    /// Returns the error for a table without content; to who may not read it, it is not there.
    async fn without_version(&self, dataset: &Dataset) -> EngineError {
        if self.guard.rights.readable(&dataset.name) == ReadableColumns::None {
            return self.engine.unknown_table(&dataset.name, &self.guard.rights).await;
        }
        EngineError::new(ErrorKind::NotFound, format!("table `{}` has no version", dataset.name))
    }

    async fn add_pin(
        &self,
        key: TableReference,
        pin: Pin,
        at: &At,
        reading: Reading,
        resolved: &mut Resolved,
    ) -> Result<()> {
        let snapshot = self.engine.lake().snapshot_at(&pin.dataset.location, at).await?;
        resolved.narrowed.extend(reading.narrowed().map(|how| (key.to_string(), how)));
        if reading.is_veiled {
            resolved.veiled.insert(key.to_string(), pin.dataset.name.clone());
        }
        let source = reading.narrow(self.state, &key, provider_as_source(snapshot.provider())).await?;
        resolved.sources.insert(key.clone(), source);
        resolved.pins.insert(key.to_string(), pin);
        Ok(())
    }

    async fn add_view(
        &self,
        dataset: &Dataset,
        key: TableReference,
        reading: Reading,
        resolved: &mut Resolved,
        depth: usize,
    ) -> Result<()> {
        if depth > MAX_VIEW_DEPTH {
            let problem = format!("view `{}` is defined through itself, or {MAX_VIEW_DEPTH} views deep", dataset.name);
            return Err(EngineError::new(ErrorKind::Plan, problem));
        }
        let sql = dataset.view_sql.as_deref().unwrap_or_default();
        let mut query = parse_query(sql)?;
        let references = prepare(&mut query, Some(&Parameters::default()))?;
        let inner = Box::pin(self.add(&references, resolved, depth + 1)).await;
        inner.map_err(|error| self.view_problem(dataset, error))?;
        let (state, tables) = (Arc::clone(self.state), resolved.sources.clone());
        let planned = on_big_stack(move || {
            PlanningContext { state: &state, tables: &tables }
                .plan_query(query)
                .map_err(|error| EngineError::of_plan(&error))
        });
        let plan = planned.await.map_err(|error| self.view_problem(dataset, error))?;
        let source = provider_as_source(Arc::new(ViewTable::new(plan, Some(sql.to_owned()))));
        resolved.narrowed.extend(reading.narrowed().map(|how| (key.to_string(), how)));
        if reading.is_veiled {
            resolved.veiled.insert(key.to_string(), dataset.name.clone());
        }
        let source = reading.narrow(self.state, &key, source).await?;
        resolved.sources.insert(key, source);
        Ok(())
    }

    /// A view reads with the rights of who asks. To others than admins its error names no table.
    fn view_problem(&self, dataset: &Dataset, error: EngineError) -> EngineError {
        if self.guard.rights.is_admin() {
            return EngineError::new(error.kind(), format!("view `{}` no longer works: {error}", dataset.name));
        }
        if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied | ErrorKind::Plan) {
            return error;
        }
        denied(format!("view `{}` reads what you may not, or no longer works", dataset.name))
            .with_hint("a view reads with the rights of who asks; ask for a table made from it, or for the rights")
    }

    async fn add_version(&self, name: &TableName, moment: &Moment, resolved: &mut Resolved) -> Result<()> {
        let (pin, reading) = self.pin_at(name, moment).await?;
        resolved.note_protection(&pin.dataset);
        let at = At::Version(pin.version.version);
        self.add_pin(version_key(name, moment), pin, &at, reading, resolved).await
    }

    /// Pins the rows that were added between two versions; both versions are inputs.
    async fn add_added(&self, added: &Added, resolved: &mut Resolved) -> Result<()> {
        let (since, _) = self.pin_at(&added.table, &Moment::Version(added.since)).await?;
        let (until, reading) = self.pin_at(&added.table, &Moment::Version(added.until)).await?;
        let key = added_key(added);
        resolved.note_protection(&until.dataset);
        resolved.narrowed.extend(reading.narrowed().map(|how| (key.to_string(), how)));
        let location = &until.dataset.location;
        let Some(rows) = self.engine.lake().added_between(location, added.since, added.until).await? else {
            let Added { table, since, until } = added;
            let problem = format!("rows were not only added to `{table}` from version {since} to {until}");
            return Err(EngineError::new(ErrorKind::Plan, problem)
                .with_hint("some were changed, removed or written anew in between; read the table itself"));
        };
        resolved.sources.insert(key.clone(), provider_as_source(rows.provider()));
        resolved.pins.insert(format!("{key} since"), since);
        resolved.pins.insert(key.to_string(), until);
        Ok(())
    }

    /// Finds a version of a table, and what may be read of it.
    async fn pin_at(&self, name: &TableName, moment: &Moment) -> Result<(Pin, Reading)> {
        let rights = &self.guard.rights;
        let found = self.engine.catalog().newest(name).await?;
        let is_usable = rights.readable(name) != ReadableColumns::None || rights.may_release(name);
        let Some((dataset, newest)) = found.filter(|_| is_usable) else {
            return Err(self.engine.unknown_table(name, rights).await);
        };
        let found = match moment {
            Moment::Version(version) => self.engine.catalog().version(dataset.id, *version).await?,
            Moment::Timestamp(instant) => self.engine.catalog().version_at(dataset.id, instant).await?,
        };
        let Some(version) = found else {
            let asked = match moment {
                Moment::Version(version) => format!("version {version}"),
                Moment::Timestamp(instant) => format!("version at {instant}"),
            };
            let newest = newest.map_or(-1, |newest| newest.version);
            return Err(EngineError::new(ErrorKind::NotFound, format!("`{name}` has no {asked}")).with_hint(format!(
                "its newest version is {newest}; SELECT * FROM system.dataset_versions lists all"
            )));
        };
        let Some(reading) = self.guard.reading(self.engine, &dataset, &version).await? else {
            return Err(self.engine.unknown_table(name, rights).await);
        };
        Ok((Pin { dataset, version }, reading))
    }

    async fn add_file(&self, call: &FileCall, resolved: &mut Resolved) -> Result<()> {
        let path = self.engine.readable(&call.path, self.base_dir)?;
        let table: Arc<dyn TableProvider> = match call.format {
            FileFormat::Csv => {
                let csv = CsvFormat::default().with_has_header(call.header).with_delimiter(call.delimiter);
                self.listed(&path, Arc::new(csv)).await?
            }
            FileFormat::Parquet => {
                check_footer(&path, &call.path)?;
                self.listed(&path, Arc::new(ParquetFormat::default())).await?
            }
            FileFormat::Json => self.listed(&path, Arc::new(JsonFormat::default())).await?,
            FileFormat::Onnx => model_file(&path, &call.path)?,
        };
        let key = file_key(call);
        let columns = table.schema().fields().iter().map(|field| column_of(field)).collect();
        let shown = self.engine.file_name(&path);
        resolved.files.insert(key.to_string(), FilePin { path, shown, columns });
        resolved.sources.insert(key, provider_as_source(table));
        Ok(())
    }

    async fn listed(&self, path: &Path, format: Arc<dyn DfFileFormat>) -> Result<Arc<dyn TableProvider>> {
        let options = ListingOptions::new(format).with_file_extension("");
        let url = ListingTableUrl::parse(path.to_string_lossy())?;
        let config = ListingTableConfig::new(url).with_listing_options(options);
        Ok(Arc::new(ListingTable::try_new(config.infer_schema(self.state.as_ref()).await?)?))
    }
}

/// Refuses a file that does not end as Parquet does: the reader below trusts the length it finds there.
fn check_footer(path: &Path, shown: &str) -> Result<()> {
    let footer = || -> std::io::Result<bool> {
        let mut file = std::fs::File::open(path)?;
        let size = file.metadata()?.len();
        let mut tail = [0_u8; 8];
        if size < 12 {
            return Ok(false);
        }
        file.seek(SeekFrom::End(-8))?;
        file.read_exact(&mut tail)?;
        let [a, b, c, d, magic @ ..] = tail;
        Ok(&magic == b"PAR1" && u64::from(u32::from_le_bytes([a, b, c, d])) + 12 <= size)
    };
    match footer() {
        Ok(true) => Ok(()),
        Ok(false) => Err(EngineError::new(ErrorKind::Data, format!("`{shown}` is damaged or not Parquet"))),
        Err(error) => Err(EngineError::new(ErrorKind::Storage, format!("`{shown}` cannot be read: {}", error.kind()))),
    }
}

impl Resolved {
    /// Says which table is meant when a name was not found.
    pub(crate) async fn explain(&self, engine: &Engine, error: EngineError) -> EngineError {
        let text = error.to_string();
        let missing = self.missing.iter().find(|name| text.contains(&format!("table '{}' not found", table_key(name))));
        match missing {
            Some(name) => {
                let better = engine.unknown_table(name, &self.rights).await;
                match error.position() {
                    Some(position) => better.at(position.line, position.column),
                    None => better,
                }
            }
            None => error,
        }
    }

    /// Returns what a result depends on besides its inputs: how the user's rights narrow them.
    pub(crate) fn narrowings(&self) -> impl Iterator<Item = String> {
        self.narrowed.iter().map(|(key, how)| format!("{NARROWED} {key}: {how}"))
    }

    /// Returns true if only a part of a dataset, at any version, is read.
    pub(crate) fn is_narrowed(&self, dataset: DatasetId) -> bool {
        self.pins.iter().any(|(key, pin)| pin.dataset.id == dataset && self.narrowed.contains_key(key))
    }

    /// Returns true if tables are narrowed to private releases, and by nothing else.
    pub(crate) fn is_veiled_alone(&self) -> bool {
        self.narrowed.iter().all(|(key, how)| self.veiled.contains_key(key) && how == VEILED)
    }

    fn note_protection(&mut self, dataset: &Dataset) {
        if dataset.policy.protected && self.protected.is_none() {
            self.protected = Some(dataset.clone());
        }
    }

    /// Returns the policy of each table that is read, by the reference its scans carry.
    pub(crate) fn policies(&self) -> BTreeMap<String, DatasetPolicy> {
        self.pins.iter().map(|(key, pin)| (key.clone(), pin.dataset.policy.clone())).collect()
    }

    /// Records the files and returns all inputs with the reference their scans carry.
    pub(crate) async fn register_files(&self, engine: &Engine) -> Result<BTreeMap<String, DatasetVersion>> {
        let mut versions = BTreeMap::new();
        for (key, file) in &self.files {
            let (digest, n_bytes) = causeway_ingest::digest(&file.path)?;
            let id = engine
                .catalog()
                .register_file(&NewFile {
                    path: file.shown.clone(),
                    digest,
                    n_bytes: i64::try_from(n_bytes).unwrap_or(i64::MAX),
                    columns: file.columns.clone(),
                })
                .await?;
            versions.insert(key.clone(), engine.catalog().version_by_id(id).await?);
        }
        for (key, pin) in &self.pins {
            versions.insert(key.clone(), pin.version.clone());
        }
        Ok(versions)
    }
}
