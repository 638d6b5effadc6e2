//! `causeway audit prove` and `causeway audit export`: what leaves the catalog.

use std::io::Write as _;
use std::path::Path;

use anyhow::Context as _;
use causeway_audit::{InclusionProof, KeyChain, SignedHead};
use causeway_model::Catalog;
use causeway_model::audit::read_records;
use causeway_runtime::Project;

use super::log::{exported, first_key, sign, state};
use super::open;
use crate::app::App;
use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::{Tone, print};

/// Writes a document that proves a record.
pub(super) fn prove(app: &App, record: u64, output: Option<&Path>) -> Result<Exit, Failure> {
    let (project, catalog) = open(app)?;
    let document = of_record(app, &project, catalog.as_ref(), record)?.to_json()? + "\n";
    give(&document, output)?;
    Ok(Exit::Ok)
}

/// Writes a document to a file, or to standard output.
pub(super) fn give(document: &str, output: Option<&Path>) -> Result<(), Failure> {
    match output {
        Some(path) => {
            std::fs::write(path, document).with_context(|| format!("{} cannot be written", path.display()))?;
        }
        None => print(document)?,
    }
    Ok(())
}

/// Proves a record by the newest head that holds it, or by one that is signed now.
pub(super) fn of_record(
    app: &App,
    project: &Project,
    catalog: &dyn Catalog,
    record: u64,
) -> Result<InclusionProof, Failure> {
    let export = exported(&project.audit_heads())?;
    let first = first_key(None, Some(&project.audit_first_key()))?;
    let (head, rotations) = match export.heads.iter().rev().find(|head| head.size() > record) {
        Some(head) => (head.clone(), export.rotations.clone()),
        None => (sign_now(app, project, catalog)?, export.rotations),
    };
    let keys = KeyChain::new(first, leading_to(&head, &rotations));
    app.wait(async { Ok(causeway_model::audit::prove(catalog, record, head, keys).await?) })
}

/// Returns the rotations up to the key of a head.
fn leading_to(head: &SignedHead, rotations: &[causeway_audit::KeyRotation]) -> Vec<causeway_audit::KeyRotation> {
    let last = rotations.iter().position(|rotation| rotation.new_key().id() == *head.key());
    rotations.iter().take(last.map_or(0, |last| last + 1)).cloned().collect()
}

fn sign_now(app: &App, project: &Project, catalog: &dyn Catalog) -> Result<SignedHead, Failure> {
    sign(project, app.wait(state(catalog))?)
}

/// Signs a head now, and writes all records if a file is named.
pub(super) fn export(app: &App, records: Option<&Path>) -> Result<Exit, Failure> {
    let (project, catalog) = open(app)?;
    let head = sign_now(app, &project, catalog.as_ref())?;
    if let Some(path) = records {
        write_records(app, catalog.as_ref(), path)?;
    }
    if app.terminal.json {
        print(&format!("{}\n", head.to_json()?))?;
        return Ok(Exit::Ok);
    }
    let signed = app.terminal.paint_output(Tone::Good, "signed");
    print(&format!("{signed}: {} records, root {}\n", head.size(), head.root()))?;
    app.terminal.note(&format!("the head is in {}; keep a copy on another machine", project.audit_heads().display()));
    Ok(Exit::Ok)
}

/// Writes to a file beside the target first, so that it appears whole.
fn write_records(app: &App, catalog: &dyn Catalog, path: &Path) -> Result<(), Failure> {
    let partial = path.with_extension("partial");
    let file = std::fs::File::create(&partial).with_context(|| format!("{} cannot be written", path.display()))?;
    let mut file = std::io::BufWriter::new(file);
    app.wait(read_records::<Failure>(catalog, 0, |record| {
        file.write_all(&record.content)?;
        file.write_all(b"\n")?;
        Ok(true)
    }))?;
    file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
    std::fs::rename(&partial, path)?;
    Ok(())
}
