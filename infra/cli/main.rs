//! The `causeway` command.
//!
//! ```text
//! arguments ──> App (terminal, threads, Ctrl-C) ──> command ──> Session (config, catalog, lake, engine)
//! ```
//!
//! Data go to standard output, everything else to standard error. Commands that need no lake build
//! none; commands that need no threads start none. Every command ends in an [`exit::Exit`].

mod app;
mod args;
mod audit;
mod budget;
mod diff;
mod doctor;
mod errors;
mod exit;
mod explain;
mod init;
mod interrupt;
mod jobs;
mod keeper;
mod lineage;
mod manual;
mod openlineage;
mod ops;
mod output;
mod plan;
mod plot;
mod progress;
mod record;
mod reference;
mod reproduce;
mod run;
mod runs;
mod schedule;
mod serve;
mod session;
mod shell;
mod sql;
mod terminal;
mod tree;
mod version;

use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::process::ExitCode;

use clap::Parser as _;

use crate::app::App;
use crate::args::{Arguments, Command};
use crate::errors::Failure;
use crate::exit::Exit;

/// Planning recurses; a statement at the allowed depth must not overflow the stack.
const STACK_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(tell_of_panic));
    let arguments = Arguments::parse();
    let worker = std::thread::Builder::new().name("causeway".to_owned()).stack_size(STACK_BYTES);
    let exit = match worker.spawn(move || answer(&arguments)).map(std::thread::JoinHandle::join) {
        Ok(Ok(exit)) => exit,
        // The panic has printed itself; an unstartable thread has nothing to print with.
        Ok(Err(_)) | Err(_) => Exit::Failed,
    };
    exit.into()
}

/// Says where a panic happened. Its own words may hold a value of a row.
fn tell_of_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    // Without standard error there is nobody to tell.
    let _ = writeln!(std::io::stderr(), "causeway panicked at {place}; this is a bug, please report it");
}

fn answer(arguments: &Arguments) -> Exit {
    let app = App::new(&arguments.global);
    let exit = match dispatch(&app, &arguments.command) {
        Ok(exit) => exit,
        Err(failure) => {
            failure.print(&app.terminal);
            failure.exit()
        }
    };
    audit::sign_if_due(&app);
    app.leave();
    exit
}

fn dispatch(app: &App, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(options) => init::init(app, options),
        Command::Run(options) => run::run(app, options),
        Command::Plan(options) => plan::plan(app, options),
        Command::Submit(options) => jobs::submit(app, options),
        Command::Worker(options) => jobs::worker(app, options),
        Command::Serve(options) => serve::serve(app, options),
        Command::Workers => jobs::workers(app),
        Command::Logs(options) => jobs::logs(app, options),
        Command::Jobs(options) => jobs::list(app, options),
        Command::Cancel(options) => jobs::cancel(app, options),
        Command::Retry(options) => jobs::retry(app, options),
        Command::Sql(options) => sql::sql(app, options),
        Command::Ops(options) => ops::ops(app, options),
        Command::Lineage(options) => lineage::lineage(app, options),
        Command::Plot(options) => plot::plot(app, options),
        Command::Diff(options) => diff::diff(app, options),
        Command::Reproduce(options) => reproduce::reproduce(app, options),
        Command::Audit(options) => audit::audit(app, options),
        Command::Budget(options) => budget::budget(app, options),
        Command::OpenLineage(options) => openlineage::openlineage(app, options),
        Command::Schedule(options) => schedule::schedule(app, options),
        Command::Backfill(options) => schedule::backfill(app, options),
        Command::Scheduler(options) => schedule::scheduler(app, options),
        Command::Doctor => doctor::doctor(app),
        Command::Explain(options) => explain::explain(app, options),
        Command::Version => version::version(app),
        Command::Completions(options) => manual::completions(options),
        Command::Man(options) => manual::man(options),
        Command::Reference(options) => reference::reference(app, options),
    }
}
