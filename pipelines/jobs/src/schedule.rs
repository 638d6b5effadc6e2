//! When a pipeline fires: a cron rule in a time zone, with a rule for the hours that clocks skip or
//! repeat.
//!
//! The cron rule is read on the wall clock, as a person reads it, and each wall-clock time is then
//! placed on the time line:
//! - a time that occurs once fires once;
//! - a time in a gap (clocks go forward) fires at the first moment after the gap, or not at all;
//! - a time in a fold (clocks go back) fires the first time only, or both times.
//!
//! Times that fall on the same moment fire once: with `*/15 2 * * *` and `run_after`, a skipped hour
//! gives one firing, not four.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;

use causeway_core::nearest;
use causeway_model::{CronRule, Fold, Gap, Moment};
use chrono::{DateTime, Duration, MappedLocalTime, NaiveDate, NaiveDateTime, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Direction};
use serde::{Serialize, Serializer};

use crate::error::{JobsError, Result};

/// The longest range of wall-clock time that a zone has repeated since 1970 is 3 hours (Antarctica/Casey).
const LONGEST_FOLD_HOURS: i64 = 4;

/// The longest range of wall-clock time that a zone has skipped since 1970 is a day (Pacific/Apia).
const LONGEST_GAP_MINUTES: i64 = 25 * 60;

/// Why a firing is where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// The wall-clock time occurs once.
    Regular,
    /// The wall-clock time was skipped; this is the first moment after the gap.
    AfterGap,
    /// The wall-clock time occurs twice; this is the first.
    FirstOfTwo,
    /// The wall-clock time occurs twice; this is the second.
    SecondOfTwo,
}

/// One firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Firing {
    /// The moment, in the schedule's zone.
    #[serde(serialize_with = "rfc3339")]
    pub at: DateTime<Tz>,
    /// Why it is there.
    pub placement: Placement,
}

fn rfc3339<S: Serializer>(at: &DateTime<Tz>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&at.to_rfc3339())
}

/// A checked schedule.
///
/// ```
/// use causeway_jobs::{Fold, Gap, Schedule};
///
/// let schedule = Schedule::parse("30 2 * * *", "Europe/Berlin", Gap::RunAfter, Fold::First)?;
/// let before_spring = "2026-03-28T12:00:00Z".parse()?;
/// let next = schedule.firings(before_spring).next().map(|firing| firing.at.to_rfc3339());
/// assert_eq!(next.as_deref(), Some("2026-03-29T03:00:00+02:00")); // 02:30 does not exist
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Schedule {
    text: String,
    cron: Cron,
    zone: Tz,
    gap: Gap,
    fold: Fold,
}

impl Schedule {
    /// Reads a cron rule of five fields (minute, hour, day of month, month, day of week) and a zone
    /// of the IANA database.
    ///
    /// # Errors
    /// [`JobsError::Schedule`] for a rule that cannot be read or never fires, or an unknown zone.
    pub fn parse(cron: &str, zone: &str, gap: Gap, fold: Fold) -> Result<Self> {
        let text = cron.trim().to_owned();
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let rule = parser.parse(&text).map_err(|error| {
            JobsError::Schedule(format!(
                "schedule `{text}` cannot be read: {error} Give five fields: minute, hour, day of month, month, day of week"
            ))
        })?;
        if rule.find_next_occurrence(&NaiveDate::default().and_time(chrono::NaiveTime::MIN), true).is_err() {
            return Err(JobsError::Schedule(format!("schedule `{text}` never fires: no date of any year matches it")));
        }
        Ok(Self { text, cron: rule, zone: parse_zone(zone)?, gap, fold })
    }

    /// Reads a rule that a catalog holds.
    ///
    /// # Errors
    /// As [`Schedule::parse`]: this program's zones may be older than those of who stored it.
    pub fn of_rule(rule: &CronRule) -> Result<Self> {
        Self::parse(&rule.cron, &rule.zone, rule.gap, rule.fold)
    }

    /// Returns the rule as a catalog holds it.
    pub fn rule(&self) -> CronRule {
        CronRule { cron: self.text.clone(), zone: self.zone.name().to_owned(), gap: self.gap, fold: self.fold }
    }

    /// Returns the cron rule as written.
    pub fn cron(&self) -> &str {
        &self.text
    }

