//! `causeway sql`: a statement, a file, standard input, or the shell.

use std::io::{ErrorKind, IsTerminal as _, Read as _, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use causeway_engine::{Outcome, Rows, StatementContext, StatementInfo, StepReport, check_parameters};
use causeway_model::Parameters;

use crate::app::App;
use crate::args::{Format, SqlOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::openlineage;
use crate::output::{Layout, Trouble, Written, format_of, open_file, reader_left, standard_output, write_rows};
use crate::session::Session;
use crate::shell;
use crate::terminal::Tone;

/// Runs what the options say, or starts the shell.
pub(crate) fn sql(app: &App, options: &SqlOptions) -> Result<Exit, Failure> {
    let layout = layout(app, options)?;
    let script = script(options)?;
    if script.is_some() && options.output.is_none() {
        refuse_binary_on_terminal(app, layout.format)?;
    }
    let session = Session::open(app, &options.limits)?;
    let parameters = options.values.read()?;
    let mut runner = Runner { app, session: &session, layout, timing: options.timing, source: None, parameters };
    let exit = match script {
        None => shell::run(runner),
        Some(script) => {
            runner.source = script.file;
            runner.whole(&script.text, options.output.as_deref()).map(|()| Exit::Ok)
        }
    };
    if session.changed.load(Ordering::Relaxed) {
        openlineage::after_changes(app, &session);
    }
    exit
}

/// The text to run and the file it came from.
struct Script {
    text: String,
    file: Option<String>,
}

/// Returns the text to run; `None` if the user shall type it.
fn script(options: &SqlOptions) -> Result<Option<Script>, Failure> {
    if let Some(text) = options.command.as_ref().or(options.statement.as_ref()) {
        return Ok(Some(Script { text: text.clone(), file: None }));
    }
    match options.file.as_deref() {
        Some(file) if file != Path::new("-") => {
            let text = std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("{}: {error}", file.display())).with_hint("-f takes a file of SQL in UTF-8")
            })?;
            Ok(Some(Script { text, file: Some(file.display().to_string()) }))
        }
        None if std::io::stdin().is_terminal() => Ok(None),
        _ => {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).context("standard input cannot be read as UTF-8")?;
            Ok(Some(Script { text, file: None }))
        }
    }
}

fn layout(app: &App, options: &SqlOptions) -> Result<Layout, Failure> {
    if app.terminal.json && options.format.is_some_and(|format| format != Format::Json) {
        return Err(Failure::usage("--json and --format contradict each other"));
    }
    let json = app.terminal.json.then_some(Format::Json);
    let of_file = options.output.as_deref().and_then(format_of);
    let format = options.format.or(json).or(of_file).unwrap_or(Format::Table);
    Ok(Layout { format, max_rows: if options.output.is_some() { 0 } else { options.max_rows } })
}

fn refuse_binary_on_terminal(app: &App, format: Format) -> Result<(), Failure> {
    if app.terminal.output_is_terminal && matches!(format, Format::Arrow | Format::Parquet) {
        return Err(Failure::usage("this format is binary and standard output is a terminal")
            .with_hint("write it to a file with -o FILE, or redirect standard output"));
    }
    Ok(())
}

/// Runs statements one after the other and writes their results.
pub(crate) struct Runner<'a> {
    pub(crate) app: &'a App,
    pub(crate) session: &'a Session,
    pub(crate) layout: Layout,
    pub(crate) timing: bool,
    /// The file that the statements come from, for messages.
    pub(crate) source: Option<String>,
    /// The values of the `:name`s in the statements.
    pub(crate) parameters: Parameters,
}

