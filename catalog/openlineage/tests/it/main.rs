//! Events against their schemas, through the transports, and from a real catalog.

#![expect(clippy::unwrap_used, reason = "every line here is part of a test")]

mod docs;
mod endpoint;
mod events;
mod facets;
mod file;
mod fixtures;
mod http;
mod reader;
mod schema;
mod schemas;

/// Returns a path of the repository. Asked for at run time: clones may share their compiled tests.
fn repository(path: &str) -> std::path::PathBuf {
    std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join("../..").join(path)
}
