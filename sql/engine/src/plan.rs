//! From a logical plan to what runs, on a thread with a big stack.

use std::sync::Arc;

use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_plan::ExecutionPlan;
use tokio::runtime::Handle;

use crate::access::Barrier;
use crate::error::{EngineError, ErrorKind, Result};
use crate::lineage::{ExtensionLineage, PlanLineage, plan_lineage};
use crate::node::OperatorNode;
use crate::parameters::check_fit;
use crate::running::Running;

/// The stack of the planning thread. Statements within the gate's limits need a small part of it.
const PLANNING_STACK_BYTES: usize = 64 << 20;

/// Turns the plan of a query into the plan of what is written.
pub(crate) type Shape = Box<dyn FnOnce(LogicalPlan) -> Result<LogicalPlan> + Send>;

/// A plan ready to run.
pub(crate) struct Planned {
    pub(crate) logical: LogicalPlan,
    pub(crate) physical: Arc<dyn ExecutionPlan>,
    pub(crate) lineage: Option<PlanLineage>,
}

impl Planned {
    /// Analyses, optimises and plans. Lineage is read from the analysed plan, before the optimiser
    /// moves anything.
    pub(crate) fn new(state: &SessionState, plan: LogicalPlan, with_lineage: bool, handle: &Handle) -> Result<Self> {
        causeway_failpoints::at("planner");
        let analysed = state
            .analyzer()
            .execute_and_check(plan, state.config_options(), |_, _| {})
            .map_err(|error| EngineError::of_plan(&error))?;
        if let Some(running) = state.config().get_extension::<Running>() {
            check_fit(&analysed, &running.parameters)?;
            running.veiled().check(&analysed)?;
        }
        let lineage = with_lineage.then(|| plan_lineage(&analysed, &extension_lineage));
        let optimised = state.optimizer().optimize(analysed, state, |_, _| {})?;
        let physical = handle.block_on(state.query_planner().create_physical_plan(&optimised, state))?;
        Ok(Self { logical: optimised, physical, lineage })
    }
}

/// Returns what an operator's spec says about its columns, or a barrier about those it hands on.
pub(crate) fn extension_lineage(node: &dyn UserDefinedLogicalNode) -> Option<ExtensionLineage> {
    if let Some(barrier) = node.as_any().downcast_ref::<Barrier>() {
        return Some(barrier.lineage());
    }
    let operator = &node.as_any().downcast_ref::<OperatorNode>()?.operator;
    let (mut columns, mut indirect) = (operator.column_lineage(), operator.indirect_lineage());
    // A heuristic without a proof hides nothing, whatever else the operator offers.
    if operator.privacy_cost().is_some_and(|cost| !cost.is_sound) {
        columns.iter_mut().flatten().chain(&mut indirect).for_each(|origin| origin.masking = false);
    }
    Some(ExtensionLineage { columns, indirect })
}

/// Runs planning work on a thread with a big stack; a panic in a planner is an error, not the end.
pub(crate) async fn on_big_stack<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    planners::run(Box::new(move || {
        // Whoever asked may have gone.
        let _: std::result::Result<(), _> = sender.send(work());
    }))?;
    receiver.await.unwrap_or_else(|_| Err(EngineError::of_panic("the planner")))
}

/// The planning threads. One that has nothing to do waits for the next statement: a new thread costs
/// that statement the pages of its stack. There are as many as statements are being planned at once.
mod planners {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::mpsc::{Receiver, SendError, Sender, channel};
    use std::sync::{Mutex, PoisonError};

    use super::{EngineError, ErrorKind, PLANNING_STACK_BYTES, Result};

    pub(super) type Work = Box<dyn FnOnce() + Send>;

    /// Threads that stay when there is nothing to plan.
    const IDLE_THREADS: usize = 4;

    static IDLE: Mutex<Vec<Sender<Work>>> = Mutex::new(Vec::new());

    pub(super) fn run(work: Work) -> Result<()> {
        let waiting = IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        match waiting {
            Some(thread) => match thread.send(work) {
                Ok(()) => Ok(()),
                Err(SendError(work)) => start(work),
            },
            None => start(work),
        }
    }

    fn start(work: Work) -> Result<()> {
        let (sender, receiver) = channel();
        std::thread::Builder::new()
            .name("planner".to_owned())
            .stack_size(PLANNING_STACK_BYTES)
            .spawn(move || plan(work, &sender, &receiver))
            .map(drop)
            .map_err(|error| EngineError::new(ErrorKind::Internal, format!("cannot start a planning thread: {error}")))
    }

    fn plan(first: Work, sender: &Sender<Work>, receiver: &Receiver<Work>) {
        let mut work = first;
        loop {
            // The asker hears of a panic by the end of its channel.
            let _: std::thread::Result<()> = catch_unwind(AssertUnwindSafe(work));
            let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
            if idle.len() >= IDLE_THREADS {
                return;
            }
            idle.push(sender.clone());
            drop(idle);
            match receiver.recv() {
                Ok(next) => work = next,
                Err(_) => return,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_thread_lives_on() {
        for _ in 0..10 {
            let panicked = on_big_stack::<()>(|| std::panic::resume_unwind(Box::new("a planner's bug"))).await;
            assert!(panicked.unwrap_err().panicked());
            assert_eq!(on_big_stack(|| Ok(7)).await.unwrap(), 7);
        }
    }

    #[tokio::test]
    async fn many_plan_at_once() {
        let barrier = Arc::new(std::sync::Barrier::new(12));
        let plans = (0..12).map(|number| {
            let barrier = Arc::clone(&barrier);
            on_big_stack(move || {
                barrier.wait();
                Ok(number)
            })
        });
        let numbers: Vec<i32> = futures::future::try_join_all(plans).await.unwrap();
        assert_eq!(numbers, (0..12).collect::<Vec<_>>());
    }
}
