//! `causeway ops`: the operators, from their specs.

use causeway_core::{OperatorFactory, Spec, describe_json, describe_markdown, describe_text, nearest};
use serde_json::{Value, json};

use crate::app::App;
use crate::args::{OpsCommand, OpsOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::terminal::print;

/// Lists the operators or describes one.
pub(crate) fn ops(app: &App, options: &OpsOptions) -> Result<Exit, Failure> {
    let text = match &options.command {
        None | Some(OpsCommand::List) if app.terminal.json => list_json().to_string() + "\n",
        None | Some(OpsCommand::List) => list_text(),
        Some(OpsCommand::Describe { name, markdown }) => {
            let spec = find(name)?;
            match (app.terminal.json, markdown) {
                (true, _) => describe_json(spec).to_string() + "\n",
                (false, true) => describe_markdown(spec),
                (false, false) => describe_text(spec),
            }
        }
    };
    print(&text)?;
    Ok(Exit::Ok)
}

/// Returns the specs of all operators in the order of the docs.
pub(crate) fn specs() -> impl Iterator<Item = &'static Spec> {
    causeway_all::operators().map(OperatorFactory::spec)
}

/// Finds the spec of an operator.
pub(crate) fn find(name: &str) -> Result<&'static Spec, Failure> {
    specs().find(|spec| spec.name.eq_ignore_ascii_case(name)).ok_or_else(|| {
        let failure = Failure::new(Exit::Usage, format!("there is no operator `{name}`"));
        match nearest(name, specs().map(|spec| spec.name)) {
            Some(meant) => failure.with_hint(format!("did you mean `{meant}`?")),
            None => failure.with_hint("`causeway ops` lists them"),
        }
    })
}

fn list_text() -> String {
    let mut grid = Grid::new(&["operator", "family", "what it does"]);
    for spec in specs() {
        grid.row([spec.name.to_owned(), spec.family.to_owned(), spec.summary.to_owned()]);
    }
    format!("{grid}\n\n`causeway ops describe NAME` shows inputs, options, output and source.\n")
}

fn list_json() -> Value {
    let row = |spec: &Spec| json!({"name": spec.name, "family": spec.family, "version": spec.version, "summary": spec.summary, "usage": spec.usage()});
    specs().map(row).collect()
}
