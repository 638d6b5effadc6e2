//! Why a model is not taken or does not answer.

/// The result of reading or running a model.
pub type Result<T, E = OnnxError> = std::result::Result<T, E>;

/// A model was not taken or did not answer. No message holds a weight or a value of a row.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
#[non_exhaustive]
pub enum OnnxError {
    /// The bytes are no ONNX model.
    #[error("this is no ONNX model: {0}")]
    NotOnnx(&'static str),
    /// The bytes are more than is taken.
    #[error("the model has {n_bytes} bytes; at most {allowed} are taken")]
    TooLarge {
        /// How many there are.
        n_bytes: usize,
        /// How many there may be.
        allowed: usize,
    },
    /// The network does something that is not offered.
    #[error("the model {what}; {fix}")]
    Unsupported {
        /// What it does.
        what: String,
        /// How to export it otherwise.
        fix: &'static str,
    },
    /// A number of columns other than the model's was given.
    #[error("the model takes {expected} features, not {found}")]
    Features {
        /// How many it takes.
        expected: usize,
        /// How many there were.
        found: usize,
    },
    /// The runtime failed on a model that looked right.
    #[error("the model could not be {0}; export it again, or check it with another ONNX runtime")]
    Failed(&'static str),
}

impl OnnxError {
    /// A refusal of what the network does.
    pub(crate) fn unsupported(what: impl Into<String>, fix: &'static str) -> Self {
        Self::Unsupported { what: what.into(), fix }
    }
}
