//! `CAUSEWAY_<SECTION>_<KEY>`: the environment fills the same struct as the file.

use serde_json::Value;

use crate::keys::{known_keys, variable_name};
use crate::{Config, ConfigError, Result};

/// How a variable is looked up; tests give their own.
pub(crate) type Variables<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Lays the variables that are set over a configuration.
pub(crate) fn apply_environment(config: &mut Config, variables: Variables<'_>) -> Result<()> {
    let mut changed = serde_json::to_value(&*config).map_err(|error| environment_error("CAUSEWAY_*", &error))?;
    for (section, key, default) in known_keys() {
        let name = variable_name(&section, &key);
        if default.is_object() {
            continue;
        }
        let short = (name == "CAUSEWAY_CATALOG_URL").then_some("CAUSEWAY_CATALOG");
        let Some(text) = variables(&name).or_else(|| variables(short?)) else { continue };
        changed[&section][&key] = parse(&name, &text, &default)?;
        *config = serde_json::from_value(changed.clone()).map_err(|error| environment_error(&name, &error))?;
    }
    Ok(())
}

/// Reads a value of the type that the default has; lists are separated like `PATH`.
fn parse(name: &str, text: &str, default: &Value) -> Result<Value> {
    match default {
        Value::Number(_) => text.trim().parse::<u64>().map(Value::from).map_err(|_| ConfigError::Environment {
            name: name.to_owned(),
            problem: "must be a whole number".to_owned(),
        }),
        Value::Bool(_) => text.trim().parse::<bool>().map(Value::from).map_err(|_| ConfigError::Environment {
            name: name.to_owned(),
            problem: "must be true or false".to_owned(),
        }),
        Value::Array(_) => Ok(std::env::split_paths(text)
            .filter(|path| !path.as_os_str().is_empty())
            .map(|path| Value::from(path.to_string_lossy().into_owned()))
            .collect()),
        _ => Ok(Value::from(text)),
    }
}

fn environment_error(name: &str, error: &serde_json::Error) -> ConfigError {
    ConfigError::Environment { name: name.to_owned(), problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    fn layered(text: &str, variables: &[(&str, &str)]) -> Result<Config> {
        let lookup = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Config::layered(text, Path::new("causeway.toml"), &lookup)
    }

    #[test]
    fn a_variable_overrides_the_file_and_leaves_the_rest() {
        let config = layered(
            "[limits]\nthreads = 2\ntimeout_seconds = 9\n",
            &[
                ("CAUSEWAY_LIMITS_THREADS", "8"),
                ("CAUSEWAY_PATHS_READ", "/a:/b c"),
                ("CAUSEWAY_LAKE_URL", "memory:///"),
                ("CAUSEWAY_LOG_FORMAT", "json"),
                ("CAUSEWAY_OPENLINEAGE_SEND_SQL", "false"),
            ],
        )
        .unwrap();
        assert_eq!((config.limits.threads, config.limits.timeout_seconds), (8, 9));
        assert_eq!(config.paths.read, [PathBuf::from("/a"), PathBuf::from("/b c")]);
        assert_eq!(config.lake.url.as_deref(), Some("memory:///"));
        assert!(!config.openlineage.send_sql);
        assert_eq!(config.log.format, crate::LogFormat::Json);
    }

    #[test]
    fn a_bad_value_names_the_variable() {
        let error = layered("", &[("CAUSEWAY_LIMITS_THREADS", "many")]).unwrap_err();
        assert_eq!(error.to_string(), "environment variable CAUSEWAY_LIMITS_THREADS: must be a whole number");
        let error = layered("", &[("CAUSEWAY_OPENLINEAGE_SEND_SQL", "no")]).unwrap_err();
        assert!(error.to_string().ends_with("CAUSEWAY_OPENLINEAGE_SEND_SQL: must be true or false"), "{error}");
        let error = layered("", &[("CAUSEWAY_LOG_FORMAT", "xml")]).unwrap_err();
        assert!(error.to_string().contains("CAUSEWAY_LOG_FORMAT"), "{error}");
        assert!(error.to_string().contains("`text`"), "{error}");
    }
}
