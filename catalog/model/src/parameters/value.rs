//! Values and their types.

use std::fmt;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use super::ParameterError;
use super::text;

/// What kind of value a parameter has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterType {
    /// A whole number of 64 bits.
    BigInt,
    /// A finite floating-point number of 64 bits.
    Double,
    /// Text.
    Text,
    /// True or false.
    Boolean,
    /// A day.
    Date,
    /// An instant, to the microsecond.
    Timestamp,
}

impl ParameterType {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::BigInt, Self::Double, Self::Text, Self::Boolean, Self::Date, Self::Timestamp];

    /// Returns its name in SQL.
    pub fn name(self) -> &'static str {
        match self {
            Self::BigInt => "bigint",
            Self::Double => "double",
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
        }
    }

    pub(super) fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name.to_lowercase())
    }
}

impl fmt::Display for ParameterType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A floating-point number that is neither infinite nor NaN.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Finite(f64);

impl Eq for Finite {}

impl Finite {
    /// Takes a number.
    ///
    /// # Errors
    /// If it is infinite or NaN.
    pub fn new(number: f64) -> Result<Self, ParameterError> {
        if number.is_finite() {
            return Ok(Self(number));
        }
        Err(ParameterError("a parameter of type double is a finite number".to_owned()))
    }

    /// Returns the number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Finite {
    type Error = ParameterError;

    fn try_from(number: f64) -> Result<Self, ParameterError> {
        Self::new(number)
    }
}

impl From<Finite> for f64 {
    fn from(number: Finite) -> Self {
        number.0
    }
}

/// A typed value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub enum ParameterValue {
    /// A whole number.
    BigInt(i64),
    /// A floating-point number.
    Double(Finite),
    /// Text.
    Text(String),
    /// True or false.
    Boolean(bool),
    /// A day.
    Date(NaiveDate),
    /// An instant.
    Timestamp(DateTime<Utc>),
}

impl ParameterValue {
    /// Reads a value of a type, as it stands behind `name:type=`.
    ///
    /// # Errors
    /// How values of the type are written.
    pub fn parse(kind: ParameterType, value: &str) -> Result<Self, ParameterError> {
        text::typed(kind, value)
    }

    /// Returns its type.
    pub fn parameter_type(&self) -> ParameterType {
        match self {
            Self::BigInt(_) => ParameterType::BigInt,
            Self::Double(_) => ParameterType::Double,
            Self::Text(_) => ParameterType::Text,
            Self::Boolean(_) => ParameterType::Boolean,
            Self::Date(_) => ParameterType::Date,
            Self::Timestamp(_) => ParameterType::Timestamp,
        }
    }

    /// Returns it as it is stored: `{"bigint":3}`.
    pub(super) fn to_json(&self) -> serde_json::Value {
        let value = match self {
            Self::BigInt(number) => (*number).into(),
            Self::Double(number) => number.get().into(),
            Self::Boolean(truth) => (*truth).into(),
            Self::Text(_) | Self::Date(_) | Self::Timestamp(_) => self.to_string().into(),
        };
        serde_json::Map::from_iter([(self.parameter_type().name().to_owned(), value)]).into()
    }
}

/// Shows the value alone, in a form that is read back as the same.
impl fmt::Display for ParameterValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BigInt(number) => write!(f, "{number}"),
            Self::Double(number) => write!(f, "{:?}", number.get()),
            Self::Text(text) => f.write_str(text),
            Self::Boolean(truth) => write!(f, "{truth}"),
            Self::Date(date) => write!(f, "{}", date.format("%Y-%m-%d")),
            Self::Timestamp(instant) => f.write_str(&instant.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

/// A value as it is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum Stored {
    BigInt(i64),
    Double(Finite),
    Text(String),
    Boolean(bool),
    Date(String),
    Timestamp(String),
}

impl TryFrom<Stored> for ParameterValue {
    type Error = ParameterError;

    fn try_from(stored: Stored) -> Result<Self, ParameterError> {
        match stored {
            Stored::BigInt(number) => Ok(Self::BigInt(number)),
            Stored::Double(number) => Ok(Self::Double(number)),
            Stored::Text(content) => text::text(&content).map(Self::Text),
            Stored::Boolean(truth) => Ok(Self::Boolean(truth)),
            Stored::Date(date) => text::date(&date).map(Self::Date),
            Stored::Timestamp(instant) => text::timestamp(&instant).map(Self::Timestamp),
        }
    }
}

impl From<ParameterValue> for Stored {
    fn from(value: ParameterValue) -> Self {
        let shown = value.to_string();
        match value {
            ParameterValue::BigInt(number) => Self::BigInt(number),
            ParameterValue::Double(number) => Self::Double(number),
            ParameterValue::Text(content) => Self::Text(content),
            ParameterValue::Boolean(truth) => Self::Boolean(truth),
            ParameterValue::Date(_) => Self::Date(shown),
            ParameterValue::Timestamp(_) => Self::Timestamp(shown),
        }
    }
}
