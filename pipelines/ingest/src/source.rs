//! The bytes of a file, unpacked if need be, with limits against compression bombs.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::contract::Limits;
use crate::error::{IngestError, Result};

/// Unpacked bytes after which the ratio is looked at; small files may be very regular.
const RATIO_GRACE_BYTES: u64 = 64 << 20;
/// The largest zstd window accepted, as a power of two: 128 MiB of memory.
const ZSTD_WINDOW_LOG: u32 = 27;

/// A file being read from front to back.
pub(crate) struct Source {
    file: String,
    reader: Box<dyn Read + Send>,
    codec: Option<&'static str>,
    packed: Arc<AtomicU64>,
    unpacked: u64,
    limits: Limits,
}

/// The codec that a file's first bytes show, whatever its name.
fn codec(magic: &[u8]) -> Option<&'static str> {
    match magic {
        [0x1f, 0x8b, ..] => Some("gzip"),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some("zstd"),
        _ => None,
    }
}

impl Source {
    /// Opens a file; `packed` counts the bytes taken from it, for progress.
    pub(crate) fn open(path: &Path, file: &str, limits: &Limits, packed: Arc<AtomicU64>) -> Result<Self> {
        let io_error = |source| IngestError::Io { file: file.to_owned(), source };
        let mut handle = File::open(path).map_err(io_error)?;
        let mut magic = Vec::with_capacity(4);
        (&mut handle).take(4).read_to_end(&mut magic).map_err(io_error)?;
        handle.rewind().map_err(io_error)?;
        let codec = codec(&magic);
        check_name(path, file, codec, magic.is_empty())?;
        let counted = Counted { inner: handle, read: Arc::clone(&packed) };
        let reader: Box<dyn Read + Send> = match codec {
            Some("gzip") => Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 18, counted))),
            Some(_) => {
                let mut decoder = zstd::stream::read::Decoder::new(counted).map_err(io_error)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(io_error)?;
                Box::new(decoder)
            }
            None => Box::new(counted),
        };
        Ok(Self { file: file.to_owned(), reader, codec, packed, unpacked: 0, limits: limits.clone() })
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    /// Appends up to `want` bytes to `buffer`; fewer only at the end of the file.
    pub(crate) fn read_into(&mut self, buffer: &mut Vec<u8>, want: usize) -> Result<usize> {
        buffer.reserve(want);
        let read = (&mut self.reader).take(want as u64).read_to_end(buffer).map_err(|error| self.explain(error))?;
        self.unpacked += read as u64;
        self.check_limits()?;
        Ok(read)
    }

    fn check_limits(&self) -> Result<()> {
        if self.codec.is_none() {
            return Ok(());
        }
        let too_large = |problem, limit| Err(IngestError::TooLarge { file: self.file.clone(), problem, limit });
        if self.unpacked > self.limits.max_bytes_uncompressed {
            let allowed = self.limits.max_bytes_uncompressed;
            return too_large(format!("unpacks to more than {allowed} bytes"), "max_bytes_uncompressed");
        }
        let packed = self.packed.load(Ordering::Relaxed).max(1);
        if self.unpacked > RATIO_GRACE_BYTES && self.unpacked / packed > self.limits.max_ratio {
            let ratio = self.limits.max_ratio;
            return too_large(format!("unpacks to more than {ratio} times its size"), "max_ratio");
        }
        Ok(())
    }

    fn explain(&self, error: io::Error) -> IngestError {
        let file = self.file.clone();
        let Some(codec) = self.codec else {
            return IngestError::Io { file, source: error };
        };
        let problem = match error.kind() {
            io::ErrorKind::UnexpectedEof => "cut off before its end".to_owned(),
            _ => format!("damaged ({error})"),
        };
        IngestError::Compression { file, codec, problem }
    }
}

/// A file named `.gz` or `.zst` must be what it says: a wrong name is often a failed download.
fn check_name(path: &Path, file: &str, found: Option<&str>, is_empty: bool) -> Result<()> {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let expected = match extension.to_ascii_lowercase().as_str() {
        "gz" | "gzip" => "gzip",
        "zst" | "zstd" => "zstd",
        _ => return Ok(()),
    };
    if is_empty || found == Some(expected) {
        return Ok(());
    }
    let problem = "not what the file's name promises".to_owned();
    Err(IngestError::Compression { file: file.to_owned(), codec: expected, problem })
}

/// Counts the bytes that pass.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
