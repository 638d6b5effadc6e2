//! What a statement reads and writes, from its text alone; pipelines order their steps by it.

use std::collections::BTreeSet;

use causeway_model::TableName;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::sqlparser::ast::{Query, Statement as SqlStatement, TableFactor};

use crate::api::StatementInfo;
use crate::call::{References, prepare};
use crate::dml;
use crate::error::Result;
use crate::parse::{Parsed, Statement, copy_source, parse_query};

/// Says what a parsed statement reads and writes.
pub(crate) fn analyse_parsed(parsed: Parsed) -> Result<StatementInfo> {
    let kind = parsed.statement.kind();
    let mut used = Used::default();
    used.statement(&parsed.statement)?;
    Ok(StatementInfo {
        sql: parsed.sql,
        kind,
        reads: used.reads.into_iter().filter(|name| name.schema != "system").collect(),
        writes: used.writes,
        files: used.files,
    })
}

#[derive(Default)]
struct Used {
    reads: BTreeSet<TableName>,
    writes: Vec<TableName>,
    files: Vec<String>,
}

impl Used {
    fn statement(&mut self, statement: &Statement) -> Result<()> {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Explain(statement) => self.explained(statement),
            Statement::CreateTableAs { name, query, .. } | Statement::CreateView { name, query, .. } => {
                self.writes.push(name.clone());
                self.query(query)
            }
            Statement::CreateTable { name, .. } => {
                self.writes.push(name.clone());
                Ok(())
            }
            Statement::CreateSchema { .. } | Statement::Execute { .. } => Ok(()),
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
                self.expression_query(
                    &update.selection.as_ref().map(ToString::to_string).unwrap_or_default(),
                    &update.table.relation,
                )
            }
            Statement::Delete(delete) => {
                let factor = dml::delete_table(delete)?;
                self.changes(factor)?;
                self.expression_query(&delete.selection.as_ref().map(ToString::to_string).unwrap_or_default(), factor)
            }
            Statement::Merge(merge) => {
                self.changes(&merge.table)?;
                {
                    let source = parse_query(&format!("SELECT * FROM {}", merge.source))?;
                    self.query(&source)
                }
            }
            Statement::CopyInto(copy) => {
                self.writes.push(copy.table.clone());
                self.writes.push(copy.table.quarantine());
                self.files.push(copy.path.clone());
                Ok(())
            }
            Statement::CopyTo(copy) => {
                let source = copy_source(copy)?;
                self.query(&source)
            }
            Statement::Prepare { statement, .. } => self.statement(statement),
        }
    }

    fn changes(&mut self, factor: &TableFactor) -> Result<()> {
        let table = dml::target(factor)?;
        self.reads.insert(table.clone());
        self.writes.push(table);
        Ok(())
    }

    fn expression_query(&mut self, condition: &str, factor: &TableFactor) -> Result<()> {
        if condition.is_empty() {
            return Ok(());
        }
        let condition = parse_query(&format!("SELECT 1 FROM {factor} WHERE {condition}"))?;
        self.query(&condition)
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
        let References { tables, versions, files, .. } = prepare(&mut Box::new(query.clone()))?;
        self.reads.extend(tables);
        self.reads.extend(versions.into_iter().map(|(table, _)| table));
        self.files.extend(files.into_iter().map(|file| file.path));
        Ok(())
    }
}
