//! `causeway audit certify`: what a version of a table was made from, as a document for others.

use std::collections::BTreeSet;
use std::path::Path;

use causeway_audit::{Certificate, Digest, Making, Origin, SourceFile};
use causeway_model::{Catalog, DatasetKind, DatasetVersion, Direction, Step, VersionId};

use super::log::{exported, first_key};
use super::{open, proof, verify};
use crate::app::App;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::record::Record;
use crate::runs::{Named, find};

/// Checks the whole log, records the certificate and writes it.
pub(super) fn certify(app: &App, table: &str, output: Option<&Path>) -> Result<Exit, Failure> {
    let (project, catalog) = open(app)?;
    let catalog = catalog.as_ref();
    let Named::Version(version) = app.wait(find(catalog, table))? else {
        return Err(Failure::usage(format!("`{table}` is a run; a certificate is about a version of a table"))
            .with_hint("write schema.table for its newest version, or schema.table@3"));
    };
    let first = first_key(None, Some(&project.audit_first_key()))?;
    let heads = exported(&project.audit_heads())?;
    verify::check(app, catalog, first, heads)?;
    let record = app.wait(all_of(catalog, &version))?;
    let origin = origin(&record, &version)?;
    let event = origin.event(app.user.as_deref().unwrap_or("admin"))?;
    let number = app.wait(async { Ok(catalog.record(event).await?) })?;
    let number = number.ok_or_else(|| {
        Failure::new(Exit::Failed, "the catalog has no audit log, so nothing can vouch for a certificate")
            .with_hint("`causeway audit start` begins one")
    })?;
    let proof = proof::of_record(app, &project, catalog, number)?;
    let document = Certificate::new(origin, proof)?.to_json()? + "\n";
    proof::give(&document, output)?;
    if let Some(path) = output {
        app.terminal.note(&format!("record {number} of the log stands for {}", path.display()));
    }
    Ok(Exit::Ok)
}

/// Reads the steps that a version came from, and those that made the rows which some of them kept.
async fn all_of(catalog: &dyn Catalog, version: &DatasetVersion) -> Result<Record, Failure> {
    let mut record = Record::around(catalog, version, Direction::Upstream, None).await?;
    loop {
        let kept = record.steps().flat_map(|step| record.kept(step).iter().copied());
        let unmade: Vec<VersionId> = kept.filter(|kept| record.maker(*kept).is_none()).collect();
        if unmade.is_empty() {
            return Ok(record);
        }
        for version in unmade {
            record.add_upstream(catalog, version, None).await?;
            record.maker(version).ok_or_else(incomplete)?;
        }
    }
}

/// Puts together what a version came from.
fn origin(record: &Record, version: &DatasetVersion) -> Result<Origin, Failure> {
    let (table, _) = record.version(version.id).ok_or_else(incomplete)?;
    let mut files = BTreeSet::new();
    for id in record.steps().flat_map(|step| step.inputs.iter().copied()) {
        let (dataset, input) = record.version(id).ok_or_else(incomplete)?;
        if let (DatasetKind::File, Some(digest)) = (dataset.kind, &input.digest) {
            files.insert(SourceFile { name: record.name(id), sha256: digest.parse()? });
        }
    }
    Ok(Origin {
        files: files.into_iter().collect(),
        n_rows: version.n_rows,
        steps: record.steps().map(|step| making(record, step)).collect::<Result<_, _>>()?,
        table: table.name.to_string(),
        version: version.version,
    })
}

fn making(record: &Record, step: &Step) -> Result<Making, Failure> {
    let run = record.run(&step.run).ok_or_else(incomplete)?;
    let operators = record.operators(step.id).iter().map(|used| format!("{} {}", used.operator, used.version));
    Ok(Making {
        actor: run.actor.clone(),
        binary: run.engine_version.clone(),
        ended: step.finished_at.clone(),
        fingerprint: step.fingerprint.clone(),
        inputs: step.inputs.iter().chain(record.kept(step)).map(|id| record.name(*id)).collect(),
        kind: step.kind.clone(),
        operators: operators.collect(),
        outputs: step.outputs.iter().map(|id| record.name(*id)).collect(),
        run: run.id.0.clone(),
        seed: step.seed.to_string(),
        statement: Digest::of(step.sql.as_bytes()),
        step: step.id.0,
    })
}

fn incomplete() -> Failure {
    Failure::new(Exit::Failed, "the record of what it came from is not whole").with_hint("run `causeway audit verify`")
}
