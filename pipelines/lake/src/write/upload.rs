//! Pieces of files to the object store.

use bytes::Bytes;
use object_store::buffered::BufWriter;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::mpsc;

use super::{Destination, Finished};
use crate::error::{LakeError, Result};

/// The size of an uploaded part; smaller files are put in one request.
const PART_BYTES: usize = 8 << 20;
/// Parts of one file on their way at once.
const PARTS_IN_FLIGHT: usize = 2;

/// What an encoder hands on.
pub(super) enum Piece {
    /// The next bytes of the file.
    Bytes(Bytes),
    /// The file is complete.
    End { n_rows: u64, stats: String },
}

/// A file whose bytes are still coming.
struct Open {
    name: String,
    n_bytes: u64,
    writer: BufWriter,
}

impl Destination {
    /// Uploads files until the encoder ends. A file without its end stays invisible.
    pub(super) async fn upload(&self, mut pieces: mpsc::Receiver<Piece>) -> Result<Vec<Finished>> {
        let mut finished = Vec::new();
        let mut open = None;
        while let Some(piece) = pieces.recv().await {
            match (piece, open.take()) {
                (Piece::Bytes(bytes), current) => {
                    let mut file = current.map_or_else(|| self.open_file(), Ok)?;
                    file.n_bytes += bytes.len() as u64;
                    file.writer.put(bytes).await.map_err(LakeError::store("write"))?;
                    open = Some(file);
                }
                (Piece::End { n_rows, stats }, Some(mut file)) => {
                    file.writer.shutdown().await.map_err(from_io)?;
                    finished.push(Finished { name: file.name, n_bytes: file.n_bytes, n_rows, stats });
                }
                (Piece::End { .. }, None) => return Err(LakeError::Internal("a data file ended unopened".to_owned())),
            }
        }
        Ok(finished)
    }

    fn open_file(&self) -> Result<Open> {
        let (name, path) = self.new_file()?;
        let writer = BufWriter::with_capacity(std::sync::Arc::clone(&self.log.store), path, PART_BYTES)
            .with_max_concurrency(PARTS_IN_FLIGHT);
        Ok(Open { name, n_bytes: 0, writer })
    }
}

fn from_io(error: std::io::Error) -> LakeError {
    LakeError::store("write")(object_store::Error::Generic { store: "lake", source: Box::new(error) })
}
