//! A version of a table as DataFusion sees it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use chrono::DateTime;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::stats::Precision;
use datafusion::common::{ColumnStatistics, DataFusionError, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use object_store::ObjectMeta;
use serde_json::Value;

use crate::bounds;
use crate::error::Result;
use crate::log::read::Log;
use crate::log::state::{DataFile, TableState};
use crate::store::Root;

/// Scans the data files of one version; its row count and bounds come from the log.
pub(crate) struct LakeTable {
    root: Root,
    log: Log,
    state: Arc<TableState>,
    files: OnceLock<(Vec<PartitionedFile>, Statistics)>,
}

impl std::fmt::Debug for LakeTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LakeTable")
            .field("location", &self.state.location)
            .field("version", &self.state.version)
            .finish_non_exhaustive()
    }
}

impl LakeTable {
    pub(crate) fn new(root: Root, log: Log, state: Arc<TableState>) -> Self {
        Self { root, log, state, files: OnceLock::new() }
    }

    fn files(&self) -> datafusion::error::Result<&(Vec<PartitionedFile>, Statistics)> {
        if let Some(files) = self.files.get() {
            return Ok(files);
        }
        let listed = self.state.files.iter().map(|file| self.partitioned_file(file)).collect::<Result<Vec<_>>>();
        let listed = listed.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let per_file = listed.iter().filter_map(|file| file.statistics.as_deref());
        let total = Statistics::try_merge_iter(per_file, &self.state.schema)?;
        Ok(self.files.get_or_init(|| (listed, total)))
    }

    fn partitioned_file(&self, file: &DataFile) -> Result<PartitionedFile> {
        let meta = ObjectMeta {
            location: self.log.path(&file.path)?,
            last_modified: DateTime::from_timestamp_millis(file.modified_ms).unwrap_or_default(),
            size: file.n_bytes,
            e_tag: None,
            version: None,
        };
        let statistics = Arc::new(file_statistics(file, &self.state.schema));
        Ok(PartitionedFile::new_from_meta(meta).with_statistics(statistics))
    }
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.state.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Files, row groups and pages are skipped by filter; rows are filtered again above the scan.
    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::error::Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    fn statistics(&self) -> Option<Statistics> {
        self.files().ok().map(|(_, total)| total.clone())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let (files, total) = self.files()?;
        if files.is_empty() {
            let columns = match projection {
                Some(indices) => Arc::new(self.state.schema.project(indices)?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(columns)));
        }
        let runtime = state.runtime_env();
        runtime.register_object_store(self.root.url.as_ref(), Arc::clone(&self.root.store));
        let reader = CachedParquetFileReaderFactory::new(
            Arc::clone(&self.root.store),
            runtime.cache_manager.get_file_metadata_cache(),
        );
        let source = ParquetSource::new(self.schema())
            .with_table_parquet_options(state.table_options().parquet.clone())
            .with_parquet_file_reader_factory(Arc::new(reader));
        // Small groups first: the planner splits large files between readers itself.
        let groups = FileGroup::new(files.clone()).split_files(state.config().target_partitions());
        let scan = FileScanConfigBuilder::new(self.root.url.clone(), Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(total.clone())
            .with_projection_indices(projection.cloned())?
            .with_limit(limit)
            .build();
        Ok(DataSourceExec::from_data_source(scan))
    }
}

/// Reads the statistics that the log holds of a file.
fn file_statistics(file: &DataFile, schema: &SchemaRef) -> Statistics {
    #[derive(Default, serde::Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    struct Logged {
        min_values: HashMap<String, Value>,
        max_values: HashMap<String, Value>,
        null_count: HashMap<String, Value>,
    }
    let logged: Logged = file.stats.as_deref().and_then(|stats| serde_json::from_str(stats).ok()).unwrap_or_default();
    let columns = schema.fields().iter().map(|field| {
        let bound = |values: &HashMap<String, Value>| match values
            .get(field.name())
            .and_then(|value| bounds::from_json(value, field.data_type()))
        {
            Some(value) if bounds::is_exact(field.data_type()) => Precision::Exact(value),
            Some(value) => Precision::Inexact(value),
            None => Precision::Absent,
        };
        let nulls = logged.null_count.get(field.name()).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        ColumnStatistics {
            null_count: nulls.map_or(Precision::Absent, Precision::Exact),
            min_value: bound(&logged.min_values),
            max_value: bound(&logged.max_values),
            ..ColumnStatistics::new_unknown()
        }
    });
    let rows = file.n_rows.and_then(|n| usize::try_from(n).ok());
    Statistics {
        num_rows: rows.map_or(Precision::Absent, Precision::Exact),
        total_byte_size: usize::try_from(file.n_bytes).map_or(Precision::Absent, Precision::Inexact),
        column_statistics: columns.collect(),
    }
}
