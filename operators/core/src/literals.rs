//! Option values as SQL gave them, checked against the spec.

use std::collections::BTreeMap;

use crate::{OperatorError, Parameter, ParameterKind, Result, Spec, nearest};

/// The value of an option, as written in SQL.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Literal {
    /// `NULL`: the option counts as not given.
    Null,
    /// `true`, `false`.
    Boolean(bool),
    /// `42`.
    Integer(i64),
    /// `0.95`.
    Float(f64),
    /// `'text'`; dates and timestamps arrive as their ISO text.
    Text(String),
    /// `ARRAY[…]`.
    List(Vec<Literal>),
}

/// The options of one call. After [`Literals::check`] every name is known, every value is in its
/// range and every default is filled in.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Literals(BTreeMap<String, Literal>);

impl Literals {
    /// Adds an option; a `NULL` is dropped, so that the default applies.
    pub fn insert(&mut self, name: impl Into<String>, value: Literal) {
        if value != Literal::Null {
            self.0.insert(name.into(), value);
        }
    }

    /// Adds the options of another call that this one lacks.
    #[must_use]
    pub fn or(mut self, others: Self) -> Self {
        for (name, value) in others.0 {
            self.0.entry(name).or_insert(value);
        }
        self
    }

    /// Checks names, types and ranges against `spec` and fills in the defaults.
    ///
    /// # Errors
    /// [`OperatorError::UnknownParameter`] for a name the spec lacks, [`OperatorError::Parameter`]
    /// for a value out of range, [`OperatorError::Missing`] for a required option not given.
    pub fn check(mut self, spec: &'static Spec) -> Result<Self> {
        for (name, value) in &self.0 {
            let role = spec.inputs.iter().flat_map(|input| input.columns).find(|role| role.role == name);
            match (role, spec.parameter(name)) {
                (Some(role), None) => check_column_names(spec, name, role.several, value)?,
                (Some(_), Some(_)) if matches!(value, Literal::Text(_)) => {}
                (Some(_), Some(parameter)) => check_value_or_column(spec, parameter, value)?,
                (None, Some(parameter)) => check_value(spec, parameter, value)?,
                (None, None) => {
                    return Err(OperatorError::UnknownParameter {
                        operator: spec.name,
                        nearest: nearest(name, spec.option_names()),
                        valid: spec.option_names().collect::<Vec<_>>().join(", "),
                        name: name.clone(),
                    });
                }
            }
        }
        for parameter in spec.parameters {
            if self.0.contains_key(parameter.name) {
                continue;
            }
            let Some(default) = parameter.default else {
                return Err(OperatorError::Missing {
                    operator: spec.name,
                    what: format!("option `{}` ({})", parameter.name, parameter.kind.describe()),
                    usage: spec.usage(),
                });
            };
            self.insert(parameter.name, parse_default(parameter, default));
        }
        Ok(self)
    }

    /// Returns the value of an option.
    pub fn get(&self, name: &str) -> Option<&Literal> {
        self.0.get(name)
    }

    /// Returns a boolean option, false if absent.
    pub fn boolean(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Literal::Boolean(true)))
    }

    /// Returns an integer option.
    pub fn integer(&self, name: &str) -> Option<i64> {
        match self.get(name) {
            Some(Literal::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// Returns a float option; an integer counts as a float.
    #[expect(clippy::cast_precision_loss, reason = "option values are far below 2^53")]
    pub fn float(&self, name: &str) -> Option<f64> {
        match self.get(name) {
            Some(Literal::Float(value)) => Some(*value),
            Some(Literal::Integer(value)) => Some(*value as f64),
            _ => None,
        }
    }

    /// Returns a text option.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name) {
            Some(Literal::Text(value)) => Some(value),
            _ => None,
        }
    }

    /// Returns an option that is one word or a list of words, as a list.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.get(name) {
            Some(Literal::Text(value)) => vec![value],
            Some(Literal::List(values)) => values
                .iter()
                .filter_map(|value| match value {
                    Literal::Text(text) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Returns all options in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Literal)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

impl std::fmt::Display for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => write!(f, "'{}'", value.replace('\'', "''")),
            Self::List(values) => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "ARRAY[{}]", values.join(", "))
            }
        }
    }
}

