//! `causeway doctor`: does everything work, and if not, what to do.

mod checks;

use serde_json::json;

use crate::app::App;
use crate::args::LimitOptions;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::output::grid::Grid;
use crate::terminal::{Tone, print};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Ok => Tone::Good,
            Self::Warn => Tone::Warning,
            Self::Fail => Tone::Bad,
        }
    }
}

/// One thing looked at.
#[derive(Debug)]
struct Finding {
    subject: &'static str,
    verdict: Verdict,
    /// What was found.
    found: String,
    /// What to do, where something is to be done.
    advice: String,
}

impl Finding {
    fn ok(subject: &'static str, found: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Ok, found: found.into(), advice: String::new() }
    }

    fn warn(subject: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Warn, found: found.into(), advice: advice.into() }
    }

    fn fail(subject: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { subject, verdict: Verdict::Fail, found: found.into(), advice: advice.into() }
    }
}

/// Checks everything that can be checked and prints what was found.
pub(crate) fn doctor(app: &App) -> Result<Exit, Failure> {
    let project = app.project(&LimitOptions::default())?;
    let mut findings = checks::machine(&project);
    findings.extend(checks::places(&project));
    findings.push(app.wait(async { Ok(checks::catalog(&project).await) })?);
    findings.push(app.wait(async { Ok(checks::audit_log(&project).await) })?);
    findings.push(app.wait(async { Ok(checks::tables(&project).await) })?);
    findings.push(app.wait(async { Ok(checks::lineage_events(&project).await) })?);
    report(app, &findings)?;
    let failed = findings.iter().any(|finding| finding.verdict == Verdict::Fail);
    Ok(if failed { Exit::Unusable } else { Exit::Ok })
}

fn report(app: &App, findings: &[Finding]) -> Result<(), Failure> {
    if app.terminal.json {
        let row = |finding: &Finding| json!({"check": finding.subject, "verdict": finding.verdict.word().to_lowercase(), "found": finding.found, "advice": finding.advice});
        let rows: Vec<_> = findings.iter().map(row).collect();
        return Ok(print(&format!("{}\n", json!(rows)))?);
    }
    let mut grid = Grid::new(&["check", "verdict", "found"]);
    for finding in findings {
        grid.row([finding.subject.to_owned(), finding.verdict.word().to_owned(), finding.found.clone()]);
    }
    let mut text = format!("{grid}\n");
    for finding in findings.iter().filter(|finding| !finding.advice.is_empty()) {
        let subject = app.terminal.paint_output(finding.verdict.tone(), finding.subject);
        text.push_str(&format!("\n{subject}: {}", finding.advice));
    }
    if findings.iter().any(|finding| !finding.advice.is_empty()) {
        text.push('\n');
    }
    Ok(print(&text)?)
}
