//! The actions of a commit, as the Delta protocol spells them. Unknown actions and fields are skipped.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::types::Marker;

/// Set on tables with identifying columns: their names, as a JSON list.
pub(crate) const IDENTIFYING: &str = "causeway.identifying";
/// Set by an erasure: versions below this one can no longer be read.
pub(crate) const ERASED_BEFORE: &str = "causeway.erased.before";
/// Set by an erasure: the request that erased last.
pub(crate) const ERASED_BY: &str = "causeway.erased.by";
/// The operation metric that holds how many rows a commit wrote.
pub(crate) const ROWS_METRIC: &str = "numAffectedRows";

/// One line of a commit file; one field is set.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Line {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commit_info: Option<CommitInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) protocol: Option<Protocol>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) meta_data: Option<Metadata>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) add: Option<Add>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) remove: Option<Remove>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) txn: Option<Txn>,
}

/// Who did what when. Holds no predicate and no value.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CommitInfo {
    pub(crate) timestamp: Option<i64>,
    pub(crate) operation: Option<String>,
    #[serde(default)]
    pub(crate) operation_parameters: BTreeMap<String, Value>,
    #[serde(default)]
    pub(crate) operation_metrics: BTreeMap<String, Value>,
    pub(crate) engine_info: Option<String>,
}

/// What a reader and a writer must understand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Protocol {
    pub(crate) min_reader_version: i32,
    pub(crate) min_writer_version: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reader_features: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) writer_features: Option<Vec<String>>,
}

/// The table's columns and properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Metadata {
    pub(crate) id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) format: Format,
    pub(crate) schema_string: String,
    #[serde(default)]
    pub(crate) partition_columns: Vec<String>,
    #[serde(default)]
    pub(crate) configuration: HashMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created_time: Option<i64>,
}

/// The format of data files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Format {
    pub(crate) provider: String,
    #[serde(default)]
    pub(crate) options: HashMap<String, String>,
}

impl Default for Format {
    fn default() -> Self {
        Self { provider: "parquet".to_owned(), options: HashMap::new() }
    }
}

/// A data file that becomes part of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Add {
    pub(crate) path: String,
    pub(crate) partition_values: HashMap<String, Option<String>>,
    pub(crate) size: u64,
    pub(crate) modification_time: i64,
    pub(crate) data_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) stats: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) deletion_vector: Option<Value>,
}

/// A data file that leaves the table. Carries no statistics.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Remove {
    pub(crate) path: String,
    pub(crate) deletion_timestamp: Option<i64>,
    pub(crate) data_change: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extended_file_metadata: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partition_values: Option<HashMap<String, Option<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
}

/// An application transaction: the marker of a write.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Txn {
    pub(crate) app_id: String,
    pub(crate) version: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_updated: Option<i64>,
}

impl Txn {
    pub(crate) fn new(marker: &Marker, now_ms: i64) -> Self {
        Self { app_id: marker.0.clone(), version: 1, last_updated: Some(now_ms) }
    }
}

/// The actions of one commit, sorted by kind.
#[derive(Debug, Default)]
pub(crate) struct Actions {
    pub(crate) info: Option<CommitInfo>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) metadata: Option<Metadata>,
    pub(crate) adds: Vec<Add>,
    pub(crate) removes: Vec<Remove>,
    pub(crate) txns: Vec<Txn>,
}

impl Actions {
    /// Reads a commit file.
    pub(crate) fn parse(bytes: &[u8]) -> serde_json::Result<Self> {
        let mut actions = Self::default();
        for line in serde_json::Deserializer::from_slice(bytes).into_iter::<Line>() {
            let line = line?;
            actions.info = actions.info.or(line.commit_info);
            actions.protocol = line.protocol.or(actions.protocol);
            actions.metadata = line.meta_data.or(actions.metadata);
            actions.adds.extend(line.add);
            actions.removes.extend(line.remove);
            actions.txns.extend(line.txn);
        }
        Ok(actions)
    }

    /// Writes a commit file.
    pub(crate) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let lines = self.lines().iter().map(serde_json::to_string).collect::<serde_json::Result<Vec<_>>>()?;
        Ok(lines.join("\n").into_bytes())
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines = vec![Line { commit_info: self.info.clone(), ..Line::default() }];
        lines.extend(self.protocol.iter().map(|it| Line { protocol: Some(it.clone()), ..Line::default() }));
        lines.extend(self.metadata.iter().map(|it| Line { meta_data: Some(it.clone()), ..Line::default() }));
        lines.extend(self.txns.iter().map(|it| Line { txn: Some(it.clone()), ..Line::default() }));
        lines.extend(self.removes.iter().map(|it| Line { remove: Some(it.clone()), ..Line::default() }));
        lines.extend(self.adds.iter().map(|it| Line { add: Some(it.clone()), ..Line::default() }));
        lines
    }

    /// Returns the rows that the commit says it wrote, else the rows of the files it added.
    pub(crate) fn rows_written(&self) -> u64 {
        let metric = self.info.as_ref().and_then(|info| info.operation_metrics.get(ROWS_METRIC));
        match metric {
            Some(Value::String(text)) => text.parse().unwrap_or(0),
            Some(number) => number.as_u64().unwrap_or(0),
            None => self.adds.iter().filter_map(|add| super::state::n_rows_in(add.stats.as_deref()?)).sum(),
        }
    }
}
