//! One table provider for all relations: the schema is known, the rows are asked for by the scan.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use causeway_model::{Catalog, CatalogError, Rights, RunId};
use causeway_openlineage::Reader;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::jobs::Pages;
use crate::question::Question;
use crate::visible::visible;
use crate::{
    RelationDoc, System, access, audit, datasets, jobs, lineage, openlineage, operators, privacy, runs, schedules,
    steps, tables,
};

/// Where the rows of a relation come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    Datasets,
    DatasetVersions,
    Columns,
    Runs,
    Steps,
    Jobs,
    Attempts,
    Workers,
    Schedules,
    Slots,
    Backfills,
    OperatorRuns,
    Operators,
    OperatorOptions,
    Principals,
    Grants,
    RowPolicies,
    PrivacyBudgets,
    PrivacyCharges,
    TableLineage,
    ColumnLineage,
    OpenLineage,
    Lineage(Question),
    Audit,
}

impl Source {
    /// Returns the source of a table of the schema `system`.
    pub(crate) fn of_table(name: &str) -> Option<Self> {
        Some(match name {
            "datasets" => Self::Datasets,
            "dataset_versions" => Self::DatasetVersions,
            "columns" => Self::Columns,
            "runs" => Self::Runs,
            "steps" => Self::Steps,
            "jobs" => Self::Jobs,
            "attempts" => Self::Attempts,
            "workers" => Self::Workers,
            "schedules" => Self::Schedules,
            "slots" => Self::Slots,
            "backfills" => Self::Backfills,
            "operator_runs" => Self::OperatorRuns,
            "operators" => Self::Operators,
            "operator_options" => Self::OperatorOptions,
            "principals" => Self::Principals,
            "grants" => Self::Grants,
            "row_policies" => Self::RowPolicies,
            "privacy_budgets" => Self::PrivacyBudgets,
            "privacy_charges" => Self::PrivacyCharges,
            "table_lineage" => Self::TableLineage,
            "column_lineage" => Self::ColumnLineage,
            "audit" => Self::Audit,
            "openlineage" => Self::OpenLineage,
            _ => return None,
        })
    }

    async fn rows(&self, ask: &Ask<'_>) -> Result<Vec<ArrayRef>> {
        let catalog = ask.catalog;
        match self {
            // Read page by page, by a plan of its own.
            Self::Jobs => Ok(jobs::columns(&[])?),
            Self::Datasets => datasets::datasets(catalog).await,
            Self::DatasetVersions => datasets::versions(catalog).await,
            Self::Columns => datasets::columns(catalog).await,
            Self::Runs => runs::runs(ask).await,
            Self::Steps => steps::steps(ask).await,
            Self::Attempts => jobs::attempts(catalog).await,
            Self::Workers => jobs::workers(catalog).await,
            Self::Schedules => schedules::schedules(catalog).await,
            Self::Slots => schedules::slots(ask).await,
            Self::Backfills => schedules::backfills(catalog).await,
            Self::OperatorRuns => runs::operator_runs(catalog).await,
            Self::Operators => Ok(operators::operators()),
            Self::OperatorOptions => Ok(operators::options()),
            Self::Principals => access::principals(catalog).await,
            Self::Grants => access::grants(catalog).await,
            Self::RowPolicies => access::row_policies(catalog).await,
            Self::PrivacyBudgets => privacy::budgets(catalog).await,
            Self::PrivacyCharges => privacy::charges(ask).await,
            Self::TableLineage => tables::all(catalog).await,
            Self::ColumnLineage => lineage::newest(catalog).await,
            Self::Audit => audit::audit(catalog).await,
            Self::OpenLineage => openlineage::events(ask).await,
            Self::Lineage(question) => lineage::rows(catalog, ask.rights, question).await,
        }
    }
}

/// What a scan asks for.
pub(crate) struct Ask<'a> {
    pub(crate) catalog: &'a dyn Catalog,
    pub(crate) events: Option<&'a Reader>,
    pub(crate) rights: &'a Rights,
    /// The columns that the query looks at; others may be left empty where they can be null.
    pub(crate) columns: Option<&'a [usize]>,
    /// The run that the query asks for, if it asks for one.
    pub(crate) run: Option<RunId>,
    /// How many rows are enough; none where rows are left out afterwards.
    pub(crate) limit: Option<usize>,
}

/// A relation of one catalog.
#[derive(Debug)]
pub(crate) struct SystemTable {
    system: System,
    schema: SchemaRef,
    source: Source,
    rights: Arc<Rights>,
}

impl SystemTable {
    pub(crate) fn new(system: System, relation: &RelationDoc, source: Source, rights: Arc<Rights>) -> Self {
        Self { system, schema: relation.schema(), source, rights }
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    /// A query of one run need not read all, nor one of jobs in one state or before one. What is read too
    /// much is filtered above.
    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let has_run = matches!(self.source, Source::OpenLineage | Source::Runs | Source::Steps);
        let is_used = |filter: &&Expr| match self.source {
            Source::Jobs => jobs::asked_for(filter).is_some(),
            _ => has_run && run_asked_for(filter).is_some(),
        };
        let answer = |filter: &&Expr| match is_used(filter) {
            true => TableProviderFilterPushDown::Inexact,
            false => TableProviderFilterPushDown::Unsupported,
        };
        Ok(filters.iter().map(answer).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if self.source == Source::Jobs {
            let pages = Pages::new(&self.system.catalog, &self.rights, self.schema(), filters);
            return pages.scan(projection, limit);
        }
        let catalog = self.system.catalog.as_ref();
        let ask = Ask {
            catalog,
            events: self.system.events.as_ref(),
            rights: &self.rights,
            columns: projection.map(Vec::as_slice),
            run: filters.iter().find_map(run_asked_for),
            limit: limit.filter(|_| self.rights.sees_record()),
        };
        let batch = RecordBatch::try_new(self.schema(), self.source.rows(&ask).await?)?;
        let batch = visible(&self.source, batch, catalog, &self.rights).await?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], self.schema(), projection.cloned())?)
    }
}

/// Returns the run of the condition `run = '…'`.
fn run_asked_for(filter: &Expr) -> Option<RunId> {
    let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = filter else { return None };
    let (column, value) = match (left.as_ref(), right.as_ref()) {
        (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
            (column, value)
        }
        _ => return None,
    };
    (column.name == "run").then(|| value.try_as_str().flatten().map(|run| RunId(run.to_owned())))?
}

/// Lets a catalog's error travel through a query, so that its code reaches the user.
pub(crate) fn catalog_error(error: CatalogError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
