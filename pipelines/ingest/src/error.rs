//! What can go wrong while a file is read, by what the reader of the message can do.

use std::fmt::Write as _;

use causeway_cells::CellsError;

/// The result of an ingest call.
pub type Result<T, E = IngestError> = std::result::Result<T, E>;

/// A file was not loaded. No message holds a value of the file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IngestError {
    /// The schema contract is wrong. The author fixes the TOML.
    #[error("{place}: {message}")]
    Contract {
        /// The contract's file, with line and column where known.
        place: String,
        /// What is wrong and what is allowed.
        message: String,
    },
    /// The path may not be read. The caller fixes the path or the allowed folders.
    #[error("path `{path}`: {problem}")]
    Path {
        /// The path as it was asked for.
        path: String,
        /// Why it is refused.
        problem: String,
    },
    /// The file holds nothing.
    #[error("file `{file}` is empty; expected {expected}")]
    Empty {
        /// The file.
        file: String,
        /// What should stand there.
        expected: &'static str,
    },
    /// The file is written in an encoding that is not read.
    #[error("file `{file}` {problem}")]
    Encoding {
        /// The file.
        file: String,
        /// What was seen and how to convert.
        problem: String,
    },
    /// The columns of the file are not those of the contract.
    #[error("columns of file `{file}`: {problem}")]
    Columns {
        /// The file.
        file: String,
        /// Which are missing, unknown or doubled.
        problem: String,
    },
    /// The compressed stream is cut off or damaged.
    #[error("file `{file}`: the {codec} stream is {problem}; fetch or compress the file again")]
    Compression {
        /// The file.
        file: String,
        /// gzip or zstd.
        codec: &'static str,
        /// Cut off or damaged.
        problem: String,
    },
    /// The file holds more than the contract allows.
    #[error("file `{file}`: {problem}; raise `{limit}` under [limits] of the contract if the file is to be trusted")]
    TooLarge {
        /// The file.
        file: String,
        /// What grew beyond what.
        problem: String,
        /// The limit to raise.
        limit: &'static str,
    },
    /// The file is not of its format.
    #[error("file `{file}` is not valid {format}: {problem}")]
    Malformed {
        /// The file.
        file: String,
        /// Parquet, …
        format: &'static str,
        /// What the reader says.
        problem: String,
    },
    /// More rows are bad than the contract accepts; nothing was committed.
    #[error(
        "{bad} of {read} rows of `{file}` break the contract, more than the share of {limit} it accepts; nothing was \
         loaded: {}; fix the file or the contract, or raise `fail_share` under [limits]", list_faults(.faults)
    )]
    TooManyBadRows {
        /// The file.
        file: String,
        /// Rows read.
        read: u64,
        /// Rows refused.
        bad: u64,
        /// The share accepted.
        limit: f64,
        /// Column, reason, rows, and the first row's number.
        faults: Vec<FaultCount>,
    },
    /// The table has other columns than the contract.
    #[error("table `{table}` does not fit the contract: {problem}; change the contract or use `overwrite`")]
    TableMismatch {
        /// The table.
        table: String,
        /// The first difference.
        problem: String,
    },
    /// The file changed while it was read.
    #[error("file `{file}` changed while it was read; nothing was loaded, load it again when it is complete")]
    Changed {
        /// The file.
        file: String,
    },
    /// The keys do not fit in memory.
    #[error(
        "the {keys} keys compared for `{table}` need about {needed} MiB, more than the limit of {limit} MiB; raise the memory limit or load without `key`"
    )]
    Memory {
        /// The table.
        table: String,
        /// Keys held.
        keys: u64,
        /// What they need.
        needed: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The user stopped it.
    #[error("loading `{file}` was cancelled; nothing was loaded")]
    Cancelled {
        /// The file.
        file: String,
    },
    /// The operating system refused to read.
    #[error("cannot read `{file}`: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// An expression matrix was not read.
    #[error(transparent)]
    Cells(#[from] CellsError),
    /// The lake refused or is not there.
    #[error(transparent)]
    Lake(#[from] causeway_lake::LakeError),
    /// A thread panicked: our bug.
    #[error("internal error while loading `{file}`: a reading thread panicked; please report it")]
    Panicked {
        /// The file.
        file: String,
    },
    /// A state that should not arise: our bug.
    #[error("internal error while loading `{file}`: {problem}; please report it")]
    Internal {
        /// The file.
        file: String,
        /// Where it happened.
        problem: String,
    },
}

/// How many rows were refused for one column and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FaultCount {
    /// The column; empty if the row as a whole is bad.
    pub column: String,
    /// The reason's code.
    pub reason: &'static str,
    /// Rows.
    pub rows: u64,
    /// The number of the first of them, from 1.
    pub first_row: u64,
}

impl IngestError {
    /// Returns the code of the error's page in the docs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Contract { .. } => "CW0501",
            Self::Path { .. } => "CW0502",
            Self::Empty { .. } => "CW0503",
            Self::Encoding { .. } => "CW0504",
            Self::Columns { .. } => "CW0505",
            Self::Compression { .. } => "CW0506",
            Self::TooLarge { .. } => "CW0507",
            Self::Malformed { .. } => "CW0508",
            Self::TooManyBadRows { .. } => "CW0509",
            Self::TableMismatch { .. } => "CW0510",
            Self::Changed { .. } => "CW0511",
            Self::Memory { .. } => "CW0512",
            Self::Cancelled { .. } => "CW0513",
            Self::Io { .. } => "CW0514",
            Self::Cells(error) => code_of_cells(error),
            Self::Lake(error) => error.code(),
            Self::Internal { .. } | Self::Panicked { .. } => "CW0515",
        }
    }

    /// Returns true if the same call may succeed when tried again.
    #[must_use]
    pub fn retryable(&self) -> bool {
        match self {
            Self::Changed { .. } => true,
            Self::Lake(error) => error.retryable(),
            _ => false,
        }
    }
}

fn code_of_cells(error: &CellsError) -> &'static str {
    match error {
        CellsError::Options { .. } => "CW0501",
        CellsError::Compression { .. } => "CW0506",
        CellsError::TooLarge { .. } => "CW0507",
        CellsError::Io { .. } => "CW0514",
        _ => "CW0508",
    }
}

pub(crate) fn list_faults(faults: &[FaultCount]) -> String {
    let mut list = String::new();
    for fault in faults {
        let separator = if list.is_empty() { "" } else { ", " };
        let column = if fault.column.is_empty() { String::new() } else { format!("`{}` ", fault.column) };
        let _ = write!(list, "{separator}{column}{} {} (first in row {})", fault.reason, fault.rows, fault.first_row);
    }
    list
}
