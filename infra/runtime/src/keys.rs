//! The keys of the configuration, taken from the structs: for the check of a file, for the names of
//! environment variables, and for the docs.

use std::path::Path;

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use crate::{
    AlertsSection, AuditSection, CatalogSection, Config, ConfigError, LakeSection, LimitsSection, LogSection,
    OpenLineageSection, PathsSection, Result,
};

/// One key with its default and its meaning, for the docs page.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyDoc {
    /// The section: `limits`.
    pub section: String,
    /// The key: `threads`.
    pub key: String,
    /// The variable that overrides the file; `None` for tables of options.
    pub variable: Option<String>,
    /// The default as TOML; `None` where it depends on the place of the file.
    pub default: Option<String>,
    /// What it means, with its unit.
    pub meaning: String,
}

/// Lists all keys in the order of their sections.
pub fn key_docs() -> Vec<KeyDoc> {
    known_keys()
        .into_iter()
        .map(|(section, key, default)| KeyDoc {
            variable: (!default.is_object()).then(|| variable_name(&section, &key)),
            default: (!default.is_null() && default != Value::Array(Vec::new()) && !default.is_object())
                .then(|| default.to_string()),
            meaning: meaning(&section, &key),
            section,
            key,
        })
        .collect()
}

/// Returns the doc comment of a key on one line.
fn meaning(section: &str, key: &str) -> String {
    let meanings = match section {
        "lake" => LakeSection::MEANINGS,
        "catalog" => CatalogSection::MEANINGS,
        "limits" => LimitsSection::MEANINGS,
        "audit" => AuditSection::MEANINGS,
        "paths" => PathsSection::MEANINGS,
        "log" => LogSection::MEANINGS,
        "openlineage" => OpenLineageSection::MEANINGS,
        "alerts" => AlertsSection::MEANINGS,
        _ => &[],
    };
    let lines = meanings.iter().find(|(name, _)| *name == key).map_or(&[][..], |(_, lines)| lines);
    lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ")
}

/// Returns section, key and default of everything a file may say.
pub(crate) fn known_keys() -> Vec<(String, String, Value)> {
    let Ok(Value::Object(sections)) = serde_json::to_value(Config::default()) else {
        return Vec::new();
    };
    let mut keys = Vec::new();
    for (section, value) in sections {
        if let Value::Object(entries) = value {
            keys.extend(entries.into_iter().map(|(key, default)| (section.clone(), key, default)));
        }
    }
    keys
}

/// Returns the environment variable of a key.
pub(crate) fn variable_name(section: &str, key: &str) -> String {
    format!("CAUSEWAY_{}_{}", section.to_uppercase(), key.to_uppercase())
}

/// Refuses sections and keys that do not exist, with the nearest that does.
pub(crate) fn check_keys(text: &str, path: &Path) -> Result<()> {
    let document = DeTable::parse(text).map_err(|error| ConfigError::syntax(path, text, &error))?;
    let known = known_keys();
    let sections: Vec<&str> = known.iter().map(|(section, ..)| section.as_str()).collect();
    for (name, value) in document.get_ref() {
        let section = name.get_ref().as_ref();
        if !sections.contains(&section) {
            return Err(ConfigError::unknown(path, text, name.span().start, "section", section, &sections));
        }
        let DeValue::Table(entries) = value.get_ref() else { continue };
        let keys: Vec<&str> = known.iter().filter(|(of, ..)| of == section).map(|(_, key, _)| key.as_str()).collect();
        for key in entries.keys() {
            let found = key.get_ref().as_ref();
            if !keys.contains(&found) {
                return Err(ConfigError::unknown(path, text, key.span().start, "key", found, &keys));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        check_keys(text, Path::new("causeway.toml")).unwrap_err().to_string()
    }

    #[test]
    fn an_unknown_key_is_refused_with_place_suggestion_and_choice() {
        let message = refusal("[log]\nlevel = 'info'\n\n[limits]\n  thread = 3\n");
        assert!(message.starts_with("causeway.toml:5:3: unknown key `thread`; did you mean `threads`?"), "{message}");
        assert!(message.contains("memory_limit_bytes"), "{message}");
    }

    #[test]
    fn an_unknown_section_is_refused() {
        let message = refusal("[limit]\nthreads = 3\n");
        assert!(message.starts_with("causeway.toml:1:2: unknown section `limit`; did you mean `limits`?"), "{message}");
    }

    #[test]
    fn options_of_the_store_are_free() {
        check_keys("[lake.options]\nanything = 'goes'\n", Path::new("causeway.toml")).unwrap();
    }

    #[test]
    fn every_key_has_a_doc_line() {
        let docs = key_docs();
        assert!(docs.iter().any(|doc| doc.variable.as_deref() == Some("CAUSEWAY_LIMITS_THREADS")));
        assert_eq!(docs.len(), known_keys().len());
        assert!(docs.iter().all(|doc| !doc.meaning.is_empty()), "{docs:?}");
    }
}
