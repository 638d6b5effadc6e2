//! Which columns an expression can see.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Column, DFSchema};

use super::edges::{Edges, Flow};

/// The columns that an expression can name: those of its inputs, and outside of a subquery those of
/// the queries around it.
pub(super) struct Scope<'a> {
    inputs: Vec<Input<'a>>,
    outer: Option<&'a Scope<'a>>,
}

/// One input, with its column names sorted so that a table of 20 000 genes is searched quickly.
struct Input<'a> {
    schema: &'a DFSchema,
    flow: &'a Flow,
    names: Vec<(&'a str, usize)>,
}

impl<'a> Scope<'a> {
    pub(super) fn new(schema: &'a DFSchema, flow: &'a Flow, outer: Option<&'a Scope<'a>>) -> Self {
        Self { inputs: vec![Input::new(schema, flow)], outer }
    }

    /// Adds an input that is searched after those before it.
    pub(super) fn and(mut self, schema: &'a DFSchema, flow: &'a Flow) -> Self {
        self.inputs.push(Input::new(schema, flow));
        self
    }

    /// Returns the origins of a column of the inputs; `None` if there is no such column.
    pub(super) fn column(&self, column: &Column) -> Option<&'a Edges> {
        self.inputs.iter().find_map(|input| input.flow.columns.get(input.position(column)?))
    }

    /// Returns the origins of a column of the queries around this one, the nearest first.
    pub(super) fn outer_column(&self, column: &Column) -> Option<&'a Edges> {
        let outer = self.outer?;
        outer.column(column).or_else(|| outer.outer_column(column))
    }

    /// Returns the type of a column of the inputs.
    pub(super) fn data_type(&self, column: &Column) -> Option<&'a DataType> {
        self.inputs.iter().find_map(|input| Some(input.schema.field(input.position(column)?).data_type()))
    }
}

impl<'a> Input<'a> {
    fn new(schema: &'a DFSchema, flow: &'a Flow) -> Self {
        let mut names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).zip(0..).collect();
        names.sort_unstable();
        Self { schema, flow, names }
    }

    /// Finds a column as `DFSchema::maybe_index_of_column` does, which is what runs the query.
    fn position(&self, column: &Column) -> Option<usize> {
        let name = column.name.as_str();
        let start = self.names.partition_point(|(other, _)| *other < name);
        let same_name = self.names[start..].iter().take_while(|(other, _)| *other == name);
        same_name.map(|(_, position)| *position).find(|position| self.qualifies(column, *position))
    }

    fn qualifies(&self, column: &Column, position: usize) -> bool {
        match (&column.relation, self.schema.qualified_field(position).0) {
            (None, _) => true,
            (Some(wanted), Some(found)) => wanted.resolved_eq(found),
            (Some(_), None) => false,
        }
    }
}
