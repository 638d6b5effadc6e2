//! Joins that can be stopped.
//!
//! A join makes many batches of one that it has read, and what stands above it asks for the next without
//! ever waiting: the task does not yield, so nobody can stop it, and it keeps its thread until the join
//! is done. DataFusion makes leaves and exchanges yield; this makes joins yield too.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;

/// Makes every node with two inputs yield from time to time.
#[derive(Debug)]
pub(crate) struct CooperativeJoins;

impl PhysicalOptimizerRule for CooperativeJoins {
    fn name(&self) -> &'static str {
        "CooperativeJoins"
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let wrapped = plan.transform_up(|node| {
            Ok(match node.children().len() {
                2 => Transformed::yes(Arc::new(CooperativeExec::new(node))),
                _ => Transformed::no(node),
            })
        });
        Ok(wrapped?.data)
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use datafusion::physical_plan::execute_stream;
    use datafusion::prelude::SessionContext;
    use futures::StreamExt;

    use super::*;

    /// One batch of the result takes the whole join; a task that never yields would not be stopped.
    #[tokio::test]
    async fn a_join_that_is_counted_can_be_stopped() {
        let session = SessionContext::new();
        let sql = "SELECT count(*) FROM generate_series(1, 1000000) a JOIN generate_series(1, 1000000) b ON a.value < b.value";
        let plan = session.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
        let plan = CooperativeJoins.optimize(plan, &ConfigOptions::default()).unwrap();
        let mut stream = execute_stream(plan, session.task_ctx()).unwrap();
        let started = Instant::now();
        let stopped = tokio::time::timeout(Duration::from_millis(200), stream.next()).await;
        assert!(stopped.is_err() && started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
    }
}
