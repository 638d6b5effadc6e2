//! COPY INTO: a file loaded into a table under its contract.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use causeway_ingest::{Contract, Format, Mode, Part, Report, Request, digest, ingest, left_out, matrix_files};
use causeway_lake::{Commit, Marker};
use causeway_model::{
    Column, DatasetPolicy, DatasetVersion, EdgeKind, EdgeSource, IngestedFile, LineageEdge, NewFile, Privilege,
    Securable, StepOutcome, TableName,
};
use datafusion::sql::sqlparser::ast::Expr;

use crate::api::ProgressEvent;
use crate::call::at;
use crate::error::{EngineError, ErrorKind, Result};
use crate::parameters::{bind, constant_text};
use crate::parse::{CopyInto, DEFAULT_SCHEMA};

use super::outcome::{Described, kept_edges, output_version};
use super::target::Target;
use super::{Change, Done, Prepared, Task};

/// The key under which the file stands among the inputs.
const FILE: &str = "file";

/// `COPY INTO` with its values.
struct Loading {
    table: TableName,
    path: String,
    options: Vec<(String, String)>,
}

/// A file on its way into a table.
pub(super) struct Load {
    path: PathBuf,
    shown: String,
    contract: Contract,
    mode: Mode,
    digest: (String, u64),
    quarantine: Target,
}

impl Change<'_> {
    pub(super) async fn copy_into(&self, copy: &CopyInto) -> Result<Prepared> {
        self.guard.require_files()?;
        self.may_load(&copy.table).await?;
        let copy = &self.bound(copy)?;
        let options = Options::read(copy)?;
        let base_dir = self.engine.base_dir(&self.request.context);
        let path = self.engine.readable(&copy.path, base_dir)?;
        self.require_tables_beside(&path, base_dir)?;
        let mut contract = match &options.contract {
            Some(contract) => {
                let path = self.engine.readable(contract, base_dir)?;
                let text = std::fs::read_to_string(&path).map_err(|error| {
                    EngineError::new(
                        ErrorKind::Storage,
                        format!("contract `{contract}` cannot be read: {}", error.kind()),
                    )
                })?;
                Contract::parse(&text, contract)?
            }
            None => Contract::infer(&path, &options.format)?,
        };
        let warnings = matrix_warnings(&path, &options)?;
        if let Some(table) = contract.table().filter(|table| *table != copy.table.to_string()) {
            return Err(EngineError::new(
                ErrorKind::Plan,
                format!("the contract is for `{table}`, not for `{}`", copy.table),
            ));
        }
        let target = Target::find(self.engine, &copy.table).await?;
        let quarantine = Target::find(self.engine, &copy.table.quarantine()).await?;
        let hashed = path.clone();
        let digest = tokio::task::spawn_blocking(move || digest(&hashed))
            .await
            .map_err(|_| EngineError::new(ErrorKind::Internal, "hashing a file stopped"))??;
        let shown = self.engine.file_name(&path);
        if options.mode != Mode::Overwrite {
            refuse_new_declarations(&target, &contract.policy())?;
        }
        refuse_new_declarations(&quarantine, &contract.quarantine_policy())?;
        let file = self.register(&digest, &shown, &contract).await?;
        if let (Mode::Overwrite, Some(dataset)) = (options.mode, &target.dataset) {
            self.guard.require_unprotected(Some(dataset), "replaced")?;
            contract.declare_identifying(&dataset.policy.declared.identifying);
        }
        let contract_digest = contract.digest();
        if options.mode != Mode::Overwrite
            && self.engine.catalog().is_ingested(&copy.table, &digest.0, &contract_digest).await?
        {
            return Ok(
                Prepared::nothing().warning(format!("`{}` was loaded before and is not loaded again", copy.path))
            );
        }
        let load = Load { path, shown, contract, mode: options.mode, digest, quarantine };
        Ok(Prepared {
            inputs: BTreeMap::from([(FILE.to_owned(), file)]),
            views: Vec::new(),
            depends_on: vec![format!("contract={contract_digest}")],
            target: Some(target),
            task: Task::Load(Box::new(load)),
            warnings,
        })
    }

    /// Returns the statement with the values of its parameters.
    fn bound(&self, copy: &CopyInto) -> Result<Loading> {
        let text = |expr: &Expr| {
            let mut bound = expr.clone();
            bind(&mut bound, &self.request.context.parameters)?;
            constant_text(&bound).ok_or_else(|| {
                at(
                    expr,
                    EngineError::new(ErrorKind::Plan, "COPY INTO takes texts: FROM 'file.csv' WITH (mode => 'append')"),
                )
                .with_hint("texts, numbers and days may be joined: 'in/' || :run_date || '.csv'")
            })
        };
        let options = copy.options.iter().map(|(name, value)| Ok((name.clone(), text(value)?)));
        Ok(Loading { table: copy.table.clone(), path: text(&copy.path)?, options: options.collect::<Result<_>>()? })
    }

    /// Checks that the tables beside a matrix may be read too, before any of them is opened: each may be a
    /// link to elsewhere.
    fn require_tables_beside(&self, path: &Path, base_dir: &Path) -> Result<()> {
        for file in matrix_files(path)? {
            self.engine.readable(&file.to_string_lossy(), base_dir)?;
        }
        Ok(())
    }

    /// A load adds to its table, or makes it, and its quarantine.
    async fn may_load(&self, table: &TableName) -> Result<()> {
        let schema = Securable::Schema(table.schema.clone());
        self.guard.require(Privilege::Create, &schema)?;
        self.guard.require(Privilege::Insert, &schema)
    }

    /// Records the file that is about to be read.
    async fn register(&self, digest: &(String, u64), shown: &str, contract: &Contract) -> Result<DatasetVersion> {
        let (digest, n_bytes) = digest.clone();
        let columns =
            contract.sources().into_iter().map(|(source, column)| Column { name: source, ..column }).collect();
        let n_bytes = i64::try_from(n_bytes).unwrap_or(i64::MAX);
        let id =
            self.engine.catalog().register_file(&NewFile { path: shown.to_owned(), digest, n_bytes, columns }).await?;
        Ok(self.engine.catalog().version_by_id(id).await?)
    }
}

