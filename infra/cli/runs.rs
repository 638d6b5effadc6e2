//! What a run is called on the command line.

use causeway_core::nearest;
use causeway_model::{Run, VersionId};

use crate::errors::Failure;
use crate::record::Record;

/// The shortest beginning of a run's id that is taken for one.
const SHORTEST_PREFIX: usize = 4;

/// What a word on the command line names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Named<'a> {
    /// A run.
    Run(&'a Run),
    /// A version of a table or view.
    Version(VersionId),
}

/// Finds `latest`, `PIPELINE`, either with `@-N` for the N-th run before it, a run's id or a beginning
/// of it that no other has, or `schema.table[@VERSION]`.
pub(crate) fn find<'a>(record: &'a Record, text: &str) -> Result<Named<'a>, Failure> {
    let (name, number) =
        match text.rsplit_once('@').and_then(|(name, number)| Some((name, number.parse::<i64>().ok()?))) {
            Some((name, number)) => (name, Some(number)),
            None => (text, None),
        };
    if name.contains('.') {
        return version(record, name, number).map(Named::Version);
    }
    let back = match number {
        None => 0,
        Some(number) if number <= 0 => usize::try_from(-number).unwrap_or(usize::MAX),
        Some(_) => {
            return Err(Failure::usage(format!("`{text}` counts runs forward"))
                .with_hint("the run before the last of a pipeline is PIPELINE@-1; a version is schema.table@3"));
        }
    };
    let runs: Vec<&Run> =
        record.runs.iter().filter(|run| name == "latest" || run.pipeline.as_deref() == Some(name)).collect();
    if !runs.is_empty() {
        return runs
            .get(back)
            .copied()
            .map(Named::Run)
            .ok_or_else(|| Failure::usage(format!("`{name}` has {} runs, so there is no `{text}`", runs.len())));
    }
    by_id(record, text).map(Named::Run)
}

fn by_id<'a>(record: &'a Record, text: &str) -> Result<&'a Run, Failure> {
    let meant: Vec<&Run> = record.runs.iter().filter(|run| run.id.0.starts_with(text)).collect();
    match meant.as_slice() {
        [run] if text.len() >= SHORTEST_PREFIX => Ok(run),
        [] | [_] => Err(unknown(record, text)),
        several => Err(Failure::usage(format!("`{text}` begins the ids of {} runs", several.len()))
            .with_hint("give more of the id; SELECT run, pipeline, started_at FROM system.runs lists them")),
    }
}

fn unknown(record: &Record, text: &str) -> Failure {
    let pipelines = record.runs.iter().filter_map(|run| run.pipeline.as_deref());
    let failure = Failure::usage(format!("there is no run `{text}`"));
    match nearest(text, pipelines.chain(["latest"])) {
        Some(name) => failure.with_hint(format!("did you mean `{name}`?")),
        None => failure.with_hint(
            "a run is an id or its beginning, `latest`, PIPELINE, PIPELINE@-1; SELECT * FROM system.runs lists them",
        ),
    }
}

fn version(record: &Record, name: &str, number: Option<i64>) -> Result<VersionId, Failure> {
    let mut versions: Vec<_> = record
        .versions
        .values()
        .filter(|version| record.datasets.get(&version.dataset).is_some_and(|dataset| dataset.name.to_string() == name))
        .collect();
    // A name that was dropped and made again: the newest of it.
    versions.sort_by_key(|version| (version.dataset, version.version));
    let found = versions.iter().rev().find(|version| number.is_none_or(|number| version.version == number));
    if let Some(found) = found {
        return Ok(found.id);
    }
    let known: Vec<String> = record.datasets.values().map(|dataset| dataset.name.to_string()).collect();
    let failure = match number.filter(|_| !versions.is_empty()) {
        Some(number) => Failure::usage(format!("`{name}` has no version {number}")),
        None => Failure::usage(format!("there is no table `{name}`")),
    };
    Err(match versions.last() {
        Some(newest) => failure.with_hint(format!("its newest version is {}", newest.version)),
        None => match nearest(name, known.iter().map(String::as_str)) {
            Some(meant) => failure.with_hint(format!("did you mean `{meant}`?")),
            None => failure.with_hint("SELECT schema, name FROM system.datasets lists what there is"),
        },
    })
}
