//! Runs an operator inside a physical plan: on a thread of its own, fed by a bounded channel.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use causeway_core::{Cancel, Literals, MemoryBudget, Operator, OperatorError, OperatorFactory, Relation, RunContext};
use causeway_model::{OperatorUse, StoredRelease};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::context::QueryPlanner;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{LogicalPlan, UserDefinedLogicalNode};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, Partitioning, PlanProperties,
};
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::access::Barrier;
use crate::error::EngineError;
use crate::node::OperatorNode;
use crate::release::Question;
use crate::running::{CancelOnDrop, Running};
use crate::scratch::SpillFolder;

/// Batches that may wait between the plan and the operator, for each input partition.
const BATCHES_IN_FLIGHT: usize = 16;

/// Plans operator nodes and barriers.
#[derive(Debug, Default)]
pub(crate) struct OperatorQueryPlanner;

#[async_trait]
impl QueryPlanner for OperatorQueryPlanner {
    async fn create_physical_plan(&self, plan: &LogicalPlan, state: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(OperatorExtension)])
            .create_physical_plan(plan, state)
            .await
    }
}

struct OperatorExtension;

#[async_trait]
impl ExtensionPlanner for OperatorExtension {
    async fn plan_extension(
        &self,
        _planner: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        logical_inputs: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        _state: &dyn Session,
        _context: &datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<OperatorNode>() else { return Ok(Barrier::plan(node, inputs)) };
        let question = Question::of(node.factory, &node.literals, node.operator.as_ref(), logical_inputs)?;
        let exec = OperatorExec::new(node, inputs.to_vec(), question.map(Arc::new))?;
        Ok(Some(Arc::new(exec)))
    }
}

/// One operator of a physical plan. It has one output partition.
#[derive(Clone)]
struct OperatorExec {
    factory: &'static dyn OperatorFactory,
    literals: Arc<Literals>,
    operator: Arc<dyn Operator>,
    inputs: Vec<Arc<dyn ExecutionPlan>>,
    /// What a privacy mechanism is asked.
    question: Option<Arc<Question>>,
    properties: Arc<PlanProperties>,
}

impl OperatorExec {
    fn new(node: &OperatorNode, inputs: Vec<Arc<dyn ExecutionPlan>>, question: Option<Arc<Question>>) -> Result<Self> {
        let schema = node.operator.output_schema().map_err(external)?;
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Ok(Self {
            factory: node.factory,
            literals: Arc::clone(&node.literals),
            operator: Arc::clone(&node.operator),
            inputs,
            question,
            properties: Arc::new(properties),
        })
    }

    fn used(&self, report: Value) -> OperatorUse {
        let spec = self.factory.spec();
        let options = Literals::clone(&self.literals).or(self.operator.roles().as_options());
        OperatorUse {
            operator: spec.name.to_owned(),
            version: i64::from(spec.version),
            options: serde_json::to_value(options).unwrap_or_default(),
            report,
        }
    }
}

impl fmt::Debug for OperatorExec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_as(DisplayFormatType::Default, f)
    }
}

impl DisplayAs for OperatorExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<String> = self.literals.iter().map(|(name, value)| format!("{name}={value}")).collect();
        write!(f, "OperatorExec: {} {}", self.factory.spec().name, options.join(", "))
    }
}

impl ExecutionPlan for OperatorExec {
    fn name(&self) -> &'static str {
        "OperatorExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        self.inputs.iter().collect()
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false; self.inputs.len()]
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(Arc::new(Self { inputs: children, ..Self::clone(&self) }))
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let running = context
            .session_config()
            .get_extension::<Running>()
            .ok_or_else(|| DataFusionError::Internal("an operator was run outside a statement".to_owned()))?;
        let work = Work { exec: self.clone(), context, running };
        let schema = SchemaRef::clone(self.properties.eq_properties.schema());
        let stream = futures::stream::once(work.run()).map_ok(|batches| futures::stream::iter(batches).map(Ok));
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, stream.try_flatten())))
    }
}

struct Work {
    exec: OperatorExec,
    context: Arc<TaskContext>,
    running: Arc<Running>,
}

impl Work {
    /// Runs the operator; a privacy mechanism pays first. Dropping the future cancels it.
    async fn run(self) -> Result<Vec<RecordBatch>> {
        let Some(question) = self.exec.question.clone() else { return self.compute().await };
        let running = Arc::clone(&self.running);
        let schema = SchemaRef::clone(self.exec.properties.eq_properties.schema());
        let release = async {
            // Whoever may not read the tables needs a limit.
            if !running.veiled().is_empty() {
                running.till.require_budget(&question).await?;
            }
            let exec = self.exec.clone();
            let again = |stored: &StoredRelease| {
                let report = json!({"served_again": {"charge": stored.charge.id.0, "age_ms": stored.age_ms}});
                running.record(exec.used(report));
                running.served_again(stored);
            };
            running.till.release(&question, &schema, || self.compute(), again).await
        };
        release.await.map_err(EngineError::into_datafusion)
    }

