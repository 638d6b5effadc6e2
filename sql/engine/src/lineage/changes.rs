//! Statements around a query: what is written, and where it comes from.

use causeway_model::EdgeKind;
use datafusion::arrow::datatypes::Fields;
use datafusion::common::DFSchema;
use datafusion::logical_expr::dml::{MergeIntoAction, MergeIntoOp};
use datafusion::logical_expr::logical_plan::{CreateMemoryTable, CreateView, Statement};
use datafusion::logical_expr::{DdlStatement, DmlStatement, Expr, LogicalPlan, WriteOp};

use super::edges::{Edge, Edges, Flow, Use, extend_within};
use super::flow::Walker;
use super::scope::Scope;

/// Returns the names of the columns whose origins [`Walker::flow`] computes.
pub(super) fn output_names(plan: &LogicalPlan) -> Vec<String> {
    match (written(plan), plan) {
        (Some(input), _) => output_names(input),
        (None, LogicalPlan::Dml(dml)) => names(dml.target.schema().fields()),
        (None, _) => names(plan.schema().fields()),
    }
}

fn names(fields: &Fields) -> Vec<String> {
    fields.iter().map(|field| field.name().clone()).collect()
}

/// Returns the query whose columns a statement writes or shows.
fn written(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    match plan {
        LogicalPlan::Dml(DmlStatement { op: WriteOp::MergeInto(_), .. }) => None,
        LogicalPlan::Dml(dml) => Some(&dml.input),
        LogicalPlan::Ddl(
            DdlStatement::CreateMemoryTable(CreateMemoryTable { input, .. })
            | DdlStatement::CreateView(CreateView { input, .. }),
        ) => Some(input),
        LogicalPlan::Copy(copy) => Some(&copy.input),
        LogicalPlan::Explain(explain) => Some(&explain.plan),
        LogicalPlan::Analyze(analyze) => Some(&analyze.input),
        LogicalPlan::Statement(Statement::Prepare(prepare)) => Some(&prepare.input),
        _ => None,
    }
}

impl Walker<'_> {
    pub(super) fn change(&mut self, plan: &LogicalPlan, outer: Option<&Scope<'_>>) -> Flow {
        match (plan, written(plan)) {
            (LogicalPlan::Dml(dml), _) => self.row_changes(dml, outer),
            (_, Some(input)) => self.flow(input, outer),
            (_, None) => Flow::constant(plan.schema().fields().len()),
        }
    }

    fn row_changes(&mut self, dml: &DmlStatement, outer: Option<&Scope<'_>>) -> Flow {
        let mut flow = self.flow(&dml.input, outer);
        match &dml.op {
            WriteOp::MergeInto(merge) => return self.merge(dml, merge, &flow, outer),
            WriteOp::Update => flow.stack(self.own_columns(&dml.table_name, &dml.target.schema())),
            _ => {}
        }
        flow
    }

    /// A row of the result is the target's own, changed by a clause, or made by one.
    fn merge(&mut self, dml: &DmlStatement, merge: &MergeIntoOp, source: &Flow, outer: Option<&Scope<'_>>) -> Flow {
        let target = self.own_columns(&dml.table_name, &dml.target.schema());
        let Ok(schema) = DFSchema::try_from_qualified_schema(dml.table_name.clone(), &dml.target.schema()) else {
            return Flow::unknown(target.columns.len());
        };
        let scope = Scope::new(&schema, &target, outer).and(dml.input.schema(), source);
        let mut flow = target.clone();
        flow.indirect = self.uses([&merge.on], Use::of(EdgeKind::Join), &scope);
        flow.indirect.extend(&source.indirect);
        for clause in &merge.clauses {
            flow.indirect.extend(self.uses(&clause.predicate, Use::of(EdgeKind::Filter), &scope));
            for (name, value) in assignments(&clause.action, &schema) {
                let edges = self.uses([value], Use::COPY, &scope);
                assign(&mut flow, &schema, name, &edges);
            }
        }
        flow
    }
}

/// Returns which target column gets which value.
fn assignments<'a>(action: &'a MergeIntoAction, target: &'a DFSchema) -> Vec<(&'a str, &'a Expr)> {
    match action {
        MergeIntoAction::Update(changes) => changes.iter().map(|(name, value)| (name.as_str(), value)).collect(),
        MergeIntoAction::Insert { columns, values } if columns.is_empty() => {
            target.fields().iter().map(|field| field.name().as_str()).zip(values).collect()
        }
        MergeIntoAction::Insert { columns, values } => columns.iter().map(String::as_str).zip(values).collect(),
        MergeIntoAction::Delete => Vec::new(),
    }
}

fn assign(flow: &mut Flow, target: &DFSchema, name: &str, edges: &Edges) {
    match target.index_of_column_by_name(None, name).and_then(|position| flow.columns.get_mut(position)) {
        Some(column) => extend_within(column, edges, Use::COPY),
        None => {
            flow.indirect.insert(Edge::unknown(Use::of(EdgeKind::Filter)));
        }
    }
}
