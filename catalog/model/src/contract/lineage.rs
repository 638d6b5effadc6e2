//! Edges, written and followed.

use super::fixtures::*;
use crate::{
    Catalog, CatalogError, Direction, EdgeKind, EdgeSource, LineageEdge, OutputVersion, StepOutcome, VersionId,
};

/// file -> clinical.lung -> clinical.curve, the curve filtered by `status` and grouped by `sex`.
async fn survival(catalog: &dyn Catalog) -> (VersionId, VersionId, VersionId) {
    let source = catalog.register_file(&file("lung.csv", "aa")).await.unwrap();
    let copies = ["time", "status", "sex"].map(|name| edge(name, source, name, EdgeKind::Identity)).to_vec();
    let lung = derived(catalog, "clinical.lung", &["time", "status", "sex"], copies).await;
    let edges = vec![
        edge("survival", lung, "time", EdgeKind::Aggregation),
        edge("sex", lung, "sex", EdgeKind::Identity),
        whole_edge(lung, "status", EdgeKind::Filter),
        whole_edge(lung, "sex", EdgeKind::GroupBy),
    ];
    let curve = derived(catalog, "clinical.curve", &["survival", "sex"], edges).await;
    (source, lung, curve)
}

pub async fn a_version_without_edges_has_no_lineage(catalog: &dyn Catalog) {
    let id = written(catalog, "a.t", 0, &["x"]).await;
    assert!(upstream(catalog, id, None).await.is_empty());
    assert!(downstream(catalog, id, Some("x")).await.is_empty());
}

pub async fn upstream_reaches_the_file(catalog: &dyn Catalog) {
    let (_, _, curve) = survival(catalog).await;
    assert_eq!(
        lines(&upstream(catalog, curve, None).await),
        [
            "1 clinical.curve <- clinical.lung.sex GROUP_BY",
            "1 clinical.curve <- clinical.lung.status FILTER",
            "1 clinical.curve.sex <- clinical.lung.sex IDENTITY",
            "1 clinical.curve.survival <- clinical.lung.time AGGREGATION",
            "2 clinical.lung.sex <- file.lung.csv.sex IDENTITY",
            "2 clinical.lung.status <- file.lung.csv.status IDENTITY",
            "2 clinical.lung.time <- file.lung.csv.time IDENTITY",
        ]
    );
}

pub async fn a_column_brings_the_edges_of_its_version(catalog: &dyn Catalog) {
    let (_, _, curve) = survival(catalog).await;
    assert_eq!(
        lines(&upstream(catalog, curve, Some("survival")).await),
        [
            "1 clinical.curve <- clinical.lung.sex GROUP_BY",
            "1 clinical.curve <- clinical.lung.status FILTER",
            "1 clinical.curve.survival <- clinical.lung.time AGGREGATION",
            "2 clinical.lung.sex <- file.lung.csv.sex IDENTITY",
            "2 clinical.lung.status <- file.lung.csv.status IDENTITY",
            "2 clinical.lung.time <- file.lung.csv.time IDENTITY",
        ]
    );
}

pub async fn a_column_does_not_bring_its_neighbours(catalog: &dyn Catalog) {
    let (_, lung, _) = survival(catalog).await;
    let rows = upstream(catalog, lung, Some("time")).await;
    assert_eq!(lines(&rows), ["1 clinical.lung.time <- file.lung.csv.time IDENTITY"]);
}

pub async fn downstream_of_a_file_column(catalog: &dyn Catalog) {
    let (source, _, _) = survival(catalog).await;
    assert_eq!(
        lines(&downstream(catalog, source, Some("time")).await),
        [
            "1 clinical.lung.time <- file.lung.csv.time IDENTITY",
            "2 clinical.curve.survival <- clinical.lung.time AGGREGATION",
        ]
    );
}

pub async fn downstream_of_a_whole_version(catalog: &dyn Catalog) {
    let (source, _, _) = survival(catalog).await;
    assert_eq!(downstream(catalog, source, None).await.len(), 7);
}

pub async fn what_a_filter_decides_goes_on_downstream(catalog: &dyn Catalog) {
    let (_, lung, curve) = survival(catalog).await;
    derived(catalog, "clinical.report", &["s"], vec![edge("s", curve, "survival", EdgeKind::Identity)]).await;
    assert_eq!(
        lines(&downstream(catalog, lung, Some("status")).await),
        ["1 clinical.curve <- clinical.lung.status FILTER", "2 clinical.report.s <- clinical.curve.survival IDENTITY",]
    );
}

