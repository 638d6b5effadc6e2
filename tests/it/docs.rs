//! The docs say what the code does: generated pages are current, every error code has its page.
//! With `UPDATE_DOCS=1` the pages are written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::product::repository;

#[test]
fn generated_pages_are_current() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_causeway"));
    command.arg("reference").arg(repository("docs"));
    if std::env::var_os("UPDATE_DOCS").is_none() {
        command.arg("--check");
    }
    let output = command.output().unwrap();
    let stale = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "not current, run `make docs`:\n{stale}");
}

#[test]
fn every_error_code_has_a_page_and_every_page_a_code() {
    let mut codes = BTreeSet::new();
    for file in error_files(&repository("")) {
        codes.extend(codes_in(&std::fs::read_to_string(file).unwrap()));
    }
    assert!(codes.len() > 40, "only {} codes found", codes.len());
    let pages: BTreeSet<String> = std::fs::read_dir(repository("docs/errors"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().trim_end_matches(".md").to_owned())
        .filter(|name| name.starts_with("CW"))
        .collect();
    assert_eq!(codes, pages);
    let listed = std::fs::read_to_string(repository("infra/cli/explain/pages.rs")).unwrap();
    assert_eq!(codes, codes_in(&listed), "infra/cli/explain/pages.rs");
}

/// Finds the `error.rs` of every crate.
fn error_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            found.extend(error_files(&path));
        } else if name == "error.rs" {
            found.push(path);
        }
    }
    found
}

fn codes_in(text: &str) -> BTreeSet<String> {
    let is_code = |word: &&str| {
        word.len() == 6 && word.starts_with("CW") && word[2..].chars().all(|digit| digit.is_ascii_digit())
    };
    text.split('"').filter(is_code).map(str::to_owned).collect()
}
