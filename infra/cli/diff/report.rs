//! A comparison for people.

use std::fmt::Write as _;

use super::causes::{Comparison, Difference, StepComparison, Verdict};
use super::side::Label;
use crate::terminal::{Terminal, Tone};

/// Writes the comparison: both sides, what can explain a change, what only follows.
pub(super) fn render(terminal: &Terminal, comparison: &Comparison) -> String {
    let paint = |tone, text: &str| terminal.paint_output(tone, text);
    let mut text = String::new();
    for (sign, tone, label) in [("-", Tone::Bad, &comparison.before), ("+", Tone::Good, &comparison.after)] {
        let _ = writeln!(text, "{}", paint(tone, &format!("{sign} {}", described(label))));
    }
    text.push('\n');
    if comparison.same {
        let _ = writeln!(text, "{}", paint(Tone::Good, "nothing differs that a result depends on"));
        if let Some(again) = named(comparison, Verdict::Again) {
            let _ = writeln!(text, "done again over the same inputs: {again}");
        }
        return text;
    }
    let _ = writeln!(text, "{}", paint(Tone::Strong, "what can explain a changed result"));
    for difference in &comparison.overall {
        let _ = writeln!(text, "  every step: {}", line(terminal, difference));
    }
    for step in &comparison.steps {
        own(terminal, step, &mut text);
    }
    follows(terminal, comparison, &mut text);
    text
}

fn own(terminal: &Terminal, step: &StepComparison, text: &mut String) {
    let name = terminal.paint_output(Tone::Name, &step.step);
    match step.verdict {
        Verdict::Added => {
            let _ = writeln!(text, "  {name} {}", terminal.paint_output(Tone::Good, "is new"));
        }
        Verdict::Removed => {
            let _ = writeln!(text, "  {name} {}", terminal.paint_output(Tone::Bad, "is gone"));
        }
        Verdict::Cause => {
            let _ = writeln!(text, "  {name}");
            for difference in step.causes.iter().filter(|difference| difference.what != "SQL") {
                let _ = writeln!(text, "    {}", line(terminal, difference));
            }
            for diff_line in step.sql.iter().flat_map(|sql| sql.lines()) {
                let _ = writeln!(text, "    {}", coloured(terminal, diff_line));
            }
            if !step.through.is_empty() {
                let _ = writeln!(text, "    and through {}", step.through.join(", "));
            }
            results(terminal, step, text);
        }
        Verdict::Same | Verdict::Again | Verdict::Follows | Verdict::Undone => {}
    }
}

fn results(terminal: &Terminal, step: &StepComparison, text: &mut String) {
    for difference in &step.results {
        let _ = writeln!(text, "    {} {}", terminal.paint_output(Tone::Faint, "=>"), line(terminal, difference));
    }
}

fn follows(terminal: &Terminal, comparison: &Comparison, text: &mut String) {
    let heading = |text: &mut String, words: &str| {
        let _ = writeln!(text, "\n{}", terminal.paint_output(Tone::Strong, words));
    };
    let following: Vec<&StepComparison> =
        comparison.steps.iter().filter(|step| step.verdict == Verdict::Follows).collect();
    if !following.is_empty() {
        heading(text, "what only follows from it");
    }
    for step in following {
        let name = terminal.paint_output(Tone::Name, &step.step);
        let through = terminal.paint_output(Tone::Faint, &format!("through {}", step.through.join(", ")));
        let _ = writeln!(text, "  {name}  {through}");
        results(terminal, step, text);
    }
    let undone: Vec<&StepComparison> = comparison.steps.iter().filter(|step| step.verdict == Verdict::Undone).collect();
    if !undone.is_empty() {
        heading(text, "what one of them did not get to");
    }
    for step in undone {
        let results: Vec<String> = step.results.iter().map(|result| line(terminal, result)).collect();
        let _ = writeln!(text, "  {}  {}", terminal.paint_output(Tone::Name, &step.step), results.join(", "));
    }
    for (verdict, words) in [(Verdict::Again, "done again over the same inputs"), (Verdict::Same, "the same making")] {
        if let Some(names) = named(comparison, verdict) {
            heading(text, words);
            let _ = writeln!(text, "  {names}");
        }
    }
}

/// Names the steps of a verdict; their checks are counted.
fn named(comparison: &Comparison, verdict: Verdict) -> Option<String> {
    let all = comparison.steps.iter().filter(|step| step.verdict == verdict).map(|step| step.step.as_str());
    let (checks, steps): (Vec<&str>, Vec<&str>) = all.partition(|name| name.contains(" check "));
    let mut parts: Vec<String> = steps.into_iter().map(str::to_owned).collect();
    match checks.len() {
        0 => {}
        1 => parts.push("1 check".to_owned()),
        n_checks => parts.push(format!("{n_checks} checks")),
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn described(label: &Label) -> String {
    let mut words: Vec<String> = label.version.iter().map(|version| format!("{version},")).collect();
    words.extend(label.run.iter().map(|run| format!("run {run}")));
    words.extend(label.pipeline.iter().map(|pipeline| format!("of {pipeline}")));
    words.extend(label.started_at.iter().map(|at| format!("at {}", at.get(..19).unwrap_or(at))));
    words.extend(label.state.iter().map(|state| format!("({state})")));
    words.join(" ")
}

fn line(terminal: &Terminal, difference: &Difference) -> String {
    let Difference { what, before, after } = difference;
    if before == after {
        return format!("{what}: {before}");
    }
    let (before, after) = (terminal.paint_output(Tone::Bad, before), terminal.paint_output(Tone::Good, after));
    format!("{what}: {before} → {after}")
}

fn coloured(terminal: &Terminal, diff_line: &str) -> String {
    let tone = match diff_line.chars().next() {
        Some('-') => Tone::Bad,
        Some('+') => Tone::Good,
        Some('@') => Tone::Faint,
        _ => return diff_line.to_owned(),
    };
    terminal.paint_output(tone, diff_line)
}
