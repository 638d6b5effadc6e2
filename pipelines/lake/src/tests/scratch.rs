//! A scratch lake shows tables at a version and leaves the lake as it was.

use std::collections::BTreeMap;

use super::helpers::*;
use crate::{At, Lake, LakeError, TableOptions};

on_both_stores!(
    a_scratch_lake_shows_tables_as_they_were,
    writes_to_a_scratch_lake_do_not_reach_the_lake,
    versions_behind_a_checkpoint_are_shown,
);

fn scratch(home: &Home, shown: &[(&str, i64)]) -> (Lake, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let shown: BTreeMap<String, i64> = shown.iter().map(|(table, version)| ((*table).to_owned(), *version)).collect();
    (home.lake.scratch(folder.path(), &shown).unwrap(), folder)
}

async fn a_scratch_lake_shows_tables_as_they_were(home: &Home) {
    filled(&home.lake, "a/t", 3).await;
    home.lake.append("a/t", streams(3..5), &marker("1")).await.unwrap();
    filled(&home.lake, "a/hidden", 3).await;
    filled(&home.lake, "a/t_too", 3).await;
    let (lake, _folder) = scratch(home, &[("a/t", 0)]);
    assert_eq!(days(&latest(&lake, "a/t").await).await, [0, 1, 2]);
    for hidden in ["a/hidden", "a/t_too"] {
        let missing = lake.snapshot_at(hidden, &At::Latest).await;
        assert!(matches!(missing, Err(LakeError::TableNotFound { .. })), "{hidden}: {missing:?}");
    }
}

async fn writes_to_a_scratch_lake_do_not_reach_the_lake(home: &Home) {
    filled(&home.lake, "t", 3).await;
    home.lake.append("t", streams(3..5), &marker("1")).await.unwrap();
    filled(&home.lake, "u", 2).await;
    let before = (objects(&home.lake, "t").await, objects(&home.lake, "u").await);
    let (lake, _folder) = scratch(home, &[("t", 0)]);
    let added = lake.append("t", streams(7..9), &marker("1")).await.unwrap();
    assert_eq!((added.version, added.n_rows), (1, 5), "the hidden commit of that marker does not count");
    assert_eq!(days(&latest(&lake, "t").await).await, [0, 1, 2, 7, 8]);
    let options = TableOptions::default();
    let made = lake.overwrite("u", streams(0..1), schema(), &options, "CREATE TABLE", &marker("2")).await.unwrap();
    assert_eq!((made.version, made.n_rows), (0, 1));
    assert_eq!((objects(&home.lake, "t").await, objects(&home.lake, "u").await), before);
}

async fn versions_behind_a_checkpoint_are_shown(home: &Home) {
    filled(&home.lake, "t", 1).await;
    for i in 1..=70 {
        home.lake.append("t", streams(i..i + 1), &marker(&i.to_string())).await.unwrap();
    }
    for version in [10, 64, 66] {
        let (lake, _folder) = scratch(home, &[("t", version)]);
        let shown = latest(&lake, "t").await;
        assert_eq!((shown.version(), shown.n_rows()), (version, u64::try_from(version).unwrap() + 1));
        lake.append("t", streams(500..501), &marker("new")).await.unwrap();
        assert_eq!(latest(&lake, "t").await.version(), version + 1);
    }
}
