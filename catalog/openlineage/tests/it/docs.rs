//! `docs/openlineage.md` says what the code does. With `UPDATE_DOCS=1` its generated parts are written.

use causeway_openlineage::{FACETS, Transition};
use serde_json::Value;

use crate::fixtures::{curve_step, step_event};
use crate::repository;

/// The page around a generated part, and the part: what stands between `<!-- NAME -->` and `<!-- end -->`.
fn split<'a>(page: &'a str, name: &str) -> (&'a str, &'a str, &'a str) {
    let begin = format!("<!-- {name} -->\n");
    let from = page.find(&begin).unwrap() + begin.len();
    let to = from + page[from..].find("<!-- end -->").unwrap();
    (&page[..from], &page[from..to], &page[to..])
}

fn part<'a>(page: &'a str, name: &str) -> &'a str {
    split(page, name).1
}

fn with_part(page: &str, name: &str, text: &str) -> String {
    let (before, _, after) = split(page, name);
    format!("{before}{text}{after}")
}

fn facet_table() -> String {
    let mut table = "| where | facet | version | what it says |\n|---|---|---|---|\n".to_owned();
    for kind in FACETS {
        table += &format!("| `{}` | `{}` | {} | {} |\n", kind.holder.path(), kind.key, kind.version, kind.says);
    }
    table
}

#[test]
fn the_page_lists_the_facets_and_shows_a_real_event() {
    let path = repository("docs/openlineage.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let event = step_event(&curve_step(), Transition::Complete);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let example = format!("```json\n{event:#}\n```\n");
        let page = with_part(&page, "facets", &facet_table());
        std::fs::write(&path, with_part(&page, "example", &example)).unwrap();
        return;
    }
    assert_eq!(part(&page, "facets"), facet_table(), "not current, run the test with UPDATE_DOCS=1");
    let shown = part(&page, "example").trim().trim_start_matches("```json").trim_end_matches("```");
    // The order of fields is that of the printer, so values are compared.
    let shown: Value = serde_json::from_str(shown).unwrap();
    assert_eq!(shown, event, "not current, run the test with UPDATE_DOCS=1");
}
