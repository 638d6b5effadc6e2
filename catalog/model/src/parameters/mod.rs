//! Parameters: the values that a run binds to the `:name`s of its statements.
//!
//! A value has a type from the moment it is given. It goes into a statement as a typed constant of the
//! statement's tree, so nothing in it is ever read as SQL.

mod text;
mod value;

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::{Deserialize, Serialize};

pub use value::{Finite, ParameterType, ParameterValue};

/// The start of the time that a scheduled run is about: the firing before its own, in UTC.
pub const SLOT_START: &str = "slot_start";

/// The end of the time that a scheduled run is about: its firing, in UTC.
pub const SLOT_END: &str = "slot_end";

/// The date of [`SLOT_START`] in the schedule's zone.
pub const RUN_DATE: &str = "run_date";

/// The names that a schedule gives values to.
pub const SLOT_PARAMETERS: [&str; 3] = [SLOT_START, SLOT_END, RUN_DATE];

/// The longest name.
const LONGEST_NAME: usize = 64;

/// The most parameters of one run.
const MOST: usize = 100;

/// A parameter is not one. Who gave it writes it otherwise; no message holds a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParameterError(pub(crate) String);

impl ParameterError {
    /// Returns the code of the error's page in the docs.
    pub fn code(&self) -> &'static str {
        "CW0110"
    }
}

/// Values by name.
///
/// ```
/// use causeway_model::{ParameterType, Parameters};
///
/// let given = Parameters::parse(["site=3", "day:date=2026-01-01", "note=it's; DROP TABLE a"])?;
/// let types: Vec<_> = given.iter().map(|(name, value)| format!("{name} {}", value.parameter_type())).collect();
/// assert_eq!(types, ["day date", "note text", "site bigint"]);
/// assert!(Parameters::parse(["day:date=2026-02-30"]).is_err());
/// # Ok::<(), causeway_model::ParameterError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, ParameterValue>")]
pub struct Parameters(BTreeMap<String, ParameterValue>);

impl Parameters {
    /// Reads `name=value` and `name:type=value`. Without a type, `true` and `false` are booleans; whole
    /// numbers, numbers with a point or exponent, ISO dates and RFC 3339 instants are what they look
    /// like; anything else is text.
    ///
    /// # Errors
    /// What is wrong with the first that is wrong, and how it is written.
    pub fn parse<'a>(given: impl IntoIterator<Item = &'a str>) -> Result<Self, ParameterError> {
        let mut parameters = Self::default();
        for text in given {
            let (name, value) = text::assignment(text)?;
            parameters.add(&name, value)?;
        }
        Ok(parameters)
    }

    /// Adds a value.
    ///
    /// # Errors
    /// If the name is no name or is taken, or there are too many.
    pub fn add(&mut self, name: &str, value: ParameterValue) -> Result<(), ParameterError> {
        let name = checked(name)?;
        if self.0.len() >= MOST {
            return Err(ParameterError(format!("more than {MOST} parameters; put the values into a table")));
        }
        match self.0.entry(name) {
            Entry::Vacant(free) => {
                free.insert(value);
                Ok(())
            }
            Entry::Occupied(taken) => Err(ParameterError(format!("parameter `{}` is given twice", taken.key()))),
        }
    }

    /// Adds a value unless there is one of that name.
    ///
    /// # Errors
    /// As [`Self::add`], but for a name that is taken.
    pub fn add_default(&mut self, name: &str, value: ParameterValue) -> Result<(), ParameterError> {
        if self.get(name).is_some() { Ok(()) } else { self.add(name, value) }
    }

    /// Returns a value; names are read as SQL reads them, without regard to case.
    pub fn get(&self, name: &str) -> Option<&ParameterValue> {
        self.0.get(name).or_else(|| self.0.get(&name.to_lowercase()))
    }

    /// Returns all of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ParameterValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Returns their names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns them as they are stored and shown: `{"site":{"bigint":3}}`, sorted by name.
    pub fn to_json(&self) -> serde_json::Value {
        self.0.iter().map(|(name, value)| (name.clone(), value.to_json())).collect::<serde_json::Map<_, _>>().into()
    }
}

/// Shows them as they are given, `name:type=value`, for a person.
impl fmt::Display for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, (name, value)) in self.iter().enumerate() {
            let comma = if position == 0 { "" } else { ", " };
            write!(f, "{comma}{name}:{}={value}", value.parameter_type())?;
        }
        Ok(())
    }
}

impl TryFrom<BTreeMap<String, ParameterValue>> for Parameters {
    type Error = ParameterError;

    fn try_from(stored: BTreeMap<String, ParameterValue>) -> Result<Self, ParameterError> {
        let mut parameters = Self::default();
        stored.into_iter().try_for_each(|(name, value)| parameters.add(&name, value))?;
        Ok(parameters)
    }
}

/// Returns a name as it is kept: lower case.
fn checked(name: &str) -> Result<String, ParameterError> {
    let begins = name.chars().next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    let goes_on = name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    if begins && goes_on && name.len() <= LONGEST_NAME {
        return Ok(name.to_lowercase());
    }
    Err(ParameterError(format!(
        "a parameter's name is a letter and then letters, digits and `_`, at most {LONGEST_NAME}: --param site=3"
    )))
}

#[cfg(test)]
mod tests;
