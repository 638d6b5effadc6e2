//! The schemas that lie in `tests/data/openlineage`, and what they say of an event.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use causeway_openlineage::SCHEMA_URL;
use jsonschema::{Retrieve, Uri, Validator};
use serde_json::{Value, json};

use crate::fixtures::all_events;

/// All schemas by their `$id`.
static SCHEMAS: LazyLock<BTreeMap<String, Value>> = LazyLock::new(|| {
    let folder = repository("tests/data/openlineage");
    let files = [folder.clone(), folder.join("facets")].into_iter().flat_map(|folder| json_files(&folder));
    let schemas = files.map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap());
    schemas.map(|schema: Value| (schema["$id"].as_str().unwrap().to_owned(), schema)).collect()
});

pub(crate) fn repository(path: &str) -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    Path::new(&here).join("../..").join(path)
}

fn json_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
}

/// Answers `$ref`s from the files alone; anything else is an error, never a request.
struct Local;

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
    let mut found = faults(SCHEMA_URL, event);
    for (place, facet) in facets(event) {
        let url = facet["_schemaURL"].as_str().unwrap_or_default();
        found.extend(faults(url, &facet).into_iter().map(|fault| format!("{place}{fault}")));
    }
    found
}

#[test]
fn every_event_and_each_of_its_facets_is_valid() {
    let events = all_events();
    assert_eq!(events.len(), 20);
    for event in events {
        let faults = event_faults(&event);
        assert!(faults.is_empty(), "{}\n{event:#}", faults.join("\n"));
    }
}

#[test]
fn nothing_is_fetched() {
    let schema = json!({"$ref": "https://openlineage.io/spec/2-0-2/Elsewhere.json"});
    assert!(jsonschema::options().with_retriever(Local).build(&schema).is_err());
}

#[test]
fn each_schema_lies_under_the_version_we_emit() {
    let expected: Vec<String> = causeway_openlineage::FACETS
        .iter()
        .map(|kind| kind.schema_url())
        .chain([SCHEMA_URL.to_owned()])
        .map(|url| url.split('#').next().unwrap().to_owned())
        .collect();
    let mut found: Vec<&String> = SCHEMAS.keys().collect();
    let mut expected: Vec<&String> = expected.iter().collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// The core does not look inside facets: this is why each is checked under its own schema.
#[test]
fn the_core_takes_a_broken_facet_and_the_facet_s_schema_does_not() {
    let mut event = all_events().into_iter().find(|event| event["job"]["facets"]["sql"].is_object()).unwrap();
    event["job"]["facets"]["sql"]["query"] = json!(1);
    assert!(faults(SCHEMA_URL, &event).is_empty());
    assert_eq!(event_faults(&event).len(), 1);
}

#[test]
fn a_broken_event_fails() {
    let good = all_events().pop().unwrap();
    let broken: [(&str, Value); 9] = [
        ("/eventType", json!("FINISHED")),
        ("/eventTime", json!("yesterday")),
        ("/run/runId", json!("run-1")),
        ("/job/name", json!(null)),
        ("/job/namespace", json!(1)),
        ("/inputs", json!({})),
        ("/inputs/0/name", json!(7)),
        ("/producer", json!("no uri")),
        ("/schemaURL", json!(2)),
    ];
    for (place, value) in broken {
        let mut event = good.clone();
        *event.pointer_mut(place).unwrap() = value;
        assert!(!faults(SCHEMA_URL, &event).is_empty(), "{place}");
    }
    for key in ["eventTime", "run", "job", "producer", "schemaURL"] {
        let mut event = good.clone();
        event.as_object_mut().unwrap().remove(key);
        assert!(!faults(SCHEMA_URL, &event).is_empty(), "without {key}");
    }
}
