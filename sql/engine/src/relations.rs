//! Plans what stands in FROM and is no table: operators, `as_of`, files, system functions.

use std::sync::Arc;

use causeway_core::{Literal, Literals, OperatorError, OperatorFactory};
use causeway_model::Rights;
use datafusion::catalog::TableProvider;
use datafusion::common::{DFSchema, Result, ScalarValue, TableReference};
use datafusion::datasource::provider_as_source;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::planner::{PlannedRelation, RelationPlanner, RelationPlannerContext, RelationPlanning};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::sql::sqlparser::ast::{Expr as SqlExpr, Query, TableAlias, TableFactor};

use crate::call::{
    Argument, Call, READERS, added_arguments, added_key, as_call, as_of_arguments, at, file_arguments, file_key,
    operator, version_key,
};
use crate::error::{EngineError, ErrorKind};
use crate::node::OperatorNode;
use crate::system::SystemRelations;

/// The one planner of calls in FROM.
#[derive(Debug)]
pub(crate) struct CallPlanner {
    pub(crate) system: Arc<dyn SystemRelations>,
    pub(crate) rights: Arc<Rights>,
}

impl RelationPlanner for CallPlanner {
    fn plan_relation(
        &self,
        relation: TableFactor,
        context: &mut dyn RelationPlannerContext,
    ) -> Result<RelationPlanning> {
        let Some(call) = as_call(&relation).map_err(EngineError::into_datafusion)? else {
            return Ok(RelationPlanning::Original(Box::new(relation)));
        };
        let plan = match self.plan_call(&call, context)? {
            Some(plan) => plan,
            None if is_builtin(&call, context) => return Ok(RelationPlanning::Original(Box::new(relation))),
            None => return Err(self.unknown(&call.function).into_datafusion()),
        };
        let alias = alias_of(&relation);
        Ok(RelationPlanning::Planned(Box::new(PlannedRelation::new(plan, alias))))
    }
}

