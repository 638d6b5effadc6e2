//! Files that belong to no version, and tables that are dropped.

use std::collections::HashSet;

use futures::TryStreamExt as _;
use object_store::{ObjectMeta, ObjectStoreExt as _};

use crate::error::{LakeError, Result};
use crate::lake::Lake;
use crate::table::{FENCE, Table};

/// Files below a table that no version kept in its log refers to: a writer died before its commit,
/// or is still writing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Orphans {
    /// How many.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
}

impl Lake {
    /// Counts the files below a table that no version kept in its log refers to.
    ///
    /// Reads every commit file of the log and lists the table's folder.
    ///
    /// # Errors
    /// [`LakeError::TableNotFound`] and [`LakeError::Store`].
    pub async fn orphans(&self, location: &str) -> Result<Orphans> {
        let table = self.table(location)?;
        let known = table.known_files().await?;
        let mut orphans = Orphans::default();
        for object in table.objects().await? {
            let name = table.name_below(&object);
            if !is_bookkeeping(&name) && !known.contains(&name) {
                orphans.files += 1;
                orphans.bytes += object.size;
            }
        }
        Ok(orphans)
    }

    /// Removes a table with all its versions; false if there was none.
    ///
    /// Interrupted halfway, the call can be repeated: the log goes first, newest commit first.
    ///
    /// # Errors
    /// [`LakeError::Store`]; [`LakeError::Fenced`] while an erasure runs.
    pub async fn drop_table(&self, location: &str) -> Result<bool> {
        let table = self.table(location)?;
        let _alone = table.slot.fence.write().await;
        table.refuse_if_fenced().await?;
        let mut objects = table.objects().await?;
        objects.sort_by_key(|object| {
            let name = table.name_below(object);
            let rank = match name.strip_prefix("_delta_log/") {
                Some(log) if log.ends_with(".json") => 1,
                Some(_) => 0,
                None => 2,
            };
            (rank, std::cmp::Reverse(name))
        });
        for object in &objects {
            table.remove(object).await?;
        }
        table.forget().await;
        Ok(!objects.is_empty())
    }
}

/// Returns true for what is no data file.
pub(crate) fn is_bookkeeping(name: &str) -> bool {
    name.starts_with("_delta_log/") || name == FENCE
}

impl Table {
    /// Lists everything below the table.
    pub(crate) async fn objects(&self) -> Result<Vec<ObjectMeta>> {
        let folder = self.log.path("")?;
        self.log.store.list(Some(&folder)).try_collect().await.map_err(LakeError::store("list"))
    }

    /// Returns an object's path below the table.
    pub(crate) fn name_below(&self, object: &ObjectMeta) -> String {
        let path = object.location.as_ref();
        path.strip_prefix(&*self.log.location).unwrap_or(path).trim_start_matches('/').to_owned()
    }

    /// Removes an object; it may be gone already.
    pub(crate) async fn remove(&self, object: &ObjectMeta) -> Result<()> {
        match self.log.store.delete(&object.location).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(LakeError::Store { operation: "remove", source }),
        }
    }

    /// Returns the data files that any version kept in the log refers to.
    pub(crate) async fn known_files(&self) -> Result<HashSet<String>> {
        self.existing().await?;
        let versions = self.log.versions().await?;
        let mut known = HashSet::new();
        if let Some(oldest) = versions.first().filter(|oldest| **oldest > 0) {
            let loaded = self.log.load(Some(*oldest)).await?.ok_or_else(|| self.missing())?;
            known.extend(loaded.state.files.iter().map(|file| file.path.clone()));
        }
        for version in versions {
            let actions = self.log.commit(version).await?.unwrap_or_default();
            known.extend(actions.adds.into_iter().map(|add| add.path));
            known.extend(actions.removes.into_iter().map(|remove| remove.path));
        }
        Ok(known)
    }
}
