//! `causeway init`: a configuration, a catalog and a folder of tables.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use causeway_runtime::{CONFIG_FILE, Project};
use serde_json::json;

use crate::app::App;
use crate::args::InitOptions;
use crate::audit;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::session::open_lake;
use crate::terminal::{Tone, print};

/// The folder that `COPY … TO` may write to in a new lake.
const EXPORTS: &str = "exports";

/// Makes a lake.
pub(crate) fn init(app: &App, options: &InitOptions) -> Result<Exit, Failure> {
    let folder = &options.folder;
    let file = folder.join(CONFIG_FILE);
    for taken in [&file, &folder.join("catalog.sqlite")] {
        if taken.try_exists().unwrap_or(false) {
            return Err(Failure::new(Exit::Failed, format!("{} exists already; nothing was changed", taken.display()))
                .with_hint("name another folder, or use the lake that is there"));
        }
    }
    std::fs::create_dir_all(folder.join(EXPORTS)).with_context(|| format!("{} cannot be made", folder.display()))?;
    std::fs::write(&file, config_text(options)?).with_context(|| format!("{} cannot be written", file.display()))?;
    let project = Project::open(&file)?;
    if let Some(tables) = project.lake_folder() {
        std::fs::create_dir_all(&tables).with_context(|| format!("{} cannot be made", tables.display()))?;
    }
    open_lake(&project)?;
    create_catalog(app, &project)?;
    report(app, &project, folder)?;
    Ok(Exit::Ok)
}

fn create_catalog(app: &App, project: &Project) -> Result<(), Failure> {
    let catalog = app.wait(async { Ok(causeway_store::open(&project.catalog_url()).await?) })?;
    // A catalog on a server may be that of another machine's lake already.
    if app.wait(async { Ok(catalog.audit_state().await?) })?.is_none() {
        app.wait(audit::start(project, catalog.as_ref()))?;
    }
    audit::begin(app, project, &catalog)
}

fn config_text(options: &InitOptions) -> Result<String, Failure> {
    let lake = match &options.lake_url {
        Some(url) => format!("url = {}\n", quoted(url)),
        None => "# url = \"s3://bucket/prefix\"         # default: the folder `lake` beside this file\n".to_owned(),
    };
    let catalog = match &options.catalog_url {
        Some(url) => format!("url = {}\n", quoted(url)),
        None => "# url = \"sqlite://catalog.sqlite\"    # relative to this file, or postgres://user@host/database\n"
            .to_owned(),
    };
    let mut read = vec![quoted(".")];
    let mut write = vec![quoted(EXPORTS)];
    for (given, list) in [(&options.read, &mut read), (&options.write, &mut write)] {
        for path in given {
            list.push(quoted(&absolute(path)?.to_string_lossy()));
        }
    }
    Ok(format!(
        "# Every key: docs/configuration.md. CAUSEWAY_<SECTION>_<KEY> in the environment comes before this file.\n\n\
         [lake]\n{lake}\n[catalog]\n{catalog}\n[limits]\n\
         # memory_limit_bytes = 4294967296   # default: 60 % of the machine's memory\n\
         # timeout_seconds = 3600            # default: none\n\n[paths]\n\
         read = [{}]                         # what read_csv and COPY … FROM may read\n\
         write = [{}]                  # what COPY … TO may write\n\n[audit]\n\
         # heads = \"audit.heads\"           # signed heads of the audit log: keep a copy on another machine\n",
        read.join(", "),
        write.join(", ")
    ))
}

/// Returns a folder as it must stand in a file that lies elsewhere.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// Writes a TOML string; JSON's escapes are TOML's.
fn quoted(text: &str) -> String {
    json!(text).to_string()
}

/// Returns the catalog's file as it lies in the lake's folder, or where its server is.
fn catalog_name(project: &Project) -> String {
    let beside = project.catalog_file().and_then(|file| Some(file.strip_prefix(&project.folder).ok()?.to_owned()));
    beside.map_or_else(|| project.catalog_shown(), |file| file.display().to_string())
}

fn report(app: &App, project: &Project, folder: &Path) -> Result<(), Failure> {
    if app.terminal.json {
        let made = json!({"config": project.file, "lake": project.lake_url(), "catalog": project.catalog_shown()});
        print(&format!("{made}\n"))?;
        return Ok(());
    }
    let mut text = String::new();
    let _ = writeln!(text, "{} {}", app.terminal.paint(Tone::Good, "made a lake in"), folder.display());
    let _ = writeln!(text, "  {CONFIG_FILE:<16} settings");
    let _ = writeln!(text, "  {:<16} what is known about tables, runs and lineage", catalog_name(project));
    let _ = writeln!(text, "  {:<16} the key that signs the audit log; audit.pub is for auditors", "audit.key");
    let _ = writeln!(text, "  {:<16} {}\n", "lake", project.lake_url());
    let enter = if folder == Path::new(".") { String::new() } else { format!("cd {} && ", folder.display()) };
    let _ = writeln!(text, "next:");
    let _ = writeln!(text, "  {enter}causeway doctor            check that everything works");
    let _ = writeln!(text, "  {enter}causeway sql               type SQL");
    let _ = write!(text, "  {enter}causeway run PIPELINE      run a folder of SQL");
    app.terminal.note(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_written_file_is_one_we_read() {
        let options = InitOptions {
            folder: PathBuf::from("."),
            lake_url: Some("file:///tmp/\"odd\"".to_owned()),
            catalog_url: Some("postgres://ann@host/lake".to_owned()),
            read: vec![PathBuf::from("/")],
            write: Vec::new(),
        };
        let text = config_text(&options).unwrap();
        let config = causeway_runtime::Config::from_toml(&text, Path::new(CONFIG_FILE)).unwrap();
        assert_eq!(config.lake.url.as_deref(), Some("file:///tmp/\"odd\""));
        assert_eq!(config.catalog.url.as_deref(), Some("postgres://ann@host/lake"));
        assert_eq!(config.paths.read, [PathBuf::from("."), PathBuf::from("/")]);
        assert_eq!(config.paths.write, [PathBuf::from(EXPORTS)]);
    }
}
