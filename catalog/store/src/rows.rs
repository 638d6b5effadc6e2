//! From rows to the catalog's types, and words from and to its enumerations.

use causeway_model::{
    Column, Dataset, DatasetId, DatasetKind, DatasetVersion, Parameters, Run, RunId, RunKind, RunState, Step, StepId,
    StepState, TableName, VersionId,
};

use crate::connection::Row;
use crate::error::{Result, damaged};

pub(crate) fn dataset(row: &Row) -> Result<Dataset> {
    let policy: String = row.get("policy")?;
    Ok(Dataset {
        id: DatasetId(row.get("id")?),
        name: TableName { schema: row.get("schema_name")?, table: row.get("table_name")? },
        kind: word(row.get("kind")?, &DatasetKind::ALL, DatasetKind::name)?,
        location: row.get("location")?,
        view_sql: row.get("view_sql")?,
        policy: serde_json::from_str(&policy).map_err(|e| damaged(format!("policy of a dataset: {e}")))?,
        created_at: row.get("created_at")?,
        dropped_at: row.get("dropped_at")?,
    })
}

pub(crate) fn version(row: &Row) -> Result<DatasetVersion> {
    let columns: String = row.get("columns")?;
    let columns: Vec<Column> =
        serde_json::from_str(&columns).map_err(|e| damaged(format!("columns of a version: {e}")))?;
    Ok(DatasetVersion {
        id: VersionId(row.get("version_id")?),
        dataset: DatasetId(row.get("dataset_id")?),
        version: row.get("version")?,
        n_rows: row.get("n_rows")?,
        n_bytes: row.get("n_bytes")?,
        n_files: row.get("n_files")?,
        digest: row.get("digest")?,
        columns,
        step: row.get::<Option<i64>>("step_id")?.map(StepId),
        committed_at: row.get("committed_at")?,
    })
}

pub(crate) fn run(row: &Row) -> Result<Run> {
    Ok(Run {
        id: RunId(row.get("uuid")?),
        kind: word(row.get("kind")?, &RunKind::ALL, RunKind::name)?,
        pipeline: row.get("pipeline")?,
        pipeline_digest: row.get("pipeline_digest")?,
        state: word(row.get("state")?, &RunState::ALL, RunState::name)?,
        engine_version: row.get("engine_version")?,
        actor: row.get("actor")?,
        parameters: parameters(row)?,
        started_at: row.get("started_at")?,
        finished_at: row.get("finished_at")?,
    })
}

pub(crate) fn step(row: &Row) -> Result<Step> {
    Ok(Step {
        id: StepId(row.get("id")?),
        run: RunId(row.get("uuid")?),
        ordinal: row.get("ordinal")?,
        name: row.get("name")?,
        kind: row.get("kind")?,
        sql: row.get("sql")?,
        fingerprint: row.get("fingerprint")?,
        seed: row.get("seed")?,
        state: step_state(row.get("state")?)?,
        attempt: row.get("attempt")?,
        inputs: version_ids(row.get("inputs")?)?,
        outputs: version_ids(row.get("outputs")?)?,
        rows_in: row.get("rows_in")?,
        rows_out: row.get("rows_out")?,
        rows_quarantined: row.get("rows_quarantined")?,
        duration_ms: row.get("duration_ms")?,
        error_code: row.get("error_code")?,
        error: row.get("error")?,
        started_at: row.get("started_at")?,
        finished_at: row.get("finished_at")?,
    })
}

pub(crate) fn step_state(stored: &str) -> Result<StepState> {
    word(stored, &StepState::ALL, StepState::name)
}

/// Finds the value with this stored name.
pub(crate) fn word<T: Copy>(stored: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T> {
    let found = all.iter().copied().find(|value| name(*value) == stored);
    found.ok_or_else(|| damaged(format!("unknown word `{stored}`")))
}

/// Reads the values of a run or job.
pub(crate) fn parameters(row: &Row) -> Result<Parameters> {
    serde_json::from_str(row.get("parameters")?).map_err(|e| damaged(format!("parameters: {e}")))
}

fn version_ids(json: &str) -> Result<Vec<VersionId>> {
    serde_json::from_str(json).map_err(|e| damaged(format!("versions of a step: {e}")))
}
