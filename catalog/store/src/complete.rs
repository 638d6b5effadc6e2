//! The one transaction that records what a step left behind.

use causeway_model::{
    Dataset, DatasetId, DatasetKind, IngestedFile, OperatorUse, OutputVersion, StepId, StepOutcome, TableName,
    Transition, VersionId,
};

use crate::connection::Connection;
use crate::error::{Result, already_exists, invalid, not_found};
use crate::outbox::{self, Told};
use crate::write::{self, NewDataset, NewVersion};
use crate::{access, audit, datasets, edges, jobs, steps};

/// A running attempt and the time at which it ends.
struct Ending<'a> {
    step: StepId,
    now: &'a str,
}

pub(crate) async fn complete(
    connection: &mut Connection,
    step: StepId,
    attempt: i64,
    outcome: &StepOutcome,
) -> Result<Vec<VersionId>> {
    let now = write::now(connection).await?;
    let ending = Ending { step, now: &now };
    succeed(connection, &ending, attempt, outcome).await?;
    let subject = steps::subject(connection, step).await?;
    if let Some(pipeline) = &subject.pipeline {
        steps::note_success(connection, pipeline, &subject.name, step).await?;
    }
    // Looked up before the outputs exist: no edge can lead back into them, so lineage has no cycles.
    let origins = edges::origins(connection, &outcome.lineage).await?;
    let before = audit::before_step(connection, outcome).await?;
    for schema in &outcome.schemas {
        write::schema(connection, schema, &now).await?;
    }
    for dataset in &outcome.dropped {
        drop_dataset(connection, *dataset, &now).await?;
    }
    for change in &outcome.access {
        access::change(connection, change, &now).await?;
    }
    let mut outputs = Vec::with_capacity(outcome.outputs.len());
    for output in &outcome.outputs {
        outputs.push(write_output(connection, &ending, output).await?);
    }
    edges::write(connection, outcome, &outputs, &origins).await?;
    write_operators(connection, step, &outcome.operators).await?;
    for file in &outcome.ingested {
        write_ingested(connection, step, file).await?;
    }
    let mut events = vec![audit::step_completed(connection, &subject, outcome, before).await?];
    let told = Told { attempt, transition: Transition::Complete, at: &now, failure: None };
    outbox::step(connection, step, &told).await?;
    if let Some(lease) = &outcome.ends {
        events.extend(jobs::succeed(connection, lease).await?);
    }
    audit::append_all(connection, events).await?;
    Ok(outputs)
}

/// Ends the attempt if it is the one that runs: the compare-and-set that makes completion happen once.
async fn succeed(connection: &mut Connection, ending: &Ending<'_>, attempt: i64, outcome: &StepOutcome) -> Result<()> {
    let changed = connection.query(
        "UPDATE step SET state = 'succeeded', finished_at = $1, rows_in = $2, rows_out = $3, rows_quarantined = $4, \
         duration_ms = $5 WHERE id = $6 AND attempt = $7 AND state = 'running'",
    )
    .bind(ending.now)
    .bind(outcome.rows_in)
    .bind(outcome.rows_out)
    .bind(outcome.rows_quarantined)
    .bind(outcome.duration_ms)
    .bind(ending.step.0)
    .bind(attempt)
    .execute()
    .await?;
    steps::check_was_running(connection, changed, ending.step, attempt).await
}

async fn drop_dataset(connection: &mut Connection, dataset: DatasetId, now: &str) -> Result<()> {
    let changed = connection
        .query("UPDATE dataset SET dropped_at = $1 WHERE id = $2 AND dropped_at IS NULL")
        .bind(now)
        .bind(dataset.0)
        .execute()
        .await?;
    if changed == 0 {
        return Err(not_found("live dataset", dataset.0));
    }
    let name = datasets::by_id(connection, dataset).await?.name;
    access::forget_table(connection, &name).await
}

async fn write_output(connection: &mut Connection, ending: &Ending<'_>, output: &OutputVersion) -> Result<VersionId> {
    let dataset = dataset_of(connection, output, ending.now).await?;
    describe(connection, dataset, output).await?;
    // A version without one before it replaces all rows, those of loaded files too.
    if output.previous.is_none() {
        forget_files(connection, dataset).await?;
    }
    let new = NewVersion {
        version: number_of(connection, dataset, output).await?,
        n_rows: output.n_rows,
        n_bytes: output.n_bytes,
        n_files: output.n_files,
        digest: output.digest.as_deref(),
        step: Some(ending.step),
        previous: output.previous,
        columns: &output.columns,
    };
    write::version(connection, dataset, &new, ending.now).await
}

