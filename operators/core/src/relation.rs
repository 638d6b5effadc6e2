//! An input relation: a schema and a stream of batches pulled by the operator.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use crate::{Result, RunContext};

/// An input relation whose batches the operator pulls one by one.
///
/// An operator that can work in one pass never holds more than a few batches; one that cannot
/// calls [`Relation::collect`], which charges the query's memory budget.
pub struct Relation {
    schema: SchemaRef,
    batches: Box<dyn Iterator<Item = Result<RecordBatch>> + Send>,
}

impl Relation {
    /// Makes a relation from any source of batches.
    pub fn new(schema: SchemaRef, batches: impl Iterator<Item = Result<RecordBatch>> + Send + 'static) -> Self {
        Self { schema, batches: Box::new(batches) }
    }

    /// Makes a relation of batches in memory.
    pub fn from_batches(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self::new(schema, batches.into_iter().map(Ok))
    }

    /// Returns the schema.
    pub fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    /// Returns the next batch, `None` at the end.
    ///
    /// # Errors
    /// [`crate::OperatorError::Input`] if reading fails, [`crate::OperatorError::Cancelled`] if the run was cancelled.
    pub fn next_batch(&mut self, context: &RunContext) -> Result<Option<RecordBatch>> {
        context.check_cancelled()?;
        self.batches.next().transpose()
    }

    /// Reads the whole relation into memory, charging the budget.
    ///
    /// # Errors
    /// As [`Relation::next_batch`], and [`crate::OperatorError::Memory`] when the budget is exhausted.
    pub fn collect(mut self, context: &RunContext) -> Result<Vec<RecordBatch>> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next_batch(context)? {
            context.grow_memory(batch.get_array_memory_size())?;
            batches.push(batch);
        }
        Ok(batches)
    }
}

impl std::fmt::Debug for Relation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Relation").field("schema", &self.schema).finish_non_exhaustive()
    }
}