    /// Returns the zone.
    pub fn zone(&self) -> Tz {
        self.zone
    }

    /// Returns the rule for skipped times.
    pub fn gap(&self) -> Gap {
        self.gap
    }

    /// Returns the rule for repeated times.
    pub fn fold(&self) -> Fold {
        self.fold
    }

    /// Returns the firings after a moment, in order, without end.
    pub fn firings(&self, after: DateTime<Utc>) -> impl Iterator<Item = Firing> + '_ {
        // A moment within the first pass of a fold is followed by second passes of wall-clock times
        // before its own, so the walk starts before the fold.
        let start = after.with_timezone(&self.zone).naive_local() - Duration::hours(LONGEST_FOLD_HOURS);
        let walk = Walk {
            schedule: self,
            wall: self.cron.iter_from(start, Direction::Forward).peekable(),
            waiting: BinaryHeap::new(),
            last: None,
        };
        walk.filter(move |firing| firing.at > after)
    }

    /// Returns the first firing after a moment.
    pub fn first_after(&self, moment: Moment) -> Option<Moment> {
        self.firings(instant(moment)?).next().map(|firing| Moment(firing.at.timestamp_millis()))
    }

    /// Places a wall-clock time on the time line; the earliest moment first.
    fn place(&self, wall: NaiveDateTime) -> Vec<Firing> {
        match self.zone.from_local_datetime(&wall) {
            MappedLocalTime::Single(at) => vec![Firing { at, placement: Placement::Regular }],
            MappedLocalTime::Ambiguous(first, second) => {
                let mut firings = vec![Firing { at: first, placement: Placement::FirstOfTwo }];
                if self.fold == Fold::Both {
                    firings.push(Firing { at: second, placement: Placement::SecondOfTwo });
                }
                firings
            }
            MappedLocalTime::None if self.gap == Gap::Skip => Vec::new(),
            MappedLocalTime::None => {
                let end = self.end_of_gap(wall);
                end.map(|at| Firing { at, placement: Placement::AfterGap }).into_iter().collect()
            }
        }
    }

    fn end_of_gap(&self, wall: NaiveDateTime) -> Option<DateTime<Tz>> {
        (1..=LONGEST_GAP_MINUTES)
            .find_map(|minutes| self.zone.from_local_datetime(&(wall + Duration::minutes(minutes))).earliest())
    }
}

/// Returns a moment of the catalog as an instant; `None` outside the calendar.
pub(crate) fn instant(moment: Moment) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis(moment.0)
}

fn parse_zone(zone: &str) -> Result<Tz> {
    zone.parse().map_err(|_| {
        let near = nearest(zone, TZ_VARIANTS.iter().map(|zone| zone.name()));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        JobsError::Schedule(format!("zone `{zone}` is not in the IANA database{hint} Examples: UTC, Europe/Berlin"))
    })
}

/// Walks the wall clock and keeps second passes back until their moment comes.
struct Walk<'a, I: Iterator<Item = NaiveDateTime>> {
    schedule: &'a Schedule,
    wall: Peekable<I>,
    waiting: BinaryHeap<Reverse<(DateTime<Tz>, Placement)>>,
    last: Option<DateTime<Tz>>,
}

impl<I: Iterator<Item = NaiveDateTime>> Walk<'_, I> {
    /// Takes wall-clock times until none that is left can come before the earliest waiting one:
    /// the earliest moment of a wall-clock time never decreases.
    fn fill(&mut self) {
        while let Some(wall) = self.wall.peek().copied() {
            let firings = self.schedule.place(wall);
            let next = firings.first().map(|firing| firing.at);
            let earliest = self.waiting.peek().map(|Reverse((at, _))| *at);
            if let (Some(next), Some(earliest)) = (next, earliest)
                && next > earliest
            {
                return;
            }
            self.waiting.extend(firings.into_iter().map(|firing| Reverse((firing.at, firing.placement))));
            self.wall.next();
        }
    }
}

impl<I: Iterator<Item = NaiveDateTime>> Iterator for Walk<'_, I> {
    type Item = Firing;

    fn next(&mut self) -> Option<Firing> {
        loop {
            self.fill();
            let Reverse((at, placement)) = self.waiting.pop()?;
            if self.last != Some(at) {
                self.last = Some(at);
                return Some(Firing { at, placement });
            }
        }
    }
}

#[cfg(test)]
mod tests;
