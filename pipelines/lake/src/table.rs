//! One table: its newest known state, its markers, and the commit loop.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;
use tokio::sync::{Mutex, RwLock, RwLockReadGuard};

use crate::error::{LakeError, Result};
use crate::log::actions::{Actions, CommitInfo, ROWS_METRIC, Txn};
use crate::log::read::{Loaded, Log};
use crate::log::state::TableState;
use crate::snapshot::Snapshot;
use crate::types::{Commit, Marker};

/// How often an append tries again behind other writers.
const ATTEMPTS: u32 = 100;
/// A checkpoint is written after each this many commits.
const CHECKPOINT_EVERY: i64 = 64;
/// The object that closes a table to writers while it is erased from.
pub(crate) const FENCE: &str = "_causeway_fence.json";

/// What all handles of one table in this process share.
#[derive(Default)]
pub(crate) struct Slot {
    head: Mutex<Option<Loaded>>,
    /// The version last asked for as the newest on record.
    recorded: std::sync::Mutex<Option<Snapshot>>,
    /// Writers share it; an erasure has it alone.
    pub(crate) fence: RwLock<()>,
    /// Shared by commits on their way to the store.
    commits: Arc<RwLock<()>>,
    /// Commits of this process.
    pub(crate) n_commits: AtomicU64,
    /// How often one found that another writer had been faster.
    pub(crate) n_conflicts: AtomicU64,
}

impl Slot {
    /// Returns the version last asked for as the newest on record, if it is this one.
    pub(crate) fn recorded(&self, version: i64) -> Option<Snapshot> {
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.as_ref().filter(|snapshot| snapshot.version() == version).cloned()
    }

    pub(crate) fn record(&self, snapshot: &Snapshot) {
        *self.recorded.lock().unwrap_or_else(PoisonError::into_inner) = Some(snapshot.clone());
    }

    fn forget_recorded(&self) {
        *self.recorded.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// A table of the lake.
pub(crate) struct Table {
    pub(crate) log: Log,
    pub(crate) slot: Arc<Slot>,
}

/// What a commit tolerates between reading the table and writing the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tolerates {
    /// Other writers' rows, but no change of columns or properties.
    Rows,
    /// Nothing.
    Nothing,
}

/// A commit that has not found its version yet.
pub(crate) struct Draft {
    pub(crate) operation: &'static str,
    pub(crate) n_rows: u64,
    pub(crate) actions: Actions,
    pub(crate) tolerates: Tolerates,
    /// An erasure commits behind its own fence.
    pub(crate) behind_fence: bool,
}

impl Table {
    /// Lets a writer in, unless an erasure runs here or in another process.
    pub(crate) async fn enter(&self) -> Result<RwLockReadGuard<'_, ()>> {
        let pass = self.slot.fence.read().await;
        self.refuse_if_fenced().await?;
        Ok(pass)
    }

    pub(crate) async fn refuse_if_fenced(&self) -> Result<()> {
        if self.log.exists(&self.log.path(FENCE)?).await? {
            return Err(LakeError::Fenced { location: self.log.location.to_string() });
        }
        Ok(())
    }

    /// Returns the newest state; None if there is no table.
    ///
    /// A warm call costs two look-ups: the next commit file must be missing and the last one present.
    pub(crate) async fn latest(&self) -> Result<Option<Arc<TableState>>> {
        let mut head = self.slot.head.lock().await;
        self.advance(&mut head).await?;
        Ok(head.as_ref().map(|loaded| Arc::new(loaded.state.clone())))
    }

    /// Returns the newest state of a table that must exist.
    pub(crate) async fn existing(&self) -> Result<Arc<TableState>> {
        self.latest().await?.ok_or_else(|| self.missing())
    }

    pub(crate) fn missing(&self) -> LakeError {
        LakeError::TableNotFound { location: self.log.location.to_string() }
    }

    /// Forgets the state: the table's files have been removed.
    pub(crate) async fn forget(&self) {
        self.slot.forget_recorded();
        *self.slot.head.lock().await = None;
    }

    async fn advance(&self, head: &mut Option<Loaded>) -> Result<()> {
        if let Some(loaded) = head {
            let known = loaded.state.version;
            if let Some(next) = self.log.commit(known + 1).await? {
                loaded.state = loaded.state.next(&next)?;
                loaded.note_markers(known + 1, &next);
                return self.log.replay(loaded, None).await;
            }
            if self.log.exists(&self.log.commit_path(known)?).await? {
                return Ok(());
            }
        }
        *head = self.log.load(None).await?;
        Ok(())
    }

    /// Returns the state at `version`.
    pub(crate) async fn at(&self, version: i64) -> Result<Arc<TableState>> {
        let latest = self.existing().await?;
        if version == latest.version {
            return Ok(latest);
        }
        latest.check_not_erased(version)?;
        if version < 0 || version > latest.version {
            return Err(self.log.no_version(version, latest.version));
        }
        match self.log.load(Some(version)).await {
            Ok(loaded) => Ok(Arc::new(loaded.ok_or_else(|| self.missing())?.state)),
            // Another program may have expired the beginning of the log.
            Err(error) => match self.log.versions().await?.first() {
                Some(&oldest) if version < oldest => Err(self.log.no_version(version, latest.version)),
                _ => Err(error),
            },
        }
    }

