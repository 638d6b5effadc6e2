//! The checks.

use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use causeway_audit::{Export, LogKey};
use causeway_lake::At;
use causeway_model::DatasetKind;
use causeway_runtime::{Machine, Project};
use rustix::fs::statvfs;

use super::Finding;
use crate::openlineage;
use crate::session::{open_catalog, open_lake};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Space below which a nightly run is likely to fail.
const LOW_SPACE_BYTES: u64 = 2 * GIB;

/// 2024-01-01: a clock before this binary's time is wrong.
const EARLIEST_CLOCK_SECONDS: u64 = 1_704_067_200;

/// Tables looked at in the lake.
const SAMPLE: usize = 50;

/// Looks at configuration, cores, memory and clock.
pub(super) fn machine(project: &Project) -> Vec<Finding> {
    let machine = Machine::detect();
    let threads = project.threads();
    let memory = project.memory_limit_bytes();
    let mut findings = vec![Finding::ok("configuration", project.file.display().to_string())];
    findings.push(if threads > 2 * machine.n_cores {
        let found = format!("{threads} threads on {} cores", machine.n_cores);
        Finding::warn("threads", found, "set limits.threads to 0, which takes one per core")
    } else {
        Finding::ok("threads", format!("{threads} on {} cores", machine.n_cores))
    });
    let found = format!("limit {} MiB of {} MiB", memory / MIB, machine.memory_bytes / MIB);
    findings.push(if memory > machine.memory_bytes / 10 * 9 {
        Finding::warn("memory", found, "set limits.memory_limit_bytes below nine tenths of the machine's memory")
    } else {
        Finding::ok("memory", found)
    });
    findings.push(clock(project));
    findings
}

/// Compares the clock with what cannot lie in the future: this binary's time and the file's.
fn clock(project: &Project) -> Finding {
    let advice = "set the machine's clock; schedules, leases and time travel depend on it";
    #[expect(clippy::disallowed_methods, reason = "the clock itself is what is checked")]
    let now = std::time::SystemTime::now();
    let seconds = now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let changed = project.file.metadata().and_then(|file| file.modified());
    if seconds < EARLIEST_CLOCK_SECONDS {
        return Finding::fail("clock", "before 2024", advice);
    }
    match changed.map(|changed| changed.duration_since(now)) {
        Ok(Ok(ahead)) if ahead.as_secs() > 60 => {
            Finding::warn("clock", format!("{} s behind the time of causeway.toml", ahead.as_secs()), advice)
        }
        _ => Finding::ok("clock", format!("{seconds} s since 1970, UTC")),
    }
}

/// Looks at the folders that are read and written.
pub(super) fn places(project: &Project) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (folders, subject) in [(project.read_paths(), "paths.read"), (project.write_paths(), "paths.write")] {
        let missing: Vec<PathBuf> = folders.iter().filter(|folder| !folder.is_dir()).cloned().collect();
        findings.push(match missing.first() {
            None => Finding::ok(subject, format!("{} folders", folders.len())),
            Some(folder) => {
                let advice = format!("make the folder, or take it out of {subject}");
                Finding::warn(subject, format!("{} does not exist", folder.display()), advice)
            }
        });
    }
    findings.push(writable("spill folder", &project.spill_dir()));
    if let Some(folder) = project.lake_folder() {
        findings.push(writable("lake folder", &folder));
        findings.push(space("lake space", &folder));
    }
    findings
}

/// Writes, reads and deletes a file.
fn writable(subject: &'static str, folder: &Path) -> Finding {
    let probe = folder.join(format!(".causeway-probe-{}", std::process::id()));
    let try_all = || -> std::io::Result<bool> {
        std::fs::create_dir_all(folder)?;
        std::fs::write(&probe, b"probe")?;
        let same = std::fs::read(&probe)? == b"probe";
        std::fs::remove_file(&probe)?;
        Ok(same)
    };
    let place = folder.display();
    match try_all() {
        Ok(true) => Finding::ok(subject, format!("{place}: written, read, deleted")),
        Ok(false) => Finding::fail(subject, format!("{place}: read something else than was written"), "check the disk"),
        Err(error) => Finding::fail(
            subject,
            format!("{place}: {error}"),
            "give this user the right to write there, or name another folder",
        ),
    }
}

