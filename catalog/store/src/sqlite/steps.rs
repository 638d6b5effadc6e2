//! Steps: started, failed, skipped, read. [`super::complete`] ends them well.

use sqlx::{Row as _, SqliteConnection};

use causeway_model::{CatalogError, NewStep, OperatorUse, RunId, Step, StepId, StepState, VersionId};

use super::{rows, runs, write};
use crate::error::{Result, already_exists, damaged, invalid, not_found};

macro_rules! select_step {
    ($rest:literal) => {
        concat!(
            "SELECT s.*, r.uuid, ",
            "(SELECT json_group_array(i.version_id ORDER BY i.position) FROM step_input i WHERE i.step_id = s.id) ",
            "AS inputs, ",
            "(SELECT json_group_array(v.id ORDER BY v.id) FROM dataset_version v WHERE v.step_id = s.id) AS outputs ",
            "FROM step s JOIN run r ON r.id = s.run_id ",
            $rest
        )
    };
}

pub(super) async fn begin(connection: &mut SqliteConnection, step: &NewStep) -> Result<Step> {
    record(connection, step, StepState::Running).await
}

pub(super) async fn skip(connection: &mut SqliteConnection, step: &NewStep, state: StepState) -> Result<Step> {
    if !matches!(state, StepState::Blocked | StepState::UpToDate) {
        return Err(invalid(format!("a step is skipped as blocked or up_to_date, not as {}", state.name())));
    }
    record(connection, step, state).await
}

pub(super) async fn fail(
    connection: &mut SqliteConnection,
    step: StepId,
    attempt: i64,
    code: &str,
    error: &str,
) -> Result<()> {
    let now = write::now(connection).await?;
    let changed = sqlx::query(
        "UPDATE step SET state = 'failed', error_code = $1, error = $2, finished_at = $3 \
         WHERE id = $4 AND attempt = $5 AND state = 'running'",
    )
    .bind(code)
    .bind(error)
    .bind(now)
    .bind(step.0)
    .bind(attempt)
    .execute(&mut *connection)
    .await?;
    check_was_running(connection, changed.rows_affected(), step, attempt).await
}

/// Turns an update that met no running attempt into the error that says why.
pub(super) async fn check_was_running(
    connection: &mut SqliteConnection,
    n_changed: u64,
    step: StepId,
    attempt: i64,
) -> Result<()> {
    if n_changed == 1 {
        return Ok(());
    }
    let found: Option<i64> =
        sqlx::query_scalar("SELECT id FROM step WHERE id = $1").bind(step.0).fetch_optional(connection).await?;
    match found {
        Some(_) => Err(CatalogError::Stale { step: step.0, attempt }.into()),
        None => Err(not_found("step", step.0)),
    }
}

pub(super) async fn named(connection: &mut SqliteConnection, run: &RunId, name: &str) -> Result<Option<Step>> {
    let row = sqlx::query(select_step!("WHERE r.uuid = $1 AND s.name = $2"))
        .bind(&run.0)
        .bind(name)
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(rows::step).transpose()
}

pub(super) async fn by_id(connection: &mut SqliteConnection, id: StepId) -> Result<Step> {
    let row = sqlx::query(select_step!("WHERE s.id = $1")).bind(id.0).fetch_optional(connection).await?;
    rows::step(&row.ok_or_else(|| not_found("step", id.0))?)
}

pub(super) async fn list(connection: &mut SqliteConnection, run: Option<&RunId>) -> Result<Vec<Step>> {
    let rows = match run {
        Some(run) => {
            let query = sqlx::query(select_step!("WHERE r.uuid = $1 ORDER BY s.ordinal, s.id"));
            query.bind(&run.0).fetch_all(connection).await?
        }
        None => sqlx::query(select_step!("ORDER BY s.run_id, s.ordinal, s.id")).fetch_all(connection).await?,
    };
    rows.iter().map(rows::step).collect()
}

pub(super) async fn last_success(
    connection: &mut SqliteConnection,
    pipeline: &str,
    step: &str,
) -> Result<Option<Step>> {
    let row = sqlx::query(select_step!(
        "WHERE s.name = $1 AND s.state = 'succeeded' AND r.pipeline = $2 ORDER BY s.finished_at DESC, s.id DESC LIMIT 1"
    ))
    .bind(step)
    .bind(pipeline)
    .fetch_optional(connection)
    .await?;
    row.as_ref().map(rows::step).transpose()
}

