//! What a statement's user may do with what it names.

use std::sync::Arc;

use causeway_model::{
    Dataset, DatasetKind, DatasetVersion, Privilege, ReadableColumns, Rights, RowPolicy, Securable, TableName,
};
use datafusion::arrow::datatypes::DataType;
use datafusion::catalog::view::ViewTable;
use datafusion::common::TableReference;
use datafusion::datasource::provider_as_source;
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::TableSource;

use super::barrier::Barrier;
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind, Result};
use crate::parse::parse_query;
use crate::plan::on_big_stack;
use crate::resolve::VEILED;
use crate::session::PlanningContext;

/// The rights of a statement's user, with the words for what they do not cover.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) rights: Arc<Rights>,
}

/// What may be read of a table.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    columns: ReadableColumns,
    condition: Option<String>,
    /// True if it may be read through privacy mechanisms alone.
    pub(crate) is_veiled: bool,
}

impl Guard {
    /// Returns what may be read of a version of a table or view; `None` if to this user it is not there.
    pub(crate) async fn reading(
        &self,
        engine: &Engine,
        dataset: &Dataset,
        version: &DatasetVersion,
    ) -> Result<Option<Reading>> {
        let readable = self.rights.readable_columns(dataset, version);
        let is_veiled = readable == ReadableColumns::None && self.rights.may_release(&dataset.name);
        let columns = if is_veiled { ReadableColumns::All } else { readable };
        if columns == ReadableColumns::None {
            return Ok(None);
        }
        let policies = match dataset.kind {
            DatasetKind::Table if !self.rights.is_admin() => engine.catalog().row_policies(Some(&dataset.name)).await?,
            _ => Vec::new(),
        };
        Ok(Some(Reading { columns, condition: self.rights.row_condition(&policies), is_veiled }))
    }

    /// Checks that a privilege is held on a table or schema.
    pub(crate) fn require(&self, privilege: Privilege, on: &Securable) -> Result<()> {
        if self.rights.may(privilege, on) {
            return Ok(());
        }
        Err(denied(format!("you may not {} {}", verb(privilege), object(on))).with_hint(format!(
            "ask for GRANT {} ON {}",
            privilege.name().to_uppercase(),
            grantable(on)
        )))
    }

    /// Checks that a table may be written in all the ways named. A table that may not even be known
    /// is reported as one that is not there.
    pub(crate) async fn require_on_table(
        &self,
        engine: &Engine,
        table: &TableName,
        privileges: &[Privilege],
    ) -> Result<()> {
        if !self.rights.may_know(table) {
            return Err(engine.unknown_table(table, &self.rights).await);
        }
        privileges.iter().try_for_each(|privilege| self.require(*privilege, &Securable::Table(table.clone())))
    }

    /// Checks that a protected table is not changed by other than an admin; `done` says what would be done.
    pub(crate) fn require_unprotected(&self, dataset: Option<&Dataset>, done: &str) -> Result<()> {
        match dataset.filter(|dataset| dataset.policy.protected && !self.rights.is_admin()) {
            Some(dataset) => Err(denied(format!("`{}` is protected and is {done} by admins only", dataset.name))),
            None => Ok(()),
        }
    }

    /// Checks that the operators may be called.
    pub(crate) fn require_operators<'a>(&self, operators: impl IntoIterator<Item = &'a String>) -> Result<()> {
        operators.into_iter().try_for_each(|name| self.require(Privilege::Execute, &Securable::Operator(name.clone())))
    }

    /// Checks that files outside the lake may be read; the privilege is SELECT on the schema `file`.
    pub(crate) fn require_files(&self) -> Result<()> {
        self.require(Privilege::Select, &Securable::Schema("file".to_owned()))
    }
}

impl Reading {
    /// Says how the reading is narrowed; `None` if all may be read.
    pub(crate) fn narrowed(&self) -> Option<String> {
        let columns = match &self.columns {
            ReadableColumns::Some(columns) => Some(columns.iter().cloned().collect::<Vec<_>>().join(",")),
            _ => None,
        };
        match (columns, &self.condition) {
            (None, None) => self.is_veiled.then(|| VEILED.to_owned()),
            (columns, condition) => Some(format!("{columns:?} where {condition:?}")),
        }
    }

