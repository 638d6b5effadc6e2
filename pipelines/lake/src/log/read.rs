//! Reads and extends the log of one table.
//!
//! ```text
//! _last_checkpoint? ── no ──> replay 0.json, 1.json, … here
//!        │ yes
//!        └──> the checkpoint's state by deltalake ──> replay what follows here
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::datasource::physical_plan::parquet::metadata::DFParquetMetadata;
use deltalake::kernel::EagerSnapshot;
use deltalake::logstore::{LogStoreRef, StorageConfig, default_logstore};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutPayload};
use url::Url;

use super::actions::{Actions, Add, Metadata, Protocol};
use super::state::{DataFile, TableState};
use crate::error::{LakeError, Result};

/// Commits read ahead while replaying.
const READ_AHEAD: usize = 16;

/// The log of one table.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) location: Arc<str>,
}

/// A state and the commits read on the way to it, for the marker index.
pub(crate) struct Loaded {
    pub(crate) state: TableState,
    pub(crate) markers: HashMap<String, i64>,
    /// Commits from this version on are in `markers`.
    pub(crate) covered_from: i64,
}

impl Log {
    /// Returns the path of something below the table.
    pub(crate) fn path(&self, below: &str) -> Result<Path> {
        Path::parse(format!("{}/{below}", self.location)).map_err(|error| LakeError::damaged(&self.location, error))
    }

    pub(crate) fn commit_path(&self, version: i64) -> Result<Path> {
        self.path(&format!("_delta_log/{version:020}.json"))
    }

    /// Reads an object; None if it does not exist.
    pub(crate) async fn object(&self, path: &Path) -> Result<Option<bytes::Bytes>> {
        match self.store.get(path).await {
            Ok(found) => Ok(Some(found.bytes().await.map_err(LakeError::store("read"))?)),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(source) => Err(LakeError::Store { operation: "read", source }),
        }
    }

