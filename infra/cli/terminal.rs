//! Standard error for people: colours only where they are wanted, and never an error of its own.

use std::io::{IsTerminal as _, Write as _};

use nu_ansi_term::{Color as Ansi, Style};

use crate::args::{Color, Global};

/// What the two output streams are connected to, and what the user wants on them.
#[derive(Debug, Clone)]
pub(crate) struct Terminal {
    /// True if standard error may be coloured.
    pub(crate) colours: bool,
    /// True if standard output may be coloured.
    pub(crate) output_colours: bool,
    /// True if standard output is a terminal.
    pub(crate) output_is_terminal: bool,
    /// True if progress bars may be drawn on standard error.
    pub(crate) progress: bool,
    /// True if programs read standard output.
    pub(crate) json: bool,
    /// True if notes to people are unwanted.
    pub(crate) quiet: bool,
}

impl Terminal {
    /// Looks at the streams and the options.
    pub(crate) fn new(global: &Global) -> Self {
        let error_is_terminal = std::io::stderr().is_terminal();
        let output_is_terminal = std::io::stdout().is_terminal();
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let coloured = |is_terminal: bool| match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => is_terminal && !plain,
        };
        Self {
            colours: coloured(error_is_terminal),
            output_colours: coloured(output_is_terminal),
            output_is_terminal,
            progress: error_is_terminal && !plain && !global.no_progress && global.quiet == 0,
            json: global.json,
            quiet: global.quiet > 0,
        }
    }

    /// Writes a line for people to standard error, unless they want quiet.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Writes a line to standard error. If that is closed there is nobody to tell.
    pub(crate) fn say(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Paints a text for standard error.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        paint(self.colours, tone, text)
    }

    /// Paints a text for standard output.
    pub(crate) fn paint_output(&self, tone: Tone, text: &str) -> String {
        paint(self.output_colours, tone, text)
    }
}

/// What a colour says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Went well.
    Good,
    /// Needs a look.
    Warning,
    /// Went wrong.
    Bad,
    /// A name.
    Name,
    /// Less important.
    Faint,
    /// A heading.
    Strong,
}

fn paint(colours: bool, tone: Tone, text: &str) -> String {
    if !colours {
        return text.to_owned();
    }
    let style = match tone {
        Tone::Good => Style::new().fg(Ansi::Green),
        Tone::Warning => Style::new().fg(Ansi::Yellow),
        Tone::Bad => Style::new().fg(Ansi::Red).bold(),
        Tone::Name => Style::new().fg(Ansi::Cyan),
        Tone::Faint => Style::new().dimmed(),
        Tone::Strong => Style::new().bold(),
    };
    style.paint(text).to_string()
}

/// Writes text to standard output.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes())?;
    output.flush()
}
