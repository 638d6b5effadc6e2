//! The sections `[job]` and `[[trigger]]` of `pipeline.toml`: how jobs of the pipeline run, and what
//! fires it besides the clock.

use std::ops::Range;
use std::time::Duration;

use causeway_model::{ConcurrencyGroup, JobTerms, Trigger, TriggerKind};
use serde::Deserialize;
use toml::Spanned;

use crate::manifest::check_name;

/// Attempts that may fail, unless the manifest or the submission says otherwise.
pub(crate) const ATTEMPTS: i64 = 3;

/// The most attempts.
const MOST_ATTEMPTS: i64 = 100;

/// The longest time limit, in seconds: a year.
const LONGEST_SECONDS: u64 = 366 * 24 * 60 * 60;

/// The largest head start, in seconds.
const LARGEST_PRIORITY: i64 = 10_000_000;

/// The least memory that a job can be given: a sort needs some to spill at all.
const LEAST_MEMORY: i64 = 16 << 20;

/// Schemas whose tables have no versions.
const WITHOUT_VERSIONS: [&str; 2] = ["file", "system"];

/// A problem, and where it stands if that is known.
pub(crate) type Fault = (Option<Range<usize>>, String);

/// How the jobs of a pipeline run, as far as its manifest says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// Attempts that may fail.
    pub attempts: Option<i64>,
    /// The longest an attempt may take.
    pub timeout: Option<Duration>,
    /// The most memory that an attempt may take.
    pub memory_limit_bytes: Option<i64>,
    /// Seconds of head start.
    pub priority: Option<i64>,
    /// What they share their turn with.
    pub group: Option<ConcurrencyGroup>,
    /// A scheduled job is late if it has not started by then.
    pub start_within: Option<Duration>,
    /// A scheduled job is late if it has not ended by then.
    pub end_within: Option<Duration>,
}

impl Terms {
    /// Fills up what is not said here by what `others` say.
    pub(crate) fn or(self, others: Self) -> Self {
        Self {
            attempts: self.attempts.or(others.attempts),
            timeout: self.timeout.or(others.timeout),
            memory_limit_bytes: self.memory_limit_bytes.or(others.memory_limit_bytes),
            priority: self.priority.or(others.priority),
            group: self.group.or(others.group),
            start_within: self.start_within.or(others.start_within),
            end_within: self.end_within.or(others.end_within),
        }
    }

    /// Returns what is wrong with terms that come from elsewhere than a manifest.
    pub(crate) fn problem(&self) -> Option<String> {
        let timeout = self.timeout.map(|timeout| i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX));
        let bounded = [
            ("attempts", self.attempts, 1, MOST_ATTEMPTS),
            ("timeout_seconds", timeout, 1, LONGEST_SECONDS.cast_signed()),
            ("memory_limit_bytes", self.memory_limit_bytes, LEAST_MEMORY, i64::MAX),
            ("priority", self.priority, -LARGEST_PRIORITY, LARGEST_PRIORITY),
            ("group_limit", self.group.as_ref().map(|group| group.limit), 1, i64::MAX),
        ];
        bounded.into_iter().find_map(|(name, value, least, most)| out_of_range(value?, least, most, name))
    }

    /// Fills up what the manifest leaves open for the jobs of a schedule.
    pub(crate) fn of_schedule(&self, pipeline: &str) -> JobTerms {
        JobTerms {
            priority: self.priority.unwrap_or(0),
            group: Some(self.group.clone().unwrap_or_else(|| own_group(pipeline))),
            max_attempts: self.attempts.unwrap_or(ATTEMPTS),
            timeout_ms: self.timeout.map(milliseconds),
            memory_limit_bytes: self.memory_limit_bytes,
            start_within_ms: self.start_within.map(milliseconds),
            end_within_ms: self.end_within.map(milliseconds),
        }
    }
}

/// Returns the group that lets a pipeline run once at a time.
pub(crate) fn own_group(pipeline: &str) -> ConcurrencyGroup {
    ConcurrencyGroup { name: format!("pipeline {pipeline}"), limit: 1 }
}

pub(crate) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The section `[job]` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TermsDocument {
    attempts: Option<Spanned<i64>>,
    timeout_seconds: Option<Spanned<u64>>,
    memory_limit_bytes: Option<Spanned<i64>>,
    priority: Option<Spanned<i64>>,
    group: Option<Spanned<String>>,
    group_limit: Option<Spanned<i64>>,
    start_within_seconds: Option<Spanned<u64>>,
    end_within_seconds: Option<Spanned<u64>>,
}

impl TermsDocument {
    pub(crate) fn check(self) -> Result<Terms, Fault> {
        let Self { attempts, timeout_seconds, memory_limit_bytes, priority, group, group_limit, .. } = &self;
        in_range(attempts.as_ref(), 1, MOST_ATTEMPTS, "attempts")?;
        in_range(memory_limit_bytes.as_ref(), LEAST_MEMORY, i64::MAX, "memory_limit_bytes")?;
        in_range(priority.as_ref(), -LARGEST_PRIORITY, LARGEST_PRIORITY, "priority")?;
        in_range(group_limit.as_ref(), 1, i64::MAX, "group_limit")?;
        if let (None, Some(limit)) = (group, group_limit) {
            return Err((Some(limit.span()), "group_limit needs a group = \"name\"".to_owned()));
        }
        let limit = group_limit.as_ref().map_or(1, |limit| *limit.get_ref());
        Ok(Terms {
            attempts: attempts.as_ref().map(|attempts| *attempts.get_ref()),
            timeout: seconds(timeout_seconds.as_ref(), "timeout_seconds")?,
            memory_limit_bytes: memory_limit_bytes.as_ref().map(|limit| *limit.get_ref()),
            priority: priority.as_ref().map(|priority| *priority.get_ref()),
            group: group.as_ref().map(|name| ConcurrencyGroup { name: name.get_ref().clone(), limit }),
            start_within: seconds(self.start_within_seconds.as_ref(), "start_within_seconds")?,
            end_within: seconds(self.end_within_seconds.as_ref(), "end_within_seconds")?,
        })
    }
}

