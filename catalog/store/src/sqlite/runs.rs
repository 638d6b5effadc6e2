//! Runs.

use sqlx::SqliteConnection;

use causeway_model::{NewRun, Run, RunId, RunState};

use super::{rows, write};
use crate::error::{Result, already_exists, invalid, not_found};

macro_rules! select_run {
    ($rest:literal) => {
        concat!(
            "SELECT uuid, kind, pipeline, pipeline_digest, state, engine_version, started_at, finished_at FROM run ",
            $rest
        )
    };
}

pub(super) async fn begin(connection: &mut SqliteConnection, run: &NewRun) -> Result<()> {
    if number(connection, &run.id).await?.is_some() {
        return Err(already_exists("run", &run.id));
    }
    let now = write::now(connection).await?;
    sqlx::query(
        "INSERT INTO run (uuid, kind, pipeline, pipeline_digest, state, engine_version, started_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&run.id.0)
    .bind(run.kind.name())
    .bind(&run.pipeline)
    .bind(&run.pipeline_digest)
    .bind(RunState::Running.name())
    .bind(&run.engine_version)
    .bind(now)
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn resume(connection: &mut SqliteConnection, run: &RunId) -> Result<()> {
    set_state(connection, run, RunState::Running, None).await
}

pub(super) async fn finish(connection: &mut SqliteConnection, run: &RunId, state: RunState) -> Result<()> {
    if state == RunState::Running {
        return Err(invalid("a run ends as succeeded or failed, not as running"));
    }
    let now = write::now(connection).await?;
    set_state(connection, run, state, Some(&now)).await
}

pub(super) async fn one(connection: &mut SqliteConnection, run: &RunId) -> Result<Run> {
    let row = sqlx::query(select_run!("WHERE uuid = $1")).bind(&run.0).fetch_optional(connection).await?;
    rows::run(&row.ok_or_else(|| not_found("run", run))?)
}

pub(super) async fn latest(connection: &mut SqliteConnection, pipeline: &str) -> Result<Option<Run>> {
    let row = sqlx::query(select_run!("WHERE pipeline = $1 ORDER BY id DESC LIMIT 1"))
        .bind(pipeline)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(rows::run).transpose()
}

pub(super) async fn list(connection: &mut SqliteConnection, limit: i64) -> Result<Vec<Run>> {
    let rows = sqlx::query(select_run!("ORDER BY id DESC LIMIT $1")).bind(limit.max(0)).fetch_all(connection).await?;
    rows.iter().map(rows::run).collect()
}

/// Returns the row id of a run.
pub(super) async fn number(connection: &mut SqliteConnection, run: &RunId) -> Result<Option<i64>> {
    Ok(sqlx::query_scalar("SELECT id FROM run WHERE uuid = $1").bind(&run.0).fetch_optional(connection).await?)
}

async fn set_state(
    connection: &mut SqliteConnection,
    run: &RunId,
    state: RunState,
    finished_at: Option<&str>,
) -> Result<()> {
    let changed = sqlx::query("UPDATE run SET state = $1, finished_at = $2 WHERE uuid = $3")
        .bind(state.name())
        .bind(finished_at)
        .bind(&run.0)
        .execute(connection)
        .await?;
    if changed.rows_affected() == 0 {
        return Err(not_found("run", run));
    }
    Ok(())
}
