//! What an expression depends on.

use causeway_model::EdgeKind;
use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::expr::{
    AggregateFunction, Case, GroupingSet, InSubquery, ScalarFunction, SetComparison, WindowFunction,
};
use datafusion::logical_expr::{Expr, Subquery};

use super::edges::{Edge, Edges, Use, extend_within};
use super::flow::Walker;
use super::scope::Scope;

/// Functions whose result does not show their argument.
const MASKING: [&str; 6] = ["digest", "md5", "sha224", "sha256", "sha384", "sha512"];

const TRANSFORMATION: Use = Use::of(EdgeKind::Transformation);
const AGGREGATION: Use = Use::of(EdgeKind::Aggregation);
const FILTER: Use = Use::of(EdgeKind::Filter);
const SORT: Use = Use::of(EdgeKind::Sort);
const WINDOW: Use = Use::of(EdgeKind::Window);
const CONDITIONAL: Use = Use::of(EdgeKind::Conditional);

impl Walker<'_> {
    /// Returns the origins of each expression's value.
    pub(super) fn each<'x>(
        &mut self,
        expressions: impl IntoIterator<Item = &'x Expr>,
        scope: &Scope<'_>,
    ) -> Vec<Edges> {
        expressions.into_iter().map(|expression| self.uses([expression], Use::COPY, scope)).collect()
    }

    /// Returns the origins of everything in the expressions, as `usage` uses their values.
    pub(super) fn uses<'x>(
        &mut self,
        expressions: impl IntoIterator<Item = &'x Expr>,
        usage: Use,
        scope: &Scope<'_>,
    ) -> Edges {
        let todo = expressions.into_iter().map(|expression| (expression, usage)).collect();
        let mut collector = Collector { walker: self, scope, found: Edges::new(), todo };
        while let Some((expression, usage)) = collector.todo.pop() {
            collector.visit(expression, usage);
        }
        collector.found
    }
}

/// Walks expressions with a list of its own instead of the stack, so a condition of ten thousand
/// terms is no danger.
struct Collector<'w, 'e, 's, 'x> {
    walker: &'w mut Walker<'e>,
    scope: &'s Scope<'s>,
    found: Edges,
    todo: Vec<(&'x Expr, Use)>,
}

impl<'x> Collector<'_, '_, '_, 'x> {
    /// Notes what `expression` reads and lists its parts; `usage` is the use of its value.
    #[expect(deprecated, reason = "the walk names every variant, so that a new one is a compile error")]
    fn visit(&mut self, expression: &'x Expr, usage: Use) {
        match expression {
            Expr::Column(column) => self.note(self.scope.column(column), usage),
            Expr::OuterReferenceColumn(_, column) => self.note(self.scope.outer_column(column), usage),
            Expr::Literal(..) | Expr::ScalarVariable(..) | Expr::Placeholder(_) | Expr::LambdaVariable(_) => {}
            Expr::Alias(alias) => self.todo.push((&alias.expr, usage)),
            Expr::Cast(cast) => self.cast(&cast.expr, cast.field.data_type(), usage),
            Expr::TryCast(cast) => self.cast(&cast.expr, cast.field.data_type(), usage),
            Expr::Case(case) => self.case(case, usage),
            Expr::ScalarFunction(function) => self.scalar_function(function, usage),
            Expr::AggregateFunction(function) => self.aggregate_function(function, usage),
            Expr::WindowFunction(function) => self.window_function(function, usage),
            Expr::ScalarSubquery(subquery) => self.subquery(subquery, Some(Use::COPY), usage),
            Expr::Exists(exists) => self.subquery(&exists.subquery, None, usage),
            Expr::InSubquery(InSubquery { expr, subquery, .. })
            | Expr::SetComparison(SetComparison { expr, subquery, .. }) => {
                self.part(expr, TRANSFORMATION, usage);
                self.subquery(subquery, Some(FILTER), usage);
            }
            Expr::GroupingSet(sets) => self.grouping_set(sets, usage),
            Expr::Wildcard { .. } => self.note(None, usage),
            Expr::BinaryExpr(_)
            | Expr::Like(_)
            | Expr::SimilarTo(_)
            | Expr::Not(_)
            | Expr::IsNotNull(_)
            | Expr::IsNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Negative(_)
            | Expr::Between(_)
            | Expr::InList(_)
            | Expr::Unnest(_)
            | Expr::HigherOrderFunction(_)
            | Expr::Lambda(_) => self.computed(expression, TRANSFORMATION.within(usage)),
        }
    }

    fn note(&mut self, edges: Option<&Edges>, usage: Use) {
        match edges {
            Some(edges) => extend_within(&mut self.found, edges, usage),
            None => {
                self.found.insert(Edge::unknown(usage));
            }
        }
    }

