//! Lineage with more steps than are read one by one.

use causeway_model::Direction;

use crate::fixtures::append;
use crate::places::{Place, on_each_store};

/// More than the 64 steps after which the database follows the rest by itself.
const VERSIONS: i64 = 80;

on_each_store!(a_table_changed_often_has_all_its_steps);

async fn a_table_changed_often_has_all_its_steps(place: Place) {
    let catalog = place.open().await;
    for version in 0..VERSIONS {
        append(&*catalog, "t", &version.to_string()).await.unwrap();
    }
    let versions = catalog.versions(None).await.unwrap();
    let (first, last) = (versions[0].id, versions[versions.len() - 1].id);
    for (target, direction) in [(last, Direction::Upstream), (first, Direction::Downstream)] {
        for limit in [None, Some(1), Some(62), Some(63), Some(64), Some(65), Some(1000)] {
            let rows = catalog.lineage(target, None, direction, limit).await.unwrap();
            let depths: Vec<i64> = rows.iter().map(|row| row.depth).collect();
            let expected: Vec<i64> = (1..VERSIONS.min(limit.unwrap_or(i64::MAX).saturating_add(1))).collect();
            assert_eq!(depths, expected, "{direction:?} {limit:?}");
        }
    }
}
