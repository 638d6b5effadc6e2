//! The words that completion and highlighting know.

use causeway_core::{ParameterKind, Spec};
use causeway_model::{Catalog, Column, DatasetKind, ReadableColumns, Result, Rights};
use causeway_system::relations;

use crate::ops;

/// Words of SQL worth completing.
pub(super) const KEYWORDS: &[&str] = &[
    "ALL",
    "AND",
    "ARRAY",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COPY",
    "CREATE",
    "CROSS",
    "DELETE",
    "DESC",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FILTER",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "MATCHED",
    "MERGE",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "REPLACE",
    "RIGHT",
    "SCHEMA",
    "SELECT",
    "SET",
    "TABLE",
    "THEN",
    "TO",
    "TRUE",
    "TRY_CAST",
    "UNION",
    "UPDATE",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WITH",
];

/// Functions of SQL worth completing.
const FUNCTIONS: &[&str] = &[
    "abs",
    "approx_distinct",
    "array_agg",
    "avg",
    "coalesce",
    "concat",
    "corr",
    "count",
    "date_part",
    "date_trunc",
    "exp",
    "first_value",
    "floor",
    "ceil",
    "greatest",
    "least",
    "length",
    "ln",
    "log",
    "lower",
    "max",
    "median",
    "min",
    "now",
    "nullif",
    "power",
    "predict",
    "predict_vector",
    "rank",
    "regexp_like",
    "replace",
    "round",
    "row_number",
    "sqrt",
    "stddev",
    "substr",
    "sum",
    "to_timestamp",
    "trim",
    "upper",
    "var_pop",
    "lag",
    "lead",
];

/// Relations that read files or older versions.
const RELATION_FUNCTIONS: &[(&str, &str)] = &[
    ("added", "the rows added between two versions: added('schema.table', since => 3, until => 5)"),
    ("as_of", "a table as it was: as_of('schema.table', version => 3)"),
    ("read_csv", "a CSV file: read_csv('path')"),
    ("read_json", "a file of JSON lines: read_json('path')"),
    ("read_onnx", "a trained network, as one row: read_onnx('path')"),
    ("read_parquet", "a Parquet file: read_parquet('path')"),
];

/// A word with what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) note: String,
}

impl Word {
    fn new(text: impl Into<String>, note: impl Into<String>) -> Self {
        Self { text: text.into(), note: note.into() }
    }
}

/// A table with its columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Table {
    pub(super) name: Word,
    pub(super) columns: Vec<Word>,
}

/// All words that are known.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    /// The tables of the lake.
    pub(super) names: Vec<Table>,
    fixed: Vec<Table>,
    functions: Vec<Word>,
}

impl Vocabulary {
    /// Takes what needs no catalog.
    pub(super) fn new() -> Self {
        let fixed = relations().iter().filter(|relation| relation.usage.is_none()).map(|relation| Table {
            name: Word::new(format!("system.{}", relation.name), relation.summary),
            columns: relation.columns.iter().map(|column| Word::new(column.name, column.kind.describe())).collect(),
        });
        let operators = ops::specs().map(|spec| Word::new(spec.name, spec.summary));
        let system = relations().iter().filter(|relation| relation.usage.is_some());
        let system = system.map(|relation| Word::new(relation.name, relation.summary));
        let files = RELATION_FUNCTIONS.iter().map(|(name, note)| Word::new(*name, *note));
        let plain = FUNCTIONS.iter().map(|name| Word::new(*name, "function"));
        let functions = operators.chain(system).chain(files).chain(plain).collect();
        Self { names: Vec::new(), fixed: fixed.collect(), functions }
    }

    /// Returns all tables.
    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.names.iter().chain(&self.fixed)
    }

    /// Returns all functions and operators.
    pub(super) fn functions(&self) -> &[Word] {
        &self.functions
    }

    /// Returns true if the word is a function or an operator.
    pub(super) fn is_function(&self, word: &str) -> bool {
        self.functions.iter().any(|function| function.text.eq_ignore_ascii_case(word))
    }
}

/// Reads the names of tables, views and columns that may be read with these rights.
pub(super) async fn names(catalog: &dyn Catalog, rights: &Rights) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    for dataset in catalog.datasets(false).await? {
        let readable = rights.readable(&dataset.name);
        if dataset.kind == DatasetKind::File || readable == ReadableColumns::None {
            continue;
        }
        let version = catalog.latest_version(dataset.id).await?;
        let shown = |column: &&Column| match &readable {
            ReadableColumns::Some(columns) => columns.contains(&column.name),
            _ => true,
        };
        let columns = version.iter().flat_map(|version| &version.columns).filter(shown);
        tables.push(Table {
            name: Word::new(dataset.name.to_string(), dataset.kind.name()),
            columns: columns.map(|column| Word::new(&column.name, &column.data_type)).collect(),
        });
    }
    Ok(tables)
}

/// Returns the options of an operator, each as it is typed.
pub(super) fn options(operator: &str) -> Vec<Word> {
    let Some(spec) = ops::specs().find(|spec| spec.name.eq_ignore_ascii_case(operator)) else {
        return Vec::new();
    };
    let roles = spec.inputs.iter().flat_map(|input| input.columns);
    let roles = roles.map(|role| Word::new(format!("{} => ", role.role), role.meaning));
    let parameters = spec.parameters.iter().map(|parameter| {
        let default = parameter.default.unwrap_or("required");
        Word::new(format!("{} => ", parameter.name), format!("{} [{default}]", parameter.kind.describe()))
    });
    parameters.chain(roles).chain(relations_of(spec)).collect()
}

/// Returns the relations after the first, which are passed by name.
fn relations_of(spec: &'static Spec) -> impl Iterator<Item = Word> {
    spec.inputs.iter().skip(1).map(|input| Word::new(format!("{} => (SELECT ", input.name), input.summary))
}

/// Returns the values that an option of an operator takes, if they are a few words.
pub(super) fn choices(operator: &str, option: &str) -> Vec<Word> {
    let spec = ops::specs().find(|spec| spec.name.eq_ignore_ascii_case(operator));
    let parameter = spec.and_then(|spec| spec.parameters.iter().find(|parameter| parameter.name == option));
    match parameter.map(|parameter| parameter.kind) {
        Some(ParameterKind::Choice(words) | ParameterKind::Words(words)) => {
            words.iter().map(|word| Word::new(format!("'{word}'"), "value")).collect()
        }
        Some(ParameterKind::Boolean) => vec![Word::new("true", "value"), Word::new("false", "value")],
        _ => Vec::new(),
    }
}
