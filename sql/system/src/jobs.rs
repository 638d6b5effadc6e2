//! Rows of `system.jobs`, `system.attempts` and `system.workers`.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use causeway_model::{AttemptOutcome, Catalog, ErrorClass, Job, JobId, JobPage, JobState, Rights};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{LexOrdering, PhysicalSortExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use futures::stream;

use crate::cells::{booleans, instants, integers, optional_integers, optional_texts, texts};
use crate::provider::{Source, catalog_error};
use crate::visible::visible;

/// Jobs read at once.
const PAGE: i64 = 1_000;

/// `system.jobs`, newest first, read page by page as far as the query wants to see: a queue may hold
/// hundreds of thousands of jobs, and people look at the first ones.
pub(crate) struct Pages {
    catalog: Arc<dyn Catalog>,
    rights: Arc<Rights>,
    schema: SchemaRef,
    first: JobPage,
}

/// What a condition says about the jobs to read.
pub(crate) enum Asked {
    State(JobState),
    Before(JobId),
    From(JobId),
    Only(JobId),
}

/// Reads `state = '…'` and comparisons of `job` with a number.
pub(crate) fn asked_for(filter: &Expr) -> Option<Asked> {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = filter else { return None };
    let (Expr::Column(column), Expr::Literal(value, _)) = (left.as_ref(), right.as_ref()) else { return None };
    if column.name == "state" && *op == Operator::Eq {
        let name = value.try_as_str().flatten()?;
        return JobState::ALL.into_iter().find(|state| state.name() == name).map(Asked::State);
    }
    let datafusion::scalar::ScalarValue::Int64(Some(number)) = value else { return None };
    if column.name != "job" {
        return None;
    }
    let after = JobId(number.saturating_add(1));
    match op {
        Operator::Lt => Some(Asked::Before(JobId(*number))),
        Operator::LtEq => Some(Asked::Before(after)),
        Operator::Gt => Some(Asked::From(after)),
        Operator::GtEq => Some(Asked::From(JobId(*number))),
        Operator::Eq => Some(Asked::Only(JobId(*number))),
        _ => None,
    }
}

fn narrow(page: &mut JobPage, before: JobId, from: Option<JobId>) {
    page.before = Some(page.before.map_or(before, |known| known.min(before)));
    page.from = page.from.max(from);
}

impl Pages {
    pub(crate) fn new(catalog: &Arc<dyn Catalog>, rights: &Arc<Rights>, schema: SchemaRef, filters: &[Expr]) -> Self {
        let mut first = JobPage::newest(PAGE);
        for asked in filters.iter().filter_map(asked_for) {
            match asked {
                Asked::State(state) => first.state = Some(state),
                Asked::Before(job) => narrow(&mut first, job, None),
                Asked::From(job) => narrow(&mut first, JobId(i64::MAX), Some(job)),
                Asked::Only(job) => narrow(&mut first, JobId(job.0.saturating_add(1)), Some(job)),
            }
        }
        if !rights.sees_record() && !rights.has_role("operator") {
            first.actor = Some(rights.user.clone());
        }
        Self { catalog: Arc::clone(catalog), rights: Arc::clone(rights), schema, first }
    }

    /// Returns the plan. It says that its rows are ordered, so that `ORDER BY job DESC LIMIT 50` reads one page.
    pub(crate) fn scan(self, projection: Option<&Vec<usize>>, limit: Option<usize>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = SchemaRef::clone(&self.schema);
        let at = schema.index_of("job")?;
        let shown = projection.map_or(Some(at), |shown| shown.iter().position(|column| *column == at));
        let newest_first = SortOptions { descending: true, nulls_first: true };
        let ordering = shown.and_then(|place| {
            LexOrdering::new([PhysicalSortExpr::new(Arc::new(Column::new("job", place)), newest_first)])
        });
        let plan = StreamingTableExec::try_new(schema, vec![Arc::new(self)], projection, ordering, false, limit)?;
        Ok(Arc::new(plan))
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages").field("first", &self.first).finish_non_exhaustive()
    }
}

