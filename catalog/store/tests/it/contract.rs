//! The suite of the model, in memory and on disk.

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
