//! Calls in FROM: their arguments, and the pass over a statement that prepares them for planning.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use causeway_core::{OperatorFactory, Spec};
use causeway_model::{Parameters, TableName};
use datafusion::common::TableReference;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, Ident, ObjectName, Query, SelectItem, SetExpr, Spanned,
    Statement as SqlStatement, TableFactor, Value, VisitMut, VisitorMut,
};

use crate::error::{EngineError, ErrorKind, Result};
use crate::parameters::{bind, constant_text, parameter};
use crate::parse::{DEFAULT_SCHEMA, normalize, parse_query, parse_table_name, versioned};
use crate::predict::read_model;

/// An argument of a call: `value` or `name => value`.
pub(crate) struct Argument<'a> {
    pub(crate) name: Option<String>,
    pub(crate) value: &'a Expr,
}

/// A call in FROM with its arguments.
pub(crate) struct Call<'a> {
    pub(crate) function: String,
    pub(crate) arguments: Vec<Argument<'a>>,
}

/// Which state of a table `as_of` asks for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    Version(i64),
    Timestamp(String),
}

/// The rows that were added to a table between two of its versions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Added {
    pub(crate) table: TableName,
    pub(crate) since: i64,
    pub(crate) until: i64,
}

/// A file read as a relation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileCall {
    pub(crate) format: FileFormat,
    pub(crate) path: String,
    pub(crate) header: bool,
    pub(crate) delimiter: u8,
}

/// The formats that can be read as a relation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FileFormat {
    Csv,
    Parquet,
    Json,
    Onnx,
}

/// The names of the calls that read a file.
pub(crate) const READERS: [&str; 4] = ["read_csv", "read_json", "read_onnx", "read_parquet"];

/// All relations a statement reads.
#[derive(Debug, Default)]
pub(crate) struct References {
    pub(crate) tables: BTreeSet<TableName>,
    pub(crate) versions: BTreeSet<(TableName, Moment)>,
    pub(crate) added: BTreeSet<Added>,
    pub(crate) files: BTreeSet<FileCall>,
    pub(crate) operators: BTreeSet<String>,
}

impl References {
    /// Returns true if nothing is read.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
            && self.versions.is_empty()
            && self.added.is_empty()
            && self.files.is_empty()
            && self.operators.is_empty()
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.tables.extend(other.tables);
        self.versions.extend(other.versions);
        self.added.extend(other.added);
        self.files.extend(other.files);
        self.operators.extend(other.operators);
    }
}

/// Returns the reference a plan's scan of a table carries.
pub(crate) fn table_key(name: &TableName) -> TableReference {
    TableReference::partial(name.schema.as_str(), name.table.as_str())
}

/// Returns the reference a plan's scan of an older version carries.
pub(crate) fn version_key(name: &TableName, moment: &Moment) -> TableReference {
    let moment = match moment {
        Moment::Version(version) => format!("v{version}"),
        Moment::Timestamp(instant) => instant.clone(),
    };
    TableReference::partial(name.schema.as_str(), format!("{}@{moment}", name.table))
}

/// Returns the reference a plan's scan of added rows carries.
pub(crate) fn added_key(added: &Added) -> TableReference {
    let Added { table, since, until } = added;
    TableReference::partial(table.schema.as_str(), format!("{}@v{since}..v{until}", table.table))
}

/// Returns the reference a plan's scan of a file carries.
pub(crate) fn file_key(call: &FileCall) -> TableReference {
    TableReference::partial("file", format!("{}?{:?}{}{}", call.path, call.format, call.header, call.delimiter))
}

/// Reads a table factor as a call, if it is one.
pub(crate) fn as_call(factor: &TableFactor) -> Result<Option<Call<'_>>> {
    match factor {
        TableFactor::Table { name, args: Some(args), .. } => call(name, &args.args).map(Some),
        TableFactor::Function { name, args, .. } => call(name, args).map(Some),
        TableFactor::TableFunction { expr: Expr::Function(function), .. } => match &function.args {
            datafusion::sql::sqlparser::ast::FunctionArguments::List(list) => {
                call(&function.name, &list.args).map(Some)
            }
            _ => Ok(None),
        },
        _ => Ok(None),
    }
}

