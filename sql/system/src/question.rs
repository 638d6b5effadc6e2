//! What a lineage function is asked: target, version, columns, distance.

use causeway_core::{Literal, Literals, nearest};
use causeway_model::Direction;
use chrono::DateTime;

/// The options of the lineage functions.
const OPTIONS: [&str; 4] = ["columns", "depth", "as_of", "version"];

/// Which version of the target is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum When {
    /// The newest.
    Newest,
    /// The one of this number.
    Version(i64),
    /// The newest at an instant (RFC 3339).
    Instant(String),
}

impl When {
    /// Says which, for a message.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Newest => "any".to_owned(),
            Self::Version(number) => number.to_string(),
            Self::Instant(instant) => instant.clone(),
        }
    }
}

/// Between what edges are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Columns {
    /// Between columns, from all columns of the target or the one it names.
    All,
    /// Between columns, from these.
    Named(Vec<String>),
    /// Between tables.
    None,
}

/// A call of a lineage function, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) target: String,
    pub(crate) when: When,
    pub(crate) columns: Columns,
    pub(crate) depth: Option<i64>,
    pub(crate) direction: Direction,
}

impl Question {
    /// Checks the arguments of a call; the error says what is wrong with them and shows the call.
    pub(crate) fn check(
        direction: Direction,
        function: &str,
        usage: &str,
        arguments: &[Literal],
        options: &Literals,
    ) -> Result<Self, String> {
        if let Some((option, _)) = options.iter().find(|(option, _)| !OPTIONS.contains(option)) {
            let meant = nearest(option, OPTIONS).map(|name| format!(" (did you mean `{name}`?)"));
            return Err(format!(
                "{function} has no option `{option}`{}; the call is {usage}",
                meant.unwrap_or_default()
            ));
        }
        let [Literal::Text(target)] = arguments else {
            return Err(format!("{function} takes one text, the table or column; the call is {usage}"));
        };
        Ok(Self {
            target: target.clone(),
            when: when(function, options)?,
            columns: columns(function, options.get("columns"))?,
            depth: depth(function, options.get("depth"))?,
            direction,
        })
    }
}

fn when(function: &str, options: &Literals) -> Result<When, String> {
    let (option, value) = match (options.get("as_of"), options.get("version")) {
        (Some(_), Some(_)) => return Err(format!("{function} takes `as_of` or `version`, not both")),
        (Some(value), None) => ("as_of", value),
        (None, Some(value)) => ("version", value),
        (None, None) => return Ok(When::Newest),
    };
    match value {
        Literal::Integer(number) if *number >= 0 => Ok(When::Version(*number)),
        Literal::Text(instant) if option == "as_of" && DateTime::parse_from_rfc3339(instant).is_ok() => {
            Ok(When::Instant(instant.clone()))
        }
        _ if option == "version" => Err(format!("option `version` of {function} must be a whole number >= 0")),
        _ => Err(format!(
            "option `as_of` of {function} must be a version, a whole number >= 0, or an instant such as \
             '2026-03-01T04:00:00Z'"
        )),
    }
}

fn columns(function: &str, value: Option<&Literal>) -> Result<Columns, String> {
    let wrong = || {
        format!(
            "option `columns` of {function} must be true for edges between columns, false for edges between tables, \
             or the columns of the target to follow, such as ARRAY['age', 'sex']"
        )
    };
    match value {
        None | Some(Literal::Boolean(true)) => Ok(Columns::All),
        Some(Literal::Boolean(false)) => Ok(Columns::None),
        Some(Literal::Text(name)) => Ok(Columns::Named(vec![name.clone()])),
        Some(Literal::List(items)) if !items.is_empty() => {
            let name = |item: &Literal| match item {
                Literal::Text(name) => Ok(name.clone()),
                _ => Err(wrong()),
            };
            items.iter().map(name).collect::<Result<_, _>>().map(Columns::Named)
        }
        Some(_) => Err(wrong()),
    }
}

fn depth(function: &str, value: Option<&Literal>) -> Result<Option<i64>, String> {
    match value {
        None => Ok(None),
        Some(Literal::Integer(value)) if *value >= 1 => Ok(Some(*value)),
        Some(_) => Err(format!("option `depth` of {function} must be a whole number >= 1")),
    }
}
