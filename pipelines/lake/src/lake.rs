//! The verbs.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::datatypes::SchemaRef;
use chrono::{DateTime, Utc};
use datafusion::execution::SendableRecordBatchStream;
use object_store::ObjectStore;

use crate::error::{LakeError, Result};
use crate::location;
use crate::log::actions::{Actions, Remove};
use crate::log::read::Log;
use crate::log::state::TableState;
use crate::properties;
use crate::schema::stored_schema;
use crate::snapshot::Snapshot;
use crate::store::{self, Root};
use crate::table::{Draft, Slot, Table, Tolerates};
use crate::types::{At, Commit, CommitCounts, LakeConfig, Marker, Rewrite, TableOptions};
use crate::write::Destination;

/// A lake: Delta tables below one root. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct Lake {
    inner: Arc<Inner>,
}

struct Inner {
    root: Root,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

impl std::fmt::Debug for Lake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lake").field("store", &self.inner.root.store.to_string()).finish_non_exhaustive()
    }
}

impl Lake {
    /// Opens the lake at `config.url`; a local folder is made if it is missing.
    ///
    /// # Errors
    /// [`LakeError::Config`] for a URL or setting that is not understood or not safe.
    pub fn open(config: &LakeConfig) -> Result<Self> {
        Ok(Self::of_root(store::open(config)?))
    }

    /// Opens a lake on a store whose root is the lake's root.
    ///
    /// # Errors
    /// [`LakeError::Internal`] if plans cannot name the store.
    pub fn on(store: Arc<dyn ObjectStore>) -> Result<Self> {
        let url = store::plan_url(&uuid::Uuid::now_v7().to_string())?;
        Ok(Self::of_root(Root { store, url }))
    }

    pub(crate) fn store(&self) -> &dyn ObjectStore {
        &*self.inner.root.store
    }

    pub(crate) fn of_root(root: Root) -> Self {
        Self { inner: Arc::new(Inner { root, slots: Mutex::default() }) }
    }

    /// Makes an empty table.
    ///
    /// # Errors
    /// [`LakeError::TableExists`], unless the table was made under the same marker;
    /// [`LakeError::UnsupportedType`] names the column and the cast that helps.
    pub async fn create(
        &self,
        location: &str,
        schema: SchemaRef,
        options: &TableOptions,
        marker: &Marker,
    ) -> Result<Commit> {
        let table = self.table(location)?;
        let _pass = table.enter().await?;
        if let Some(done) = table.committed(marker).await? {
            return Ok(done);
        }
        if table.latest().await?.is_some() {
            return Err(LakeError::TableExists { location: location.to_owned() });
        }
        let schema = stored_schema(&schema)?;
        let actions = properties::actions(location, &schema, options, None)?;
        let draft =
            Draft { operation: "CREATE TABLE", n_rows: 0, actions, tolerates: Tolerates::Nothing, behind_fence: false };
        table.commit(None, draft, marker).await
    }

    /// Says anew which columns identify a person. The rows stay; files written from now on keep those
    /// columns out of their statistics.
    ///
    /// # Errors
    /// [`LakeError::TableNotFound`]; [`LakeError::Conflict`] (retryable) if another writer committed
    /// since this call began.
    pub async fn declare(&self, location: &str, options: &TableOptions, marker: &Marker) -> Result<Commit> {
        let table = self.table(location)?;
        let _pass = table.enter().await?;
        let base = table.existing().await?;
        if let Some(done) = table.committed(marker).await? {
            return Ok(done);
        }
        let actions = properties::actions(location, &base.schema, options, Some(&base))?;
        let draft = Draft {
            operation: "SET TBLPROPERTIES",
            n_rows: 0,
            actions,
            tolerates: Tolerates::Nothing,
            behind_fence: false,
        };
        table.commit(Some(&base), draft, marker).await
    }

