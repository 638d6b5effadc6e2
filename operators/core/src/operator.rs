//! The two traits an operator implements.

use std::collections::BTreeMap;
use std::fmt::Debug;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::{ColumnOrigin, Literals, OperatorError, PrivacyCost, Relation, Result, Roles, RunContext, Spec};

/// Describes an operator and turns checked options into something that can run.
pub trait OperatorFactory: Sync + Send {
    /// Returns the one table of truth about the operator.
    fn spec(&self) -> &'static Spec;

    /// Makes the operator from options that passed [`Literals::check`] and roles that were found in
    /// the inputs.
    ///
    /// # Errors
    /// [`crate::OperatorError::Parameter`] if options contradict each other.
    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>>;
}

/// A bound operator.
pub trait Operator: Send + Sync + Debug {
    /// Returns which columns play which role.
    fn roles(&self) -> &Roles;

    /// Reads the inputs and computes the output.
    ///
    /// # Errors
    /// Any [`crate::OperatorError`]; never with a row value in its text.
    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output>;

    /// Returns the output schema, known before any data is read.
    ///
    /// # Errors
    /// As [`Roles::output_schema`].
    fn output_schema(&self) -> Result<SchemaRef> {
        self.roles().output_schema()
    }

    /// Returns what a release costs the people in the input; none if the operator gives no privacy.
    fn privacy_cost(&self) -> Option<PrivacyCost> {
        None
    }

    /// Returns the origins of each output column.
    fn column_lineage(&self) -> Vec<Vec<ColumnOrigin>> {
        self.roles().column_lineage()
    }

    /// Returns the input columns that decide which rows the output has.
    fn indirect_lineage(&self) -> Vec<ColumnOrigin> {
        self.roles().indirect_lineage()
    }
}

/// Calls an operator from Rust: checks the options, finds the columns, runs.
///
/// The SQL engine takes the same steps, but apart: it binds while it plans and runs while it executes.
///
/// # Errors
/// As [`Literals::check`], [`Roles::resolve`], [`OperatorFactory::bind`] and [`Operator::run`], and
/// [`OperatorError::Missing`] if a required input relation is not given.
pub fn call(
    factory: &dyn OperatorFactory,
    options: Literals,
    inputs: Vec<Relation>,
    context: &mut RunContext,
) -> Result<Output> {
    let spec = factory.spec();
    if let Some(missing) = spec.inputs.iter().skip(inputs.len()).find(|input| input.required) {
        return Err(OperatorError::Missing {
            operator: spec.name,
            what: format!("relation `{}`", missing.name),
            usage: spec.usage(),
        });
    }
    let options = options.check(spec)?;
    let schemas: Vec<SchemaRef> = inputs.iter().map(Relation::schema).collect();
    let roles = Roles::resolve(spec, &options, &schemas)?;
    factory.bind(&options, roles)?.run(inputs, context)
}

/// The result of a run.
#[derive(Debug, Default)]
pub struct Output {
    /// The rows, in the promised schema.
    pub batches: Vec<RecordBatch>,
    /// What lineage keeps about the run.
    pub report: Report,
}

/// Facts about a run: rows used, iterations, convergence. For a private operator it holds nothing
/// exact about the data.
pub type Report = BTreeMap<&'static str, serde_json::Value>;