fn in_range(value: Option<&Spanned<i64>>, least: i64, most: i64, name: &str) -> Result<(), Fault> {
    let problem = value.and_then(|value| Some((value, out_of_range(*value.get_ref(), least, most, name)?)));
    problem.map_or(Ok(()), |(value, problem)| Err((Some(value.span()), problem)))
}

fn out_of_range(value: i64, least: i64, most: i64, name: &str) -> Option<String> {
    let most_said = if most == i64::MAX { String::new() } else { format!(" and at most {most}") };
    let is_wrong = !(least..=most).contains(&value);
    is_wrong.then(|| format!("{name} must be at least {least}{most_said}, got {value}"))
}

fn seconds(value: Option<&Spanned<u64>>, name: &str) -> Result<Option<Duration>, Fault> {
    match value {
        Some(value) if !(1..=LONGEST_SECONDS).contains(value.get_ref()) => {
            Err((Some(value.span()), format!("{name} must be 1 to {LONGEST_SECONDS}, got {}", value.get_ref())))
        }
        value => Ok(value.map(|value| Duration::from_secs(*value.get_ref()))),
    }
}

/// A section `[[trigger]]` as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TriggerDocument {
    table: Option<String>,
    path: Option<String>,
    pipeline: Option<String>,
}

impl TriggerDocument {
    pub(crate) fn check(&self) -> Result<Trigger, String> {
        match (&self.table, &self.path, &self.pipeline) {
            (Some(table), None, None) => check_table(table).map(|()| trigger(TriggerKind::Table, table)),
            (None, Some(path), None) => split_path(path).map(|_| trigger(TriggerKind::Path, path)),
            (None, None, Some(pipeline)) => {
                let named = check_name(pipeline).map_err(|problem| format!("pipeline {problem}"));
                named.map(|()| trigger(TriggerKind::Pipeline, pipeline))
            }
            _ => Err("a trigger has one of table = \"schema.table\", path = \"folder/*.csv\" and pipeline = \"name\""
                .to_owned()),
        }
    }
}

fn trigger(kind: TriggerKind, target: &str) -> Trigger {
    Trigger { kind, target: target.to_owned() }
}

fn check_table(table: &str) -> Result<(), String> {
    match table.split_once('.') {
        Some((schema, name)) if !schema.is_empty() && !name.is_empty() && !name.contains('.') => {
            match WITHOUT_VERSIONS.contains(&schema) {
                false => Ok(()),
                true => Err(format!("`{table}` is no table of the lake; for files there is path = \"folder/*.csv\"")),
            }
        }
        _ => Err(format!("`{table}` must be schema.table")),
    }
}

/// Splits a path that is watched into its folder and the pattern of its files.
pub(crate) fn split_path(path: &str) -> Result<(&str, &str), String> {
    let (folder, pattern) = path.rsplit_once('/').unwrap_or((".", path));
    if pattern.is_empty() || folder.contains(['*', '?']) {
        return Err(format!("`{path}` must be a folder and a name; `*` and `?` stand in the name only: folder/*.csv"));
    }
    Ok((if folder.is_empty() { "/" } else { folder }, pattern))
}

/// Returns true if a name fits a pattern: `*` is any characters, `?` is one.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(wanted) if *wanted == '?' || *wanted == name[seen] => {
                at += 1;
                seen += 1;
            }
            // The last star takes one character more.
            _ => match star {
                Some((after, taken)) => {
                    star = Some((after, taken + 1));
                    (at, seen) = (after + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|left| *left == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_names() {
        for (pattern, name) in
            [("*.csv", "a.csv"), ("*", ""), ("a?c*", "abcd"), ("*a*b", "aab"), ("x", "x"), ("**", "y")]
        {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("*.csv", "a.csv.gz"), ("?", ""), ("a*b", "abc"), ("", "a"), ("*.CSV", "a.csv")] {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_watched_path_is_a_folder_and_a_pattern() {
        assert_eq!(split_path("in/new/*.csv"), Ok(("in/new", "*.csv")));
        assert_eq!(split_path("*.csv"), Ok((".", "*.csv")));
        assert_eq!(split_path("/a.csv"), Ok(("/", "a.csv")));
        assert!(split_path("in/*/a.csv").is_err() && split_path("in/").is_err());
    }

    #[test]
    fn a_table_that_is_watched_is_one_of_the_lake() {
        assert!(check_table("a.t").is_ok());
        for wrong in ["t", ".t", "a.", "a.b.c", "file.x", "system.jobs"] {
            assert!(check_table(wrong).is_err(), "{wrong}");
        }
    }
}
