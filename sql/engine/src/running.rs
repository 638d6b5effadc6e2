//! What a running statement shares with the nodes of its plan.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use causeway_core::{Cancel, Seed};
use causeway_model::{OperatorUse, Parameters, StoredRelease, TableName};

use crate::access::Veil;
use crate::api::{ProgressEvent, ProgressSink, StatementContext};
use crate::release::Till;

/// Travels through the session's configuration to every operator of a plan.
pub(crate) struct Running {
    pub(crate) seed: Seed,
    pub(crate) pool: Arc<rayon::ThreadPool>,
    /// The values of the statement's parameters.
    pub(crate) parameters: Parameters,
    progress: ProgressSink,
    operators: Mutex<Vec<OperatorUse>>,
    veil: Mutex<Veil>,
    pub(crate) till: Till,
}

impl Running {
    pub(crate) fn new(context: &StatementContext, pool: Arc<rayon::ThreadPool>, till: Till) -> Self {
        Self {
            seed: context.seed,
            pool,
            parameters: context.parameters.clone(),
            progress: Arc::clone(&context.progress),
            operators: Mutex::new(Vec::new()),
            veil: Mutex::default(),
            till,
        }
    }

    /// Notes tables that may be read through privacy mechanisms alone, by the reference their scans carry.
    pub(crate) fn veil(&self, tables: &BTreeMap<String, TableName>) {
        self.veil.lock().unwrap_or_else(PoisonError::into_inner).extend(tables);
    }

    /// Returns what may be read through privacy mechanisms alone.
    pub(crate) fn veiled(&self) -> Veil {
        self.veil.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn progress(&self, share: f64) {
        (self.progress)(ProgressEvent::Share(share));
    }

    /// Tells that a release that was stored is shown.
    pub(crate) fn served_again(&self, stored: &StoredRelease) {
        (self.progress)(ProgressEvent::ServedAgain { charge: stored.charge.id.0, age_ms: stored.age_ms });
    }

    /// Records that an operator has run.
    pub(crate) fn record(&self, used: OperatorUse) {
        self.operators.lock().unwrap_or_else(PoisonError::into_inner).push(used);
    }

    /// Returns the operators that have run, in a fixed order.
    pub(crate) fn operators(&self) -> Vec<OperatorUse> {
        let mut operators = self.operators.lock().unwrap_or_else(PoisonError::into_inner).clone();
        operators.sort_by(|a, b| (&a.operator, a.options.to_string()).cmp(&(&b.operator, b.options.to_string())));
        operators
    }
}

/// Cancels when dropped: a stream that nobody reads any more stops its work.
pub(crate) struct CancelOnDrop(pub(crate) Cancel);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}
