//! Looks for a subject's values in texts and Arrow arrays.

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde_json::Value;

/// Whom to look for.
pub(super) struct Traces<'a> {
    pub(super) column: &'a str,
    pub(super) values: &'a [String],
}

impl Traces<'_> {
    /// Counts the values that occur in `text` as whole words.
    pub(super) fn in_text(&self, text: &str) -> u64 {
        self.values.iter().filter(|value| holds_word(text, value)).count() as u64
    }

    /// Counts the values in a text file: every string, and numbers that stand under the column's name.
    pub(super) fn in_json(&self, line: &str) -> u64 {
        serde_json::from_str::<Value>(line).map_or_else(|_| self.in_text(line), |value| self.in_value("", &value))
    }

    fn in_value(&self, key: &str, value: &Value) -> u64 {
        match value {
            Value::String(text) if text.starts_with('{') => self.in_text(key) + self.in_json(text),
            Value::String(text) => self.in_text(key) + self.in_text(text),
            Value::Number(number) if key == self.column => self.equal(&number.to_string()),
            Value::Array(items) => items.iter().map(|item| self.in_value(key, item)).sum(),
            Value::Object(fields) => fields.iter().map(|(key, value)| self.in_value(key, value)).sum(),
            _ => 0,
        }
    }

    fn equal(&self, text: &str) -> u64 {
        self.values.iter().filter(|value| value.as_str() == text).count() as u64
    }

    /// Counts rows whose value holds one of the values; nested columns are walked.
    pub(super) fn in_array(&self, name: &str, array: &ArrayRef) -> u64 {
        match array.data_type() {
            DataType::Struct(fields) => {
                let columns = array.as_struct().columns();
                fields.iter().zip(columns).map(|(field, column)| self.in_array(field.name(), column)).sum()
            }
            DataType::List(_) => self.in_array(name, array.as_list::<i32>().values()),
            DataType::Map(..) => {
                let map = array.as_map();
                self.in_array(name, map.keys()) + self.in_array(name, map.values())
            }
            DataType::Binary => array.as_binary::<i32>().iter().flatten().map(|bytes| self.in_bytes(bytes)).sum(),
            _ => self.in_flat(name, array),
        }
    }

    fn in_flat(&self, name: &str, array: &ArrayRef) -> u64 {
        let is_text = matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        if !is_text && name != self.column {
            return 0;
        }
        // Every flat type a table stores has a text form.
        let Ok(texts) = cast(array, &DataType::Utf8) else { return 0 };
        let texts = texts.as_string::<i32>().iter().flatten();
        if is_text { texts.map(|text| self.in_json(text)).sum() } else { texts.map(|text| self.equal(text)).sum() }
    }

    /// Counts the values in bytes that may be text.
    pub(super) fn in_bytes(&self, bytes: &[u8]) -> u64 {
        self.in_text(&String::from_utf8_lossy(bytes))
    }
}

/// Returns true if `word` occurs in `text` and no letter or digit touches it.
fn holds_word(text: &str, word: &str) -> bool {
    if word.is_empty() {
        return false;
    }
    text.match_indices(word).any(|(start, _)| {
        let before = text[..start].chars().next_back();
        let after = text[start + word.len()..].chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_whole() {
        assert!(holds_word("p7", "p7"));
        assert!(holds_word(r#"{"min":"p7"}"#, "p7"));
        assert!(holds_word("Jane Doe, 1970", "Jane Doe"));
        assert!(!holds_word("p70 xp7 p7é", "p7"));
        assert!(!holds_word("anything", ""));
    }

    #[test]
    fn log_lines_are_read_to_the_innermost_statistics() {
        let values = ["p7".to_owned(), "42".to_owned()];
        let traces = Traces { column: "id", values: &values };
        assert_eq!(traces.in_json(r#"{"add":{"stats":"{\"minValues\":{\"name\":\"p7\"}}"}}"#), 1);
        assert_eq!(traces.in_json(r#"{"add":{"stats":"{\"minValues\":{\"id\":42,\"days\":42}}"}}"#), 1);
        assert_eq!(traces.in_json(r#"{"add":{"stats":"{\"minValues\":{\"id\":43}}","size":42}}"#), 0);
    }
}
