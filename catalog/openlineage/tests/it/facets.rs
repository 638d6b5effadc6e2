//! Each facet, broken in every way: its schema must notice.

use std::collections::BTreeMap;

use causeway_openlineage::FACETS;
use serde_json::{Value, json};

use crate::fixtures::all_events;
use crate::schemas::{facets, faults};

/// The largest example of each facet that is emitted, by its schema's URL.
fn examples() -> BTreeMap<String, Value> {
    let mut examples: BTreeMap<String, Value> = BTreeMap::new();
    for (_, facet) in all_events().iter().flat_map(facets) {
        let url = facet["_schemaURL"].as_str().unwrap().to_owned();
        let known = examples.entry(url).or_insert_with(|| facet.clone());
        if facet.to_string().len() > known.to_string().len() {
            *known = facet;
        }
    }
    examples
}

fn example(key: &str) -> (String, Value) {
    let kind = FACETS.iter().find(|kind| kind.key == key).unwrap();
    (kind.schema_url(), examples()[&kind.schema_url()].clone())
}

/// Returns every place in a value, as JSON pointers; what is inside a list is looked at once.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
                found.push(at.clone());
                places(value, &at, found);
            }
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(idx, item)| places(item, &format!("{at}/{idx}"), found))
        }
        _ => {}
    }
}

fn of_another_type(value: &Value) -> Value {
    if value.is_string() { json!(1) } else { json!("x") }
}

/// Which fields each facet must have: taken away, the facet fails.
const REQUIRED: &[(&str, &[&str])] = &[
    ("processing_engine", &["/version"]),
    ("nominalTime", &["/nominalStartTime"]),
    (
        "parent",
        &["/run", "/job", "/run/runId", "/job/namespace", "/job/name", "/root/run", "/root/job", "/root/run/runId"],
    ),
    ("errorMessage", &["/message", "/programmingLanguage"]),
    ("jobType", &["/processingType", "/integration"]),
    ("sql", &["/query"]),
    ("schema", &["/fields/0/name"]),
    ("version", &["/datasetVersion"]),
    ("symlinks", &["/identifiers/0/namespace", "/identifiers/0/name", "/identifiers/0/type"]),
    (
        "columnLineage",
        &[
            "/fields",
            "/fields/sex/inputFields",
            "/fields/sex/inputFields/0/namespace",
            "/fields/sex/inputFields/0/name",
            "/fields/sex/inputFields/0/field",
            "/fields/sex/inputFields/0/transformations/0/type",
            "/dataset/0/field",
        ],
    ),
    ("dataQualityAssertions", &["/assertions", "/assertions/0/assertion", "/assertions/0/success"]),
    ("outputStatistics", &[]),
];

#[test]
fn every_facet_is_emitted_at_its_place() {
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (place, facet) in all_events().iter().flat_map(facets) {
        found.insert(facet["_schemaURL"].as_str().unwrap().to_owned(), place);
    }
    assert_eq!(found.len(), FACETS.len());
    for kind in FACETS {
        let place = &found[&kind.schema_url()];
        let (holder, key) = place.rsplit_once('.').unwrap();
        assert_eq!(key, kind.key);
        assert!(kind.holder.path().replace("[]", "").contains(holder), "{place}");
    }
}

#[test]
fn no_field_may_have_another_type() {
    let mut n_broken = 0;
    for (url, facet) in examples() {
        let mut found = Vec::new();
        places(&facet, "", &mut found);
        for place in found {
            let mut broken = facet.clone();
            let value = broken.pointer_mut(&place).unwrap();
            *value = of_another_type(value);
            assert!(!faults(&url, &broken).is_empty(), "{url} takes another type at {place}");
            n_broken += 1;
        }
    }
    assert!(n_broken > 80, "only {n_broken} places were broken");
}

#[test]
fn no_required_field_may_be_missing() {
    assert_eq!(REQUIRED.len(), FACETS.len());
    for (key, required) in REQUIRED {
        let (url, facet) = example(key);
        for place in required.iter().chain(&["/_producer", "/_schemaURL"]) {
            let mut broken = facet.clone();
            let (holder, field) = place.rsplit_once('/').unwrap();
            let removed = broken.pointer_mut(holder).unwrap().as_object_mut().unwrap().remove(field);
            assert!(removed.is_some(), "{key} has no {place}");
            assert!(!faults(&url, &broken).is_empty(), "{key} does without {place}");
        }
    }
}

#[test]
fn no_field_may_be_misspelt() {
    for (url, facet) in examples() {
        let mut broken = facet.clone();
        broken["another"] = json!("x");
        assert!(!faults(&url, &broken).is_empty(), "{url}");
    }
}

#[test]
fn values_outside_their_range_fail() {
    let cases = [
        ("columnLineage", "/dataset/0/transformations/0/type", json!("SIDEWAYS")),
        ("columnLineage", "/dataset/0/transformations/0/subtype", json!("IDENTITY")),
        ("columnLineage", "/fields/sex/inputFields/0/transformations/0/subtype", json!("JOIN")),
        ("nominalTime", "/nominalStartTime", json!("at three")),
        ("parent", "/run/runId", json!("run-1")),
        ("outputStatistics", "/rowCount", json!(1.5)),
        ("sql", "/_producer", json!("no uri")),
    ];
    for (key, place, value) in cases {
        let (url, mut facet) = example(key);
        *facet.pointer_mut(place).unwrap() = value;
        assert!(!faults(&url, &facet).is_empty(), "{key}{place}");
    }
}
