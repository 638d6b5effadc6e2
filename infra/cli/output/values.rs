//! Values as text.

use std::sync::Arc;

use anyhow::Context as _;
use arrow::array::{Array, ArrayRef, StringArray};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};

/// Returns how values are printed.
pub(crate) fn options(null: &str) -> FormatOptions<'_> {
    FormatOptions::new().with_display_error(true).with_null(null)
}

/// Returns a column as text, nulls kept.
pub(crate) fn as_text(column: &ArrayRef) -> anyhow::Result<ArrayRef> {
    let options = options("NULL");
    let formatter = ArrayFormatter::try_new(column, &options).context("a column cannot be printed")?;
    let text = |row: usize| column.is_valid(row).then(|| formatter.value(row).to_string());
    Ok(Arc::new((0..column.len()).map(text).collect::<StringArray>()))
}

/// Returns true for types that a line of CSV cannot hold as they are.
pub(crate) fn is_nested(kind: &DataType) -> bool {
    kind.is_nested() || matches!(kind, DataType::Binary | DataType::LargeBinary | DataType::BinaryView)
}

/// Makes control characters visible, so that a value cannot steer the terminal. Lines stay lines.
pub(crate) fn visible(text: &str) -> String {
    let steers = |character: char| character.is_control() && character != '\n';
    if !text.chars().any(steers) {
        return text.to_owned();
    }
    text.chars()
        .flat_map(|character| {
            let escaped = steers(character).then(|| character.escape_default());
            let plain = escaped.is_none().then_some(character);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn control_characters_are_shown_not_sent() {
        assert_eq!(visible("plain é"), "plain é");
        assert_eq!(visible("a\nb\u{1b}[31m"), "a\nb\\u{1b}[31m");
    }
}
