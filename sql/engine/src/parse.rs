//! From text to statements: the Postgres dialect, plus `COPY INTO table FROM 'file'`.

use std::collections::BTreeSet;

use datafusion::sql::parser::{CopyToSource, CopyToStatement, DFParser, DFParserBuilder, Statement as DfStatement};
use datafusion::sql::sqlparser::ast::{
    CreateTable, Delete, Expr, Ident, Insert, Merge, ObjectName, ObjectType, Query, SchemaName,
    Statement as SqlStatement, Update, Value,
};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::ParserError;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use causeway_model::{DatasetKind, PrincipalKind, TableName};

use crate::access::{self, AccessStatement, SettingsStatement};
use crate::api::StatementKind;
use crate::dialect::BoundedPostgres;
use crate::error::{EngineError, ErrorKind, Result, syntax};
use crate::gate::{Limits, tokens};
use crate::parameters::names;
use crate::procedure::{self, CallStatement};

/// The schema of a table named without one.
pub(crate) const DEFAULT_SCHEMA: &str = "main";

/// A statement, sorted by what it does.
#[derive(Debug, Clone)]
pub(crate) enum Statement {
    Query(Box<Query>),
    Explain(Box<DfStatement>),
    CreateTableAs { name: TableName, create: CreateMode, query: Box<Query> },
    CreateTable { name: TableName, create: CreateMode, definition: Box<CreateTable> },
    CreateView { name: TableName, create: CreateMode, query: Box<Query> },
    CreateSchema { name: String, if_not_exists: bool },
    Drop { view: bool, names: Vec<TableName>, if_exists: bool },
    Insert(Box<Insert>),
    Update(Box<Update>),
    Delete(Box<Delete>),
    Merge(Box<Merge>),
    CopyInto(Box<CopyInto>),
    CopyTo(Box<CopyToStatement>),
    Prepare { name: String, query: Box<Query> },
    Execute { name: String, parameters: Vec<Expr> },
    Access(AccessStatement),
    Settings(SettingsStatement),
    Call(Box<CallStatement>),
}

/// What to do when the name to create is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CreateMode {
    Fail,
    Keep,
    Replace,
}

/// `COPY INTO table FROM 'file' WITH (option => value, …)`.
#[derive(Debug, Clone)]
pub(crate) struct CopyInto {
    pub(crate) table: TableName,
    pub(crate) path: Expr,
    pub(crate) options: Vec<(String, Expr)>,
}

/// A statement with its text.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) sql: String,
    pub(crate) statement: Statement,
    /// The names of its parameters.
    pub(crate) parameters: BTreeSet<String>,
}

impl Statement {
    pub(crate) fn kind(&self) -> StatementKind {
        match self {
            Self::Query(_) | Self::Prepare { .. } | Self::Execute { .. } => StatementKind::Query,
            Self::Explain(_) => StatementKind::Explain,
            Self::CreateTableAs { .. } | Self::CreateTable { .. } => StatementKind::CreateTable,
            Self::CreateView { .. } => StatementKind::CreateView,
            Self::CreateSchema { .. } => StatementKind::CreateSchema,
            Self::Drop { view: false, .. } => StatementKind::DropTable,
            Self::Drop { view: true, .. } => StatementKind::DropView,
            Self::Insert(_) => StatementKind::Insert,
            Self::Update(_) => StatementKind::Update,
            Self::Delete(_) => StatementKind::Delete,
            Self::Merge(_) => StatementKind::Merge,
            Self::CopyInto(_) => StatementKind::CopyInto,
            Self::CopyTo(_) => StatementKind::CopyTo,
            Self::Access(statement) => statement.kind,
            Self::Settings(SettingsStatement { kind: DatasetKind::View, .. }) => StatementKind::AlterView,
            Self::Settings(_) => StatementKind::AlterTable,
            Self::Call(_) => StatementKind::Call,
        }
    }