/// Says which columns of a matrix's table are not read; a contract names those that are.
fn matrix_warnings(path: &Path, options: &Options) -> Result<Vec<String>> {
    if options.contract.is_some() {
        return Ok(Vec::new());
    }
    let left_out = left_out(path, &options.format)?;
    let named = format!("columns in an encoding that is not read are left out: {}", left_out.join(", "));
    Ok((!left_out.is_empty()).then_some(named).into_iter().collect())
}

/// Refuses a contract that declares a column identifying after rows without that declaration: their
/// values are in the statistics of the files there are.
fn refuse_new_declarations(target: &Target, declared: &DatasetPolicy) -> Result<()> {
    let Some(dataset) = &target.dataset else { return Ok(()) };
    match declared.identifying.iter().find(|column| !dataset.policy.identifying.contains(column)) {
        Some(column) => Err(EngineError::new(
            ErrorKind::Refused,
            format!(
                "the contract declares `{column}` identifying, but `{}` holds rows without that declaration",
                target.name
            ),
        )
        .with_hint("load with mode => 'overwrite', or drop the table first")),
        None => Ok(()),
    }
}

/// The options of `COPY INTO … WITH (…)`.
struct Options {
    contract: Option<String>,
    mode: Mode,
    format: Format,
}

/// The names of those options.
const OPTIONS: [&str; 5] = ["contract", "mode", "part", "layer", "raw"];

