//! The rows that stand in the tables already.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use causeway_lake::{Commit, Rewrite, Snapshot, TableOptions};
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{DataFrame, SessionContext, ident, lit};
use futures::{StreamExt, TryStreamExt, stream};

use super::streams::{Signal, refused};
use super::{Channels, Load};
use crate::error::{FaultCount, Result};
use crate::fault::Reason;
use crate::keys::{KeyHasher, KeySet};
use crate::pipeline::check_key_memory;

fn frame(table: &Snapshot) -> Result<DataFrame, DataFusionError> {
    SessionContext::new().read_table(table.provider())
}

impl Load<'_> {
    fn rows_error(&self, error: DataFusionError) -> crate::error::IngestError {
        causeway_lake::LakeError::from(error).into()
    }

    /// Reads the keys that the table holds.
    pub(super) async fn existing_keys(&self, table: &Snapshot, hasher: &KeyHasher) -> Result<Arc<KeySet>> {
        let key: Vec<_> = self.contract.key().into_iter().map(ident).collect();
        let frame = frame(table).and_then(|frame| frame.select(key)).map_err(|error| self.rows_error(error))?;
        let mut rows = frame.execute_stream().await.map_err(|error| self.rows_error(error))?;
        let mut keys = KeySet::default();
        while let Some(batch) = rows.try_next().await.map_err(|error| self.rows_error(error))? {
            let hashes = self.key_hashes(&batch, hasher).map_err(|error| self.rows_error(error))?;
            for key in hashes {
                keys.insert(key);
            }
            let limit = self.request.memory_limit_bytes as u64;
            check_key_memory(&self.request.table.to_string(), keys.len(), keys.n_bytes(), limit)?;
        }
        Ok(Arc::new(keys))
    }

    /// Hashes the keys of rows from the lake, whose types may differ in representation.
    fn key_hashes(&self, batch: &RecordBatch, hasher: &KeyHasher) -> Result<Vec<u128>, DataFusionError> {
        let column = |idx: &usize| -> Result<ArrayRef, DataFusionError> {
            let rule = &self.contract.columns[*idx];
            let values = batch.column_by_name(&rule.name).ok_or_else(|| missing(&rule.name))?;
            Ok(cast(values, &rule.column_type.arrow())?)
        };
        let columns = self.contract.key.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        Ok(hasher.hash_columns(&columns)?)
    }

    /// Writes the file's rows and, of the table's, those whose key is not in the file.
    pub(super) async fn merge(
        &self,
        table: &Snapshot,
        hasher: &Arc<KeyHasher>,
        keys: &Arc<OnceLock<KeySet>>,
        channels: Channels,
    ) -> Result<Commit> {
        let old = frame(table).map_err(|error| self.rows_error(error))?;
        let old = old.execute_stream_partitioned().await.map_err(|error| self.rows_error(error))?;
        let mut partitions = self.partitions(&channels);
        for rows in old {
            partitions.push(self.survivors(rows, hasher, keys, channels.accepted.clone()));
        }
        let mut identifying = self.contract.policy().identifying;
        identifying.extend(table.identifying());
        identifying.sort();
        identifying.dedup();
        let rewrite = Rewrite {
            schema: self.contract.schema(),
            options: TableOptions { identifying },
            operation: "MERGE",
            base_version: Some(table.version()),
        };
        let (location, marker) = (&self.request.table_location, self.marker("table"));
        Ok(self.lake.overwrite_with(location, partitions, &rewrite, &marker).await?)
    }

    /// Yields the old rows that stay, once all keys of the file are known.
    fn survivors(
        &self,
        rows: SendableRecordBatchStream,
        hasher: &Arc<KeyHasher>,
        keys: &Arc<OnceLock<KeySet>>,
        accepted: Signal,
    ) -> SendableRecordBatchStream {
        let filter = Survivors {
            key: self.contract.key().into_iter().map(str::to_owned).collect(),
            types: self.contract.key.iter().map(|idx| self.contract.columns[*idx].column_type.arrow()).collect(),
            hasher: Arc::clone(hasher),
            keys: Arc::clone(keys),
            schema: self.contract.schema(),
        };
        let schema = self.contract.schema();
        let wait = async move { if accepted.opens().await { Ok(()) } else { Err(refused()) } };
        // Nothing but, perhaps, the error comes before the rows.
        let waited = stream::once(wait).try_filter_map(|()| async { Ok(None) });
        let rows = rows.map(move |batch| filter.keep(&batch?));
        Box::pin(RecordBatchStreamAdapter::new(schema, waited.chain(rows)))
    }

    /// Counts what this load put into the quarantine when it ran before.
    pub(super) async fn quarantined_before(&self, table: &Snapshot) -> Result<Vec<FaultCount>> {
        let columns = ["row_number", "column", "reason"].map(ident);
        let frame = frame(table)
            .and_then(|frame| frame.filter(ident("load").eq(lit(self.request.marker_prefix.clone()))))
            .and_then(|frame| frame.select(columns))
            .map_err(|error| self.rows_error(error))?;
        let mut rows = frame.execute_stream().await.map_err(|error| self.rows_error(error))?;
        let mut counts = BTreeMap::<(String, String), (u64, u64)>::new();
        while let Some(batch) = rows.try_next().await.map_err(|error| self.rows_error(error))? {
            count_faults(&batch, &mut counts).map_err(|error| self.rows_error(error))?;
        }
        Ok(counts
            .into_iter()
            .map(|((column, reason), (rows, first_row))| FaultCount {
                column,
                reason: Reason::known_code(&reason),
                rows,
                first_row,
            })
            .collect())
    }
}