    fn parameters(&self) -> BTreeSet<String> {
        match self {
            Self::Query(query)
            | Self::Prepare { query, .. }
            | Self::CreateTableAs { query, .. }
            | Self::CreateView { query, .. } => names(query),
            Self::Explain(statement) => explained(statement).map(names).unwrap_or_default(),
            Self::Insert(insert) => names(insert),
            Self::Update(update) => names(update),
            Self::Delete(delete) => names(delete),
            Self::Merge(merge) => names(merge),
            Self::CopyInto(copy) => {
                let options = copy.options.iter().map(|(_, value)| value);
                options.chain([&copy.path]).flat_map(names).collect()
            }
            Self::CopyTo(copy) => match &copy.source {
                CopyToSource::Query(query) => names(query),
                CopyToSource::Relation(_) => BTreeSet::new(),
            },
            Self::Execute { parameters, .. } => names(parameters),
            Self::Call(call) => call.values().flat_map(names).collect(),
            Self::CreateTable { .. }
            | Self::CreateSchema { .. }
            | Self::Drop { .. }
            | Self::Access(_)
            | Self::Settings(_) => BTreeSet::new(),
        }
    }
}

/// Returns the statement that EXPLAIN is about.
fn explained(statement: &DfStatement) -> Option<&SqlStatement> {
    match statement {
        DfStatement::Explain(explain) => explained(&explain.statement),
        DfStatement::Statement(statement) => Some(statement),
        _ => None,
    }
}

/// Parses a script of statements separated by semicolons.
pub(crate) fn parse_script(sql: &str, limits: &Limits) -> Result<Vec<Parsed>> {
    let tokens = tokens(sql, limits)?;
    parse_statements(sql, tokens.len(), limits).map_err(|error| match version_clause(&tokens) {
        Some(start) if error.kind() == ErrorKind::Syntax => versioned().at(start.line, start.column),
        _ => error,
    })
}

fn parse_statements(sql: &str, n_tokens: usize, limits: &Limits) -> Result<Vec<Parsed>> {
    let dialect = BoundedPostgres::new(n_tokens);
    let mut parser =
        DFParserBuilder::new(sql).with_dialect(&dialect).with_recursion_limit(limits.max_depth * 4).build()?;
    let mut statements = Vec::new();
    loop {
        while parser.parser.consume_token(&Token::SemiColon) {}
        let first = parser.parser.peek_token();
        if first.token == Token::EOF {
            return Ok(statements);
        }
        let statement = parse_statement(&mut parser)?;
        let end = parser.parser.peek_token();
        if end.token != Token::EOF && end.token != Token::SemiColon {
            return Err(unexpected(&end));
        }
        let sql = slice(sql, first.span.start, end.span.start, end.token == Token::EOF).trim_end().to_owned();
        statements.push(Parsed { sql, parameters: statement.parameters(), statement });
    }
}

/// Finds `VERSION AS OF`, `TIMESTAMP AS OF` or `SYSTEM_TIME AS OF`, which this dialect does not parse.
fn version_clause(tokens: &[TokenWithSpan]) -> Option<Location> {
    let words: Vec<(String, Location)> = tokens
        .iter()
        .filter_map(|token| match &token.token {
            Token::Word(word) => Some((word.value.to_uppercase(), token.span.start)),
            _ => None,
        })
        .collect();
    let clause = words.windows(3).find(|window| {
        matches!(window[0].0.as_str(), "VERSION" | "TIMESTAMP" | "SYSTEM_TIME")
            && window[1].0 == "AS"
            && window[2].0 == "OF"
    });
    clause.map(|window| window[0].1)
}

/// Parses exactly one statement.
pub(crate) fn parse_one(sql: &str, limits: &Limits) -> Result<Parsed> {
    let mut statements = parse_script(sql, limits)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(parsed), true) => Ok(parsed),
        (None, _) => Err(EngineError::new(ErrorKind::Syntax, "the statement is empty")),
        (Some(_), false) => Err(EngineError::new(
            ErrorKind::Syntax,
            format!("{} statements where one is expected", statements.len() + 1),
        )),
    }
}

/// Parses one query, for the text of views and of rewritten statements.
pub(crate) fn parse_query(sql: &str) -> Result<Box<Query>> {
    let limits = Limits { max_bytes: usize::MAX, max_depth: 256 };
    match parse_one(sql, &limits)?.statement {
        Statement::Query(query) => Ok(query),
        _ => Err(EngineError::new(ErrorKind::Internal, "a stored query is not a SELECT")),
    }
}