impl PartitionStream for Pages {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _ctx: Arc<TaskContext>) -> SendableRecordBatchStream {
        let (catalog, rights, schema) = (Arc::clone(&self.catalog), Arc::clone(&self.rights), Arc::clone(&self.schema));
        let pages = stream::try_unfold(Some(self.first.clone()), move |page| {
            let (catalog, rights, schema) = (Arc::clone(&catalog), Arc::clone(&rights), Arc::clone(&schema));
            async move {
                let Some(page) = page else { return Ok(None) };
                let jobs = catalog.jobs(&page).await.map_err(catalog_error)?;
                let is_last = jobs.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
                let next = jobs.last().filter(|_| !is_last).map(|job| JobPage { before: Some(job.id), ..page });
                let batch = RecordBatch::try_new(schema, columns(&jobs)?)?;
                let batch = visible(&Source::Jobs, batch, catalog.as_ref(), &rights).await?;
                Ok(Some((batch, next)))
            }
        });
        Box::pin(RecordBatchStreamAdapter::new(SchemaRef::clone(&self.schema), pages))
    }
}

/// Returns the columns of some jobs.
pub(crate) fn columns(jobs: &[Job]) -> Result<Vec<ArrayRef>> {
    let rows = || jobs.iter();
    let groups = || rows().map(|row| row.spec.group.as_ref());
    Ok(vec![
        integers(rows().map(|row| row.id.0)),
        texts(rows().map(|row| row.spec.kind.name())),
        texts(rows().map(|row| &row.spec.work)),
        texts(rows().map(|row| row.spec.parameters.to_json().to_string())),
        texts(rows().map(|row| &row.spec.run.0)),
        texts(rows().map(|row| &row.spec.actor)),
        texts(rows().map(|row| row.state.name())),
        integers(rows().map(|row| row.spec.priority)),
        optional_texts(rows().map(|row| row.spec.dedupe_key.as_ref())),
        optional_texts(groups().map(|group| group.map(|group| &group.name))),
        optional_integers(groups().map(|group| group.map(|group| group.limit))),
        integers(rows().map(|row| row.attempt)),
        integers(rows().map(|row| row.n_failures)),
        integers(rows().map(|row| row.spec.max_attempts)),
        optional_integers(rows().map(|row| row.spec.timeout_ms)),
        optional_integers(rows().map(|row| row.spec.memory_limit_bytes)),
        booleans(rows().map(|row| row.cancel_requested)),
        optional_texts(rows().map(|row| row.worker.as_ref())),
        optional_texts(rows().map(|row| row.error_code.as_ref())),
        optional_texts(rows().map(|row| row.error.as_ref())),
        instants(rows().map(|row| Some(row.submitted_at.as_str())))?,
        instants(rows().map(|row| Some(row.run_at.as_str())))?,
        instants(rows().map(|row| row.started_at.as_deref()))?,
        instants(rows().map(|row| row.finished_at.as_deref()))?,
    ])
}

pub(crate) async fn attempts(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let attempts = catalog.attempts(None).await.map_err(catalog_error)?;
    let rows = || attempts.iter();
    Ok(vec![
        integers(rows().map(|row| row.job.0)),
        integers(rows().map(|row| row.attempt)),
        texts(rows().map(|row| &row.worker)),
        optional_texts(rows().map(|row| row.outcome.map(AttemptOutcome::name))),
        optional_texts(rows().map(|row| row.class.map(ErrorClass::name))),
        optional_texts(rows().map(|row| row.error_code.as_ref())),
        optional_texts(rows().map(|row| row.error.as_ref())),
        instants(rows().map(|row| Some(row.started_at.as_str())))?,
        instants(rows().map(|row| Some(row.heartbeat_at.as_str())))?,
        instants(rows().map(|row| row.finished_at.as_deref()))?,
    ])
}

pub(crate) async fn workers(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let workers = catalog.workers().await.map_err(catalog_error)?;
    let rows = || workers.iter();
    Ok(vec![
        texts(rows().map(|row| &row.spec.name)),
        texts(rows().map(|row| row.state.name())),
        integers(rows().map(|row| row.spec.slots)),
        optional_texts(rows().map(|row| row.spec.groups.as_ref().map(|groups| groups.join(",")))),
        texts(rows().map(|row| &row.spec.host)),
        integers(rows().map(|row| row.spec.pid)),
        instants(rows().map(|row| Some(row.started_at.as_str())))?,
        instants(rows().map(|row| Some(row.heartbeat_at.as_str())))?,
    ])
}
