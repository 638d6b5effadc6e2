//! INSERT, UPDATE, DELETE and MERGE as queries for the new content of a table.
//!
//! A changed table is what a SELECT over the old one says. Lineage, checks and errors of a change
//! are therefore those of a query, and one path writes them all (decision 0003).

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use causeway_model::TableName;
use datafusion::arrow::datatypes::{DataType, Field, Schema, TimeUnit};

use datafusion::sql::sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Ident, Insert, Merge, MergeAction, MergeClause,
    MergeClauseKind, MergeInsertKind, ObjectName, Query, SelectItem, SetExpr, TableAlias, TableFactor, TableObject,
    TableWithJoins, Update, visit_expressions,
};

use crate::error::{EngineError, ErrorKind, Result};
use crate::parse::{normalize, parse_query, table_name};

/// The names that the two sides of a MERGE carry besides their own columns.
const TARGET: &str = "__causeway_target";
const SOURCE: &str = "__causeway_source";
const ROW: &str = "__causeway_row";

/// A change of a table as queries.
#[derive(Debug, Clone)]
pub(crate) struct Rewritten {
    /// The new content, one expression for each column of the table, in its order.
    pub(crate) content: Box<Query>,
    /// One row with one number: how many rows change.
    pub(crate) changed: Box<Query>,
    /// A query that must return no row, and what to say if it does.
    pub(crate) must_be_empty: Option<(Box<Query>, &'static str)>,
}

/// The rows an INSERT adds and the columns it names.
#[derive(Debug, Clone)]
pub(crate) struct Inserted {
    pub(crate) table: TableName,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Box<Query>,
}

/// Reads an INSERT.
pub(crate) fn insert(insert: &Insert) -> Result<Inserted> {
    let extra = insert.or.is_some()
        || insert.on.is_some()
        || insert.returning.is_some()
        || insert.output.is_some()
        || insert.overwrite
        || insert.replace_into
        || insert.partitioned.is_some();
    if extra {
        return Err(unsupported("INSERT with ON CONFLICT, RETURNING, OVERWRITE or PARTITION")
            .with_hint("use MERGE to update existing rows"));
    }
    let TableObject::TableName(name) = &insert.table else {
        return Err(unsupported("INSERT into anything but a table"));
    };
    let mut rows = insert.source.clone().ok_or_else(|| unsupported("INSERT without VALUES or SELECT"))?;
    name_repeated(&mut rows.body);
    Ok(Inserted { table: table_name(name)?, columns: insert.columns.iter().map(column).collect::<Result<_>>()?, rows })
}

/// Columns go in by position, so `INSERT INTO t SELECT 1, 1` is sound; the planner wants two names.
fn name_repeated(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            let mut seen = BTreeSet::new();
            for (position, item) in select.projection.iter_mut().enumerate() {
                if let SelectItem::UnnamedExpr(expr) = item
                    && !seen.insert(expr.to_string())
                {
                    *item = SelectItem::ExprWithAlias {
                        expr: expr.clone(),
                        alias: Ident::new(format!("__column{position}")),
                    };
                }
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            name_repeated(left);
            name_repeated(right);
        }
        SetExpr::Query(query) => name_repeated(&mut query.body),
        _ => {}
    }
}

/// Returns the table a DELETE, UPDATE or MERGE changes.
pub(crate) fn target(factor: &TableFactor) -> Result<TableName> {
    match factor {
        TableFactor::Table { name, args: None, version: None, .. } => table_name(name),
        _ => Err(unsupported("changing anything but a table by its name")),
    }
}

/// Returns the single table of a DELETE.
pub(crate) fn delete_table(delete: &Delete) -> Result<&TableFactor> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    match from.as_slice() {
        [TableWithJoins { relation, joins }] if joins.is_empty() && delete.using.is_none() => Ok(relation),
        _ => Err(unsupported("DELETE from several tables").with_hint("put the condition into WHERE … IN (SELECT …)")),
    }
}

/// Rewrites a DELETE.
pub(crate) fn delete(delete: &Delete, schema: &Schema) -> Result<Rewritten> {
    if delete.returning.is_some() || delete.limit.is_some() || !delete.order_by.is_empty() || !delete.tables.is_empty()
    {
        return Err(unsupported("DELETE with RETURNING, ORDER BY or LIMIT"));
    }
    let factor = delete_table(delete)?;
    let condition = delete.selection.as_ref().map_or_else(|| "TRUE".to_owned(), ToString::to_string);
    let list = schema.fields().iter().map(|field| quoted(field.name())).collect::<Vec<_>>().join(", ");
    let kept = if delete.selection.as_ref().is_some_and(has_subquery) {
        untouched(&list, &factor.to_string(), &condition)
    } else {
        format!("SELECT {list} FROM {factor} WHERE ({condition}) IS NOT TRUE")
    };
    Ok(Rewritten {
        content: parse_query(&kept)?,
        changed: parse_query(&format!("SELECT count(*) FROM {factor} WHERE ({condition})"))?,
        must_be_empty: match delete.selection.as_ref().filter(|condition| has_subquery(condition)) {
            Some(_) => Some((lost_rows(&kept, &factor.to_string(), &condition)?, LOST_ROWS)),
            None => None,
        },
    })
}

