//! From a path to blocks and the parser that reads them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use crate::assemble::BlockParser;
use crate::block::BlockSource;
use crate::contract::{Contract, Kind};
use crate::error::{IngestError, Result};
use crate::source::Source;
use crate::{csv, expression, ndjson, parquet_file};

/// A file ready to be read.
pub(crate) struct OpenFile {
    pub(crate) blocks: Box<dyn BlockSource>,
    pub(crate) parser: Box<dyn BlockParser>,
}

/// Opens a file under a contract; `packed` counts the bytes taken from it.
pub(crate) fn open(path: &Path, file: &str, contract: &Arc<Contract>, packed: Arc<AtomicU64>) -> Result<OpenFile> {
    let kind = contract.format.kind.map_or_else(|| Kind::of(path, file), Ok)?;
    Ok(match kind {
        Kind::Csv => {
            let source = Source::open(path, file, &contract.limits, packed)?;
            let (blocks, parser) = csv::open(source, path, contract)?;
            OpenFile { blocks: Box::new(blocks), parser: Box::new(parser) }
        }
        Kind::Ndjson => {
            let source = Source::open(path, file, &contract.limits, packed)?;
            let (blocks, parser) = ndjson::open(source, contract)?;
            OpenFile { blocks: Box::new(blocks), parser: Box::new(parser) }
        }
        Kind::Parquet => {
            let (blocks, parser) = parquet_file::open(path, file, contract, packed)?;
            OpenFile { blocks: Box::new(blocks), parser: Box::new(parser) }
        }
        Kind::H5ad | Kind::TenX | Kind::Mtx => {
            let (blocks, parser) = expression::open(path, file, contract, packed)?;
            OpenFile { blocks: Box::new(blocks), parser: Box::new(parser) }
        }
    })
}

impl Kind {
    /// Tells the kind by the file's name; a compression suffix is looked through.
    pub(crate) fn of(path: &Path, file: &str) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_ascii_lowercase();
        let mut parts: Vec<&str> = name.split('.').skip(1).collect();
        parts.retain(|part| !matches!(*part, "gz" | "gzip" | "zst" | "zstd"));
        match parts.last().copied().unwrap_or_default() {
            "csv" | "tsv" | "tab" | "txt" => Ok(Self::Csv),
            "ndjson" | "jsonl" | "json" => Ok(Self::Ndjson),
            "parquet" | "pq" => Ok(Self::Parquet),
            "h5ad" => Ok(Self::H5ad),
            "h5" | "hdf5" => Ok(Self::TenX),
            "mtx" => Ok(Self::Mtx),
            _ => Err(IngestError::Path {
                path: file.to_owned(),
                problem:
                    "its name does not end in .csv, .tsv, .ndjson, .jsonl, .parquet, .h5ad, .h5 or .mtx (.gz and .zst \
                          may follow); set `kind` under [format] of the contract"
                        .to_owned(),
            }),
        }
    }
}
