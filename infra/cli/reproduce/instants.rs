//! `as_of('schema.table', timestamp => '…')` in a recorded text.
//!
//! A scratch catalog is new, so nothing in it is as old as an instant of the past. The version that
//! the step had read takes the instant's place.

use std::ops::Range;

/// An instant in a statement, and the table it is asked of.
#[derive(Debug, PartialEq, Eq)]
struct Instant<'a> {
    /// Where `timestamp => '…'` stands.
    place: Range<usize>,
    table: &'a str,
    instant: &'a str,
}

/// Puts `version => n` in the place of each instant; `version_at` finds the version of a table.
pub(super) fn pinned(sql: &str, version_at: impl Fn(&str, &str) -> Option<i64>) -> String {
    let mut text = sql.to_owned();
    for found in instants(sql).into_iter().rev() {
        if let Some(version) = version_at(found.table, found.instant) {
            text.replace_range(found.place, &format!("version => {version}"));
        }
    }
    text
}

fn instants(sql: &str) -> Vec<Instant<'_>> {
    let lower = sql.to_ascii_lowercase();
    let calls = lower.match_indices("as_of").map(|(start, word)| start + word.len());
    calls.filter_map(|start| instant(sql, &lower, start)).collect()
}

/// Reads a call whose name ends at `start`.
fn instant<'a>(sql: &'a str, lower: &str, start: usize) -> Option<Instant<'a>> {
    let table_at = skip(sql, skip(sql, start, "(")?, "'")?;
    let table = sql.get(table_at..)?.split('\'').next()?;
    let begin = after_space(sql, skip(sql, table_at + table.len() + 1, ",")?);
    let arrow = skip(lower, begin, "timestamp")?;
    let quote = skip(sql, skip(sql, arrow, "=>")?, "'")?;
    let instant = sql.get(quote..)?.split('\'').next()?;
    Some(Instant { place: begin..quote + instant.len() + 1, table, instant })
}

fn after_space(text: &str, at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    text.len() - rest.trim_start().len()
}

/// Returns the place behind a word that stands at `at`, after any space.
fn skip(text: &str, at: usize, word: &str) -> Option<usize> {
    let begin = after_space(text, at);
    text.get(begin..)?.starts_with(word).then_some(begin + word.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_of_as_of_become_versions() {
        let version = |table: &str, instant: &str| (table == "a.t" && instant == "2026-01-01T00:00:00Z").then_some(4);
        assert_eq!(
            pinned(
                "SELECT * FROM AS_OF( 'a.t', Timestamp  => '2026-01-01T00:00:00Z') JOIN as_of('a.t', version => 0)",
                version
            ),
            "SELECT * FROM AS_OF( 'a.t', version => 4) JOIN as_of('a.t', version => 0)"
        );
    }

    #[test]
    fn what_is_no_instant_stays() {
        for sql in ["SELECT as_of FROM t", "SELECT * FROM as_of('a.u', timestamp => 'x')", "as_of('a.t'", "as_of"] {
            assert_eq!(pinned(sql, |_, _| None), sql);
        }
    }
}
