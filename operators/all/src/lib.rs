//! All operators of the product: the families' tables, one after the other.

use causeway_core::OperatorFactory;

/// The families, in the order the docs list them.
const FAMILIES: &[&[&dyn OperatorFactory]] = &[causeway_survival::OPERATORS];

/// Lists every operator.
pub fn operators() -> impl Iterator<Item = &'static dyn OperatorFactory> {
    FAMILIES.iter().flat_map(|family| family.iter().copied())
}

/// Finds an operator by its SQL name.
pub fn find(name: &str) -> Option<&'static dyn OperatorFactory> {
    operators().find(|factory| factory.spec().name == name)
}
