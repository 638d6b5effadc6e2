//! The state of a table at one version: what its log adds up to.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use deltalake::kernel::StructType;
use object_store::path::Path;

use super::actions::{Actions, Add, ERASED_BEFORE, ERASED_BY, IDENTIFYING, Metadata, Protocol};
use crate::error::{LakeError, Result};
use crate::schema;

/// Features that the lake reads and writes.
const KNOWN_FEATURES: [&str; 3] = ["timestampNtz", "appendOnly", "invariants"];

/// A data file of the table.
#[derive(Debug)]
pub(crate) struct DataFile {
    /// The path below the table, without URL encoding.
    pub(crate) path: String,
    pub(crate) n_bytes: u64,
    /// None: another writer left no count; the file's footer has it.
    pub(crate) n_rows: Option<u64>,
    pub(crate) modified_ms: i64,
    pub(crate) stats: Option<String>,
}

/// A table at one version.
#[derive(Debug, Clone)]
pub(crate) struct TableState {
    pub(crate) location: Arc<str>,
    pub(crate) version: i64,
    pub(crate) timestamp_ms: i64,
    pub(crate) protocol: Arc<Protocol>,
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) schema: SchemaRef,
    pub(crate) files: Arc<Vec<Arc<DataFile>>>,
}

/// Reads the row count of a file's statistics.
pub(crate) fn n_rows_in(stats: &str) -> Option<u64> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Count {
        num_records: Option<u64>,
    }
    serde_json::from_str::<Count>(stats).ok()?.num_records
}

impl DataFile {
    pub(crate) fn from_add(location: &str, add: &Add) -> Result<Self> {
        if add.deletion_vector.as_ref().is_some_and(|vector| !vector.is_null()) {
            return Err(LakeError::UnsupportedTable {
                location: location.to_owned(),
                feature: "deletionVectors".to_owned(),
            });
        }
        Ok(Self {
            path: decoded(location, &add.path)?,
            n_bytes: add.size,
            n_rows: add.stats.as_deref().and_then(n_rows_in),
            modified_ms: add.modification_time,
            stats: add.stats.clone(),
        })
    }
}

/// Undoes the URL encoding of a path in the log; a path outside the table is refused.
fn decoded(location: &str, path: &str) -> Result<String> {
    if path.contains("://") || path.starts_with('/') {
        return Err(LakeError::UnsupportedTable {
            location: location.to_owned(),
            feature: "data files outside the table".to_owned(),
        });
    }
    let path = Path::from_url_path(path).map_err(|error| LakeError::damaged(location, error))?;
    Ok(path.to_string())
}

impl TableState {
    /// Builds the first known state of a table.
    pub(crate) fn new(location: &str, version: i64, actions: &Actions) -> Result<Self> {
        let missing = |what| LakeError::damaged(location, format!("version {version} has no {what}"));
        let protocol = actions.protocol.clone().ok_or_else(|| missing("protocol"))?;
        let metadata = actions.metadata.clone().ok_or_else(|| missing("metadata"))?;
        let state = Self {
            location: location.into(),
            version: version - 1,
            timestamp_ms: 0,
            schema: columns(location, &metadata)?,
            protocol: Arc::new(protocol),
            metadata: Arc::new(metadata),
            files: Arc::default(),
        };
        state.next(actions)
    }

    /// Applies the commit that follows this state.
    pub(crate) fn next(&self, actions: &Actions) -> Result<Self> {
        let mut next = self.clone();
        next.version += 1;
        if let Some(metadata) = &actions.metadata {
            next.schema = columns(&self.location, metadata)?;
            next.metadata = Arc::new(metadata.clone());
        }
        if let Some(protocol) = &actions.protocol {
            next.protocol = Arc::new(protocol.clone());
        }
        next.check_features()?;
        next.timestamp_ms = actions.info.as_ref().and_then(|info| info.timestamp).unwrap_or(self.timestamp_ms);
        if !actions.adds.is_empty() || !actions.removes.is_empty() {
            next.files = Arc::new(self.files_after(actions)?);
        }
        Ok(next)
    }

