//! Errors as people see them: code, message, place in the SQL, hint.

use std::fmt::Write as _;
use std::io::ErrorKind;

use causeway_audit::AuditError;
use causeway_engine::EngineError;
use causeway_jobs::JobsError;
use causeway_lake::LakeError;
use causeway_model::audit::AuditFailure;
use causeway_model::{CatalogError, ParameterError};
use causeway_openlineage::OpenLineageError;
use causeway_runtime::ConfigError;
use causeway_server::ServerError;

use crate::exit::Exit;
use crate::terminal::{Terminal, Tone};

/// A command failed. Boxed, since every result of a command has room for it.
#[derive(Debug)]
pub(crate) struct Failure(Box<Details>);

#[derive(Debug)]
struct Details {
    exit: Exit,
    code: Option<&'static str>,
    message: String,
    hint: Option<String>,
    excerpt: Option<Excerpt>,
    is_broken_pipe: bool,
}

/// The line of a text that an error speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    /// The file, if the text came from one.
    source: Option<String>,
    line_number: usize,
    /// From 1, in characters.
    column: usize,
    line: String,
}

impl Failure {
    /// Makes a failure without a code.
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        let message = message.into();
        Self(Box::new(Details { exit, code: None, message, hint: None, excerpt: None, is_broken_pipe: false }))
    }

    /// Makes a failure of a command line that clap accepted and we cannot.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    fn coded(code: &'static str, message: String) -> Self {
        let mut failure = Self::new(Exit::of_code(code), message);
        failure.0.code = Some(code);
        failure
    }

    /// Makes a failure that says which code it has, where only code and message are known.
    pub(crate) fn of_code(code: &'static str, message: impl Into<String>) -> Self {
        Self::coded(code, message.into())
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Makes the failure of a statement: `first_line` is where it begins in its file.
    pub(crate) fn of_statement(error: &EngineError, sql: &str, source: Option<&str>, first_line: usize) -> Self {
        let mut failure = Self::coded(error.code(), error.to_string());
        failure.0.hint = error.hint().map(str::to_owned);
        failure.0.excerpt = error.position().and_then(|position| {
            let line = usize::try_from(position.line).ok()?;
            Some(Excerpt {
                source: source.map(str::to_owned),
                line_number: first_line + line - 1,
                column: usize::try_from(position.column).ok()?,
                line: sql.lines().nth(line.checked_sub(1)?)?.to_owned(),
            })
        });
        failure
    }

    /// Returns what went wrong, without code and hint.
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns how the process shall end.
    pub(crate) fn exit(&self) -> Exit {
        if self.0.is_broken_pipe { Exit::Ok } else { self.0.exit }
    }

    /// Prints the failure to standard error. A reader of our output that went away is no error.
    pub(crate) fn print(&self, terminal: &Terminal) {
        if !self.0.is_broken_pipe {
            terminal.say(&self.0.render(terminal));
        }
    }
}

impl Details {
    fn render(&self, terminal: &Terminal) -> String {
        let label = self.code.map_or_else(|| "error".to_owned(), |code| format!("error[{code}]"));
        let mut text = format!("{}: {}", terminal.paint(Tone::Bad, &label), self.message);
        if let Some(excerpt) = &self.excerpt {
            excerpt.render(terminal, &mut text);
        }
        if let Some(hint) = &self.hint {
            let _ = write!(text, "\n{}: {hint}", terminal.paint(Tone::Name, "hint"));
        }
        text
    }
}

/// The widest part of a line that is shown around its caret.
const EXCERPT_WIDTH: usize = 96;

impl Excerpt {
    fn render(&self, terminal: &Terminal, text: &mut String) {
        let place = match &self.source {
            Some(source) => format!("{source}:{}:{}", self.line_number, self.column),
            None => format!("line {}, column {}", self.line_number, self.column),
        };
        let (line, caret) = self.window();
        let number = self.line_number.to_string();
        let bar = terminal.paint(Tone::Faint, "|");
        let pad = " ".repeat(number.len());
        let mark = terminal.paint(Tone::Bad, "^");
        let _ = write!(text, "\n{pad}--> {place}\n{number} {bar} {line}\n{pad} {bar} {}{mark}", " ".repeat(caret));
    }

