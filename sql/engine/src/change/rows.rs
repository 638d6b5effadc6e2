//! CREATE TABLE AS, INSERT, UPDATE, DELETE and MERGE: rows of a query written to a table.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use causeway_lake::{Commit, Rewrite, TableOptions};
use causeway_model::{DatasetPolicy, DatasetVersion, Privilege, StepOutcome, TableName};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::{Column as DfColumn, ScalarValue};
use datafusion::execution::TaskContext;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::physical_plan::{ExecutionPlan, execute_stream, execute_stream_partitioned};
use datafusion::sql::sqlparser::ast::{Insert, Query};
use futures::TryStreamExt;

use crate::access::denied;
use crate::api::StatementKind;
use crate::call::{References, prepare};
use crate::dml::{self, Rewritten};
use crate::error::{EngineError, ErrorKind, Result};
use crate::lineage::PlanLineage;
use crate::parse::{CreateMode, DEFAULT_SCHEMA, Statement};
use crate::plan::{Planned, Shape};
use crate::resolve::{Resolved, newest_of};

use super::outcome::{Described, describe, edges, kept_edges, output_version};
use super::target::{Target, check_column_names};
use super::{Change, Done, Prepared, Task, operator_versions};

/// Rows on their way into a table.
pub(super) struct Write {
    planned: Planned,
    how: How,
    policies: BTreeMap<String, DatasetPolicy>,
    /// For UPDATE, DELETE and MERGE: counts the rows that change, and checks the join first.
    rewritten: Option<(Rewritten, Arc<Resolved>)>,
}

/// How rows enter the table.
enum How {
    /// They become its content.
    Replace,
    /// There are none: the table is made with its columns as declared.
    Create,
    /// They are added.
    Append(Box<DatasetVersion>),
    /// They become its content, computed from this version; the columns stay what they are.
    Change(Box<DatasetVersion>, SchemaRef),
}