/// What to say if a rewritten condition does not split the table in two.
const LOST_ROWS: &str = "the rows that the condition keeps and those that it takes are not all rows of the table; \
                         nothing was changed. Put the rows of the subquery into a table first";

/// Returns the rows for which a condition with subqueries is not true. DataFusion 55.2 answers
/// `x IN (SELECT …)` with false where SQL says unknown, unless it stands alone in WHERE; so the
/// rows that the condition takes are found there and subtracted. Equal rows share their fate.
fn untouched(list: &str, from: &str, condition: &str) -> String {
    format!("SELECT {list} FROM {from} EXCEPT ALL SELECT {list} FROM {from} WHERE ({condition})")
}

/// Returns a query with a row if `kept` and the rows the condition takes are not all rows.
fn lost_rows(kept: &str, from: &str, condition: &str) -> Result<Box<Query>> {
    parse_query(&format!(
        "SELECT 1 FROM (SELECT count(*) AS n FROM ({kept}) AS k) AS kept \
         CROSS JOIN (SELECT count(*) AS n FROM {from} WHERE ({condition})) AS taken \
         CROSS JOIN (SELECT count(*) AS n FROM {from}) AS whole WHERE kept.n + taken.n <> whole.n"
    ))
}

fn has_subquery(condition: &Expr) -> bool {
    visit_expressions(condition, |expr| match expr {
        Expr::InSubquery { .. } | Expr::Exists { .. } | Expr::Subquery(_) | Expr::AnyOp { .. } | Expr::AllOp { .. } => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    })
    .is_break()
}

fn listed(schema: &Schema, item: impl Fn(&Field) -> String) -> String {
    schema.fields().iter().map(|field| item(field)).collect::<Vec<_>>().join(", ")
}

/// Rewrites an UPDATE.
pub(crate) fn update(update: &Update, schema: &Schema) -> Result<Rewritten> {
    if update.from.is_some() || update.returning.is_some() || update.or.is_some() || update.limit.is_some() {
        return Err(
            unsupported("UPDATE with FROM, RETURNING, OR or LIMIT").with_hint("use MERGE to update from another table")
        );
    }
    if !update.table.joins.is_empty() {
        return Err(unsupported("UPDATE of a join").with_hint("use MERGE to update from another table"));
    }
    let factor = &update.table.relation;
    let name = target(factor)?;
    let condition = update.selection.as_ref().map_or_else(|| "TRUE".to_owned(), ToString::to_string);
    let assignments = assignments(&update.assignments, schema, &name)?;
    let changed = parse_query(&format!("SELECT count(*) FROM {factor} WHERE ({condition})"))?;
    if !update.selection.as_ref().is_some_and(has_subquery) {
        let list = listed(schema, |field| match find(&assignments, field) {
            Some(value) => format!("CASE WHEN ({condition}) THEN {value} ELSE {0} END AS {0}", quoted(field.name())),
            None => quoted(field.name()),
        });
        let content = parse_query(&format!("SELECT {list} FROM {factor}"))?;
        return Ok(Rewritten { content, changed, must_be_empty: None });
    }
    let old = listed(schema, |field| quoted(field.name()));
    let new = listed(schema, |field| match find(&assignments, field) {
        Some(value) => format!("{value} AS {}", quoted(field.name())),
        None => quoted(field.name()),
    });
    let kept = untouched(&old, &factor.to_string(), &condition);
    let content = parse_query(&format!("{kept} UNION ALL SELECT {new} FROM {factor} WHERE ({condition})"))?;
    let must_be_empty = Some((lost_rows(&kept, &factor.to_string(), &condition)?, LOST_ROWS));
    Ok(Rewritten { content, changed, must_be_empty })
}

