//! The outbox that every catalog holds.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use causeway_model::{Catalog, Change, Failure};
use uuid::Uuid;

use crate::delivery::Outbox;
use crate::error::{OpenLineageError, Result};

/// The outbox of a catalog, for one delivery at a time.
///
/// It is claimed for as long as the telling of one event may take, and claimed again as long as events
/// are told. If this process is killed, another one may go on after that time.
#[derive(Debug)]
pub struct CatalogOutbox {
    catalog: Arc<dyn Catalog>,
    holder: String,
    lease: Duration,
    claimed: Mutex<Option<Instant>>,
}

impl CatalogOutbox {
    /// Makes the outbox of a catalog; `lease` is the longest time that the telling of one event takes.
    pub fn new(catalog: Arc<dyn Catalog>, lease: Duration) -> Self {
        Self { catalog, holder: Uuid::now_v7().to_string(), lease, claimed: Mutex::default() }
    }

    fn is_claim_old(&self) -> bool {
        let claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.is_none_or(|at| at.elapsed() > self.lease / 4)
    }
}

#[async_trait]
impl Outbox for CatalogOutbox {
    async fn claim(&self) -> Result<bool> {
        let now = Instant::now();
        // The claim lasts for one event at the end of its first quarter, when it is renewed.
        let seconds = i64::try_from(self.lease.mul_f64(1.25).as_secs() + 1).unwrap_or(i64::MAX);
        let is_ours = self.catalog.claim_outbox(&self.holder, seconds).await?;
        *self.claimed.lock().unwrap_or_else(PoisonError::into_inner) = is_ours.then_some(now);
        Ok(is_ours)
    }

    async fn give_back(&self) -> Result<()> {
        Ok(self.catalog.yield_outbox(&self.holder).await?)
    }

    async fn pending(&self, limit: usize) -> Result<Vec<Change>> {
        Ok(self.catalog.pending_changes(i64::try_from(limit).unwrap_or(i64::MAX)).await?)
    }

    async fn delivered(&self, ids: &[i64]) -> Result<()> {
        self.catalog.changes_delivered(ids).await?;
        if self.is_claim_old() && !self.claim().await? {
            let problem = "another process has begun to deliver lineage events, and goes on with it";
            return Err(OpenLineageError::Unavailable(problem.to_owned()));
        }
        Ok(())
    }

    async fn failed(&self, id: i64, error: &OpenLineageError) -> Result<()> {
        let failure = Failure { code: error.code().to_owned(), message: error.to_string() };
        Ok(self.catalog.change_failed(id, &failure, error.concerns_one_event()).await?)
    }
}