    /// Adds the rows of `partitions`, each written by a task of its own, in one commit.
    ///
    /// Columns are matched by name. Other appends at the same time do not disturb this one.
    ///
    /// # Errors
    /// [`LakeError::SchemaMismatch`], [`LakeError::NullNotAllowed`] or [`LakeError::OutOfRange`] if the
    /// rows do not fit; [`LakeError::Conflict`] if another writer changed the columns meanwhile.
    pub async fn append(
        &self,
        location: &str,
        partitions: Vec<SendableRecordBatchStream>,
        marker: &Marker,
    ) -> Result<Commit> {
        let table = self.table(location)?;
        let _pass = table.enter().await?;
        let base = table.existing().await?;
        if let Some(done) = table.committed(marker).await? {
            return Ok(done);
        }
        let files = Destination::new(&table.log, &base.schema, &base.identifying());
        let written = files.write(partitions).await?;
        let draft = Draft {
            operation: "WRITE",
            n_rows: written.n_rows,
            actions: Actions { adds: written.adds, ..Actions::default() },
            tolerates: Tolerates::Rows,
            behind_fence: false,
        };
        commit_or_discard(&table, Some(&base), draft, marker, &files).await
    }

    /// Replaces all rows, and the columns if `schema` differs, in one commit; makes a missing table.
    ///
    /// `operation` is what the log calls it, such as `CREATE OR REPLACE TABLE`.
    ///
    /// # Errors
    /// [`LakeError::Conflict`] (retryable) if another writer committed since this call began; the
    /// errors of [`Self::append`].
    pub async fn overwrite(
        &self,
        location: &str,
        partitions: Vec<SendableRecordBatchStream>,
        schema: SchemaRef,
        options: &TableOptions,
        operation: &'static str,
        marker: &Marker,
    ) -> Result<Commit> {
        let rewrite = Rewrite { schema, options: options.clone(), operation, base_version: None };
        self.overwrite_with(location, partitions, &rewrite, marker).await
    }

    /// Replaces all rows as `rewrite` says.
    ///
    /// For rows computed from the table itself (`UPDATE`, `MERGE`), set `rewrite.base_version` to the
    /// version they were computed from: a commit in between would be lost otherwise.
    ///
    /// # Errors
    /// As [`Self::overwrite`]; [`LakeError::Conflict`] also if the table is no longer at the base version.
    pub async fn overwrite_with(
        &self,
        location: &str,
        partitions: Vec<SendableRecordBatchStream>,
        rewrite: &Rewrite,
        marker: &Marker,
    ) -> Result<Commit> {
        let table = self.table(location)?;
        let _pass = table.enter().await?;
        if let Some(done) = table.committed(marker).await? {
            return Ok(done);
        }
        let base = table.latest().await?;
        let moved_on = |wanted| base.as_ref().is_none_or(|state| state.version != wanted);
        if rewrite.base_version.is_some_and(moved_on) {
            return Err(table.conflict("its rows"));
        }
        let schema = stored_schema(&rewrite.schema)?;
        let mut actions = properties::actions(location, &schema, &rewrite.options, base.as_deref())?;
        let files = Destination::new(&table.log, &schema, &rewrite.options.identifying);
        let written = files.write(partitions).await?;
        actions.removes = base.iter().flat_map(|state| removals(state)).collect();
        actions.adds = written.adds;
        let draft = Draft {
            operation: rewrite.operation,
            n_rows: written.n_rows,
            actions,
            tolerates: Tolerates::Nothing,
            behind_fence: false,
        };
        commit_or_discard(&table, base.as_deref(), draft, marker, &files).await
    }