impl Change<'_> {
    pub(super) async fn create_table_as(
        &self,
        name: &TableName,
        create: CreateMode,
        query: &Query,
        pinned: &[DatasetVersion],
    ) -> Result<Prepared> {
        let Some(target) = Target::create(self, name, create).await? else { return Ok(Prepared::nothing()) };
        let shape: Shape = Box::new(|plan| {
            check_column_names(plan.schema().fields().iter().map(|field| field.name().as_str()))?;
            Ok(plan)
        });
        self.write(query, pinned, shape, target, How::Replace, None).await
    }

    pub(super) async fn insert(&self, insert: &Insert, pinned: &[DatasetVersion]) -> Result<Prepared> {
        let inserted = dml::insert(insert)?;
        let (target, _, newest) = Target::existing(self, &inserted.table, &[Privilege::Insert]).await?;
        let schema = self.schema_of(&target, &newest).await?;
        let columns = inserted.columns;
        let known: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
        for column in &columns {
            dml::known(column, &known, &inserted.table)?;
        }
        let shape: Shape = Box::new(move |plan| by_position(plan, &columns, &schema));
        self.write(&inserted.rows, pinned, shape, target, How::Append(Box::new(newest)), None).await
    }

    /// UPDATE, DELETE and MERGE.
    pub(super) async fn rewrite(&self, pinned: &[DatasetVersion]) -> Result<Prepared> {
        let all = [Privilege::Insert, Privilege::Update, Privilege::Delete];
        let (name, privileges) = match &self.parsed.statement {
            Statement::Update(update) => (dml::target(&update.table.relation)?, &all[1..2]),
            Statement::Delete(delete) => (dml::target(dml::delete_table(delete)?)?, &all[2..]),
            Statement::Merge(merge) => (dml::target(&merge.table)?, &all[..]),
            _ => return Err(EngineError::new(ErrorKind::Internal, "not a change of rows")),
        };
        let (target, dataset, newest) = Target::existing(self, &name, privileges).await?;
        let base = newest_of(pinned, dataset.id).cloned().unwrap_or(newest);
        let schema = self.schema_of(&target, &base).await?;
        let rewritten = match &self.parsed.statement {
            Statement::Update(update) => dml::update(update, &schema)?,
            Statement::Delete(delete) => dml::delete(delete, &schema)?,
            Statement::Merge(merge) => dml::merge(merge, &schema)?,
            _ => return Err(EngineError::new(ErrorKind::Internal, "not a change of rows")),
        };
        let table_schema = SchemaRef::clone(&schema);
        let shape: Shape = Box::new(move |plan| by_position(plan, &[], &schema));
        let content = rewritten.content.clone();
        let how = How::Change(Box::new(base), table_schema);
        self.write(&content, pinned, shape, target, how, Some(rewritten)).await.map_err(EngineError::without_position)
    }

    /// A table with columns and no rows.
    pub(super) async fn empty_table(&self, target: Target, plan: &LogicalPlan) -> Result<Prepared> {
        let physical = self.state.create_physical_plan(plan).await?;
        let columns = plan.schema().fields().iter().map(|field| (field.name().clone(), BTreeSet::new())).collect();
        let lineage = PlanLineage { columns, ..PlanLineage::default() };
        let planned = Planned { logical: plan.clone(), physical, lineage: Some(lineage) };
        let write = Write { planned, how: How::Create, policies: BTreeMap::new(), rewritten: None };
        Ok(Prepared { target: Some(target), task: Task::Write(Box::new(write)), ..Prepared::nothing() })
    }

    async fn schema_of(&self, target: &Target, version: &DatasetVersion) -> Result<SchemaRef> {
        let at = causeway_lake::At::Version(version.version);
        Ok(self.engine.lake().snapshot_at(&target.location, &at).await?.schema())
    }

    async fn write(
        &self,
        query: &Query,
        pinned: &[DatasetVersion],
        shape: Shape,
        target: Target,
        how: How,
        rewritten: Option<Rewritten>,
    ) -> Result<Prepared> {
        let mut query = Box::new(query.clone());
        let mut references = prepare(&mut query, self.parameters())?;
        if let Some(rewritten) = &rewritten {
            references.extend(prepare(&mut rewritten.changed.clone(), self.parameters())?);
        }
        let resolved = self.resolve(&references, pinned).await?;
        if matches!(how, How::Replace | How::Change(..))
            && target.dataset.as_ref().is_some_and(|dataset| resolved.is_narrowed(dataset.id))
        {
            let problem = format!("`{}` would lose the rows and columns that you may not read", target.name);
            return Err(denied(problem).with_hint("make a table of another name"));
        }
        let planned = self.engine.plan(&self.state, &resolved, query, shape, true).await?;
        let inputs = resolved.register_files(self.engine).await?;
        let write = Write {
            planned,
            how,
            policies: resolved.policies(),
            rewritten: rewritten.map(|rewritten| (rewritten, Arc::clone(&resolved))),
        };
        Ok(Prepared {
            inputs,
            views: resolved.views.clone(),
            depends_on: operator_versions(&references).into_iter().chain(resolved.narrowings()).collect(),
            target: Some(target),
            task: Task::Write(Box::new(write)),
            warnings: Vec::new(),
        })
    }

    /// Runs a query that returns few rows and returns its first value, if it has a row.
    async fn scalar(&self, query: &Query, resolved: &Arc<Resolved>) -> Result<Option<i64>> {
        let mut query = Box::new(query.clone());
        let _: References = prepare(&mut query, self.parameters())?;
        let planned = self.engine.plan(&self.state, resolved, query, Box::new(Ok), false).await?;
        let stream = execute_stream(planned.physical, Arc::new(TaskContext::from(self.state.as_ref())))?;
        let batches: Vec<_> = stream.try_collect().await?;
        let batch = batches.iter().find(|batch| batch.num_rows() > 0);
        batch.map_or(Ok(None), |batch| {
            let value = ScalarValue::try_from_array(batch.column(0), 0)?;
            Ok(value.to_string().parse().ok())
        })
    }
}

impl Prepared {
    /// A statement that has nothing to do.
    pub(super) fn nothing() -> Self {
        Self {
            inputs: BTreeMap::new(),
            views: Vec::new(),
            depends_on: Vec::new(),
            target: None,
            task: Task::Nothing,
            warnings: Vec::new(),
        }
    }

