//! Steps: started, failed, skipped, read. [`super::complete`] ends them well.

use causeway_model::{
    CatalogError, NewStep, OperatorUse, RunId, Step, StepId, StepState, Transition, VersionId, WORKER_LOST,
};

use crate::connection::{Connection, Row, Sql};
use crate::error::{Result, already_exists, damaged, invalid, not_found};
use crate::outbox::{self, Told};
use crate::{audit, jobs, rows, write};

macro_rules! select_step {
    ($inputs:literal, $outputs:literal, $rest:literal) => {
        concat!(
            "SELECT s.*, r.uuid, (SELECT ",
            $inputs,
            " FROM step_input i WHERE i.step_id = s.id) AS inputs, (SELECT ",
            $outputs,
            " FROM dataset_version v WHERE v.step_id = s.id) AS outputs FROM step s JOIN run r ON r.id = s.run_id ",
            $rest
        )
    };
    ($rest:literal) => {
        Sql {
            sqlite: select_step!(
                "json_group_array(i.version_id ORDER BY i.position)",
                "json_group_array(v.id ORDER BY v.id)",
                $rest
            ),
            postgres: select_step!(
                "COALESCE(json_agg(i.version_id ORDER BY i.position)::text, '[]')",
                "COALESCE(json_agg(v.id ORDER BY v.id)::text, '[]')",
                $rest
            ),
        }
    };
}

pub(crate) async fn begin(connection: &mut Connection, step: &NewStep) -> Result<Step> {
    record(connection, step, StepState::Running).await
}

pub(crate) async fn skip(connection: &mut Connection, step: &NewStep, state: StepState) -> Result<Step> {
    if !matches!(state, StepState::Blocked | StepState::UpToDate) {
        return Err(invalid(format!("a step is skipped as blocked or up_to_date, not as {}", state.name())));
    }
    record(connection, step, state).await
}

pub(crate) async fn fail(
    connection: &mut Connection,
    step: StepId,
    attempt: i64,
    code: &str,
    error: &str,
) -> Result<()> {
    let now = write::now(connection).await?;
    let changed = connection
        .query(
            "UPDATE step SET state = 'failed', error_code = $1, error = $2, finished_at = $3 \
         WHERE id = $4 AND attempt = $5 AND state = 'running'",
        )
        .bind(code)
        .bind(error)
        .bind(&now)
        .bind(step.0)
        .bind(attempt)
        .execute()
        .await?;
    check_was_running(connection, changed, step, attempt).await?;
    audit::step_failed(connection, step, code).await?;
    let told = Told { attempt, transition: Transition::of_failure(code), at: &now, failure: Some((code, error)) };
    outbox::step(connection, step, &told).await
}

/// Fails the steps of a run that nobody goes on with: their process has ended before they did.
pub(crate) async fn give_up(connection: &mut Connection, run: &RunId) -> Result<()> {
    let rows = connection
        .query(
            "SELECT s.id, s.attempt FROM step s JOIN run r ON r.id = s.run_id \
             WHERE r.uuid = $1 AND s.state = 'running' ORDER BY s.id",
        )
        .bind(&run.0)
        .fetch_all()
        .await?;
    for row in &rows {
        let (step, attempt) = (StepId(row.get("id")?), row.get("attempt")?);
        fail(connection, step, attempt, WORKER_LOST, "the process that ran the step ended before the step did").await?;
    }
    Ok(())
}

/// Turns an update that met no running attempt into the error that says why.
pub(crate) async fn check_was_running(
    connection: &mut Connection,
    n_changed: u64,
    step: StepId,
    attempt: i64,
) -> Result<()> {
    if n_changed == 1 {
        return Ok(());
    }
    let found: Option<i64> =
        connection.query("SELECT id FROM step WHERE id = $1").bind(step.0).fetch_optional_scalar().await?;
    match found {
        Some(_) => Err(CatalogError::Stale { step: step.0, attempt }.into()),
        None => Err(not_found("step", step.0)),
    }
}

pub(crate) async fn named(connection: &mut Connection, run: &RunId, name: &str) -> Result<Option<Step>> {
    let row = connection
        .query(select_step!("WHERE r.uuid = $1 AND s.name = $2"))
        .bind(&run.0)
        .bind(name)
        .fetch_optional()
        .await?;
    row.as_ref().map(rows::step).transpose()
}

pub(crate) async fn by_id(connection: &mut Connection, id: StepId) -> Result<Step> {
    let row = connection.query(select_step!("WHERE s.id = $1")).bind(id.0).fetch_optional().await?;
    rows::step(&row.ok_or_else(|| not_found("step", id.0))?)
}

pub(crate) async fn list(connection: &mut Connection, run: Option<&RunId>) -> Result<Vec<Step>> {
    let rows = match run {
        Some(run) => {
            let query = connection.query(select_step!("WHERE r.uuid = $1 ORDER BY s.ordinal, s.id"));
            query.bind(&run.0).fetch_all().await?
        }
        None => connection.query(select_step!("ORDER BY s.run_id, s.ordinal, s.id")).fetch_all().await?,
    };
    rows.iter().map(rows::step).collect()
}

pub(crate) async fn last_success(connection: &mut Connection, pipeline: &str, step: &str) -> Result<Option<Step>> {
    let row = connection
        .query(select_step!("JOIN last_success l ON l.step_id = s.id WHERE l.step = $1 AND l.pipeline = $2"))
        .bind(step)
        .bind(pipeline)
        .fetch_optional()
        .await?;
    row.as_ref().map(rows::step).transpose()
}

/// What a record says of a step.
pub(crate) struct Subject {
    pub(crate) step: StepId,
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) sql: String,
    pub(crate) run: String,
    pub(crate) actor: String,
    pub(crate) pipeline: Option<String>,
}

