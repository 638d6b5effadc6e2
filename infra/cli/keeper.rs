//! What a process that works on does beside its work: it signs the audit log, tells other tools of lineage,
//! and people of pipelines that fail.

use std::sync::Arc;

use causeway_runtime::ReceiverSection;
use causeway_server::{Herald, Metrics, Receiver, ServerError, Target};

use crate::app::App;
use crate::audit;
use crate::errors::Failure;
use crate::openlineage;
use crate::session::Session;

/// Keeps things in order while a process works.
pub(crate) struct Keeper<'a> {
    app: &'a App,
    session: &'a Session,
    herald: Herald,
    metrics: Option<Metrics>,
}

impl<'a> Keeper<'a> {
    /// Makes a keeper; refuses receivers of alerts that cannot be used.
    pub(crate) fn new(app: &'a App, session: &'a Session, metrics: Option<Metrics>) -> Result<Self, Failure> {
        let section = &session.project.config.alerts;
        let receivers = section.receivers.iter().map(|(name, receiver)| Receiver::new(name, &target(name, receiver)?));
        let receivers = receivers.collect::<Result<Vec<_>, _>>()?;
        let herald = Herald::new(Arc::clone(&session.catalog), receivers, section.default.clone());
        let herald = match metrics.clone() {
            Some(metrics) => herald.with_metrics(metrics),
            None => herald,
        };
        Ok(Self { app, session, herald, metrics })
    }

    /// Does the work, and keeps things in order as long as it lasts.
    pub(crate) async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        let keep = async {
            tokio::join!(
                audit::keep_signed(self.app),
                openlineage::keep_told(self.session),
                self.herald.run(),
                self.survey(),
            );
        };
        let done = tokio::select! {
            done = work => done,
            () = keep => std::future::pending().await,
        };
        // What the last jobs raised.
        if let Err(error) = self.herald.tell_due().await {
            tracing::warn!(code = error.code(), "the last alerts wait for another process");
        }
        done
    }

    /// Counts orphans, if anybody looks at the numbers.
    async fn survey(&self) {
        match &self.metrics {
            Some(metrics) => causeway_server::survey(&self.session.engine, metrics).await,
            None => std::future::pending().await,
        }
    }
}

fn target(name: &str, section: &ReceiverSection) -> Result<Target, ServerError> {
    if let Some(variable) = &section.webhook_variable {
        let missing = || ServerError::Receiver {
            receiver: name.to_owned(),
            problem: format!("the environment variable {variable} is not set"),
        };
        return std::env::var(variable).map(Target::Webhook).map_err(|_| missing());
    }
    Ok(match (&section.webhook, &section.command) {
        (Some(url), _) => Target::Webhook(url.clone()),
        (None, command) => Target::Command(command.clone().unwrap_or_default()),
    })
}
