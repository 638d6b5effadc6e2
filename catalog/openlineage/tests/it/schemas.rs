//! The schemas that lie in `tests/data/openlineage`, and what they say of an event.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use jsonschema::{Retrieve, Uri, Validator};
use serde_json::{Value, json};

use super::repository;

/// The schema that every event names.
pub(crate) const CORE: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";

/// All schemas by their `$id`.
pub(crate) static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let folder = repository("tests/data/openlineage");
    let files = [folder.clone(), folder.join("facets")].into_iter().flat_map(|folder| json_files(&folder));
    let schemas = files.map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap());
    schemas.map(|schema: Value| (schema["$id"].as_str().unwrap().to_owned(), schema)).collect()
});

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

/// Answers `$ref`s from the files alone; anything else is an error, never a request.
pub(crate) struct Local;

impl Retrieve for Local {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn Error + Send + Sync>> {
        SCHEMAS.get(uri.as_str()).cloned().ok_or_else(|| format!("no schema of {uri} lies here").into())
    }
}

/// Returns the schema that an URL names, down to the definition.
fn validator(url: &str) -> Validator {
    let schema = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": url});
    jsonschema::options().with_retriever(Local).should_validate_formats(true).build(&schema).unwrap()
}

/// Returns what is wrong with a value under the schema of that URL.
pub(crate) fn faults(url: &str, value: &Value) -> Vec<String> {
    validator(url).iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The facets of an event: where each stands, and what it is.
pub(crate) fn facets(event: &Value) -> Vec<(String, Value)> {
    let mut holders = vec![("run".to_owned(), &event["run"]["facets"]), ("job".to_owned(), &event["job"]["facets"])];
    for side in ["inputs", "outputs"] {
        for dataset in event[side].as_array().unwrap() {
            for holder in ["facets", "inputFacets", "outputFacets"] {
                holders.push((format!("{side}.{holder}"), &dataset[holder]));
            }
        }
    }
    let entries = holders.into_iter().filter_map(|(holder, facets)| Some((holder, facets.as_object()?)));
    entries
        .flat_map(|(holder, facets)| facets.iter().map(move |(key, facet)| (format!("{holder}.{key}"), facet.clone())))
        .collect()
}

/// Returns what is wrong with an event, each facet under its own schema too.
pub(crate) fn event_faults(event: &Value) -> Vec<String> {
    let mut found = faults(CORE, event);
    for (place, facet) in facets(event) {
        let url = facet["_schemaURL"].as_str().unwrap_or_default();
        found.extend(faults(url, &facet).into_iter().map(|fault| format!("{place}{fault}")));
    }
    found
}
