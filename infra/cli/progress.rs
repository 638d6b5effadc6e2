//! Bars on a terminal, lines elsewhere; log lines stand above the bars.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use causeway_engine::{ProgressEvent, ProgressSink};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::app::App;
use crate::terminal::{Terminal, Tone};

/// The unit of a share on a bar.
const PER_MILLE: u64 = 1000;

/// Shows what the steps of a run do.
#[derive(Clone)]
pub(crate) struct StepProgress {
    terminal: Terminal,
    bars: MultiProgress,
}

/// Shows one running step.
#[derive(Clone)]
pub(crate) struct RunningStep {
    bar: Option<ProgressBar>,
}

impl StepProgress {
    /// Makes a view for the terminal of the app.
    pub(crate) fn new(app: &App) -> Self {
        Self { terminal: app.terminal.clone(), bars: app.bars.clone() }
    }

    /// Shows that a step begins: as a bar, if there are bars.
    pub(crate) fn begin(&self, name: &str) -> RunningStep {
        if !self.terminal.progress {
            return RunningStep { bar: None };
        }
        let bar = self.bars.add(ProgressBar::new_spinner().with_style(counting_style()).with_prefix(name.to_owned()));
        bar.enable_steady_tick(Duration::from_millis(120));
        RunningStep { bar: Some(bar) }
    }

    /// Paints a text for the lines.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        self.terminal.paint(tone, text)
    }

    /// Shows a line that stays: above the bars, or as it is.
    pub(crate) fn line(&self, text: &str) {
        if self.terminal.quiet {
            return;
        }
        if self.terminal.progress {
            // Without a terminal to draw on there is nobody to tell.
            let _ = self.bars.println(text);
        } else {
            self.terminal.say(text);
        }
    }
}

impl RunningStep {
    /// Returns a receiver of the step's progress.
    pub(crate) fn sink(&self) -> ProgressSink {
        match self.bar.clone() {
            None => Arc::new(|_| {}),
            Some(bar) => Arc::new(move |event| show(&bar, event)),
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn show(bar: &ProgressBar, event: ProgressEvent) {
    match event {
        ProgressEvent::RowsRead(rows) => bar.set_position(rows),
        ProgressEvent::ServedAgain { .. } => {} // a line, which the caller writes
        ProgressEvent::Share(share) => {
            if bar.length() != Some(PER_MILLE) {
                bar.set_length(PER_MILLE);
                bar.set_style(share_style());
            }
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of 1000, clamped")]
            bar.set_position((share.clamp(0.0, 1.0) * 1000.0) as u64);
        }
    }
}

fn counting_style() -> ProgressStyle {
    style("{spinner:.cyan} {prefix:<28!} {elapsed:>4} {human_pos:>14} rows")
}

fn share_style() -> ProgressStyle {
    style("{spinner:.cyan} {prefix:<28!} {elapsed:>4} {bar:30.cyan/blue} {percent:>3} %")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Writes log lines above the bars.
#[derive(Clone)]
pub(crate) struct LogWriter {
    bars: MultiProgress,
}

impl LogWriter {
    /// Returns a maker of writers for the log.
    pub(crate) fn above(bars: &MultiProgress) -> causeway_runtime::logging::LogTarget {
        let writer = Self { bars: bars.clone() };
        causeway_runtime::logging::LogTarget::new(move || writer.clone())
    }
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bars.suspend(|| std::io::stderr().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_turns_the_counter_into_a_bar() {
        let bar = ProgressBar::hidden();
        show(&bar, ProgressEvent::RowsRead(5));
        assert_eq!((bar.position(), bar.length()), (5, None));
        show(&bar, ProgressEvent::Share(0.25));
        assert_eq!((bar.position(), bar.length()), (250, Some(1000)));
        for template in ["{prefix:<28!} {elapsed:>4} {human_pos:>14} rows", "{bar:30.cyan/blue} {percent:>3} %"] {
            assert!(ProgressStyle::with_template(template).is_ok());
        }
    }
}