impl Options {
    fn read(copy: &Loading) -> Result<Self> {
        let mut options = Self { contract: None, mode: Mode::Append, format: Format::default() };
        for (name, value) in &copy.options {
            match (name.as_str(), value.as_str()) {
                ("contract", path) => options.contract = Some(path.to_owned()),
                ("mode", "append") => options.mode = Mode::Append,
                ("mode", "merge") => options.mode = Mode::Merge,
                ("mode", "overwrite") => options.mode = Mode::Overwrite,
                ("mode", _) => {
                    return Err(EngineError::new(
                        ErrorKind::Plan,
                        "mode of COPY INTO must be 'append', 'merge' or 'overwrite'",
                    ));
                }
                ("part", "values") => options.format.part = Part::Values,
                ("part", "cells") => options.format.part = Part::Cells,
                ("part", "genes") => options.format.part = Part::Genes,
                ("part", _) => {
                    return Err(EngineError::new(
                        ErrorKind::Plan,
                        "part of COPY INTO must be 'values', 'cells' or 'genes': the tables of an expression matrix",
                    ));
                }
                ("layer", name) => options.format.layer = Some(name.to_owned()),
                ("raw", "true" | "false") => options.format.raw = value == "true",
                ("raw", _) => {
                    return Err(EngineError::new(ErrorKind::Plan, "raw of COPY INTO must be 'true' or 'false'"));
                }
                (unknown, _) => {
                    let error = EngineError::new(ErrorKind::Plan, format!("COPY INTO has no option `{unknown}`"));
                    return Err(match causeway_core::nearest(unknown, OPTIONS) {
                        Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
                        None => error.with_hint(format!("its options are {}", OPTIONS.join(", "))),
                    });
                }
            }
        }
        if options.contract.is_some() && options.format != Format::default() {
            return Err(EngineError::new(
                ErrorKind::Plan,
                "part, layer and raw stand in the contract, if there is one",
            )
            .with_hint("part = \"cells\" under [format]"));
        }
        Ok(options)
    }
}

impl Load {
    /// Loads the file: first the refused rows, then the table; each commit is marked, so that a
    /// repetition after a crash adds only what is missing.
    pub(super) async fn perform(
        self,
        change: &Change<'_>,
        inputs: &BTreeMap<String, DatasetVersion>,
        target: Option<Target>,
        is_landed: bool,
    ) -> Result<Done> {
        let (Some(target), Some(file)) = (target, inputs.get(FILE)) else {
            return Err(EngineError::new(ErrorKind::Internal, "a load without a target"));
        };
        let report = self.ingest(change, &target, is_landed).await?;
        let outcome = self.outcome(&target, file, &report);
        Ok(Done { outcome, warnings: report.warnings })
    }

    /// Names the load: the same step with the same file is the same load.
    fn marker_prefix(&self, change: &Change<'_>) -> String {
        format!("{}/{}", change.marker().0, self.digest.0.get(..16).unwrap_or_default())
    }

    /// Returns the marker of the table's commit.
    pub(super) fn marker(&self, change: &Change<'_>) -> Marker {
        Marker(format!("{}/table", self.marker_prefix(change)))
    }

    async fn ingest(&self, change: &Change<'_>, target: &Target, is_landed: bool) -> Result<Report> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let watch = (!is_landed).then(|| Watch::new(change, &cancelled));
        let progress = Arc::clone(&change.request.context.progress);
        let request = Request {
            table: target.name.clone(),
            path: self.path.clone(),
            display_path: self.shown.clone(),
            contract: self.contract.clone(),
            mode: self.mode,
            table_location: target.location.clone(),
            quarantine_location: self.quarantine.location.clone(),
            marker_prefix: self.marker_prefix(change),
            threads: change.engine.config().threads,
            memory_limit_bytes: change.engine.config().memory_limit_bytes,
            progress: Arc::new(move |share, rows| {
                progress(ProgressEvent::Share(share));
                progress(ProgressEvent::RowsRead(rows));
            }),
            digest: Some(self.digest.clone()),
            cancel: Arc::clone(&cancelled),
        };
        let report = ingest(change.engine.lake(), &request).await;
        drop(watch);
        Ok(report?)
    }

