//! The pages of the docs that are generated: one for each operator, the command line, the
//! configuration, the system tables, the metrics, the error codes.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use causeway_core::describe_markdown;
use causeway_runtime::key_docs;
use clap::CommandFactory as _;

use crate::app::App;
use crate::args::{Arguments, ReferenceOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::explain;
use crate::ops;
use crate::terminal::print;

/// The mark of a generated page.
const MARK: &str = "<!-- generated from the code by `make docs`; do not edit -->\n\n";

/// Writes the pages, or names those that are not current.
pub(crate) fn reference(app: &App, options: &ReferenceOptions) -> Result<Exit, Failure> {
    let pages = pages();
    let stale = stale(&options.folder, &pages)?;
    if options.check {
        print(&stale.iter().map(|page| format!("{page}\n")).collect::<String>())?;
        if stale.is_empty() {
            return Ok(Exit::Ok);
        }
        return Err(Failure::new(Exit::Failed, format!("{} generated pages are not current", stale.len()))
            .with_hint("run `make docs` and commit the result"));
    }
    for page in &stale {
        let path = options.folder.join(page);
        match pages.get(page.as_str()) {
            Some(text) => write(&path, text)?,
            None => std::fs::remove_file(&path).with_context(|| path.display().to_string())?,
        }
    }
    app.terminal.note(&format!("{} pages, {} written", pages.len(), stale.len()));
    Ok(Exit::Ok)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    Ok(std::fs::write(path, text).with_context(|| path.display().to_string())?)
}

/// Returns all pages by their path in the docs.
fn pages() -> BTreeMap<String, String> {
    let mut pages = BTreeMap::new();
    let mut index = format!("{MARK}# Operators\n\n| operator | family | what it does |\n|---|---|---|\n");
    for spec in ops::specs() {
        let _ = writeln!(index, "| [`{0}`]({0}.md) | {1} | {2} |", spec.name, spec.family, spec.summary);
        pages.insert(format!("operators/{}.md", spec.name), format!("{MARK}{}", describe_markdown(spec)));
    }
    pages.insert("operators/README.md".to_owned(), index);
    pages.insert("cli.md".to_owned(), format!("{MARK}{}", command_line()));
    pages.insert("configuration.md".to_owned(), format!("{MARK}{}", configuration()));
    pages.insert("system.md".to_owned(), format!("{MARK}{}", causeway_system::docs_markdown()));
    pages.insert("metrics.md".to_owned(), format!("{MARK}{}", causeway_server::docs_markdown()));
    pages.insert("errors/README.md".to_owned(), format!("{MARK}{}", explain::index_markdown()));
    pages
}

/// Returns the pages that differ from what is in the folder, and pages of operators that are gone.
fn stale(folder: &Path, pages: &BTreeMap<String, String>) -> Result<Vec<String>, Failure> {
    let mut stale: Vec<String> = pages
        .iter()
        .filter(|(path, text)| std::fs::read_to_string(folder.join(path)).ok().as_ref() != Some(text))
        .map(|(path, _)| path.clone())
        .collect();
    let operators = folder.join("operators");
    if operators.try_exists()? {
        for entry in std::fs::read_dir(operators)? {
            let page = format!("operators/{}", entry?.file_name().to_string_lossy());
            if !pages.contains_key(&page) {
                stale.push(page);
            }
        }
    }
    Ok(stale)
}

fn command_line() -> String {
    let mut command = Arguments::command().term_width(100);
    command.build();
    let mut page = String::from("# Command line\n");
    help(&command, "", 2, &mut page);
    page
}

fn help(command: &clap::Command, parent: &str, level: usize, page: &mut String) {
    let name = format!("{parent}{}", command.get_name());
    let text = command.clone().term_width(100).render_long_help().to_string();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let _ = write!(page, "\n{} `{name}`\n\n```text\n{}\n```\n", "#".repeat(level), lines.join("\n").trim_end());
    for child in command.get_subcommands().filter(|child| !child.is_hide_set() && child.get_name() != "help") {
        help(child, &format!("{name} "), (level + 1).min(4), page);
    }
}

fn configuration() -> String {
    let mut page = String::from(
        "# Configuration\n\n`causeway.toml` is looked for in this order: `--config`, the variable `CAUSEWAY_CONFIG`, the \
         current folder, the folders above it. A variable comes before the file, a flag before both. Relative paths start \
         at the file's folder. A key that does not exist is an error.\n\n| section | key | default | variable | meaning \
         |\n|---|---|---|---|---|\n",
    );
    for key in key_docs() {
        let code = |text: Option<String>| text.map_or_else(String::new, |text| format!("`{text}`"));
        let _ = writeln!(
            page,
            "| `[{}]` | `{}` | {} | {} | {} |",
            key.section,
            key.key,
            code(key.default),
            code(key.variable),
            key.meaning
        );
    }
    page
}
