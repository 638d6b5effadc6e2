//! Table locations: plain relative paths that cannot leave the lake.

use object_store::path::Path;

use crate::error::{LakeError, Result};

/// The longest location accepted, in bytes.
const LONGEST: usize = 512;

/// Checks `location` and returns it as a path below the lake's root.
///
/// Allowed are parts of letters, digits, `_`, `-`, `.`, space, `=` and `+`, joined by `/`; no part
/// may be empty, start with a dot or an underscore followed by `delta_log`.
pub(crate) fn parse(location: &str) -> Result<Path> {
    let refuse = |reason| Err(LakeError::BadLocation { location: location.escape_default().to_string(), reason });
    if location.is_empty() {
        return refuse("it is empty");
    }
    if location.len() > LONGEST {
        return refuse("it is longer than 512 bytes");
    }
    if location.starts_with('/') || location.contains(':') {
        return refuse("it is absolute");
    }
    for part in location.split('/') {
        if let Some(reason) = part_problem(part) {
            return refuse(reason);
        }
    }
    Path::parse(location).or_else(|_| refuse("the object store does not accept it"))
}

/// Says what is wrong with one part of a location, if anything.
fn part_problem(part: &str) -> Option<&'static str> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | '=' | '+');
    if part.is_empty() {
        Some("a part of it is empty")
    } else if part.starts_with('.') {
        Some("a part of it starts with a dot")
    } else if part == "_delta_log" {
        Some("`_delta_log` belongs to the tables themselves")
    } else if !part.chars().all(allowed) {
        Some("it holds a character other than letters, digits, `_`, `-`, `.`, `=`, `+` and space")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_paths_pass() {
        for good in ["lung", "clinical/lung", "a/b/c-d_e.f", "clinical/Überleben 2"] {
            assert_eq!(parse(good).unwrap().as_ref(), good);
        }
    }

    #[test]
    fn nothing_leaves_the_lake() {
        let long = "x".repeat(600);
        for bad in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/../b",
            "../a",
            "a/..",
            ".",
            "a/./b",
            "a//b",
            "a/",
            "a\\b",
            "a\0b",
            "a%2e%2e/b",
            "%2e%2e",
            "file:///etc",
            "C:/x",
            "a\nb",
            "a/_delta_log",
            "a*b",
            "a?b",
            "a#b",
            "~root",
            ".hidden",
            &long,
        ] {
            let error = parse(bad).unwrap_err();
            assert_eq!(error.code(), "CW0310", "{bad:?}");
        }
    }
}
