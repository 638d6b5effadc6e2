//! From the unchecked document to a [`Contract`].

use std::collections::HashSet;

use regex::{Regex, RegexBuilder};
use sha2::{Digest, Sha256};

use super::document::{ColumnDocument, Document, Limits, place};
use super::{Bounds, Categories, ColumnRule, ColumnType, Contract, nearest};
use crate::columns::{Calendar, number};
use crate::error::{IngestError, Result};

/// Checks every rule; `text` and `origin` locate errors.
pub(super) fn check(document: &Document, text: &str, origin: &str) -> Result<Contract> {
    let whole = |message: String| IngestError::Contract { place: origin.to_owned(), message };
    check_limits(&document.limits).map_err(whole)?;
    check_format(document).map_err(whole)?;
    let mut columns = Vec::with_capacity(document.column.len());
    for entry in &document.column {
        let rule = check_column(entry.get_ref()).and_then(|rule| unused_name(&columns, rule));
        columns.push(rule.map_err(|message| IngestError::Contract {
            place: place(text, origin, Some(entry.span().start)),
            message,
        })?);
    }
    if columns.is_empty() {
        return Err(whole("the contract names no column; add one `[[column]]` with name and type each".to_owned()));
    }
    if columns.len() > usize::from(u16::MAX) {
        return Err(whole(format!("{} columns; at most {} are read", columns.len(), u16::MAX)));
    }
    let key = document.key.iter().map(|name| position(&columns, name, "key")).collect::<Result<Vec<_>, _>>();
    let key = key.map_err(whole)?;
    for idx in &key {
        columns[*idx].nullable = false;
    }
    if let Some(subject) = &document.subject_key {
        position(&columns, subject, "subject_key").map_err(whole)?;
    }
    Ok(Contract {
        table: document.table.clone(),
        description: document.description.clone(),
        subject_key: document.subject_key.clone(),
        key,
        format: document.format.clone(),
        limits: document.limits.clone(),
        columns,
        digest: digest(document).map_err(whole)?,
    })
}

fn digest(document: &Document) -> Result<String, String> {
    let canonical = serde_json::to_vec(document).map_err(|error| error.to_string())?;
    Ok(hex::encode(Sha256::digest(canonical)))
}

fn check_limits(limits: &Limits) -> Result<(), String> {
    for (name, share) in [("warn_share", limits.warn_share), ("fail_share", limits.fail_share)] {
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("`{name}` is a share of the rows in [0, 1], got {share}"));
        }
    }
    if limits.max_ratio == 0 || limits.max_bytes_uncompressed == 0 {
        return Err("`max_ratio` and `max_bytes_uncompressed` must be over 0".to_owned());
    }
    Ok(())
}

fn check_format(document: &Document) -> Result<(), String> {
    let format = &document.format;
    let delimiter = format.delimiter.unwrap_or(',');
    if !delimiter.is_ascii() || matches!(delimiter, '\n' | '\r' | '\0') {
        return Err("`delimiter` must be one ASCII character other than a line end".to_owned());
    }
    if format.quote.len() > 1 || !format.quote.is_ascii() || format.quote.chars().eq([delimiter]) {
        return Err("`quote` must be one ASCII character other than the delimiter, or empty".to_owned());
    }
    if !(1..=16 << 20).contains(&format.max_field_bytes) {
        return Err(format!("`max_field_bytes` must be 1 to {}, got {}", 16 << 20, format.max_field_bytes));
    }
    Ok(())
}

fn unused_name(columns: &[ColumnRule], rule: ColumnRule) -> Result<ColumnRule, String> {
    match columns.iter().find(|other| other.name == rule.name) {
        Some(_) => Err(format!("column `{}` stands in the contract twice", rule.name)),
        None => Ok(rule),
    }
}