    fn part(&mut self, expression: &'x Expr, inner: Use, usage: Use) {
        self.todo.push((expression, inner.within(usage)));
    }

    fn parts(&mut self, expressions: impl IntoIterator<Item = &'x Expr>, inner: Use, usage: Use) {
        self.todo.extend(expressions.into_iter().map(|expression| (expression, inner.within(usage))));
    }

    /// Lists the direct parts of an expression, each used as `usage`.
    fn computed(&mut self, expression: &'x Expr, usage: Use) {
        let listed = expression.apply_children(|part| {
            self.todo.push((part, usage));
            Ok(TreeNodeRecursion::Continue)
        });
        if listed.is_err() {
            self.found.insert(Edge::unknown(usage));
        }
    }

    /// A cast computes a new value, unless only the layout in memory changes.
    fn cast(&mut self, expression: &'x Expr, to: &DataType, usage: Use) {
        let copied = self.known_type(expression).is_some_and(|from| same_values(from, to));
        self.part(expression, if copied { Use::COPY } else { TRANSFORMATION }, usage);
    }

    /// Returns the type of an expression that can still be a copy of a column.
    fn known_type<'t>(&'t self, expression: &'t Expr) -> Option<&'t DataType> {
        match expression {
            Expr::Column(column) => self.scope.data_type(column),
            Expr::Alias(alias) => self.known_type(&alias.expr),
            Expr::Cast(cast) => Some(cast.field.data_type()),
            Expr::TryCast(cast) => Some(cast.field.data_type()),
            _ => None,
        }
    }

    fn case(&mut self, case: &'x Case, usage: Use) {
        self.parts(case.expr.as_deref(), CONDITIONAL, usage);
        for (when, then) in &case.when_then_expr {
            self.part(when, CONDITIONAL, usage);
            self.part(then, TRANSFORMATION, usage);
        }
        self.parts(case.else_expr.as_deref(), TRANSFORMATION, usage);
    }

    fn scalar_function(&mut self, function: &'x ScalarFunction, usage: Use) {
        let name = function.name();
        let computed = Use { masking: MASKING.contains(&name), ..TRANSFORMATION };
        match function.args.as_slice() {
            [condition, values @ ..] if name == "nvl2" => {
                self.part(condition, CONDITIONAL, usage);
                self.parts(values, computed, usage);
            }
            all => self.parts(all, computed, usage),
        }
    }

    fn aggregate_function(&mut self, function: &'x AggregateFunction, usage: Use) {
        let params = &function.params;
        self.parts(&params.args, AGGREGATION, usage);
        self.parts(params.filter.as_deref(), FILTER, usage);
        self.parts(params.order_by.iter().map(|key| &key.expr), SORT, usage);
    }

    /// Any window function reads other rows, so its arguments are aggregated, those of `lag` too.
    fn window_function(&mut self, function: &'x WindowFunction, usage: Use) {
        let params = &function.params;
        self.parts(&params.args, AGGREGATION, usage);
        self.parts(params.filter.as_deref(), FILTER, usage);
        self.parts(&params.partition_by, WINDOW, usage);
        self.parts(params.order_by.iter().map(|key| &key.expr), WINDOW, usage);
    }

    fn grouping_set(&mut self, sets: &'x GroupingSet, usage: Use) {
        self.parts(sets.distinct_expr(), Use::COPY, usage);
    }

    /// Notes what chooses a subquery's rows, and with `value` the column it returns.
    fn subquery(&mut self, subquery: &Subquery, value: Option<Use>, usage: Use) {
        let flow = self.walker.flow(&subquery.subquery, Some(self.scope));
        extend_within(&mut self.found, &flow.indirect, usage);
        if let Some(value) = value {
            self.note(flow.columns.first(), value.within(usage));
        }
    }
}

/// Returns true if both types hold the same values in another layout.
fn same_values(from: &DataType, to: &DataType) -> bool {
    use DataType::{
        Binary, BinaryView, Dictionary, FixedSizeList, LargeBinary, LargeList, LargeListView, LargeUtf8, List,
        ListView, Utf8, Utf8View,
    };
    match (from, to) {
        (Utf8 | LargeUtf8 | Utf8View, Utf8 | LargeUtf8 | Utf8View)
        | (Binary | LargeBinary | BinaryView, Binary | LargeBinary | BinaryView) => true,
        (Dictionary(_, value), other) | (other, Dictionary(_, value)) => same_values(value, other),
        (
            List(from) | LargeList(from) | ListView(from) | LargeListView(from) | FixedSizeList(from, _),
            List(to) | LargeList(to) | ListView(to) | LargeListView(to),
        ) => same_values(from.data_type(), to.data_type()),
        _ => from == to,
    }
}