    pub(crate) async fn exists(&self, path: &Path) -> Result<bool> {
        match self.store.head(path).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::NotFound { .. }) => Ok(false),
            Err(source) => Err(LakeError::Store { operation: "look up", source }),
        }
    }

    /// Reads a commit; None if it does not exist.
    pub(crate) async fn commit(&self, version: i64) -> Result<Option<Actions>> {
        let Some(bytes) = self.object(&self.commit_path(version)?).await? else { return Ok(None) };
        // serde_json's message may quote the text, so only the place is told.
        let parsed = Actions::parse(&bytes)
            .map_err(|error| LakeError::damaged(&self.location, format!("commit {version}, line {}", error.line())))?;
        Ok(Some(parsed))
    }

    /// Writes a commit if its version is free; false: another writer was first.
    pub(crate) async fn put(&self, version: i64, bytes: Vec<u8>) -> Result<bool> {
        self.put_new(&self.commit_path(version)?, bytes, "commit").await
    }

    /// Writes an object if there is none of that name.
    pub(crate) async fn put_new(&self, path: &Path, bytes: Vec<u8>, operation: &'static str) -> Result<bool> {
        match self.store.put_opts(path, PutPayload::from(bytes), PutMode::Create.into()).await {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. }) => Ok(false),
            Err(source) => Err(LakeError::store(operation)(source)),
        }
    }

    /// Lists the versions whose commit files are still there, in order.
    pub(crate) async fn versions(&self) -> Result<Vec<i64>> {
        let folder = self.path("_delta_log")?;
        let names = self.store.list(Some(&folder)).map_ok(|meta| meta.location.filename().and_then(version_in));
        let mut versions: Vec<i64> = names
            .try_filter_map(|version| async move { Ok(version) })
            .try_collect()
            .await
            .map_err(LakeError::store("list"))?;
        versions.sort_unstable();
        Ok(versions)
    }

    /// Loads the table at `target`, or at its newest version; None if there is no table.
    pub(crate) async fn load(&self, target: Option<i64>) -> Result<Option<Loaded>> {
        let loaded = match self.checkpoint_hint().await? {
            Some(hint) => self.load_from(target.map_or(hint, |target| target.min(hint)), target).await?,
            None if self.exists(&self.commit_path(0)?).await? => self.replay_all(target).await?,
            None => match self.versions().await?.last() {
                Some(&newest) => self.load_from(target.map_or(newest, |target| target.min(newest)), target).await?,
                None => return Ok(None),
            },
        };
        let state = self.with_row_counts(loaded.state).await?;
        match target {
            Some(wanted) if state.version != wanted => Err(self.no_version(wanted, state.version)),
            _ => Ok(Some(Loaded { state, ..loaded })),
        }
    }

    pub(crate) fn no_version(&self, wanted: impl ToString, latest: i64) -> LakeError {
        LakeError::VersionNotFound { location: self.location.to_string(), wanted: wanted.to_string(), latest }
    }

    async fn checkpoint_hint(&self) -> Result<Option<i64>> {
        #[derive(serde::Deserialize)]
        struct Hint {
            version: i64,
        }
        let Some(bytes) = self.object(&self.path("_delta_log/_last_checkpoint")?).await? else { return Ok(None) };
        Ok(serde_json::from_slice::<Hint>(&bytes).ok().map(|hint| hint.version))
    }

    async fn replay_all(&self, target: Option<i64>) -> Result<Loaded> {
        let first = self.commit(0).await?.ok_or_else(|| LakeError::damaged(&self.location, "commit 0 vanished"))?;
        let state = TableState::new(&self.location, 0, &first)?;
        let mut loaded = Loaded { state, markers: HashMap::new(), covered_from: 0 };
        loaded.note_markers(0, &first);
        self.replay(&mut loaded, target).await?;
        Ok(loaded)
    }

    async fn load_from(&self, version: i64, target: Option<i64>) -> Result<Loaded> {
        let state = self.checkpointed(version).await?;
        let mut loaded = Loaded { state, markers: HashMap::new(), covered_from: version + 1 };
        self.replay(&mut loaded, target).await?;
        Ok(loaded)
    }

    /// Applies the commits that follow `loaded`, up to `target`.
    pub(crate) async fn replay(&self, loaded: &mut Loaded, target: Option<i64>) -> Result<()> {
        let last = target.unwrap_or(i64::MAX);
        let next = loaded.state.version + 1;
        let mut commits = stream::iter(next..=last).map(|version| self.commit(version)).buffered(READ_AHEAD);
        while let Some(actions) = commits.try_next().await? {
            let Some(actions) = actions else { break };
            loaded.state = loaded.state.next(&actions)?;
            loaded.note_markers(loaded.state.version, &actions);
        }
        Ok(())
    }

    /// Reads a state through deltalake, which knows checkpoints.
    async fn checkpointed(&self, version: i64) -> Result<TableState> {
        let snapshot = self.snapshot(version).await?;
        let damaged = |error: serde_json::Error| LakeError::damaged(&self.location, error);
        let protocol: Protocol =
            serde_json::from_value(serde_json::to_value(snapshot.protocol()).map_err(damaged)?).map_err(damaged)?;
        let metadata: Metadata =
            serde_json::from_value(serde_json::to_value(snapshot.metadata()).map_err(damaged)?).map_err(damaged)?;
        let empty = Actions { protocol: Some(protocol), metadata: Some(metadata), ..Actions::default() };
        let mut state = TableState::new(&self.location, version, &empty)?;
        let files = snapshot.log_data().iter().map(|view| self.data_file(&view)).collect::<Result<Vec<_>>>()?;
        state.files = Arc::new(files);
        Ok(state)
    }

    fn data_file(&self, view: &deltalake::kernel::LogicalFileView) -> Result<Arc<DataFile>> {
        let deletion_vector = view.deletion_vector_descriptor().map(|_| serde_json::Value::Bool(true));
        let add = Add {
            path: String::new(),
            partition_values: HashMap::new(),
            size: u64::try_from(view.size()).unwrap_or(0),
            modification_time: view.modification_time(),
            data_change: true,
            stats: view.stats(),
            deletion_vector,
        };
        Ok(Arc::new(DataFile { path: view.path().into_owned(), ..DataFile::from_add(&self.location, &add)? }))
    }

    /// Opens a version with deltalake.
    pub(crate) async fn snapshot(&self, version: i64) -> Result<EagerSnapshot> {
        let wanted = u64::try_from(version).map_err(|_| self.no_version(version, 0))?;
        EagerSnapshot::try_new(self.delta()?.as_ref(), Some(wanted)).await.map_err(|error| {
            LakeError::damaged(&self.location, format!("version {version} cannot be read from its checkpoint: {error}"))
        })
    }

    /// Returns deltalake's view of the same log.
    ///
    /// The store is rooted at the lake, so deltalake gets a made-up URL whose path is the location.
    /// The name of an S3 directory bucket makes it sort listings, which local disks and such buckets
    /// return unordered; a `file` URL would make it look for the path on this machine's disk.
    pub(crate) fn delta(&self) -> Result<LogStoreRef> {
        let mut url = Url::parse("s3://lake--x-s3/").map_err(|error| LakeError::Internal(error.to_string()))?;
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.clear().extend(self.location.split('/')).push("");
        }
        let below = PrefixStore::new(Arc::clone(&self.store), self.path("")?);
        Ok(default_logstore(Arc::new(below), Arc::clone(&self.store), &url, &StorageConfig::default()))
    }

    /// Counts the rows of files whose writer left no count.
    async fn with_row_counts(&self, mut state: TableState) -> Result<TableState> {
        if state.files.iter().all(|file| file.n_rows.is_some()) {
            return Ok(state);
        }
        let files: Vec<_> = stream::iter(state.files.iter().cloned())
            .map(|file| self.counted(file))
            .buffered(READ_AHEAD)
            .try_collect()
            .await?;
        state.files = Arc::new(files);
        Ok(state)
    }

    async fn counted(&self, file: Arc<DataFile>) -> Result<Arc<DataFile>> {
        if file.n_rows.is_some() {
            return Ok(file);
        }
        let meta = self.store.head(&self.path(&file.path)?).await.map_err(LakeError::store("look up"))?;
        let footer = DFParquetMetadata::new(self.store.as_ref(), &meta).fetch_metadata().await?;
        Ok(Arc::new(DataFile {
            path: file.path.clone(),
            n_bytes: file.n_bytes,
            n_rows: u64::try_from(footer.file_metadata().num_rows()).ok(),
            modified_ms: file.modified_ms,
            stats: file.stats.clone(),
        }))
    }
}

impl Loaded {
    pub(crate) fn note_markers(&mut self, version: i64, actions: &Actions) {
        self.markers.extend(actions.txns.iter().map(|txn| (txn.app_id.clone(), version)));
    }
}

/// Reads the version from the name of a commit file.
fn version_in(name: &str) -> Option<i64> {
    let digits = name.strip_suffix(".json")?;
    (digits.len() == 20).then(|| digits.parse().ok()).flatten()
}