/// Finds the live dataset that an output belongs to, or makes it.
async fn dataset_of(connection: &mut Connection, output: &OutputVersion, now: &str) -> Result<DatasetId> {
    if output.kind != DatasetKind::File {
        write::check_schema(&output.name)?;
    } else if output.name.schema != datasets::FILE_SCHEMA {
        return Err(invalid(format!("exported file `{}` must be recorded in schema `file`", output.name)));
    }
    match datasets::live(connection, &output.name).await? {
        Some(known) => check_same(&known, output).map(|()| known.id),
        None => {
            let new = NewDataset { name: &output.name, kind: output.kind, location: &output.location };
            write::dataset(connection, &new, now).await
        }
    }
}

/// A new version must lie where the others lie, or time travel would lose them.
fn check_same(known: &Dataset, output: &OutputVersion) -> Result<()> {
    if known.kind != output.kind {
        return Err(already_exists(known.kind.name(), &output.name));
    }
    if known.kind == DatasetKind::Table && known.location != output.location {
        return Err(invalid(format!(
            "table `{}` lies at `{}`, its new version at `{}`; drop the table to move it",
            output.name, known.location, output.location
        )));
    }
    Ok(())
}

/// Sets what a new version may change of its dataset: a view's query, the policy.
async fn describe(connection: &mut Connection, dataset: DatasetId, output: &OutputVersion) -> Result<()> {
    let policy = output.policy.as_ref().map(write::policy_json).transpose()?;
    connection
        .query("UPDATE dataset SET view_sql = $1, policy = COALESCE($2, policy) WHERE id = $3")
        .bind(&output.view_sql)
        .bind(policy)
        .bind(dataset.0)
        .execute()
        .await?;
    Ok(())
}

async fn forget_files(connection: &mut Connection, dataset: DatasetId) -> Result<()> {
    connection.query("DELETE FROM ingested_file WHERE dataset_id = $1").bind(dataset.0).execute().await?;
    Ok(())
}

async fn number_of(connection: &mut Connection, dataset: DatasetId, output: &OutputVersion) -> Result<i64> {
    if output.kind == DatasetKind::View {
        return write::next_number(connection, dataset).await;
    }
    if let Some(previous) = output.previous {
        check_previous(connection, dataset, previous, &output.name).await?;
    }
    let taken: Option<i64> = connection
        .query("SELECT id FROM dataset_version WHERE dataset_id = $1 AND version = $2")
        .bind(dataset.0)
        .bind(output.version)
        .fetch_optional_scalar()
        .await?;
    match taken {
        Some(_) => Err(already_exists("version", format!("{} version {}", output.name, output.version))),
        None => Ok(output.version),
    }
}

async fn check_previous(
    connection: &mut Connection,
    dataset: DatasetId,
    previous: VersionId,
    name: &TableName,
) -> Result<()> {
    let owner: Option<i64> = connection
        .query("SELECT dataset_id FROM dataset_version WHERE id = $1")
        .bind(previous.0)
        .fetch_optional_scalar()
        .await?;
    match owner {
        Some(owner) if owner == dataset.0 => Ok(()),
        Some(_) => Err(invalid(format!("version {} named as the one before is none of `{name}`", previous.0))),
        None => Err(not_found("version", previous.0)),
    }
}

async fn write_operators(connection: &mut Connection, step: StepId, operators: &[OperatorUse]) -> Result<()> {
    for (position, operator) in (0_i64..).zip(operators) {
        connection
            .query(
                "INSERT INTO step_operator (step_id, position, operator, version, options, report) \
             VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(step.0)
            .bind(position)
            .bind(&operator.operator)
            .bind(operator.version)
            .bind(operator.options.to_string())
            .bind(operator.report.to_string())
            .execute()
            .await?;
    }
    Ok(())
}

async fn write_ingested(connection: &mut Connection, step: StepId, file: &IngestedFile) -> Result<()> {
    let table = datasets::live(connection, &file.table).await?.ok_or_else(|| not_found("table", &file.table))?;
    let version = datasets::version(connection, file.file).await?;
    let written = connection
        .query(
            "INSERT INTO ingested_file (dataset_id, digest, contract_digest, file_version_id, step_id) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(table.id.0)
        .bind(&file.digest)
        .bind(&file.contract_digest)
        .bind(version.id.0)
        .bind(step.0)
        .execute()
        .await?;
    match written {
        1 => Ok(()),
        _ => Err(already_exists("file of this content in table", &file.table)),
    }
}
