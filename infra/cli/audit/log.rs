//! The log of a lake: started with its first use, signed at the end of a command.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use causeway_audit::{AuditError, Export, LogId, LogKey, PublicKey, SignedHead, TreeHead, append_head};
use causeway_model::audit::AuditState;
use causeway_model::{Catalog, CatalogError};
use causeway_runtime::Project;
use chrono::DateTime;

use crate::app::App;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::Tone;

/// How often a process that works on signs the log, at most.
const SIGNING: Duration = Duration::from_secs(30);

/// The log of an open lake.
#[derive(Debug)]
pub(crate) struct Log {
    project: Project,
    catalog: Arc<dyn Catalog>,
}

/// Looks whether the catalog's log has started. It is never started by the way: that would hide that
/// the one there was is gone.
pub(crate) fn begin(app: &App, project: &Project, catalog: &Arc<dyn Catalog>) -> Result<(), Failure> {
    if app.wait(async { Ok(catalog.audit_state().await?) })?.is_none() {
        warn(
            app,
            "the catalog has no audit log, nothing is recorded; `causeway audit verify` says whether there was one, \
             `causeway audit start` begins one",
        );
        return Ok(());
    }
    // A second lake in one command would be a bug; the first one stays.
    let _ = app.log.set(Log { project: project.clone(), catalog: Arc::clone(catalog) });
    Ok(())
}

/// Starts the log of a catalog that never had one.
pub(crate) async fn start(project: &Project, catalog: &dyn Catalog) -> Result<(), Failure> {
    let heads = project.audit_heads();
    if heads.try_exists()? {
        let message = format!("{} speaks of a log that the catalog does not hold", heads.display());
        return Err(Failure::new(Exit::Failed, message).with_hint(
            "restore the catalog from a backup; if the log is lost for good, move the file away and keep it",
        ));
    }
    let file = project.audit_key();
    let key = LogKey::generate()?;
    let key = match key.create_file(&file) {
        // Another process may start the log at this moment.
        Err(AuditError::KeyExists { .. }) => LogKey::load_file(&file)?,
        created => created.map(|()| key)?,
    };
    match catalog.start_audit("admin", &LogId::generate()?, &key.public()).await {
        Err(CatalogError::AlreadyExists { .. }) => {
            return Err(Failure::new(Exit::Failed, "the catalog has an audit log, or records of one")
                .with_hint("run `causeway audit verify`"));
        }
        started => started?,
    }
    let public = project.audit_first_key();
    let text = format!("{}\n", key.public());
    std::fs::write(&public, text).with_context(|| format!("{} cannot be written", public.display()))?;
    Ok(())
}

/// Signs where the log stands, if this command added to it and the last head is old enough. A failure is
/// a warning: what was done is done and recorded.
pub(crate) fn sign_if_due(app: &App) {
    let Some(log) = app.log.get() else { return };
    if let Err(failure) = app.wait(async { log.sign_if_due().await }) {
        warn(app, &format!("the audit log was not signed: {}", failure.message()));
    }
}

/// Signs where the log stands from time to time, without end.
pub(crate) async fn keep_signed(app: &App) {
    let Some(log) = app.log.get() else { return std::future::pending().await };
    loop {
        tokio::time::sleep(SIGNING).await;
        if let Err(failure) = log.sign_if_due().await {
            tracing::warn!(problem = failure.message(), "the audit log was not signed");
        }
    }
}

pub(super) fn warn(app: &App, message: &str) {
    app.terminal.note(&format!("{}: {message}", app.terminal.paint(Tone::Warning, "warning")));
}

impl Log {
    async fn sign_if_due(&self) -> Result<(), Failure> {
        let Some(state) = self.catalog.audit_state().await? else { return Ok(()) };
        if let Some(last) = Export::last_head(&self.project.audit_heads())?
            && (last.size() >= state.frontier.size() || !self.is_older(&last, &state))
        {
            return Ok(());
        }
        sign(&self.project, state).map(drop)
    }

    fn is_older(&self, last: &SignedHead, now: &AuditState) -> bool {
        let instant = |text: &str| DateTime::parse_from_rfc3339(text).map(|time| time.timestamp_millis());
        let (Ok(last), Ok(now)) = (instant(last.time().as_str()), instant(now.now.as_str())) else { return true };
        let interval = self.project.config.audit.head_interval_seconds.saturating_mul(1000);
        u64::try_from(now - last).is_ok_and(|age| age >= interval)
    }
}

/// Returns where the log stands.
pub(super) async fn state(catalog: &dyn Catalog) -> Result<AuditState, Failure> {
    let state = catalog.audit_state().await?;
    state.ok_or_else(|| Failure::new(Exit::Failed, "the catalog has no audit log"))
}

/// Signs a state of the log and adds the head to the exported ones.
pub(super) fn sign(project: &Project, state: AuditState) -> Result<SignedHead, Failure> {
    let next = next_key(project);
    if next.try_exists()? {
        return Err(Failure::new(Exit::Failed, "a rotation of the key was not finished")
            .with_hint("run `causeway audit rotate-key`; it goes on where it stopped"));
    }
    let key = LogKey::load_file(&project.audit_key())?;
    let AuditState { log, frontier, now, .. } = state;
    if let Some(last) = Export::last_head(&project.audit_heads())?
        && *last.log() != log
    {
        return Err(Failure::new(Exit::Failed, "the catalog's audit log is not the one that was signed before")
            .with_hint("run `causeway audit verify`"));
    }
    let head = TreeHead::new(log, frontier.size(), frontier.root(), now)?.sign(&key)?;
    append_head(&project.audit_heads(), &head)?;
    Ok(head)
}

/// Returns where a new key lies until the log knows of it.
pub(super) fn next_key(project: &Project) -> std::path::PathBuf {
    project.audit_key().with_extension("key.next")
}

/// Returns the heads that were signed; none if there is no file.
pub(super) fn exported(path: &Path) -> Result<Export, Failure> {
    if path.try_exists()? { Ok(Export::read(path)?) } else { Ok(Export::default()) }
}

/// Reads the log's first public key from what was given, or from where it lies.
pub(super) fn first_key(given: Option<&str>, file: Option<&Path>) -> Result<PublicKey, Failure> {
    if let Some(key) = given.and_then(|text| text.parse().ok()) {
        return Ok(key);
    }
    let path = given.map(Path::new).or(file).ok_or_else(|| {
        Failure::usage("there is no first key to trust").with_hint("give it with --first-key: a file or its 64 digits")
    })?;
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("the log's first public key {} cannot be read", path.display()))?;
    Ok(text.trim().parse::<PublicKey>()?)
}