    /// Cuts a long line around the caret; tabs become single spaces so that the caret fits.
    fn window(&self) -> (String, usize) {
        let characters: Vec<char> =
            self.line.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
        let caret = self.column.saturating_sub(1).min(characters.len());
        let start = if characters.len() <= EXCERPT_WIDTH { 0 } else { caret.saturating_sub(EXCERPT_WIDTH / 2) };
        let end = (start + EXCERPT_WIDTH).min(characters.len());
        (characters[start..end].iter().collect(), caret - start)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::coded(error.code(), error.to_string())
    }
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        Self::coded(error.code(), error.to_string())
    }
}

impl From<ParameterError> for Failure {
    fn from(error: ParameterError) -> Self {
        Self::coded(error.code(), error.to_string())
    }
}

impl From<AuditError> for Failure {
    fn from(error: AuditError) -> Self {
        Self::coded(error.code(), error.to_string())
    }
}

impl From<AuditFailure> for Failure {
    fn from(failure: AuditFailure) -> Self {
        match failure {
            AuditFailure::Catalog(error) => error.into(),
            AuditFailure::Audit(error) => error.into(),
        }
    }
}

impl From<LakeError> for Failure {
    fn from(error: LakeError) -> Self {
        Self::coded(error.code(), error.to_string())
    }
}

impl From<JobsError> for Failure {
    fn from(error: JobsError) -> Self {
        let mut failure = Self::coded(error.code(), error.to_string());
        failure.0.hint = error.hint();
        failure
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        Self::coded(error.code(), error.to_string())
    }
}

impl From<OpenLineageError> for Failure {
    fn from(error: OpenLineageError) -> Self {
        Self::coded(error.code(), error.to_string())
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        Self::of_statement(&error, "", None, 1)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        let mut failure = Self::new(Exit::Failed, error.to_string());
        failure.0.is_broken_pipe = error.kind() == ErrorKind::BrokenPipe;
        failure
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        let broken = error.chain().filter_map(|cause| cause.downcast_ref::<std::io::Error>());
        let is_broken_pipe = broken.into_iter().any(|cause| cause.kind() == ErrorKind::BrokenPipe);
        let mut failure = Self::new(Exit::Failed, format!("{error:#}"));
        failure.0.is_broken_pipe = is_broken_pipe;
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Terminal {
        Terminal {
            colours: false,
            output_colours: false,
            output_is_terminal: false,
            progress: false,
            json: false,
            quiet: false,
        }
    }

    fn failure(line: &str, column: usize) -> String {
        let excerpt = Excerpt { source: Some("a.sql".to_owned()), line_number: 12, column, line: line.to_owned() };
        let mut failure =
            Failure::of_code("CW0103", "table `clinical.lug` not found").with_hint("did you mean `clinical.lung`?");
        failure.0.excerpt = Some(excerpt);
        failure.0.render(&plain())
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(
            failure("SELECT * FROM clinical.lug", 15),
            "error[CW0103]: table `clinical.lug` not found\n  --> a.sql:12:15\n12 | SELECT * FROM clinical.lug\n   \
             |               ^\nhint: did you mean `clinical.lung`?"
        );
    }

    #[test]
    fn a_long_line_is_cut_around_the_caret() {
        let line = format!("{}X{}", "a".repeat(500), "b".repeat(500));
        let text = failure(&line, 501);
        let shown = text.lines().nth(2).unwrap();
        let caret = text.lines().nth(3).unwrap().find('^').unwrap();
        assert_eq!(shown.chars().nth(caret), Some('X'));
        assert!(shown.len() < 110);
    }

    #[test]
    fn a_reader_that_went_away_is_no_error() {
        let failure = Failure::from(std::io::Error::from(ErrorKind::BrokenPipe));
        assert_eq!(failure.exit(), Exit::Ok);
        let wrapped = anyhow::Error::from(std::io::Error::from(ErrorKind::BrokenPipe)).context("writing rows");
        assert_eq!(Failure::from(wrapped).exit(), Exit::Ok);
    }

    #[test]
    fn limits_and_refusals_have_their_own_exit() {
        assert_eq!(Failure::of_code("CW0203", "").exit(), Exit::Refused);
        assert_eq!(Failure::of_code("CW0801", "").exit(), Exit::Unusable);
        assert_eq!(Failure::of_code("CW0103", "").exit(), Exit::Failed);
        assert_eq!(Failure::of_code("CW0204", "").exit(), Exit::Interrupted);
    }
}
