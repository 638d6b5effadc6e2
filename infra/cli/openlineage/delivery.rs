//! Delivery as the configuration says: where to, with which token, for how long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_model::Catalog;
use causeway_openlineage::transport::{FileTransport, HttpSettings, HttpTransport, Token, Transport};
use causeway_openlineage::{CatalogOutbox, Delivery, OpenLineageError, Reader};
use causeway_runtime::Project;

use super::{emitter, held};
use crate::app::App;
use crate::session::Session;
use crate::terminal::Tone;

/// The pause before an event is posted again; it doubles each time.
const FIRST_PAUSE_MS: u64 = 200;

/// How often a process that works on delivers.
const TELLING: Duration = Duration::from_secs(10);

/// How often we look whether another process has ended its delivery.
const LOOK: Duration = Duration::from_millis(200);

/// Delivers at the end of a command that changed something, if events go anywhere. What cannot be
/// delivered waits: the command has done its work, and its end does not depend on the receiver.
pub(crate) fn after_changes(app: &App, session: &Session) {
    let section = &session.project.config.openlineage;
    if section.url.is_none() || section.deadline_ms == 0 {
        return;
    }
    let within = Duration::from_millis(section.deadline_ms);
    let interrupts = app.interrupts();
    interrupts.begin();
    let told = app.wait(async {
        tokio::select! {
            told = Box::pin(deliver(&session.project, &session.catalog, Some(within))) => Ok(told?),
            () = interrupts.interrupted() => Ok(Delivery::default()),
        }
    });
    let problem = match told {
        Ok(Delivery { stopped: Some(error), .. }) => error.to_string(),
        Ok(delivery) if delivery.held.is_empty() => return,
        Ok(_) => match app.wait(async { Ok(session.catalog.outbox_status().await?) }) {
            Ok(status) => held(&status),
            Err(failure) => failure.message().to_owned(),
        },
        Err(failure) => failure.message().to_owned(),
    };
    let warning = app.terminal.paint(Tone::Warning, "warning");
    app.terminal.note(&format!("{warning}: lineage events wait: {problem}"));
}

/// Delivers from time to time, without end, if events go anywhere. What cannot be delivered waits.
pub(crate) async fn keep_told(session: &Session) {
    let section = &session.project.config.openlineage;
    if section.url.is_none() || section.deadline_ms == 0 {
        return std::future::pending().await;
    }
    let within = Duration::from_millis(section.deadline_ms);
    loop {
        tokio::time::sleep(TELLING).await;
        let told = Box::pin(deliver(&session.project, &session.catalog, Some(within))).await;
        if let Err(error) | Ok(Delivery { stopped: Some(error), .. }) = told {
            tracing::warn!(code = error.code(), "lineage events wait");
        }
    }
}

/// Delivers all that waits, if need be after another process that is at it.
pub(super) async fn in_turn(project: &Project, catalog: &Arc<dyn Catalog>) -> Result<Delivery, OpenLineageError> {
    let until = Instant::now() + lease(project) * 2;
    loop {
        let delivery = deliver(project, catalog, None).await?;
        if !delivery.elsewhere || Instant::now() >= until {
            return Ok(delivery);
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn deliver(
    project: &Project,
    catalog: &Arc<dyn Catalog>,
    within: Option<Duration>,
) -> Result<Delivery, OpenLineageError> {
    let transport = transport(project)?.ok_or_else(|| {
        OpenLineageError::Setting("lineage events go nowhere: set openlineage.url in causeway.toml".to_owned())
    })?;
    let reader = Reader::new(Arc::clone(catalog), emitter(project)?);
    let outbox = CatalogOutbox::new(Arc::clone(catalog), lease(project));
    causeway_openlineage::deliver(&outbox, &reader, transport.as_ref(), within).await
}

/// Returns the longest time that one event may take.
fn lease(project: &Project) -> Duration {
    let section = &project.config.openlineage;
    Duration::from_millis(section.timeout_ms) * 2 * section.max_attempts
}

/// Opens the place that events go to; `None` if there is none.
pub(crate) fn transport(project: &Project) -> Result<Option<Box<dyn Transport>>, OpenLineageError> {
    let Some(url) = project.openlineage_url() else { return Ok(None) };
    if let Some(file) = project.openlineage_file() {
        return Ok(Some(Box::new(FileTransport::open(&file)?)));
    }
    let section = &project.config.openlineage;
    let settings = HttpSettings {
        timeout_ms: section.timeout_ms,
        max_attempts: section.max_attempts,
        first_pause_ms: FIRST_PAUSE_MS,
        longest_pause_ms: section.timeout_ms,
    };
    Ok(Some(Box::new(HttpTransport::new(&url, settings, token(project)?)?)))
}

fn token(project: &Project) -> Result<Option<Token>, OpenLineageError> {
    if let Some(secret) = std::env::var_os(&project.config.openlineage.token_variable) {
        return Token::new(&secret.to_string_lossy()).map(Some);
    }
    project.openlineage_token_file().map(|path| Token::from_file(&path)).transpose()
}
