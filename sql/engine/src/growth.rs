//! Statements whose result can be brought up to date from what was added to one of their tables.
//!
//! `CREATE OR REPLACE TABLE t AS SELECT …` says what the whole of `t` is. If its rows come from the rows of
//! one table each on its own (*append*), or from those with one value of a key (*incremental*), then after
//! rows were added the same is said by a statement that reads only those, or only their keys. That
//! statement is an ordinary one, with the versions it is about written out, so all that holds for a
//! statement holds for it: its record, its lineage, its repetition.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, LazyLock};

use causeway_lake::{LakeError, Marker};
use causeway_model::{DatasetKind, Step, TableName};
use datafusion::functions_aggregate::all_default_aggregate_functions;
use datafusion::sql::sqlparser::ast::{
    Distinct, Expr, GroupByExpr, JoinOperator, Query, Select, SelectItem, SetExpr, TableFactor, Value,
    visit_expressions,
};

use crate::access::Guard;
use crate::call::{Moment, References, prepare};
use crate::change::location_of;
use crate::dml;
use crate::engine::Engine;
use crate::error::{EngineError, ErrorKind, Result};
use crate::gate::Limits;
use crate::parse::{CreateMode, Parsed, Statement, normalize, parse_one, parse_query, table_name};
use crate::varying::varying;

/// The functions that make one value of many rows.
static AGGREGATES: LazyLock<BTreeSet<String>> = LazyLock::new(|| {
    let all = all_default_aggregate_functions().into_iter();
    all.flat_map(|function| function.aliases().iter().cloned().chain([function.name().to_owned()]).collect::<Vec<_>>())
        .collect()
});

/// A statement that makes a table, and the input that may grow.
#[derive(Debug, Clone)]
pub struct Growing {
    input: TableName,
    target: TableName,
    key: Option<String>,
    sql: String,
    query: Box<Query>,
}

impl Growing {
    /// Returns the table whose added rows are followed: the first in FROM.
    pub fn input(&self) -> &TableName {
        &self.input
    }

    /// Returns the statement that brings the result from one version of the input to a later one. `pins`
    /// says at which version each other table is read, and the result itself.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if a table is not pinned.
    pub fn since(&self, since: i64, until: i64, pins: &BTreeMap<TableName, i64>) -> Result<String> {
        let (input, target) = (&self.input, quoted_name(&self.target));
        let added = format!("added('{input}', since => {since}, until => {until})");
        let Some(key) = &self.key else {
            let query = self.reading(&format!("SELECT * FROM {added}"), pins)?;
            return Ok(format!("INSERT INTO {target} {query}"));
        };
        let before = pinned(&self.target, pins)?;
        let key = quoted(key);
        let changed = format!("(SELECT {key} FROM {added}) AS changed");
        let kept = format!(
            "SELECT kept.* FROM {before} AS kept LEFT ANTI JOIN {changed} ON kept.{key} IS NOT DISTINCT FROM changed.{key}"
        );
        let anew = self.reading(
            &format!(
                "SELECT whole.* FROM as_of('{input}', version => {until}) AS whole \
                 LEFT SEMI JOIN {changed} ON whole.{key} IS NOT DISTINCT FROM changed.{key}"
            ),
            pins,
        )?;
        Ok(format!("CREATE OR REPLACE TABLE {target} AS {kept} UNION ALL {anew}"))
    }

    /// Returns true if a recorded statement is this one, or one that [`Self::since`] has made of it.
    pub fn has_said(&self, sql: &str) -> bool {
        sql == self.sql || self.said_of_a_range(sql).is_ok_and(|said| said.as_deref() == Some(sql))
    }

