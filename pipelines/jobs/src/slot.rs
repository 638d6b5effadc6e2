//! Slots: the time that a scheduled run is about, and the parameters it gives.
//!
//! A firing closes a slot: the time from the firing before it up to itself. So a run at midnight is about
//! the day that has just ended, and the slots of a schedule follow each other without gap or overlap.

use causeway_engine::check_parameters;
use causeway_model::{ParameterValue, Parameters, RUN_DATE, SLOT_END, SLOT_PARAMETERS, SLOT_START};
use chrono::{DateTime, Duration, NaiveDate, SubsecRound, Utc};
use chrono_tz::Tz;

use crate::error::Result;
use crate::pipeline::Pipeline;
use crate::schedule::Schedule;

/// How far back the firing before another is looked for: the nearest first.
const LOOKS_BACK_HOURS: [i64; 6] = [2, 26, 9 * 24, 63 * 24, 732 * 24, 40 * 366 * 24];

/// The time that a scheduled run is about: from the firing before its own, inclusive, to its own, exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// The firing before.
    pub start: DateTime<Utc>,
    /// The firing.
    pub end: DateTime<Utc>,
    /// The date of the start in the schedule's zone.
    pub run_date: NaiveDate,
}

impl Slot {
    /// Returns `:slot_start`, `:slot_end` and `:run_date`.
    ///
    /// # Errors
    /// None: the names are names.
    pub fn parameters(&self) -> Result<Parameters> {
        let mut parameters = Parameters::default();
        for name in SLOT_PARAMETERS {
            self.add(name, &mut parameters)?;
        }
        Ok(parameters)
    }

    fn add(&self, name: &str, parameters: &mut Parameters) -> Result<()> {
        let value = match name {
            SLOT_START => ParameterValue::Timestamp(self.start),
            SLOT_END => ParameterValue::Timestamp(self.end),
            _ => ParameterValue::Date(self.run_date),
        };
        Ok(parameters.add_default(name, value)?)
    }
}

impl Schedule {
    /// Returns the slot that a firing closes; `None` if nothing fired in the 40 years before it.
    ///
    /// ```
    /// use causeway_jobs::{Fold, Gap, Schedule};
    ///
    /// let nightly = Schedule::parse("0 0 * * *", "Europe/Berlin", Gap::RunAfter, Fold::First)?;
    /// let slot = nightly.slot("2026-03-29T22:00:00Z".parse()?).unwrap();
    /// assert_eq!(slot.start.to_rfc3339(), "2026-03-28T23:00:00+00:00"); // a day of 23 hours
    /// assert_eq!(slot.run_date.to_string(), "2026-03-29");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn slot(&self, fired_at: DateTime<Utc>) -> Option<Slot> {
        let start = self.last_firing(fired_at)?;
        Some(Slot { start, end: fired_at, run_date: date_in(start, self.zone()) })
    }

    /// Returns the last slot that was closed before a moment or at it.
    pub fn last_slot(&self, now: DateTime<Utc>) -> Option<Slot> {
        // Firings are whole minutes.
        self.slot(self.last_firing(now + Duration::milliseconds(1))?)
    }

    /// Returns the last firing before a moment; `None` if there is none in 40 years.
    pub(crate) fn last_firing(&self, before: DateTime<Utc>) -> Option<DateTime<Utc>> {
        LOOKS_BACK_HOURS.iter().find_map(|hours| {
            let firings = self.firings(before - Duration::hours(*hours));
            firings.map(|firing| firing.at.with_timezone(&Utc)).take_while(|at| *at < before).last()
        })
    }
}

pub(crate) fn date_in(at: DateTime<Utc>, zone: Tz) -> NaiveDate {
    at.with_timezone(&zone).date_naive()
}

