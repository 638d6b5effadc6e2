//! Files that schedules watch.
//!
//! A file counts once two looks have found it with the same size and time: one that is still being
//! written waits. It is known by its name, size and time, so a file that is written anew counts anew.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use causeway_engine::Engine;
use causeway_model::{ScheduleEntry, Seen, TriggerId, TriggerKind, TriggerMark};
use sha2::{Digest as _, Sha256};

use crate::error::{JobsError, Result};
use crate::terms::{fits, split_path};

/// The wait between two looks at the same folder.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// The most files of one trigger.
const MOST_FILES: usize = 10_000;

/// Bytes of a file's digest that are kept.
const KEPT_BYTES: usize = 8;

/// The files of each trigger at the last look.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: HashMap<TriggerId, BTreeSet<String>>,
    looked: Option<Instant>,
}

/// A file that is there.
struct Found {
    path: PathBuf,
    digest: String,
}

impl Watch {
    /// Returns true, and counts as a look, if the last one is long enough ago.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.looked.is_none_or(|looked| looked.elapsed() >= PAUSE);
        if due {
            self.looked = Some(Instant::now());
        }
        due
    }

    /// Looks at the files of a schedule; returns what its triggers have seen if there is a new one.
    pub(super) fn look(&mut self, engine: &Engine, entry: &ScheduleEntry) -> Result<Vec<Seen>> {
        let marks = entry.marks.iter().filter(|mark| mark.trigger.kind == TriggerKind::Path);
        let seen = marks.map(|mark| self.look_at(engine, Path::new(&entry.spec.work), mark));
        Ok(seen.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn look_at(&mut self, engine: &Engine, base_dir: &Path, mark: &TriggerMark) -> Result<Option<Seen>> {
        let found = list(engine, base_dir, &mark.trigger.target)?;
        let now: BTreeSet<String> = found.iter().map(|file| file.digest.clone()).collect();
        let before = self.last.insert(mark.id, now).unwrap_or_default();
        let known: BTreeSet<&str> = mark.files.as_deref().unwrap_or_default().lines().collect();
        let settled = found.iter().filter(|file| before.contains(&file.digest));
        let mut kept: Vec<&str> = Vec::new();
        let mut any_new = false;
        for file in settled {
            let is_known = known.contains(file.digest.as_str());
            // Files of the lake and the catalog may lie in a folder that is allowed; they are not looked at.
            if is_known || engine.readable(&file.path.to_string_lossy(), base_dir).is_ok() {
                any_new |= !is_known;
                kept.push(&file.digest);
            }
        }
        let seen = || Seen {
            trigger: mark.id,
            before: mark.mark,
            after: mark.mark.saturating_add(1),
            files: Some(kept.join("\n")),
        };
        Ok(any_new.then(seen))
    }
}

/// Lists the plain files that a trigger watches.
fn list(engine: &Engine, base_dir: &Path, target: &str) -> Result<Vec<Found>> {
    let (folder, pattern) = split_path(target).map_err(JobsError::Schedule)?;
    let folder = engine.readable_folder(folder, base_dir)?;
    let mut found = Vec::new();
    for entry in fs::read_dir(&folder).map_err(|error| JobsError::io(&folder, error))? {
        let entry = entry.map_err(|error| JobsError::io(&folder, error))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        // A file that vanishes while it is looked at is not there.
        let Ok(metadata) = entry.metadata() else { continue };
        if !metadata.is_file() || !fits(pattern, &name) {
            continue;
        }
        let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let nanoseconds = since.unwrap_or_default().as_nanos();
        found.push(Found { path: entry.path(), digest: digest(&name, metadata.len(), nanoseconds) });
        if found.len() > MOST_FILES {
            let problem = format!("more than {MOST_FILES} files fit `{target}`; move those that are done away");
            return Err(JobsError::Schedule(problem));
        }
    }
    found.sort_by(|one, other| one.digest.cmp(&other.digest));
    Ok(found)
}

fn digest(name: &str, size: u64, nanoseconds: u128) -> String {
    let digest = Sha256::digest(format!("{name}\0{size}\0{nanoseconds}"));
    hex::encode(&digest[..KEPT_BYTES])
}
