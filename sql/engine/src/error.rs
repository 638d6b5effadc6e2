//! What a statement can fail with, in words for the person who typed it.

use std::sync::Arc;

use causeway_core::OperatorError;
use causeway_ingest::IngestError;
use causeway_lake::{LakeError, is_disk_full};
use causeway_model::CatalogError;
use causeway_onnx::OnnxError;
use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::sql::sqlparser::parser::ParserError;

use crate::gate::too_complex;

/// The result of an engine call.
pub type Result<T, E = EngineError> = std::result::Result<T, E>;

/// A place in the text of a statement, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: u64,
    /// The column, in characters.
    pub column: u64,
}

/// A statement failed.
///
/// No message holds a value of a row: what DataFusion and Arrow say about values is replaced.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct EngineError {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    position: Option<Position>,
    foreign_code: Option<&'static str>,
    retryable: bool,
    panicked: bool,
}

/// What the reader of an error can do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The text is not SQL: fix the statement.
    Syntax,
    /// The statement is too long or nested too deeply: split it.
    TooComplex,
    /// A table, column, function or version does not exist: fix the name.
    NotFound,
    /// Types, arguments or structure do not fit: fix the statement.
    Plan,
    /// An operator refused its call: fix the call.
    OperatorCall,
    /// The statement is valid SQL that this engine does not offer: say it otherwise.
    Unsupported,
    /// A path outside the allowed folders, or a write to a system table: ask for access.
    Refused,
    /// The user lacks a right: ask for it.
    Denied,
    /// A parameter has no value, is not used, or does not fit its place: give it another value.
    Parameter,
    /// The thing to create exists: drop it or use OR REPLACE.
    AlreadyExists,
    /// The data break what the statement or operator requires: fix or filter the data.
    Data,
    /// The memory limit is reached: raise it or reduce the input.
    Memory,
    /// A trained network is not one that can be run: export it otherwise.
    Model,
    /// The disk that the statement spills or writes to is full: free space.
    DiskFull,
    /// The time limit is reached.
    Timeout,
    /// The owner cancelled it.
    Cancelled,
    /// The catalog, lake, or ingest failed; the code is theirs.
    Storage,
    /// A bug of ours.
    Internal,
}

impl ErrorKind {
    fn code(self) -> &'static str {
        match self {
            Self::Syntax => "CW0101",
            Self::TooComplex => "CW0102",
            Self::NotFound => "CW0103",
            Self::Plan => "CW0104",
            Self::OperatorCall => "CW0105",
            Self::Unsupported => "CW0106",
            Self::Refused => "CW0107",
            Self::AlreadyExists => "CW0108",
            Self::Denied => "CW0109",
            Self::Parameter => "CW0110",
            Self::Data => "CW0201",
            Self::Memory => "CW0202",
            Self::Timeout => "CW0203",
            Self::Cancelled => "CW0204",
            Self::Storage => "CW0205",
            Self::DiskFull => "CW0206",
            Self::Model => "CW0207",
            Self::Internal => "CW0299",
        }
    }
}

impl EngineError {
    /// Makes an error of a kind.
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            position: None,
            foreign_code: None,
            retryable: false,
            panicked: false,
        }
    }

    /// Makes the error of work that panicked; the panic's own words may hold a value of a row.
    pub(crate) fn of_panic(what: &str) -> Self {
        let error = Self::new(ErrorKind::Internal, format!("{what} panicked"));
        Self { panicked: true, ..error.with_hint("this is a bug; please report the statement") }
    }

    fn disk_full() -> Self {
        let message = "the disk that the statement spills or writes to is full; nothing was committed";
        let error = Self { retryable: true, ..Self::new(ErrorKind::DiskFull, message) };
        error.with_hint("free space, or name another folder as limits.spill_dir")
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds where in the statement it is.
    #[must_use]
    pub(crate) fn at(mut self, line: u64, column: u64) -> Self {
        if line > 0 {
            self.position = Some(Position { line, column });
        }
        self
    }

    /// Removes a position that refers to a rewritten text.
    #[must_use]
    pub(crate) fn without_position(mut self) -> Self {
        self.position = None;
        self
    }

    /// Returns what the reader can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Returns the code of the error's page in the docs.
    pub fn code(&self) -> &'static str {
        self.foreign_code.unwrap_or_else(|| self.kind.code())
    }

    /// Returns how to fix it, if there is more to say than the message does.
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// Returns where in the statement it is, if known.
    pub fn position(&self) -> Option<Position> {
        self.position
    }

    /// Returns true if the same statement may succeed when run again.
    pub fn retryable(&self) -> bool {
        self.retryable
    }

    /// Returns true if code panicked, which is our bug.
    pub fn panicked(&self) -> bool {
        self.panicked
    }

    /// Makes the error of a procedure: code, words and what to do are those of who did what was asked.
    pub fn of_procedure(code: &'static str, message: String, hint: Option<String>, retryable: bool) -> Self {
        if code == ErrorKind::Denied.code() {
            return Self { hint, ..Self::new(ErrorKind::Denied, message) };
        }
        Self { hint, ..Self::foreign(message, code, retryable) }
    }

    fn foreign(message: String, code: &'static str, retryable: bool) -> Self {
        Self { foreign_code: Some(code), retryable, ..Self::new(ErrorKind::Storage, message) }
    }

    /// Returns this error as one that can travel through a DataFusion stream.
    pub(crate) fn into_datafusion(self) -> DataFusionError {
        DataFusionError::External(Box::new(self))
    }
}

