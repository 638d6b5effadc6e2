//! Keeps a reader's expressions above a row policy.
//!
//! The optimiser moves filters down to the scan, where one may run before another. A reader's filter
//! that ran before the policy's could fail on a row that the policy hides (`1 / (age - 61) > 0`), and so
//! say that the row is there. The rows that a policy shows pass through a node that no filter passes.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use causeway_core::{ColumnOrigin, Transformation};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchemaRef, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

use crate::lineage::ExtensionLineage;

/// The rows of its input, behind which no filter goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd)]
pub(crate) struct Barrier {
    input: LogicalPlan,
}

impl Barrier {
    /// Puts a barrier before a plan.
    pub(crate) fn before(input: LogicalPlan) -> LogicalPlan {
        LogicalPlan::Extension(Extension { node: Arc::new(Self { input }) })
    }

    /// Every column is that of its input.
    pub(crate) fn lineage(&self) -> ExtensionLineage {
        let origin = |name: &String| {
            vec![ColumnOrigin { input: 0, column: name.clone(), kind: Transformation::Identity, masking: false }]
        };
        let fields = self.input.schema().fields();
        ExtensionLineage { columns: fields.iter().map(|field| origin(field.name())).collect(), indirect: Vec::new() }
    }

    /// Returns what runs in the place of a barrier node.
    pub(crate) fn plan(
        node: &dyn UserDefinedLogicalNode,
        inputs: &[Arc<dyn ExecutionPlan>],
    ) -> Option<Arc<dyn ExecutionPlan>> {
        let _: &Self = node.as_any().downcast_ref()?;
        let [input] = inputs else { return None };
        Some(Arc::new(BarrierExec { input: Arc::clone(input) }))
    }
}

impl UserDefinedLogicalNodeCore for Barrier {
    fn name(&self) -> &'static str {
        "Barrier"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        self.input.schema()
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn prevent_predicate_push_down_columns(&self) -> HashSet<String> {
        self.input.schema().fields().iter().map(|field| field.name().clone()).collect()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Barrier")
    }

    fn with_exprs_and_inputs(&self, _exprs: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        let input = inputs.into_iter().next().unwrap_or_else(|| self.input.clone());
        Ok(Self { input })
    }

    /// Columns that nobody asks for are not read.
    fn necessary_children_exprs(&self, output_columns: &[usize]) -> Option<Vec<Vec<usize>>> {
        Some(vec![output_columns.to_vec()])
    }
}

/// Hands on what its input yields. Being unknown to the physical optimiser, it keeps filters above it.
#[derive(Debug)]
struct BarrierExec {
    input: Arc<dyn ExecutionPlan>,
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BarrierExec")
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &'static str {
        "BarrierExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let input = children.into_iter().next().unwrap_or_else(|| Arc::clone(&self.input));
        Ok(Arc::new(Self { input }))
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }
}
