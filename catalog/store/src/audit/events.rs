//! What becomes a record, and what the record says.

use std::collections::{BTreeMap, BTreeSet};

use causeway_audit::{Action, Context, Digest, Event, Object, ObjectKind, Outcome, OutcomeState};
use causeway_model::audit::CoveredKey;
use causeway_model::{
    AccessChange, DatasetId, DatasetKind, Grant, Job, JobState, PrincipalKind, Run, RunKind, RunState, Securable,
    StepId, StepOutcome, TableName,
};

use super::{append, covered};
use crate::connection::Connection;
use crate::error::Result;
use crate::steps::{self, Subject};
use crate::{datasets, rows};

/// Records that a run of a pipeline started or ended. A statement's run is known by its only step.
pub(crate) async fn run_changed(connection: &mut Connection, run: Run) -> Result<()> {
    if run.kind == RunKind::Statement {
        return Ok(());
    }
    let outcome = match run.state {
        RunState::Running => Outcome::started(),
        RunState::Succeeded => Outcome::succeeded(),
        RunState::Failed => Outcome { code: None, state: OutcomeState::Failed },
    };
    let mut pipeline = Object::new(ObjectKind::Pipeline, run.pipeline.clone().unwrap_or_default());
    pipeline.digest = run.pipeline_digest.as_deref().and_then(|digest| digest.parse().ok());
    let context = Context { run: Some(run.id.to_string()), ..Context::default() };
    let event = Event::new(run.actor, Action::Run, outcome).object(pipeline).context(context);
    append(connection, event).await.map(drop)
}

/// What happens to a job, apart from its attempts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum JobChange {
    Submitted,
    CancelRequested,
    Retried,
    Ended,
}

impl JobChange {
    fn name(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::CancelRequested => "cancel_requested",
            Self::Retried => "retried",
            Self::Ended => "ended",
        }
    }
}

/// Records what happened to a job, and who did it.
pub(crate) async fn job_changed(connection: &mut Connection, job: &Job, actor: &str, change: JobChange) -> Result<()> {
    append(connection, job_event(job, actor, change)).await.map(drop)
}

/// Returns the record of what happened to a job.
pub(crate) fn job_event(job: &Job, actor: &str, change: JobChange) -> Event {
    let outcome = match (change, job.state) {
        (JobChange::Submitted | JobChange::Retried, _) => Outcome::started(),
        (JobChange::CancelRequested, _) | (JobChange::Ended, JobState::Succeeded) => Outcome::succeeded(),
        (JobChange::Ended, _) => Outcome { code: job.error_code.clone(), state: OutcomeState::Failed },
    };
    let object = Object::new(ObjectKind::Job, job.id.0.to_string()).id(job.id.0);
    let context = Context { run: Some(job.spec.run.to_string()), ..Context::default() };
    Event::new(actor, Action::Job, outcome)
        .object(object.digest(Digest::of(job.spec.work.as_bytes())))
        .fact("change", change.name())
        .fact("kind", job.spec.kind.name())
        .fact("state", job.state.name())
        .fact("attempts", job.attempt.to_string())
        .context(context)
}

/// What a step is about to touch, as it is found.
pub(crate) struct Before(pub(super) BTreeMap<CoveredKey, Digest>);

/// Looks at what an outcome will change of what records cover.
pub(crate) async fn before_step(connection: &mut Connection, outcome: &StepOutcome) -> Result<Before> {
    let mut touched: BTreeSet<DatasetId> = outcome.dropped.iter().copied().collect();
    for output in &outcome.outputs {
        touched.extend(datasets::live(connection, &output.name).await?.map(|dataset| dataset.id));
    }
    let found = covered::found(connection, &touched, changes_rights(outcome)).await?;
    Ok(Before(found))
}

fn changes_rights(outcome: &StepOutcome) -> bool {
    !outcome.access.is_empty() || !outcome.dropped.is_empty()
}

/// Returns the record of a step that ended well, with all it left behind and what it had found.
pub(crate) async fn step_completed(
    connection: &mut Connection,
    subject: &Subject,
    outcome: &StepOutcome,
    Before(before): Before,
) -> Result<Event> {
    let id = subject.step;
    let mut event = about(subject, Outcome::succeeded());
    let (read, written) = versions(connection, id).await?;
    event = event.fact("n_read", read.len().to_string()).fact("n_written", written.len().to_string());
    if let Some(rows) = outcome.rows_out {
        event = event.fact("rows_out", rows.to_string());
    }
    let mut datasets: BTreeSet<DatasetId> = outcome.dropped.iter().copied().collect();
    datasets.extend(written.iter().map(|(dataset, _)| *dataset));
    for (_, object) in read.into_iter().chain(written) {
        event = event.object(object);
    }
    for operator in &outcome.operators {
        event = event.object(Object::new(ObjectKind::Operator, &operator.operator).version(operator.version));
    }
    event = outcome.access.iter().fold(event, describe);
    event = covered::cover_step(connection, event, id).await?;
    event = covered::cover_datasets(connection, event, &datasets).await?;
    if changes_rights(outcome) {
        event = covered::cover_access(connection, event).await?;
    }
    Ok(event.found(|table, key| before.get(&(table.to_owned(), key.to_owned())).copied()))
}