impl From<CatalogError> for EngineError {
    fn from(error: CatalogError) -> Self {
        Self::foreign(error.to_string(), error.code(), error.retryable())
    }
}

impl From<LakeError> for EngineError {
    fn from(error: LakeError) -> Self {
        Self::from(&error)
    }
}

impl From<&LakeError> for EngineError {
    /// The rows to write may fail with DataFusion's own words, which may quote a value.
    fn from(error: &LakeError) -> Self {
        if let LakeError::Rows(rows) = error {
            return Self::from(rows);
        }
        let panicked = matches!(error, LakeError::Panicked(_));
        Self { panicked, ..Self::foreign(error.to_string(), error.code(), error.retryable()) }
    }
}

impl From<IngestError> for EngineError {
    fn from(error: IngestError) -> Self {
        if let IngestError::Lake(lake) = &error {
            return Self::from(lake);
        }
        let panicked = matches!(error, IngestError::Panicked { .. });
        Self { panicked, ..Self::foreign(error.to_string(), error.code(), error.retryable()) }
    }
}

impl From<OnnxError> for EngineError {
    fn from(error: OnnxError) -> Self {
        let kind = if matches!(error, OnnxError::Features { .. }) { ErrorKind::Plan } else { ErrorKind::Model };
        Self::new(kind, error.to_string())
    }
}

impl From<OperatorError> for EngineError {
    fn from(error: OperatorError) -> Self {
        Self::from(&error)
    }
}

impl From<&OperatorError> for EngineError {
    fn from(error: &OperatorError) -> Self {
        let kind = match error {
            OperatorError::Data { .. } | OperatorError::NotConverged { .. } | OperatorError::Input(_) => {
                ErrorKind::Data
            }
            OperatorError::Memory { .. } => ErrorKind::Memory,
            OperatorError::Scratch { .. } => ErrorKind::DiskFull,
            OperatorError::Cancelled => ErrorKind::Cancelled,
            OperatorError::Arrow(_) | OperatorError::Internal { .. } => ErrorKind::Internal,
            _ => ErrorKind::OperatorCall,
        };
        Self { retryable: kind == ErrorKind::DiskFull, ..Self::new(kind, error.to_string()) }
    }
}

impl From<DataFusionError> for EngineError {
    fn from(error: DataFusionError) -> Self {
        Self::from(&error)
    }
}

impl EngineError {
    /// Returns the error of planning, which has seen no row: its words are shown as they are.
    pub(crate) fn of_plan(error: &DataFusionError) -> Self {
        match root(error) {
            DataFusionError::Execution(message) => one_line(ErrorKind::Plan, message),
            _ => Self::from(error),
        }
    }
}

fn root(error: &DataFusionError) -> &DataFusionError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => root(inner),
        DataFusionError::Shared(inner) => root(inner),
        other => other,
    }
}

impl From<&DataFusionError> for EngineError {
    fn from(error: &DataFusionError) -> Self {
        if is_disk_full(error) {
            return Self::disk_full();
        }
        let mut translated = translate(error);
        if let Some(span) = error.diagnostic().and_then(|diagnostic| diagnostic.span) {
            translated = translated.at(span.start.line, span.start.column);
        }
        if translated.hint.is_none() {
            translated.hint = error.diagnostic().and_then(first_help);
        }
        translated
    }
}

fn first_help(diagnostic: &datafusion::common::Diagnostic) -> Option<String> {
    let help = diagnostic.helps.first().map(|help| help.message.clone());
    help.or_else(|| diagnostic.notes.first().map(|note| note.message.clone()))
}

