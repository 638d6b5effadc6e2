//! `causeway explain`: the pages of the error codes.

use causeway_core::nearest;
use serde_json::json;

use crate::app::App;
use crate::args::ExplainOptions;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::print;

/// Lists the pages that are built in, by code.
macro_rules! pages {
    ($($code:literal),+ $(,)?) => {
        &[$(($code, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors/", $code, ".md")))),+]
    };
}

include!("explain/pages.rs");

/// Explains a code, or lists all.
pub(crate) fn explain(app: &App, options: &ExplainOptions) -> Result<Exit, Failure> {
    let Some(code) = &options.code else {
        print(&list())?;
        return Ok(Exit::Ok);
    };
    let wanted = code.trim().to_uppercase();
    let wanted = if wanted.starts_with("CW") { wanted } else { format!("CW{wanted:0>4}") };
    let Some((code, page)) = PAGES.iter().find(|(known, _)| *known == wanted) else {
        let failure = Failure::usage(format!("there is no error `{code}`"));
        return Err(match nearest(&wanted, PAGES.iter().map(|(known, _)| *known)) {
            Some(meant) => failure.with_hint(format!("did you mean {meant}? `causeway explain` lists all")),
            None => failure.with_hint("`causeway explain` lists all"),
        });
    };
    let text =
        if app.terminal.json { json!({"code": code, "page": page}).to_string() + "\n" } else { (*page).to_owned() };
    print(&text)?;
    Ok(Exit::Ok)
}

fn list() -> String {
    PAGES.iter().map(|(code, page)| format!("{code}  {}\n", title(page))).collect()
}

/// Returns the heading of a page without the code.
fn title(page: &str) -> &str {
    let heading = page.lines().next().unwrap_or_default();
    heading.split_once(": ").map_or(heading, |(_, title)| title)
}

/// Returns the table of all codes for the docs.
pub(crate) fn index_markdown() -> String {
    let rows = PAGES.iter().map(|(code, page)| format!("| [{code}]({code}.md) | {} |\n", title(page)));
    format!(
        "# Error codes\n\n`causeway explain CODE` prints a page.\n\n| code | meaning |\n|---|---|\n{}",
        rows.collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_page_names_its_code_its_cause_and_its_remedy() {
        for (code, page) in PAGES {
            assert!(page.starts_with(&format!("# {code}: ")), "{code}");
            assert!(page.contains("## What happened") && page.contains("## What to do"), "{code}");
        }
    }

    #[test]
    fn pages_stand_in_the_order_of_their_codes() {
        assert!(PAGES.is_sorted_by(|a, b| a.0 < b.0));
    }
}
