//! Where events go: a trait, and a file or an HTTP endpoint behind it.

mod file;
mod http;
mod token;

use async_trait::async_trait;

use crate::error::Result;
use crate::event::Event;

pub use file::FileTransport;
pub use http::{HttpSettings, HttpTransport};
pub use token::Token;

/// A receiver of events.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Hands an event over, trying again as the receiver allows. The same event may come twice; its
    /// [`crate::EventId`] tells.
    ///
    /// # Errors
    /// [`crate::OpenLineageError::Refused`] if the receiver will never take this event,
    /// [`crate::OpenLineageError::Setting`] if it takes none from us,
    /// [`crate::OpenLineageError::Unavailable`] if it takes none now.
    async fn send(&self, event: &Event) -> Result<()>;

    /// Returns true if an event is safe only after [`Transport::sync`].
    fn is_buffered(&self) -> bool {
        false
    }

    /// Makes safe what was sent.
    ///
    /// # Errors
    /// [`crate::OpenLineageError::Unavailable`] if it could not; what was sent since the last sync
    /// must be sent again.
    async fn sync(&self) -> Result<()> {
        Ok(())
    }
}
