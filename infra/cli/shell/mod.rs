//! The interactive shell: lines in, statements out.

mod commands;
mod complete;
mod prompt;
mod syntax;
mod vocabulary;

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use anyhow::Context as _;
use nu_ansi_term::{Color, Style};
use reedline::{
    ColumnarMenu, DefaultHinter, EditCommand, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder as _,
    Reedline, ReedlineEvent, ReedlineMenu, Signal, default_emacs_keybindings,
};

use crate::errors::Failure;
use crate::exit::Exit;
use crate::sql::Runner;
use crate::version::VERSION;
use commands::Reply;
use prompt::SqlPrompt;
use vocabulary::Vocabulary;

const HISTORY_LINES: usize = 10_000;
const MENU: &str = "completions";

/// Reads and runs statements until the user leaves.
pub(crate) fn run(mut runner: Runner<'_>) -> Result<Exit, Failure> {
    runner.timing = true;
    runner.layout.max_rows = runner.layout.max_rows.min(SHELL_ROWS);
    let vocabulary = Arc::new(RwLock::new(Vocabulary::new()));
    refresh(&runner, &vocabulary);
    let mut editor = editor(runner.app.terminal.output_colours, &vocabulary)?;
    let terminal = &runner.app.terminal;
    terminal.note(&format!("causeway {VERSION} — \\? lists commands, a statement ends with ;, Ctrl-D leaves"));
    terminal.note(&match &runner.app.user {
        Some(user) => format!("acting as {user}"),
        None => "acting as admin: who can open the catalog's file may do everything".to_owned(),
    });
    loop {
        match editor.read_line(&SqlPrompt).context("the terminal cannot be read")? {
            Signal::Success(text) => match answer(&mut runner, &text) {
                Ok(Reply::Leave) => return Ok(Exit::Ok),
                Ok(Reply::Changed) => refresh(&runner, &vocabulary),
                Ok(Reply::Shown) => {}
                Err(failure) => failure.print(&runner.app.terminal),
            },
            Signal::CtrlC => {}
            _ => return Ok(Exit::Ok),
        }
    }
}

/// Rows that the shell shows of one result, unless `--max-rows` asks for fewer.
const SHELL_ROWS: usize = 200;

fn answer(runner: &mut Runner<'_>, text: &str) -> Result<Reply, Failure> {
    let text = text.trim();
    if text.is_empty() || text == ";" {
        return Ok(Reply::Shown);
    }
    if text.starts_with('\\') {
        return commands::answer(runner, text);
    }
    runner.script(text, None)?;
    Ok(Reply::Changed)
}

/// Reads the names of tables and columns again. Without them completion is poorer, nothing else.
fn refresh(runner: &Runner<'_>, vocabulary: &RwLock<Vocabulary>) {
    let names = runner.app.wait(async {
        let rights = runner.session.engine.rights(runner.app.user.as_deref()).await?;
        Ok(vocabulary::names(runner.session.catalog.as_ref(), &rights).await?)
    });
    if let (Ok(names), Ok(mut vocabulary)) = (names, vocabulary.write()) {
        vocabulary.names = names;
    }
}

fn editor(colours: bool, vocabulary: &Arc<RwLock<Vocabulary>>) -> Result<Reedline, Failure> {
    let mut keys = default_emacs_keybindings();
    let complete = vec![ReedlineEvent::Menu(MENU.to_owned()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(complete));
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    keys.add_binding(KeyModifiers::ALT, KeyCode::Enter, ReedlineEvent::Edit(vec![EditCommand::InsertNewline]));
    let menu = ColumnarMenu::default().with_name(MENU).with_columns(4);
    let editor = Reedline::create()
        .with_ansi_colors(colours)
        .use_bracketed_paste(true)
        .with_quick_completions(true)
        .with_partial_completions(true)
        .with_completer(Box::new(complete::SqlCompleter::new(Arc::clone(vocabulary))))
        .with_highlighter(Box::new(syntax::SqlHighlighter::new(Arc::clone(vocabulary), colours)))
        .with_validator(Box::new(syntax::SqlValidator))
        .with_hinter(Box::new(DefaultHinter::default().with_style(Style::new().fg(Color::DarkGray))))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_edit_mode(Box::new(Emacs::new(keys)));
    Ok(match history() {
        Some(history) => editor.with_history(Box::new(history)),
        None => editor,
    })
}

/// Opens the history. Where it cannot be kept it lasts as long as the shell.
fn history() -> Option<FileBackedHistory> {
    FileBackedHistory::with_file(HISTORY_LINES, state_folder()?.join("history")).ok()
}

/// Returns the folder of what programs remember, after the XDG base directory specification.
fn state_folder() -> Option<PathBuf> {
    let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).filter(|folder| folder.is_absolute());
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
    Some(state.or_else(home)?.join("causeway"))
}