pub(super) async fn operators(connection: &mut SqliteConnection, step: StepId) -> Result<Vec<OperatorUse>> {
    let rows = sqlx::query(
        "SELECT operator, version, options, report FROM step_operator WHERE step_id = $1 ORDER BY position",
    )
    .bind(step.0)
    .fetch_all(connection)
    .await?;
    let json = |text: &str| serde_json::from_str(text).map_err(|e| damaged(format!("operator of a step: {e}")));
    rows.iter()
        .map(|row| {
            Ok(OperatorUse {
                operator: row.try_get("operator")?,
                version: row.try_get("version")?,
                options: json(row.try_get("options")?)?,
                report: json(row.try_get("report")?)?,
            })
        })
        .collect()
}

/// Writes the step's row anew; only a running one counts as an attempt.
async fn record(connection: &mut SqliteConnection, step: &NewStep, state: StepState) -> Result<Step> {
    let run = runs::number(connection, &step.run).await?.ok_or_else(|| not_found("run", &step.run))?;
    let known = sqlx::query("SELECT id, attempt, state FROM step WHERE run_id = $1 AND name = $2")
        .bind(run)
        .bind(&step.name)
        .fetch_optional(&mut *connection)
        .await?;
    let (id, attempts) = match &known {
        Some(row) if rows::step_state(row.try_get("state")?)? == StepState::Succeeded => {
            return Err(already_exists("step", &step.name));
        }
        Some(row) => (row.try_get("id")?, row.try_get("attempt")?),
        None => (None, 0),
    };
    let row = StepRow { id, run, state, attempt: attempts + i64::from(state == StepState::Running) };
    let id = upsert(connection, step, &row).await?;
    pin_inputs(connection, id, &step.inputs).await?;
    let stored = sqlx::query(select_step!("WHERE s.id = $1")).bind(id).fetch_one(connection).await?;
    rows::step(&stored)
}

/// What the store adds to a [`NewStep`].
struct StepRow {
    id: Option<i64>,
    run: i64,
    state: StepState,
    attempt: i64,
}

async fn upsert(connection: &mut SqliteConnection, step: &NewStep, row: &StepRow) -> Result<i64> {
    let now = write::now(connection).await?;
    let finished_at = (row.state != StepState::Running).then_some(&now);
    Ok(sqlx::query_scalar(
        "INSERT INTO step (id, run_id, ordinal, name, kind, sql, fingerprint, seed, state, attempt, started_at, \
         finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) \
         ON CONFLICT (id) DO UPDATE SET ordinal = excluded.ordinal, kind = excluded.kind, sql = excluded.sql, \
         fingerprint = excluded.fingerprint, seed = excluded.seed, state = excluded.state, \
         attempt = excluded.attempt, started_at = excluded.started_at, finished_at = excluded.finished_at, \
         rows_in = NULL, rows_out = NULL, rows_quarantined = NULL, duration_ms = NULL, error_code = NULL, error = NULL \
         RETURNING id",
    )
    .bind(row.id)
    .bind(row.run)
    .bind(step.ordinal)
    .bind(&step.name)
    .bind(&step.kind)
    .bind(&step.sql)
    .bind(&step.fingerprint)
    .bind(step.seed)
    .bind(row.state.name())
    .bind(row.attempt)
    .bind(&now)
    .bind(finished_at)
    .fetch_one(connection)
    .await?)
}

async fn pin_inputs(connection: &mut SqliteConnection, step: i64, inputs: &[VersionId]) -> Result<()> {
    sqlx::query("DELETE FROM step_input WHERE step_id = $1").bind(step).execute(&mut *connection).await?;
    for (position, input) in (0_i64..).zip(inputs) {
        let pinned = sqlx::query(
            "INSERT INTO step_input (step_id, position, version_id) \
             SELECT $1, $2, id FROM dataset_version WHERE id = $3",
        )
        .bind(step)
        .bind(position)
        .bind(input.0)
        .execute(&mut *connection)
        .await?;
        if pinned.rows_affected() == 0 {
            return Err(not_found("version", input.0));
        }
    }
    Ok(())
}