/// Rewrites a MERGE as a full join of target and source.
pub(crate) fn merge(merge: &Merge, schema: &Schema) -> Result<Rewritten> {
    if merge.output.is_some() {
        return Err(unsupported("MERGE with OUTPUT or RETURNING"));
    }
    let name = target(&merge.table)?;
    let target_alias = alias(&merge.table).unwrap_or_else(|| quoted(&name.table));
    let source_alias = alias(&merge.source).ok_or_else(|| {
        EngineError::new(ErrorKind::Plan, "the source of MERGE needs an alias: USING (SELECT …) AS s")
    })?;
    let sides = Sides { target: target_alias, source: source_alias };
    let clauses =
        merge.clauses.iter().map(|clause| Clause::read(clause, &sides, schema, &name)).collect::<Result<Vec<_>>>()?;
    let from = format!(
        "(SELECT *, TRUE AS {TARGET}, row_number() OVER () AS {ROW} FROM {}) AS {} \
         FULL JOIN (SELECT *, TRUE AS {SOURCE} FROM {}) AS {} ON {}",
        without_alias(&merge.table),
        sides.target,
        without_alias(&merge.source),
        sides.source,
        merge.on
    );
    let list = schema.fields().iter().enumerate().map(|(index, field)| {
        let old = format!("{}.{}", sides.target, quoted(field.name()));
        if clauses.iter().any(|clause| clause.sets(index)) {
            let cases: String = clauses.iter().map(|clause| clause.value(index, &old)).collect();
            format!("CASE {cases} ELSE {old} END AS {}", quoted(field.name()))
        } else {
            format!("{old} AS {}", quoted(field.name()))
        }
    });
    let kept: String = clauses.iter().map(Clause::keeps).collect();
    let kept = format!("CASE {kept} WHEN {}.{TARGET} THEN TRUE ELSE FALSE END", sides.target);
    let acts = clauses.iter().map(|clause| format!("({})", clause.condition)).collect::<Vec<_>>().join(" OR ");
    let twice = format!(
        "SELECT {0}.{ROW} FROM {from} WHERE {0}.{TARGET} AND {1}.{SOURCE} GROUP BY {0}.{ROW} HAVING count(*) > 1 LIMIT 1",
        sides.target, sides.source
    );
    Ok(Rewritten {
        content: parse_query(&format!("SELECT {} FROM {from} WHERE {kept}", list.collect::<Vec<_>>().join(", ")))?,
        changed: parse_query(&format!("SELECT count(*) FROM {from} WHERE {acts}"))?,
        must_be_empty: Some((
            parse_query(&twice)?,
            "MERGE: a row of the target matches several rows of the source; make the source unique on the join columns",
        )),
    })
}

/// Lists the expressions of a WHEN clause.
pub(crate) fn clause_expressions(clause: &MergeClause) -> Vec<&Expr> {
    let mut expressions: Vec<&Expr> = clause.predicate.iter().collect();
    match &clause.action {
        MergeAction::Update(update) => {
            expressions.extend(update.assignments.iter().map(|assignment| &assignment.value));
        }
        MergeAction::Insert(insert) => {
            if let MergeInsertKind::Values(values) = &insert.kind {
                expressions.extend(values.rows.iter().flat_map(|row| row.iter()));
            }
        }
        MergeAction::Delete { .. } => {}
    }
    expressions
}

struct Sides {
    target: String,
    source: String,
}

/// A WHEN clause: when it applies and the new value of each column.
struct Clause {
    condition: String,
    /// `None` deletes the row; a column without a value keeps the old one.
    values: Option<Vec<Option<String>>>,
}

impl Clause {
    fn read(clause: &MergeClause, sides: &Sides, schema: &Schema, table: &TableName) -> Result<Self> {
        let (here, there) =
            (format!("{}.{TARGET} IS TRUE", sides.target), format!("{}.{SOURCE} IS TRUE", sides.source));
        let when = match clause.clause_kind {
            MergeClauseKind::Matched => format!("{here} AND {there}"),
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => {
                format!("{}.{TARGET} IS NULL AND {there}", sides.target)
            }
            MergeClauseKind::NotMatchedBySource => format!("{here} AND {}.{SOURCE} IS NULL", sides.source),
        };
        let condition = match &clause.predicate {
            Some(predicate) => format!("{when} AND ({predicate})"),
            None => when,
        };
        let values = match &clause.action {
            MergeAction::Delete { .. } => None,
            MergeAction::Update(update) => {
                let assignments = assignments(&update.assignments, schema, table)?;
                Some(schema.fields().iter().map(|field| find(&assignments, field)).collect())
            }
            MergeAction::Insert(insert) => {
                let MergeInsertKind::Values(values) = &insert.kind else {
                    return Err(unsupported("MERGE … INSERT ROW").with_hint("INSERT (columns) VALUES (…)"));
                };
                let [row] = values.rows.as_slice() else {
                    return Err(unsupported("MERGE … INSERT of several rows"));
                };
                Some(inserted_values(&insert.columns, row, schema, table)?)
            }
        };
        Ok(Self { condition, values })
    }

    fn sets(&self, index: usize) -> bool {
        self.value_of(index).is_some()
    }

    fn value_of(&self, index: usize) -> Option<&String> {
        self.values.as_ref()?.get(index)?.as_ref()
    }

