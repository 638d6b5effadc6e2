//! OpenLineage 2-0-2 events, built from the catalog's own records and sent on.
//!
//! ```text
//! catalog ── Reader ──> records ── Emitter ──> Event ── Transport ──> file | HTTP
//!                                                ^
//! Outbox ── changes that wait ── deliver() ──────┘
//! ```
//!
//! An [`Emitter`] is pure: it turns a [`RunRecord`] or a [`StepRecord`] into an [`Event`], the same
//! bytes each time. A [`Reader`] finds the records of a [`Change`] in a catalog. An [`Outbox`] lists
//! the changes that wait to be sent, and [`deliver`] sends them: in order within a run, each at least
//! once, and always under the same [`EventId`].
//!
//! ```
//! use causeway_model::{DatasetKind, Dataset, DatasetId, DatasetPolicy, TableName};
//! use causeway_openlineage::Places;
//!
//! let places = Places::new("s3://hospital/lake", "/srv/project", "causeway")?;
//! let lung = Dataset {
//!     id: DatasetId(1),
//!     name: TableName::new("clinical", "lung"),
//!     kind: DatasetKind::Table,
//!     location: "clinical/lung".into(),
//!     view_sql: None,
//!     policy: DatasetPolicy::default(),
//!     created_at: "2026-05-04T03:02:01Z".into(),
//!     dropped_at: None,
//! };
//! let name = places.name(&lung)?;
//! assert_eq!((name.namespace.as_str(), name.name.as_str()), ("s3://hospital", "lake/clinical/lung"));
//! # Ok::<(), causeway_openlineage::OpenLineageError>(())
//! ```
//!
//! What is emitted, and how things are called: `docs/openlineage.md`.

mod delivery;
mod emitter;
mod error;
mod event;
mod facet;
mod facets;
mod ids;
mod lineage;
mod naming;
mod outbox;
mod reader;
mod record;
pub mod transport;

pub use causeway_model::{Change, Failure, Transition};
pub use delivery::{Delivery, EventSource, Outbox, deliver};
pub use emitter::{Emitter, Subject};
pub use error::{OpenLineageError, Result};
pub use event::{Event, SCHEMA_URL};
pub use facet::{FACETS, FacetKind, Holder};
pub use ids::EventId;
pub use naming::{DatasetName, Places};
pub use outbox::CatalogOutbox;
pub use reader::Reader;
pub use record::{DatasetRecord, NominalTime, RunRecord, StepRecord};
