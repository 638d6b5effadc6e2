//! `causeway audit`: the audit log, checked, proved, looked at and signed.

mod log;
mod proof;
mod rotate;
mod tail;
mod verify;

use causeway_model::Catalog;
use causeway_runtime::Project;
use std::sync::Arc;

use crate::app::App;
use crate::args::{AuditCommand, AuditOptions, LimitOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::session::open_catalog;
pub(crate) use log::{Log, begin, sign_if_due};

/// Runs a command on the audit log.
pub(crate) fn audit(app: &App, options: &AuditOptions) -> Result<Exit, Failure> {
    match &options.command {
        AuditCommand::Verify(options) => verify::verify(app, options),
        AuditCommand::Prove { record, output } => proof::prove(app, *record, output.as_deref()),
        AuditCommand::Export { records } => proof::export(app, records.as_deref()),
        AuditCommand::Tail { count, follow } => tail::tail(app, *count, *follow),
        AuditCommand::RotateKey => rotate::rotate(app),
    }
}

/// Opens the catalog for someone who may see the whole record.
fn open(app: &App) -> Result<(Project, Arc<dyn Catalog>), Failure> {
    let project = app.project(&LimitOptions::default())?;
    let catalog = app.wait(open_catalog(&project))?;
    if let Some(user) = &app.user {
        let rights = app.wait(async { Ok(catalog.rights(user).await?) })?;
        if !rights.is_some_and(|rights| rights.sees_record()) {
            return Err(Failure::of_code("CW0107", format!("`{user}` may not see the audit log"))
                .with_hint("ask an admin for the role auditor"));
        }
    }
    begin(app, &project, &catalog)?;
    Ok((project, catalog))
}