impl Pipeline {
    /// Returns the values of a run: those given; else those of the manifest; and for what of the slot is used
    /// and not given, the last slot of the schedule. Of a slot that is given in part only `:run_date` follows, from `:slot_start`.
    ///
    /// # Errors
    /// [`causeway_engine::ErrorKind::Parameter`] if a value is missing or not used.
    pub fn complete(&self, given: &Parameters, now: DateTime<Utc>) -> Result<Parameters> {
        let used = self.parameters();
        let mut parameters = given.clone();
        for name in SLOT_PARAMETERS.into_iter().filter(|name| used.contains(*name)) {
            if let Some(slot) = self.default_slot(given, now) {
                slot.add(name, &mut parameters)?;
            } else if name == RUN_DATE
                && let Some(ParameterValue::Timestamp(start)) = given.get(SLOT_START)
            {
                let zone = self.schedule().map_or(Tz::UTC, Schedule::zone);
                parameters.add_default(RUN_DATE, ParameterValue::Date(date_in(*start, zone)))?;
            }
        }
        for (name, value) in self.defaults.iter() {
            parameters.add_default(name, value.clone())?;
        }
        check_parameters(&used, &parameters)?;
        Ok(parameters)
    }

    /// Returns the last slot, unless a part of another one is given.
    fn default_slot(&self, given: &Parameters, now: DateTime<Utc>) -> Option<Slot> {
        let is_given = SLOT_PARAMETERS.iter().any(|name| given.get(name).is_some());
        self.schedule().filter(|_| !is_given)?.last_slot(now.trunc_subsecs(6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use causeway_model::{Fold, Gap};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn slot(cron: &str, zone: &str, fired_at: &str) -> (String, String) {
        let schedule = Schedule::parse(cron, zone, Gap::RunAfter, Fold::First).unwrap();
        let slot = schedule.slot(at(fired_at)).unwrap();
        (slot.start.to_rfc3339(), slot.run_date.to_string())
    }

    #[test]
    fn a_slot_begins_at_the_firing_before() {
        let expected = |start: &str, date: &str| (start.to_owned(), date.to_owned());
        assert_eq!(
            slot("*/15 * * * *", "UTC", "2026-01-01T00:00:00Z"),
            expected("2025-12-31T23:45:00+00:00", "2025-12-31")
        );
        assert_eq!(
            slot("30 2 * * *", "America/New_York", "2026-01-02T07:30:00Z"),
            expected("2026-01-01T07:30:00+00:00", "2026-01-01")
        );
        assert_eq!(
            slot("0 0 1 * *", "UTC", "2026-03-01T00:00:00Z"),
            expected("2026-02-01T00:00:00+00:00", "2026-02-01")
        );
        assert_eq!(
            slot("0 0 29 2 *", "UTC", "2104-02-29T00:00:00Z"),
            expected("2096-02-29T00:00:00+00:00", "2096-02-29")
        );
        assert_eq!(
            slot("0 0 * * *", "Asia/Kolkata", "2026-01-01T18:30:00Z"),
            expected("2025-12-31T18:30:00+00:00", "2026-01-01")
        );
    }

    #[test]
    fn slots_follow_each_other_through_changes_of_the_clock() {
        for fold in [Fold::First, Fold::Both] {
            let schedule = Schedule::parse("30 * * * *", "Europe/Berlin", Gap::RunAfter, fold).unwrap();
            let firings: Vec<_> = schedule.firings(at("2026-10-24T20:00:00Z")).take(12).collect();
            for pair in firings.windows(2) {
                let slot = schedule.slot(pair[1].at.with_timezone(&Utc)).unwrap();
                assert_eq!(slot.start, pair[0].at.with_timezone(&Utc));
            }
        }
    }

    #[test]
    fn the_last_slot_is_the_last_that_has_ended() {
        let nightly = Schedule::parse("0 0 * * *", "UTC", Gap::RunAfter, Fold::First).unwrap();
        let end = |now: &str| nightly.last_slot(at(now)).unwrap().end.to_rfc3339();
        assert_eq!(end("2026-01-05T00:00:00Z"), "2026-01-05T00:00:00+00:00");
        assert_eq!(end("2026-01-05T23:59:59Z"), "2026-01-05T00:00:00+00:00");
        let values = nightly.last_slot(at("2026-01-05T12:00:00Z")).unwrap().parameters().unwrap();
        assert_eq!(
            values.to_string(),
            "run_date:date=2026-01-04, slot_end:timestamp=2026-01-05T00:00:00Z, slot_start:timestamp=2026-01-04T00:00:00Z"
        );
    }
}