fn count_faults(
    batch: &RecordBatch,
    counts: &mut BTreeMap<(String, String), (u64, u64)>,
) -> Result<(), DataFusionError> {
    let column = |name: &str, to: &DataType| -> Result<ArrayRef, DataFusionError> {
        Ok(cast(batch.column_by_name(name).ok_or_else(|| missing(name))?, to)?)
    };
    let numbers = column("row_number", &DataType::Int64)?;
    let (names, reasons) = (column("column", &DataType::Utf8)?, column("reason", &DataType::Utf8)?);
    let numbers = numbers.as_primitive::<Int64Type>().values();
    for ((row, name), reason) in numbers.iter().zip(names.as_string::<i32>()).zip(reasons.as_string::<i32>()) {
        let row = row.unsigned_abs();
        let key = (name.unwrap_or_default().to_owned(), reason.unwrap_or_default().to_owned());
        let (rows, first) = counts.entry(key).or_insert((0, row));
        *rows += 1;
        *first = row.min(*first);
    }
    Ok(())
}

fn missing(column: &str) -> DataFusionError {
    DataFusionError::Execution(format!("column `{column}` is missing in the stored rows"))
}

/// Tells old rows that stay from those the file replaces.
struct Survivors {
    key: Vec<String>,
    types: Vec<DataType>,
    hasher: Arc<KeyHasher>,
    keys: Arc<OnceLock<KeySet>>,
    schema: SchemaRef,
}

impl Survivors {
    fn keep(&self, batch: &RecordBatch) -> Result<RecordBatch, DataFusionError> {
        let key = self.key.iter().zip(&self.types).map(|(name, to)| self.column(batch, name, to));
        let hashes = self.hasher.hash_columns(&key.collect::<Result<Vec<_>, _>>()?)?;
        let keys = self.keys.get().ok_or_else(refused)?;
        let stays: BooleanArray = hashes.iter().map(|key| Some(!keys.contains(*key))).collect();
        let fields = self.schema.fields();
        let columns = fields.iter().map(|field| self.column(batch, field.name(), field.data_type()));
        let rows = RecordBatch::try_new(Arc::clone(&self.schema), columns.collect::<Result<Vec<_>, _>>()?)?;
        Ok(filter_record_batch(&rows, &stays)?)
    }

    fn column(&self, batch: &RecordBatch, name: &str, to: &DataType) -> Result<ArrayRef, DataFusionError> {
        Ok(cast(batch.column_by_name(name).ok_or_else(|| missing(name))?, to)?)
    }
}
