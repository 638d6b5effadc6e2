//! The digest of a row of the catalog, the same whichever database holds it.

use std::collections::BTreeMap;

use crate::digest::Digest;

/// What the bytes start with.
const DOMAIN: &[u8] = b"causeway row 1\n";

/// Collects the columns of a row of the catalog and digests them in the order of their names.
///
/// Every part is preceded by its length in bytes, 8 bytes, most significant first: the table, then
/// for each column its name, one byte for the type (`n` null, `b` boolean, `i` integer, `t` text,
/// `x` bytes) and the value (nothing, `0` or `1`, decimal digits, UTF-8, as is).
#[derive(Debug, Clone)]
pub struct RowDigest {
    table: String,
    columns: BTreeMap<String, (u8, Vec<u8>)>,
}

impl RowDigest {
    /// Starts with the table's name.
    pub fn new(table: impl Into<String>) -> Self {
        Self { table: table.into(), columns: BTreeMap::new() }
    }

    /// Adds a text, or null.
    #[must_use]
    pub fn text(self, column: &str, value: Option<&str>) -> Self {
        self.column(column, b't', value.map(|text| text.as_bytes().to_vec()))
    }

    /// Adds an integer, or null.
    #[must_use]
    pub fn integer(self, column: &str, value: Option<i64>) -> Self {
        self.column(column, b'i', value.map(|number| number.to_string().into_bytes()))
    }

    /// Adds a truth value, or null.
    #[must_use]
    pub fn boolean(self, column: &str, value: Option<bool>) -> Self {
        self.column(column, b'b', value.map(|truth| vec![if truth { b'1' } else { b'0' }]))
    }

    /// Adds bytes, or null.
    #[must_use]
    pub fn bytes(self, column: &str, value: Option<&[u8]>) -> Self {
        self.column(column, b'x', value.map(<[u8]>::to_vec))
    }

    /// Returns the digest.
    pub fn finish(&self) -> Digest {
        let mut bytes = DOMAIN.to_vec();
        push(&mut bytes, self.table.as_bytes());
        for (name, (kind, value)) in &self.columns {
            push(&mut bytes, name.as_bytes());
            bytes.push(*kind);
            push(&mut bytes, value);
        }
        Digest::of(&bytes)
    }

    fn column(mut self, name: &str, kind: u8, value: Option<Vec<u8>>) -> Self {
        let value = value.map_or((b'n', Vec::new()), |value| (kind, value));
        self.columns.insert(name.to_owned(), value);
        self
    }
}

fn push(bytes: &mut Vec<u8>, part: &[u8]) {
    bytes.extend((part.len() as u64).to_be_bytes());
    bytes.extend(part);
}