fn translate(error: &DataFusionError) -> EngineError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => translate(inner),
        DataFusionError::Shared(inner) => translate(inner),
        DataFusionError::Collection(errors) => errors.first().map_or_else(|| internal(error), translate),
        DataFusionError::External(inner) => translate_external(inner.as_ref()),
        DataFusionError::ArrowError(inner, _) => translate_arrow(inner),
        DataFusionError::ParquetError(inner) => translate_parquet(inner),
        DataFusionError::SQL(inner, _) if **inner == ParserError::RecursionLimitExceeded => {
            too_complex("too many nested or ambiguous parts".to_owned())
        }
        DataFusionError::SQL(inner, _) => syntax(&inner.to_string()),
        DataFusionError::ResourcesExhausted(_) => EngineError::new(
            ErrorKind::Memory,
            "the memory limit is reached and the rest of the work cannot spill to disk",
        )
        .with_hint("raise limits.memory_limit_bytes, or reduce the rows or groups of the query"),
        DataFusionError::SchemaError(inner, _) => one_line(ErrorKind::NotFound, &inner.to_string()),
        DataFusionError::Plan(message) => plan(message),
        DataFusionError::NotImplemented(message) => EngineError::new(ErrorKind::Unsupported, message.clone()),
        DataFusionError::Configuration(message) => EngineError::new(ErrorKind::Plan, message.clone()),
        DataFusionError::Execution(message) => unfit(message),
        DataFusionError::ExecutionJoin(inner) if inner.is_panic() => EngineError::of_panic("a part of the statement"),
        DataFusionError::IoError(inner) => EngineError::foreign(inner.kind().to_string(), "CW0205", true),
        DataFusionError::ObjectStore(inner) => translate_object_store(inner),
        other => internal(other),
    }
}

fn plan(message: &str) -> EngineError {
    let missing =
        message.contains("not found") || message.contains("No field named") || message.contains("Invalid function");
    one_line(if missing { ErrorKind::NotFound } else { ErrorKind::Plan }, message)
}

/// Keeps the first line as the message; what DataFusion says below it is the hint.
fn one_line(kind: ErrorKind, text: &str) -> EngineError {
    match text.split_once('\n') {
        Some((message, rest)) => EngineError::new(kind, message).with_hint(rest.trim().replace('\n', " ")),
        None => EngineError::new(kind, text),
    }
}

fn internal(error: &DataFusionError) -> EngineError {
    let message = error.strip_backtrace();
    let first = message.lines().next().unwrap_or_default();
    EngineError::new(ErrorKind::Internal, format!("internal error: {}", shown(first).unwrap_or("unexpected state")))
        .with_hint("this is a bug; please report the statement")
}