fn parse_statement(parser: &mut DFParser<'_>) -> Result<Statement> {
    let first = parser.parser.peek_token();
    let second = parser.parser.peek_nth_token(1);
    if is_keyword(&first, Keyword::COPY) && is_keyword(&second, Keyword::INTO) {
        let copy = parse_copy_into(parser).map_err(|error| syntax(&error.to_string()))?;
        return Ok(Statement::CopyInto(Box::new(copy)));
    }
    if is_keyword(&first, Keyword::GRANT) || is_keyword(&first, Keyword::REVOKE) {
        return Ok(Statement::Access(access::grant(parser).map_err(|error| syntax(&error.to_string()))?));
    }
    if is_keyword(&first, Keyword::ALTER) && sets(parser) {
        return Ok(Statement::Settings(access::alter(parser).map_err(|error| syntax(&error.to_string()))?));
    }
    let statement = classify(parser.parse_statement()?)?;
    // The options of CREATE USER end with the `;`, which the parser then takes for its own.
    if parser.parser.get_current_token().token == Token::SemiColon {
        parser.parser.prev_token();
    }
    Ok(statement)
}

/// Returns true for `ALTER TABLE t SET (` and `ALTER VIEW s.v RESET (`.
fn sets(parser: &DFParser<'_>) -> bool {
    let is = |position: usize, keyword| is_keyword(&parser.parser.peek_nth_token(position), keyword);
    let settings = |position| {
        (is(position, Keyword::SET) || is(position, Keyword::RESET))
            && parser.parser.peek_nth_token(position + 1).token == Token::LParen
    };
    (is(1, Keyword::TABLE) || is(1, Keyword::VIEW)) && (settings(3) || settings(5))
}

fn is_keyword(token: &TokenWithSpan, keyword: Keyword) -> bool {
    matches!(&token.token, Token::Word(word) if word.keyword == keyword)
}

fn unexpected(token: &TokenWithSpan) -> EngineError {
    let start = token.span.start;
    EngineError::new(
        ErrorKind::Syntax,
        format!("unexpected `{}`; expected the end of the statement or `;`", token.token),
    )
    .at(start.line, start.column)
}

fn parse_copy_into(df: &mut DFParser<'_>) -> std::result::Result<CopyInto, ParserError> {
    let parser = &mut df.parser;
    parser.expect_keywords(&[Keyword::COPY, Keyword::INTO])?;
    let table = parser.parse_object_name(false)?;
    let table = table_name(&table).map_err(|error| ParserError::ParserError(error.to_string()))?;
    parser.expect_keyword(Keyword::FROM)?;
    let path = match parser.parse_expr()? {
        Expr::Identifier(word) => Expr::Value(Value::SingleQuotedString(word.value).with_empty_span()),
        path => path,
    };
    let mut options = Vec::new();
    if parser.parse_keyword(Keyword::WITH) {
        parser.expect_token(&Token::LParen)?;
        options = parser.parse_comma_separated(|parser| {
            let name = parser.parse_identifier()?.value.to_lowercase();
            parser.expect_token(&Token::RArrow)?;
            Ok((name, parser.parse_expr()?))
        })?;
        parser.expect_token(&Token::RParen)?;
    }
    Ok(CopyInto { table, path, options })
}

fn classify(statement: DfStatement) -> Result<Statement> {
    match statement {
        DfStatement::Statement(statement) => classify_sql(*statement),
        DfStatement::Explain(explain) => Ok(Statement::Explain(Box::new(DfStatement::Explain(explain)))),
        DfStatement::CopyTo(copy) => Ok(Statement::CopyTo(Box::new(copy))),
        DfStatement::CreateExternalTable(_) => Err(unsupported("CREATE EXTERNAL TABLE")
            .with_hint("load the file with COPY INTO, or read it with read_csv, read_parquet, read_json or read_onnx")),
        DfStatement::Reset(_) => Err(unsupported("RESET").with_hint("limits are set in causeway.toml")),
    }
}

