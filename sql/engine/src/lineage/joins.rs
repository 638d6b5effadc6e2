//! Joins: which rows meet, and which side's columns flow on.

use causeway_model::EdgeKind;
use datafusion::common::JoinType;
use datafusion::logical_expr::{Join, LogicalPlan};

use super::edges::{Edges, Flow, Use};
use super::flow::Walker;
use super::scope::Scope;

impl Walker<'_> {
    pub(super) fn join(&mut self, join: &Join, outer: Option<&Scope<'_>>) -> Flow {
        let left = self.flow(&join.left, outer);
        let right = if is_lateral(&join.right) {
            let beside = Scope::new(join.left.schema(), &left, outer);
            self.flow(&join.right, Some(&beside))
        } else {
            self.flow(&join.right, outer)
        };
        let keys = self.join_keys(join, &left, &right, outer);
        joined(join.join_type, left, right, keys)
    }

    /// Returns what decides which rows meet: the equal keys and every other condition of `ON`.
    fn join_keys(&mut self, join: &Join, left: &Flow, right: &Flow, outer: Option<&Scope<'_>>) -> Edges {
        let usage = Use::of(EdgeKind::Join);
        let from_left = Scope::new(join.left.schema(), left, outer).and(join.right.schema(), right);
        let from_right = Scope::new(join.right.schema(), right, outer).and(join.left.schema(), left);
        let mut keys = self.uses(join.on.iter().map(|(key, _)| key).chain(&join.filter), usage, &from_left);
        keys.extend(self.uses(join.on.iter().map(|(_, key)| key), usage, &from_right));
        keys
    }
}

/// A lateral subquery reads columns of the relation to its left.
fn is_lateral(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Subquery(_) => true,
        LogicalPlan::SubqueryAlias(alias) => is_lateral(&alias.input),
        _ => false,
    }
}

fn joined(join_type: JoinType, left: Flow, right: Flow, keys: Edges) -> Flow {
    let mut flow = match join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            let columns = left.columns.into_iter().chain(right.columns).collect();
            Flow { columns, indirect: left.indirect.into_iter().chain(right.indirect).collect() }
        }
        JoinType::LeftSemi | JoinType::LeftAnti => with_rows_of(left, right.indirect),
        JoinType::RightSemi | JoinType::RightAnti => with_rows_of(right, left.indirect),
        JoinType::LeftMark => return marked(left, right.indirect, keys),
        JoinType::RightMark => return marked(right, left.indirect, keys),
    };
    flow.indirect.extend(keys);
    flow
}

fn with_rows_of(mut kept: Flow, other: Edges) -> Flow {
    kept.indirect.extend(other);
    kept
}

/// A mark join keeps every row of its side and adds whether it has met one of the other.
fn marked(mut kept: Flow, other: Edges, mut mark: Edges) -> Flow {
    mark.extend(other);
    kept.columns.push(mark);
    kept
}