impl Runner<'_> {
    /// Runs a script that uses all the values given.
    fn whole(&self, text: &str, output: Option<&Path>) -> Result<(), Failure> {
        let used = self.statements(text)?.into_iter().flat_map(|statement| statement.parameters).collect();
        check_parameters(&used, &self.parameters)?;
        self.script(text, output)
    }

    fn statements(&self, text: &str) -> Result<Vec<StatementInfo>, Failure> {
        let statements = self.session.engine.analyse(text);
        statements.map_err(|error| Failure::of_statement(&error, text, self.source.as_deref(), 1))
    }

    /// Runs a script; the first error ends it.
    pub(crate) fn script(&self, text: &str, output: Option<&Path>) -> Result<(), Failure> {
        let statements = self.statements(text)?;
        self.check_results(&statements, output)?;
        let mut cursor = 0;
        for statement in &statements {
            let offset = text[cursor..].find(&statement.sql).map_or(cursor, |found| cursor + found);
            let first_line = text[..offset].matches('\n').count() + 1;
            cursor = (offset + statement.sql.len()).min(text.len());
            self.statement(statement, first_line, output)?;
        }
        Ok(())
    }

    /// Refuses a script with several results where the place or the format holds one.
    fn check_results(&self, statements: &[StatementInfo], output: Option<&Path>) -> Result<(), Failure> {
        let n_results = statements.iter().filter(|statement| statement.kind.is_read_only()).count();
        let holds_one =
            output.is_some() || matches!(self.layout.format, Format::Json | Format::Arrow | Format::Parquet);
        if n_results > 1 && holds_one {
            return Err(Failure::usage(format!("the script has {n_results} queries, but the output holds one result"))
                .with_hint("run them one by one, or use --format ndjson, csv or table on standard output"));
        }
        Ok(())
    }

    fn statement(&self, statement: &StatementInfo, first_line: usize, output: Option<&Path>) -> Result<(), Failure> {
        let started = Instant::now();
        let failed = |error: &_| Failure::of_statement(error, &statement.sql, self.source.as_deref(), first_line);
        let interrupts = self.app.interrupts();
        let context = StatementContext {
            cancel: interrupts.begin(),
            user: self.app.user.clone(),
            parameters: self.parameters.clone(),
            progress: Arc::new({
                let terminal = self.app.terminal.clone();
                move |event| {
                    if let Some(note) = event.note() {
                        terminal.note(&note);
                    }
                }
            }),
            ..StatementContext::default()
        };
        let outcome = self.app.wait(async {
            let execution = self.session.engine.execute(&statement.sql, &context);
            if !statement.kind.is_read_only() {
                self.session.changed.store(true, Ordering::Relaxed);
                return execution.await.map_err(|error| failed(&error));
            }
            tokio::select! {
                outcome = execution => outcome.map_err(|error| failed(&error)),
                () = interrupts.interrupted() => Err(interrupted()),
            }
        })?;
        match outcome {
            Outcome::Rows(rows) => {
                let written = self.rows(rows, output).map_err(|trouble| match trouble {
                    Trouble::Query(error) => failed(&*error),
                    Trouble::Output(_) if reader_left() => std::io::Error::from(ErrorKind::BrokenPipe).into(),
                    Trouble::Output(error) => error.into(),
                    Trouble::Interrupted => interrupted(),
                })?;
                self.report_rows(written, started.elapsed());
            }
            Outcome::Done(report) => self.report_change(&report),
        }
        Ok(())
    }

    fn rows(&self, rows: Rows, output: Option<&Path>) -> Result<Written, Trouble> {
        let Some(path) = output else {
            return self.write(rows, standard_output());
        };
        let sink = open_file(path).map_err(|_| {
            Trouble::Output(anyhow::anyhow!("{} cannot be written; does its folder exist?", path.display()))
        })?;
        let written = self.write(rows, sink.clone());
        match &written {
            Ok(_) => sink.keep().map_err(|error| Trouble::Output(error.into()))?,
            Err(_) => sink.discard(),
        }
        written
    }

    fn write(&self, rows: Rows, output: impl Write + Send + 'static) -> Result<Written, Trouble> {
        let interrupts = self.app.interrupts();
        let written = self.app.wait(async { Ok(write_rows(rows, self.layout, output, &interrupts).await) });
        written.unwrap_or_else(|_| Err(Trouble::Output(anyhow::anyhow!("the worker threads are not running"))))
    }

    fn report_rows(&self, written: Written, elapsed: Duration) {
        let terminal = &self.app.terminal;
        if written.n_hidden > 0 {
            let (rows, all) = (written.n_hidden, "--max-rows 0 shows all");
            terminal.note(&terminal.paint(Tone::Warning, &format!("… {rows} more rows of {}; {all}", written.n_rows)));
        }
        if self.timing {
            let rows = if written.n_rows == 1 { "row" } else { "rows" };
            let line = format!("{} {rows}, {}", written.n_rows, seconds(elapsed));
            terminal.note(&terminal.paint(Tone::Faint, &line));
        }
    }

    fn report_change(&self, report: &StepReport) {
        let terminal = &self.app.terminal;
        for warning in &report.warnings {
            terminal.note(&format!("{}: {warning}", terminal.paint(Tone::Warning, "warning")));
        }
        let mut parts = vec![report.kind.name().replace('_', " ")];
        parts.extend(report.outputs.iter().map(|(name, version)| format!("{name}@{version}")));
        let mut line = parts.join(" ");
        if let Some(rows) = report.rows_out {
            line.push_str(&format!(", {rows} rows"));
        }
        if let Some(rows) = report.rows_quarantined.filter(|rows| *rows > 0) {
            line.push_str(&format!(", {rows} quarantined"));
        }
        terminal.note(&format!("{line}, {}", seconds(report.duration)));
    }
}

fn interrupted() -> Failure {
    Failure::of_code("CW0204", "interrupted")
}

/// Prints a duration for people.
pub(crate) fn seconds(duration: Duration) -> String {
    match duration.as_secs() {
        0 => format!("{:.3} s", duration.as_secs_f64()),
        1..60 => format!("{:.2} s", duration.as_secs_f64()),
        whole => format!("{} min {:02} s", whole / 60, whole % 60),
    }
}
