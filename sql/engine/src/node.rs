//! An operator as a node of the logical plan.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use causeway_core::{Literals, Operator, OperatorFactory, Roles};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::{DFSchema, DFSchemaRef, Result};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, LogicalPlan, UserDefinedLogicalNodeCore};

use crate::release::amount_of;

/// One call of an operator: its checked options and its input plans.
#[derive(Clone)]
pub(crate) struct OperatorNode {
    pub(crate) factory: &'static dyn OperatorFactory,
    pub(crate) literals: Arc<Literals>,
    pub(crate) inputs: Vec<LogicalPlan>,
    pub(crate) operator: Arc<dyn Operator>,
    schema: DFSchemaRef,
}

impl OperatorNode {
    /// Binds an operator to its inputs: finds the columns, checks their types, fixes the schema.
    pub(crate) fn bind(
        factory: &'static dyn OperatorFactory,
        literals: Arc<Literals>,
        inputs: Vec<LogicalPlan>,
    ) -> Result<Self> {
        let schemas: Vec<SchemaRef> = inputs.iter().map(|input| SchemaRef::clone(input.schema().inner())).collect();
        let external = |error| DataFusionError::External(Box::new(error));
        let roles = Roles::resolve(factory.spec(), &literals, &schemas).map_err(external)?;
        let operator: Arc<dyn Operator> = Arc::from(factory.bind(&literals, roles).map_err(external)?);
        let schema = operator.output_schema().map_err(external)?;
        let schema = Arc::new(DFSchema::try_from_qualified_schema(factory.spec().name, &schema)?);
        Ok(Self { factory, literals, inputs, operator, schema })
    }
}

impl UserDefinedLogicalNodeCore for OperatorNode {
    fn name(&self) -> &str {
        self.factory.spec().name
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        self.inputs.iter().collect()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<String> = self.literals.iter().map(|(name, value)| format!("{name} => {value}")).collect();
        write!(f, "Operator: {}({})", self.factory.spec().name, options.join(", "))?;
        match self.operator.privacy_cost() {
            Some(cost) => write!(f, " costs {}", amount_of(&cost)),
            None => Ok(()),
        }
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        Self::bind(self.factory, Arc::clone(&self.literals), inputs)
    }

    /// Only the columns that play a role are read from the inputs.
    fn necessary_children_exprs(&self, _output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        let mut needed = vec![Vec::new(); self.inputs.len()];
        for role in self.factory.spec().inputs.iter().flat_map(|input| input.columns) {
            for column in self.operator.roles().columns(role.role) {
                if !needed[column.input].contains(&column.index) {
                    needed[column.input].push(column.index);
                }
            }
        }
        for columns in &mut needed {
            columns.sort_unstable();
        }
        Some(needed)
    }
}

impl fmt::Debug for OperatorNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_for_explain(f)
    }
}

impl PartialEq for OperatorNode {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.literals == other.literals && self.inputs == other.inputs
    }
}

impl Eq for OperatorNode {}

impl Hash for OperatorNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
        format!("{:?}", self.literals).hash(state);
        self.inputs.hash(state);
    }
}

impl PartialOrd for OperatorNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match self.name().cmp(other.name()) {
            Ordering::Equal => self.inputs.partial_cmp(&other.inputs),
            unequal => Some(unequal),
        }
    }
}
