//! The bodies of the facets, field by field as their schemas have them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::facet::{self, Body, FacetKind};
use crate::naming::DatasetName;

macro_rules! kinds {
    ($($body:ty => $kind:path),+ $(,)?) => { $(impl Body for $body { const KIND: FacetKind = $kind; })+ };
}

kinds! {
    ProcessingEngine => facet::PROCESSING_ENGINE,
    Nominal => facet::NOMINAL_TIME,
    Parent => facet::PARENT,
    ErrorMessage => facet::ERROR_MESSAGE,
    JobType => facet::JOB_TYPE,
    Sql => facet::SQL,
    Schema => facet::SCHEMA,
    Version => facet::VERSION,
    Symlinks => facet::SYMLINKS,
    ColumnLineage => facet::COLUMN_LINEAGE,
    Assertions => facet::ASSERTIONS,
    OutputStatistics => facet::OUTPUT_STATISTICS,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProcessingEngine {
    pub(crate) version: String,
    pub(crate) name: &'static str,
    #[serde(rename = "openlineageAdapterVersion")]
    pub(crate) adapter_version: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Nominal {
    pub(crate) nominal_start_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) nominal_end_time: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Parent {
    pub(crate) run: ParentRun,
    pub(crate) job: ParentJob,
    /// The same as the parent: a step's run is one below.
    pub(crate) root: Root,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Root {
    pub(crate) run: ParentRun,
    pub(crate) job: ParentJob,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ParentRun {
    pub(crate) run_id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ParentJob {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ErrorMessage {
    pub(crate) message: String,
    pub(crate) programming_language: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobType {
    pub(crate) processing_type: &'static str,
    pub(crate) integration: &'static str,
    pub(crate) job_type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Sql {
    pub(crate) query: String,
    pub(crate) dialect: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Schema {
    pub(crate) fields: Vec<SchemaField>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct SchemaField {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) data_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    pub(crate) ordinal_position: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Version {
    pub(crate) dataset_version: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Symlinks {
    pub(crate) identifiers: [Identifier; 1],
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Identifier {
    pub(crate) namespace: String,
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct ColumnLineage {
    /// By output column.
    pub(crate) fields: BTreeMap<String, ColumnOrigins>,
    /// What concerns the whole output.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) dataset: Vec<InputField>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ColumnOrigins {
    pub(crate) input_fields: Vec<InputField>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transformation_description: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct InputField {
    #[serde(flatten)]
    pub(crate) dataset: DatasetName,
    pub(crate) field: String,
    pub(crate) transformations: Vec<Transformation>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Transformation {
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) subtype: &'static str,
    pub(crate) masking: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Assertions {
    pub(crate) assertions: [Assertion; 1],
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Assertion {
    pub(crate) assertion: &'static str,
    pub(crate) success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) severity: Option<&'static str>,
    pub(crate) name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_type: Option<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OutputStatistics {
    pub(crate) row_count: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_count: Option<i64>,
}
