use causeway_model::VersionId;
use serde_json::{Value, json};

use super::*;

fn column(name: &str) -> Column {
    Column {
        name: name.into(),
        data_type: "BIGINT".into(),
        nullable: true,
        unit: None,
        meaning: None,
        identifying: false,
    }
}

fn edge(column: Option<&str>, source: Option<(i64, &str)>, kind: EdgeKind, masking: bool) -> LineageEdge {
    LineageEdge {
        output: 0,
        column: column.map(Into::into),
        source: source.map_or(EdgeSource::Unknown, |(version, column)| EdgeSource::Column {
            version: VersionId(version),
            column: column.into(),
        }),
        kind,
        masking,
    }
}

fn facet(edges: &[LineageEdge]) -> Value {
    let name = |VersionId(id)| Ok(DatasetName { namespace: "file".into(), name: format!("/lake/{id}") });
    let columns = ["survival", "sex"].map(column);
    serde_json::to_value(column_lineage(edges.iter(), &columns, name).unwrap()).unwrap()
}

fn field(name: &str, field: &str, transformations: Value) -> Value {
    json!({"namespace": "file", "name": name, "field": field, "transformations": transformations})
}

fn how(kind: &str, subtype: &str, masking: bool) -> Value {
    json!({"type": kind, "subtype": subtype, "masking": masking})
}

#[test]
fn every_kind_is_direct_or_indirect_under_its_own_name() {
    let said: Vec<(&str, &str)> = EdgeKind::ALL.into_iter().map(|of| (kind(of), of.name())).collect();
    assert_eq!(
        said,
        [
            ("DIRECT", "IDENTITY"),
            ("DIRECT", "TRANSFORMATION"),
            ("DIRECT", "AGGREGATION"),
            ("INDIRECT", "JOIN"),
            ("INDIRECT", "GROUP_BY"),
            ("INDIRECT", "FILTER"),
            ("INDIRECT", "SORT"),
            ("INDIRECT", "WINDOW"),
            ("INDIRECT", "CONDITIONAL"),
        ]
    );
}

#[test]
fn edges_of_a_column_stand_under_it_and_those_of_the_whole_under_dataset() {
    let edges = [
        edge(Some("survival"), Some((1, "time")), EdgeKind::Aggregation, true),
        edge(Some("survival"), Some((1, "status")), EdgeKind::Conditional, false),
        edge(Some("sex"), Some((1, "sex")), EdgeKind::Identity, false),
        edge(None, Some((1, "sex")), EdgeKind::GroupBy, false),
        edge(None, Some((2, "key")), EdgeKind::Join, false),
    ];
    let expected = json!({
        "fields": {
            "sex": {"inputFields": [field("/lake/1", "sex", json!([how("DIRECT", "IDENTITY", false)]))]},
            "survival": {"inputFields": [
                field("/lake/1", "status", json!([how("INDIRECT", "CONDITIONAL", false)])),
                field("/lake/1", "time", json!([how("DIRECT", "AGGREGATION", true)])),
            ]},
        },
        "dataset": [
            field("/lake/1", "sex", json!([how("INDIRECT", "GROUP_BY", false)])),
            field("/lake/2", "key", json!([how("INDIRECT", "JOIN", false)])),
        ],
    });
    assert_eq!(facet(&edges), expected);
}

#[test]
fn one_field_used_twice_is_one_entry() {
    let edges = [
        edge(Some("sex"), Some((1, "sex")), EdgeKind::Identity, false),
        edge(Some("sex"), Some((1, "sex")), EdgeKind::Window, false),
        edge(Some("sex"), Some((1, "sex")), EdgeKind::Window, false),
    ];
    let both = json!([how("DIRECT", "IDENTITY", false), how("INDIRECT", "WINDOW", false)]);
    assert_eq!(facet(&edges)["fields"]["sex"]["inputFields"], json!([field("/lake/1", "sex", both)]));
}

#[test]
fn the_order_of_edges_does_not_matter() {
    let mut edges = vec![
        edge(Some("sex"), Some((1, "sex")), EdgeKind::Identity, false),
        edge(None, Some((1, "sex")), EdgeKind::Filter, false),
        edge(Some("survival"), None, EdgeKind::Transformation, false),
    ];
    let first = facet(&edges);
    edges.reverse();
    assert_eq!(facet(&edges), first);
}

#[test]
fn an_unknown_origin_is_said_and_not_left_out() {
    let one = facet(&[edge(Some("sex"), None, EdgeKind::Transformation, false)]);
    assert_eq!(one, json!({"fields": {"sex": {"inputFields": [], "transformationDescription": UNKNOWN}}}));
    let whole = facet(&[
        edge(None, None, EdgeKind::Filter, false),
        edge(Some("sex"), Some((1, "sex")), EdgeKind::Identity, false),
    ]);
    assert_eq!(whole["fields"]["survival"]["transformationDescription"], UNKNOWN);
    assert_eq!(whole["fields"]["sex"]["transformationDescription"], UNKNOWN);
    assert_eq!(whole["fields"]["sex"]["inputFields"].as_array().unwrap().len(), 1);
}

#[test]
fn no_edges_no_facet() {
    assert_eq!(facet(&[]), Value::Null);
}