pub(crate) async fn subject(connection: &mut Connection, step: StepId) -> Result<Subject> {
    let sql = "SELECT s.name, s.kind, s.sql, r.uuid, r.actor, r.pipeline FROM step s JOIN run r ON r.id = s.run_id \
               WHERE s.id = $1";
    let row = connection.query(sql).bind(step.0).fetch_optional().await?.ok_or_else(|| not_found("step", step.0))?;
    Ok(Subject {
        step,
        name: row.get("name")?,
        kind: row.get("kind")?,
        sql: row.get("sql")?,
        run: row.get("uuid")?,
        actor: row.get("actor")?,
        pipeline: row.get("pipeline")?,
    })
}

/// Notes the step as the last of its name that succeeded in its pipeline.
pub(crate) async fn note_success(connection: &mut Connection, pipeline: &str, name: &str, step: StepId) -> Result<()> {
    connection
        .query(
            "INSERT INTO last_success (pipeline, step, step_id) VALUES ($1, $2, $3) \
             ON CONFLICT (pipeline, step) DO UPDATE SET step_id = excluded.step_id",
        )
        .bind(pipeline)
        .bind(name)
        .bind(step.0)
        .execute()
        .await?;
    Ok(())
}

/// Lists the operators of all steps, by step and in the order they were recorded.
pub(crate) async fn all_operators(connection: &mut Connection) -> Result<Vec<(StepId, OperatorUse)>> {
    let sql = "SELECT step_id, operator, version, options, report FROM step_operator ORDER BY step_id, position";
    let rows = connection.query(sql).fetch_all().await?;
    rows.iter().map(|row| Ok((StepId(row.get("step_id")?), operator_use(row)?))).collect()
}

pub(crate) async fn operators(connection: &mut Connection, step: StepId) -> Result<Vec<OperatorUse>> {
    let rows = connection
        .query("SELECT operator, version, options, report FROM step_operator WHERE step_id = $1 ORDER BY position")
        .bind(step.0)
        .fetch_all()
        .await?;
    rows.iter().map(operator_use).collect()
}

fn operator_use(row: &Row) -> Result<OperatorUse> {
    let json = |text: &str| serde_json::from_str(text).map_err(|e| damaged(format!("operator of a step: {e}")));
    Ok(OperatorUse {
        operator: row.get("operator")?,
        version: row.get("version")?,
        options: json(row.get("options")?)?,
        report: json(row.get("report")?)?,
    })
}

/// Writes the step's row anew; only a running one counts as an attempt.
async fn record(connection: &mut Connection, step: &NewStep, state: StepState) -> Result<Step> {
    let found = connection
        .query(
            "SELECT r.id, s.attempt, s.state FROM run r LEFT JOIN step s ON s.run_id = r.id AND s.name = $2 \
             WHERE r.uuid = $1",
        )
        .bind(&step.run.0)
        .bind(&step.name)
        .fetch_optional()
        .await?;
    let found = found.ok_or_else(|| not_found("run", &step.run))?;
    let run: i64 = found.get("id")?;
    let attempts: i64 = found.get::<Option<i64>>("attempt")?.unwrap_or(0);
    let before = found.get::<Option<&str>>("state")?.map(rows::step_state).transpose()?;
    if before == Some(StepState::Succeeded) {
        return Err(already_exists("step", &step.name));
    }
    let attempt = attempts + i64::from(state == StepState::Running);
    let id = upsert(connection, step, &StepRow { run, state, attempt }).await?;
    // After the step's row, as in `complete`: in the other order the two would wait for each other.
    if let Some(lease) = &step.lease {
        jobs::hold(connection, lease).await?;
    }
    if before.is_some() {
        connection.query("DELETE FROM step_input WHERE step_id = $1").bind(id).execute().await?;
    }
    pin_inputs(connection, id, &step.inputs).await?;
    let stored = rows::step(&connection.query(select_step!("WHERE s.id = $1")).bind(id).fetch_one().await?)?;
    // What runs no more and was not ended was killed.
    let killed = (before == Some(StepState::Running)).then_some(attempts);
    outbox::step_begun(connection, &stored, killed).await?;
    Ok(stored)
}

/// What the store adds to a [`NewStep`].
struct StepRow {
    run: i64,
    state: StepState,
    attempt: i64,
}

async fn upsert(connection: &mut Connection, step: &NewStep, row: &StepRow) -> Result<i64> {
    let now = write::now(connection).await?;
    let finished_at = (row.state != StepState::Running).then_some(&now);
    connection
        .query(
            "INSERT INTO step (run_id, ordinal, name, kind, sql, fingerprint, seed, state, attempt, started_at, \
             finished_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) \
             ON CONFLICT (run_id, name) DO UPDATE SET ordinal = excluded.ordinal, kind = excluded.kind, \
             sql = excluded.sql, fingerprint = excluded.fingerprint, seed = excluded.seed, state = excluded.state, \
             attempt = excluded.attempt, started_at = excluded.started_at, finished_at = excluded.finished_at, \
             rows_in = NULL, rows_out = NULL, rows_quarantined = NULL, duration_ms = NULL, error_code = NULL, \
             error = NULL RETURNING id",
        )
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
        .fetch_scalar()
        .await
}

async fn pin_inputs(connection: &mut Connection, step: i64, inputs: &[VersionId]) -> Result<()> {
    for (position, input) in (0_i64..).zip(inputs) {
        let pinned = connection
            .query(
                "INSERT INTO step_input (step_id, position, version_id) \
             SELECT $1, $2, id FROM dataset_version WHERE id = $3",
            )
            .bind(step)
            .bind(position)
            .bind(input.0)
            .execute()
            .await?;
        if pinned == 0 {
            return Err(not_found("version", input.0));
        }
    }
    Ok(())
}
