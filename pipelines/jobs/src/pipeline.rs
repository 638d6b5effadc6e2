//! A pipeline: a folder of SQL, read, checked and put in order.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use causeway_core::nearest;
use causeway_engine::{Engine, EngineError, Growing, StatementInfo, StatementKind};
use causeway_model::{Missed, Parameters, TableName, Trigger};

use crate::digest::Digest;
use crate::error::{JobsError, Result, place};
use crate::folder::{Folder, MANIFEST, TextFile, read_folders};
use crate::graph::{Graph, Node};
use crate::header::{Header, Severity};
use crate::incremental::Materialize;
use crate::schedule::Schedule;
use crate::terms::Terms;

/// A pipeline, read and checked; nothing of it has run.
#[derive(Debug)]
pub struct Pipeline {
    pub(crate) name: String,
    /// Its name and those of the pipelines it includes, sorted: none of them may run elsewhere.
    pub(crate) locks: Vec<String>,
    pub(crate) description: String,
    pub(crate) dir: PathBuf,
    pub(crate) digest: String,
    pub(crate) schedule: Option<Schedule>,
    pub(crate) missed: Missed,
    pub(crate) triggers: Vec<Trigger>,
    pub(crate) terms: Terms,
    /// The values of parameters that nobody gives.
    pub(crate) defaults: Parameters,
    /// The steps in the order they run.
    pub(crate) steps: Vec<PipelineStep>,
}

/// One statement of a pipeline.
#[derive(Debug)]
pub(crate) struct PipelineStep {
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    /// Where relative paths of the statement start from.
    pub(crate) base_dir: PathBuf,
    pub(crate) statement: StatementInfo,
    pub(crate) retries: u32,
    pub(crate) checks: Vec<Check>,
    /// How its table is brought up to date, and the line of its file that says so.
    pub(crate) materialize: Option<(Materialize, usize)>,
    /// The input that it follows, if it is not made anew each time.
    pub(crate) growing: Option<Growing>,
    /// The positions of the steps it waits for.
    pub(crate) after: Vec<usize>,
}

/// An assertion about the data, made after its step.
#[derive(Debug)]
pub(crate) struct Check {
    /// Its number in the file, from 1.
    pub(crate) number: usize,
    pub(crate) sql: String,
    pub(crate) reads: Vec<TableName>,
    pub(crate) parameters: BTreeSet<String>,
    pub(crate) severity: Severity,
}

/// Splits a script and says what its statements read and write.
type Analyse<'a> = &'a dyn Fn(&str) -> Result<Vec<StatementInfo>, EngineError>;

impl Pipeline {
    /// Reads a folder with its `pipeline.toml`, its `*.sql` and the folders it includes.
    ///
    /// # Errors
    /// What is wrong with the manifest, a header, a statement or the order, with file and line.
    pub fn load(dir: &Path, engine: &Engine) -> Result<Self> {
        let mut pipeline = Self::load_with(dir, &|script| engine.analyse(script))?;
        pipeline.steps.iter_mut().try_for_each(|step| step.follow(engine))?;
        Ok(pipeline)
    }

    pub(crate) fn load_with(dir: &Path, analyse: Analyse<'_>) -> Result<Self> {
        let (manifest, folders) = read_folders(dir)?;
        let mut steps = Vec::new();
        for folder in &folders {
            for file in &folder.sql {
                steps.push(read_step(folder, file, analyse)?);
            }
        }
        if steps.is_empty() {
            let problem = "no step: put `*.sql` files beside it, or include other pipelines".to_owned();
            return Err(JobsError::Manifest { place: place(&dir.join(MANIFEST), 1), problem });
        }
        steps.sort_by(|a, b| a.name.cmp(&b.name));
        let locks: BTreeSet<String> = folders.iter().map(|folder| folder.pipeline.clone()).collect();
        let pipeline = Self {
            name: manifest.name,
            locks: locks.into_iter().collect(),
            description: manifest.description,
            dir: dir.to_owned(),
            digest: digest(&folders),
            schedule: manifest.schedule,
            missed: manifest.missed,
            triggers: manifest.triggers,
            terms: manifest.terms,
            defaults: defaults(&folders)?,
            steps: in_order(steps)?,
        };
        pipeline.check_defaults()?;
        Ok(pipeline)
    }

    /// Refuses a value that no step uses; it is a typing error.
    fn check_defaults(&self) -> Result<()> {
        let used = self.parameters();
        let Some(unused) = self.defaults.names().find(|name| !used.contains(*name)) else { return Ok(()) };
        let near = nearest(unused, used.iter().map(String::as_str));
        let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        let problem = format!("no step uses parameter `{unused}` of [parameters]{hint}");
        Err(JobsError::Manifest { place: place(&self.dir.join(MANIFEST), 1), problem })
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the SHA-256 of its files.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Returns the folder that relative paths of a step start from.
    pub fn base_dir(&self, step: &str) -> Option<&Path> {
        self.steps.iter().find(|known| known.name == step).map(|known| known.base_dir.as_path())
    }

    /// Returns when it fires by itself, if it does.
    pub fn schedule(&self) -> Option<&Schedule> {
        self.schedule.as_ref()
    }

    /// Returns the names of the parameters that its statements and checks use.
    pub fn parameters(&self) -> BTreeSet<String> {
        self.steps.iter().flat_map(PipelineStep::parameters).cloned().collect()
    }

    /// Returns the values that its manifests give to parameters that nobody gives.
    pub fn defaults(&self) -> &Parameters {
        &self.defaults
    }

    /// Returns what becomes of firings that nobody was there for.
    pub fn missed(&self) -> Missed {
        self.missed
    }

    /// Returns what fires it besides the clock.
    pub fn triggers(&self) -> &[Trigger] {
        &self.triggers
    }

    /// Returns how its jobs run, as far as its manifest says.
    pub fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Returns true if a step of this pipeline writes the table.
    pub(crate) fn writes(&self, table: &TableName) -> bool {
        self.steps.iter().any(|step| step.writes(table))
    }
}

impl PipelineStep {
    /// Returns true if it makes, changes or drops the table.
    pub(crate) fn writes(&self, table: &TableName) -> bool {
        self.statement.writes.contains(table)
    }

