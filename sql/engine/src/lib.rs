//! The SQL front door: text in, rows or a recorded change out.
//!
//! ```text
//! text ─ gate ─ parse ─ prepare calls ─ resolve & pin ─ plan ─┬─ rows
//!                                                             └─ write once ─ record with lineage
//! ```
//!
//! [`Engine`] is the only way to a DataFusion session. Operators of `causeway-all` stand in FROM as
//! relations; their options, columns and lineage come from their specs. A changing statement is a
//! step of a run: its inputs are pinned by version, its Delta commit is marked, and versions, column
//! lineage and metrics are recorded in one catalog transaction.
//!
//! Where to look next: [`Engine::execute`] for one statement, [`Engine::run_step`] for a pipeline's
//! step, [`SystemRelations`] for what `causeway-system` adds.

mod access;
mod analyse;
mod api;
mod audit;
mod budget;
mod call;
mod change;
mod cooperative;
mod dialect;
mod dml;
mod engine;
mod error;
mod exec;
mod gate;
mod growth;
mod limits;
mod lineage;
mod membership;
mod node;
mod parameters;
mod parse;
mod plan;
mod predict;
mod procedure;
mod relations;
mod release;
mod resolve;
mod resources;
mod running;
mod scratch;
mod session;
mod system;
mod types;
mod varying;

pub use api::{
    EngineConfig, Outcome, ProgressEvent, ProgressSink, Rows, StatementContext, StatementInfo, StatementKind,
    StepReport, StepRequest,
};
pub use engine::Engine;
pub use error::{EngineError, ErrorKind, Position, Result};
pub use gate::Limits;
pub use growth::Growing;
pub use parameters::{check_parameters, parameters_of};
pub use procedure::{Called, ProcedureCall, Procedures, Submission, Work};
pub use resources::{JobResources, Usage};
pub use system::{SystemFunction, SystemRelations};
pub use types::sql_type;
pub use varying::varying;
