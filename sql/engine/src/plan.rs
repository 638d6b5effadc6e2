//! From a logical plan to what runs, on a thread with a big stack.

use std::sync::Arc;

use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use tokio::runtime::Handle;

use crate::error::{EngineError, ErrorKind, Result};
use crate::lineage::{ExtensionLineage, PlanLineage, plan_lineage};
use crate::node::OperatorNode;

/// The stack of the planning thread. Statements within the gate's limits need a small part of it.
const PLANNING_STACK_BYTES: usize = 64 << 20;

/// Turns the plan of a query into the plan of what is written.
pub(crate) type Shape = Box<dyn FnOnce(LogicalPlan) -> Result<LogicalPlan> + Send>;

/// A plan ready to run.
pub(crate) struct Planned {
    pub(crate) physical: Arc<dyn ExecutionPlan>,
    pub(crate) lineage: Option<PlanLineage>,
}

impl Planned {
    /// Analyses, optimises and plans. Lineage is read from the analysed plan, before the optimiser
    /// moves anything.
    pub(crate) fn new(state: &SessionState, plan: LogicalPlan, with_lineage: bool, handle: &Handle) -> Result<Self> {
        let lineage = if with_lineage {
            let analysed = state
                .analyzer()
                .execute_and_check(plan.clone(), state.config_options(), |_, _| {})
                .map_err(|error| EngineError::of_plan(&error))?;
            Some(plan_lineage(&analysed, &operator_lineage))
        } else {
            None
        };
        let physical = handle.block_on(state.create_physical_plan(&plan))?;
        Ok(Self { physical, lineage })
    }
}

/// Returns what an operator's spec says about its columns.
fn operator_lineage(node: &dyn UserDefinedLogicalNode) -> Option<ExtensionLineage> {
    let node = node.as_any().downcast_ref::<OperatorNode>()?;
    Some(ExtensionLineage { columns: node.operator.column_lineage(), indirect: node.operator.indirect_lineage() })
}

/// Runs planning work on a thread of its own; a panic in a planner is an error, not the end.
pub(crate) async fn on_big_stack<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("planner".to_owned())
        .stack_size(PLANNING_STACK_BYTES)
        .spawn(move || sender.send(work()).is_ok())
        .map_err(|error| EngineError::new(ErrorKind::Internal, format!("cannot start a planning thread: {error}")))?;
    receiver.await.unwrap_or_else(|_| {
        Err(EngineError::new(ErrorKind::Internal, "the planner panicked")
            .with_hint("this is a bug; please report the statement"))
    })
}
