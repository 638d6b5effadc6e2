//! What every operator is: a documented relation of SQL, Arrow in and Arrow out.
//!
//! An operator is described once, by a [`Spec`]. From that one table the engine derives the SQL
//! function, the check of its options, its output schema, its column lineage, `system.operators`,
//! `causeway ops describe` and the pages of `docs/operators`.
//!
//! ```text
//! SQL literals --Spec--> Literals --OperatorFactory::bind--> Operator
//!                                                              |  run(inputs, context)
//! input relations --Spec + Roles--> output schema, lineage     v
//!                                                            Output: batches + report
//! ```
//!
//! Nothing here reads files, the network or the clock. Where to look next: [`Spec`] for the words an
//! operator is described with, [`RunContext`] for what it may use while it runs, and the crate
//! `causeway-survival` for a family of operators.

mod amounts;
mod context;
mod cost;
mod describe;
mod error;
mod lineage;
mod literals;
mod operator;
mod relation;
mod roles;
mod spec;
#[cfg(test)]
mod tests;

pub use amounts::{Delta, Epsilon, Rho};
pub use context::{Cancel, MemoryBudget, NoiseSource, Progress, RunContext, Scratch, ScratchFile, Seed, Unlimited};
pub use cost::{Adjacency, PrivacyCost};
pub use describe::{describe_json, describe_markdown, describe_text};
pub use error::{OperatorError, Result, nearest};
pub use lineage::{ColumnOrigin, Transformation};
pub use literals::{Literal, Literals};
pub use operator::{Operator, OperatorFactory, Output, Report, call};
pub use relation::Relation;
pub use roles::{BoundColumn, Roles};
pub use spec::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, OutputType, Parameter, ParameterKind, PrivacyClaim, Spec,
};