    /// Starts to read the inputs and runs the operator on a blocking thread.
    async fn compute(self) -> Result<Vec<RecordBatch>> {
        let Self { exec, context, running } = self;
        let name = exec.factory.spec().name;
        let cancel = Cancel::default();
        let stop = CancelOnDrop(cancel.clone());
        let mut inputs = Inputs::default();
        let relations = exec.inputs.iter().map(|input| inputs.relation(input, &context)).collect::<Result<Vec<_>>>()?;
        let mut run_context = run_context(name, &context, &running, cancel);
        let operator = Arc::clone(&exec.operator);
        let task = tokio::task::spawn_blocking(move || {
            catch_unwind(AssertUnwindSafe(|| {
                causeway_failpoints::at("operator");
                operator.run(relations, &mut run_context)
            }))
        });
        let output = task.await.map_err(|error| DataFusionError::ExecutionJoin(Box::new(error)))?;
        let panicked = |_| EngineError::of_panic(&format!("operator `{name}`")).into_datafusion();
        let output = output.map_err(panicked)?.map_err(|error| inputs.cause(error))?;
        running.record(exec.used(serde_json::to_value(&output.report).unwrap_or_default()));
        drop(stop);
        Ok(output.batches)
    }
}

/// Makes what an operator may use: its part of the statement's memory, threads and spill folder.
fn run_context(name: &'static str, context: &TaskContext, running: &Arc<Running>, cancel: Cancel) -> RunContext {
    let reservation = MemoryConsumer::new(name).register(context.memory_pool());
    let progress = Arc::clone(running);
    RunContext::new(name, running.seed, Arc::clone(&running.pool))
        .with_cancel(cancel)
        .with_memory(Arc::new(Budget(Mutex::new(reservation))))
        .with_scratch(Arc::new(SpillFolder(context.runtime_env())))
        .with_progress(Arc::new(move |share| progress.progress(share)))
}

/// The tasks that read an operator's inputs. They end with it.
#[derive(Default)]
struct Inputs {
    tasks: JoinSet<()>,
    /// The first failure of an input; the operator itself hears of it in words only.
    failure: Arc<Mutex<Option<EngineError>>>,
}

impl Inputs {
    /// Reads all partitions of an input, one after the other in their order, so that an operator sees
    /// the rows in the same order whatever the number of threads; later partitions are read ahead.
    fn relation(&mut self, input: &Arc<dyn ExecutionPlan>, context: &Arc<TaskContext>) -> Result<Relation> {
        let mut receivers = Vec::new();
        for partition in 0..input.output_partitioning().partition_count() {
            let stream = input.execute(partition, Arc::clone(context))?;
            let (sender, receiver) = mpsc::channel(BATCHES_IN_FLIGHT);
            self.tasks.spawn(forward(stream, sender));
            receivers.push(receiver);
        }
        let failure = Arc::clone(&self.failure);
        let batches = receivers.into_iter().flat_map(partition_batches);
        let batches = batches.map(move |batch| {
            batch.map_err(|error| {
                let error = EngineError::from(error);
                let words = OperatorError::Input(error.to_string());
                failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                words
            })
        });
        Ok(Relation::new(input.schema(), batches))
    }

    /// Returns an operator's error, or the failure of an input that it stands for.
    fn cause(&self, error: OperatorError) -> DataFusionError {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (error, failure) {
            (OperatorError::Input(_), Some(failure)) => failure.into_datafusion(),
            (error, _) => external(error),
        }
    }
}

/// Sends a partition's batches and, last, `None`: an end without it is not the end of the data.
async fn forward(mut stream: SendableRecordBatchStream, sender: mpsc::Sender<Option<Result<RecordBatch>>>) {
    while let Some(batch) = stream.next().await {
        if sender.send(Some(batch)).await.is_err() {
            return;
        }
    }
    // Nobody listening any more is the receiver's choice.
    let _: std::result::Result<(), _> = sender.send(None).await;
}

fn partition_batches(
    mut receiver: mpsc::Receiver<Option<Result<RecordBatch>>>,
) -> impl Iterator<Item = Result<RecordBatch>> {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        match receiver.blocking_recv() {
            Some(Some(batch)) => Some(batch),
            Some(None) => {
                ended = true;
                None
            }
            None => {
                ended = true;
                Some(Err(DataFusionError::Internal("an input of an operator stopped before its end".to_owned())))
            }
        }
    })
}

fn external(error: OperatorError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

struct Budget(Mutex<MemoryReservation>);

impl MemoryBudget for Budget {
    fn grow(&self, bytes: usize) -> std::result::Result<(), String> {
        let reservation = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reservation.try_grow(bytes).map_err(|_| format!("{bytes} bytes more are needed"))
    }
}