    /// Returns true if a recorded statement is this step's, perhaps of a range of its input.
    pub(crate) fn has_said(&self, sql: &str) -> bool {
        sql == self.statement.sql || self.growing.as_ref().is_some_and(|growing| growing.has_said(sql))
    }

    /// Finds the input to follow, if the header asks for it.
    fn follow(&mut self, engine: &Engine) -> Result<()> {
        let Some((way, line)) = self.materialize.as_ref().filter(|(way, _)| *way != Materialize::Full) else {
            return Ok(());
        };
        let growing = engine.growing(&self.statement.sql, way.key());
        let refused = |source| JobsError::Statement { place: place(&self.file, *line), source };
        self.growing = Some(growing.map_err(refused)?);
        Ok(())
    }

    /// Returns the names of the parameters that the statement and its checks use.
    pub(crate) fn parameters(&self) -> impl Iterator<Item = &String> {
        self.statement.parameters.iter().chain(self.checks.iter().flat_map(|check| &check.parameters))
    }

    /// Returns the tables that the statement and its checks read.
    pub(crate) fn reads(&self) -> BTreeSet<TableName> {
        self.statement.reads.iter().chain(self.checks.iter().flat_map(|check| &check.reads)).cloned().collect()
    }
}

fn read_step(folder: &Folder, file: &TextFile, analyse: Analyse<'_>) -> Result<PipelineStep> {
    let TextFile { name, path, text } = file;
    let fault = |line, problem| JobsError::Step { place: place(path, line), problem };
    let header = Header::parse(text).map_err(|error| fault(error.line, error.problem))?;
    let statements = analyse(text).map_err(|source| statement_fault(path, 1, source))?;
    let [statement] = <[StatementInfo; 1]>::try_from(statements).map_err(|statements| {
        let problem = format!("{} statements; a step holds exactly one, so give each its own file", statements.len());
        fault(1, problem)
    })?;
    let checks = header.checks.into_iter().enumerate().map(|(idx, line)| {
        let query = check_query(path, line.line, &line.sql, analyse)?;
        Ok(Check {
            number: idx + 1,
            sql: line.sql,
            reads: query.reads,
            parameters: query.parameters,
            severity: line.severity,
        })
    });
    Ok(PipelineStep {
        name: name.clone(),
        file: path.clone(),
        base_dir: folder.dir.clone(),
        statement,
        retries: header.retries.unwrap_or(folder.retries),
        checks: checks.collect::<Result<_>>()?,
        materialize: header.materialize,
        growing: None,
        after: Vec::new(),
    })
}

fn check_query(path: &Path, line: usize, sql: &str, analyse: Analyse<'_>) -> Result<StatementInfo> {
    let statements = analyse(sql).map_err(|source| statement_fault(path, line, source))?;
    match <[StatementInfo; 1]>::try_from(statements) {
        Ok([query]) if query.kind == StatementKind::Query => Ok(query),
        _ => Err(JobsError::Step {
            place: place(path, line),
            problem: "a check is one query that returns a boolean, such as `SELECT COUNT(*) > 0 FROM schema.table`"
                .to_owned(),
        }),
    }
}

/// Adds to the engine's refusal where its text begins.
fn statement_fault(path: &Path, first_line: usize, source: EngineError) -> JobsError {
    let within = source.position().and_then(|position| usize::try_from(position.line).ok()).unwrap_or(1);
    JobsError::Statement { place: place(path, first_line + within.saturating_sub(1)), source }
}

/// Puts steps that are sorted by name into the order they run.
fn in_order(steps: Vec<PipelineStep>) -> Result<Vec<PipelineStep>> {
    let nodes = steps.iter().map(|step| Node {
        name: &step.name,
        kind: step.statement.kind,
        reads: step.reads(),
        writes: step.statement.writes.iter().cloned().collect(),
    });
    let graph = Graph::new(&nodes.collect::<Vec<_>>())?;
    let mut position = vec![0; steps.len()];
    for (place, idx) in graph.order.iter().enumerate() {
        position[*idx] = place;
    }
    let mut placed: Vec<(usize, PipelineStep)> = steps
        .into_iter()
        .enumerate()
        .map(|(idx, mut step)| {
            step.after = graph.after[idx].iter().map(|earlier| position[*earlier]).collect();
            step.after.sort_unstable();
            (position[idx], step)
        })
        .collect();
    placed.sort_by_key(|(place, _)| *place);
    Ok(placed.into_iter().map(|(_, step)| step).collect())
}

/// Collects the values of all folders; an including pipeline comes before what it includes, and wins.
fn defaults(folders: &[Folder]) -> Result<Parameters> {
    let mut defaults = Parameters::default();
    for (name, value) in folders.iter().flat_map(|folder| folder.defaults.iter()) {
        defaults.add_default(name, value.clone())?;
    }
    Ok(defaults)
}

fn digest(folders: &[Folder]) -> String {
    let mut digest = Digest::default();
    for folder in folders {
        for (label, text) in folder.texts() {
            digest.add(label);
            digest.add(text);
        }
    }
    digest.hex()
}

#[cfg(test)]
mod tests;