fn call<'a>(name: &ObjectName, args: &'a [FunctionArg]) -> Result<Call<'a>> {
    let function = name.0.last().and_then(|part| part.as_ident()).map(normalize).unwrap_or_default();
    let arguments = args.iter().map(|arg| argument(&function, arg)).collect::<Result<_>>()?;
    Ok(Call { function, arguments })
}

fn argument<'a>(function: &str, arg: &'a FunctionArg) -> Result<Argument<'a>> {
    let (name, value) = match arg {
        FunctionArg::Named { name, arg, .. } => (Some(normalize(name)), arg),
        FunctionArg::ExprNamed { name, .. } => {
            return Err(at(
                name,
                EngineError::new(ErrorKind::Plan, format!("option `{name}` of {function} is not a name")),
            ));
        }
        FunctionArg::Unnamed(arg) => (None, arg),
    };
    match value {
        FunctionArgExpr::Expr(value) => Ok(Argument { name, value }),
        _ => Err(EngineError::new(ErrorKind::Plan, format!("`*` is not an argument of {function}"))
            .with_hint("pass the rows as (SELECT * FROM table)")),
    }
}

/// Adds the position of an expression to an error.
pub(crate) fn at(expr: &Expr, error: EngineError) -> EngineError {
    let start = expr.span().start;
    error.at(start.line, start.column)
}

/// Finds an operator by name.
pub(crate) fn operator(name: &str) -> Option<&'static dyn OperatorFactory> {
    causeway_all::find(name)
}

/// Prepares a query for planning: puts the values of parameters into it, turns bare tables in calls of
/// operators into `(SELECT * FROM …)` and names of models into queries of them, refuses clauses that would
/// be ignored, and lists what the query reads. Without values it is only looked at: what depends on one is
/// left open.
pub(crate) fn prepare(query: &mut Box<Query>, parameters: Option<&Parameters>) -> Result<References> {
    if let Some(parameters) = parameters {
        bind(query, parameters)?;
    }
    let mut pass = Pass::default();
    if let ControlFlow::Break(error) = query.visit(&mut pass) {
        return Err(*error);
    }
    let mut tables_only = query.clone();
    let _: ControlFlow<()> = tables_only.visit(&mut Nameless);
    let statement = DfStatement::Statement(Box::new(SqlStatement::Query(tables_only)));
    let (tables, _) = resolve_table_references(&statement, true)?;
    for table in tables.into_iter().filter(|table| table.table() != CALL) {
        let (schema, name) = match &table {
            TableReference::Bare { table } => (DEFAULT_SCHEMA, table),
            TableReference::Partial { schema, table } => (schema.as_ref(), table),
            TableReference::Full { .. } => {
                return Err(EngineError::new(
                    ErrorKind::Plan,
                    format!("`{table}` has too many parts; write schema.table"),
                ));
            }
        };
        pass.references.tables.insert(TableName::new(schema, name.as_ref()));
    }
    Ok(pass.references)
}

#[derive(Default)]
struct Pass {
    references: References,
}

/// Stands for the name of a call where only tables are looked for.
const CALL: &str = "__call";

/// Takes the names of calls away: a table may be called as a function is.
struct Nameless;

impl VisitorMut for Nameless {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(_), .. } | TableFactor::Function { name, .. } = factor {
            *name = ObjectName::from(vec![Ident::new(CALL)]);
        }
        ControlFlow::Continue(())
    }
}

impl VisitorMut for Pass {
    type Break = Box<EngineError>;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Self::Break> {
        match self.table_factor(factor) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<Self::Break> {
        if let Expr::InSubquery { subquery, .. } = expr {
            name_single_column(subquery);
        }
        match read_model(expr) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(Box::new(error)),
        }
    }
}

/// Gives the column of `x IN (SELECT max(y) …)` a name: DataFusion 55.2 cannot plan such a subquery
/// below OR or IS when its column is an expression without one.
fn name_single_column(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    if let [item] = select.projection.as_mut_slice()
        && let SelectItem::UnnamedExpr(value) = item
    {
        *item = SelectItem::ExprWithAlias { expr: value.clone(), alias: Ident::new("__value") };
    }
}