    /// Adds something the user should know.
    pub(super) fn warning(mut self, warning: String) -> Self {
        self.warnings.push(warning);
        self
    }
}

impl Write {
    /// Writes the rows in one commit, or takes the commit that has already landed.
    pub(super) async fn perform(
        self,
        change: &Change<'_>,
        inputs: &BTreeMap<String, DatasetVersion>,
        target: Option<Target>,
        landed: Option<Commit>,
    ) -> Result<Done> {
        let (Some(target), Some(lineage)) = (target, &self.planned.lineage) else {
            return Err(EngineError::new(ErrorKind::Internal, "a write without a target"));
        };
        let schema = self.schema();
        let mut described = describe(&schema, lineage, inputs, &self.policies);
        self.inherit(&target, &mut described)?;
        let changed = self.rows_changed(change).await?;
        let commit = match landed {
            Some(commit) => commit,
            None => self.commit(change, &target, &schema, &described).await?,
        };
        let rows_out = changed.or_else(|| i64::try_from(commit.rows_written).ok());
        let previous = self.previous(change, &target, &commit).await?;
        let outcome = self.outcome(&target, &commit, described, lineage, inputs, rows_out, previous.as_ref());
        Ok(Done { outcome, warnings: Vec::new() })
    }

    /// Returns the columns of the new version. A query's result may hold NULL in any column, also where
    /// this one's rows happen to hold none.
    fn schema(&self) -> Schema {
        match &self.how {
            How::Change(_, schema) => schema.as_ref().clone(),
            How::Create => self.planned.physical.schema().as_ref().clone(),
            How::Replace | How::Append(_) => {
                let fields = self
                    .planned
                    .physical
                    .schema()
                    .fields()
                    .iter()
                    .map(|field| field.as_ref().clone().with_nullable(true))
                    .collect::<Vec<_>>();
                Schema::new(fields)
            }
        }
    }

    /// Keeps what the table's earlier versions declared. An INSERT cannot make a column identifying:
    /// its values are already in the statistics of older files.
    fn inherit(&self, target: &Target, described: &mut Described) -> Result<()> {
        let (How::Append(_) | How::Change(..), Some(dataset)) = (&self.how, &target.dataset) else {
            described.renew(target.dataset.as_ref());
            return Ok(());
        };
        let declared = &dataset.policy.identifying;
        if let Some(new) = described.policy.identifying.iter().find(|column| !declared.contains(column)) {
            return Err(EngineError::new(
                ErrorKind::Refused,
                format!("column `{new}` of `{}` would receive values that identify a person, but is not declared identifying", target.name),
            )
            .with_hint(format!("ALTER TABLE {} SET (identifying = ({new}, …)) declares it", target.name)));
        }
        described.policy = dataset.policy.clone();
        for column in &mut described.columns {
            column.identifying = declared.contains(&column.name);
        }
        Ok(())
    }

    async fn rows_changed(&self, change: &Change<'_>) -> Result<Option<i64>> {
        let Some((rewritten, resolved)) = &self.rewritten else { return Ok(None) };
        if let Some((query, problem)) = &rewritten.must_be_empty
            && change.scalar(query, resolved).await?.is_some()
        {
            return Err(EngineError::new(ErrorKind::Data, *problem));
        }
        change.scalar(&rewritten.changed, resolved).await
    }

    async fn commit(
        &self,
        change: &Change<'_>,
        target: &Target,
        schema: &Schema,
        described: &Described,
    ) -> Result<Commit> {
        let lake = change.engine.lake();
        let context = Arc::new(TaskContext::from(change.state.as_ref()));
        let partitions = execute_stream_partitioned(Arc::clone(&self.planned.physical), context)?;
        let marker = change.marker();
        if let How::Append(_) = self.how {
            return Ok(lake.append(&target.location, partitions, &marker).await?);
        }
        let base_version = match &self.how {
            How::Change(base, _) => Some(base.version),
            _ => None,
        };
        let rewrite = Rewrite {
            schema: Arc::new(schema.clone()),
            options: TableOptions { identifying: described.policy.identifying.clone() },
            operation: operation(change.kind()),
            base_version,
        };
        Ok(lake.overwrite_with(&target.location, partitions, &rewrite, &marker).await?)
    }