    fn files_after(&self, actions: &Actions) -> Result<Vec<Arc<DataFile>>> {
        let added =
            actions.adds.iter().map(|add| DataFile::from_add(&self.location, add)).collect::<Result<Vec<_>>>()?;
        let mut gone: HashMap<String, ()> = added.iter().map(|file| (file.path.clone(), ())).collect();
        for remove in &actions.removes {
            gone.insert(decoded(&self.location, &remove.path)?, ());
        }
        let kept = self.files.iter().filter(|file| !gone.contains_key(&file.path)).cloned();
        Ok(kept.chain(added.into_iter().map(Arc::new)).collect())
    }

    /// Refuses what another writer may have switched on and the lake would get wrong.
    fn check_features(&self) -> Result<()> {
        let refuse = |feature: &str| {
            Err(LakeError::UnsupportedTable { location: self.location.to_string(), feature: feature.to_owned() })
        };
        let protocol = &self.protocol;
        let listed = protocol.reader_features.iter().chain(&protocol.writer_features).flatten();
        if let Some(unknown) = listed.into_iter().find(|feature| !KNOWN_FEATURES.contains(&feature.as_str())) {
            return refuse(unknown);
        }
        if protocol.min_reader_version > 3 || (3..7).contains(&protocol.min_writer_version) {
            return refuse("a newer protocol version");
        }
        let mapping = self.metadata.configuration.get("delta.columnMapping.mode");
        if mapping.is_some_and(|mode| mode != "none") {
            return refuse("columnMapping");
        }
        if !self.metadata.partition_columns.is_empty() {
            return refuse("partitioning");
        }
        Ok(())
    }

    /// Returns this version with only the files that an earlier one lacks, if it still has all files of that
    /// one. A file is never changed, so its rows are all that was added.
    pub(crate) fn added_since(&self, before: &Self) -> Option<Self> {
        let old: HashSet<&str> = before.files.iter().map(|file| file.path.as_str()).collect();
        let (kept, added): (Vec<_>, Vec<_>) =
            self.files.iter().cloned().partition(|file| old.contains(file.path.as_str()));
        let is_grown =
            kept.len() == before.files.len() && self.schema == before.schema && self.version >= before.version;
        is_grown.then(|| Self { files: Arc::new(added), ..self.clone() })
    }

    /// Returns the rows of the table; files without a count have been counted on loading.
    pub(crate) fn n_rows(&self) -> u64 {
        self.files.iter().filter_map(|file| file.n_rows).sum()
    }

    pub(crate) fn n_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.n_bytes).sum()
    }

    pub(crate) fn n_files(&self) -> u64 {
        self.files.len() as u64
    }

    /// Returns the columns whose values stay out of the log.
    pub(crate) fn identifying(&self) -> Vec<String> {
        let list = self.metadata.configuration.get(IDENTIFYING);
        list.and_then(|list| serde_json::from_str(list).ok()).unwrap_or_default()
    }

    /// Refuses a version that held an erased subject.
    pub(crate) fn check_not_erased(&self, version: i64) -> Result<()> {
        let configuration = &self.metadata.configuration;
        let before: Option<i64> = configuration.get(ERASED_BEFORE).and_then(|text| text.parse().ok());
        if before.is_some_and(|before| version < before) {
            let request = configuration.get(ERASED_BY).cloned().unwrap_or_default();
            return Err(LakeError::Erased { location: self.location.to_string(), version, request });
        }
        Ok(())
    }
}

fn columns(location: &str, metadata: &Metadata) -> Result<SchemaRef> {
    let columns: StructType =
        serde_json::from_str(&metadata.schema_string).map_err(|error| LakeError::damaged(location, error))?;
    schema::from_delta(&columns)
}
