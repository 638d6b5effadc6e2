//! What can go wrong with what a process shows of itself.

use std::net::SocketAddr;

/// The result of a call of this crate.
pub type Result<T, E = ServerError> = std::result::Result<T, E>;

/// The process cannot show itself, or cannot tell somebody.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The address is none.
    #[error("`{given}` is no address to listen on; give IP:PORT, such as 127.0.0.1:9464 or [::1]:9464")]
    Address {
        /// What was given.
        given: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {problem}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        problem: String,
    },
    /// A receiver of alerts cannot be used as it is configured.
    #[error("alerts.{receiver}: {problem}")]
    Receiver {
        /// Its name.
        receiver: String,
        /// What is wrong.
        problem: String,
    },
    /// A receiver could not be told. Trying again may help.
    #[error("the receiver `{receiver}` was not told: {problem}")]
    NotTold {
        /// Its name.
        receiver: String,
        /// What happened.
        problem: String,
    },
    /// A family cannot be counted: our bug.
    #[error("metrics cannot be written: {0}")]
    Metrics(#[from] prometheus::Error),
}

impl ServerError {
    /// Returns the code of the error's page in the docs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "CW1001",
            Self::Listen { .. } => "CW1002",
            Self::Receiver { .. } => "CW1003",
            Self::NotTold { .. } => "CW1004",
            Self::Metrics(_) => "CW1099",
        }
    }
}