/// Finds our own errors behind DataFusion's.
fn translate_external(error: &(dyn std::error::Error + Send + Sync + 'static)) -> EngineError {
    if let Some(ours) = error.downcast_ref::<EngineError>() {
        return ours.clone();
    }
    if let Some(operator) = error.downcast_ref::<OperatorError>() {
        return operator.into();
    }
    if let Some(lake) = error.downcast_ref::<LakeError>() {
        return lake.into();
    }
    if let Some(catalog) = error.downcast_ref::<CatalogError>() {
        return EngineError::foreign(catalog.to_string(), catalog.code(), catalog.retryable());
    }
    if let Some(inner) = error.downcast_ref::<DataFusionError>() {
        return translate(inner);
    }
    if let Some(inner) = error.downcast_ref::<Arc<DataFusionError>>() {
        return translate(inner);
    }
    if let Some(inner) = error.downcast_ref::<ArrowError>() {
        return translate_arrow(inner);
    }
    EngineError::new(ErrorKind::Storage, "reading the data failed").with_hint("run `causeway doctor`")
}

/// Arrow's messages quote values; ours say only what kind of value did not fit.
fn translate_arrow(error: &ArrowError) -> EngineError {
    let data = |message: String| EngineError::new(ErrorKind::Data, message);
    match error {
        ArrowError::ExternalError(inner) => translate_external(inner.as_ref()),
        ArrowError::CastError(message) | ArrowError::ParseError(message) => {
            let wanted =
                message.rsplit_once(" to value of ").map(|(_, kind)| kind.trim_end_matches(" type").to_owned());
            data(format!("a value cannot be read as {}", wanted.as_deref().unwrap_or("the type asked for")))
                .with_hint("use TRY_CAST to get NULL instead, or filter such rows")
        }
        ArrowError::DivideByZero => {
            data("division by zero".to_owned()).with_hint("guard the divisor: x / NULLIF(y, 0)")
        }
        ArrowError::ArithmeticOverflow(_) => {
            data("arithmetic overflow".to_owned()).with_hint("CAST to a wider type first")
        }
        ArrowError::MemoryError(_) => EngineError::new(ErrorKind::Memory, "the memory limit is reached"),
        ArrowError::ComputeError(message) | ArrowError::InvalidArgumentError(message) => unfit(message),
        ArrowError::CsvError(_) | ArrowError::JsonError(_) => {
            data("a file has a record that does not fit its inferred schema".to_owned())
                .with_hint("load it with COPY INTO and a contract: bad records go to the quarantine table")
        }
        ArrowError::SchemaError(message) => EngineError::new(ErrorKind::Plan, message.clone()),
        ArrowError::ParquetError(_) => data("a Parquet file is damaged or not Parquet".to_owned()),
        _ => data("the data could not be processed".to_owned()),
    }
}

fn translate_parquet(error: &datafusion::parquet::errors::ParquetError) -> EngineError {
    if let datafusion::parquet::errors::ParquetError::External(inner) = error {
        return translate_external(inner.as_ref());
    }
    EngineError::new(ErrorKind::Data, "a Parquet file is damaged or not Parquet")
}

fn translate_object_store(error: &datafusion::object_store::Error) -> EngineError {
    match error {
        datafusion::object_store::Error::NotFound { path, .. } => {
            EngineError::new(ErrorKind::NotFound, format!("file `{path}` does not exist"))
        }
        _ => EngineError::foreign("the object store did not answer as expected".to_owned(), "CW0205", true),
    }
}

/// Returns the error for data that a function does not take.
fn unfit(message: &str) -> EngineError {
    let message = shown(message).unwrap_or("a value does not fit the function or type that it is given to");
    EngineError::new(ErrorKind::Data, message).with_hint("filter such rows, or use TRY_CAST where a type is wanted")
}

/// Returns a foreign message if it cannot hold a value: no quotes, no digits, no list.
fn shown(message: &str) -> Option<&str> {
    let quotes_nothing = !message.chars().any(|character| character.is_ascii_digit() || "'\"`:[{(".contains(character));
    quotes_nothing.then_some(message)
}

/// Turns a parser's message, which ends in its position, into ours.
pub(crate) fn syntax(message: &str) -> EngineError {
    let message = message.trim_start_matches("sql parser error: ");
    let Some((text, place)) = message.rsplit_once(" at Line: ") else {
        return EngineError::new(ErrorKind::Syntax, message);
    };
    let mut numbers = place.split(", Column: ").map(|number| number.trim().parse::<u64>());
    let error = EngineError::new(ErrorKind::Syntax, text);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(line)), Some(Ok(column))) => error.at(line, column),
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_error_does_not_repeat_the_value() {
        let arrow = ArrowError::CastError("Cannot cast string 'P-0173' to value of Int64 type".to_owned());
        let error = EngineError::from(DataFusionError::from(arrow));
        assert_eq!(error.to_string(), "a value cannot be read as Int64");
        assert_eq!(error.code(), "CW0201");
    }

    #[test]
    fn a_foreign_message_is_shown_only_if_it_can_hold_no_value() {
        for (message, shown) in [
            ("Regular expression too large", true),
            ("2469134 is too large to store in a Decimal", false),
            ("can't parse Anna's 'name'", false),
            ("unexpected value: Anna", false),
        ] {
            let error = EngineError::from(DataFusionError::Execution(message.to_owned()));
            assert_eq!(error.to_string() == message, shown, "{error}");
        }
    }

    #[test]
    fn a_full_disk_has_a_code_of_its_own() {
        let full = || std::io::Error::from(std::io::ErrorKind::StorageFull);
        for error in [
            DataFusionError::IoError(full()),
            DataFusionError::from(ArrowError::IoError("while spilling".to_owned(), full())),
        ] {
            let error = EngineError::from(error.context("sorting"));
            assert!(error.code() == "CW0206" && error.retryable(), "{error}");
        }
    }

    #[tokio::test]
    async fn a_panic_is_known_as_one_and_its_words_are_kept_back() {
        let task = tokio::spawn(async { assert_eq!(1, 2, "patient P-0173") });
        let error = EngineError::from(DataFusionError::ExecutionJoin(Box::new(task.await.unwrap_err())));
        assert!(error.panicked() && !error.to_string().contains("P-0173"), "{error}");
    }

    #[test]
    fn a_syntax_error_has_its_position() {
        let error = syntax("sql parser error: Expected: an expression, found: FROM at Line: 2, Column: 8");
        assert_eq!(error.position(), Some(Position { line: 2, column: 8 }));
        assert_eq!(error.to_string(), "Expected: an expression, found: FROM");
    }
}
