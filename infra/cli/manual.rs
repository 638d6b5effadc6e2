//! Completion scripts and manual pages, generated from the arguments.

use clap::CommandFactory as _;

use crate::args::{Arguments, CompletionsOptions, ManOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::print;

/// Prints the completion script of a shell.
pub(crate) fn completions(options: &CompletionsOptions) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "causeway", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}

/// Prints the manual page, or writes one page for each command to a folder.
pub(crate) fn man(options: &ManOptions) -> Result<Exit, Failure> {
    if let Some(folder) = &options.folder {
        std::fs::create_dir_all(folder)?;
        clap_mangen::generate_to(Arguments::command(), folder)?;
        return Ok(Exit::Ok);
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(Arguments::command()).render(&mut page)?;
    print(&String::from_utf8_lossy(&page))?;
    Ok(Exit::Ok)
}
