//! `causeway diff`: why two runs, or two versions of a table, may hold different numbers.

mod causes;
mod report;
mod side;

use serde_json::json;

use crate::app::App;
use crate::args::{DiffOptions, LimitOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::record::Record;
use crate::runs::{Named, find};
use crate::session::open_catalog;
use crate::terminal::print;

use side::Side;

/// Compares what two runs, or the makings of two versions, did.
pub(crate) fn diff(app: &App, options: &DiffOptions) -> Result<Exit, Failure> {
    if app.user.is_some() {
        return Err(Failure::usage("this command reads the whole record, whoever asks; --user does not go with it")
            .with_hint("ask in SQL for what the user may see: SELECT * FROM system.steps"));
    }
    let project = app.project(&LimitOptions::default())?;
    let comparison = app.wait(async {
        let catalog = open_catalog(&project).await?;
        let catalog = catalog.as_ref();
        let named = [find(catalog, &options.before).await?, find(catalog, &options.after).await?];
        let mut record = Record::default();
        for side in &named {
            match side {
                Named::Run(run) => record.add_run(catalog, run).await?,
                Named::Version(version) => record.add_upstream(catalog, version.id, None).await?,
            }
        }
        let before = Side::new(catalog, &record, &named[0]).await?;
        let after = Side::new(catalog, &record, &named[1]).await?;
        if before.is_of_versions != after.is_of_versions {
            return Err(Failure::usage("a run and a version of a table are not compared with each other")
                .with_hint("name two runs, or two versions such as schema.table@3 schema.table@4"));
        }
        Ok(causes::compare(&record, &before, &after))
    })?;
    let text = match app.terminal.json {
        true => format!("{}\n", json!(comparison)),
        false => report::render(&app.terminal, &comparison),
    };
    print(&text)?;
    Ok(if comparison.same { Exit::Ok } else { Exit::Failed })
}
