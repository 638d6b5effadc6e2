//! INSERT, UPDATE, DELETE and MERGE as queries for the new content of a table.
//!
//! A changed table is what a SELECT over the old one says. Lineage, checks and errors of a change
//! are therefore those of a query, and one path writes them all (decision 0003).

use causeway_model::TableName;
use datafusion::sql::sqlparser::ast::{
    Assignment, AssignmentTarget, Delete, Expr, FromTable, Ident, Insert, Merge, MergeAction, MergeClause,
    MergeClauseKind, MergeInsertKind, ObjectName, Query, TableAlias, TableFactor, TableObject, TableWithJoins, Update,
};

use crate::error::{EngineError, ErrorKind, Result};
use crate::parse::{normalize, parse_query, table_name};

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
    let rows = insert.source.clone().ok_or_else(|| unsupported("INSERT without VALUES or SELECT"))?;
    Ok(Inserted { table: table_name(name)?, columns: insert.columns.iter().map(column).collect::<Result<_>>()?, rows })
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
pub(crate) fn delete(delete: &Delete, columns: &[String]) -> Result<Rewritten> {
    if delete.returning.is_some() || delete.limit.is_some() || !delete.order_by.is_empty() || !delete.tables.is_empty()
    {
        return Err(unsupported("DELETE with RETURNING, ORDER BY or LIMIT"));
    }
    let factor = delete_table(delete)?;
    let condition = delete.selection.as_ref().map_or_else(|| "TRUE".to_owned(), ToString::to_string);
    let list = columns.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    Ok(Rewritten {
        content: parse_query(&format!("SELECT {list} FROM {factor} WHERE ({condition}) IS NOT TRUE"))?,
        changed: parse_query(&format!("SELECT count(*) FROM {factor} WHERE ({condition})"))?,
        must_be_empty: None,
    })
}

/// Rewrites an UPDATE.
pub(crate) fn update(update: &Update, columns: &[String]) -> Result<Rewritten> {
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
    let assignments = assignments(&update.assignments, columns, &name)?;
    let list = columns.iter().map(|column| match find(&assignments, column) {
        Some(value) => format!("CASE WHEN ({condition}) THEN ({value}) ELSE {0} END AS {0}", quoted(column)),
        None => quoted(column),
    });
    let list = list.collect::<Vec<_>>().join(", ");
    Ok(Rewritten {
        content: parse_query(&format!("SELECT {list} FROM {factor}"))?,
        changed: parse_query(&format!("SELECT count(*) FROM {factor} WHERE ({condition})"))?,
        must_be_empty: None,
    })
}

/// Rewrites a MERGE as a full join of target and source.
pub(crate) fn merge(merge: &Merge, columns: &[String]) -> Result<Rewritten> {
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
        merge.clauses.iter().map(|clause| Clause::read(clause, &sides, columns, &name)).collect::<Result<Vec<_>>>()?;
    let from = format!(
        "(SELECT *, TRUE AS __target, row_number() OVER () AS __row FROM {}) AS {} FULL JOIN (SELECT *, TRUE AS __source FROM {}) AS {} ON {}",
        without_alias(&merge.table),
        sides.target,
        without_alias(&merge.source),
        sides.source,
        merge.on
    );
    let list = columns.iter().enumerate().map(|(index, column)| {
        let cases: String = clauses.iter().filter_map(|clause| clause.value(index)).collect();
        let old = format!("{}.{}", sides.target, quoted(column));
        if cases.is_empty() {
            format!("{old} AS {}", quoted(column))
        } else {
            format!("CASE {cases} ELSE {old} END AS {}", quoted(column))
        }
    });
    let kept: String = clauses.iter().map(Clause::keeps).collect();
    let kept = format!("CASE {kept} WHEN {}.__target THEN TRUE ELSE FALSE END", sides.target);
    let acts = clauses.iter().map(|clause| format!("({})", clause.condition)).collect::<Vec<_>>().join(" OR ");
    let matched_acts =
        clauses.iter().filter(|clause| clause.needs_both).map(|clause| format!("({})", clause.condition));
    let matched_acts = matched_acts.collect::<Vec<_>>().join(" OR ");
    let must_be_empty = if matched_acts.is_empty() {
        None
    } else {
        let twice = format!(
            "SELECT {0}.__row FROM {from} WHERE {matched_acts} GROUP BY {0}.__row HAVING count(*) > 1 LIMIT 1",
            sides.target
        );
        Some((
            parse_query(&twice)?,
            "MERGE: a row of the target matches several rows of the source; make the source unique on the join columns",
        ))
    };
    Ok(Rewritten {
        content: parse_query(&format!("SELECT {} FROM {from} WHERE {kept}", list.collect::<Vec<_>>().join(", ")))?,
        changed: parse_query(&format!("SELECT count(*) FROM {from} WHERE {acts}"))?,
        must_be_empty,
    })
}