fn position(columns: &[ColumnRule], name: &str, what: &str) -> Result<usize, String> {
    columns.iter().position(|column| column.name == name).ok_or_else(|| {
        let near = nearest(name, columns.iter().map(|column| column.name.as_str()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        format!("`{what}` names `{name}`, which is no column of the contract{hint}")
    })
}

fn check_column(document: &ColumnDocument) -> Result<ColumnRule, String> {
    let name = document.name.trim();
    if name.is_empty() {
        return Err("a column needs a `name` that is not blank".to_owned());
    }
    let named = |message: String| format!("column `{name}`: {message}");
    let column_type = ColumnType::parse(&document.column_type).map_err(named)?;
    let calendar = Calendar::new(document.format.as_deref()).map_err(named)?;
    if document.format.is_some() && !matches!(column_type, ColumnType::Date | ColumnType::Timestamp) {
        return Err(named(format!("`format` is for date and timestamp, not for {column_type}")));
    }
    Ok(ColumnRule {
        name: name.to_owned(),
        source: document.source.clone().unwrap_or_else(|| name.to_owned()),
        column_type,
        unit: document.unit.clone(),
        meaning: document.meaning.clone(),
        nullable: document.nullable.unwrap_or(true),
        bounds: check_bounds(document, column_type, &calendar).map_err(named)?,
        categories: check_categories(document, column_type).map_err(named)?,
        pattern: check_pattern(document, column_type).map_err(named)?,
        identifying: document.identifying,
        format: document.format.clone(),
    })
}

fn check_pattern(document: &ColumnDocument, column_type: ColumnType) -> Result<Option<Regex>, String> {
    let Some(pattern) = &document.pattern else { return Ok(None) };
    if column_type != ColumnType::Text {
        return Err(format!("`pattern` is for text, not for {column_type}"));
    }
    let whole = format!("^(?:{pattern})$");
    RegexBuilder::new(&whole).size_limit(1 << 20).build().map(Some).map_err(|error| format!("`pattern`: {error}"))
}

fn check_categories(document: &ColumnDocument, column_type: ColumnType) -> Result<Option<Categories>, String> {
    let Some(values) = &document.categories else { return Ok(None) };
    let wrong = |kind: &str| format!("`categories` of a {column_type} column must be a list of {kind}");
    match column_type {
        ColumnType::Text => {
            let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
            let texts = texts.collect::<Option<HashSet<_>>>().ok_or_else(|| wrong("texts"))?;
            Ok(Some(Categories::Text(texts)))
        }
        ColumnType::Int | ColumnType::BigInt => {
            let integers = values.iter().map(toml::Value::as_integer).collect::<Option<HashSet<_>>>();
            Ok(Some(Categories::Integers(integers.ok_or_else(|| wrong("whole numbers"))?)))
        }
        _ => Err(format!("`categories` is for text, int and bigint, not for {column_type}; use `min` and `max`")),
    }
}

fn check_bounds(
    document: &ColumnDocument,
    column_type: ColumnType,
    calendar: &Calendar,
) -> Result<Option<Bounds>, String> {
    if document.min.is_none() && document.max.is_none() {
        return Ok(None);
    }
    if !column_type.is_ordered() {
        return Err(format!("`min` and `max` are for numbers, dates and timestamps, not for {column_type}"));
    }
    let limit = |name: &str, value: &Option<toml::Value>| match value {
        Some(value) => limit_text(value).map(Some).ok_or_else(|| format!("`{name}` must be a number or a date")),
        None => Ok(None),
    };
    let (min, max) = (limit("min", &document.min)?, limit("max", &document.max)?);
    let bounds = typed_bounds(min.as_deref(), max.as_deref(), column_type, calendar)
        .ok_or_else(|| format!("`min` or `max` is not a value of type {column_type}"))?;
    if bounds.is_empty() {
        return Err("`min` is above `max`".to_owned());
    }
    Ok(Some(bounds))
}

/// Writes a limit as the file would, so that one parser reads both.
fn limit_text(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Datetime(instant) => Some(instant.to_string()),
        _ => None,
    }
}

fn typed_bounds(min: Option<&str>, max: Option<&str>, column_type: ColumnType, calendar: &Calendar) -> Option<Bounds> {
    // Limits are ISO dates whatever form the file uses; the file's form is tried second.
    let date = |text: &str| Calendar::Iso.date(text.as_bytes()).or_else(|_| calendar.date(text.as_bytes())).ok();
    let instant =
        |text: &str| Calendar::Iso.timestamp(text.as_bytes()).or_else(|_| calendar.timestamp(text.as_bytes())).ok();
    Some(match column_type {
        ColumnType::Int => {
            let (low, high) = pair(min, max, (i32::MIN, i32::MAX), |text| number::int(text.as_bytes()).ok())?;
            Bounds::Int(low, high)
        }
        ColumnType::BigInt => {
            let (low, high) = pair(min, max, (i64::MIN, i64::MAX), |text| number::bigint(text.as_bytes()).ok())?;
            Bounds::BigInt(low, high)
        }
        ColumnType::Double => {
            let all = (f64::NEG_INFINITY, f64::INFINITY);
            let (low, high) = pair(min, max, all, |text| number::double(text.as_bytes()).ok())?;
            Bounds::Double(low, high)
        }
        ColumnType::Decimal { precision, scale } => {
            let read = |text: &str| number::decimal(text.as_bytes(), precision, scale).ok();
            let (low, high) = pair(min, max, (i128::MIN, i128::MAX), read)?;
            Bounds::Decimal(low, high)
        }
        ColumnType::Date => {
            let (low, high) = pair(min, max, (i32::MIN, i32::MAX), date)?;
            Bounds::Date(low, high)
        }
        ColumnType::Timestamp => {
            let (low, high) = pair(min, max, (i64::MIN, i64::MAX), instant)?;
            Bounds::Timestamp(low, high)
        }
        ColumnType::Boolean | ColumnType::Text => return None,
    })
}

fn pair<T: Copy>(
    min: Option<&str>,
    max: Option<&str>,
    all: (T, T),
    read: impl Fn(&str) -> Option<T>,
) -> Option<(T, T)> {
    let low = min.map_or(Some(all.0), &read)?;
    let high = max.map_or(Some(all.1), &read)?;
    Some((low, high))
}

impl Bounds {
    fn is_empty(self) -> bool {
        match self {
            Self::Int(low, high) | Self::Date(low, high) => low > high,
            Self::BigInt(low, high) | Self::Timestamp(low, high) => low > high,
            Self::Double(low, high) => low > high,
            Self::Decimal(low, high) => low > high,
        }
    }
}