fn classify_sql(statement: SqlStatement) -> Result<Statement> {
    match statement {
        SqlStatement::Query(query) => Ok(Statement::Query(query)),
        SqlStatement::Explain { .. } => Ok(Statement::Explain(Box::new(DfStatement::Statement(Box::new(statement))))),
        SqlStatement::CreateTable(definition) => create_table(definition),
        SqlStatement::CreateView(view) => {
            if view.materialized || view.temporary || !view.columns.is_empty() {
                return Err(unsupported("a materialized or temporary view, or one with a column list")
                    .with_hint("name the columns in the query; use CREATE TABLE … AS for a stored result"));
            }
            let create = create_mode(view.or_replace, view.if_not_exists)?;
            Ok(Statement::CreateView { name: table_name(&view.name)?, create, query: view.query })
        }
        SqlStatement::CreateSchema { schema_name, if_not_exists, .. } => {
            let SchemaName::Simple(name) = schema_name else {
                return Err(unsupported("CREATE SCHEMA … AUTHORIZATION"));
            };
            Ok(Statement::CreateSchema { name: single(&name)?, if_not_exists })
        }
        SqlStatement::Drop { object_type, if_exists, names, .. } => {
            let view = match object_type {
                ObjectType::Table => false,
                ObjectType::View => true,
                ObjectType::User => {
                    return access::drop_principals(PrincipalKind::User, &names, if_exists).map(Statement::Access);
                }
                ObjectType::Role => {
                    return access::drop_principals(PrincipalKind::Role, &names, if_exists).map(Statement::Access);
                }
                other => return Err(unsupported(&format!("DROP {other}"))),
            };
            Ok(Statement::Drop { view, names: names.iter().map(table_name).collect::<Result<_>>()?, if_exists })
        }
        SqlStatement::CreateUser(user) => access::create_user(&user).map(Statement::Access),
        SqlStatement::CreateRole(role) => access::create_role(&role).map(Statement::Access),
        SqlStatement::CreatePolicy(policy) => access::create_policy(&policy).map(Statement::Access),
        SqlStatement::DropPolicy(policy) => access::drop_policy(&policy).map(Statement::Access),
        SqlStatement::Insert(insert) => Ok(Statement::Insert(Box::new(insert))),
        SqlStatement::Update(update) => Ok(Statement::Update(Box::new(update))),
        SqlStatement::Delete(delete) => Ok(Statement::Delete(Box::new(delete))),
        SqlStatement::Merge(merge) => Ok(Statement::Merge(Box::new(merge))),
        SqlStatement::Call(function) => procedure::call(function).map(|call| Statement::Call(Box::new(call))),
        SqlStatement::Prepare { name, statement, .. } => {
            let Statement::Query(query) = classify_sql(*statement)? else {
                return Err(unsupported("PREPARE of anything but a SELECT"));
            };
            Ok(Statement::Prepare { name: normalize(&name), query })
        }
        SqlStatement::Execute { name: Some(name), parameters, .. } => {
            Ok(Statement::Execute { name: single(&name)?, parameters })
        }
        other => {
            let text = other.to_string();
            let verb: Vec<&str> = text.split_whitespace().take(2).collect();
            Err(unsupported(&verb.join(" ")))
        }
    }
}

fn create_table(mut definition: CreateTable) -> Result<Statement> {
    if definition.external || definition.temporary || definition.like.is_some() || definition.clone.is_some() {
        return Err(
            unsupported("an external or temporary table, LIKE or CLONE").with_hint("use CREATE TABLE … AS SELECT …")
        );
    }
    if definition.version.is_some() {
        return Err(versioned());
    }
    let name = table_name(&definition.name)?;
    let create = create_mode(definition.or_replace, definition.if_not_exists)?;
    match definition.query.take() {
        Some(query) if definition.columns.is_empty() => Ok(Statement::CreateTableAs { name, create, query }),
        Some(_) => Err(unsupported("CREATE TABLE with both columns and AS").with_hint("CAST the columns in the query")),
        None => Ok(Statement::CreateTable { name, create, definition: Box::new(definition) }),
    }
}

fn create_mode(or_replace: bool, if_not_exists: bool) -> Result<CreateMode> {
    match (or_replace, if_not_exists) {
        (true, true) => Err(EngineError::new(ErrorKind::Plan, "OR REPLACE and IF NOT EXISTS contradict each other")),
        (true, false) => Ok(CreateMode::Replace),
        (false, true) => Ok(CreateMode::Keep),
        (false, false) => Ok(CreateMode::Fail),
    }
}

