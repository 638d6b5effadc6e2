//! A process is killed at every named place on the way of a private release: it is paid for once, and one result is ever
//! seen.

use super::{number, on_both_stores, rounds, within};
use crate::product::Product;

/// The places on the way of a release, in their order.
const POINTS: [&str; 5] = ["reserve", "reserved", "operator", "release", "released"];

on_both_stores!(a_release_is_paid_once_and_seen_once_wherever_its_process_is_killed, super::killed_releases);

fn killed_releases(lake: &Product) {
    lake.ok(&[
        "sql",
        "-c",
        "CREATE SCHEMA a; CREATE TABLE a.people AS SELECT value AS person, value % 90 AS age FROM generate_series(1, 500); \
         CALL set_privacy_budget('a.people', epsilon => 1000.0, unit => 'person')",
    ]);
    let mut n_kills: usize = 0;
    for round in 0..rounds() {
        for (place, point) in POINTS.into_iter().enumerate() {
            // A question of its own, so that nobody has paid for it.
            let age = round * POINTS.len() + place;
            let ask = format!(
                "SELECT estimate FROM dp_count((SELECT person FROM a.people WHERE age > {age}), epsilon => 0.5, unit => 'person')"
            );
            let marks = lake.folder().join(format!("marks-{age}"));
            let killed = lake
                .command(&["sql", "-c", &ask])
                .env("CAUSEWAY_FAILPOINTS", format!("{point}=kill"))
                .env("CAUSEWAY_FAILPOINT_MARKS", &marks)
                .output()
                .unwrap();
            assert!(!killed.status.success(), "{point} was not passed");
            assert!(std::fs::read_to_string(&marks).unwrap().contains(point));
            assert!(killed.stdout.is_empty(), "nobody has seen a result");
            n_kills += 1;
            // Whoever asks again waits for the lease of the dead, pays nothing more and sees the one result.
            let mut seen = Vec::new();
            within("the release is taken over", || {
                let rows = lake.query(&ask);
                seen.push(rows[0]["estimate"].clone());
                seen.len() == 2
            });
            assert_eq!(seen[0], seen[1], "one result is visible");
            let charged = number(lake, "SELECT count(*) FROM system.privacy_charges");
            assert_eq!(charged, i64::try_from(n_kills).unwrap(), "{point}: one charge a question");
        }
    }
    let spent = number(lake, "SELECT round(epsilon_spent * 2) FROM system.privacy_budgets WHERE name = 'people'");
    assert_eq!(spent, i64::try_from(n_kills).unwrap(), "each question was paid once");
    let open = number(lake, "SELECT count(*) FROM system.privacy_charges WHERE state <> 'released'");
    assert_eq!(open, 0);
    lake.ok(&["audit", "verify"]);
    println!("faults: {n_kills} kills at {} places of a release", POINTS.len());
}
