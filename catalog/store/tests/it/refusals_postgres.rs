//! Servers and databases that cannot hold a catalog, each with its message.

use std::time::{Duration, Instant};

use causeway_cluster::{Cluster, Database, GUARDED};
use causeway_model::{Catalog, CatalogError};
use causeway_store::{PostgresCatalog, PostgresOptions};

use crate::fixtures::append;

fn database() -> Database<'static> {
    Cluster::shared().database()
}

/// The error of opening `url`, which must never repeat `s3cret`.
async fn refused(url: &str) -> CatalogError {
    let options = PostgresOptions { acquire_timeout: Duration::from_secs(5), ..PostgresOptions::default() };
    let error = PostgresCatalog::open_with(url, &options).await.map(drop).unwrap_err();
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
    error
}

#[tokio::test]
async fn a_newer_catalog() {
    let database = database();
    PostgresCatalog::open(database.url()).await.unwrap();
    database.psql("INSERT INTO schema_migration VALUES (999, 'later', '2030-01-01T00:00:00.000Z')");
    let error = refused(database.url()).await;
    assert!(matches!(error, CatalogError::Newer { found: 999, .. }), "{error}");
    assert!(error.to_string().contains("use a newer causeway"), "{error}");
}

#[tokio::test]
async fn somebody_elses_database() {
    let database = database();
    database.psql("CREATE TABLE songs (title TEXT)");
    let error = refused(database.url()).await;
    assert!(error.to_string().contains("no causeway catalog"), "{error}");
    assert_eq!(database.psql("SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'"), "1\n");
}

#[tokio::test]
async fn an_existing_catalog_is_opened_as_it_is() {
    let database = database();
    append(&PostgresCatalog::open(database.url()).await.unwrap(), "t", "1").await.unwrap();
    let migrations = || database.psql("SELECT version, applied_at FROM schema_migration ORDER BY version");
    let before = migrations();
    let again = PostgresCatalog::open(database.url()).await.unwrap();
    assert_eq!(again.versions(None).await.unwrap().len(), 1);
    assert_eq!(migrations(), before);
}

#[tokio::test]
async fn a_database_that_is_not_there() {
    let error = refused(&Cluster::shared().url("nothing")).await;
    assert!(error.to_string().contains("\"nothing\" does not exist; make it with `createdb`"), "{error}");
    assert!(!error.retryable());
}

/// Only a server of ours asks for a password.
#[tokio::test]
async fn a_wrong_password() {
    let cluster = Cluster::start();
    cluster.psql("postgres", &format!("CREATE ROLE {GUARDED} LOGIN PASSWORD 'right'"));
    let error = refused(&cluster.url_as(GUARDED, "s3cret", "postgres")).await;
    let message = error.to_string();
    assert!(message.contains("postgres://guarded@"), "{message}");
    assert!(message.contains("correct user and password in the catalog's URL"), "{message}");
    let database = cluster.database();
    cluster.psql("postgres", &format!("ALTER DATABASE {} OWNER TO {GUARDED}", database.name()));
    PostgresCatalog::open(&cluster.url_as(GUARDED, "right", database.name())).await.unwrap();
}

#[tokio::test]
async fn a_user_who_may_not_make_tables() {
    let cluster = Cluster::start();
    cluster.psql("postgres", &format!("CREATE ROLE {GUARDED} LOGIN PASSWORD 'right'"));
    let database = cluster.database();
    database.psql("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let error = refused(&cluster.url_as(GUARDED, "right", database.name())).await;
    assert!(error.to_string().contains("give the user the right to create"), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    let begun = Instant::now();
    for url in ["postgres://ann:s3cret@127.0.0.1:1/lake", "postgres://ann:s3cret@/lake?host=/nowhere"] {
        let error = refused(url).await;
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        assert!(error.to_string().contains("start it, or correct host and port"), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "a wrong address is said at once");
}

#[tokio::test]
async fn an_encoding_that_loses_letters() {
    let cluster = Cluster::shared();
    let name = format!("latin_{}", std::process::id());
    cluster.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'"));
    let error = refused(&cluster.url(&name)).await;
    cluster.psql("postgres", &format!("DROP DATABASE {name} WITH (FORCE)"));
    assert!(error.to_string().contains("stores text as LATIN1"), "{error}");
}

#[tokio::test]
async fn a_database_that_is_read_only_by_default() {
    let database = database();
    let catalog = PostgresCatalog::open(database.url()).await.unwrap();
    append(&catalog, "t", "1").await.unwrap();
    database.psql(&format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.name()));
    // Writers ask for a transaction that writes, which only a standby refuses.
    append(&PostgresCatalog::open(database.url()).await.unwrap(), "t", "2").await.unwrap();
}

#[tokio::test]
async fn a_writer_that_holds_on_too_long() {
    let database = database();
    let options = PostgresOptions { lock_timeout: Duration::from_millis(200), ..PostgresOptions::default() };
    let catalog = PostgresCatalog::open_with(database.url(), &options).await.unwrap();
    let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
    let mut blocker = pool.begin().await.unwrap();
    sqlx::query("LOCK TABLE run IN ACCESS EXCLUSIVE MODE").execute(&mut *blocker).await.unwrap();
    let error = append(&catalog, "t", "1").await.unwrap_err();
    assert!(matches!(error, CatalogError::Busy(_)) && error.retryable(), "{error}");
    blocker.rollback().await.unwrap();
    append(&catalog, "t", "1").await.unwrap();
}

#[tokio::test]
async fn a_text_with_a_nul_character() {
    let database = database();
    let catalog = PostgresCatalog::open(database.url()).await.unwrap();
    let error = append(&catalog, "t", "nul \0").await.unwrap_err();
    assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
}

#[tokio::test]
async fn no_debug_text_has_the_password() {
    let cluster = Cluster::start();
    cluster.psql("postgres", &format!("CREATE ROLE {GUARDED} SUPERUSER LOGIN PASSWORD 's3cret'"));
    let catalog = PostgresCatalog::open(&cluster.url_as(GUARDED, "s3cret", cluster.database().name())).await.unwrap();
    assert!(!format!("{catalog:?}").contains("s3cret"), "{catalog:?}");
}
