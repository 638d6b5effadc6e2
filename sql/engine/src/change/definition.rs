//! CREATE TABLE with columns, CREATE VIEW, CREATE SCHEMA, DROP: changes without rows.

use std::sync::Arc;

use causeway_model::{DatasetKind, LineageEdge, OutputVersion, Privilege, Securable, StepOutcome, TableName};
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{CreateTable, Query, Statement as SqlStatement};
use sha2::{Digest, Sha256};

use crate::access::denied;
use crate::call::prepare;
use crate::error::{EngineError, ErrorKind, Result};
use crate::parameters::refuse_kept;
use crate::parse::{CreateMode, DEFAULT_SCHEMA};
use crate::session::PlanningContext;

use super::outcome::{Described, describe, edges};
use super::target::{Target, check_column_names, check_schema};
use super::{Change, Prepared, Task, operator_versions};

impl Change<'_> {
    /// A table with columns and no rows is the result of a query with no rows.
    pub(super) async fn create_table(
        &self,
        name: &TableName,
        create: CreateMode,
        definition: &CreateTable,
    ) -> Result<Prepared> {
        let tables = std::collections::HashMap::new();
        let planning = PlanningContext { state: &self.state, tables: &tables };
        let statement = DfStatement::Statement(Box::new(SqlStatement::CreateTable(definition.clone())));
        let plan = planning.plan(statement)?;
        let LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) = plan else {
            return Err(EngineError::new(ErrorKind::Unsupported, "this form of CREATE TABLE is not offered"));
        };
        let constraints = table.constraints.iter().next().is_some();
        if constraints || !table.column_defaults.is_empty() {
            return Err(EngineError::new(
                ErrorKind::Unsupported,
                "keys, constraints and defaults are not offered in CREATE TABLE",
            )
            .with_hint("state them in the contract of a COPY INTO"));
        }
        let schema = Arc::clone(table.input.schema().inner());
        check_column_names(schema.fields().iter().map(|field| field.name().as_str()))?;
        match Target::create(self, name, create).await? {
            Some(target) => self.empty_table(target, &table.input).await,
            None => Ok(Prepared::nothing()),
        }
    }

    pub(super) async fn create_view(&self, name: &TableName, create: CreateMode, query: &Query) -> Result<Prepared> {
        self.guard.require(Privilege::Create, &Securable::Schema(name.schema.clone()))?;
        check_schema(self.engine, &name.schema).await?;
        let there = self.engine.catalog().dataset(name).await?;
        if let Some(dataset) = &there {
            match (dataset.kind, create) {
                (DatasetKind::View, CreateMode::Replace) => {
                    self.guard.require_unprotected(Some(dataset), "replaced")?;
                }
                (DatasetKind::View, CreateMode::Keep) => return Ok(Prepared::nothing()),
                _ => {
                    return Err(EngineError::new(ErrorKind::AlreadyExists, format!("`{name}` exists already"))
                        .with_hint("use CREATE OR REPLACE VIEW for a view; DROP TABLE first for a table"));
                }
            }
        }
        refuse_kept(query, "a view")?;
        let mut prepared_query = Box::new(query.clone());
        let references = prepare(&mut prepared_query, self.parameters())?;
        let resolved = self.resolve(&references, &[]).await?;
        let planned = self.engine.plan(&self.state, &resolved, prepared_query, Box::new(Ok), true).await?;
        let inputs = resolved.register_files(self.engine).await?;
        let sql = query.to_string();
        let lineage = planned.lineage.clone().unwrap_or_default();
        let mut described = describe(&planned.physical.schema(), &lineage, &inputs, &resolved.policies());
        described.renew(there.as_ref());
        let outcome = view_outcome(name, sql, described, edges(&lineage, &inputs, 0));
        Ok(Prepared {
            inputs,
            views: resolved.views.clone(),
            depends_on: operator_versions(&references).into_iter().chain(resolved.narrowings()).collect(),
            target: None,
            task: Task::Record(Box::new(outcome)),
            warnings: Vec::new(),
        })
    }

    pub(super) async fn create_schema(&self, name: &str, if_not_exists: bool) -> Result<Prepared> {
        if matches!(name, "system" | "file") {
            return Err(EngineError::new(ErrorKind::Refused, format!("schema `{name}` belongs to the system")));
        }
        if !self.guard.rights.may_govern() {
            return Err(denied("making schemas is for admins and stewards"));
        }
        let exists = self.engine.catalog().schemas().await?.iter().any(|schema| schema == name);
        if exists && !if_not_exists {
            return Err(EngineError::new(ErrorKind::AlreadyExists, format!("schema `{name}` exists already"))
                .with_hint("use CREATE SCHEMA IF NOT EXISTS"));
        }
        let outcome = StepOutcome { schemas: vec![name.to_owned()], ..StepOutcome::default() };
        Ok(Prepared { task: Task::Record(Box::new(outcome)), ..Prepared::nothing() })
    }

    pub(super) async fn drop_datasets(&self, view: bool, names: &[TableName], if_exists: bool) -> Result<Prepared> {
        let wanted = if view { DatasetKind::View } else { DatasetKind::Table };
        let mut outcome = StepOutcome::default();
        for name in names {
            self.guard.require(Privilege::Create, &Securable::Schema(name.schema.clone()))?;
            match self.engine.catalog().dataset(name).await? {
                Some(dataset) if dataset.kind == wanted => {
                    self.guard.require_unprotected(Some(&dataset), "dropped")?;
                    outcome.dropped.push(dataset.id);
                }
                Some(_) => {
                    let (is, verb) = if view { ("a table", "DROP TABLE") } else { ("a view", "DROP VIEW") };
                    return Err(
                        EngineError::new(ErrorKind::Plan, format!("`{name}` is {is}")).with_hint(format!("use {verb}"))
                    );
                }
                None if if_exists => {}
                None => return Err(self.engine.unknown_table(name, &self.guard.rights).await),
            }
        }
        Ok(Prepared { task: Task::Record(Box::new(outcome)), ..Prepared::nothing() })
    }
}

fn view_outcome(name: &TableName, sql: String, described: Described, lineage: Vec<LineageEdge>) -> StepOutcome {
    let output = OutputVersion {
        name: name.clone(),
        kind: DatasetKind::View,
        location: String::new(),
        digest: Some(hex::encode(Sha256::digest(sql.as_bytes()))),
        view_sql: Some(sql),
        policy: Some(described.policy),
        version: 0,
        n_rows: None,
        n_bytes: None,
        n_files: None,
        columns: described.columns,
        previous: None,
    };
    StepOutcome {
        outputs: vec![output],
        schemas: (name.schema == DEFAULT_SCHEMA).then(|| DEFAULT_SCHEMA.to_owned()).into_iter().collect(),
        lineage,
        ..StepOutcome::default()
    }
}
