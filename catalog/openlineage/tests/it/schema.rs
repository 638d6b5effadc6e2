//! Events against the official schemas.

use causeway_openlineage::SCHEMA_URL;
use serde_json::{Value, json};

use crate::fixtures::all_events;
use crate::schemas::{CORE, Local, SCHEMAS, event_faults, faults};

#[test]
fn every_event_and_each_of_its_facets_is_valid() {
    let events = all_events();
    assert_eq!((events.len(), SCHEMA_URL), (20, CORE));
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
