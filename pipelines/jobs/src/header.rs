//! The comment lines at the top of a step: checks, retries, and how its table is brought up to date.

use causeway_core::nearest;

use crate::incremental::Materialize;
use crate::manifest::parse_retries;

/// The keys of header lines.
const KEYS: [&str; 4] = ["check", "check warn", "retries", "materialize"];

/// A key longer than this is prose that happens to hold a colon.
const LONGEST_KEY: usize = 24;

/// What happens when a check is not true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The step fails and its descendants are not started.
    Block,
    /// The run says so and goes on.
    Warn,
}

/// One `-- check:` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckLine {
    pub(crate) sql: String,
    pub(crate) severity: Severity,
    pub(crate) line: usize,
}

/// The header of a step's file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) checks: Vec<CheckLine>,
    pub(crate) retries: Option<u32>,
    /// How the table is brought up to date, and the line that says so.
    pub(crate) materialize: Option<(Materialize, usize)>,
}

/// What is wrong with a header, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct HeaderFault {
    pub(crate) line: usize,
    pub(crate) problem: String,
}

impl Header {
    /// Reads the comment lines before the statement.
    ///
    /// `-- key: value`; a value goes on in comment lines that are indented by three spaces or more.
    pub(crate) fn parse(text: &str) -> Result<Self, HeaderFault> {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let length = lines.iter().take_while(|line| line.is_empty() || line.starts_with("--")).count();
        let (top, rest) = lines.split_at(length);
        refuse_late_lines(rest, length)?;
        let mut header = Self::default();
        for (idx, line) in top.iter().enumerate() {
            let Some((key, first)) = key_and_value(line) else { continue };
            let value = whole_value(first, top.get(idx + 1..).unwrap_or_default());
            header.add(key, value, idx + 1).map_err(|problem| HeaderFault { line: idx + 1, problem })?;
            if let Some(check) = header.checks.last_mut().filter(|check| check.line == 0) {
                check.line = idx + 1;
            }
        }
        Ok(header)
    }

    fn add(&mut self, key: &str, value: String, line: usize) -> Result<(), String> {
        match key {
            "check" => self.add_check(value, Severity::Block),
            "check warn" => self.add_check(value, Severity::Warn),
            "retries" if self.retries.is_some() => Err("`-- retries:` stands here twice".to_owned()),
            "retries" => {
                self.retries = Some(parse_retries(&value)?);
                Ok(())
            }
            "materialize" if self.materialize.is_some() => Err("`-- materialize:` stands here twice".to_owned()),
            "materialize" => {
                self.materialize = Some((Materialize::parse(&value)?, line));
                Ok(())
            }
            _ => refuse_if_near(key),
        }
    }

    fn add_check(&mut self, sql: String, severity: Severity) -> Result<(), String> {
        let sql = sql.trim_end_matches(';').trim().to_owned();
        if sql.is_empty() {
            return Err("a check needs a query: `-- check: SELECT COUNT(*) > 0 FROM schema.table`".to_owned());
        }
        self.checks.push(CheckLine { sql, severity, line: 0 });
        Ok(())
    }
}

/// Splits `-- key: value`.
fn key_and_value(line: &str) -> Option<(&str, &str)> {
    let comment = line.strip_prefix("--")?;
    if continues(comment) {
        return None;
    }
    let (key, value) = comment.trim().split_once(':')?;
    (key.len() <= LONGEST_KEY).then_some((key.trim(), value.trim()))
}

/// Joins a value with the indented comment lines that follow it.
fn whole_value(first: &str, following: &[&str]) -> String {
    let more =
        following.iter().map_while(|line| line.strip_prefix("--").filter(|comment| continues(comment))).map(str::trim);
    std::iter::once(first).chain(more).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n")
}

fn continues(comment: &str) -> bool {
    comment.starts_with("   ") && !comment.trim().is_empty()
}

/// A line that looks like a key of ours but is none is a typing error; any other is prose.
fn refuse_if_near(key: &str) -> Result<(), String> {
    match nearest(key, KEYS) {
        Some(near) => Err(format!(
            "unknown header `-- {key}:`; did you mean `-- {near}:`? Headers are check, check warn, retries and materialize"
        )),
        None => Ok(()),
    }
}

/// A header below the statement would be overlooked.
fn refuse_late_lines(rest: &[&str], offset: usize) -> Result<(), HeaderFault> {
    let late = rest.iter().position(|line| key_and_value(line).is_some_and(|(key, _)| KEYS.contains(&key)));
    match late {
        Some(idx) => Err(HeaderFault {
            line: offset + idx + 1,
            problem: "header lines stand before the statement, not in or after it".to_owned(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_and_retries_are_read_in_order_with_their_lines() {
        let header = Header::parse(
            "-- Loads the patients.\n\n-- check: SELECT COUNT(*) = 228 FROM clinical.lung;\n\
             -- check warn: SELECT COUNT(*) = 0\n--   FROM clinical.lung\n--   WHERE age > 90\n-- retries: 2\nSELECT 1",
        )
        .unwrap();
        assert_eq!(header.retries, Some(2));
        let expected = [
            ("SELECT COUNT(*) = 228 FROM clinical.lung", Severity::Block, 3),
            ("SELECT COUNT(*) = 0\nFROM clinical.lung\nWHERE age > 90", Severity::Warn, 4),
        ];
        let found: Vec<_> =
            header.checks.iter().map(|check| (check.sql.as_str(), check.severity, check.line)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn prose_with_a_colon_is_prose() {
        let text = "-- Source: lifelines 0.30.3\n-- Note: sex is 1 or 2\n--\n-- https://example.org\nSELECT 1";
        assert_eq!(Header::parse(text).unwrap(), Header::default());
    }

    #[test]
    fn a_misspelt_key_is_refused() {
        let fault = Header::parse("-- Loads.\n-- chek: SELECT true\nSELECT 1").unwrap_err();
        assert_eq!(fault.line, 2);
        assert!(fault.problem.contains("did you mean `-- check:`?"), "{}", fault.problem);
        assert!(Header::parse("-- Check: SELECT true\nSELECT 1").is_err());
        assert!(Header::parse("-- check warning: SELECT true\nSELECT 1").is_err());
    }

    #[test]
    fn a_header_after_the_statement_is_refused() {
        let fault = Header::parse("SELECT 1;\n-- check: SELECT true").unwrap_err();
        assert_eq!(fault.line, 2);
    }

    #[test]
    fn how_a_table_is_brought_up_to_date_is_read() {
        let header = Header::parse("-- Follows.\n-- materialize: incremental(day)\nSELECT 1").unwrap();
        assert_eq!(header.materialize, Some((Materialize::Incremental("day".to_owned()), 2)));
        assert!(Header::parse("-- materialise: append\nSELECT 1").unwrap_err().problem.contains("`-- materialize:`?"));
        assert!(Header::parse("-- materialize: sometimes\nSELECT 1").unwrap_err().problem.contains("full, append"));
        assert!(Header::parse("-- materialize: full\n-- materialize: append\nSELECT 1").is_err());
    }

    #[test]
    fn empty_checks_and_odd_retries_are_refused() {
        assert!(Header::parse("-- check:\nSELECT 1").is_err());
        assert!(Header::parse("-- retries: many\nSELECT 1").unwrap_err().problem.contains("0 to 10, got `many`"));
        assert!(Header::parse("-- retries: 1\n-- retries: 2\nSELECT 1").unwrap_err().problem.contains("twice"));
    }
}
