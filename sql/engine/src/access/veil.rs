//! Tables that a user may read through privacy mechanisms alone.
//!
//! ```text
//! SELECT * FROM dp_count((SELECT 1 FROM clinical.lung WHERE age > 60), …)
//!
//!   Projection           what is released: anything may be done with it
//!   Operator dp_count    a privacy mechanism: from here up nothing is hidden any more
//!     Projection, Filter row by row, and unable to fail on a value
//!       TableScan        veiled
//! ```
//!
//! The check reads the analysed plan, in which views are expanded and casts are written out. What it does not know it
//! refuses. Below a mechanism a row must stay one row of its own person: the noise is made for that. And no
//! expression there may fail on a value, since the failure would tell of it.

use std::collections::BTreeMap;

use causeway_core::{OperatorFactory, PrivacyClaim};
use causeway_model::TableName;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result as DfResult};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator as Sign};

use super::Barrier;
use super::guard::denied;
use crate::error::{EngineError, Result};
use crate::lineage::{OriginSource, plan_lineage};
use crate::node::OperatorNode;
use crate::plan::extension_lineage;

/// What may stand between a veiled table and a mechanism.
const ALLOWED: &str = "below a privacy mechanism stand SELECT and WHERE over one table, row by row";

/// Functions that give a value for every value, of that row alone.
const TOTAL: [&str; 10] =
    ["btrim", "character_length", "coalesce", "greatest", "least", "lower", "ltrim", "nullif", "rtrim", "upper"];

/// Functions that do so for every double.
const TOTAL_OF_DOUBLES: [&str; 8] = ["abs", "ceil", "exp", "floor", "ln", "log10", "sqrt", "trunc"];

/// The veiled tables of a statement, by the reference their scans carry.
#[derive(Debug, Clone, Default)]
pub(crate) struct Veil {
    tables: BTreeMap<String, TableName>,
}

impl Veil {
    /// Adds tables.
    pub(crate) fn extend(&mut self, tables: &BTreeMap<String, TableName>) {
        self.tables.extend(tables.iter().map(|(reference, name)| (reference.clone(), name.clone())));
    }

    /// Returns true if there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// Refuses a plan whose result would show anything of a veiled table but what a mechanism releases.
    pub(crate) fn check(&self, plan: &LogicalPlan) -> Result<()> {
        if self.is_empty() {
            return Ok(());
        }
        match self.shown(plan)? {
            Some(table) => Err(self.refusal(plan, table)),
            None => Ok(()),
        }
    }

    /// Returns the veiled table whose rows a plan shows, if it does; refuses a mechanism that is fed otherwise than row
    /// by row.
    fn shown(&self, plan: &LogicalPlan) -> Result<Option<&TableName>> {
        if let LogicalPlan::TableScan(scan) = plan {
            if let Some(query) = scan.source.get_logical_plan() {
                let below = self.shown(&query)?;
                return Ok(below.or_else(|| self.tables.get(&scan.table_name.to_string())));
            }
            return Ok(self.tables.get(&scan.table_name.to_string()));
        }
        let mechanism = mechanism(plan);
        let mut found = None;
        for input in inputs(plan)? {
            match (self.shown(&input)?, mechanism) {
                (Some(table), Some(name)) => row_by_row(&input, table, name)?,
                (shown, _) => found = found.or(shown),
            }
        }
        Ok(found)
    }

    /// Says what would be shown, and how to ask instead.
    fn refusal(&self, plan: &LogicalPlan, table: &TableName) -> EngineError {
        let lineage = plan_lineage(plan, &extension_lineage);
        let origins = lineage.columns.iter().flat_map(|(_, origins)| origins).chain(&lineage.indirect);
        let columns = origins.filter(|origin| !origin.masking).filter_map(|origin| match &origin.source {
            OriginSource::Column { relation, column } if self.tables.contains_key(relation) => Some(column),
            _ => None,
        });
        let what = columns
            .into_iter()
            .next()
            .map_or_else(|| format!("how many rows `{table}` has"), |column| format!("column `{column}` of `{table}`"));
        let private = causeway_all::operators().map(OperatorFactory::spec);
        let private = private.filter(|spec| matches!(spec.privacy, PrivacyClaim::Private(_)));
        let names: Vec<&str> = private.map(|spec| spec.name).collect();
        denied(format!("the result would show {what}; you may make private releases of `{table}` alone"))
            .with_hint(format!("ask through a privacy mechanism: {}", names.join(", ")))
    }
}

/// Returns the name of the privacy mechanism that a node is.
fn mechanism(plan: &LogicalPlan) -> Option<&'static str> {
    let LogicalPlan::Extension(extension) = plan else { return None };
    let node = extension.node.as_any().downcast_ref::<OperatorNode>()?;
    node.operator.privacy_cost().map(|_| node.factory.spec().name)
}

/// Returns the plans a node reads, those in its expressions too.
fn inputs(plan: &LogicalPlan) -> DfResult<Vec<LogicalPlan>> {
    let mut inputs: Vec<LogicalPlan> = plan.inputs().into_iter().cloned().collect();
    plan.apply_subqueries(|subquery| {
        inputs.push(subquery.clone());
        Ok(TreeNodeRecursion::Jump)
    })?;
    Ok(inputs)
}

