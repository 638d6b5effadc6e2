//! The event itself: OpenLineage's `RunEvent`.

use serde::Serialize;

use crate::error::{OpenLineageError, Result};
use crate::facet::Facet;
use crate::facets::{
    Assertions, ColumnLineage, ErrorMessage, JobType, Nominal, OutputStatistics, Parent, ProcessingEngine, Schema, Sql,
    Symlinks, Version,
};
use crate::ids::EventId;
use crate::naming::DatasetName;

/// The schema of every event, as `schemaURL` has it.
pub const SCHEMA_URL: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// An event, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its identity.
    pub id: EventId,
    /// The JSON text, on one line without its end.
    pub body: String,
}

impl Event {
    pub(crate) fn new(id: EventId, event: &RunEvent) -> Result<Self> {
        let body = serde_json::to_string(event).map_err(|error| OpenLineageError::Internal(error.to_string()))?;
        Ok(Self { id, body })
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunEvent {
    pub(crate) event_type: &'static str,
    pub(crate) event_time: String,
    pub(crate) run: RunPart,
    pub(crate) job: JobPart,
    pub(crate) inputs: Vec<InputPart>,
    pub(crate) outputs: Vec<OutputPart>,
    pub(crate) producer: String,
    #[serde(rename = "schemaURL")]
    pub(crate) schema_url: &'static str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RunPart {
    pub(crate) run_id: String,
    pub(crate) facets: RunFacets,
}

#[derive(Debug, Serialize)]
pub(crate) struct RunFacets {
    pub(crate) processing_engine: Facet<ProcessingEngine>,
    #[serde(rename = "nominalTime", skip_serializing_if = "Option::is_none")]
    pub(crate) nominal_time: Option<Facet<Nominal>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parent: Option<Facet<Parent>>,
    #[serde(rename = "errorMessage", skip_serializing_if = "Option::is_none")]
    pub(crate) error_message: Option<Facet<ErrorMessage>>,
}

#[derive(Debug, Serialize)]
pub(crate) struct JobPart {
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) facets: JobFacets,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobFacets {
    pub(crate) job_type: Facet<JobType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sql: Option<Facet<Sql>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InputPart {
    #[serde(flatten)]
    pub(crate) name: DatasetName,
    pub(crate) facets: DatasetFacets,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) input_facets: Option<InputFacets>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OutputPart {
    #[serde(flatten)]
    pub(crate) name: DatasetName,
    pub(crate) facets: DatasetFacets,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output_facets: Option<OutputFacets>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DatasetFacets {
    pub(crate) schema: Facet<Schema>,
    pub(crate) version: Facet<Version>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) symlinks: Option<Facet<Symlinks>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) column_lineage: Option<Facet<ColumnLineage>>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InputFacets {
    pub(crate) data_quality_assertions: Facet<Assertions>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OutputFacets {
    pub(crate) output_statistics: Facet<OutputStatistics>,
}