struct Sides {
    target: String,
    source: String,
}

/// A WHEN clause: when it applies and the new value of each column.
struct Clause {
    condition: String,
    needs_both: bool,
    /// `None` deletes the row; a column without a value keeps the old one.
    values: Option<Vec<Option<String>>>,
}

impl Clause {
    fn read(clause: &MergeClause, sides: &Sides, columns: &[String], table: &TableName) -> Result<Self> {
        let (here, there) =
            (format!("{}.__target IS TRUE", sides.target), format!("{}.__source IS TRUE", sides.source));
        let (when, needs_both) = match clause.clause_kind {
            MergeClauseKind::Matched => (format!("{here} AND {there}"), true),
            MergeClauseKind::NotMatched | MergeClauseKind::NotMatchedByTarget => {
                (format!("{}.__target IS NULL AND {there}", sides.target), false)
            }
            MergeClauseKind::NotMatchedBySource => (format!("{here} AND {}.__source IS NULL", sides.source), false),
        };
        let condition = match &clause.predicate {
            Some(predicate) => format!("{when} AND ({predicate})"),
            None => when,
        };
        let values = match &clause.action {
            MergeAction::Delete { .. } => None,
            MergeAction::Update(update) => {
                let assignments = assignments(&update.assignments, columns, table)?;
                Some(columns.iter().map(|column| find(&assignments, column)).collect())
            }
            MergeAction::Insert(insert) => {
                let MergeInsertKind::Values(values) = &insert.kind else {
                    return Err(unsupported("MERGE … INSERT ROW").with_hint("INSERT (columns) VALUES (…)"));
                };
                let [row] = values.rows.as_slice() else {
                    return Err(unsupported("MERGE … INSERT of several rows"));
                };
                Some(inserted_values(&insert.columns, row, columns, table)?)
            }
        };
        Ok(Self { condition, needs_both, values })
    }

    fn value(&self, index: usize) -> Option<String> {
        let value = self.values.as_ref()?.get(index)?;
        value.as_ref().map(|value| format!("WHEN {} THEN ({value}) ", self.condition))
    }

    fn keeps(&self) -> String {
        format!("WHEN {} THEN {} ", self.condition, if self.values.is_some() { "TRUE" } else { "FALSE" })
    }
}

fn inserted_values(
    named: &[ObjectName],
    row: &[Expr],
    columns: &[String],
    table: &TableName,
) -> Result<Vec<Option<String>>> {
    let named: Vec<String> =
        if named.is_empty() { columns.to_vec() } else { named.iter().map(column).collect::<Result<_>>()? };
    if named.len() != row.len() {
        let problem = format!("MERGE inserts {} values into {} columns", row.len(), named.len());
        return Err(EngineError::new(ErrorKind::Plan, problem));
    }
    for name in &named {
        known(name, columns, table)?;
    }
    let value =
        |column: &String| named.iter().position(|name| name == column).map(|position| row[position].to_string());
    Ok(columns.iter().map(|column| Some(value(column).unwrap_or_else(|| "NULL".to_owned()))).collect())
}

fn assignments(assignments: &[Assignment], columns: &[String], table: &TableName) -> Result<Vec<(String, String)>> {
    let mut read = Vec::with_capacity(assignments.len());
    for assignment in assignments {
        let AssignmentTarget::ColumnName(name) = &assignment.target else {
            return Err(unsupported("SET (a, b) = …").with_hint("set each column on its own"));
        };
        let name = column(name)?;
        known(&name, columns, table)?;
        if read.iter().any(|(earlier, _)| *earlier == name) {
            return Err(EngineError::new(ErrorKind::Plan, format!("column `{name}` is set twice")));
        }
        read.push((name, assignment.value.to_string()));
    }
    Ok(read)
}

fn find(assignments: &[(String, String)], column: &str) -> Option<String> {
    assignments.iter().find(|(name, _)| name == column).map(|(_, value)| value.clone())
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
