//! `as_of('schema.table', timestamp => '…')`, or `timestamp => :name`, in a recorded text.
//!
//! A scratch catalog is new, so nothing in it is as old as an instant of the past. The version that
//! the step had read takes the instant's place.

use std::borrow::Cow;
use std::ops::Range;

use causeway_model::Parameters;

/// An instant in a statement, and the table it is asked of.
#[derive(Debug, PartialEq, Eq)]
struct Instant<'a> {
    /// Where `timestamp => '…'` stands.
    place: Range<usize>,
    table: &'a str,
    instant: Cow<'a, str>,
}

/// Puts `version => n` in the place of each instant; `version_at` finds the version of a table.
pub(super) fn pinned(sql: &str, values: &Parameters, version_at: impl Fn(&str, &str) -> Option<i64>) -> String {
    let mut text = sql.to_owned();
    for found in instants(sql, values).into_iter().rev() {
        if let Some(version) = version_at(found.table, &found.instant) {
            text.replace_range(found.place, &format!("version => {version}"));
        }
    }
    text
}

fn instants<'a>(sql: &'a str, values: &Parameters) -> Vec<Instant<'a>> {
    let lower = sql.to_ascii_lowercase();
    let calls = lower.match_indices("as_of").map(|(start, word)| start + word.len());
    calls.filter_map(|start| instant(sql, &lower, start, values)).collect()
}

/// Reads a call whose name ends at `start`.
fn instant<'a>(sql: &'a str, lower: &str, start: usize, values: &Parameters) -> Option<Instant<'a>> {
    let table_at = skip(sql, skip(sql, start, "(")?, "'")?;
    let table = sql.get(table_at..)?.split('\'').next()?;
    let begin = after_space(sql, skip(sql, table_at + table.len() + 1, ",")?);
    let arrow = skip(lower, begin, "timestamp")?;
    let value = skip(sql, arrow, "=>")?;
    if let Some(colon) = skip(sql, value, ":") {
        let rest = sql.get(colon..)?;
        let name = rest.split(|character: char| !character.is_ascii_alphanumeric() && character != '_').next()?;
        let instant = values.get(name)?.to_string().into();
        return Some(Instant { place: begin..colon + name.len(), table, instant });
    }
    let quote = skip(sql, value, "'")?;
    let instant = sql.get(quote..)?.split('\'').next()?;
    Some(Instant { place: begin..quote + instant.len() + 1, table, instant: instant.into() })
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
                &Parameters::default(),
                version
            ),
            "SELECT * FROM AS_OF( 'a.t', version => 4) JOIN as_of('a.t', version => 0)"
        );
    }

    #[test]
    fn an_instant_may_be_a_parameter() {
        let values = Parameters::parse(["slot_end=2026-01-01T00:00:00Z"]).unwrap();
        let version = |_: &str, instant: &str| (instant == "2026-01-01T00:00:00Z").then_some(4);
        let sql = "SELECT * FROM as_of('a.t', timestamp => :Slot_End) WHERE x = :other";
        assert_eq!(pinned(sql, &values, version), "SELECT * FROM as_of('a.t', version => 4) WHERE x = :other");
        let unknown = "SELECT * FROM as_of('a.t', timestamp => :nothing)";
        assert_eq!(pinned(unknown, &values, version), unknown);
    }

    #[test]
    fn what_is_no_instant_stays() {
        for sql in ["SELECT as_of FROM t", "SELECT * FROM as_of('a.u', timestamp => 'x')", "as_of('a.t'", "as_of"] {
            assert_eq!(pinned(sql, &Parameters::default(), |_, _| None), sql);
        }
    }
}