    /// Says again what a statement says of the range and the pins that it names.
    fn said_of_a_range(&self, sql: &str) -> Result<Option<String>> {
        let mut query = match parse_one(sql, &Limits::default())?.statement {
            Statement::CreateTableAs { query, .. } => query,
            Statement::Insert(insert) => dml::insert(&insert)?.rows,
            _ => return Ok(None),
        };
        let References { added, versions, .. } = prepare(&mut query, None)?;
        let pins = versions.into_iter().filter_map(|(table, moment)| match moment {
            Moment::Version(version) => Some((table, version)),
            Moment::Timestamp(_) => None,
        });
        match added.first() {
            Some(added) => self.since(added.since, added.until, &pins.collect()).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the query with other rows in the place of the input, and the other tables pinned.
    fn reading(&self, rows: &str, pins: &BTreeMap<TableName, i64>) -> Result<Box<Query>> {
        let mut query = self.query.clone();
        let SetExpr::Select(select) = query.body.as_mut() else { return Ok(query) };
        let Some(first) = select.from.first_mut() else { return Ok(query) };
        first.relation = in_place_of(&first.relation, &format!("({rows})"))?;
        for join in &mut first.joins {
            let TableFactor::Table { name, .. } = &join.relation else { continue };
            join.relation = in_place_of(&join.relation, &pinned(&table_name(name)?, pins)?)?;
        }
        Ok(query)
    }
}

impl Engine {
    /// Reads a statement as one whose result follows what is added to the first table in FROM: row by row,
    /// or, with a key, for all rows of a value of that column.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a statement whose result does not, with the reason.
    pub fn growing(&self, sql: &str, key: Option<&str>) -> Result<Growing> {
        read(parse_one(sql, &self.limits())?, key)
    }

    /// Returns true if a user may read all of a table: no row policy and no grant on columns alone narrows it.
    ///
    /// # Errors
    /// If there is no such user; errors of the catalog.
    pub async fn reads_all(&self, user: Option<&str>, table: &TableName) -> Result<bool> {
        let guard = Guard { rights: Arc::new(self.rights(user).await?) };
        let Some((dataset, Some(newest))) = self.catalog().newest(table).await? else { return Ok(false) };
        let reading = guard.reading(self, &dataset, &newest).await?;
        Ok(reading.is_some_and(|reading| reading.narrowed().is_none()))
    }

    /// Returns true if rows were added to a table between two versions, and nothing else has happened to it.
    ///
    /// # Errors
    /// Errors of the catalog and of the lake.
    pub async fn is_grown(&self, table: &TableName, since: i64, until: i64) -> Result<bool> {
        let Some((dataset, _)) = self.catalog().newest(table).await? else { return Ok(false) };
        if dataset.kind != DatasetKind::Table {
            return Ok(false);
        }
        match self.lake().added_between(&dataset.location, since, until).await {
            Ok(added) => Ok(added.is_some()),
            Err(LakeError::Erased { .. } | LakeError::VersionNotFound { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Returns true if the commit of a step has landed in the lake, whether or not that is recorded.
    ///
    /// # Errors
    /// Errors of the catalog and of the lake; a text that can no longer be read.
    pub async fn is_landed(&self, step: &Step) -> Result<bool> {
        let parsed = parse_one(&step.sql, &self.limits())?;
        let marker = Marker(format!("causeway/{}/{}", step.run, step.name));
        for table in crate::analyse::written(&parsed.statement)? {
            let location = location_of(self, &table).await?;
            if self.lake().committed(&location, &marker).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Reads a statement as one that follows an input.
fn read(parsed: Parsed, key: Option<&str>) -> Result<Growing> {
    let Statement::CreateTableAs { name: target, create: CreateMode::Replace, query } = parsed.statement else {
        return Err(unfollowed("the statement is CREATE OR REPLACE TABLE … AS SELECT …"));
    };
    if let Some(what) = varying(&parsed.sql).first() {
        return Err(unfollowed(&format!("the result is the same each time; {what} is not")));
    }
    let references = prepare(&mut query.clone(), None)?;
    let input = check_query(&query, &references, key)?;
    if references.tables.contains(&target) {
        return Err(unfollowed(&format!("`{target}` is not read by the statement that makes it")));
    }
    Ok(Growing { input, target, key: key.map(str::to_owned), sql: parsed.sql, query })
}

/// Returns a table at its pinned version.
fn pinned(table: &TableName, pins: &BTreeMap<TableName, i64>) -> Result<String> {
    let version = pins.get(table).ok_or_else(|| unfollowed(&format!("the version of `{table}` is known")))?;
    Ok(format!("as_of('{table}', version => {version})"))
}

/// Returns rows under the name that a table has in a query.
fn in_place_of(table: &TableFactor, rows: &str) -> Result<TableFactor> {
    let name = match table {
        TableFactor::Table { alias: Some(alias), .. } => alias.name.to_string(),
        TableFactor::Table { name, .. } => quoted(&table_name(name)?.table),
        _ => return Ok(table.clone()),
    };
    let query = parse_query(&format!("SELECT * FROM {rows} AS {name}"))?;
    match *query.body {
        SetExpr::Select(select) => select.from.into_iter().next().map(|from| from.relation),
        _ => None,
    }
    .ok_or_else(|| EngineError::new(ErrorKind::Internal, "a rewritten table is none"))
}

/// Checks that a query's result follows its first table, and returns that.
fn check_query(query: &Query, references: &References, key: Option<&str>) -> Result<TableName> {
    let is_plain = query.with.is_none()
        && query.order_by.is_none()
        && query.limit_clause.is_none()
        && query.fetch.is_none()
        && query.pipe_operators.is_empty();
    let SetExpr::Select(select) = query.body.as_ref() else {
        return Err(unfollowed("the query is one SELECT, without UNION and the like"));
    };
    if !is_plain {
        return Err(unfollowed("the query has no WITH, ORDER BY or LIMIT"));
    }
    let tables_only = references.versions.is_empty() && references.files.is_empty() && references.operators.is_empty();
    if !tables_only {
        return Err(unfollowed("the query reads tables, no files, operators or as_of"));
    }
    let (input, name) = check_from(select, references)?;
    check_select(select)?;
    match key {
        None => check_rows(select)?,
        Some(key) => check_key(select, &Key { column: key, table: &name })?,
    }
    Ok(input)
}

/// Checks FROM and returns the input with the name it has in the query.
fn check_from(select: &Select, references: &References) -> Result<(TableName, String)> {
    let one_table = || unfollowed("FROM begins with a table; others are joined to it");
    let [from] = select.from.as_slice() else { return Err(one_table()) };
    let name_of = |factor: &TableFactor| match factor {
        TableFactor::Table { name, args: None, alias, .. }
            if alias.as_ref().is_none_or(|alias| alias.columns.is_empty()) =>
        {
            let table = table_name(name)?;
            let shown = alias.as_ref().map_or_else(|| table.table.clone(), |alias| normalize(&alias.name));
            Ok((table, shown))
        }
        _ => Err(one_table()),
    };
    let (input, shown) = name_of(&from.relation)?;
    let mut seen = 1;
    for join in &from.joins {
        let keeps_rows = matches!(
            join.join_operator,
            JoinOperator::Join(_)
                | JoinOperator::Inner(_)
                | JoinOperator::Left(_)
                | JoinOperator::LeftOuter(_)
                | JoinOperator::CrossJoin(_)
        );
        if !keeps_rows {
            return Err(unfollowed("other tables are joined by JOIN, LEFT JOIN or CROSS JOIN"));
        }
        if name_of(&join.relation)?.0 == input {
            return Err(unfollowed(&format!("`{input}` is read once")));
        }
        seen += 1;
    }
    if references.tables.len() > seen {
        return Err(unfollowed("the query has no subqueries"));
    }
    Ok((input, shown))
}

fn check_select(select: &Select) -> Result<()> {
    let extra = select.top.is_some()
        || select.into.is_some()
        || select.qualify.is_some()
        || !select.lateral_views.is_empty()
        || !select.named_window.is_empty()
        || !select.connect_by.is_empty()
        || select.prewhere.is_some();
    if extra {
        return Err(unfollowed("the query is a plain SELECT … FROM … WHERE … GROUP BY … HAVING …"));
    }
    let problem = visit_expressions(select, |expr| match expr {
        Expr::Subquery(_) | Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::AnyOp { .. } | Expr::AllOp { .. } => {
            ControlFlow::Break("the query has no subqueries")
        }
        Expr::CompoundIdentifier(parts) if parts.len() > 2 => {
            ControlFlow::Break("columns are named as column or table.column, without a schema")
        }
        Expr::Function(function) if function.over.is_some() => ControlFlow::Break("the query has no window functions"),
        _ => ControlFlow::Continue(()),
    });
    match problem {
        ControlFlow::Break(problem) => Err(unfollowed(problem)),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn is_grouped(select: &Select) -> bool {
    !matches!(&select.group_by, GroupByExpr::Expressions(expressions, modifiers) if expressions.is_empty() && modifiers.is_empty())
}

fn has_aggregates(select: &Select) -> bool {
    visit_expressions(select, |expr| match expr {
        Expr::Function(function) if AGGREGATES.contains(&function.name.to_string().to_lowercase()) => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

/// Checks that each row of the result comes from one row of the input.
fn check_rows(select: &Select) -> Result<()> {
    if is_grouped(select) || select.having.is_some() || select.distinct.is_some() || has_aggregates(select) {
        return Err(unfollowed("each row comes from one row, without GROUP BY, aggregates and DISTINCT")
            .with_hint("a result that is grouped by a column is incremental(column)"));
    }
    Ok(())
}

/// The key of an incremental result: a column of the input.
struct Key<'a> {
    column: &'a str,
    /// The name of the input in the query.
    table: &'a str,
}

impl Key<'_> {
    fn is(&self, expr: &Expr, has_joins: bool) -> bool {
        match expr {
            Expr::Identifier(name) => !has_joins && normalize(name) == self.column,
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, column] => normalize(table) == self.table && normalize(column) == self.column,
                _ => false,
            },
            _ => false,
        }
    }
}

/// Checks that each row of the result comes from rows with one value of the key, and holds it.
fn check_key(select: &Select, key: &Key<'_>) -> Result<()> {
    let has_joins = select.from.iter().any(|from| !from.joins.is_empty());
    let holds_key = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) => key.is(expr, has_joins),
        SelectItem::ExprWithAlias { expr, alias } => key.is(expr, has_joins) && normalize(alias) == key.column,
        SelectItem::Wildcard(_) => !has_joins && !is_grouped(select),
        _ => false,
    };
    if !select.projection.iter().any(holds_key) {
        let column = if has_joins { format!("{}.{}", key.table, key.column) } else { key.column.to_owned() };
        return Err(unfollowed(&format!("the result holds the key, selected as `{column}` under its own name")));
    }
    if matches!(select.distinct, Some(Distinct::On(_))) {
        return Err(unfollowed("the query has no DISTINCT ON"));
    }
    let by_key = |expr: &Expr| key.is(expr, has_joins) || position(expr, select).is_some_and(holds_key);
    match &select.group_by {
        GroupByExpr::Expressions(expressions, modifiers) if modifiers.is_empty() => {
            let is_simple =
                expressions.iter().all(|expr| !matches!(expr, Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_)));
            let is_by_key = expressions.is_empty() || (is_simple && expressions.iter().any(by_key));
            let is_whole = expressions.is_empty() && (has_aggregates(select) || select.having.is_some());
            if !is_by_key || is_whole {
                return Err(unfollowed(&format!("the result is grouped by `{}`", key.column)));
            }
            Ok(())
        }
        _ => Err(unfollowed("GROUP BY names columns")),
    }
}

/// Returns the column that `GROUP BY 1` means.
fn position<'a>(expr: &Expr, select: &'a Select) -> Option<&'a SelectItem> {
    let Expr::Value(value) = expr else { return None };
    let Value::Number(number, _) = &value.value else { return None };
    select.projection.get(number.parse::<usize>().ok()?.checked_sub(1)?)
}

fn unfollowed(rule: &str) -> EngineError {
    EngineError::new(ErrorKind::Unsupported, format!("this result is not kept up to date by what is added: {rule}"))
}

/// Returns a table's name as SQL writes it, whatever is in it.
pub(crate) fn quoted_name(name: &TableName) -> String {
    format!("{}.{}", quoted(&name.schema), quoted(&name.table))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
