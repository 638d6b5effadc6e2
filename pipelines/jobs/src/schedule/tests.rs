//! Firings by the rules, against a table made by walking every minute of the UTC time line with
//! Python 3's zoneinfo: another algorithm and another copy of the zone database.

use super::*;

struct Row {
    zone: &'static str,
    cron: &'static str,
    after: &'static str,
    gap: Gap,
    fold: Fold,
    firings: &'static [&'static str],
}

#[rustfmt::skip]
const GOLDEN: &[Row] = &[
    Row { zone: "Europe/Berlin", cron: "30 2 * * *", after: "2026-03-28T00:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-03-28T02:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:30:00+02:00",
    ] },
    Row { zone: "Europe/Berlin", cron: "30 2 * * *", after: "2026-03-28T00:00:00Z", gap: Gap::Skip, fold: Fold::First, firings: &[
        "2026-03-28T02:30:00+01:00",
        "2026-03-30T02:30:00+02:00",
        "2026-03-31T02:30:00+02:00",
    ] },
    Row { zone: "Europe/Berlin", cron: "*/15 2 * * *", after: "2026-03-29T00:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-03-29T03:00:00+02:00",
        "2026-03-30T02:00:00+02:00",
        "2026-03-30T02:15:00+02:00",
    ] },
    Row { zone: "Europe/Berlin", cron: "*/30 * * * *", after: "2026-03-29T00:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-03-29T01:30:00+01:00",
        "2026-03-29T03:00:00+02:00",
        "2026-03-29T03:30:00+02:00",
        "2026-03-29T04:00:00+02:00",
    ] },
    Row { zone: "Europe/Berlin", cron: "30 2 * * *", after: "2026-10-24T12:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-10-25T02:30:00+02:00",
        "2026-10-26T02:30:00+01:00",
    ] },
    Row { zone: "Europe/Berlin", cron: "30 2 * * *", after: "2026-10-24T12:00:00Z", gap: Gap::RunAfter, fold: Fold::Both, firings: &[
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-26T02:30:00+01:00",
    ] },
    Row { zone: "Europe/Berlin", cron: "30 2 * * *", after: "2026-10-25T00:45:00Z", gap: Gap::RunAfter, fold: Fold::Both, firings: &[
        "2026-10-25T02:30:00+01:00",
        "2026-10-26T02:30:00+01:00",
    ] },
    Row { zone: "Europe/Berlin", cron: "*/30 1-3 * * *", after: "2026-10-24T23:30:00Z", gap: Gap::RunAfter, fold: Fold::Both, firings: &[
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T02:00:00+01:00",
        "2026-10-25T02:30:00+01:00",
        "2026-10-25T03:00:00+01:00",
        "2026-10-25T03:30:00+01:00",
        "2026-10-26T01:00:00+01:00",
    ] },
    Row { zone: "Europe/Berlin", cron: "*/30 1-3 * * *", after: "2026-10-24T23:30:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-10-25T02:00:00+02:00",
        "2026-10-25T02:30:00+02:00",
        "2026-10-25T03:00:00+01:00",
        "2026-10-25T03:30:00+01:00",
        "2026-10-26T01:00:00+01:00",
    ] },
    Row { zone: "America/New_York", cron: "30 2 * * *", after: "2026-03-07T12:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-03-08T03:00:00-04:00",
        "2026-03-09T02:30:00-04:00",
    ] },
    Row { zone: "America/New_York", cron: "30 1 * * *", after: "2026-10-31T12:00:00Z", gap: Gap::RunAfter, fold: Fold::Both, firings: &[
        "2026-11-01T01:30:00-04:00",
        "2026-11-01T01:30:00-05:00",
        "2026-11-02T01:30:00-05:00",
    ] },
    Row { zone: "America/New_York", cron: "30 1 * * *", after: "2026-10-31T12:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-11-01T01:30:00-04:00",
        "2026-11-02T01:30:00-05:00",
    ] },
    Row { zone: "America/New_York", cron: "0 9 * * 1-5", after: "2026-10-30T12:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-10-30T09:00:00-04:00",
        "2026-11-02T09:00:00-05:00",
        "2026-11-03T09:00:00-05:00",
    ] },
    Row { zone: "Australia/Lord_Howe", cron: "15 2 * * *", after: "2026-10-02T12:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-10-03T02:15:00+10:30",
        "2026-10-04T02:30:00+11:00",
        "2026-10-05T02:15:00+11:00",
    ] },
    Row { zone: "Australia/Lord_Howe", cron: "15 2 * * *", after: "2026-10-02T12:00:00Z", gap: Gap::Skip, fold: Fold::First, firings: &[
        "2026-10-03T02:15:00+10:30",
        "2026-10-05T02:15:00+11:00",
    ] },
    Row { zone: "Australia/Lord_Howe", cron: "45 1 * * *", after: "2026-04-03T12:00:00Z", gap: Gap::RunAfter, fold: Fold::Both, firings: &[
        "2026-04-04T01:45:00+11:00",
        "2026-04-05T01:45:00+11:00",
        "2026-04-05T01:45:00+10:30",
    ] },
    Row { zone: "Australia/Lord_Howe", cron: "45 1 * * *", after: "2026-04-03T12:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-04-04T01:45:00+11:00",
        "2026-04-05T01:45:00+11:00",
    ] },
    Row { zone: "America/Sao_Paulo", cron: "0 0 * * *", after: "2018-11-02T12:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2018-11-03T00:00:00-03:00",
        "2018-11-04T01:00:00-02:00",
        "2018-11-05T00:00:00-02:00",
    ] },
    Row { zone: "America/Sao_Paulo", cron: "0 0 * * *", after: "2018-11-02T12:00:00Z", gap: Gap::Skip, fold: Fold::First, firings: &[
        "2018-11-03T00:00:00-03:00",
        "2018-11-05T00:00:00-02:00",
        "2018-11-06T00:00:00-02:00",
    ] },
    Row { zone: "America/Sao_Paulo", cron: "30 23 * * *", after: "2018-02-16T12:00:00Z", gap: Gap::RunAfter, fold: Fold::Both, firings: &[
        "2018-02-16T23:30:00-02:00",
        "2018-02-17T23:30:00-02:00",
        "2018-02-17T23:30:00-03:00",
        "2018-02-18T23:30:00-03:00",
    ] },
    Row { zone: "America/Sao_Paulo", cron: "30 23 * * *", after: "2018-02-16T12:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2018-02-16T23:30:00-02:00",
        "2018-02-17T23:30:00-02:00",
        "2018-02-18T23:30:00-03:00",
    ] },
    Row { zone: "Asia/Kolkata", cron: "30 5 * * *", after: "2026-03-28T12:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-03-29T05:30:00+05:30",
        "2026-03-30T05:30:00+05:30",
    ] },
    Row { zone: "UTC", cron: "0 0 29 2 *", after: "2026-01-01T00:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2028-02-29T00:00:00+00:00",
        "2032-02-29T00:00:00+00:00",
    ] },
    Row { zone: "UTC", cron: "0 0 1 * *", after: "2026-11-15T00:00:00Z", gap: Gap::RunAfter, fold: Fold::First, firings: &[
        "2026-12-01T00:00:00+00:00",
        "2027-01-01T00:00:00+00:00",
    ] },
];

fn firings(schedule: &Schedule, after: &str, n: usize) -> Vec<Firing> {
    schedule.firings(after.parse().unwrap()).take(n).collect()
}

#[test]
fn firings_follow_the_clocks_of_six_zones() {
    for row in GOLDEN {
        let schedule = Schedule::parse(row.cron, row.zone, row.gap, row.fold).unwrap();
        let found = firings(&schedule, row.after, row.firings.len());
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
    for row in GOLDEN {
        let schedule = Schedule::parse(row.cron, row.zone, row.gap, row.fold).unwrap();
        for pair in row.firings.windows(2) {
            let moment: DateTime<Utc> = pair[1].parse().unwrap();
            let before = schedule.last_before(moment).map(|at| at.to_rfc3339());
            assert_eq!(before.as_deref(), Some(pair[0]), "{} in {} before {moment}", row.cron, row.zone);
        }
    }
}
