//! Where the stores under test keep their catalogs.

use std::sync::Arc;

use causeway_cluster::{Cluster, Database};
use causeway_model::Catalog;
use tempfile::TempDir;

/// A new place for a catalog, gone with the value.
pub(crate) enum Place {
    Sqlite(TempDir),
    Postgres(Database<'static>),
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        Self::Sqlite(TempDir::new().unwrap())
    }

    pub(crate) fn postgres() -> Self {
        Self::Postgres(Cluster::shared().database())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("catalog.db").display()),
            Self::Postgres(database) => database.url().to_owned(),
        }
    }

    pub(crate) async fn open(&self) -> Arc<dyn Catalog> {
        causeway_store::open(&self.url()).await.unwrap()
    }
}

/// Makes two tests of each function: one on SQLite, one on Postgres.
macro_rules! on_each_store {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                super::$case($crate::places::Place::sqlite()).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $case() {
                super::$case($crate::places::Place::postgres()).await;
            })+
        }
    };
}

pub(crate) use on_each_store;
