//! Firings by the rules, against a table that another program has made (tests/data/schedules).

use super::*;

/// A line of the table: a rule, the moment from which it is asked, and the firings that follow.
struct Row {
    zone: String,
    cron: String,
    after: String,
    gap: Gap,
    fold: Fold,
    firings: Vec<String>,
}

fn golden() -> Vec<Row> {
    let table = include_str!("../../../../tests/data/schedules/firings.csv");
    table.lines().skip(1).map(row).collect()
}

fn row(line: &str) -> Row {
    let parts: Vec<&str> = line.split(';').collect();
    let [zone, cron, after, gap, fold, firings] = <[&str; 6]>::try_from(parts).unwrap();
    Row {
        zone: zone.to_owned(),
        cron: cron.to_owned(),
        after: after.to_owned(),
        gap: Gap::ALL.into_iter().find(|known| known.name() == gap).unwrap(),
        fold: Fold::ALL.into_iter().find(|known| known.name() == fold).unwrap(),
        firings: firings.split(' ').map(str::to_owned).collect(),
    }
}

fn firings(schedule: &Schedule, after: &str, n: usize) -> Vec<Firing> {
    schedule.firings(after.parse().unwrap()).take(n).collect()
}

#[test]
fn firings_follow_the_clocks_of_six_zones() {
    for row in golden() {
        let schedule = Schedule::parse(&row.cron, &row.zone, row.gap, row.fold).unwrap();
        let found = firings(&schedule, &row.after, row.firings.len());
        let found: Vec<String> = found.iter().map(|firing| firing.at.to_rfc3339()).collect();
        assert_eq!(found, row.firings, "{} in {} after {}", row.cron, row.zone, row.after);
    }
}

#[test]
fn a_restart_at_any_moment_neither_loses_nor_repeats_a_firing() {
    let schedule = Schedule::parse("*/20 * * * *", "Europe/Berlin", Gap::RunAfter, Fold::Both).unwrap();
    for start in ["2026-03-28T22:00:00Z", "2026-10-24T22:00:00Z"] {
        let all: Vec<DateTime<Tz>> = firings(&schedule, start, 20).iter().map(|firing| firing.at).collect();
        for pair in all.windows(2) {
            for restart in [pair[0], pair[0] + Duration::minutes(7), pair[1] - Duration::seconds(1)] {
                let next = schedule.firings(restart.with_timezone(&Utc)).next().unwrap();
                assert_eq!(next.at, pair[1], "restarted at {restart}");
            }
        }
    }
}

#[test]
fn a_firing_says_why_it_is_where_it_is() {
    let schedule = Schedule::parse("30 2 * * *", "Europe/Berlin", Gap::RunAfter, Fold::Both).unwrap();
    let placements = |after: &str| -> Vec<Placement> {
        firings(&schedule, after, 3).iter().map(|firing| firing.placement).collect()
    };
    use Placement::{AfterGap, FirstOfTwo, Regular, SecondOfTwo};
    assert_eq!(placements("2026-03-27T12:00:00Z"), [Regular, AfterGap, Regular]);
    assert_eq!(placements("2026-10-24T12:00:00Z"), [FirstOfTwo, SecondOfTwo, Regular]);
}

#[test]
fn a_day_that_a_zone_skipped_gives_one_firing_or_none() {
    let after = "2011-12-29T00:00:00Z";
    let apia = |gap| Schedule::parse("0 12 30 12 *", "Pacific/Apia", gap, Fold::First).unwrap();
    let first = |schedule: &Schedule| firings(schedule, after, 1)[0].at.to_rfc3339();
    assert_eq!(first(&apia(Gap::RunAfter)), "2011-12-31T00:00:00+14:00");
    assert_eq!(first(&apia(Gap::Skip)), "2012-12-30T12:00:00+14:00");
}

fn refusal(cron: &str, zone: &str) -> String {
    let error = Schedule::parse(cron, zone, Gap::Skip, Fold::First).unwrap_err();
    assert_eq!(error.code(), "CW0605");
    error.to_string()
}

#[test]
fn a_rule_that_never_fires_is_refused() {
    assert_eq!(refusal("0 0 30 2 *", "UTC"), "schedule `0 0 30 2 *` never fires: no date of any year matches it");
    assert!(refusal("0 0 31 4,6,9,11 *", "UTC").contains("never fires"));
}

#[test]
fn a_rule_that_is_no_rule_is_refused() {
    for cron in ["", "soon", "* * * *", "0 0 0 * * *", "61 * * * *", "0 24 * * *"] {
        assert!(refusal(cron, "UTC").contains("cannot be read"), "{cron}");
    }
}

#[test]
fn an_unknown_zone_is_refused_with_the_nearest() {
    assert!(refusal("0 0 * * *", "Europe/Berln").contains("did you mean `Europe/Berlin`?"));
}

#[test]
fn the_firing_before_one_is_the_one_that_it_follows() {
    for row in golden() {
        let schedule = Schedule::parse(&row.cron, &row.zone, row.gap, row.fold).unwrap();
        for pair in row.firings.windows(2) {
            let moment: DateTime<Utc> = pair[1].parse().unwrap();
            let before = schedule.last_firing(moment);
            assert_eq!(before, pair[0].parse().ok(), "{} in {} before {moment}", row.cron, row.zone);
        }
    }
}
