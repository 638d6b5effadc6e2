//! Events against their schemas, through the transports, and from a real catalog.

#![expect(clippy::unwrap_used, clippy::panic, reason = "every line here is part of a test")]

mod docs;
mod endpoint;
mod events;
mod facets;
mod file;
mod fixtures;
mod http;
mod reader;
mod schema;