fn space(subject: &'static str, folder: &Path) -> Finding {
    let Ok(disk) = statvfs(folder) else {
        return Finding::warn(subject, "unknown", "the system does not say how much space is left; look yourself");
    };
    let free = disk.f_bavail.saturating_mul(disk.f_frsize);
    let found = format!("{} MiB free", free / MIB);
    if free < LOW_SPACE_BYTES {
        return Finding::warn(subject, found, "free some space: a rewrite needs room for a second copy of the table");
    }
    Finding::ok(subject, found)
}

/// Asks the catalog whether it is sound.
pub(super) async fn catalog(project: &Project) -> Finding {
    let advice = "restore the catalog from a backup, or correct catalog.url";
    let catalog = match open_catalog(project).await {
        Ok(catalog) => catalog,
        Err(failure) => return Finding::fail("catalog", failure.message(), advice),
    };
    match catalog.check().await {
        Ok(found) => Finding::ok("catalog", found),
        Err(error) => Finding::fail("catalog", error.to_string(), advice),
    }
}

/// Looks whether the audit log runs and can be signed; `causeway audit verify` checks what it says.
pub(super) async fn audit_log(project: &Project) -> Finding {
    let subject = "audit log";
    let state = match open_catalog(project).await {
        Ok(catalog) => catalog.audit_state().await,
        Err(failure) => return Finding::fail(subject, failure.message(), "see the catalog"),
    };
    let n_records = match state {
        Ok(Some(state)) => state.frontier.size(),
        Ok(None) => return Finding::warn(subject, "not started", "any command that runs a statement starts it"),
        Err(error) => return Finding::fail(subject, error.to_string(), "run `causeway audit verify`"),
    };
    let signed = Export::last_head(&project.audit_heads()).and_then(|head| {
        LogKey::load_file(&project.audit_key())?;
        Ok(head.map_or(0, |head| head.size()))
    });
    match signed {
        Ok(n_signed) => Finding::ok(subject, format!("{n_records} records, {n_signed} of them signed")),
        Err(error) => Finding::warn(
            subject,
            format!("{n_records} records; {error}"),
            "the log goes on, but nothing outside vouches for it",
        ),
    }
}

/// Opens the newest version of the lake's tables.
pub(super) async fn tables(project: &Project) -> Finding {
    let subject = "tables";
    let lake = match open_lake(project) {
        Ok(lake) => lake,
        Err(failure) => return Finding::fail(subject, failure.message(), "correct lake.url and lake.options"),
    };
    let Ok(catalog) = open_catalog(project).await else {
        return Finding::warn(subject, "not looked at", "they are found through the catalog; mend that first");
    };
    let Ok(datasets) = catalog.datasets(false).await else {
        return Finding::warn(subject, "not looked at", "they are found through the catalog; mend that first");
    };
    let tables: Vec<_> = datasets.iter().filter(|dataset| dataset.kind == DatasetKind::Table).collect();
    for table in tables.iter().take(SAMPLE) {
        if let Err(error) = lake.snapshot_at(&table.location, &At::Latest).await {
            let advice = "restore the table's folder from a backup, or DROP TABLE and run its pipeline again";
            return Finding::fail(subject, format!("{}: {error}", table.name), advice);
        }
    }
    let looked = tables.len().min(SAMPLE);
    Finding::ok(subject, format!("{looked} of {} opened at {}", tables.len(), project.lake_url()))
}

/// Looks at where lineage events go, and at what waits.
pub(super) async fn lineage_events(project: &Project) -> Finding {
    let subject = "lineage events";
    let Ok(catalog) = open_catalog(project).await else {
        return Finding::warn(subject, "not looked at", "they wait in the catalog; mend that first");
    };
    let status = match catalog.outbox_status().await {
        Ok(status) => status,
        Err(error) => return Finding::warn(subject, error.to_string(), "mend the catalog first"),
    };
    let Some(url) = openlineage::shown_url(project) else {
        return Finding::ok(
            subject,
            format!("{} recorded, sent nowhere: openlineage.url is not set", status.n_waiting),
        );
    };
    if let Err(error) = openlineage::transport(project) {
        return Finding::warn(subject, error.to_string(), "correct the section [openlineage]; till then they wait");
    }
    if !status.held.is_empty() {
        let advice = "mend what the message names, then run `causeway openlineage deliver --held`";
        return Finding::warn(subject, openlineage::held(&status), advice);
    }
    match status.last_failure {
        Some(failure) => {
            let since = status.oldest.unwrap_or_default();
            let found = format!("{} wait since {since}: {}", status.n_waiting, failure.message);
            Finding::warn(subject, found, "mend what the message names, then run `causeway openlineage deliver`")
        }
        None => Finding::ok(subject, format!("{} wait for {url}", status.n_waiting)),
    }
}
