//! The crate graph: `cargo metadata` compared with the arrows that are agreed.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::Value;

use crate::product::repository;

/// What each crate may depend on among ours. Arrows point down only.
const ARROWS: &[(&str, &[&str])] = &[
    ("causeway-core", &[]),
    ("causeway-numerics", &[]),
    ("causeway-survival", &["causeway-core", "causeway-numerics"]),
    ("causeway-causal", &["causeway-core", "causeway-numerics"]),
    ("causeway-privacy", &["causeway-core", "causeway-numerics"]),
    ("causeway-all", &["causeway-causal", "causeway-core", "causeway-privacy", "causeway-survival"]),
    ("causeway-features", &[]),
    ("causeway-failpoints", &[]),
    ("causeway-cluster", &[]),
    ("causeway-onnx", &[]),
    ("causeway-oracle", &[]),
    ("causeway-audit", &[]),
    ("causeway-model", &["causeway-audit"]),
    ("causeway-store", &["causeway-audit", "causeway-model"]),
    ("causeway-openlineage", &["causeway-model"]),
    ("causeway-lake", &["causeway-failpoints", "causeway-features"]),
    ("causeway-cells", &[]),
    ("causeway-ingest", &["causeway-cells", "causeway-lake", "causeway-model"]),
    (
        "causeway-engine",
        &[
            "causeway-all",
            "causeway-audit",
            "causeway-core",
            "causeway-failpoints",
            "causeway-ingest",
            "causeway-lake",
            "causeway-model",
            "causeway-onnx",
            "causeway-openlineage",
        ],
    ),
    (
        "causeway-system",
        &[
            "causeway-all",
            "causeway-audit",
            "causeway-core",
            "causeway-engine",
            "causeway-model",
            "causeway-openlineage",
        ],
    ),
    (
        "causeway-jobs",
        &[
            "causeway-core",
            "causeway-engine",
            "causeway-failpoints",
            "causeway-lake",
            "causeway-model",
            "causeway-openlineage",
        ],
    ),
    ("causeway-plot", &[]),
    ("causeway-runtime", &["causeway-features"]),
    ("causeway-server", &["causeway-engine", "causeway-jobs", "causeway-lake", "causeway-model"]),
    (
        "causeway",
        &[
            "causeway-all",
            "causeway-audit",
            "causeway-core",
            "causeway-engine",
            "causeway-failpoints",
            "causeway-ingest",
            "causeway-jobs",
            "causeway-lake",
            "causeway-model",
            "causeway-openlineage",
            "causeway-plot",
            "causeway-runtime",
            "causeway-server",
            "causeway-store",
            "causeway-system",
        ],
    ),
];

/// A dependency and the only crates that may name it.
const RESERVED: &[(&str, &[&str])] = &[
    ("sqlx", &["causeway-store"]),
    ("deltalake", &["causeway-lake"]),
    (
        "datafusion",
        &["causeway", "causeway-lake", "causeway-ingest", "causeway-engine", "causeway-system", "causeway-jobs"],
    ),
    (
        "tokio",
        &[
            "causeway",
            "causeway-lake",
            "causeway-ingest",
            "causeway-engine",
            "causeway-openlineage",
            "causeway-store",
            "causeway-system",
            "causeway-jobs",
            "causeway-server",
        ],
    ),
    ("axum", &["causeway-server"]),
    ("prometheus", &["causeway-server"]),
    ("reqwest", &["causeway-openlineage", "causeway-server"]),
    ("ed25519-dalek", &["causeway-audit"]),
    ("anyhow", &["causeway"]),
];

#[test]
fn arrows_point_down() {
    let agreed: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(name, below)| (*name, below.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    for (name, dependencies) in normal_dependencies() {
        let Some(allowed) = agreed.get(name.as_str()) else {
            wrong.push(format!("{name} is not in the list of agreed crates"));
            continue;
        };
        for dependency in dependencies.iter().filter(|dependency| dependency.starts_with("causeway")) {
            if !allowed.contains(dependency.as_str()) {
                wrong.push(format!("{name} -> {dependency}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn reserved_dependencies_stay_in_their_room() {
    let mut wrong = Vec::new();
    for (name, dependencies) in normal_dependencies() {
        for (reserved, rooms) in RESERVED {
            if dependencies.contains(*reserved) && !rooms.contains(&name.as_str()) {
                wrong.push(format!("{name} -> {reserved}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_shipped_has_no_failpoints() {
    let armed = |flags: &[&str]| {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        let mut tree = Command::new(cargo);
        tree.args(["tree", "--offline", "--package", "causeway", "--edges", "normal", "--format", "{p} {f}"])
            .args(flags);
        let output = tree.current_dir(repository("")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .any(|line| line.contains("causeway-failpoints") && line.ends_with(" armed"))
    };
    assert!(!armed(&[]), "the features of a plain build arm the failpoints");
    assert!(armed(&["--features", "failpoints"]), "the feature is not found where it is asked for");
}

#[test]
fn adding_an_operator_touches_only_its_family() {
    let root = repository("");
    let names: Vec<&str> = causeway_all::operators().map(|factory| factory.spec().name).collect();
    let mut wrong = Vec::new();
    for folder in ["sql", "catalog", "infra", "pipelines/lake/src", "pipelines/ingest/src", "pipelines/jobs/src"] {
        for file in rust_sources(&root.join(folder)) {
            let text = std::fs::read_to_string(&file).unwrap();
            let code: String = text
                .split("#[cfg(test)]")
                .next()
                .unwrap_or_default()
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            for name in names.iter().filter(|name| code.contains(&format!("\"{name}\""))) {
                wrong.push(format!("{} names the operator {name}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_operator_has_an_slt_file_and_a_page() {
    for factory in causeway_all::operators() {
        let name = factory.spec().name;
        for path in [format!("tests/slt/{name}.slt"), format!("docs/operators/{name}.md")] {
            assert!(repository(&path).is_file(), "{path} is missing");
        }
    }
}

/// Clones share what is built: a path that is compiled in would lead into another one.
#[test]
fn no_source_compiles_in_where_it_lies() {
    let sources = sources(&repository("."));
    assert!(sources.len() > 300, "{} sources", sources.len());
    for path in sources {
        let text = std::fs::read_to_string(&path).unwrap();
        let of_includes = text.replace("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\")", "");
        assert!(!of_includes.contains(concat!("env!(\"CARGO_MANIFEST", "_DIR\")")), "{}", path.display());
    }
}

/// Returns all source files of a folder.
fn sources(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    files
}

/// Returns the source files of a folder that are not tests.
fn rust_sources(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let is_tested_with = |path: &std::path::PathBuf| {
        path.strip_prefix(folder)
            .unwrap()
            .iter()
            .any(|part| ["tests", "benches", "contract", "tests.rs", "testing.rs"].contains(&part.to_str().unwrap()))
    };
    sources(folder).into_iter().filter(|path| !is_tested_with(path)).collect()
}

fn normal_dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(repository(""))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    packages.iter().map(|package| (text(&package["name"]), normal(package))).collect()
}

fn normal(package: &Value) -> BTreeSet<String> {
    let dependencies = package["dependencies"].as_array().unwrap();
    dependencies
        .iter()
        .filter(|dependency| dependency["kind"].is_null())
        .map(|dependency| text(&dependency["name"]))
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
