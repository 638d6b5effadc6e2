//! The section `[parameters]` of `pipeline.toml`: values for the `:name`s of its steps that nobody gives.

use std::collections::BTreeMap;

use causeway_model::{ParameterType, ParameterValue, Parameters, SLOT_PARAMETERS};
use toml::{Spanned, Value};

use crate::terms::Fault;

/// The section as it is written.
pub(crate) type DefaultsDocument = BTreeMap<Spanned<String>, Value>;

/// Reads the section; values have the types that TOML gives them.
pub(crate) fn read_defaults(document: DefaultsDocument) -> Result<Parameters, Fault> {
    let mut in_file: Vec<_> = document.into_iter().collect();
    in_file.sort_by_key(|(name, _)| name.span().start);
    let mut defaults = Parameters::default();
    for (name, value) in in_file {
        let read = if SLOT_PARAMETERS.contains(&name.get_ref().to_lowercase().as_str()) {
            Err("the schedule gives it, or who starts the run; choose another name".to_owned())
        } else {
            read(&value)
        };
        let value = read.map_err(|problem| format!("parameter `{}`: {problem}", name.get_ref()));
        let added = value.and_then(|value| defaults.add(name.get_ref(), value).map_err(|error| error.to_string()));
        added.map_err(|problem| (Some(name.span()), problem))?;
    }
    Ok(defaults)
}

fn read(value: &Value) -> Result<ParameterValue, String> {
    let (kind, text) = match value {
        Value::Integer(number) => (ParameterType::BigInt, number.to_string()),
        Value::Float(number) => (ParameterType::Double, format!("{number:?}")),
        Value::Boolean(truth) => (ParameterType::Boolean, truth.to_string()),
        Value::String(text) => (ParameterType::Text, text.clone()),
        Value::Datetime(moment) if moment.date.is_some() && moment.time.is_none() => {
            (ParameterType::Date, moment.to_string())
        }
        Value::Datetime(moment) if moment.date.is_some() => (ParameterType::Timestamp, moment.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            return Err("a value is a number, a text, true or false, a day such as 2026-01-31, or an instant such as \
                        2026-01-31T02:30:00Z"
                .to_owned());
        }
    };
    ParameterValue::parse(kind, &text).map_err(|error| error.to_string())
}