    /// Returns the newest version whose commit is not younger than `instant`.
    ///
    /// Commit times are the writers' clocks, made increasing by the commit loop; the search reads
    /// about log2(versions) commits.
    pub(crate) async fn version_at(&self, instant: DateTime<Utc>) -> Result<i64> {
        let latest = self.existing().await?;
        let versions = self.log.versions().await?;
        let (mut low, mut high) = (0, versions.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.commit_time(versions[middle]).await? <= instant.timestamp_millis() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let found = low.checked_sub(1).map(|index| versions[index]);
        found.ok_or_else(|| self.log.no_version(format!("at or before {instant}"), latest.version))
    }

    async fn commit_time(&self, version: i64) -> Result<i64> {
        let actions = self.log.commit(version).await?.unwrap_or_default();
        Ok(actions.info.and_then(|info| info.timestamp).unwrap_or(0))
    }

    /// Returns the commit that carries `marker`; None if there is none, or no table.
    pub(crate) async fn committed(&self, marker: &Marker) -> Result<Option<Commit>> {
        let Some(version) = self.version_of(marker).await? else { return Ok(None) };
        let latest = self.existing().await?;
        // A commit before an erasure cannot be described any more; its marker still counts.
        let state = match self.at(version).await {
            Err(LakeError::Erased { .. }) => latest,
            other => other?,
        };
        let rows = self.log.commit(version).await?.map_or(0, |actions| actions.rows_written());
        Ok(Some(Commit { version, ..describe(&state, rows) }))
    }

    /// Finds the version that carries `marker`.
    ///
    /// Commits seen by this process are indexed. The first miss on a table that was loaded from a
    /// checkpoint reads all older commit files once. Where the log has expired, the checkpoint is
    /// asked, and the oldest version left is returned.
    async fn version_of(&self, marker: &Marker) -> Result<Option<i64>> {
        let mut head = self.slot.head.lock().await;
        self.advance(&mut head).await?;
        let Some(loaded) = head.as_mut() else { return Ok(None) };
        if !loaded.markers.contains_key(&marker.0) && loaded.covered_from > 0 {
            self.index_older_markers(loaded, marker).await?;
        }
        Ok(loaded.markers.get(&marker.0).copied())
    }

    async fn index_older_markers(&self, loaded: &mut Loaded, marker: &Marker) -> Result<()> {
        let versions = self.log.versions().await?;
        let oldest = versions.first().copied().unwrap_or(loaded.state.version);
        let unread: Vec<i64> = versions.into_iter().filter(|version| *version < loaded.covered_from).collect();
        let read = |version| async move { Ok::<_, LakeError>((version, self.log.commit(version).await?)) };
        let mut commits = stream::iter(unread).map(read).buffered(16);
        while let Some((version, actions)) = commits.try_next().await? {
            for txn in actions.unwrap_or_default().txns {
                loaded.markers.entry(txn.app_id).or_insert(version);
            }
        }
        loaded.covered_from = loaded.covered_from.min(oldest);
        if oldest > 0 && !loaded.markers.contains_key(&marker.0) {
            let snapshot = self.log.snapshot(loaded.state.version).await?;
            let found = snapshot.transaction_version(self.log.delta()?.as_ref(), &marker.0).await;
            if found.map_err(|error| LakeError::damaged(&self.log.location, error))?.is_some() {
                loaded.markers.insert(marker.0.clone(), oldest);
            }
        }
        Ok(())
    }

    /// Commits `draft`, computed from `base`, under the next free version.
    ///
    /// If the marker is found in the log meanwhile, that commit is returned and nothing is written.
    pub(crate) async fn commit(&self, base: Option<&TableState>, mut draft: Draft, marker: &Marker) -> Result<Commit> {
        for attempt in 0..ATTEMPTS {
            let latest = self.latest().await?;
            if let Some(done) = self.committed(marker).await? {
                return Ok(done);
            }
            self.check_tolerable(base, latest.as_deref(), draft.tolerates)?;
            if !draft.behind_fence {
                self.refuse_if_fenced().await?;
            }
            let version = latest.as_ref().map_or(0, |state| state.version + 1);
            draft.sign(marker, latest.as_deref());
            if self.put(version, &draft.actions).await? {
                self.slot.n_commits.fetch_add(1, Ordering::Relaxed);
                return self.publish(version, &draft).await;
            }
            self.slot.n_conflicts.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(20)))).await;
        }
        Err(self.conflict("too many writers at once"))
    }

    /// Puts a commit into the log, in a task of its own: a store goes on with what it was given when
    /// nobody waits for it any more.
    async fn put(&self, version: i64, actions: &Actions) -> Result<bool> {
        let pass = Arc::clone(&self.slot.commits).read_owned().await;
        let (log, bytes) =
            (self.log.clone(), actions.to_bytes().map_err(|error| LakeError::Internal(error.to_string()))?);
        let put = tokio::spawn(async move {
            let _pass = pass;
            causeway_failpoints::at("before_commit");
            let is_new = log.put(version, bytes).await?;
            if is_new && causeway_failpoints::fails_at("after_commit") {
                let source = std::io::Error::other("the answer is lost").into();
                return Err(LakeError::store("commit")(object_store::Error::Generic { store: "failpoint", source }));
            }
            Ok(is_new)
        });
        put.await.map_err(LakeError::ended("the commit"))?
    }

    /// Waits until the store has answered the commits that are on their way to it from this process.
    pub(crate) async fn settled(&self) {
        drop(self.slot.commits.write().await);
    }

    fn check_tolerable(
        &self,
        base: Option<&TableState>,
        latest: Option<&TableState>,
        tolerates: Tolerates,
    ) -> Result<()> {
        match (base, latest) {
            (None, None) => Ok(()),
            (Some(base), Some(latest)) if base.version == latest.version => Ok(()),
            (Some(base), Some(latest)) if tolerates == Tolerates::Rows => {
                let same = base.metadata == latest.metadata && base.protocol == latest.protocol;
                if same { Ok(()) } else { Err(self.conflict("its columns or properties")) }
            }
            (None, Some(_)) => Err(self.conflict("it was created")),
            _ => Err(self.conflict("its rows")),
        }
    }

    /// Returns true if the commit of `version` added all files of `names`.
    pub(crate) async fn holds(&self, version: i64, names: &[String]) -> Result<bool> {
        if names.is_empty() {
            return Ok(true);
        }
        let added = self.log.commit(version).await?.unwrap_or_default().adds;
        Ok(names.iter().all(|name| added.iter().any(|add| add.path == *name)))
    }

    /// Counts a conflict that cannot be resolved here, and says what it is.
    pub(crate) fn conflict(&self, detail: &'static str) -> LakeError {
        self.slot.n_conflicts.fetch_add(1, Ordering::Relaxed);
        LakeError::Conflict { location: self.log.location.to_string(), detail }
    }

    /// Makes the own commit the newest known state and describes it.
    async fn publish(&self, version: i64, draft: &Draft) -> Result<Commit> {
        let state = self.publish_state(version, &draft.actions).await?;
        tracing::info!(location = %self.log.location, version, operation = draft.operation, "table committed");
        if version > 0 && version % CHECKPOINT_EVERY == 0 {
            // The commit stands without its checkpoint; the next one is tried later.
            if let Err(error) = self.checkpoint(version).await {
                tracing::warn!(location = %self.log.location, version, %error, "checkpoint not written");
            }
        }
        Ok(describe(&state, draft.n_rows))
    }

    async fn publish_state(&self, version: i64, actions: &Actions) -> Result<TableState> {
        let mut head = self.slot.head.lock().await;
        match head.as_mut() {
            Some(loaded) if loaded.state.version == version - 1 => {
                loaded.state = loaded.state.next(actions)?;
                loaded.note_markers(version, actions);
                Ok(loaded.state.clone())
            }
            None if version == 0 => {
                let state = TableState::new(&self.log.location, 0, actions)?;
                let mut loaded = Loaded { state: state.clone(), markers: HashMap::new(), covered_from: 0 };
                loaded.note_markers(0, actions);
                *head = Some(loaded);
                Ok(state)
            }
            // A reader of this process was quicker and knows the commit already.
            _ => {
                drop(head);
                Ok(self.at(version).await?.as_ref().clone())
            }
        }
    }

    /// Writes a checkpoint of `version`.
    pub(crate) async fn checkpoint(&self, version: i64) -> Result<()> {
        let wanted = u64::try_from(version).map_err(|_| self.log.no_version(version, 0))?;
        let failed = |error: deltalake::DeltaTableError| LakeError::damaged(&self.log.location, error);
        let mut table = deltalake::DeltaTable::new(self.log.delta()?);
        table.load_version(wanted).await.map_err(failed)?;
        deltalake::checkpoints::create_checkpoint(&table, None).await.map_err(failed)
    }
}

impl Draft {
    /// Adds the marker and who did what when; commit times increase from version to version.
    fn sign(&mut self, marker: &Marker, latest: Option<&TableState>) {
        let now = Utc::now().timestamp_millis().max(latest.map_or(0, |state| state.timestamp_ms + 1));
        self.actions.txns = vec![Txn::new(marker, now)];
        self.actions.info = Some(CommitInfo {
            timestamp: Some(now),
            operation: Some(self.operation.to_owned()),
            operation_metrics: [(ROWS_METRIC.to_owned(), Value::String(self.n_rows.to_string()))].into(),
            engine_info: Some(concat!("causeway/", env!("CARGO_PKG_VERSION")).to_owned()),
            ..CommitInfo::default()
        });
    }
}

/// Describes a version for the caller.
pub(crate) fn describe(state: &TableState, rows_written: u64) -> Commit {
    Commit {
        version: state.version,
        rows_written,
        n_rows: state.n_rows(),
        n_bytes: state.n_bytes(),
        n_files: state.n_files(),
        schema: Arc::clone(&state.schema),
    }
}
