use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::{resolve_new_path, resolve_path};

/// A folder `lake` with `a.csv`, and beside it `secret.csv`.
fn folders() -> (tempfile::TempDir, PathBuf) {
    let root = tempfile::tempdir().unwrap();
    let lake = root.path().join("lake");
    fs::create_dir_all(lake.join("sub")).unwrap();
    fs::write(lake.join("a.csv"), "a\n").unwrap();
    fs::write(root.path().join("secret.csv"), "a\n").unwrap();
    (root, lake)
}

fn problem(requested: &str, lake: &PathBuf) -> String {
    resolve_path(requested, lake, std::slice::from_ref(lake)).unwrap_err().to_string()
}

#[test]
fn files_in_the_allowed_folders_are_found() {
    let (root, lake) = folders();
    let expected = lake.canonicalize().unwrap().join("a.csv");
    for requested in ["a.csv", "./a.csv", "sub/../a.csv", lake.join("a.csv").to_str().unwrap()] {
        assert_eq!(resolve_path(requested, &lake, std::slice::from_ref(&lake)).unwrap(), expected, "{requested}");
    }
    symlink("../a.csv", lake.join("sub/link.csv")).unwrap();
    assert_eq!(resolve_path("sub/link.csv", &lake, std::slice::from_ref(&lake)).unwrap(), expected);
    assert!(resolve_path("../secret.csv", &lake, &[lake.clone(), root.path().to_path_buf()]).is_ok());
}

#[test]
fn paths_that_leave_the_allowed_folders_are_refused() {
    let (root, lake) = folders();
    let secret = root.path().join("secret.csv");
    for requested in ["../secret.csv", "sub/../../secret.csv", secret.to_str().unwrap(), "/etc/passwd"] {
        assert!(problem(requested, &lake).contains("outside the allowed folders"), "{requested}");
    }
    symlink(&secret, lake.join("link.csv")).unwrap();
    symlink(root.path(), lake.join("up")).unwrap();
    for requested in ["link.csv", "up/secret.csv"] {
        assert!(problem(requested, &lake).contains("symbolic link"), "{requested}");
    }
    fs::create_dir(root.path().join("lake2")).unwrap();
    fs::write(root.path().join("lake2/b.csv"), "b").unwrap();
    assert!(problem("../lake2/b.csv", &lake).contains("outside"), "a common prefix of names is no folder");
    assert!(resolve_path("a.csv", &lake, &[]).is_err());
}

#[test]
fn what_is_no_plain_file_is_refused() {
    let (_root, lake) = folders();
    for requested in ["file:///etc/passwd", "http://169.254.169.254/latest", "https://x/y.csv", "s3://b/k"] {
        assert!(problem(requested, &lake).contains("addresses are not read"), "{requested}");
    }
    assert!(problem("sub", &lake).contains("is a folder"));
    assert!(problem("none.csv", &lake).contains("does not exist"));
    assert!(problem("", &lake).contains("blank"));
    assert!(problem("a\0.csv", &lake).contains("NUL"));
    assert!(problem("a.csv/x", &lake).contains("cannot be opened"));
    let devices = [PathBuf::from("/dev")];
    let device = resolve_path("/dev/null", &lake, &devices).unwrap_err().to_string();
    assert!(device.contains("device, pipe or socket"), "{device}");
}

#[test]
fn new_files_stay_in_the_allowed_folders() {
    let (root, lake) = folders();
    let new = |requested: &str| resolve_new_path(requested, &lake, std::slice::from_ref(&lake));
    assert_eq!(new("sub/out.csv").unwrap(), lake.canonicalize().unwrap().join("sub/out.csv"));
    assert!(new("a.csv").is_ok(), "a plain file is replaced");
    assert!(new("../out.csv").is_err());
    assert!(new("sub").unwrap_err().to_string().contains("a folder"));
    assert!(new("none/out.csv").unwrap_err().to_string().contains("does not exist"));
    assert!(new("..").is_err());
    symlink(root.path().join("secret.csv"), lake.join("out.csv")).unwrap();
    assert!(new("out.csv").unwrap_err().to_string().contains("symbolic link"));
}