    /// Narrows a table to what may be read of it.
    pub(crate) async fn narrow(
        self,
        state: &Arc<SessionState>,
        key: &TableReference,
        source: Arc<dyn TableSource>,
    ) -> Result<Arc<dyn TableSource>> {
        if self.columns == ReadableColumns::All && self.condition.is_none() {
            return Ok(source);
        }
        let list = match &self.columns {
            ReadableColumns::Some(columns) => {
                let there = |column: &&String| source.schema().field_with_name(column).is_ok();
                let there = columns.iter().filter(there).map(|column| quoted(column)).collect::<Vec<_>>();
                if there.is_empty() {
                    return Err(denied("a table this reads was made anew without the columns that you may read"));
                }
                there.join(", ")
            }
            _ => "*".to_owned(),
        };
        let is_policed = self.condition.is_some();
        let condition = self.condition.map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
        let query = parse_query(&format!("SELECT {list} FROM {}{condition}", reference(key)))?;
        let (state, tables) = (Arc::clone(state), [(key.clone(), source)].into());
        let plan = on_big_stack(move || {
            PlanningContext { state: &state, tables: &tables }.plan_query(query).map_err(|_| {
                EngineError::new(ErrorKind::Plan, "a row policy of a table this reads no longer fits its columns")
                    .with_hint("a steward can DROP POLICY and create it anew")
            })
        });
        let plan = plan.await?;
        let plan = if is_policed { Barrier::before(plan) } else { plan };
        Ok(provider_as_source(Arc::new(ViewTable::new(plan, None))))
    }
}

/// Checks that a policy's condition is a boolean expression over the columns of its table.
pub(crate) async fn condition(
    state: &Arc<SessionState>,
    key: &TableReference,
    source: Arc<dyn TableSource>,
    policy: &RowPolicy,
) -> Result<()> {
    let query = parse_query(&format!("SELECT ({}) AS shown FROM {}", policy.condition, reference(key)))?;
    let (state, tables) = (Arc::clone(state), [(key.clone(), source)].into());
    let plan = on_big_stack(move || {
        PlanningContext { state: &state, tables: &tables }
            .plan_query(query)
            .map_err(|error| EngineError::of_plan(&error).without_position())
    });
    match plan.await?.schema().field(0).data_type() {
        DataType::Boolean => Ok(()),
        other => {
            Err(EngineError::new(ErrorKind::Plan, format!("the condition of a policy is true or false, not {other}")))
        }
    }
}

/// Makes the refusal of something the user may not do.
pub(crate) fn denied(problem: impl Into<String>) -> EngineError {
    EngineError::new(ErrorKind::Denied, problem)
}

fn reference(key: &TableReference) -> String {
    format!("{}.{}", quoted(key.schema().unwrap_or_default()), quoted(key.table()))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn verb(privilege: Privilege) -> &'static str {
    match privilege {
        Privilege::Select => "read",
        Privilege::Release => "make private releases of",
        Privilege::Insert => "add rows to",
        Privilege::Update => "change rows of",
        Privilege::Delete => "remove rows from",
        Privilege::Create => "make, replace or drop tables in",
        Privilege::Execute => "call",
    }
}

fn object(on: &Securable) -> String {
    match on {
        Securable::Table(name) => format!("`{name}`"),
        Securable::Schema(name) if name == "file" => "files".to_owned(),
        Securable::Schema(name) => format!("schema `{name}`"),
        Securable::Operator(name) => format!("operator `{name}`"),
    }
}

fn grantable(on: &Securable) -> String {
    match on {
        Securable::Table(name) => name.to_string(),
        Securable::Schema(name) => format!("SCHEMA {name}"),
        Securable::Operator(name) => format!("OPERATOR {name}"),
    }
}
