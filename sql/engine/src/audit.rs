//! What becomes a record of the audit log besides changes: queries and refusals.

use std::sync::Arc;

use causeway_audit::{Action, Digest, Event, Object, ObjectKind, Outcome};
use causeway_model::{CatalogError, DatasetKind};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt as _;
use tokio::task::JoinHandle;

use crate::api::{Rows, StatementContext};
use crate::call::References;
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind};
use crate::resolve::Resolved;

/// The code of a path outside the allowed folders.
const FORBIDDEN_PATH: &str = "CW0502";

/// A query's record on its way into the log.
pub(crate) struct Admission(JoinHandle<Result<Option<u64>, CatalogError>>);

impl Admission {
    /// Holds back the rows until the record is in the log. The query computes meanwhile.
    pub(crate) fn before(self, rows: Rows) -> Rows {
        let Rows { schema, stream } = rows;
        let admitted = async move {
            match self.0.await {
                Ok(Ok(_)) => Ok(stream),
                Ok(Err(error)) => Err(EngineError::from(error).into_datafusion()),
                Err(error) => Err(DataFusionError::ExecutionJoin(Box::new(error))),
            }
        };
        let admitted = futures::stream::once(admitted).try_flatten();
        Rows { stream: Box::pin(RecordBatchStreamAdapter::new(SchemaRef::clone(&schema), admitted)), schema }
    }
}

impl Engine {
    /// Begins to record that a query is let through: who asked what, of which versions.
    pub(crate) fn admit(
        &self,
        sql: &str,
        references: &References,
        resolved: &Resolved,
        context: &StatementContext,
    ) -> Admission {
        let event = query_event(sql, references, resolved, context);
        let catalog = Arc::clone(self.catalog());
        Admission(tokio::spawn(async move { catalog.record(event).await }))
    }

    /// Records that a statement was turned away for want of a right. To a user, a table that is not there
    /// and one that is hidden look alike, and so they do here.
    pub(crate) async fn turned_away(&self, sql: &str, context: &StatementContext, error: &EngineError) {
        let is_refusal = match error.kind() {
            ErrorKind::Denied | ErrorKind::Refused => true,
            ErrorKind::NotFound => context.user.is_some(),
            _ => error.code() == FORBIDDEN_PATH,
        };
        if !is_refusal {
            return;
        }
        let event = Event::new(context.actor(), Action::RefusedAttempt, Outcome::refused(error.code()));
        if let Err(failure) = self.catalog().record(event.object(statement(sql))).await {
            tracing::error!(code = failure.code(), "a refused statement is not in the audit log");
        }
    }
}

fn statement(sql: &str) -> Object {
    Object::new(ObjectKind::Statement, "statement").digest(Digest::of(sql.trim().as_bytes()))
}

fn query_event(sql: &str, references: &References, resolved: &Resolved, context: &StatementContext) -> Event {
    let mut event = Event::new(context.actor(), Action::Query, Outcome::started()).object(statement(sql));
    for pin in resolved.pins.values() {
        let kind = match pin.dataset.kind {
            DatasetKind::Table => ObjectKind::Table,
            DatasetKind::View => ObjectKind::View,
            DatasetKind::File => ObjectKind::File,
        };
        let object = Object::new(kind, pin.dataset.name.to_string()).id(pin.dataset.id.0).version(pin.version.version);
        event = event.object(object);
    }
    for file in resolved.files.values() {
        event = event.object(Object::new(ObjectKind::File, &file.shown));
    }
    for table in references.tables.iter().filter(|table| table.schema == "system") {
        event = event.object(Object::new(ObjectKind::Table, table.to_string()));
    }
    for operator in &references.operators {
        event = event.object(Object::new(ObjectKind::Operator, operator));
    }
    match resolved.narrowed.len() {
        0 => event,
        narrowed => event.fact("n_narrowed", narrowed.to_string()),
    }
}