pub async fn depth_limits_both_ways(catalog: &dyn Catalog) {
    let (source, _, curve) = survival(catalog).await;
    for (target, direction) in [(curve, Direction::Upstream), (source, Direction::Downstream)] {
        let all = catalog.lineage(target, None, direction, None).await.unwrap();
        for depth in [1, 2, 3, 100] {
            let near = catalog.lineage(target, None, direction, Some(depth)).await.unwrap();
            let expected: Vec<_> = all.iter().filter(|row| row.depth <= depth).cloned().collect();
            assert_eq!(near, expected, "{direction:?} {depth}");
        }
    }
}

pub async fn depth_zero_is_empty(catalog: &dyn Catalog) {
    let (_, _, curve) = survival(catalog).await;
    for depth in [0, -3] {
        assert!(catalog.lineage(curve, None, Direction::Upstream, Some(depth)).await.unwrap().is_empty());
    }
}

pub async fn a_row_carries_run_and_step(catalog: &dyn Catalog) {
    let (_, lung, _) = survival(catalog).await;
    let row = upstream(catalog, lung, Some("sex")).await.remove(0);
    assert_eq!((&*row.run, &*row.step), (&run_id(1), "clinical.lung"));
    assert_eq!((row.version, row.source_version, row.masking), (0, Some(0), false));
}

pub async fn masking_is_kept(catalog: &dyn Catalog) {
    let source = written(catalog, "a.s", 0, &["x"]).await;
    let masked = LineageEdge { masking: true, ..edge("y", source, "x", EdgeKind::Aggregation) };
    let id = derived(catalog, "a.t", &["y"], vec![masked]).await;
    assert!(upstream(catalog, id, None).await[0].masking);
}

pub async fn every_kind_is_kept(catalog: &dyn Catalog) {
    let source = written(catalog, "a.s", 0, &["x"]).await;
    let edges = EdgeKind::ALL.map(|kind| edge("y", source, "x", kind)).to_vec();
    let id = derived(catalog, "a.t", &["y"], edges).await;
    let kinds: Vec<EdgeKind> = upstream(catalog, id, None).await.iter().map(|row| row.kind).collect();
    assert_eq!(kinds, EdgeKind::ALL);
}

pub async fn an_unknown_origin_is_said_to_be(catalog: &dyn Catalog) {
    let unknown = |column: Option<&str>| LineageEdge {
        output: 0,
        column: column.map(Into::into),
        source: EdgeSource::Unknown,
        kind: EdgeKind::Transformation,
        masking: false,
    };
    let id = derived(catalog, "a.t", &["y"], vec![unknown(Some("y")), unknown(None)]).await;
    let rows = upstream(catalog, id, Some("y")).await;
    assert_eq!(lines(&rows), ["1 a.t <- ? TRANSFORMATION", "1 a.t.y <- ? TRANSFORMATION"]);
    assert_eq!((&rows[0].source_dataset, rows[0].source_version, &rows[0].source_column), (&None, None, &None));
}

pub async fn an_edge_given_twice_is_there_once(catalog: &dyn Catalog) {
    let source = written(catalog, "a.s", 0, &["x"]).await;
    let twice = edge("y", source, "x", EdgeKind::Identity);
    let whole = whole_edge(source, "x", EdgeKind::Filter);
    let id = derived(catalog, "a.t", &["y"], vec![twice.clone(), whole.clone(), twice, whole]).await;
    assert_eq!(upstream(catalog, id, None).await.len(), 2);
    assert_eq!(downstream(catalog, source, None).await.len(), 2);
}

pub async fn a_diamond_comes_once_at_its_nearest(catalog: &dyn Catalog) {
    let top = written(catalog, "a.top", 0, &["x"]).await;
    let left = derived(catalog, "a.left", &["x"], vec![edge("x", top, "x", EdgeKind::Identity)]).await;
    let edges = vec![edge("x", left, "x", EdgeKind::Identity), edge("x", top, "x", EdgeKind::Transformation)];
    let bottom = derived(catalog, "a.bottom", &["x"], edges).await;
    assert_eq!(
        lines(&upstream(catalog, bottom, None).await),
        [
            "1 a.bottom.x <- a.left.x IDENTITY",
            "1 a.bottom.x <- a.top.x TRANSFORMATION",
            "2 a.left.x <- a.top.x IDENTITY",
        ]
    );
}

pub async fn a_changed_table_leads_to_the_version_before(catalog: &dyn Catalog) {
    let first = written(catalog, "a.t", 0, &["x"]).await;
    let output = OutputVersion { previous: Some(first), ..table("a.t", 1, &["x"]) };
    let kept = vec![edge("x", first, "x", EdgeKind::Identity)];
    let second = done(catalog, "update", StepOutcome { lineage: kept, ..writes(vec![output]) }).await[0];
    let row = upstream(catalog, second, None).await.remove(0);
    assert_eq!((row.version, row.source_version), (1, Some(0)));
}

