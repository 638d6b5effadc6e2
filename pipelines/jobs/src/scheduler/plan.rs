//! What becomes of firings that are due. Arithmetic alone: no clock, no catalog.

use causeway_model::{Missed, Moment};
use chrono::{DateTime, Duration, Utc};

use crate::schedule::Schedule;
use crate::slot::{Slot, date_in};

/// A firing that is found so long after its moment is on time.
const ON_TIME_SECONDS: i64 = 60;

/// `missed = "all"` reaches back so far.
const REACH_DAYS: i64 = 31;

/// Firings that one transaction queues; the others follow at once.
const BATCH: usize = 100;

/// What is done about a schedule that is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// What runs, oldest first.
    pub(super) run: Vec<Slot>,
    /// The first and last of those that are passed over.
    pub(super) passed_over: Option<(Moment, Moment)>,
    /// The next firing.
    pub(super) next: Option<Moment>,
}

/// Decides about the firings from `due`, the next as it is known, up to now.
pub(super) fn plan(schedule: &Schedule, due: DateTime<Utc>, now: DateTime<Utc>, missed: Missed) -> Plan {
    let on_time = now - Duration::seconds(ON_TIME_SECONDS);
    let start = match missed {
        Missed::All => due.max(now - Duration::days(REACH_DAYS)),
        Missed::None => due.max(on_time),
        Missed::Latest => latest(schedule, due, now, on_time),
    };
    let run = slots(schedule, start, now + Duration::milliseconds(1), BATCH);
    let goes_on = run.last().filter(|_| run.len() == BATCH).map_or(now, |slot| slot.end);
    let passed_over = (start > due).then(|| schedule.last_firing(start)).flatten().filter(|last| *last >= due);
    Plan {
        passed_over: passed_over.map(|last| (moment(due), moment(last))),
        next: schedule.firings(goes_on).next().map(|firing| moment(firing.at)),
        run,
    }
}

/// Returns where firings begin to run: at those that are on time, else at the last one.
fn latest(schedule: &Schedule, due: DateTime<Utc>, now: DateTime<Utc>, on_time: DateTime<Utc>) -> DateTime<Utc> {
    let last = schedule.last_firing(now + Duration::milliseconds(1)).unwrap_or(due);
    due.max(on_time.min(last))
}

/// Returns the slots that firings from one moment up to another close, at most so many.
pub(super) fn slots(schedule: &Schedule, from: DateTime<Utc>, to: DateTime<Utc>, most: usize) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    let firings = schedule.firings(from - Duration::milliseconds(1)).map(|firing| firing.at.to_utc());
    for end in firings.take_while(|end| *end < to).take(most) {
        let before = slots.last().map_or_else(|| schedule.last_firing(end).unwrap_or(end), |slot| slot.end);
        slots.push(Slot { start: before, end, run_date: date_in(before, schedule.zone()) });
    }
    slots
}

/// Returns an instant as a moment of the catalog.
pub(super) fn moment<Z: chrono::TimeZone>(at: DateTime<Z>) -> Moment {
    Moment(at.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use causeway_model::{Fold, Gap};

    use super::*;

    fn hourly() -> Schedule {
        Schedule::parse("0 * * * *", "UTC", Gap::RunAfter, Fold::First).unwrap()
    }

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-24T{text}Z").parse().unwrap()
    }

    /// The hours that run, the hours that are passed over, the next hour.
    fn planned(due: &str, now: &str, missed: Missed) -> (Vec<String>, Option<(String, String)>, String) {
        let plan = plan(&hourly(), at(due), at(now), missed);
        let text = |moment: Moment| DateTime::from_timestamp_millis(moment.0).unwrap().format("%H:%M").to_string();
        let run = plan.run.iter().map(|slot| slot.end.format("%H:%M").to_string()).collect();
        (run, plan.passed_over.map(|(from, to)| (text(from), text(to))), text(plan.next.unwrap()))
    }

    fn hours(hours: &[&str]) -> Vec<String> {
        hours.iter().map(|hour| (*hour).to_owned()).collect()
    }

    #[test]
    fn a_firing_on_time_runs_whatever_the_policy() {
        for missed in Missed::ALL {
            for now in ["03:00:00", "03:00:01", "03:01:00"] {
                assert_eq!(planned("03:00:00", now, missed), (hours(&["03:00"]), None, "04:00".to_owned()), "{now}");
            }
        }
    }

    #[test]
    fn what_was_missed_follows_the_policy() {
        let passed = |from: &str, to: &str| Some((from.to_owned(), to.to_owned()));
        let next = "06:00".to_owned();
        let none = planned("02:00:00", "05:30:00", Missed::None);
        assert_eq!(none, (Vec::new(), passed("02:00", "05:00"), next.clone()));
        let latest = planned("02:00:00", "05:30:00", Missed::Latest);
        assert_eq!(latest, (hours(&["05:00"]), passed("02:00", "04:00"), next.clone()));
        let all = planned("02:00:00", "05:30:00", Missed::All);
        assert_eq!(all, (hours(&["02:00", "03:00", "04:00", "05:00"]), None, next));
    }

    #[test]
    fn with_one_on_time_the_missed_ones_before_it_are_not_the_latest() {
        let latest = planned("02:00:00", "05:00:10", Missed::Latest);
        assert_eq!(latest.0, hours(&["05:00"]));
        assert_eq!(latest.1, Some(("02:00".to_owned(), "04:00".to_owned())));
    }

    #[test]
    fn a_slot_begins_at_the_firing_before() {
        let plan = plan(&hourly(), at("02:00:00"), at("03:00:00"), Missed::All);
        let before: Vec<String> = plan.run.iter().map(|slot| slot.start.format("%H:%M").to_string()).collect();
        assert_eq!(before, hours(&["01:00", "02:00"]));
    }

    #[test]
    fn all_goes_on_where_a_batch_ended_and_reaches_back_a_month() {
        let schedule = Schedule::parse("* * * * *", "UTC", Gap::RunAfter, Fold::First).unwrap();
        let (due, now) = (at("00:00:00"), at("10:00:00"));
        let first = plan(&schedule, due, now, Missed::All);
        assert_eq!((first.run.len(), first.next), (BATCH, Some(moment(due + Duration::minutes(100)))));
        let long_ago = now - Duration::days(400);
        let first = plan(&schedule, long_ago, now, Missed::All);
        assert_eq!(first.run[0].end, now - Duration::days(REACH_DAYS));
        assert_eq!(first.passed_over.unwrap().0, moment(long_ago));
    }
}
