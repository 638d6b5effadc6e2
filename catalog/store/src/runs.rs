//! Runs.

use causeway_model::{NewRun, Run, RunId, RunState, Transition};

use crate::connection::Connection;
use crate::error::{Result, already_exists, invalid, not_found};
use crate::{audit, outbox, rows, steps, write};

macro_rules! select_run {
    ($rest:literal) => {
        concat!(
            "SELECT uuid, kind, pipeline, pipeline_digest, state, engine_version, actor, parameters, started_at, \
             finished_at FROM run ",
            $rest
        )
    };
}

pub(crate) async fn begin(connection: &mut Connection, run: &NewRun) -> Result<()> {
    if number(connection, &run.id).await?.is_some() {
        return Err(already_exists("run", &run.id));
    }
    let now = write::now(connection).await?;
    connection
        .query(
            "INSERT INTO run (uuid, kind, pipeline, pipeline_digest, state, engine_version, actor, parameters, started_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(&run.id.0)
        .bind(run.kind.name())
        .bind(&run.pipeline)
        .bind(&run.pipeline_digest)
        .bind(RunState::Running.name())
        .bind(&run.engine_version)
        .bind(&run.actor)
        .bind(run.parameters.to_json().to_string())
        .bind(&now)
        .execute()
        .await?;
    audit::run_changed(connection, &run.id).await?;
    outbox::run(connection, &run.id, Transition::Start, &now).await
}

pub(crate) async fn resume(connection: &mut Connection, run: &RunId) -> Result<()> {
    match one(connection, run).await?.state {
        RunState::Succeeded => return Ok(()),
        RunState::Failed => {
            let now = write::now(connection).await?;
            outbox::run(connection, run, Transition::Start, &now).await?;
        }
        RunState::Running => {}
    }
    set_state(connection, run, RunState::Running, None).await
}

pub(crate) async fn finish(connection: &mut Connection, run: &RunId, state: RunState) -> Result<()> {
    if state == RunState::Running {
        return Err(invalid("a run ends as succeeded or failed, not as running"));
    }
    if state == RunState::Failed {
        steps::give_up(connection, run).await?;
    }
    let now = write::now(connection).await?;
    set_state(connection, run, state, Some(&now)).await?;
    let ended = if state == RunState::Succeeded { Transition::Complete } else { Transition::Fail };
    outbox::run(connection, run, ended, &now).await
}

pub(crate) async fn one(connection: &mut Connection, run: &RunId) -> Result<Run> {
    let row = connection.query(select_run!("WHERE uuid = $1")).bind(&run.0).fetch_optional().await?;
    rows::run(&row.ok_or_else(|| not_found("run", run))?)
}

pub(crate) async fn latest(connection: &mut Connection, pipeline: &str) -> Result<Option<Run>> {
    let row = connection
        .query(select_run!("WHERE pipeline = $1 ORDER BY id DESC LIMIT 1"))
        .bind(pipeline)
        .fetch_optional()
        .await?;
    row.as_ref().map(rows::run).transpose()
}

pub(crate) async fn list(connection: &mut Connection, limit: i64) -> Result<Vec<Run>> {
    let rows = connection.query(select_run!("ORDER BY id DESC LIMIT $1")).bind(limit.max(0)).fetch_all().await?;
    rows.iter().map(rows::run).collect()
}

/// Returns the row id of a run.
pub(crate) async fn number(connection: &mut Connection, run: &RunId) -> Result<Option<i64>> {
    connection.query("SELECT id FROM run WHERE uuid = $1").bind(&run.0).fetch_optional_scalar().await
}

/// Sets where a run is. The runs of a pipeline are numbered in the order in which they succeed.
async fn set_state(connection: &mut Connection, run: &RunId, state: RunState, finished_at: Option<&str>) -> Result<()> {
    let changed = connection
        .query(
            "UPDATE run SET state = $1, finished_at = $2, end_order = CASE WHEN $1 = 'succeeded' AND pipeline IS NOT NULL \
             THEN (SELECT COALESCE(MAX(o.end_order), 0) + 1 FROM run o WHERE o.pipeline = run.pipeline) ELSE end_order END \
             WHERE uuid = $3",
        )
        .bind(state.name())
        .bind(finished_at)
        .bind(&run.0)
        .execute()
        .await?;
    if changed == 0 {
        return Err(not_found("run", run));
    }
    audit::run_changed(connection, run).await
}