pub async fn the_store_adds_no_edges(catalog: &dyn Catalog) {
    let first = written(catalog, "a.t", 0, &["x"]).await;
    let output = OutputVersion { previous: Some(first), ..table("a.t", 1, &["x"]) };
    let second = done(catalog, "update", writes(vec![output])).await[0];
    assert!(upstream(catalog, second, None).await.is_empty());
}

pub async fn lineage_outlives_a_drop(catalog: &dyn Catalog) {
    let (_, lung, curve) = survival(catalog).await;
    let dropped = vec![catalog.version_by_id(lung).await.unwrap().dataset];
    done(catalog, "drop", StepOutcome { dropped, ..StepOutcome::default() }).await;
    assert_eq!(upstream(catalog, curve, None).await.len(), 7);
}

pub async fn edges_go_to_the_output_they_name(catalog: &dyn Catalog) {
    let source = written(catalog, "a.s", 0, &["x"]).await;
    let second = LineageEdge { output: 1, ..edge("z", source, "x", EdgeKind::Identity) };
    let outputs = vec![table("a.one", 0, &["y"]), table("a.two", 0, &["z"])];
    let ids = done(catalog, "both", StepOutcome { lineage: vec![second], ..writes(outputs) }).await;
    assert!(upstream(catalog, ids[0], None).await.is_empty());
    assert_eq!(lines(&upstream(catalog, ids[1], None).await), ["1 a.two.z <- a.s.x IDENTITY"]);
}

async fn refused(catalog: &dyn Catalog, edge: LineageEdge) -> CatalogError {
    let step = started(catalog, "refused").await;
    let outcome = StepOutcome { lineage: vec![edge], ..writes(vec![table("a.t", 0, &["y"])]) };
    let error = catalog.complete_step(step.id, step.attempt, &outcome).await.unwrap_err();
    assert!(catalog.dataset(&name("a.t")).await.unwrap().is_none());
    error
}

pub async fn an_edge_names_columns_that_are_there(catalog: &dyn Catalog) {
    let source = written(catalog, "a.s", 0, &["x"]).await;
    let error = refused(catalog, edge("none", source, "x", EdgeKind::Identity)).await;
    assert_eq!(error.to_string(), "column `a.t.none` does not exist");
    let error = refused(catalog, edge("y", source, "none", EdgeKind::Identity)).await;
    assert_eq!(error.to_string(), "column `a.s.none` does not exist");
    let error = refused(catalog, edge("y", VersionId(99), "x", EdgeKind::Identity)).await;
    assert_eq!(error.to_string(), "version `99` does not exist");
}

pub async fn an_edge_names_an_output_that_is_there(catalog: &dyn Catalog) {
    let source = written(catalog, "a.s", 0, &["x"]).await;
    let error = refused(catalog, LineageEdge { output: 1, ..edge("y", source, "x", EdgeKind::Identity) }).await;
    assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
}

pub async fn an_edge_does_not_come_from_its_own_step(catalog: &dyn Catalog) {
    let source = written(catalog, "a.s", 0, &["x"]).await;
    // The id that the output is about to get.
    let error = refused(catalog, edge("y", VersionId(source.0 + 1), "y", EdgeKind::Identity)).await;
    assert!(matches!(error, CatalogError::NotFound { .. }), "{error}");
}

pub async fn lineage_of_what_is_not_there_is_not_found(catalog: &dyn Catalog) {
    let id = written(catalog, "a.t", 0, &["x"]).await;
    let error = catalog.lineage(VersionId(99), None, Direction::Upstream, None).await.unwrap_err();
    assert!(matches!(error, CatalogError::NotFound { what: "version", .. }), "{error}");
    let error = catalog.lineage(id, Some("none"), Direction::Downstream, None).await.unwrap_err();
    assert_eq!(error.to_string(), "column `a.t.none` does not exist");
}

pub async fn wide_lineage_is_whole(catalog: &dyn Catalog) {
    let names: Vec<String> = (0..6000).map(|i| format!("gene_{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let source = written(catalog, "a.s", 0, &names).await;
    let edges = names.iter().map(|name| edge(name, source, name, EdgeKind::Identity)).collect();
    let id = derived(catalog, "a.t", &names, edges).await;
    assert_eq!(upstream(catalog, id, None).await.len(), 6000);
    assert_eq!(downstream(catalog, source, Some("gene_5999")).await.len(), 1);
}
