//! The walk over the plan's nodes.

use causeway_core::{ColumnOrigin, Transformation};
use causeway_model::EdgeKind;
use datafusion::logical_expr::logical_plan::{DistinctOn, Extension, RecursiveQuery, Unnest};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Limit, LogicalPlan, Projection, SortExpr, Union, UserDefinedLogicalNode, Values, Window,
};

use super::edges::{Edge, Edges, Flow, Sources, Use, extend_within};
use super::scope::Scope;
use super::{ExtensionLineage, ExtensionLookup};

/// Computes the [`Flow`] of plan nodes.
pub(super) struct Walker<'e> {
    extension: &'e ExtensionLookup<'e>,
    pub(super) sources: Sources,
    /// What is known so far about the recursive queries around the current node, innermost last.
    pub(super) working: Vec<(String, Flow)>,
}

impl<'e> Walker<'e> {
    pub(super) fn new(extension: &'e ExtensionLookup<'e>) -> Self {
        Self { extension, sources: Sources::new(), working: Vec::new() }
    }

    /// Returns the flow of a node; `outer` is what a subquery sees of the queries around it.
    pub(super) fn flow(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Flow {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::Projection(projection) => self.projection(projection, outer),
            LogicalPlan::Filter(filter) => self.decided(&filter.input, [&filter.predicate], EdgeKind::Filter, outer),
            LogicalPlan::Sort(sort) => self.decided(&sort.input, sort_keys(&sort.expr), EdgeKind::Sort, outer),
            LogicalPlan::Limit(limit) => self.limit(limit, outer),
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate, outer),
            LogicalPlan::Window(window) => self.window(window, outer),
            LogicalPlan::Join(join) => self.join(join, outer),
            LogicalPlan::Union(union) => self.union(union, outer),
            LogicalPlan::Distinct(Distinct::All(input)) => self.flow(input, outer).distinct(),
            LogicalPlan::Distinct(Distinct::On(distinct)) => self.distinct_on(distinct, outer),
            LogicalPlan::Unnest(unnest) => self.unnest(unnest, outer),
            LogicalPlan::RecursiveQuery(query) => self.recursive(query, outer),
            LogicalPlan::Values(values) => self.values(values, outer),
            LogicalPlan::Extension(Extension { node }) => self.extension(node.as_ref(), outer),
            LogicalPlan::Subquery(subquery) => self.flow(&subquery.subquery, outer),
            LogicalPlan::SubqueryAlias(alias) => self.flow(&alias.input, outer),
            LogicalPlan::Repartition(repartition) => self.flow(&repartition.input, outer),
            LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Statement(_) => self.change(plan, outer),
            LogicalPlan::EmptyRelation(_) | LogicalPlan::DescribeTable(_) => {
                Flow::constant(plan.schema().fields().len())
            }
        }
    }

    /// Returns the input's flow with its rows depending on `expressions` too.
    fn decided<'x>(
        &mut self,
        input: &LogicalPlan,
        expressions: impl IntoIterator<Item = &'x Expr>,
        kind: EdgeKind,
        outer: Option<&Scope<'_>>,
    ) -> Flow {
        let mut flow = self.flow(input, outer);
        let scope = Scope::new(input.schema(), &flow, outer);
        let decisive = self.uses(expressions, Use::of(kind), &scope);
        flow.indirect.extend(decisive);
        flow
    }

    fn limit(&mut self, limit: &Limit, outer: Option<&Scope<'_>>) -> Flow {
        let bounds = limit.skip.iter().chain(&limit.fetch).map(AsRef::as_ref);
        self.decided(&limit.input, bounds, EdgeKind::Filter, outer)
    }

    fn projection(&mut self, projection: &Projection, outer: Option<&Scope<'_>>) -> Flow {
        let input = self.flow(&projection.input, outer);
        let scope = Scope::new(projection.input.schema(), &input, outer);
        let columns = self.each(&projection.expr, &scope);
        Flow { columns, indirect: input.indirect }
    }

    fn aggregate(&mut self, aggregate: &Aggregate, outer: Option<&Scope<'_>>) -> Flow {
        let n_columns = aggregate.schema.fields().len();
        let Ok(groups) = grouping_set_to_exprlist(&aggregate.group_expr) else {
            return Flow::unknown(n_columns);
        };
        let mut input = self.flow(&aggregate.input, outer);
        let scope = Scope::new(aggregate.input.schema(), &input, outer);
        let mut columns = self.each(groups.iter().copied(), &scope);
        // With grouping sets an internal column tells which set a row belongs to: the same for any data.
        let n_internal = n_columns.saturating_sub(columns.len() + aggregate.aggr_expr.len());
        columns.extend(vec![Edges::new(); n_internal]);
        columns.extend(self.each(&aggregate.aggr_expr, &scope));
        let decisive = self.uses(groups, Use::of(EdgeKind::GroupBy), &scope);
        input.indirect.extend(decisive);
        Flow { columns, indirect: input.indirect }
    }

    fn window(&mut self, window: &Window, outer: Option<&Scope<'_>>) -> Flow {
        let mut flow = self.flow(&window.input, outer);
        let scope = Scope::new(window.input.schema(), &flow, outer);
        let added = self.each(&window.window_expr, &scope);
        flow.columns.extend(added);
        flow
    }

    fn union(&mut self, union: &Union, outer: Option<&Scope<'_>>) -> Flow {
        let mut flow = Flow::constant(union.schema.fields().len());
        for input in &union.inputs {
            let branch = self.flow(input, outer);
            flow.stack(branch);
        }
        flow
    }

    fn distinct_on(&mut self, distinct: &DistinctOn, outer: Option<&Scope<'_>>) -> Flow {
        let mut input = self.flow(&distinct.input, outer);
        let scope = Scope::new(distinct.input.schema(), &input, outer);
        let columns = self.each(&distinct.select_expr, &scope);
        let mut decisive = self.uses(&distinct.on_expr, Use::of(EdgeKind::GroupBy), &scope);
        let order = distinct.sort_expr.as_deref().unwrap_or_default();
        decisive.extend(self.uses(sort_keys(order), Use::of(EdgeKind::Sort), &scope));
        input.indirect.extend(decisive);
        Flow { columns, indirect: input.indirect }
    }

    /// A list column decides how often the other columns of its row are repeated.
    fn unnest(&mut self, unnest: &Unnest, outer: Option<&Scope<'_>>) -> Flow {
        let input = self.flow(&unnest.input, outer);
        let mut flow = Flow { columns: Vec::with_capacity(unnest.dependency_indices.len()), indirect: input.indirect };
        for (list, _) in &unnest.list_type_columns {
            extend_within(&mut flow.indirect, &column_at(&input.columns, *list), Use::of(EdgeKind::Join));
        }
        for &position in &unnest.dependency_indices {
            let opened = unnest.list_type_columns.iter().any(|(list, _)| *list == position)
                || unnest.struct_type_columns.contains(&position);
            let kind = if opened { EdgeKind::Transformation } else { EdgeKind::Identity };
            let mut column = Edges::new();
            extend_within(&mut column, &column_at(&input.columns, position), Use::of(kind));
            flow.columns.push(column);
        }
        flow
    }

    /// Repeats the recursive term until it adds no origin: they are finitely many, so this ends.
    fn recursive(&mut self, query: &RecursiveQuery, outer: Option<&Scope<'_>>) -> Flow {
        let mut flow = self.flow(&query.static_term, outer);
        loop {
            let known = flow.clone();
            self.working.push((query.name.clone(), known.clone()));
            let step = self.flow(&query.recursive_term, outer);
            self.working.pop();
            flow.stack(step);
            if flow == known {
                break;
            }
        }
        if query.is_distinct { flow.distinct() } else { flow }
    }

    fn values(&mut self, values: &Values, outer: Option<&Scope<'_>>) -> Flow {
        let nothing = Flow::default();
        let scope = Scope::new(&values.schema, &nothing, outer);
        let mut flow = Flow::constant(values.schema.fields().len());
        for row in &values.values {
            flow.stack(Flow { columns: self.each(row, &scope), indirect: Edges::new() });
        }
        flow
    }

    fn extension(&mut self, node: &dyn UserDefinedLogicalNode, outer: Option<&Scope<'_>>) -> Flow {
        let inputs: Vec<Flow> = node.inputs().into_iter().map(|input| self.flow(input, outer)).collect();
        let n_columns = node.schema().fields().len();
        let Some(declared) = (self.extension)(node) else {
            let mut flow = Flow::unknown(n_columns);
            flow.indirect.extend(inputs.into_iter().flat_map(|input| input.indirect));
            return flow;
        };
        declared_flow(node, &inputs, &declared)
    }
}

