//! A database for one test.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::Cluster;

/// A database that is dropped with the value, or with its server.
#[derive(Debug)]
pub struct Database<'c> {
    cluster: &'c Cluster,
    name: String,
    url: String,
}

impl<'c> Database<'c> {
    pub(crate) fn new(cluster: &'c Cluster) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("causeway_{}_{number}", std::process::id());
        cluster.psql("postgres", &format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"));
        let url = cluster.url(&name);
        Self { cluster, name, url }
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs SQL in it and returns the rows, values parted by `|`.
    ///
    /// # Panics
    /// If a statement fails.
    pub fn psql(&self, sql: &str) -> String {
        self.cluster.psql(&self.name, sql)
    }
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        if self.cluster.own.is_none() {
            self.cluster.psql("postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
        }
    }
}
