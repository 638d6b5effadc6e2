//! `causeway lineage`: what a table or column came from, drawn as a tree.

mod columns;
mod tables;

use causeway_model::Direction;
use causeway_system::Target;
use serde_json::json;

use crate::app::App;
use crate::args::{LimitOptions, LineageOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::session::open_catalog;
use crate::terminal::print;

/// Draws the lineage of a table or column.
pub(crate) fn lineage(app: &App, options: &LineageOptions) -> Result<Exit, Failure> {
    if app.user.is_some() {
        return Err(Failure::usage("this command draws the whole record, whoever asks; --user does not go with it")
            .with_hint("ask in SQL for what the user may see: SELECT * FROM lineage_upstream('schema.table')"));
    }
    let project = app.project(&LimitOptions::default())?;
    let direction = if options.downstream { Direction::Downstream } else { Direction::Upstream };
    let tree = app.wait(async {
        let catalog = open_catalog(&project).await?;
        let target = Target::find(catalog.as_ref(), &options.target, options.version).await?;
        if options.columns || target.column.is_some() {
            columns::tree(&app.terminal, catalog.as_ref(), &target, direction, options.depth).await
        } else {
            tables::tree(&app.terminal, catalog.as_ref(), &target, direction, options.depth).await
        }
    })?;
    let text = if app.terminal.json { json!(tree).to_string() } else { tree.draw() };
    print(&format!("{text}\n"))?;
    Ok(Exit::Ok)
}
