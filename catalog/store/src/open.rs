//! One way to open either store.

use std::path::Path;
use std::sync::Arc;

use causeway_model::{Catalog, CatalogError, Result};

use crate::{PostgresCatalog, SqliteCatalog};

/// Opens the catalog that `url` names: `postgres://user:password@host:5432/database`, `sqlite:path`,
/// `sqlite://path`, or the plain path of a SQLite file. It is made if there is none.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("catalog.sqlite");
/// let catalog = causeway_store::open(&format!("sqlite://{}", path.display())).await?;
/// assert!(catalog.schemas().await?.is_empty());
/// # Ok::<(), causeway_model::CatalogError>(())
/// # }).unwrap();
/// ```
///
/// # Errors
/// [`CatalogError::Invalid`] for another kind of URL; else as [`SqliteCatalog::open`] and
/// [`PostgresCatalog::open`].
pub async fn open(url: &str) -> Result<Arc<dyn Catalog>> {
    match store(url)? {
        Store::Sqlite(path) => Ok(Arc::new(SqliteCatalog::open(path).await?)),
        Store::Postgres => Ok(Arc::new(PostgresCatalog::open(url).await?)),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Store<'a> {
    Sqlite(&'a Path),
    Postgres,
}

fn store(url: &str) -> Result<Store<'_>> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Ok(Store::Sqlite(Path::new(url)));
    };
    match scheme {
        "postgres" | "postgresql" => Ok(Store::Postgres),
        "sqlite" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            Ok(Store::Sqlite(Path::new(path.split_once('?').map_or(path, |(path, _)| path))))
        }
        _ if !rest.starts_with("//") => Ok(Store::Sqlite(Path::new(url))),
        _ => Err(CatalogError::Invalid(format!(
            "a catalog cannot lie at a URL that starts with `{scheme}://`; use sqlite://PATH or postgres://…"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_and_paths_name_a_store() {
        for (url, path) in [
            ("catalog.sqlite", "catalog.sqlite"),
            ("/srv/lake/catalog.sqlite", "/srv/lake/catalog.sqlite"),
            ("sqlite:catalog.sqlite", "catalog.sqlite"),
            ("sqlite://catalog.sqlite", "catalog.sqlite"),
            ("sqlite:///srv/c.db?mode=rwc", "/srv/c.db"),
            ("odd:name", "odd:name"),
        ] {
            assert_eq!(store(url).unwrap(), Store::Sqlite(Path::new(path)), "{url}");
        }
        for url in ["postgres://u@h/d", "postgresql:///d"] {
            assert_eq!(store(url).unwrap(), Store::Postgres, "{url}");
        }
    }

    #[test]
    fn other_urls_are_refused_without_their_password() {
        let message = store("mysql://ann:s3cret@db/lake").unwrap_err().to_string();
        assert!(message.contains("mysql") && !message.contains("s3cret"), "{message}");
    }
}
