//! `causeway version`.

use serde_json::json;

use crate::app::App;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::print;

/// The version of this binary, as it is recorded with every run.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Prints the version.
pub(crate) fn version(app: &App) -> Result<Exit, Failure> {
    let text = if app.terminal.json {
        json!({"name": "causeway", "version": VERSION, "operators": causeway_all::operators().count()}).to_string()
    } else {
        let armed = if causeway_failpoints::ARMED { ", with failpoints: for tests only" } else { "" };
        format!("causeway {VERSION}{armed}")
    };
    print(&format!("{text}\n"))?;
    Ok(Exit::Ok)
}
