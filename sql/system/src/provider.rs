//! One table provider for all relations: the schema is known, the rows are asked for by the scan.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use causeway_model::{Catalog, CatalogError, Rights};
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::catalog::{Session, TableProvider};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::ExecutionPlan;

use crate::question::Question;
use crate::visible::visible;
use crate::{RelationDoc, access, audit, datasets, lineage, operators, runs, steps, tables};

/// Where the rows of a relation come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Source {
    Datasets,
    DatasetVersions,
    Columns,
    Runs,
    Steps,
    OperatorRuns,
    Operators,
    OperatorOptions,
    Principals,
    Grants,
    RowPolicies,
    TableLineage,
    ColumnLineage,
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
            "operator_runs" => Self::OperatorRuns,
            "operators" => Self::Operators,
            "operator_options" => Self::OperatorOptions,
            "principals" => Self::Principals,
            "grants" => Self::Grants,
            "row_policies" => Self::RowPolicies,
            "table_lineage" => Self::TableLineage,
            "column_lineage" => Self::ColumnLineage,
            "audit" => Self::Audit,
            _ => return None,
        })
    }

    async fn rows(&self, catalog: &dyn Catalog, rights: &Rights) -> Result<Vec<ArrayRef>> {
        match self {
            Self::Datasets => datasets::datasets(catalog).await,
            Self::DatasetVersions => datasets::versions(catalog).await,
            Self::Columns => datasets::columns(catalog).await,
            Self::Runs => runs::runs(catalog).await,
            Self::Steps => steps::steps(catalog).await,
            Self::OperatorRuns => runs::operator_runs(catalog).await,
            Self::Operators => Ok(operators::operators()),
            Self::OperatorOptions => Ok(operators::options()),
            Self::Principals => access::principals(catalog).await,
            Self::Grants => access::grants(catalog).await,
            Self::RowPolicies => access::row_policies(catalog).await,
            Self::TableLineage => tables::all(catalog).await,
            Self::ColumnLineage => lineage::newest(catalog).await,
            Self::Lineage(question) => lineage::rows(catalog, rights, question).await,
            Self::Audit => audit::audit(catalog).await,
        }
    }
}

/// A relation of one catalog.
#[derive(Debug)]
pub(crate) struct SystemTable {
    catalog: Arc<dyn Catalog>,
    schema: SchemaRef,
    source: Source,
    rights: Arc<Rights>,
}

impl SystemTable {
    pub(crate) fn new(catalog: Arc<dyn Catalog>, relation: &RelationDoc, source: Source, rights: Arc<Rights>) -> Self {
        Self { catalog, schema: relation.schema(), source, rights }
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

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns = self.source.rows(self.catalog.as_ref(), &self.rights).await?;
        let batch = RecordBatch::try_new(self.schema(), columns)?;
        let batch = visible(&self.source, batch, self.catalog.as_ref(), &self.rights).await?;
        Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], self.schema(), projection.cloned())?)
    }
}

/// Lets a catalog's error travel through a query, so that its code reaches the user.
pub(crate) fn catalog_error(error: CatalogError) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}