impl CallPlanner {
    fn plan_call(&self, call: &Call<'_>, context: &mut dyn RelationPlannerContext) -> Result<Option<LogicalPlan>> {
        if let Some(factory) = operator(&call.function) {
            return plan_operator(factory, call, context).map(Some);
        }
        match call.function.as_str() {
            "as_of" => {
                let (table, moment) = as_of_arguments(call).map_err(EngineError::into_datafusion)?;
                scan(&version_key(&table, &moment), &table.table, context).map(Some)
            }
            "added" => {
                let added = added_arguments(call).map_err(EngineError::into_datafusion)?;
                scan(&added_key(&added), &added.table.table, context).map(Some)
            }
            reader if READERS.contains(&reader) => {
                let file = file_arguments(call).map_err(EngineError::into_datafusion)?;
                scan(&file_key(&file), &call.function, context).map(Some)
            }
            name if self.system.functions().iter().any(|function| function.name == name) => {
                self.plan_system(call, context).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn plan_system(&self, call: &Call<'_>, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
        let mut positional = Vec::new();
        let mut options = Literals::default();
        for argument in &call.arguments {
            let value = literal(&call.function, argument, context)?;
            match &argument.name {
                Some(name) => options.insert(name.clone(), value),
                None => positional.push(value),
            }
        }
        let provider: Arc<dyn TableProvider> = self
            .system
            .function(&call.function, &positional, &options, &self.rights)
            .map_err(|problem| EngineError::new(ErrorKind::OperatorCall, problem).into_datafusion())?;
        let key = TableReference::partial("system", call.function.as_str());
        LogicalPlanBuilder::scan(key, provider_as_source(provider), None)?.alias(call.function.as_str())?.build()
    }

    fn unknown(&self, name: &str) -> EngineError {
        let system = self.system.functions();
        let known = causeway_all::operators()
            .map(|factory| factory.spec().name)
            .chain(system.iter().map(|function| function.name))
            .chain(["as_of", "added"])
            .chain(READERS);
        let error = EngineError::new(ErrorKind::NotFound, format!("there is no relation function `{name}`"));
        match causeway_core::nearest(name, known) {
            Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
            None => error.with_hint("`causeway ops` lists the operators"),
        }
    }
}

/// DataFusion's own functions in FROM (`unnest`, `generate_series`, `range`) stay its own.
fn is_builtin(call: &Call<'_>, context: &dyn RelationPlannerContext) -> bool {
    matches!(call.function.as_str(), "generate_series" | "range" | "unnest")
        || context.context_provider().get_function_meta(&call.function).is_some()
}

fn alias_of(relation: &TableFactor) -> Option<TableAlias> {
    match relation {
        TableFactor::Table { alias, .. }
        | TableFactor::Function { alias, .. }
        | TableFactor::TableFunction { alias, .. } => alias.clone(),
        _ => None,
    }
}

fn scan(key: &TableReference, alias: &str, context: &dyn RelationPlannerContext) -> Result<LogicalPlan> {
    let source = context.context_provider().get_table_source(key.clone())?;
    LogicalPlanBuilder::scan(key.clone(), source, None)?.alias(alias)?.build()
}

fn plan_operator(
    factory: &'static dyn OperatorFactory,
    call: &Call<'_>,
    context: &mut dyn RelationPlannerContext,
) -> Result<LogicalPlan> {
    let spec = factory.spec();
    let mut relations: Vec<Option<LogicalPlan>> = spec.inputs.iter().map(|_| None).collect();
    let mut literals = Literals::default();
    for (position, argument) in call.arguments.iter().enumerate() {
        let slot = match &argument.name {
            None if position < relations.len() => Some(position),
            None => return Err(misplaced(factory, argument).into_datafusion()),
            Some(name) => spec.inputs.iter().position(|input| input.name == name),
        };
        match (slot, &argument.name) {
            (Some(slot), _) => {
                let query = subquery(argument.value).ok_or_else(|| misplaced(factory, argument).into_datafusion())?;
                relations[slot] = Some(plan_subquery(query, context)?);
            }
            (None, Some(name)) => literals.insert(name.clone(), literal(spec.name, argument, context)?),
            (None, None) => {}
        }
    }
    let inputs = required_inputs(factory, relations)?;
    let literals = literals.check(spec).map_err(external)?;
    let node = OperatorNode::bind(factory, Arc::new(literals), inputs)?;
    Ok(LogicalPlan::Extension(Extension { node: Arc::new(node) }))
}

fn required_inputs(
    factory: &'static dyn OperatorFactory,
    relations: Vec<Option<LogicalPlan>>,
) -> Result<Vec<LogicalPlan>> {
    let spec = factory.spec();
    let mut inputs = Vec::with_capacity(relations.len());
    for (input, relation) in spec.inputs.iter().zip(relations) {
        match relation {
            Some(plan) => inputs.push(plan),
            None if input.required => {
                let what = format!("the relation `{}` ({})", input.name, input.summary);
                return Err(external(OperatorError::Missing { operator: spec.name, what, usage: spec.usage() }));
            }
            None => {}
        }
    }
    Ok(inputs)
}

fn misplaced(factory: &'static dyn OperatorFactory, argument: &Argument<'_>) -> EngineError {
    let spec = factory.spec();
    let error = EngineError::new(
        ErrorKind::OperatorCall,
        format!(
            "{} takes relations as (SELECT …) or a table name, and every other argument as name => value",
            spec.name
        ),
    );
    at(argument.value, error.with_hint(format!("the call is {}", spec.usage())))
}

fn subquery(expr: &SqlExpr) -> Option<&Query> {
    match expr {
        SqlExpr::Subquery(query) => Some(query),
        SqlExpr::Nested(inner) => subquery(inner),
        _ => None,
    }
}

fn plan_subquery(query: &Query, context: &mut dyn RelationPlannerContext) -> Result<LogicalPlan> {
    context.plan(TableFactor::Derived { lateral: false, subquery: Box::new(query.clone()), alias: None, sample: None })
}

/// Evaluates a constant argument.
fn literal(function: &str, argument: &Argument<'_>, context: &mut dyn RelationPlannerContext) -> Result<Literal> {
    let schema = DFSchema::empty();
    let expr = context.sql_to_expr(argument.value.clone(), &schema).map_err(|_| not_constant(function, argument))?;
    let simplifier = ExprSimplifier::new(SimplifyContext::default());
    let folded = simplifier.coerce(expr, &schema).and_then(|expr| simplifier.simplify(expr))?;
    match folded {
        Expr::Literal(value, _) => scalar_literal(&value).ok_or_else(|| not_constant(function, argument)),
        _ => Err(not_constant(function, argument)),
    }
}

fn not_constant(function: &str, argument: &Argument<'_>) -> DataFusionError {
    let name = argument.name.as_deref().unwrap_or("argument");
    let error = EngineError::new(
        ErrorKind::OperatorCall,
        format!("`{name}` of {function} must be a constant: text, a number, true, false, a date, or an array of these"),
    );
    at(argument.value, error.with_hint("column names are given as text: by => 'sex'")).into_datafusion()
}

fn scalar_literal(value: &ScalarValue) -> Option<Literal> {
    if value.is_null() {
        return Some(Literal::Null);
    }
    match value {
        ScalarValue::Boolean(Some(value)) => Some(Literal::Boolean(*value)),
        ScalarValue::Float64(Some(value)) => Some(Literal::Float(*value)),
        ScalarValue::Float32(Some(value)) => Some(Literal::Float(f64::from(*value))),
        ScalarValue::Decimal128(..) => value.to_string().parse().ok().map(Literal::Float),
        ScalarValue::Utf8(Some(text)) | ScalarValue::LargeUtf8(Some(text)) | ScalarValue::Utf8View(Some(text)) => {
            Some(Literal::Text(text.clone()))
        }
        ScalarValue::List(list) => {
            let values = list.value(0);
            let items = (0..values.len())
                .map(|index| ScalarValue::try_from_array(&values, index).ok().and_then(|item| scalar_literal(&item)));
            items.collect::<Option<Vec<_>>>().map(Literal::List)
        }
        other if other.data_type().is_integer() => other.to_string().parse().ok().map(Literal::Integer),
        other if other.data_type().is_temporal() => Some(Literal::Text(other.to_string())),
        _ => None,
    }
}

fn external(error: OperatorError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
