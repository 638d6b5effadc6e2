//! What a run is called on the command line.

use causeway_core::nearest;
use causeway_model::{Catalog, CatalogError, Dataset, DatasetVersion, Run, RunId, TableName};

use crate::errors::Failure;

/// The shortest beginning of a run's id that is taken for one.
const SHORTEST_PREFIX: usize = 4;

/// What a word on the command line names.
#[derive(Debug, Clone)]
pub(crate) enum Named {
    /// A run.
    Run(Run),
    /// A version of a table or view.
    Version(DatasetVersion),
}

/// Finds `latest`, `PIPELINE`, either with `@-N` for the N-th run before it, a run's id or a beginning
/// of it that no other has, or `schema.table[@VERSION]`.
pub(crate) async fn find(catalog: &dyn Catalog, text: &str) -> Result<Named, Failure> {
    let numbered = text.rsplit_once('@').and_then(|(name, number)| Some((name, number.parse::<i64>().ok()?)));
    let (name, number) = numbered.map_or((text, None), |(name, number)| (name, Some(number)));
    if let Some((schema, table)) = name.split_once('.') {
        return version(catalog, &TableName::new(schema, table), number).await.map(Named::Version);
    }
    let back = match number {
        None => 0,
        Some(number) if number <= 0 => number.unsigned_abs(),
        Some(_) => {
            return Err(Failure::usage(format!("`{text}` counts runs forward"))
                .with_hint("the run before the last of a pipeline is PIPELINE@-1; a version is schema.table@3"));
        }
    };
    let back = usize::try_from(back).unwrap_or(usize::MAX);
    let run = match by_name(catalog, name, back, text).await? {
        Some(run) => run,
        None => by_id(catalog, text).await?,
    };
    Ok(Named::Run(run))
}

/// Finds the latest run of all or of a pipeline, or one before it; `None` if there is no such pipeline.
async fn by_name(catalog: &dyn Catalog, name: &str, back: usize, text: &str) -> Result<Option<Run>, Failure> {
    if back == 0 && name != "latest" {
        return Ok(catalog.latest_run(name).await?);
    }
    let is_latest = name == "latest";
    if !is_latest && catalog.latest_run(name).await?.is_none() {
        return Ok(None);
    }
    let limit = if is_latest { i64::try_from(back).unwrap_or(i64::MAX).saturating_add(1) } else { i64::MAX };
    let runs = catalog.runs(limit).await?;
    let of_name: Vec<Run> = runs.into_iter().filter(|run| is_latest || run.pipeline.as_deref() == Some(name)).collect();
    let n_runs = of_name.len();
    of_name.into_iter().nth(back).map(Some).ok_or_else(|| {
        let whose = if is_latest { "the catalog".to_owned() } else { format!("`{name}`") };
        Failure::usage(format!("{whose} has {n_runs} runs, so there is no `{text}`"))
    })
}

async fn by_id(catalog: &dyn Catalog, text: &str) -> Result<Run, Failure> {
    match catalog.run(&RunId(text.to_owned())).await {
        Err(CatalogError::NotFound { .. }) => {}
        found => return Ok(found?),
    }
    let runs = catalog.runs(i64::MAX).await?;
    let meant: Vec<&Run> = runs.iter().filter(|run| run.id.0.starts_with(text)).collect();
    match meant.as_slice() {
        [run] if text.len() >= SHORTEST_PREFIX => Ok((*run).clone()),
        [] | [_] => Err(unknown(&runs, text)),
        several => Err(Failure::usage(format!("`{text}` begins the ids of {} runs", several.len()))
            .with_hint("give more of the id; SELECT run, pipeline, started_at FROM system.runs lists them")),
    }
}

fn unknown(runs: &[Run], text: &str) -> Failure {
    let pipelines = runs.iter().filter_map(|run| run.pipeline.as_deref());
    let failure = Failure::usage(format!("there is no run `{text}`"));
    match nearest(text, pipelines.chain(["latest"])) {
        Some(name) => failure.with_hint(format!("did you mean `{name}`?")),
        None => failure.with_hint(
            "a run is an id or its beginning, `latest`, PIPELINE, PIPELINE@-1; SELECT * FROM system.runs lists them",
        ),
    }
}

/// Finds a version, also of a table that was dropped: of several of one name the live one first, then
/// the newest.
async fn version(catalog: &dyn Catalog, name: &TableName, number: Option<i64>) -> Result<DatasetVersion, Failure> {
    let mut of_name: Vec<Dataset> = catalog.dataset(name).await?.into_iter().collect();
    if of_name.is_empty() || number.is_some() {
        let dropped = catalog.datasets(true).await?.into_iter().rev();
        of_name.extend(dropped.filter(|dataset| dataset.name == *name && dataset.dropped_at.is_some()));
    }
    for dataset in &of_name {
        let found = match number {
            Some(number) => catalog.version(dataset.id, number).await?,
            None => catalog.latest_version(dataset.id).await?,
        };
        if let Some(found) = found {
            return Ok(found);
        }
    }
    let newest = match of_name.first() {
        Some(dataset) => catalog.latest_version(dataset.id).await?,
        None => None,
    };
    if let Some((newest, number)) = newest.zip(number) {
        return Err(Failure::usage(format!("`{name}` has no version {number}"))
            .with_hint(format!("its newest version is {}", newest.version)));
    }
    let known: Vec<String> = catalog.datasets(true).await?.iter().map(|dataset| dataset.name.to_string()).collect();
    let failure = Failure::usage(format!("there is no table `{name}`"));
    Err(match nearest(&name.to_string(), known.iter().map(String::as_str)) {
        Some(meant) => failure.with_hint(format!("did you mean `{meant}`?")),
        None => failure.with_hint("SELECT schema, name FROM system.datasets lists what there is"),
    })
}
