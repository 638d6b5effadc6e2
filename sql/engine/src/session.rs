//! The planner's view of the world: DataFusion's functions, and only the tables a statement reads.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::TableFunctionArgs;
use datafusion::common::config::ConfigOptions;
use datafusion::common::config::ExecutionOptions;
use datafusion::common::{DFSchema, Result, TableReference, plan_datafusion_err};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::provider_as_source;
use datafusion::execution::FunctionRegistry as _;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::planner::{ContextProvider, ExprPlanner, RelationPlanner};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement as DfStatement;
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::sqlparser::ast::{Query, Statement as SqlStatement};

use crate::api::EngineConfig;
use crate::cooperative::CooperativeJoins;
use crate::exec::OperatorQueryPlanner;
use crate::membership::SpellOutMembership;
use crate::parse::DEFAULT_SCHEMA;
use crate::predict;
use crate::resources::shared_runtime;

/// Builds the session that every statement starts from.
pub(crate) fn base_session(config: &EngineConfig, spilled: &Arc<AtomicU64>) -> Result<SessionState> {
    let runtime = shared_runtime(config.memory_limit_bytes, &config.spill_dir, spilled)?;
    let mut session = SessionConfig::new().with_information_schema(false);
    let options = session.options_mut();
    fit(&mut options.execution, config.threads, config.memory_limit_bytes);
    options.sql_parser.collect_spans = true;
    options.sql_parser.parse_float_as_decimal = false;
    let mut state = SessionStateBuilder::new()
        .with_default_features()
        .with_config(session)
        .with_runtime_env(runtime)
        .with_physical_optimizer_rule(Arc::new(CooperativeJoins))
        .with_query_planner(Arc::new(OperatorQueryPlanner))
        .with_analyzer_rule(Arc::new(SpellOutMembership))
        .build();
    for function in predict::functions() {
        state.register_udf(Arc::new(function))?;
    }
    Ok(state)
}

/// Memory that a sort needs to spill and merge what it has spilled, for each part of the rows.
const PART_BYTES: usize = 32 << 20;

/// Cuts rows into as many parts as there are threads, or fewer if each would have too little memory, and
/// lets a sort keep back no more than a part of its share for merging.
pub(crate) fn fit(execution: &mut ExecutionOptions, threads: usize, memory_limit_bytes: usize) {
    let parts = threads.min(memory_limit_bytes / PART_BYTES).max(1);
    let usual = ExecutionOptions::default().sort_spill_reservation_bytes;
    execution.target_partitions = parts;
    execution.sort_spill_reservation_bytes = usual.min(memory_limit_bytes / parts / 4);
}

/// A session and the tables one statement reads.
pub(crate) struct PlanningContext<'a> {
    pub(crate) state: &'a SessionState,
    pub(crate) tables: &'a HashMap<TableReference, Arc<dyn TableSource>>,
}

impl PlanningContext<'_> {
    /// Plans a query.
    pub(crate) fn plan_query(&self, query: Box<Query>) -> Result<LogicalPlan> {
        self.plan(DfStatement::Statement(Box::new(SqlStatement::Query(query))))
    }

    /// Plans a statement.
    pub(crate) fn plan(&self, statement: DfStatement) -> Result<LogicalPlan> {
        let options = &self.state.config_options().sql_parser;
        let parser_options = ParserOptions {
            parse_float_as_decimal: options.parse_float_as_decimal,
            enable_ident_normalization: options.enable_ident_normalization,
            enable_options_value_normalization: options.enable_options_value_normalization,
            support_varchar_with_length: options.support_varchar_with_length,
            map_string_types_to_utf8view: options.map_string_types_to_utf8view,
            collect_spans: options.collect_spans,
            default_null_ordering: options.default_null_ordering.as_str().into(),
        };
        SqlToRel::new_with_options(self, parser_options).statement_to_plan(statement)
    }
}

impl ContextProvider for PlanningContext<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let key = match name {
            TableReference::Bare { table } => TableReference::partial(DEFAULT_SCHEMA, table),
            other => other,
        };
        self.tables.get(&key).cloned().ok_or_else(|| plan_datafusion_err!("table '{key}' not found"))
    }

    fn get_table_function_source(&self, name: &str, args: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        let function = self
            .state
            .table_functions()
            .get(name)
            .ok_or_else(|| plan_datafusion_err!("table function '{name}' not found"))?;
        let simplifier = ExprSimplifier::new(SimplifyContext::default());
        let schema = DFSchema::empty();
        let args = args
            .into_iter()
            .map(|arg| simplifier.coerce(arg, &schema).and_then(|arg| simplifier.simplify(arg)))
            .collect::<Result<Vec<_>>>()?;
        let provider = function.create_table_provider_with_args(TableFunctionArgs::new(&args, self.state))?;
        Ok(provider_as_source(provider))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.state.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        self.state.relation_planners()
    }

    fn create_cte_work_table(&self, name: &str, schema: SchemaRef) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(name, schema))))
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.state.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        self.state.higher_order_functions().get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.state.aggregate_functions().get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.state.window_functions().get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.state.config_options()
    }

    fn udf_names(&self) -> Vec<String> {
        self.state.scalar_functions().keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        self.state.higher_order_functions().keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.state.aggregate_functions().keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.state.window_functions().keys().cloned().collect()
    }
}
