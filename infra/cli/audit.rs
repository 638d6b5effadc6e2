//! `causeway audit`: the audit log, checked, proved, looked at and signed.

mod certify;
mod dp;
mod log;
mod proof;
mod rotate;
mod tail;
mod verify;

use causeway_audit::{Action, Event, Object, ObjectKind, Outcome};
use causeway_model::{Catalog, Rights};
use causeway_runtime::Project;
use std::sync::Arc;

use crate::app::App;
use crate::args::{AuditCommand, AuditOptions, LimitOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::session::open_catalog;
pub(crate) use log::{Log, begin, keep_signed, sign_if_due, start};

/// Runs a command on the audit log.
pub(crate) fn audit(app: &App, options: &AuditOptions) -> Result<Exit, Failure> {
    match &options.command {
        AuditCommand::Verify(options) => verify::verify(app, options),
        AuditCommand::Prove { record, output } => proof::prove(app, *record, output.as_deref()),
        AuditCommand::Certify { table, output } => certify::certify(app, table, output.as_deref()),
        AuditCommand::Export { records } => proof::export(app, records.as_deref()),
        AuditCommand::Tail { count, follow } => tail::tail(app, *count, *follow),
        AuditCommand::RotateKey => rotate::rotate(app),
        AuditCommand::Dp(options) => dp::dp(app, options),
        AuditCommand::Start => start_log(app),
    }
}

fn start_log(app: &App) -> Result<Exit, Failure> {
    if app.user.is_some() {
        return Err(Failure::usage("the log is started by who may open the catalog; --user does not go with it"));
    }
    let project = app.project(&LimitOptions::default())?;
    let catalog = app.wait(open_catalog(&project))?;
    app.wait(start(&project, catalog.as_ref()))?;
    begin(app, &project, &catalog)?;
    app.terminal.note("the audit log has started; what was recorded before is not covered by it");
    Ok(Exit::Ok)
}

/// Opens the catalog for someone who may see the whole record.
fn open(app: &App) -> Result<(Project, Arc<dyn Catalog>), Failure> {
    let project = app.project(&LimitOptions::default())?;
    let catalog = app.wait(open_catalog(&project))?;
    if let Some(user) = &app.user {
        let rights = app.wait(async { Ok(catalog.rights(user).await?) })?;
        if !rights.as_ref().is_some_and(Rights::sees_record) {
            let refusal = Event::new(user, Action::RefusedAttempt, Outcome::refused("CW0109"))
                .object(Object::new(ObjectKind::Procedure, "audit"));
            app.wait(async { Ok(catalog.record(refusal).await?) })?;
            let (message, hint) = match rights {
                Some(_) => (format!("`{user}` may not see the audit log"), "ask an admin for the role auditor"),
                None => (format!("there is no user `{user}`"), "an admin makes users with CREATE USER"),
            };
            return Err(Failure::of_code("CW0109", message).with_hint(hint));
        }
    }
    begin(app, &project, &catalog)?;
    Ok((project, catalog))
}