    /// Returns the table at a version.
    ///
    /// # Errors
    /// [`LakeError::TableNotFound`], [`LakeError::VersionNotFound`], [`LakeError::BadTimestamp`], and
    /// [`LakeError::Erased`] for a version that held an erased subject.
    pub async fn snapshot_at(&self, location: &str, at: &At) -> Result<Snapshot> {
        let table = self.table(location)?;
        if let At::Recorded(version) = at
            && let Some(known) = table.slot.recorded(*version)
        {
            return Ok(known);
        }
        let state = match at {
            At::Latest => table.existing().await?,
            At::Version(version) | At::Recorded(version) => table.at(*version).await?,
            At::Timestamp(text) => {
                let instant = DateTime::parse_from_rfc3339(text)
                    .map_err(|_| LakeError::BadTimestamp { found: text.escape_default().to_string() })?;
                table.at(table.version_at(instant.with_timezone(&Utc)).await?).await?
            }
        };
        let snapshot = Snapshot::new(&self.inner.root, &table.log, state);
        if matches!(at, At::Recorded(_)) {
            table.slot.record(&snapshot);
        }
        Ok(snapshot)
    }

    /// Returns the rows that were added to a table after the version `since`, up to `until`. None if that is
    /// not all that has happened: rows were changed, taken away or written anew, or the columns are others.
    ///
    /// # Errors
    /// As [`Self::snapshot_at`], for each of the two versions.
    pub async fn added_between(&self, location: &str, since: i64, until: i64) -> Result<Option<Snapshot>> {
        let table = self.table(location)?;
        let (before, after) = (table.at(since).await?, table.at(until).await?);
        let added = after.added_since(&before);
        Ok(added.map(|added| Snapshot::new(&self.inner.root, &table.log, Arc::new(added))))
    }

    /// Returns the commit that carries `marker`; None if there is none or no table.
    ///
    /// A commit that a cancelled call of this process has sent is waited for.
    /// Commits that this process has seen are indexed. On a table loaded from a checkpoint the first
    /// miss reads all older commit files once. If erasure has expired the commit's file, the oldest
    /// version left stands in, with no rows written.
    ///
    /// # Errors
    /// [`LakeError::Store`] and [`LakeError::Damaged`].
    pub async fn committed(&self, location: &str, marker: &Marker) -> Result<Option<Commit>> {
        let table = self.table(location)?;
        table.settled().await;
        table.committed(marker).await
    }

    /// Counts the commits of this process, and how often one met another writer's.
    pub fn commit_counts(&self) -> CommitCounts {
        let slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.values().fold(CommitCounts::default(), |counts, slot| CommitCounts {
            commits: counts.commits + slot.n_commits.load(Ordering::Relaxed),
            conflicts: counts.conflicts + slot.n_conflicts.load(Ordering::Relaxed),
        })
    }

    pub(crate) fn table(&self, location: &str) -> Result<Table> {
        let path = location::parse(location)?;
        let mut slots = self.inner.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(slots.entry(path.to_string()).or_default());
        Ok(Table { log: Log { store: Arc::clone(&self.inner.root.store), location: path.as_ref().into() }, slot })
    }

    /// Returns the same lake as another process sees it.
    #[cfg(test)]
    pub(crate) fn without_memory(&self) -> Self {
        Self { inner: Arc::new(Inner { root: self.inner.root.clone(), slots: Mutex::default() }) }
    }

    pub(crate) fn root(&self) -> &Root {
        &self.inner.root
    }
}

/// Commits the files, or removes them if no commit of this call names them.
pub(crate) async fn commit_or_discard(
    table: &Table,
    base: Option<&TableState>,
    draft: Draft,
    marker: &Marker,
    files: &Destination,
) -> Result<Commit> {
    let names: Vec<String> = draft.actions.adds.iter().map(|add| add.path.clone()).collect();
    let outcome = table.commit(base, draft, marker).await;
    match &outcome {
        Ok(commit) if table.holds(commit.version, &names).await? => {}
        Ok(_) | Err(LakeError::Conflict { .. } | LakeError::Fenced { .. } | LakeError::Full { .. }) => {
            files.discard().await;
        }
        // The store may have taken the commit before it failed to say so: then the files are in use.
        Err(_) => {}
    }
    outcome
}

/// Removes every file of `state`.
pub(crate) fn removals(state: &TableState) -> Vec<Remove> {
    state.files.iter().map(|file| properties::removal(file)).collect()
}
