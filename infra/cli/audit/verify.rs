//! `causeway audit verify`.

use std::path::Path;

use anyhow::Context as _;
use causeway_audit::{
    Export, PublicKey, Record, StoredRecord, Summary, Verifier, is_certificate, leaf_hash, verify_certificate,
    verify_proof,
};
use causeway_model::Catalog;
use serde_json::json;

use super::log::{exported, first_key, warn};
use super::open;
use crate::app::App;
use crate::args::{AuditVerifyOptions, LimitOptions};
use crate::errors::Failure;
use crate::exit::Exit;
use crate::terminal::{Tone, print};

/// Checks the log of the catalog, or a file that came out of one.
pub(super) fn verify(app: &App, options: &AuditVerifyOptions) -> Result<Exit, Failure> {
    match &options.offline {
        Some(file) => offline(app, file, options),
        None => whole(app, options),
    }
}

fn whole(app: &App, options: &AuditVerifyOptions) -> Result<Exit, Failure> {
    let (project, catalog) = open(app)?;
    let first_key = first_key(options.first_key.as_deref(), Some(&project.audit_first_key()))?;
    let export = match &options.heads {
        Some(given) => Export::read(given)?,
        None => exported(&project.audit_heads())?,
    };
    note_export(app, &export);
    report(app, &check(app, catalog.as_ref(), first_key, export)?)
}

/// Checks the log of the catalog and shows how far it is.
pub(super) fn check(
    app: &App,
    catalog: &dyn Catalog,
    first_key: PublicKey,
    export: Export,
) -> Result<Summary, Failure> {
    let bar = app.bars.add(indicatif::ProgressBar::new(0));
    let mut progress = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let checked =
        app.wait(async { Ok(causeway_model::audit::verify(catalog, first_key, export, &mut progress).await?) });
    bar.finish_and_clear();
    checked
}

fn note_export(app: &App, export: &Export) {
    if export.heads.is_empty() {
        warn(
            app,
            "no head was signed: nothing outside the catalog vouches for the log, and its end may have been cut off",
        );
    }
    if export.cut_off {
        warn(app, "the last line of the signed heads is not whole and was left out");
    }
}

fn report(app: &App, summary: &Summary) -> Result<Exit, Failure> {
    let unsigned = summary.n_records.saturating_sub(summary.n_signed);
    if app.terminal.json {
        let found = json!({
            "holds": true, "log": summary.log.to_string(), "n_records": summary.n_records,
            "n_signed": summary.n_signed, "n_heads": summary.n_heads, "n_rows": summary.n_rows,
            "root": summary.root.to_string(), "key": summary.key.id().to_string(),
        });
        print(&format!("{found}\n"))?;
        return Ok(Exit::Ok);
    }
    let good = app.terminal.paint_output(Tone::Good, "the audit log holds");
    let mut text = format!(
        "{good}: {} records, {} signed heads, {} rows of the catalog\n",
        summary.n_records, summary.n_heads, summary.n_rows
    );
    if unsigned > 0 {
        text += &format!("{unsigned} records came after the last signed head; nothing outside vouches for them yet\n");
    }
    print(&text)?;
    Ok(Exit::Ok)
}

/// Checks a proof or exported records.
fn offline(app: &App, file: &Path, options: &AuditVerifyOptions) -> Result<Exit, Failure> {
    let beside = app.project(&LimitOptions::default()).ok();
    let key = first_key(
        options.first_key.as_deref(),
        beside.as_ref().map(causeway_runtime::Project::audit_first_key).as_deref(),
    )?;
    let content = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let first_line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
    if Record::decode(first_line).is_err() {
        if is_certificate(&content) {
            return certificate(app, &content, &key);
        }
        return proof(app, &content, &key);
    }
    let export = match (&options.heads, beside) {
        (Some(given), _) => Export::read(given)?,
        (None, Some(project)) => exported(&project.audit_heads())?,
        (None, None) => Export::default(),
    };
    note_export(app, &export);
    report(app, &records(&content, key, export)?)
}

fn proof(app: &App, document: &[u8], key: &PublicKey) -> Result<Exit, Failure> {
    let proof = verify_proof(document, key)?;
    let (record, head) = (proof.record(), proof.head());
    if app.terminal.json {
        let found = json!({"holds": true, "record": record, "head": {"size": head.size(), "time": head.time()}});
        print(&format!("{found}\n"))?;
        return Ok(Exit::Ok);
    }
    let good = app.terminal.paint_output(Tone::Good, "the proof holds");
    let text = format!(
        "{good}: record {} is in the log of {} records that was signed at {}\n{}\n",
        record.sequence(),
        head.size(),
        head.time(),
        record.encode()?
    );
    print(&text)?;
    Ok(Exit::Ok)
}

fn certificate(app: &App, document: &[u8], key: &PublicKey) -> Result<Exit, Failure> {
    let certificate = verify_certificate(document, key)?;
    let (origin, record) = (certificate.origin(), certificate.proof().record());
    if app.terminal.json {
        let found = json!({"holds": true, "origin": origin, "record": record});
        print(&format!("{found}\n"))?;
        return Ok(Exit::Ok);
    }
    let good = app.terminal.paint_output(Tone::Good, "the certificate holds");
    let rows = origin.n_rows.map_or_else(String::new, |n_rows| format!(" ({n_rows} rows)"));
    let mut text = format!(
        "{good}: {}@{}{rows}, certified at {} by {}, record {} of the log\n",
        origin.table,
        origin.version,
        record.time(),
        record.actor(),
        record.sequence()
    );
    for file in &origin.files {
        text += &format!("file  {}  sha256 {}\n", file.name.escape_debug(), file.sha256);
    }
    for step in &origin.steps {
        let operators = step.operators.iter().map(|operator| format!("  {operator}")).collect::<String>();
        let (inputs, outputs) = (step.inputs.join(", "), step.outputs.join(", "));
        text += &format!("step  {}  {} -> {}{operators}\n", step.kind, inputs.escape_debug(), outputs.escape_debug());
    }
    print(&text)?;
    Ok(Exit::Ok)
}

/// Checks records that were written one a line; what they cover is not at hand.
fn records(content: &[u8], key: PublicKey, export: Export) -> Result<Summary, Failure> {
    let mut verifier = Verifier::new(key, export);
    let lines = content.strip_suffix(b"\n").unwrap_or(content).split(|byte| *byte == b'\n');
    for (sequence, line) in (0..).zip(lines) {
        let hash = leaf_hash(line);
        let stored = StoredRecord { sequence, content: line, leaf_hash: hash.as_bytes() };
        verifier.record(&stored).map_err(causeway_audit::AuditError::from)?;
    }
    Ok(verifier.finish_without_rows().map_err(causeway_audit::AuditError::from)?)
}