impl Pass {
    fn table_factor(&mut self, factor: &mut TableFactor) -> Result<()> {
        refuse_ignored_clauses(factor)?;
        let Some(call) = as_call(factor)? else { return Ok(()) };
        let function = call.function.clone();
        match function.as_str() {
            "as_of" => {
                let (table, moment) = as_of_arguments(&call)?;
                self.references.versions.insert((table, moment));
            }
            "added" => {
                self.references.added.insert(added_arguments(&call)?);
            }
            reader if READERS.contains(&reader) => {
                self.references.files.insert(file_arguments(&call)?);
            }
            _ => {}
        }
        if let Some(factory) = operator(&function) {
            self.references.operators.insert(function);
            wrap_bare_tables(factory.spec(), factor)?;
        }
        Ok(())
    }
}

fn refuse_ignored_clauses(factor: &TableFactor) -> Result<()> {
    let TableFactor::Table {
        name,
        with_hints,
        version,
        with_ordinality,
        partitions,
        json_path,
        sample,
        index_hints,
        ..
    } = factor
    else {
        return Ok(());
    };
    let start = name.span().start;
    if version.is_some() {
        return Err(versioned().at(start.line, start.column));
    }
    let ignored = [
        (sample.is_some(), "TABLESAMPLE"),
        (*with_ordinality, "WITH ORDINALITY"),
        (!partitions.is_empty(), "PARTITION"),
        (json_path.is_some(), "a JSON path"),
        (!with_hints.is_empty() || !index_hints.is_empty(), "a table hint"),
    ];
    match ignored.iter().find(|(present, _)| *present) {
        Some((_, clause)) => {
            Err(EngineError::new(ErrorKind::Unsupported, format!("{clause} on `{name}` is not offered"))
                .at(start.line, start.column))
        }
        None => Ok(()),
    }
}

/// `f(clinical.lung, …)` and `f(rows => clinical.lung)` become `f((SELECT * FROM clinical.lung), …)`.
fn wrap_bare_tables(spec: &'static Spec, factor: &mut TableFactor) -> Result<()> {
    let args = match factor {
        TableFactor::Table { args: Some(args), .. } => &mut args.args,
        TableFactor::Function { args, .. } => args,
        TableFactor::TableFunction { expr: Expr::Function(function), .. } => match &mut function.args {
            datafusion::sql::sqlparser::ast::FunctionArguments::List(list) => &mut list.args,
            _ => return Ok(()),
        },
        _ => return Ok(()),
    };
    for (position, arg) in args.iter_mut().enumerate() {
        let (is_relation, value) = match arg {
            FunctionArg::Unnamed(value) => (position < spec.inputs.len(), value),
            FunctionArg::Named { name, arg, .. } => (is_input(spec, name), arg),
            FunctionArg::ExprNamed { .. } => continue,
        };
        if let (true, FunctionArgExpr::Expr(expr)) = (is_relation, value)
            && let Some(name) = bare_table(expr)
        {
            *expr = Expr::Subquery(parse_query(&format!("SELECT * FROM {name}"))?);
        }
    }
    Ok(())
}

fn is_input(spec: &Spec, name: &Ident) -> bool {
    let name = normalize(name);
    spec.inputs.iter().any(|input| input.name == name)
}

fn bare_table(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(name) => Some(name.to_string()),
        Expr::CompoundIdentifier(parts) => Some(parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(".")),
        _ => None,
    }
}

