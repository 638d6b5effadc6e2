//! Erases a subject from a table: rows, old versions, log, and proof.
//!
//! ```text
//! fence ─> delete and rewrite ─> checkpoint ─> expire the log ─> remove files taken out ─> search all that is left
//! ```
//!
//! Each step can be repeated: an erasure that was interrupted goes on under the same marker. Only
//! files that a commit once referred to and the table no longer does are removed, never a file that
//! some writer has not committed yet.

mod search;
mod traces;

use datafusion::logical_expr::Expr;
use object_store::ObjectStoreExt as _;

pub use search::{Evidence, SearchedObject};

use crate::error::{LakeError, Result};
use crate::housekeeping::is_bookkeeping;
use crate::lake::Lake;
use crate::log::actions::{ERASED_BEFORE, ERASED_BY};
use crate::table::{Draft, FENCE, Table, Tolerates};
use crate::types::{Commit, Marker};

/// Says whom to erase. `Debug` shows the request only.
#[derive(Clone)]
pub struct Erasure {
    /// The request's id; the error of a version that can no longer be read names it.
    pub request: String,
    /// True for the subject's rows.
    pub rows: Expr,
    /// The column whose values identify the subject.
    pub column: String,
    /// The subject's values as text: the key, and other texts such as the name. Texts are searched
    /// everywhere, as whole words; numbers in `column` only.
    pub values: Vec<String>,
}

impl std::fmt::Debug for Erasure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Erasure").field("request", &self.request).field("subject", &"[redacted]").finish()
    }
}

/// What an erasure did, and what was found afterwards.
#[derive(Debug, Clone)]
pub struct ErasureEvidence {
    /// The commit that took the rows out. Versions below can no longer be read.
    pub commit: Commit,
    /// Commit files and checkpoints removed from the log.
    pub log_files_removed: u64,
    /// Data files removed.
    pub data_files_removed: u64,
    /// Every object left below the table, decoded and searched.
    pub search: Evidence,
    /// What the lake cannot see or do itself and someone has to check.
    pub open_actions: Vec<String>,
}

impl ErasureEvidence {
    /// Returns true if nothing of the subject was found in anything left.
    pub fn complete(&self) -> bool {
        self.search.hits == 0
    }
}

impl Lake {
    /// Erases a subject's rows from every version of a table and proves it.
    ///
    /// Writers of this process wait; writers of others are refused until the erasure ends. Readers
    /// of older versions fail: with [`LakeError::Erased`] when they open one, with a missing file
    /// when they had it open.
    ///
    /// # Errors
    /// [`LakeError::Fenced`] while another request erases from the same table; the errors of
    /// [`Self::delete`].
    pub async fn erase(&self, location: &str, erasure: &Erasure, marker: &Marker) -> Result<ErasureEvidence> {
        let table = self.table(location)?;
        let _alone = table.slot.fence.write().await;
        table.existing().await?;
        table.raise_fence(&erasure.request).await?;
        let outcome = self.erase_fenced(&table, erasure, marker).await;
        table.lower_fence().await?;
        outcome
    }

    async fn erase_fenced(&self, table: &Table, erasure: &Erasure, marker: &Marker) -> Result<ErasureEvidence> {
        let commit = self.take_out(table, erasure, marker).await?;
        table.checkpoint(commit.version).await?;
        // The files that old commits refer to are known only while those commits exist.
        let data_files_removed = table.remove_unreferenced().await?;
        let log_files_removed = table.expire_log(commit.version).await?;
        table.forget().await;
        let search = table.search(&erasure.column, &erasure.values).await?;
        tracing::info!(location = %table.log.location, version = commit.version, hits = search.hits, "subject erased");
        Ok(ErasureEvidence { commit, log_files_removed, data_files_removed, search, open_actions: self.open_actions() })
    }

    /// Commits the table without the subject's rows, and that older versions are closed.
    async fn take_out(&self, table: &Table, erasure: &Erasure, marker: &Marker) -> Result<Commit> {
        if let Some(done) = table.committed(marker).await? {
            return Ok(done);
        }
        let base = table.existing().await?;
        let mut plan = self.plan_delete(table, &base, &erasure.rows).await?;
        let mut metadata = base.metadata.as_ref().clone();
        metadata.configuration.insert(ERASED_BEFORE.to_owned(), (base.version + 1).to_string());
        metadata.configuration.insert(ERASED_BY.to_owned(), erasure.request.clone());
        plan.actions.metadata = Some(metadata);
        let draft = Draft {
            operation: "ERASE",
            n_rows: plan.n_rows,
            actions: plan.actions,
            tolerates: Tolerates::Nothing,
            behind_fence: true,
        };
        crate::lake::commit_or_discard(table, Some(&base), draft, marker, &plan.files).await
    }

    /// Decodes every object below a table and counts where a subject's values occur.
    ///
    /// Of `values`, texts are searched everywhere as whole words, numbers in `column` only.
    ///
    /// # Errors
    /// [`LakeError::Damaged`] if an object cannot be decoded: it cannot be shown to be clean.
    pub async fn search(&self, location: &str, column: &str, values: &[String]) -> Result<Evidence> {
        self.table(location)?.search(column, values).await
    }

    fn open_actions(&self) -> Vec<String> {
        let mut open = Vec::new();
        if self.root().store.to_string().contains("AmazonS3") {
            open.push(
                "check that the bucket has no versioning, object lock or replication: they keep removed objects"
                    .to_owned(),
            );
        }
        open
    }
}

impl Table {
    /// Closes the table to writers of other processes; an interrupted erasure may go on.
    async fn raise_fence(&self, request: &str) -> Result<()> {
        let path = self.log.path(FENCE)?;
        let ours = serde_json::json!({ "request": request }).to_string().into_bytes();
        if self.log.put_new(&path, ours.clone(), "raise the fence").await? {
            return Ok(());
        }
        match self.log.object(&path).await? {
            Some(found) if found == ours => Ok(()),
            _ => Err(LakeError::Fenced { location: self.log.location.to_string() }),
        }
    }

    async fn lower_fence(&self) -> Result<()> {
        self.log.store.delete(&self.log.path(FENCE)?).await.map_err(LakeError::store("lower the fence"))
    }

    /// Removes data files that older versions refer to and the newest one does not.
    async fn remove_unreferenced(&self) -> Result<u64> {
        let known = self.known_files().await?;
        let state = self.existing().await?;
        let mut removed = 0;
        for object in self.objects().await? {
            let name = self.name_below(&object);
            let in_use = state.files.iter().any(|file| file.path == name);
            if !is_bookkeeping(&name) && known.contains(&name) && !in_use {
                self.remove(&object).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes commits and checkpoints of versions below `version`.
    async fn expire_log(&self, version: i64) -> Result<u64> {
        let mut removed = 0;
        for object in self.objects().await? {
            let name = self.name_below(&object);
            let of_version = name.strip_prefix("_delta_log/").and_then(|name| name.get(..20)?.parse::<i64>().ok());
            if of_version.is_some_and(|found| found < version) {
                self.remove(&object).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
