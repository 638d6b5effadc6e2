//! Workers and what they tell: [`workers`], the lines of attempts in [`log`], how pipelines fare in
//! [`health`], who is told of it in [`alerts`], and what is counted at a scrape in [`figures`].

pub(crate) mod alerts;
pub(crate) mod figures;
pub(crate) mod health;
pub(crate) mod log;
pub(crate) mod workers;

use crate::error::{Result, damaged, invalid};

/// Reads a list of names as it is stored.
fn names(text: &str) -> Result<Vec<String>> {
    serde_json::from_str(text).map_err(|_| damaged("a list of names is no list"))
}

/// Writes a list of names as it is stored.
fn names_json(names: &[String]) -> Result<String> {
    serde_json::to_string(names).map_err(|error| invalid(format!("the names cannot be stored: {error}")))
}
