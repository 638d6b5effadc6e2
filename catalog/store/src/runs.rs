//! Runs.

use causeway_model::{NewRun, Run, RunId, RunState, Transition};

use crate::connection::Connection;
use crate::error::{Result, already_exists, invalid, not_found};
use crate::{audit, outbox, rows, steps, write};

macro_rules! run_columns {
    () => {
        "uuid, kind, pipeline, pipeline_digest, state, engine_version, actor, parameters, started_at, finished_at"
    };
}

macro_rules! select_run {
    ($rest:literal) => {
        concat!("SELECT ", run_columns!(), " FROM run ", $rest)
    };
}

/// Sets where run `$3` is. The runs of a pipeline are numbered in the order in which they succeed.
macro_rules! set_state {
    ($if:literal) => {
        concat!(
            "UPDATE run SET state = $1, finished_at = $2, end_order = CASE WHEN $1 = 'succeeded' AND pipeline IS NOT NULL \
             THEN (SELECT COALESCE(MAX(o.end_order), 0) + 1 FROM run o WHERE o.pipeline = run.pipeline) ELSE end_order END \
             WHERE uuid = $3",
            $if,
            " RETURNING ",
            run_columns!()
        )
    };
}

pub(crate) async fn begin(connection: &mut Connection, run: &NewRun) -> Result<()> {
    let now = write::now(connection).await?;
    let begun = connection
        .query(concat!(
            "INSERT INTO run (uuid, kind, pipeline, pipeline_digest, state, engine_version, actor, parameters, started_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (uuid) DO NOTHING RETURNING ",
            run_columns!()
        ))
        .bind(&run.id.0)
        .bind(run.kind.name())
        .bind(&run.pipeline)
        .bind(&run.pipeline_digest)
        .bind(RunState::Running.name())
        .bind(&run.engine_version)
        .bind(&run.actor)
        .bind(run.parameters.to_json().to_string())
        .bind(&now)
        .fetch_optional()
        .await?;
    let begun = begun.ok_or_else(|| already_exists("run", &run.id))?;
    audit::run_changed(connection, rows::run(&begun)?).await?;
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
    tell_end(connection, run, state, &now).await
}

/// Ends a run if it was begun and has not ended.
pub(crate) async fn end(connection: &mut Connection, run: &RunId, state: RunState) -> Result<()> {
    if state == RunState::Failed {
        let sql = "SELECT COUNT(*) FROM run WHERE uuid = $1 AND state = 'running'";
        return match connection.query(sql).bind(&run.0).fetch_scalar::<i64>().await? {
            0 => Ok(()),
            _ => finish(connection, run, state).await,
        };
    }
    let now = write::now(connection).await?;
    let sql = set_state!(" AND state = 'running'");
    let ended = connection.query(sql).bind(state.name()).bind(&now).bind(&run.0).fetch_optional().await?;
    let Some(ended) = ended else { return Ok(()) };
    audit::run_changed(connection, rows::run(&ended)?).await?;
    tell_end(connection, run, state, &now).await
}

async fn tell_end(connection: &mut Connection, run: &RunId, state: RunState, at: &str) -> Result<()> {
    let ended = if state == RunState::Succeeded { Transition::Complete } else { Transition::Fail };
    outbox::run(connection, run, ended, at).await
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

/// Sets where a run is.
async fn set_state(connection: &mut Connection, run: &RunId, state: RunState, finished_at: Option<&str>) -> Result<()> {
    let changed =
        connection.query(set_state!("")).bind(state.name()).bind(finished_at).bind(&run.0).fetch_optional().await?;
    let changed = changed.ok_or_else(|| not_found("run", run))?;
    audit::run_changed(connection, rows::run(&changed)?).await
}
