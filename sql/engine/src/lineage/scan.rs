//! Scans: where origins begin.

use causeway_model::EdgeKind;
use datafusion::arrow::datatypes::{FieldRef, Schema};
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::common::{DFSchema, TableReference};
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::TableScan;

use super::edges::{Edge, Edges, Flow, Use};
use super::flow::Walker;
use super::scope::Scope;

impl Walker<'_> {
    pub(super) fn scan(&mut self, scan: &TableScan) -> Flow {
        let mut table = self.table(scan);
        if !scan.filters.is_empty() {
            let decisive = self.scan_filters(scan, &table);
            table.indirect.extend(decisive);
        }
        if let Some(projection) = &scan.projection {
            let unknown = Edges::from([Edge::unknown(Use::COPY)]);
            let at = |position: &usize| table.columns.get(*position).unwrap_or(&unknown).clone();
            table.columns = projection.iter().map(at).collect();
        }
        table
    }

    /// Returns the flow of the whole table: of a view's query, of the rows that a recursive query has
    /// found so far, or of the columns themselves.
    fn table(&mut self, scan: &TableScan) -> Flow {
        if let Some(query) = scan.source.get_logical_plan() {
            return self.flow(&query, None);
        }
        if let Some(name) = working_table(scan) {
            let found = self.working.iter().rev().find(|(other, _)| *other == name);
            return found.map_or_else(|| Flow::unknown(scan.source.schema().fields().len()), |(_, flow)| flow.clone());
        }
        self.own_columns(&scan.table_name, &scan.source.schema())
    }

    /// Returns the flow of a stored table: each column comes from itself.
    pub(super) fn own_columns(&mut self, table: &TableReference, schema: &Schema) -> Flow {
        let relation = table.to_string();
        let own = |field: &FieldRef| Edges::from([self.sources.column(&relation, field.name())]);
        Flow { columns: schema.fields().iter().map(own).collect(), indirect: Edges::new() }
    }

    fn scan_filters(&mut self, scan: &TableScan, table: &Flow) -> Edges {
        let usage = Use::of(EdgeKind::Filter);
        match DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema()) {
            Ok(schema) => self.uses(&scan.filters, usage, &Scope::new(&schema, table, None)),
            Err(_) => Edges::from([Edge::unknown(usage)]),
        }
    }
}

/// A recursive query reads itself through a table of a type of its own, so a real table of the same
/// name is never taken for it.
fn working_table(scan: &TableScan) -> Option<String> {
    let provider = source_as_provider(&scan.source).ok()?;
    provider.downcast_ref::<CteWorkTable>().map(|table| table.name().to_owned())
}
