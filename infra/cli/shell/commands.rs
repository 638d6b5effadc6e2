//! Commands of the shell itself: a backslash and a word.

use std::path::Path;

use causeway_core::{describe_text, nearest};
use causeway_system::relations;
use clap::ValueEnum as _;

use crate::args::Format;
use crate::errors::Failure;
use crate::ops;
use crate::output::grid::Grid;
use crate::sql::Runner;
use crate::terminal::print;

/// What a line has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// The user leaves.
    Leave,
    /// Tables may have changed.
    Changed,
    /// Something was shown.
    Shown,
}

/// A command with what it does.
pub(super) struct Command {
    pub(super) name: &'static str,
    usage: &'static str,
    pub(super) summary: &'static str,
}

/// All commands in the order of the help.
pub(super) const COMMANDS: &[Command] = &[
    Command { name: "\\?", usage: "\\?", summary: "this list" },
    Command { name: "\\d", usage: "\\d [table]", summary: "the tables, or the columns of one" },
    Command { name: "\\ops", usage: "\\ops [operator]", summary: "the operators, or one in full" },
    Command { name: "\\i", usage: "\\i file", summary: "run the statements of a file" },
    Command { name: "\\format", usage: "\\format name", summary: "write rows as table, csv, json or ndjson" },
    Command { name: "\\timing", usage: "\\timing", summary: "print times, or no longer" },
    Command { name: "\\q", usage: "\\q", summary: "leave" },
];

/// Answers a line that begins with a backslash.
pub(super) fn answer(runner: &mut Runner<'_>, line: &str) -> Result<Reply, Failure> {
    let line = line.trim_end_matches(';').trim();
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let argument = argument.trim();
    match (name, argument) {
        ("\\q" | "\\quit", "") => return Ok(Reply::Leave),
        ("\\?" | "\\h" | "\\help", _) => print(&help())?,
        ("\\d", "") => runner.script(LIST_TABLES, None)?,
        ("\\d", table) => describe(runner, table)?,
        ("\\ops", "") => print(&operators())?,
        ("\\ops", operator) => print(&describe_text(ops::find(operator)?))?,
        ("\\i", file) if !file.is_empty() => return run_file(runner, Path::new(file)),
        ("\\format", format) => runner.layout.format = parse_format(format)?,
        ("\\timing", "") => runner.timing = !runner.timing,
        _ => return Err(unknown(name)),
    }
    Ok(Reply::Shown)
}

const LIST_TABLES: &str = "SELECT schema || '.' || name AS \"table\", kind, version, n_rows, changed_at \
     FROM system.datasets WHERE dropped_at IS NULL ORDER BY kind <> 'file', 1";

fn describe(runner: &Runner<'_>, table: &str) -> Result<(), Failure> {
    let name = table.trim_matches('"');
    let system = name.strip_prefix("system.").unwrap_or(name);
    if let Some(relation) = relations().iter().find(|relation| relation.name == system) {
        let mut grid = Grid::new(&["column", "type", "nulls", "meaning"]);
        for column in relation.columns {
            let nulls = if column.nullable { "yes" } else { "no" };
            let cells = [column.name, column.kind.describe(), nulls, column.meaning];
            grid.row(cells.map(str::to_owned));
        }
        return Ok(print(&format!("{}\n\n{grid}\n", relation.summary))?);
    }
    let qualified = if name.contains('.') { name.to_owned() } else { format!("main.{name}") };
    let quoted = qualified.replace('\'', "''");
    runner.script(
        &format!(
            "SELECT name, type, nullable, unit, meaning, identifying FROM system.columns \
             WHERE schema || '.' || dataset = '{quoted}' ORDER BY position"
        ),
        None,
    )
}

fn run_file(runner: &mut Runner<'_>, file: &Path) -> Result<Reply, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    runner.source = Some(file.display().to_string());
    let done = runner.script(&text, None);
    runner.source = None;
    done.map(|()| Reply::Changed)
}

fn parse_format(text: &str) -> Result<Format, Failure> {
    match Format::from_str(text, true) {
        Ok(Format::Arrow | Format::Parquet) | Err(_) => {
            Err(Failure::usage("\\format takes table, csv, json or ndjson")
                .with_hint("for arrow and parquet leave the shell and use `causeway sql -c … -o FILE`"))
        }
        Ok(format) => Ok(format),
    }
}

fn unknown(name: &str) -> Failure {
    let failure = Failure::usage(format!("there is no command `{name}` of this form"));
    match nearest(name, COMMANDS.iter().map(|command| command.name)) {
        Some(meant) if meant != name => failure.with_hint(format!("did you mean `{meant}`? \\? lists all")),
        _ => failure.with_hint("\\? lists all"),
    }
}

fn help() -> String {
    let lines = COMMANDS.iter().map(|command| format!("  {:<18} {}\n", command.usage, command.summary));
    let keys = "\nTab completes, Alt-Enter breaks the line, Ctrl-R searches the history, Ctrl-C stops a statement, \
                Ctrl-D leaves.\n";
    lines.collect::<String>() + keys
}

fn operators() -> String {
    let mut grid = Grid::new(&["operator", "what it does"]);
    for spec in ops::specs() {
        grid.row([spec.name.to_owned(), spec.summary.to_owned()]);
    }
    format!("{grid}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_command() {
        let help = help();
        assert!(COMMANDS.iter().all(|command| help.contains(command.usage)));
    }

    #[test]
    fn binary_formats_are_refused_on_the_terminal() {
        assert_eq!(parse_format("CSV").unwrap(), Format::Csv);
        assert!(parse_format("parquet").is_err());
        assert!(parse_format("xml").is_err());
    }
}
