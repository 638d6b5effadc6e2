//! The actions that give a table its columns and properties.

use std::collections::HashMap;

use arrow::datatypes::{DataType, Schema};
use chrono::Utc;

use crate::error::{LakeError, Result};
use crate::log::actions::{Actions, ERASED_BEFORE, ERASED_BY, Format, IDENTIFYING, Metadata, Protocol, Remove};
use crate::log::state::{DataFile, TableState};
use crate::schema::to_delta;
use crate::types::TableOptions;

/// Columns with statistics, by name: foreign writers then keep identifying ones out, too.
const STATISTICS_COLUMNS: &str = "delta.dataSkippingStatsColumns";
/// Foreign writers keep no statistics at all: every column is identifying.
const STATISTICS_COUNT: &str = "delta.dataSkippingNumIndexedCols";

/// Returns protocol and metadata for a new table, or what has to change of `base`.
pub(crate) fn actions(
    location: &str,
    schema: &Schema,
    options: &TableOptions,
    base: Option<&TableState>,
) -> Result<Actions> {
    let mut metadata = Metadata {
        id: base.map_or_else(|| uuid::Uuid::new_v4().to_string(), |state| state.metadata.id.clone()),
        name: None,
        description: None,
        format: Format::default(),
        schema_string: schema_string(schema)?,
        partition_columns: Vec::new(),
        configuration: configuration(location, schema, options)?,
        created_time: Some(Utc::now().timestamp_millis()),
    };
    let mut protocol = protocol(schema);
    if let Some(state) = base {
        let kept =
            state.metadata.configuration.iter().filter(|(key, _)| [ERASED_BEFORE, ERASED_BY].contains(&key.as_str()));
        metadata.configuration.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
        metadata.created_time = state.metadata.created_time;
        if protocol.min_reader_version < state.protocol.min_reader_version {
            protocol = state.protocol.as_ref().clone();
        }
    }
    let changed_metadata = base.is_none_or(|state| *state.metadata != metadata);
    let changed_protocol = base.is_none_or(|state| *state.protocol != protocol);
    Ok(Actions {
        protocol: changed_protocol.then_some(protocol),
        metadata: changed_metadata.then_some(metadata),
        ..Actions::default()
    })
}

fn schema_string(schema: &Schema) -> Result<String> {
    serde_json::to_string(&to_delta(schema)?).map_err(|error| LakeError::Internal(error.to_string()))
}

fn configuration(location: &str, schema: &Schema, options: &TableOptions) -> Result<HashMap<String, String>> {
    let identifying = &options.identifying;
    if let Some(unknown) = identifying.iter().find(|name| schema.index_of(name).is_err()) {
        return Err(LakeError::SchemaMismatch {
            location: location.to_owned(),
            detail: format!("there is no column `{unknown}` that could be identifying"),
        });
    }
    if identifying.is_empty() {
        return Ok(HashMap::new());
    }
    let names = serde_json::to_string(identifying).map_err(|error| LakeError::Internal(error.to_string()))?;
    let open: Vec<String> = schema
        .fields()
        .iter()
        .filter(|field| !identifying.contains(field.name()))
        .map(|field| quoted(field.name()))
        .collect();
    let statistics = if open.is_empty() {
        (STATISTICS_COUNT.to_owned(), "0".to_owned())
    } else {
        (STATISTICS_COLUMNS.to_owned(), open.join(","))
    };
    Ok([(IDENTIFYING.to_owned(), names), statistics].into())
}

/// Quotes a column name where the property's list needs it.
fn quoted(name: &str) -> String {
    let plain =
        name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit());
    if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

/// Returns the least protocol that can hold the columns.
fn protocol(schema: &Schema) -> Protocol {
    if !schema.fields().iter().any(|field| holds_local_time(field.data_type())) {
        return Protocol { min_reader_version: 1, min_writer_version: 2, reader_features: None, writer_features: None };
    }
    let feature = || Some(vec!["timestampNtz".to_owned()]);
    Protocol { min_reader_version: 3, min_writer_version: 7, reader_features: feature(), writer_features: feature() }
}

/// Timestamps without a zone need a table feature of their own.
fn holds_local_time(data_type: &DataType) -> bool {
    match data_type {
        DataType::Timestamp(_, None) => true,
        DataType::List(item) | DataType::Map(item, _) => holds_local_time(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| holds_local_time(field.data_type())),
        _ => false,
    }
}

/// Returns the action that takes `file` out of the table.
pub(crate) fn removal(file: &DataFile) -> Remove {
    Remove {
        path: encoded(&file.path),
        deletion_timestamp: Some(Utc::now().timestamp_millis()),
        data_change: true,
        extended_file_metadata: Some(true),
        partition_values: Some(HashMap::new()),
        size: Some(file.n_bytes),
    }
}

/// Encodes a path as the log wants it. The lake's own names need no encoding.
fn encoded(path: &str) -> String {
    path.replace('%', "%25").replace(' ', "%20")
}