/// Records a step that failed.
pub(crate) async fn step_failed(connection: &mut Connection, id: StepId, code: &str) -> Result<()> {
    let subject = steps::subject(connection, id).await?;
    append(connection, about(&subject, Outcome::failed(code))).await.map(drop)
}

fn about(subject: &Subject, outcome: Outcome) -> Event {
    let Subject { step, name, kind, sql, run, actor, .. } = subject;
    let statement = Object::new(ObjectKind::Statement, name).id(step.0).digest(Digest::of(sql.as_bytes()));
    let context = Context { run: Some(run.clone()), step: Some(step.0), ..Context::default() };
    Event::new(actor, action(kind), outcome).object(statement).context(context)
}

/// Returns what a statement of this kind is in the log.
fn action(kind: &str) -> Action {
    match kind {
        "copy_to" => Action::Export,
        "create_user" | "create_role" | "drop_user" | "drop_role" => Action::User,
        "grant" | "revoke" => Action::Grant,
        "create_policy" | "drop_policy" | "alter_table" => Action::Policy,
        _ => Action::Change,
    }
}

/// What a step has read, by position, and then what it has written, by id.
const VERSIONS: &str = "SELECT u.is_output, d.id, d.schema_name, d.table_name, d.kind, v.version, v.digest FROM \
                        (SELECT version_id, position, 0 AS is_output FROM step_input WHERE step_id = $1 \
                         UNION ALL SELECT id, id, 1 FROM dataset_version WHERE step_id = $1) u \
                        JOIN dataset_version v ON v.id = u.version_id JOIN dataset d ON d.id = v.dataset_id \
                        ORDER BY u.is_output, u.position";

type Versions = Vec<(DatasetId, Object)>;

/// Returns what a step has read, and what it has written.
async fn versions(connection: &mut Connection, step: StepId) -> Result<(Versions, Versions)> {
    let (mut read, mut written) = (Vec::new(), Vec::new());
    for row in connection.query(VERSIONS).bind(step.0).fetch_all().await? {
        let (dataset, version): (i64, i64) = (row.get("id")?, row.get("version")?);
        let kind = rows::word(row.get("kind")?, &DatasetKind::ALL, DatasetKind::name)?;
        let name = TableName { schema: row.get("schema_name")?, table: row.get("table_name")? };
        let mut object = Object::new(object_kind(kind), name.to_string()).id(dataset).version(version);
        object.digest = row.get::<Option<String>>("digest")?.and_then(|digest| digest.parse().ok());
        let versions = if row.get::<i32>("is_output")? == 0 { &mut read } else { &mut written };
        versions.push((DatasetId(dataset), object));
    }
    Ok((read, written))
}

fn object_kind(kind: DatasetKind) -> ObjectKind {
    match kind {
        DatasetKind::Table => ObjectKind::Table,
        DatasetKind::View => ObjectKind::View,
        DatasetKind::File => ObjectKind::File,
    }
}

/// Adds whom and what a change of rights touches. A policy's condition is known by its statement's
/// digest alone: it may hold values.
fn describe(event: Event, change: &AccessChange) -> Event {
    let role = |name: &String| Object::new(ObjectKind::Role, name);
    match change {
        AccessChange::Create(kind, name) | AccessChange::Drop(kind, name) => {
            event.object(Object::new(principal(*kind), name))
        }
        AccessChange::Join { role: group, member } | AccessChange::Leave { role: group, member } => {
            event.object(role(group)).object(Object::new(ObjectKind::User, member))
        }
        AccessChange::Grant(grant) | AccessChange::Revoke(grant) => {
            event.object(securable(grant)).object(role(&grant.grantee)).fact("privilege", grant.privilege.name())
        }
        AccessChange::AddPolicy(policy) => event
            .object(Object::new(ObjectKind::Policy, &policy.name))
            .object(Object::new(ObjectKind::Table, policy.table.to_string()))
            .object(role(&policy.grantee)),
        AccessChange::DropPolicy { table, name } => event
            .object(Object::new(ObjectKind::Policy, name))
            .object(Object::new(ObjectKind::Table, table.to_string())),
    }
}

fn principal(kind: PrincipalKind) -> ObjectKind {
    match kind {
        PrincipalKind::User => ObjectKind::User,
        PrincipalKind::Role => ObjectKind::Role,
    }
}

fn securable(grant: &Grant) -> Object {
    match (&grant.on, &grant.column) {
        (Securable::Table(name), Some(column)) => Object::new(ObjectKind::Column, format!("{name}.{column}")),
        (Securable::Table(name), None) => Object::new(ObjectKind::Table, name.to_string()),
        (Securable::Schema(name), _) => Object::new(ObjectKind::Schema, name),
        (Securable::Operator(name), _) => Object::new(ObjectKind::Operator, name),
    }
}