fn sort_keys(keys: &[SortExpr]) -> impl Iterator<Item = &Expr> {
    keys.iter().map(|key| &key.expr)
}

fn column_at(columns: &[Edges], position: usize) -> Edges {
    columns.get(position).cloned().unwrap_or_else(|| Edges::from([Edge::unknown(Use::COPY)]))
}

fn declared_flow(node: &dyn UserDefinedLogicalNode, inputs: &[Flow], declared: &ExtensionLineage) -> Flow {
    let mut flow = Flow::unknown(node.schema().fields().len());
    flow.indirect.clear();
    for (column, origins) in flow.columns.iter_mut().zip(&declared.columns) {
        column.clear();
        origins.iter().for_each(|origin| add_declared(column, node, inputs, origin));
    }
    declared.indirect.iter().for_each(|origin| add_declared(&mut flow.indirect, node, inputs, origin));
    // What chose the rows that a privacy mechanism reads is seen only through that mechanism.
    let mut all = declared.columns.iter().flatten().chain(&declared.indirect).peekable();
    let masking = all.peek().is_some() && all.all(|origin| origin.masking);
    for input in inputs {
        extend_within(&mut flow.indirect, &input.indirect, Use { kind: EdgeKind::Identity, masking });
    }
    flow
}

/// Adds what a declared origin stands for; unknown if no single input column has that name.
fn add_declared(into: &mut Edges, node: &dyn UserDefinedLogicalNode, inputs: &[Flow], origin: &ColumnOrigin) {
    let usage = Use { kind: edge_kind(origin.kind), masking: origin.masking };
    match declared_column(node, inputs, origin) {
        Some(edges) => extend_within(into, edges, usage),
        None => {
            into.insert(Edge::unknown(usage));
        }
    }
}

fn declared_column<'f>(
    node: &dyn UserDefinedLogicalNode,
    inputs: &'f [Flow],
    origin: &ColumnOrigin,
) -> Option<&'f Edges> {
    let plans = node.inputs();
    let fields = plans.get(origin.input)?.schema().fields();
    let mut positions = fields.iter().zip(0..).filter(|(field, _)| *field.name() == origin.column);
    let (_, position) = positions.next()?;
    if positions.next().is_some() {
        return None;
    }
    inputs.get(origin.input)?.columns.get::<usize>(position)
}

fn edge_kind(kind: Transformation) -> EdgeKind {
    match kind {
        Transformation::Identity => EdgeKind::Identity,
        Transformation::Transformation => EdgeKind::Transformation,
        Transformation::Aggregation => EdgeKind::Aggregation,
        Transformation::Join => EdgeKind::Join,
        Transformation::GroupBy => EdgeKind::GroupBy,
        Transformation::Filter => EdgeKind::Filter,
        Transformation::Sort => EdgeKind::Sort,
        Transformation::Window => EdgeKind::Window,
        Transformation::Conditional => EdgeKind::Conditional,
    }
}
