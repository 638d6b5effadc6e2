//! All operators of the product: the families' tables, one after another.
//!
//! The engine registers what [`operators`] yields; nothing else names a family.
//!
//! ```
//! let lines: Vec<String> =
//!     causeway_all::operators().map(|operator| format!("{}: {}", operator.spec().name, operator.spec().summary)).collect();
//! assert!(lines[0].starts_with("kaplan_meier: Survival curve"));
//! ```
//!
//! Where to look next: `causeway_core` for what an operator is, `causeway_survival` for a family.

pub use causeway_privacy::audit as privacy_audit;

use causeway_core::OperatorFactory;

/// The tables of all families, in the order the docs list them.
const FAMILIES: &[&[&dyn OperatorFactory]] =
    &[causeway_survival::OPERATORS, causeway_causal::OPERATORS, causeway_privacy::OPERATORS];

/// Returns every operator.
pub fn operators() -> impl Iterator<Item = &'static dyn OperatorFactory> {
    FAMILIES.iter().flat_map(|family| family.iter().copied())
}

/// Returns the operator of a name.
///
/// ```
/// assert!(causeway_all::find("log_rank").is_some());
/// assert!(causeway_all::find("logrank").is_none());
/// ```
pub fn find(name: &str) -> Option<&'static dyn OperatorFactory> {
    operators().find(|operator| operator.spec().name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use causeway_core::{Literals, OutputType, Spec};

    use super::{find, operators};

    fn specs() -> impl Iterator<Item = &'static Spec> {
        operators().map(|operator| operator.spec())
    }

    #[test]
    fn names_are_unique_snake_case_and_found() {
        let names: BTreeSet<&str> = specs().map(|spec| spec.name).collect();
        assert_eq!(names.len(), operators().count());
        for name in names {
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
            assert!(find(name).is_some());
        }
    }

    #[test]
    fn option_names_are_unique_within_an_operator() {
        for spec in specs() {
            let names: BTreeSet<&str> = spec.option_names().collect();
            assert_eq!(names.len(), spec.option_names().count(), "{}", spec.name);
        }
    }

    #[test]
    fn every_default_passes_its_own_check() {
        for spec in specs() {
            let once = Literals::default().check(spec);
            if let Ok(filled) = once {
                assert_eq!(filled.clone().check(spec).unwrap(), filled, "{}", spec.name);
            }
        }
    }

    #[test]
    fn lineage_and_output_name_roles_that_exist() {
        for spec in specs() {
            let roles: BTreeSet<&str> =
                spec.inputs.iter().flat_map(|input| input.columns).map(|role| role.role).collect();
            let origins = spec.output.iter().flat_map(|column| column.from).chain(spec.indirect);
            for (role, _) in origins {
                assert!(roles.contains(role), "{}: `{role}`", spec.name);
            }
            for column in spec.output {
                if let OutputType::EachOf(role) = column.kind {
                    assert!(roles.contains(role), "{}: `{role}`", spec.name);
                }
            }
        }
    }

    #[test]
    fn examples_call_the_operator_and_sentences_are_complete() {
        for spec in specs() {
            assert!(spec.example.contains(&format!("FROM {}(", spec.name)), "{}", spec.name);
            assert!(spec.summary.ends_with('.') && !spec.source.is_empty() && spec.version >= 1, "{}", spec.name);
            assert!(spec.details.len() > 200, "{}", spec.name);
        }
    }
}
