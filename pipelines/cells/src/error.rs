//! What can go wrong while a matrix is read, by what the reader of the message can do.

/// The result of reading a matrix.
pub type Result<T, E = CellsError> = std::result::Result<T, E>;

/// A matrix was not read. No message holds a value of the matrix or of its tables.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CellsError {
    /// The options do not fit each other or the file. The caller fixes the call.
    #[error("file `{file}`: {problem}")]
    Options {
        /// The file.
        file: String,
        /// Which option, and what is allowed.
        problem: String,
    },
    /// The file's layout is none of those that are read.
    #[error("file `{file}` is not an expression matrix that is read: {problem}")]
    Layout {
        /// The file.
        file: String,
        /// What was looked for.
        problem: String,
    },
    /// Something that belongs to the layout is not there.
    #[error("file `{file}` has no {what}; {fix}")]
    Missing {
        /// The file.
        file: String,
        /// What is missing.
        what: String,
        /// How to get it there.
        fix: String,
    },
    /// The file is well formed and holds something that is not read.
    #[error("file `{file}`: {problem}; {fix}")]
    Unsupported {
        /// The file.
        file: String,
        /// What it holds.
        problem: String,
        /// How to rewrite the file.
        fix: String,
    },
    /// The file is damaged or contradicts itself.
    #[error("file `{file}` is not valid {format}: {problem}; fetch or write the file again")]
    Malformed {
        /// The file.
        file: String,
        /// HDF5, AnnData, …
        format: &'static str,
        /// What does not hold.
        problem: String,
    },
    /// The names of cells or genes cannot name rows.
    #[error("names of {axis} in `{file}`: {problem}")]
    Names {
        /// The file.
        file: String,
        /// `cells` or `genes`.
        axis: &'static str,
        /// What is wrong, and how to repair it.
        problem: String,
    },
    /// A value has no place in a table.
    #[error("values in `{file}`: {problem}")]
    Values {
        /// The file.
        file: String,
        /// What is wrong, and how to repair it.
        problem: String,
    },
    /// The compressed stream is cut off or damaged.
    #[error("file `{file}`: the gzip stream is {problem}; fetch or compress the file again")]
    Compression {
        /// The file.
        file: String,
        /// Cut off or damaged.
        problem: String,
    },
    /// The file holds more than the limits allow.
    #[error("file `{file}`: {problem}; raise `{limit}` if the file is to be trusted")]
    TooLarge {
        /// The file.
        file: String,
        /// What is larger than what.
        problem: String,
        /// The limit to raise, a field of [`Limits`](crate::Limits).
        limit: &'static str,
    },
    /// The operating system refused to read.
    #[error("cannot read `{file}`: {source}")]
    Io {
        /// The file.
        file: String,
        /// What the system says.
        source: std::io::Error,
    },
}
