//! What came of repeating a run, for people.

use std::fmt::Write as _;

use super::Outcome;
use super::content::Compared;
use super::step::{Difference, Output, Reproduction, Verdict};
use crate::output::grid::Grid;
use crate::terminal::{Terminal, Tone};

/// Writes a line for each step and the totals.
pub(super) fn render(terminal: &Terminal, outcome: &Outcome) -> String {
    let mut grid = Grid::new(&["step", "verdict", "compared"]);
    for step in &outcome.steps {
        let (tone, word) = word(step.verdict);
        let mut cells = cells(step).into_iter();
        grid.row([step.step.clone(), terminal.paint_output(tone, word), cells.next().unwrap_or_default()]);
        for cell in cells {
            grid.row([String::new(), String::new(), cell]);
        }
    }
    let mut text = format!("{grid}\n\n{}\n", totals(terminal, outcome));
    for note in &outcome.notes {
        let _ = writeln!(text, "{}: {note}", terminal.paint_output(Tone::Warning, "note"));
    }
    text
}

fn word(verdict: Verdict) -> (Tone, &'static str) {
    match verdict {
        Verdict::Reproduced => (Tone::Good, "reproduced"),
        Verdict::Differs => (Tone::Bad, "differs"),
        Verdict::Impossible => (Tone::Warning, "cannot be"),
        Verdict::Skipped => (Tone::Faint, "-"),
    }
}

fn cells(step: &Reproduction) -> Vec<String> {
    let outputs = step.outputs.iter().map(output);
    let mut cells: Vec<String> = step.reason.iter().cloned().chain(outputs).collect();
    if cells.is_empty() {
        cells.push("the same answer".to_owned());
    }
    cells
}

fn output(output: &Output) -> String {
    let version = &output.version;
    match &output.compared {
        Difference::Table(Compared::Same { n_rows }) => format!("{version}: the same {}", rows(*n_rows)),
        Difference::Table(Compared::Rounded { n_rows, columns }) => {
            format!("{version}: the same {}, up to the last digits of {}", rows(*n_rows), columns.join(", "))
        }
        Difference::Table(Compared::Columns { recorded, now }) => {
            format!("{version}: columns ({}) recorded, ({}) now", recorded.join(", "), now.join(", "))
        }
        Difference::Table(Compared::Rows { recorded, now, only_recorded, only_now, columns }) => {
            let where_ = match columns.as_slice() {
                [] => "the same values, combined otherwise".to_owned(),
                columns => format!("in {}", columns.join(", ")),
            };
            format!(
                "{version}: {} recorded, {now} now; {only_recorded} only recorded, {only_now} only now; {where_}",
                rows(*recorded)
            )
        }
        Difference::View { same: true } => format!("{version}: the same text and columns"),
        Difference::View { same: false } => format!("{version}: another text or other columns"),
        Difference::Missing { missing: "now" } => format!("{version}: not made now"),
        Difference::Missing { .. } => format!("{version}: made now, not then"),
    }
}

fn rows(n: u64) -> String {
    if n == 1 { "1 row".to_owned() } else { format!("{n} rows") }
}

fn totals(terminal: &Terminal, outcome: &Outcome) -> String {
    let count = |verdict| outcome.steps.iter().filter(|step| step.verdict == verdict).count();
    let mut parts = vec![format!("{} reproduced", count(Verdict::Reproduced))];
    for (verdict, words) in [
        (Verdict::Differs, "give another result"),
        (Verdict::Impossible, "cannot be repeated"),
        (Verdict::Skipped, "make nothing"),
    ] {
        if count(verdict) > 0 {
            parts.push(format!("{} {words}", count(verdict)));
        }
    }
    let tone = if outcome.reproduced { Tone::Good } else { Tone::Bad };
    let of = outcome.pipeline.as_ref().map(|name| format!(" of {name}")).unwrap_or_default();
    format!("{} (run {}{of})", terminal.paint_output(tone, &parts.join(", ")), outcome.run)
}
