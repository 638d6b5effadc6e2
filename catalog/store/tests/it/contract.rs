//! The suite of the model, on each store.

mod memory {
    use causeway_store::SqliteCatalog;

    async fn open() -> (SqliteCatalog, ()) {
        (SqliteCatalog::in_memory().await.unwrap(), ())
    }

    causeway_model::catalog_contract!(open);
}

mod file {
    use causeway_store::SqliteCatalog;
    use tempfile::TempDir;

    async fn open() -> (SqliteCatalog, TempDir) {
        let folder = TempDir::new().unwrap();
        (SqliteCatalog::open(&folder.path().join("catalog.db")).await.unwrap(), folder)
    }

    causeway_model::catalog_contract!(open);
}

mod postgres {
    use causeway_cluster::{Cluster, Database};
    use causeway_store::PostgresCatalog;

    async fn open() -> (PostgresCatalog, Database<'static>) {
        let database = Cluster::shared().database();
        (PostgresCatalog::open(database.url()).await.unwrap(), database)
    }

    causeway_model::catalog_contract!(open);
}
