use causeway_model::{DatasetId, DatasetPolicy, TableName};

use super::*;

fn dataset(kind: DatasetKind, location: &str) -> Dataset {
    Dataset {
        id: DatasetId(1),
        name: TableName::new("clinical", "lung"),
        kind,
        location: location.into(),
        view_sql: None,
        policy: DatasetPolicy::default(),
        created_at: "2026-05-04T03:02:01Z".into(),
        dropped_at: None,
    }
}

fn named(lake: &str, kind: DatasetKind, location: &str) -> (String, String) {
    let places = Places::new(lake, "/srv/project", "causeway").unwrap();
    let name = places.name(&dataset(kind, location)).unwrap();
    (name.namespace, name.name)
}

fn pair(namespace: &str, name: &str) -> (String, String) {
    (namespace.to_owned(), name.to_owned())
}

#[test]
fn a_table_is_named_by_its_folder() {
    let table = |lake: &str| named(lake, DatasetKind::Table, "clinical/lung");
    assert_eq!(table("file:///srv/lake"), pair("file", "/srv/lake/clinical/lung"));
    assert_eq!(table("file:///srv/my%20lake/"), pair("file", "/srv/my lake/clinical/lung"));
    assert_eq!(table("/srv/lake"), pair("file", "/srv/lake/clinical/lung"));
    assert_eq!(table("file:///"), pair("file", "/clinical/lung"));
    assert_eq!(table("s3://hospital/lake/"), pair("s3://hospital", "lake/clinical/lung"));
    assert_eq!(table("s3a://hospital"), pair("s3://hospital", "clinical/lung"));
    assert_eq!(table("memory:///"), pair("memory", "/clinical/lung"));
}

#[test]
fn a_file_is_named_by_its_absolute_path() {
    let file = |path: &str| named("file:///srv/lake", DatasetKind::File, path);
    assert_eq!(file("data/lung.csv"), pair("file", "/srv/project/data/lung.csv"));
    assert_eq!(file("./a/../b//lung.csv"), pair("file", "/srv/project/b/lung.csv"));
    assert_eq!(file("/data/lung.csv"), pair("file", "/data/lung.csv"));
    assert_eq!(file("../../../lung.csv"), pair("file", "/lung.csv"));
    assert_eq!(file("file:///data/l%C3%BCng.csv"), pair("file", "/data/lüng.csv"));
    assert_eq!(file("s3://hospital/in/lung.csv"), pair("s3://hospital", "in/lung.csv"));
}

#[test]
fn a_file_is_looked_for_where_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("lung.csv"), "time\n1\n").unwrap();
    let places = Places::new("memory:///", "/srv/project", "causeway").unwrap();
    let places = places.with_folders(["/srv/nowhere".into(), folder.path().to_owned()]);
    let named = |path: &str| places.name(&dataset(DatasetKind::File, path)).unwrap().name;
    assert_eq!(named("lung.csv"), folder.path().join("lung.csv").to_string_lossy());
    assert_eq!(named("gone.csv"), "/srv/project/gone.csv");
}

#[test]
fn a_table_elsewhere_is_named_by_its_own_place() {
    let table = |location: &str| named("file:///srv/lake", DatasetKind::Table, location);
    assert_eq!(table("s3://other/t"), pair("s3://other", "t"));
    assert_eq!(table("postgres://db:5433/ward/public/stay"), pair("postgres://db:5433", "ward.public.stay"));
    assert_eq!(table("postgresql://u:secret@db/ward/public/stay"), pair("postgres://db:5432", "ward.public.stay"));
    assert_eq!(table("https://u:secret@host:8443/a/b?token=x"), pair("https://host:8443", "a/b"));
}

#[test]
fn a_view_is_called_what_the_catalog_calls_it() {
    assert_eq!(named("file:///srv/lake", DatasetKind::View, ""), pair("causeway", "clinical.lung"));
}

#[test]
fn what_cannot_be_named_is_said_without_credentials() {
    let places = Places::new("file:///srv/lake", "/srv/project", "causeway").unwrap();
    for place in [
        "postgres://user:secret@db/ward/stay",
        "postgres://user:secret@db/a/b/c/d",
        "postgres://user:secret@db:port/a/b/c",
        "s3://user:secret@/key?secret=1",
        "s3:///key?secret",
    ] {
        let error = places.name(&dataset(DatasetKind::File, place)).unwrap_err();
        assert_eq!(error.code(), "CW0902");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(Places::new("file:///srv/lake", "project", "causeway").is_err());
}
