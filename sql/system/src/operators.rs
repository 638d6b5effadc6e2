//! Rows of `system.operators` and `system.operator_options`.

use arrow::array::ArrayRef;
use causeway_core::{ColumnRole, Parameter, Spec};

use crate::cells::{booleans, integers, optional_texts, texts};

pub(crate) fn operators() -> Vec<ArrayRef> {
    let specs = specs();
    let rows = || specs.iter();
    vec![
        texts(rows().map(|row| row.name)),
        texts(rows().map(|row| row.family)),
        integers(rows().map(|row| i64::from(row.version))),
        texts(rows().map(|row| row.summary)),
        texts(rows().map(|row| row.usage())),
        texts(rows().map(|row| row.example)),
        texts(rows().map(|row| row.privacy.describe())),
        texts(rows().map(|row| row.source)),
    ]
}

/// One option of one operator.
struct OptionRow {
    operator: &'static str,
    option: &'static str,
    kind: &'static str,
    accepts: String,
    default: Option<&'static str>,
    required: bool,
    unit: &'static str,
    meaning: &'static str,
}

impl OptionRow {
    fn of_parameter(spec: &'static Spec, parameter: &'static Parameter) -> Self {
        Self {
            operator: spec.name,
            option: parameter.name,
            kind: "parameter",
            accepts: parameter.kind.describe(),
            default: parameter.default,
            required: parameter.default.is_none(),
            unit: parameter.unit,
            meaning: parameter.meaning,
        }
    }

    fn of_role(spec: &'static Spec, role: &'static ColumnRole) -> Self {
        let several = if role.several { ", or an array of names" } else { "" };
        Self {
            operator: spec.name,
            option: role.role,
            kind: "column",
            accepts: format!("the name of a column that is {}{several}", role.kind.describe()),
            default: None,
            required: role.required,
            unit: role.unit,
            meaning: role.meaning,
        }
    }
}

pub(crate) fn options() -> Vec<ArrayRef> {
    let rows: Vec<OptionRow> = specs().into_iter().flat_map(options_of).collect();
    let rows = || rows.iter();
    vec![
        texts(rows().map(|row| row.operator)),
        texts(rows().map(|row| row.option)),
        texts(rows().map(|row| row.kind)),
        texts(rows().map(|row| &row.accepts)),
        optional_texts(rows().map(|row| row.default)),
        booleans(rows().map(|row| row.required)),
        optional_texts(rows().map(|row| (!row.unit.is_empty()).then_some(row.unit))),
        texts(rows().map(|row| row.meaning)),
    ]
}

fn options_of(spec: &'static Spec) -> Vec<OptionRow> {
    let roles = spec.inputs.iter().flat_map(|input| input.columns).map(|role| OptionRow::of_role(spec, role));
    let parameters = spec.parameters.iter().map(|parameter| OptionRow::of_parameter(spec, parameter));
    roles.chain(parameters).collect()
}

fn specs() -> Vec<&'static Spec> {
    causeway_all::operators().map(|factory| factory.spec()).collect()
}
