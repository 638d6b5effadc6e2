//! From rows to the catalog's types, and words from and to its enumerations.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use causeway_model::{
    Column, Dataset, DatasetId, DatasetKind, DatasetVersion, Run, RunId, RunKind, RunState, Step, StepId, StepState,
    TableName, VersionId,
};

use crate::error::{Result, damaged};

pub(super) fn dataset(row: &SqliteRow) -> Result<Dataset> {
    let policy: String = row.try_get("policy")?;
    Ok(Dataset {
        id: DatasetId(row.try_get("id")?),
        name: TableName { schema: row.try_get("schema_name")?, table: row.try_get("table_name")? },
        kind: word(row.try_get("kind")?, &DatasetKind::ALL, DatasetKind::name)?,
        location: row.try_get("location")?,
        view_sql: row.try_get("view_sql")?,
        policy: serde_json::from_str(&policy).map_err(|e| damaged(format!("policy of a dataset: {e}")))?,
        created_at: row.try_get("created_at")?,
        dropped_at: row.try_get("dropped_at")?,
    })
}

pub(super) fn version(row: &SqliteRow) -> Result<DatasetVersion> {
    let columns: String = row.try_get("columns")?;
    let columns: Vec<Column> =
        serde_json::from_str(&columns).map_err(|e| damaged(format!("columns of a version: {e}")))?;
    Ok(DatasetVersion {
        id: VersionId(row.try_get("id")?),
        dataset: DatasetId(row.try_get("dataset_id")?),
        version: row.try_get("version")?,
        n_rows: row.try_get("n_rows")?,
        n_bytes: row.try_get("n_bytes")?,
        n_files: row.try_get("n_files")?,
        digest: row.try_get("digest")?,
        columns,
        step: row.try_get::<Option<i64>, _>("step_id")?.map(StepId),
        committed_at: row.try_get("committed_at")?,
    })
}

pub(super) fn run(row: &SqliteRow) -> Result<Run> {
    Ok(Run {
        id: RunId(row.try_get("uuid")?),
        kind: word(row.try_get("kind")?, &RunKind::ALL, RunKind::name)?,
        pipeline: row.try_get("pipeline")?,
        pipeline_digest: row.try_get("pipeline_digest")?,
        state: word(row.try_get("state")?, &RunState::ALL, RunState::name)?,
        engine_version: row.try_get("engine_version")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

pub(super) fn step(row: &SqliteRow) -> Result<Step> {
    Ok(Step {
        id: StepId(row.try_get("id")?),
        run: RunId(row.try_get("uuid")?),
        ordinal: row.try_get("ordinal")?,
        name: row.try_get("name")?,
        kind: row.try_get("kind")?,
        sql: row.try_get("sql")?,
        fingerprint: row.try_get("fingerprint")?,
        seed: row.try_get("seed")?,
        state: step_state(row.try_get("state")?)?,
        attempt: row.try_get("attempt")?,
        inputs: version_ids(row.try_get("inputs")?)?,
        outputs: version_ids(row.try_get("outputs")?)?,
        rows_in: row.try_get("rows_in")?,
        rows_out: row.try_get("rows_out")?,
        rows_quarantined: row.try_get("rows_quarantined")?,
        duration_ms: row.try_get("duration_ms")?,
        error_code: row.try_get("error_code")?,
        error: row.try_get("error")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
    })
}

pub(super) fn step_state(stored: &str) -> Result<StepState> {
    word(stored, &StepState::ALL, StepState::name)
}

/// Finds the value with this stored name.
fn word<T: Copy>(stored: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T> {
    let found = all.iter().copied().find(|value| name(*value) == stored);
    found.ok_or_else(|| damaged(format!("unknown word `{stored}`")))
}

fn version_ids(json: &str) -> Result<Vec<VersionId>> {
    serde_json::from_str(json).map_err(|e| damaged(format!("versions of a step: {e}")))
}
