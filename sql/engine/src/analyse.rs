//! What a statement reads and writes, from its text alone; pipelines order their steps by it.

use std::collections::BTreeSet;

use causeway_model::{Parameters, TableName};
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{Expr, Query, Statement as SqlStatement, TableFactor};

use crate::api::StatementInfo;
use crate::call::{References, prepare};
use crate::dml;
use crate::error::Result;
use crate::parameters::{bind, constant_text};
use crate::parse::{Parsed, Statement, copy_source, parse_query};

/// Says what a parsed statement reads and writes.
pub(crate) fn analyse_parsed(parsed: Parsed, parameters: Option<&Parameters>) -> Result<StatementInfo> {
    let kind = parsed.statement.kind();
    let mut used = Used { parameters, ..Used::default() };
    used.statement(&parsed.statement)?;
    Ok(StatementInfo {
        sql: parsed.sql,
        kind,
        reads: used.reads.into_iter().filter(|name| name.schema != "system").collect(),
        writes: used.writes,
        files: used.files,
        parameters: parsed.parameters,
    })
}

/// Returns the tables that a statement writes.
pub(crate) fn written(statement: &Statement) -> Result<Vec<TableName>> {
    let mut used = Used::default();
    used.statement(statement)?;
    Ok(used.writes)
}

#[derive(Default)]
struct Used<'a> {
    /// Values for the parameters; without them what depends on one is left open.
    parameters: Option<&'a Parameters>,
    reads: BTreeSet<TableName>,
    writes: Vec<TableName>,
    files: Vec<String>,
}

impl Used<'_> {
    fn statement(&mut self, statement: &Statement) -> Result<()> {
        match statement {
            Statement::Query(query) | Statement::Prepare { query, .. } => self.query(query),
            Statement::Explain(statement) => self.explained(statement),
            Statement::CreateTableAs { name, query, .. } | Statement::CreateView { name, query, .. } => {
                self.writes.push(name.clone());
                self.query(query)
            }
            Statement::CreateTable { name, .. } => {
                self.writes.push(name.clone());
                Ok(())
            }
            Statement::CreateSchema { .. } | Statement::Execute { .. } | Statement::Access(_) | Statement::Call(_) => {
                Ok(())
            }
            Statement::Settings(settings) => {
                self.reads.insert(settings.name.clone());
                self.writes.push(settings.name.clone());
                Ok(())
            }
            Statement::Drop { names, .. } => {
                self.writes.extend(names.iter().cloned());
                Ok(())
            }
            Statement::Insert(insert) => {
                let inserted = dml::insert(insert)?;
                self.writes.push(inserted.table);
                self.query(&inserted.rows)
            }
            Statement::Update(update) => {
                self.changes(&update.table.relation)?;
                let values = update.assignments.iter().map(|assignment| &assignment.value);
                self.expressions(values.chain(&update.selection), &update.table.relation.to_string())
            }
            Statement::Delete(delete) => {
                let factor = dml::delete_table(delete)?;
                self.changes(factor)?;
                self.expressions(&delete.selection, &factor.to_string())
            }
            Statement::Merge(merge) => {
                self.changes(&merge.table)?;
                let expressions = merge.clauses.iter().flat_map(dml::clause_expressions).chain([merge.on.as_ref()]);
                self.expressions(expressions, &format!("{} CROSS JOIN {}", merge.table, merge.source))
            }
            Statement::CopyInto(copy) => {
                self.writes.push(copy.table.clone());
                self.writes.push(copy.table.quarantine());
                self.files.extend(self.path(&copy.path)?);
                Ok(())
            }
            Statement::CopyTo(copy) => {
                let source = copy_source(copy)?;
                self.query(&source)
            }
        }
    }

    fn path(&self, path: &Expr) -> Result<Option<String>> {
        let mut path = path.clone();
        if let Some(parameters) = self.parameters {
            bind(&mut path, parameters)?;
        }
        Ok(constant_text(&path))
    }

    fn changes(&mut self, factor: &TableFactor) -> Result<()> {
        let table = dml::target(factor)?;
        self.reads.insert(table.clone());
        self.writes.push(table);
        Ok(())
    }

    /// Reads what expressions over some tables read.
    fn expressions<'e>(&mut self, expressions: impl IntoIterator<Item = &'e Expr>, from: &str) -> Result<()> {
        let list: Vec<String> = expressions.into_iter().map(|expression| format!("({expression})")).collect();
        let list = if list.is_empty() { "1".to_owned() } else { list.join(", ") };
        self.query(&*parse_query(&format!("SELECT {list} FROM {from}"))?)
    }

    fn explained(&mut self, statement: &DfStatement) -> Result<()> {
        match statement {
            DfStatement::Explain(explain) => self.explained(&explain.statement),
            DfStatement::Statement(statement) => match statement.as_ref() {
                SqlStatement::Query(query) => self.query(query),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn query(&mut self, query: &Query) -> Result<()> {
        let References { tables, versions, added, files, .. } = prepare(&mut Box::new(query.clone()), self.parameters)?;
        self.reads.extend(tables);
        self.reads.extend(versions.into_iter().map(|(table, _)| table));
        self.reads.extend(added.into_iter().map(|added| added.table));
        self.files.extend(files.into_iter().map(|file| file.path));
        Ok(())
    }
}
