//! A table at one version, ready to be read.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::TableProvider;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;

use crate::error::Result;
use crate::log::read::Log;
use crate::log::state::TableState;
use crate::provider::LakeTable;
use crate::store::Root;

/// A table at one version. Stays the same however the table moves on.
#[derive(Debug, Clone)]
pub struct Snapshot {
    state: Arc<TableState>,
    provider: Arc<LakeTable>,
}

impl Snapshot {
    pub(crate) fn new(root: &Root, log: &Log, state: Arc<TableState>) -> Self {
        let provider = Arc::new(LakeTable::new(root.clone(), log.clone(), Arc::clone(&state)));
        Self { state, provider }
    }

    /// Returns the version.
    pub fn version(&self) -> i64 {
        self.state.version
    }

    /// Returns the time of its commit in milliseconds since 1970, by the writer's clock.
    ///
    /// 0 for a version that only a checkpoint describes.
    pub fn timestamp_ms(&self) -> i64 {
        self.state.timestamp_ms
    }

    /// Returns the columns; the same schema as the provider's.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.state.schema)
    }

    /// Returns the columns declared identifying: the log holds nothing of their values.
    pub fn identifying(&self) -> Vec<String> {
        self.state.identifying()
    }

    /// Returns the number of rows.
    pub fn n_rows(&self) -> u64 {
        self.state.n_rows()
    }

    /// Returns the size of the data files in bytes.
    pub fn n_bytes(&self) -> u64 {
        self.state.n_bytes()
    }

    /// Returns the number of data files.
    pub fn n_files(&self) -> u64 {
        self.state.n_files()
    }

    /// Returns the table for a query. Row count and bounds are answered from the log.
    pub fn provider(&self) -> Arc<dyn TableProvider> {
        Arc::clone(&self.provider) as Arc<dyn TableProvider>
    }

    /// Reads all rows, in no order.
    ///
    /// # Errors
    /// [`crate::LakeError::Rows`] if the read cannot be planned; failures of reading come through the stream.
    pub async fn rows(&self) -> Result<SendableRecordBatchStream> {
        Ok(SessionContext::new().read_table(self.provider())?.execute_stream().await?)
    }
}
