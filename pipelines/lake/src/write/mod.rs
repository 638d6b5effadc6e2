//! Rows to Parquet files: one task a partition, bounded memory, few small files.
//!
//! ```text
//! partition ── fit to the table ──> encoder (blocking thread) ──> upload (multipart)
//! ```
//!
//! A partition that ends before it fills [`HOLD_BYTES`] opens no file; what such partitions hold is
//! written together, so a small table is one file however many partitions made it.

mod encode;
mod statistics;
mod upload;

use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::Utc;
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use object_store::ObjectStoreExt as _;
use object_store::path::Path;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::{LakeError, Result};
use crate::log::actions::Add;
use crate::log::read::Log;
use crate::schema;

/// What a partition holds back before it opens a file of its own.
const HOLD_BYTES: usize = 16 << 20;
/// Batches and pieces of files on their way between two stages.
const QUEUE: usize = 3;

/// Where rows go and how.
pub(crate) struct Destination {
    log: Log,
    schema: SchemaRef,
    identifying: HashSet<String>,
    started: Mutex<Vec<Path>>,
}

/// Files that are written but in no commit yet.
pub(crate) struct Written {
    pub(crate) adds: Vec<Add>,
    pub(crate) n_rows: u64,
}

/// A complete data file.
pub(crate) struct Finished {
    name: String,
    n_bytes: u64,
    n_rows: u64,
    stats: String,
}

/// What became of one partition.
enum Part {
    Held(Vec<RecordBatch>),
    Files(Vec<Finished>),
}

impl Destination {
    /// Plans to write rows of `schema`; no statistics are kept of `identifying`.
    pub(crate) fn new(log: &Log, schema: &SchemaRef, identifying: &[String]) -> Arc<Self> {
        Arc::new(Self {
            log: log.clone(),
            schema: Arc::clone(schema),
            identifying: identifying.iter().cloned().collect(),
            started: Mutex::default(),
        })
    }

    /// Writes all partitions; on failure nothing is left behind.
    pub(crate) async fn write(self: &Arc<Self>, partitions: Vec<SendableRecordBatchStream>) -> Result<Written> {
        let written = self.try_write(partitions).await;
        match &written {
            Ok(_) => causeway_failpoints::at("file_written"),
            Err(_) => self.discard().await,
        }
        written
    }

    /// Removes the files written so far: no commit names them.
    pub(crate) async fn discard(&self) {
        let paths = std::mem::take(&mut *self.started.lock().unwrap_or_else(PoisonError::into_inner));
        for path in paths {
            match self.log.store.delete(&path).await {
                Ok(()) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => tracing::warn!(location = %self.log.location, %error, "file of a failed write is left"),
            }
        }
    }

    async fn try_write(self: &Arc<Self>, partitions: Vec<SendableRecordBatchStream>) -> Result<Written> {
        let mut tasks = JoinSet::new();
        for (index, partition) in partitions.into_iter().enumerate() {
            let destination = Arc::clone(self);
            tasks.spawn(async move { Ok::<_, LakeError>((index, destination.write_partition(partition).await?)) });
        }
        let mut parts = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            parts.push(ended.map_err(LakeError::ended("what makes the rows"))??);
        }
        parts.sort_by_key(|(index, _)| *index);
        self.gather(parts.into_iter().map(|(_, part)| part)).await
    }

    /// Writes together what partitions held back, and lists all files.
    async fn gather(&self, parts: impl Iterator<Item = Part>) -> Result<Written> {
        let (mut files, mut held) = (Vec::new(), Vec::new());
        for part in parts {
            match part {
                Part::Files(more) => files.extend(more),
                Part::Held(batches) => held.extend(batches),
            }
        }
        if !held.is_empty() {
            files.extend(self.write_files(stream::iter(held.into_iter().map(Ok))).await?);
        }
        let n_rows = files.iter().map(|file| file.n_rows).sum();
        Ok(Written { adds: files.into_iter().map(Finished::into_add).collect(), n_rows })
    }

    async fn write_partition(&self, partition: SendableRecordBatchStream) -> Result<Part> {
        causeway_failpoints::at("rows");
        let location = Arc::clone(&self.log.location);
        let mut rows = partition
            .map_err(LakeError::from)
            .try_filter(|batch| futures::future::ready(batch.num_rows() > 0))
            .map(|batch| schema::fit(&batch?, &self.schema, &location));
        let (mut held, mut n_bytes) = (Vec::new(), 0);
        while n_bytes < HOLD_BYTES {
            let Some(batch) = rows.try_next().await? else { return Ok(Part::Held(held)) };
            n_bytes += batch.get_array_memory_size();
            held.push(batch);
        }
        let all = stream::iter(held.into_iter().map(Ok)).chain(rows);
        Ok(Part::Files(self.write_files(all).await?))
    }

    /// Encodes and uploads `rows`; a new file begins where one has become large enough.
    async fn write_files(&self, rows: impl Stream<Item = Result<RecordBatch>> + Send) -> Result<Vec<Finished>> {
        let (to_encoder, batches) = mpsc::channel(QUEUE);
        let (to_upload, pieces) = mpsc::channel(QUEUE);
        let encoder = encode::Encoder::new(&self.schema, &self.identifying);
        let encoding = tokio::task::spawn_blocking(move || encoder.run(batches, &to_upload));
        let feed = async move {
            let mut rows = pin!(rows);
            while let Some(batch) = rows.try_next().await? {
                if to_encoder.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        };
        let ((), files) = tokio::try_join!(feed, self.upload(pieces))?;
        encoding.await.map_err(LakeError::ended("the encoder"))??;
        Ok(files)
    }

    /// Names a new file and remembers it for [`Self::discard`].
    fn new_file(&self) -> Result<(String, Path)> {
        let name = format!("part-{}.snappy.parquet", uuid::Uuid::now_v7());
        let path = self.log.path(&name)?;
        self.started.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        Ok((name, path))
    }
}

impl Finished {
    fn into_add(self) -> Add {
        Add {
            path: self.name,
            partition_values: HashMap::new(),
            size: self.n_bytes,
            modification_time: Utc::now().timestamp_millis(),
            data_change: true,
            stats: Some(self.stats),
            deletion_vector: None,
        }
    }
}