    /// The first clause that applies decides; one that does not set the column keeps the old value.
    fn value(&self, index: usize, old: &str) -> String {
        format!("WHEN {} THEN {} ", self.condition, self.value_of(index).map_or(old, String::as_str))
    }

    fn keeps(&self) -> String {
        format!("WHEN {} THEN {} ", self.condition, if self.values.is_some() { "TRUE" } else { "FALSE" })
    }
}

fn inserted_values(
    named: &[ObjectName],
    row: &[Expr],
    schema: &Schema,
    table: &TableName,
) -> Result<Vec<Option<String>>> {
    let columns: Vec<String> = names(schema);
    let named: Vec<String> =
        if named.is_empty() { columns.clone() } else { named.iter().map(column).collect::<Result<_>>()? };
    if named.len() != row.len() {
        let problem = format!("MERGE inserts {} values into {} columns", row.len(), named.len());
        return Err(EngineError::new(ErrorKind::Plan, problem));
    }
    for name in &named {
        known(name, &columns, table)?;
    }
    let value = |field: &Field| {
        let position = named.iter().position(|name| name == field.name());
        fitted(&position.map_or_else(|| "NULL".to_owned(), |position| row[position].to_string()), field)
    };
    Ok(schema.fields().iter().map(|field| Some(value(field))).collect())
}

/// Returns the names of a table's columns.
fn names(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(|field| field.name().clone()).collect()
}

/// Casts a value to its column's type before it meets the old values: CASE would otherwise bring both
/// to a common type, and a bigint that went through double is another bigint.
fn fitted(value: &str, field: &Field) -> String {
    let sql = match field.data_type() {
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            return format!("arrow_cast(({value}), 'Timestamp(Microsecond, None)')");
        }
        DataType::Timestamp(TimeUnit::Microsecond, Some(zone)) => {
            return format!("arrow_cast(({value}), 'Timestamp(Microsecond, Some(\"{zone}\"))')");
        }
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) | DataType::Map(..) | DataType::Binary => {
            return format!("({value})");
        }
        other => crate::types::sql_type(other),
    };
    format!("CAST(({value}) AS {sql})")
}

fn assignments(assignments: &[Assignment], schema: &Schema, table: &TableName) -> Result<Vec<(String, String)>> {
    let columns = names(schema);
    let mut read = Vec::with_capacity(assignments.len());
    for assignment in assignments {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(unsupported("SET (a, b) = …").with_hint("set each column on its own"));
        };
        let name = column(name)?;
        known(&name, &columns, table)?;
        if read.iter().any(|(earlier, _)| *earlier == name) {
            return Err(EngineError::new(ErrorKind::Plan, format!("column `{name}` is set twice")));
        }
        read.push((name, assignment.value.to_string()));
    }
    Ok(read)
}

fn find(assignments: &[(String, String)], field: &Field) -> Option<String> {
    assignments.iter().find(|(name, _)| name == field.name()).map(|(_, value)| fitted(value, field))
}

/// Refuses a column that the table does not have.
pub(crate) fn known(name: &str, columns: &[String], table: &TableName) -> Result<()> {
    if columns.iter().any(|column| column == name) {
        return Ok(());
    }
    let error = EngineError::new(ErrorKind::NotFound, format!("`{table}` has no column `{name}`"));
    Err(match causeway_core::nearest(name, columns.iter().map(String::as_str)) {
        Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
        None => error.with_hint(format!("its columns are {}", columns.join(", "))),
    })
}

fn column(name: &ObjectName) -> Result<String> {
    let last = name.0.last().and_then(|part| part.as_ident()).map(normalize);
    last.ok_or_else(|| EngineError::new(ErrorKind::Plan, format!("`{name}` is not a column")))
}

/// Writes a name as an SQL identifier.
pub(crate) fn quoted(name: &str) -> String {
    Ident::with_quote('"', name).to_string()
}

fn alias(factor: &TableFactor) -> Option<String> {
    let alias: &Option<TableAlias> = match factor {
        TableFactor::Table { alias, name, .. } => {
            if alias.is_none() {
                return name.0.last().map(ToString::to_string);
            }
            alias
        }
        TableFactor::Derived { alias, .. } | TableFactor::Function { alias, .. } => alias,
        _ => return None,
    };
    alias.as_ref().map(|alias| alias.name.to_string())
}

fn without_alias(factor: &TableFactor) -> TableFactor {
    let mut factor = factor.clone();
    if let TableFactor::Table { alias, .. } | TableFactor::Function { alias, .. } = &mut factor {
        *alias = None;
    }
    factor
}

fn unsupported(what: &str) -> EngineError {
    EngineError::new(ErrorKind::Unsupported, format!("{what} is not offered"))
}
