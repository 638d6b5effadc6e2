//! What a process that works shows of itself, and whom it tells.
//!
//! ```text
//! worker ──events──> Metrics ──GET /metrics──> Prometheus
//! catalog ──figures────^   (asked at each scrape)
//! catalog ──alerts──> Herald ──POST or command──> people
//! ```
//!
//! [`FAMILIES`] is the one table of what is counted; the registry, `docs/metrics.md` and the check of the
//! dashboards are derived from it. [`serve`] answers `/metrics`, `/healthz` and `/readyz`. [`Herald`] takes
//! alerts from the catalog and tells [`Receiver`]s, one process at a time for each alert.

mod error;
mod families;
mod herald;
mod http;
mod metrics;
mod orphans;
mod receiver;

pub use error::{Result, ServerError};
pub use families::{FAMILIES, Family, FamilyKind, Label, Origin, docs_markdown};
pub use herald::Herald;
pub use http::{Readiness, bind, serve};
pub use metrics::Metrics;
pub use orphans::survey;
pub use receiver::{Receiver, Target};