/// The refusal of every way to name a version but ours.
pub(crate) fn versioned() -> EngineError {
    EngineError::new(ErrorKind::Unsupported, "a version of a table is named with as_of")
        .with_hint("FROM as_of('schema.table', version => 3), or timestamp => '2026-01-31T00:00:00Z'")
}

fn unsupported(what: &str) -> EngineError {
    EngineError::new(ErrorKind::Unsupported, format!("{what} is not offered")).with_hint(
        "offered are SELECT, EXPLAIN, CREATE TABLE, CREATE VIEW, CREATE SCHEMA, DROP, INSERT, UPDATE, DELETE, MERGE, \
         COPY INTO, COPY … TO, PREPARE, EXECUTE, CALL, ALTER … SET, GRANT, REVOKE, and CREATE and DROP of USER, ROLE and POLICY",
    )
}

/// Reads an identifier: lower case unless quoted.
pub(crate) fn normalize(ident: &Ident) -> String {
    if ident.quote_style.is_some() { ident.value.clone() } else { ident.value.to_lowercase() }
}

/// Reads `schema.table` or `table`.
pub(crate) fn table_name(name: &ObjectName) -> Result<TableName> {
    let parts: Vec<String> = name.0.iter().filter_map(|part| part.as_ident()).map(normalize).collect();
    match parts.as_slice() {
        [table] => checked(DEFAULT_SCHEMA, table),
        [schema, table] => checked(schema, table),
        _ => Err(EngineError::new(ErrorKind::Plan, format!("`{name}` has too many parts; write schema.table"))),
    }
}

/// Reads `schema.table` out of a string argument.
pub(crate) fn parse_table_name(text: &str) -> Result<TableName> {
    let parts: Vec<&str> = text.split('.').collect();
    match parts.as_slice() {
        [table] => checked(DEFAULT_SCHEMA, table),
        [schema, table] => checked(schema, table),
        _ => Err(EngineError::new(ErrorKind::Plan, format!("`{text}` is not a table name; write schema.table"))),
    }
}

fn checked(schema: &str, table: &str) -> Result<TableName> {
    for part in [schema, table] {
        let good = !part.is_empty()
            && part.len() <= 128
            && part.chars().all(|character| character.is_alphanumeric() || character == '_' || character == '-');
        if !good {
            return Err(EngineError::new(
                ErrorKind::Plan,
                format!("`{part}` is not a name: letters, digits, `_` and `-`, at most 128 characters"),
            ));
        }
    }
    Ok(TableName::new(schema, table))
}

fn single(name: &ObjectName) -> Result<String> {
    match name.0.as_slice() {
        [part] => {
            let ident = part.as_ident().map(normalize).unwrap_or_default();
            checked(&ident, "x").map(|name| name.schema)
        }
        _ => Err(EngineError::new(ErrorKind::Plan, format!("`{name}` must be a single name"))),
    }
}

/// Returns the table or query of a `COPY … TO` as a query.
pub(crate) fn copy_source(copy: &CopyToStatement) -> Result<Box<Query>> {
    match &copy.source {
        CopyToSource::Query(query) => Ok(query.clone()),
        CopyToSource::Relation(name) => parse_query(&format!("SELECT * FROM {name}")),
    }
}

fn slice(sql: &str, start: Location, end: Location, to_end: bool) -> &str {
    let start = offset(sql, start);
    let end = if to_end { sql.len() } else { offset(sql, end) };
    sql.get(start..end).unwrap_or(sql)
}

/// Returns the byte offset of a line and column, both counted from 1.
fn offset(sql: &str, location: Location) -> usize {
    let line_start: usize =
        sql.split_inclusive('\n').take(usize_of(location.line).saturating_sub(1)).map(str::len).sum();
    let column = usize_of(location.column).saturating_sub(1);
    let line = sql.get(line_start..).unwrap_or_default();
    line_start + line.char_indices().nth(column).map_or(line.len(), |(offset, _)| offset)
}

fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