    fn outcome(&self, target: &Target, file: &DatasetVersion, report: &Report) -> StepOutcome {
        let mut outcome = StepOutcome {
            schemas: (target.name.schema == DEFAULT_SCHEMA).then(|| DEFAULT_SCHEMA.to_owned()).into_iter().collect(),
            rows_in: i64::try_from(report.rows_read).ok(),
            rows_out: i64::try_from(report.rows_loaded).ok(),
            rows_quarantined: i64::try_from(report.rows_quarantined).ok(),
            ..StepOutcome::default()
        };
        let columns = self.contract.columns();
        self.add_output(&mut outcome, target, &report.loaded, columns, self.contract.policy(), self.copied(file));
        if let Some(commit) = &report.quarantine {
            let schema = causeway_ingest::quarantine_schema();
            let columns = schema.fields().iter().map(|field| crate::types::column_of(field)).collect();
            let policy = self.contract.quarantine_policy();
            self.add_output(&mut outcome, &self.quarantine, commit, columns, policy, raw_edges(file));
        }
        outcome.ingested.push(IngestedFile {
            table: target.name.clone(),
            digest: self.digest.0.clone(),
            contract_digest: self.contract.digest(),
            file: file.id,
        });
        outcome
    }

    fn add_output(
        &self,
        outcome: &mut StepOutcome,
        target: &Target,
        commit: &Commit,
        columns: Vec<Column>,
        declared: DatasetPolicy,
        edges: Vec<(String, EdgeSource, EdgeKind)>,
    ) {
        let output = outcome.outputs.len();
        let is_kept = self.mode != Mode::Overwrite || target.name == self.quarantine.name;
        let kept = target.dataset.as_ref().filter(|_| is_kept).map(|dataset| dataset.policy.clone());
        let mut described = Described { policy: kept.clone().unwrap_or(declared), columns };
        described.renew(target.dataset.as_ref().filter(|_| kept.is_none()));
        let previous =
            target.newest.as_ref().filter(|_| self.mode != Mode::Overwrite || target.name == self.quarantine.name);
        let added = edges.into_iter().map(|(column, source, kind)| LineageEdge {
            output,
            column: Some(column),
            source,
            kind,
            masking: false,
        });
        outcome.lineage.extend(added);
        if let Some(previous) = previous {
            outcome.lineage.extend(kept_edges(previous, &described.columns, output));
        }
        outcome.outputs.push(output_version(target, commit, described, previous));
    }

    /// Every column of the table is a column of the file, read as its type.
    fn copied(&self, file: &DatasetVersion) -> Vec<(String, EdgeSource, EdgeKind)> {
        self.contract
            .sources()
            .into_iter()
            .map(|(source, column)| {
                (column.name, EdgeSource::Column { version: file.id, column: source }, EdgeKind::Identity)
            })
            .collect()
    }
}

/// The raw text of a refused row holds all columns of the file.
fn raw_edges(file: &DatasetVersion) -> Vec<(String, EdgeSource, EdgeKind)> {
    file.columns
        .iter()
        .map(|column| {
            let source = EdgeSource::Column { version: file.id, column: column.name.clone() };
            ("raw".to_owned(), source, EdgeKind::Transformation)
        })
        .collect()
}

/// Passes a cancellation on to the ingest's threads, and cancels them when dropped.
struct Watch {
    cancelled: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Watch {
    fn new(change: &Change<'_>, cancelled: &Arc<AtomicBool>) -> Self {
        let owner = change.request.context.cancel.clone();
        let flag = Arc::clone(cancelled);
        let task = tokio::spawn(async move {
            while !owner.is_cancelled() {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            flag.store(true, Ordering::Relaxed);
        });
        Self { cancelled: Arc::clone(cancelled), task }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.task.abort();
        self.cancelled.store(true, Ordering::Relaxed);
    }
}
