//! `x IN (SELECT …)` inside a condition: unknown where SQL says so.
//!
//! Without a match, `x IN (…)` is unknown if `x` is null and there are rows, or if one of the rows is null.
//! DataFusion knows this where the test is a condition of its own. Below `OR`, `IS NULL`, `CASE` and the
//! like it answers false, and `NOT IN` therefore true. There the test is spelled out:
//!
//! ```text
//! CASE WHEN x IN (SELECT y …)                        THEN true
//!      WHEN x IS NULL AND EXISTS (SELECT y …)        THEN NULL
//!      WHEN EXISTS (SELECT y … WHERE y IS NULL)      THEN NULL
//!      ELSE false END
//! ```

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit, not, when,
};
use datafusion::optimizer::AnalyzerRule;

/// Spells out tests for membership that stand inside a condition.
#[derive(Debug)]
pub(crate) struct SpellOutMembership;

impl AnalyzerRule for SpellOutMembership {
    fn name(&self) -> &'static str {
        "spell_out_membership"
    }

    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Filter(filter) => spelled_out(filter),
            other => Ok(Transformed::no(other)),
        })
        .map(|done| done.data)
    }
}

fn spelled_out(filter: Filter) -> Result<Transformed<LogicalPlan>> {
    let schema = filter.input.schema();
    let mut changed = false;
    let mut conditions = Vec::new();
    for condition in split_conjunction_owned(filter.predicate.clone()) {
        let rewritten =
            if is_membership(&condition) { condition.clone() } else { rewrite(condition.clone(), schema, false)? };
        changed |= rewritten != condition;
        conditions.push(rewritten);
    }
    match conjunction(conditions).filter(|_| changed) {
        Some(predicate) => Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(predicate, filter.input)?))),
        None => Ok(Transformed::no(LogicalPlan::Filter(filter))),
    }
}

/// Returns true for a condition that is a test of its own, which becomes a join that knows nulls.
fn is_membership(condition: &Expr) -> bool {
    match condition {
        Expr::Not(inner) => is_membership(inner),
        other => matches!(other, Expr::InSubquery(_)),
    }
}

/// Rewrites the tests in an expression; `exact` unless null may stand for false where it stands.
fn rewrite(expr: Expr, schema: &DFSchema, exact: bool) -> Result<Expr> {
    match expr {
        Expr::InSubquery(test) => spell_out(test, schema, exact),
        Expr::Not(inner) => Ok(not(rewrite(*inner, schema, true)?)),
        Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::And | Operator::Or), right }) => {
            let (left, right) = (rewrite(*left, schema, exact)?, rewrite(*right, schema, exact)?);
            Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
        }
        other => other.map_children(|child| rewrite(child, schema, true).map(Transformed::yes)).map(|done| done.data),
    }
}

fn spell_out(test: InSubquery, schema: &DFSchema, exact: bool) -> Result<Expr> {
    let rows = Arc::clone(&test.subquery.subquery);
    let (qualifier, field) = rows.schema().qualified_field(0);
    let value_may_be_null = test.expr.nullable(schema).unwrap_or(true);
    if !(exact || test.negated) || !(field.is_nullable() || value_may_be_null) {
        return Ok(Expr::InSubquery(test));
    }
    let member = Expr::Column(Column::new(qualifier.cloned(), field.name()));
    let null_rows = LogicalPlanBuilder::from(rows.as_ref().clone()).filter(member.is_null())?.build()?;
    let null_rows = Subquery { subquery: Arc::new(null_rows), ..test.subquery.clone() };
    let unknown = || lit(ScalarValue::Boolean(None));
    let value = test.expr.as_ref().clone();
    let any = exists(test.subquery.clone());
    let negated = test.negated;
    let is_member = Expr::InSubquery(InSubquery { negated: false, ..test });
    let spelled = when(is_member, lit(true))
        .when(value.is_null().and(any), unknown())
        .when(exists(null_rows), unknown())
        .otherwise(lit(false))?;
    Ok(if negated { not(spelled) } else { spelled })
}

fn exists(subquery: Subquery) -> Expr {
    Expr::Exists(Exists { subquery, negated: false })
}