    /// Returns the version that a changed table was before. Appends of several writers may land between
    /// preparing and committing, so it is looked up by the version that was committed.
    async fn previous(&self, change: &Change<'_>, target: &Target, commit: &Commit) -> Result<Option<DatasetVersion>> {
        let (How::Append(newest) | How::Change(newest, _)) = &self.how else { return Ok(None) };
        let Some(dataset) = &target.dataset else { return Ok(Some(newest.as_ref().clone())) };
        let versions = change.engine.catalog().versions(Some(dataset.id)).await?;
        Ok(versions
            .into_iter()
            .filter(|version| version.version < commit.version)
            .max_by_key(|version| version.version))
    }

    #[expect(clippy::too_many_arguments, reason = "what a commit leaves behind is said once, here")]
    fn outcome(
        &self,
        target: &Target,
        commit: &Commit,
        described: Described,
        lineage: &PlanLineage,
        inputs: &BTreeMap<String, DatasetVersion>,
        rows_out: Option<i64>,
        previous: Option<&DatasetVersion>,
    ) -> StepOutcome {
        let mut lineage = edges(lineage, inputs, 0);
        if let (How::Append(_), Some(previous)) = (&self.how, previous) {
            lineage.extend(kept_edges(previous, &described.columns, 0));
        }
        lineage.sort();
        lineage.dedup();
        StepOutcome {
            schemas: (target.name.schema == DEFAULT_SCHEMA).then(|| DEFAULT_SCHEMA.to_owned()).into_iter().collect(),
            outputs: vec![output_version(target, commit, described, previous)],
            lineage,
            rows_in: i64::try_from(rows_read(self.planned.physical.as_ref())).ok(),
            rows_out,
            ..StepOutcome::default()
        }
    }
}

/// Returns the rows that the leaves of an executed plan have produced.
pub(super) fn rows_read(plan: &dyn ExecutionPlan) -> usize {
    let children = plan.children();
    if children.is_empty() {
        return plan.metrics().and_then(|metrics| metrics.output_rows()).unwrap_or(0);
    }
    children.into_iter().map(|child| rows_read(child.as_ref())).sum()
}

fn operation(kind: StatementKind) -> &'static str {
    match kind {
        StatementKind::Update => "UPDATE",
        StatementKind::Delete => "DELETE",
        StatementKind::Merge => "MERGE",
        _ => "CREATE OR REPLACE TABLE",
    }
}

/// Fits the columns of a query to those of a table: `named` gives the target of each column of the
/// query, or by position if it is empty. Columns not named become NULL.
fn by_position(plan: LogicalPlan, named: &[String], schema: &Schema) -> Result<LogicalPlan> {
    let given = plan.schema().fields().len();
    let wanted = if named.is_empty() { schema.fields().len() } else { named.len() };
    if given != wanted {
        return Err(EngineError::new(ErrorKind::Plan, format!("{given} values for {wanted} columns")));
    }
    let columns: Vec<DfColumn> = plan.schema().columns();
    let mut projection = Vec::with_capacity(schema.fields().len());
    for (index, field) in schema.fields().iter().enumerate() {
        let position = if named.is_empty() { Some(index) } else { named.iter().position(|name| name == field.name()) };
        let value = match position {
            Some(position) => fitted(
                Expr::Column(columns[position].clone()),
                plan.schema().field(position).data_type(),
                field.data_type(),
            ),
            None if field.is_nullable() => lit(ScalarValue::try_from(field.data_type())?),
            None => {
                let problem = format!("column `{}` takes no NULL and is not given a value", field.name());
                return Err(EngineError::new(ErrorKind::Plan, problem));
            }
        };
        projection.push(value.alias(field.name()));
    }
    Ok(LogicalPlanBuilder::from(plan).project(projection)?.build()?)
}

fn fitted(
    value: Expr,
    from: &datafusion::arrow::datatypes::DataType,
    to: &datafusion::arrow::datatypes::DataType,
) -> Expr {
    if from == to { value } else { cast(value, to.clone()) }
}