/// Refuses what a mechanism reads of a veiled table unless every row stays one row and no expression can fail.
fn row_by_row(plan: &LogicalPlan, table: &TableName, mechanism: &str) -> Result<()> {
    match plan {
        LogicalPlan::TableScan(scan) => match scan.source.get_logical_plan() {
            Some(query) => row_by_row(&query, table, mechanism),
            None => Ok(()),
        },
        LogicalPlan::SubqueryAlias(alias) => row_by_row(&alias.input, table, mechanism),
        LogicalPlan::Projection(projection) => {
            projection.expr.iter().try_for_each(|expr| total(expr, projection.input.schema(), table))?;
            row_by_row(&projection.input, table, mechanism)
        }
        LogicalPlan::Filter(filter) => {
            total(&filter.predicate, filter.input.schema(), table)?;
            row_by_row(&filter.input, table, mechanism)
        }
        // A row policy: the steward's own words.
        LogicalPlan::Extension(extension) if extension.node.as_any().is::<Barrier>() => Ok(()),
        other => Err(denied(format!("`{mechanism}` would read `{table}` through {}", kind(other))).with_hint(ALLOWED)),
    }
}

/// Names a node as SQL does.
fn kind(plan: &LogicalPlan) -> &'static str {
    match plan {
        LogicalPlan::Join(_) => "a join",
        LogicalPlan::Aggregate(_) => "an aggregate",
        LogicalPlan::Distinct(_) => "DISTINCT",
        LogicalPlan::Limit(_) => "LIMIT",
        LogicalPlan::Sort(_) => "ORDER BY",
        LogicalPlan::Union(_) => "UNION",
        LogicalPlan::Window(_) => "a window function",
        LogicalPlan::Unnest(_) => "UNNEST",
        LogicalPlan::RecursiveQuery(_) => "a recursive query",
        LogicalPlan::Extension(_) => "an operator that is no privacy mechanism",
        _ => "a clause that is not row by row",
    }
}

/// Refuses an expression that reads more than its row, or that some value makes fail.
fn total(expr: &Expr, schema: &DFSchema, table: &TableName) -> Result<()> {
    let mut problem = None;
    expr.apply(|part| {
        problem = fault(part, schema);
        Ok(if problem.is_some() { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    match problem {
        None => Ok(()),
        Some(problem) => Err(denied(format!("{problem} may not be asked of `{table}` below a privacy mechanism"))
            .with_hint(
                "allowed are columns, constants, comparisons, AND, OR, NOT, IN, BETWEEN, LIKE, CASE, TRY_CAST, arithmetic of \
                 doubles, and functions that give a value for every value",
            )),
    }
}

/// Says what an expression is that may fail, or that reads other rows.
fn fault(expr: &Expr, schema: &DFSchema) -> Option<String> {
    match expr {
        Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Alias(_)
        | Expr::Not(_)
        | Expr::Between(_)
        | Expr::InList(_)
        | Expr::Case(_)
        | Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::TryCast(_) => None,
        Expr::Like(like) => {
            let is_constant = matches!(like.pattern.as_ref(), Expr::Literal(..));
            (!is_constant).then(|| "LIKE with a pattern out of the table".to_owned())
        }
        Expr::BinaryExpr(binary) => binary_fault(binary, schema),
        Expr::Negative(inner) => (!is_float(inner, schema)).then(|| "the negative of an integer".to_owned()),
        Expr::Cast(cast) => {
            let from = cast.expr.get_type(schema).ok();
            let is_total = from.is_some_and(|from| never_fails(&from, cast.field.data_type()));
            (!is_total).then(|| format!("CAST to {}; TRY_CAST gives null instead,", cast.field.data_type()))
        }
        Expr::ScalarFunction(call) => {
            let of_double = || call.args.len() == 1 && call.args.iter().all(|argument| is_float(argument, schema));
            let is_total = TOTAL.contains(&call.name()) || (TOTAL_OF_DOUBLES.contains(&call.name()) && of_double());
            (!is_total).then(|| format!("the function `{}`", call.name()))
        }
        Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) => {
            Some("a subquery".to_owned())
        }
        _ => Some("an expression of this kind".to_owned()),
    }
}

fn binary_fault(binary: &BinaryExpr, schema: &DFSchema) -> Option<String> {
    match binary.op {
        Sign::And
        | Sign::Or
        | Sign::Eq
        | Sign::NotEq
        | Sign::Lt
        | Sign::LtEq
        | Sign::Gt
        | Sign::GtEq
        | Sign::IsDistinctFrom
        | Sign::IsNotDistinctFrom
        | Sign::StringConcat => None,
        Sign::Plus | Sign::Minus | Sign::Multiply | Sign::Divide
            if is_float(&binary.left, schema) && is_float(&binary.right, schema) =>
        {
            None
        }
        Sign::Plus | Sign::Minus | Sign::Multiply | Sign::Divide | Sign::Modulo => {
            Some(format!("`{}` of other than doubles", binary.op))
        }
        other => Some(format!("`{other}`")),
    }
}

fn is_float(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(expr.get_type(schema), Ok(DataType::Float64 | DataType::Float32))
}

/// Returns true if every value of one type has one of the other.
fn never_fails(from: &DataType, to: &DataType) -> bool {
    let is_text = |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    let widens = matches!(
        (from, to),
        (DataType::Int8, DataType::Int16 | DataType::Int32 | DataType::Int64)
            | (DataType::Int16, DataType::Int32 | DataType::Int64)
            | (DataType::Int32, DataType::Int64)
            | (
                DataType::UInt8,
                DataType::UInt16
                    | DataType::UInt32
                    | DataType::UInt64
                    | DataType::Int16
                    | DataType::Int32
                    | DataType::Int64
            )
            | (DataType::UInt16, DataType::UInt32 | DataType::UInt64 | DataType::Int32 | DataType::Int64)
            | (DataType::UInt32, DataType::UInt64 | DataType::Int64)
            | (DataType::Boolean, DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64)
    );
    let to_float = matches!(to, DataType::Float64 | DataType::Float32)
        && (from.is_integer() || from.is_floating() || *from == DataType::Boolean);
    from == to || widens || to_float || (is_text(from) && is_text(to)) || *from == DataType::Null
}