/// Reads `as_of('schema.table', version => 3)` or `timestamp => '…'`.
pub(crate) fn as_of_arguments(call: &Call<'_>) -> Result<(TableName, Moment)> {
    let usage = || {
        EngineError::new(ErrorKind::OperatorCall, "as_of takes a table and either a version or a timestamp").with_hint(
            "as_of('schema.table', version => 3) or as_of('schema.table', timestamp => '2026-01-31T00:00:00Z')",
        )
    };
    let mut table = None;
    let mut moment = None;
    for argument in &call.arguments {
        match (argument.name.as_deref(), constant_text(argument.value), integer(argument.value)) {
            (None, Some(text), _) if table.is_none() => table = Some(parse_table_name(&text)?),
            (None, None, _) if table.is_none() => {
                table = Some(parse_table_name(&bare_table(argument.value).ok_or_else(usage)?)?);
            }
            (Some("version"), _, Some(version)) if moment.is_none() => moment = Some(Moment::Version(version)),
            (Some("timestamp"), Some(instant), _) if moment.is_none() => moment = Some(Moment::Timestamp(instant)),
            (Some("version"), Some(name), _) if moment.is_none() && parameter(argument.value).is_some() => {
                moment = Some(Moment::Timestamp(name));
            }
            _ => return Err(at(argument.value, usage())),
        }
    }
    table.zip(moment).ok_or_else(usage)
}

/// Reads `added('schema.table', since => 3, until => 5)`.
pub(crate) fn added_arguments(call: &Call<'_>) -> Result<Added> {
    let usage = || {
        EngineError::new(ErrorKind::OperatorCall, "added takes a table and two of its versions")
            .with_hint("added('schema.table', since => 3, until => 5)")
    };
    let (mut table, mut since, mut until) = (None, None, None);
    for argument in &call.arguments {
        match (argument.name.as_deref(), constant_text(argument.value), integer(argument.value)) {
            (None, Some(text), _) if table.is_none() => table = Some(parse_table_name(&text)?),
            (None, None, _) if table.is_none() => {
                table = Some(parse_table_name(&bare_table(argument.value).ok_or_else(usage)?)?);
            }
            (Some("since"), _, Some(version)) if since.is_none() => since = Some(version),
            (Some("until"), _, Some(version)) if until.is_none() => until = Some(version),
            (Some("since" | "until"), ..) if parameter(argument.value).is_some() => {}
            _ => return Err(at(argument.value, usage())),
        }
    }
    let table = table.ok_or_else(usage)?;
    let named = |name: &str| call.arguments.iter().any(|argument| argument.name.as_deref() == Some(name));
    if !named("since") || !named("until") {
        return Err(usage());
    }
    Ok(Added { table, since: since.unwrap_or(0), until: until.unwrap_or(0) })
}

fn integer(expr: &Expr) -> Option<i64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// Reads `read_csv('path', header => true, delimiter => ',')` and its siblings.
pub(crate) fn file_arguments(call: &Call<'_>) -> Result<FileCall> {
    let (format, usage) = match call.function.as_str() {
        "read_csv" => (FileFormat::Csv, "read_csv('file.csv' [, header => true] [, delimiter => ','])"),
        "read_parquet" => (FileFormat::Parquet, "read_parquet('file.parquet')"),
        "read_onnx" => (FileFormat::Onnx, "read_onnx('model.onnx')"),
        _ => (FileFormat::Json, "read_json('file.ndjson')"),
    };
    let refused = |expr: Option<&Expr>| {
        let error = EngineError::new(ErrorKind::OperatorCall, format!("{} does not take this", call.function))
            .with_hint(format!("the call is {usage}"));
        expr.map_or(error.clone(), |expr| at(expr, error))
    };
    let mut file = FileCall { format, path: String::new(), header: true, delimiter: b',' };
    for argument in &call.arguments {
        let text = constant_text(argument.value);
        match (argument.name.as_deref(), text, argument.value) {
            (Some("header" | "delimiter"), ..) if parameter(argument.value).is_some() => {}
            (None, Some(path), _) if file.path.is_empty() => file.path = path,
            (Some("delimiter"), Some(text), _) if format == FileFormat::Csv && text.len() == 1 => {
                file.delimiter = text.as_bytes()[0];
            }
            (Some("header"), None, Expr::Value(value)) if format == FileFormat::Csv => match value.value {
                Value::Boolean(header) => file.header = header,
                _ => return Err(refused(Some(argument.value))),
            },
            _ => return Err(refused(Some(argument.value))),
        }
    }
    if file.path.is_empty() { Err(refused(None)) } else { Ok(file) }
}
