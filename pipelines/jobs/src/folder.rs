//! The files of a pipeline and of the pipelines it includes.

use std::fs;
use std::path::{Path, PathBuf};

use causeway_model::Parameters;

use crate::error::{JobsError, Result, place};
use crate::manifest::{AlertRule, Manifest, check_name};

/// The file that makes a folder a pipeline.
pub(crate) const MANIFEST: &str = "pipeline.toml";

/// The folder of schema contracts.
const CONTRACTS: &str = "contracts";

/// One folder of a pipeline.
#[derive(Debug)]
pub(crate) struct Folder {
    /// The name the pipeline gives itself.
    pub(crate) pipeline: String,
    pub(crate) dir: PathBuf,
    pub(crate) retries: u32,
    /// The values of parameters that nobody gives, as its manifest says.
    pub(crate) defaults: Parameters,
    pub(crate) sql: Vec<TextFile>,
    /// The manifest and the contracts.
    others: Vec<TextFile>,
}

/// A file and its text.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// For a step its name, else the path from the folder; after the names of including pipelines.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Folder {
    /// Returns the name and text of each file, in a fixed order.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.others.iter().chain(&self.sql).map(|file| (file.name.as_str(), file.text.as_str()))
    }
}

/// Reads a pipeline's folder, then those it includes, depth first.
pub(crate) fn read_folders(dir: &Path) -> Result<(Manifest, Vec<Folder>)> {
    let mut reader = Reader::default();
    let manifest = reader.read(dir, None)?;
    Ok((manifest, reader.folders))
}

/// Reads who is told when the pipeline of a folder fails, recovers or is late; looks at nothing else of it.
///
/// # Errors
/// If there is no manifest, or something is wrong with it.
pub fn alert_rules(dir: &Path) -> Result<Vec<AlertRule>> {
    let path = dir.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(|error| JobsError::io(&path, error))?;
    Ok(Manifest::parse(&text, &path)?.alerts)
}

#[derive(Default)]
struct Reader {
    folders: Vec<Folder>,
    seen: Vec<PathBuf>,
}

impl Reader {
    /// Reads a folder; `including` is the prefix of the pipeline that includes it.
    fn read(&mut self, dir: &Path, including: Option<&str>) -> Result<Manifest> {
        let path = dir.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(|error| JobsError::io(&path, error))?;
        let manifest = Manifest::parse(&text, &path)?;
        self.enter(dir, &path)?;
        let prefix = including.map(|prefix| format!("{prefix}{}/", manifest.name)).unwrap_or_default();
        let mut others = vec![TextFile { name: format!("{prefix}{MANIFEST}"), path, text }];
        others.extend(contracts(dir, &prefix)?);
        let sql = steps(dir, &prefix)?;
        self.folders.push(Folder {
            pipeline: manifest.name.clone(),
            dir: dir.to_owned(),
            retries: manifest.retries,
            defaults: manifest.defaults.clone(),
            sql,
            others,
        });
        for include in &manifest.include {
            self.read(&dir.join(include), Some(&prefix))?;
        }
        Ok(manifest)
    }

    /// Refuses a folder that was entered before, by whatever path.
    fn enter(&mut self, dir: &Path, manifest: &Path) -> Result<()> {
        let real = dir.canonicalize().map_err(|error| JobsError::io(dir, error))?;
        if self.seen.contains(&real) {
            return Err(JobsError::Conflict(format!(
                "{} is included twice; a pipeline's steps can stand once in another",
                manifest.display()
            )));
        }
        self.seen.push(real);
        Ok(())
    }
}

fn steps(dir: &Path, prefix: &str) -> Result<Vec<TextFile>> {
    let mut steps = Vec::new();
    for path in files(dir, "sql")? {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        check_name(stem).map_err(|problem| JobsError::Step {
            place: place(&path, 1),
            problem: format!("the step's name {problem}"),
        })?;
        let name = format!("{prefix}{stem}");
        steps.push(read(name, path)?);
    }
    Ok(steps)
}

fn contracts(dir: &Path, prefix: &str) -> Result<Vec<TextFile>> {
    let folder = dir.join(CONTRACTS);
    if !folder.try_exists().map_err(|error| JobsError::io(&folder, error))? {
        return Ok(Vec::new());
    }
    let paths = files(&folder, "toml")?.into_iter();
    paths
        .map(|path| {
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            read(format!("{prefix}{CONTRACTS}/{file}"), path)
        })
        .collect()
}

fn read(name: String, path: PathBuf) -> Result<TextFile> {
    let text = fs::read_to_string(&path).map_err(|error| JobsError::io(&path, error))?;
    Ok(TextFile { name, path, text })
}

/// Lists the files of one extension by name.
fn files(dir: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir).map_err(|error| JobsError::io(dir, error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| JobsError::io(dir, error))?.path();
        if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