fn check_column_names(spec: &'static Spec, name: &str, several: bool, value: &Literal) -> Result<()> {
    let fits = match value {
        Literal::Text(_) => true,
        Literal::List(values) => {
            several && !values.is_empty() && values.iter().all(|value| matches!(value, Literal::Text(_)))
        }
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let range = if several { "a column name or an array of column names, as text" } else { "a column name as text" };
    Err(refused(spec, name, range.to_owned(), value))
}

/// Checks an option that takes a value or the name of a column.
fn check_value_or_column(spec: &'static Spec, parameter: &Parameter, value: &Literal) -> Result<()> {
    let range = || format!("{}, or a column name as text", parameter.kind.describe());
    check_value(spec, parameter, value).map_err(|_| refused(spec, parameter.name, range(), value))
}

fn check_value(spec: &'static Spec, parameter: &Parameter, value: &Literal) -> Result<()> {
    #[expect(clippy::cast_precision_loss, reason = "only compared with a range")]
    let fits = match (parameter.kind, value) {
        (ParameterKind::Boolean, Literal::Boolean(_)) | (ParameterKind::Text, Literal::Text(_)) => true,
        (ParameterKind::Integer { min, max }, Literal::Integer(value)) => (min..=max).contains(value),
        (ParameterKind::Float { min, max, open }, Literal::Float(value)) => in_range(*value, min, max, open),
        (ParameterKind::Float { min, max, open }, Literal::Integer(value)) => in_range(*value as f64, min, max, open),
        (ParameterKind::Choice(words) | ParameterKind::Words(words), Literal::Text(word)) => {
            words.contains(&word.as_str())
        }
        (ParameterKind::Words(words), Literal::List(values)) => {
            let known = |value: &Literal| matches!(value, Literal::Text(word) if words.contains(&word.as_str()));
            !values.is_empty() && values.iter().all(known)
        }
        (ParameterKind::Values, Literal::List(values)) => {
            let of_values = |value: &Literal| matches!(value, Literal::List(inner) if are_values(inner));
            are_values(values) || (!values.is_empty() && values.iter().all(of_values))
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err(refused(spec, parameter.name, parameter.kind.describe(), value)) }
}

fn are_values(values: &[Literal]) -> bool {
    let is_value = |value: &Literal| matches!(value, Literal::Text(_) | Literal::Integer(_) | Literal::Boolean(_));
    !values.is_empty() && values.iter().all(is_value)
}

fn in_range(value: f64, min: f64, max: f64, open: bool) -> bool {
    value.is_finite() && if open { value > min && value < max } else { value >= min && value <= max }
}

fn refused(spec: &'static Spec, name: &str, range: String, value: &Literal) -> OperatorError {
    OperatorError::Parameter { operator: spec.name, name: name.to_owned(), range, value: value.to_string() }
}

/// Reads a default of the spec. `NULL` means that the option has no value unless given.
fn parse_default(parameter: &Parameter, default: &str) -> Literal {
    if default == "NULL" {
        return Literal::Null;
    }
    let number = default.parse::<f64>();
    match (parameter.kind, number) {
        (ParameterKind::Boolean, _) => Literal::Boolean(default == "true"),
        (ParameterKind::Integer { .. }, _) => default.parse().map_or(Literal::Null, Literal::Integer),
        (ParameterKind::Float { .. }, Ok(number)) => Literal::Float(number),
        (ParameterKind::Words(_), _) => {
            let words = default.trim_start_matches("ARRAY[").trim_end_matches(']').split(", ");
            Literal::List(words.map(|word| Literal::Text(word.trim_matches('\'').to_owned())).collect())
        }
        _ => Literal::Text(default.trim_matches('\'').to_owned()),
    }
}
