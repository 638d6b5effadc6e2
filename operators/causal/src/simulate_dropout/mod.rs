//! Zeros in place of values, as single-cell sequencing loses them.
//!
//! Sets values of number columns to zero by one of four mechanisms
//!
//! ```text
//! fixed             P(lost) = r_j, r_j uniform in [low, high]
//! logistic          P(lost) = 1 / (1 + exp(-(a + b z)))
//! truncate          lost if z <= the column's q_j-quantile, q_j uniform in [low, high]
//! michaelis_menten  P(lost) = c / (c + mean of the column)
//! ```
//!
//! # Input
//! `columns` numbers, default every number column that is not kept; `keep` columns of any type that are copied. Nulls
//! stay null and count nowhere.
//!
//! # Output
//! The columns of `keep`, then those of `columns`, same names and types.
//!
//! # Parameters
//! `mechanism` required; `low`, `high` (0.3, 0.6 fixed; 0.2, 0.4 truncate); `a` 0.5, `b` -0.5; `half_saturation` 1;
//! `seed` 0. An option of another mechanism is refused.
//!
//! # Shapes
//! n rows to n rows; cost O(rows columns), with a sort of each column for 'truncate'; memory O(rows columns).
//!
//! # Errors
//! `Parameter` as above; `Data` if 'michaelis_menten' meets a column of negative mean; `Memory`, `Cancelled`.
//!
//! # Guarantees
//! The same rows in the same order with the same options give the same zeros, for any cut into batches and any
//! number of threads. Given its value, the loss of one value is independent of all others.
//!
//! # Source
//! The mechanisms of Dai et al., Gene regulatory network inference in the presence of dropouts, ICLR 2024,
//! section 3; Michaelis-Menten as in Andrews and Hemberg, M3Drop, Bioinformatics 35 (2019).
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, Float64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_causal::simulate_dropout;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//!
//! let rows = RecordBatch::try_from_iter([("gene", Arc::new(Float64Array::from(vec![1.0, 2.0, 3.0, 4.0, 5.0])) as _)])?;
//! let mut options = Literals::default();
//! options.insert("mechanism", Literal::Text("truncate".to_owned()));
//! options.insert("low", Literal::Float(0.25));
//! options.insert("high", Literal::Float(0.25));
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let seen = call(&simulate_dropout::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! assert_eq!(seen.batches[0]["gene"].as_primitive::<Float64Type>().values(), &[0.0, 0.0, 3.0, 4.0, 5.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod params;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, Scalar, UInt8Array};
use arrow::compute::cast;
use arrow::compute::kernels::zip::zip;
use arrow::datatypes::{DataType, Float64Type};
use causeway_core::{
    BoundColumn, ColumnRole, ColumnSpec, ColumnType, InputSpec, Literals, Operator, OperatorError, OperatorFactory,
    Output, OutputType, Parameter, ParameterKind, PrivacyClaim, Relation, Report, Result, Roles, RunContext, Spec,
    Transformation,
};
use rayon::prelude::*;
use serde_json::{Map, Value};

use self::algorithm::Dropper;
use self::params::Dropout;

/// Makes the operator `simulate_dropout`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "simulate_dropout",
    family: "causal",
    version: 1,
    summary: "Zeros in place of values, as single-cell sequencing loses them.",
    details: "
Sets values of number columns to zero. 'fixed': each column loses values at its own rate, uniform between `low` and `high` (0.3
and 0.6). 'logistic': a value z is lost with probability 1 / (1 + exp(-(a + b z))) (a = 0.5, b = -0.5), so small ones
are lost more often. 'truncate': values at and under the column's own quantile are lost, its share uniform between `low` and
`high` (0.2 and 0.4). 'michaelis_menten': each column loses values at the rate c / (c + mean), c = `half_saturation`; its mean
must not be negative. An option that belongs to another mechanism is refused.

The loss of a value depends on nothing but that value and its column. Columns of `keep` are copied; other columns that are not numbers
are left out. Nulls stay null. The random numbers are tied to the order of the rows and the place of the column, not to
batches or threads, so order the rows in the SELECT where their order is not fixed. Cost O(rows columns); the rows
are held in memory. The report gives how many values each column lost.",
    inputs: &[InputSpec {
        name: "rows",
        summary: "one row for each cell or sample, one column for each variable",
        required: true,
        columns: &[
            ColumnRole {
                role: "columns",
                kind: ColumnType::Number,
                unit: "",
                nullable: true,
                required: true,
                several: true,
                meaning: "the variables that lose values; without the option every number column that is not kept",
            },
            ColumnRole {
                role: "keep",
                kind: ColumnType::Any,
                unit: "",
                nullable: true,
                required: false,
                several: true,
                meaning: "columns that are copied, such as an identifier",
            },
        ],
    }],
    parameters: &[
        Parameter {
            name: "mechanism",
            kind: ParameterKind::Choice(&["fixed", "logistic", "truncate", "michaelis_menten"]),
            default: None,
            unit: "",
            meaning: "how values are lost",
        },
        share("low", "smallest rate or quantile; 0.3 for 'fixed' and 0.2 for 'truncate' if NULL"),
        share("high", "largest rate or quantile; 0.6 for 'fixed' and 0.4 for 'truncate' if NULL"),
        number("a", f64::NEG_INFINITY, "constant of 'logistic'; 0.5 if NULL"),
        number("b", f64::NEG_INFINITY, "slope of 'logistic'; -0.5 if NULL"),
        number("half_saturation", 0.0, "mean at which 'michaelis_menten' loses one half; 1 if NULL"),
        Parameter {
            name: "seed",
            kind: ParameterKind::Integer { min: 0, max: i64::MAX },
            default: Some("0"),
            unit: "",
            meaning: "draws what is lost",
        },
    ],
    output: &[
        each_of("keep", "the columns of `keep`", Transformation::Identity),
        each_of("columns", "the values, 0 where lost", Transformation::Transformation),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Dai et al. 2024, section 3; Andrews and Hemberg 2019 (Michaelis-Menten)",
    example: "SELECT * FROM simulate_dropout((SELECT * FROM simulate_sem(n_variables => 10, form => 'lognormal')), mechanism => 'logistic')",
};

const fn each_of(role: &'static str, meaning: &'static str, kind: Transformation) -> ColumnSpec {
    let from: &[(&str, Transformation)] = match kind {
        Transformation::Identity => &[("keep", Transformation::Identity)],
        _ => &[("columns", Transformation::Transformation)],
    };
    ColumnSpec { name: role, kind: OutputType::EachOf(role), nullable: true, unit: "", meaning, from }
}

const fn share(name: &'static str, meaning: &'static str) -> Parameter {
    let kind = ParameterKind::Float { min: 0.0, max: 1.0, open: false };
    Parameter { name, kind, default: Some("NULL"), unit: "", meaning }
}

const fn number(name: &'static str, min: f64, meaning: &'static str) -> Parameter {
    let kind = ParameterKind::Float { min, max: f64::INFINITY, open: false };
    Parameter { name, kind, default: Some("NULL"), unit: "", meaning }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { params: Dropout::from_literals(SPEC.name, literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: Dropout,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let schema = self.output_schema()?;
        let mut rows = Vec::new();
        for relation in inputs {
            rows.extend(relation.collect(context)?);
        }
        let columns = self.roles.columns("columns");
        let changed: Vec<Changed> = context.pool().install(|| {
            let column = |(place, column): (usize, &&BoundColumn)| change(&self.params, place as u64, column, &rows);
            columns.par_iter().enumerate().map(column).collect::<Result<_>>()
        })?;
        context.check_cancelled()?;
        let kept = self.roles.columns("keep");
        let batches = rows.iter().enumerate().map(|(index, batch)| {
            let kept = kept.iter().map(|column| ArrayRef::clone(batch.column(column.index)));
            let changed = changed.iter().map(|column| ArrayRef::clone(&column.pieces[index]));
            Ok(RecordBatch::try_new(Arc::clone(&schema), kept.chain(changed).collect())?)
        });
        let batches = batches.collect::<Result<_>>()?;
        context.progress(1.0);
        Ok(Output { batches, report: describe(&self.params, &columns, &changed, &rows) })
    }
}

/// A column after its losses, batch by batch.
#[derive(Debug)]
struct Changed {
    pieces: Vec<ArrayRef>,
    n_lost: usize,
}

fn change(params: &Dropout, place: u64, column: &BoundColumn, rows: &[RecordBatch]) -> Result<Changed> {
    let values = rows
        .iter()
        .map(|batch| Ok(cast(batch.column(column.index), &DataType::Float64)?.as_primitive::<Float64Type>().clone()))
        .collect::<Result<Vec<Float64Array>>>()?;
    let present = values.iter().flat_map(|piece| piece.iter().flatten());
    let mut dropper = Dropper::new(params, place, present).ok_or_else(|| OperatorError::Data {
        operator: SPEC.name,
        problem: format!("column `{}` has a negative mean, from which 'michaelis_menten' has no rate", column.name),
    })?;
    let zero = Scalar::new(cast(&UInt8Array::from(vec![0]), &column.data_type)?);
    let mut changed = Changed { pieces: Vec::with_capacity(rows.len()), n_lost: 0 };
    for (piece, batch) in values.iter().zip(rows) {
        let is_lost = |value: Option<f64>| dropper.drops(value.unwrap_or(f64::NAN)) && value.is_some();
        let lost = BooleanArray::from(piece.iter().map(is_lost).collect::<Vec<bool>>());
        changed.n_lost += lost.true_count();
        changed.pieces.push(zip(&lost, &zero, &batch.column(column.index))?);
    }
    Ok(changed)
}

fn describe(params: &Dropout, columns: &[&BoundColumn], changed: &[Changed], rows: &[RecordBatch]) -> Report {
    let n_rows: usize = rows.iter().map(RecordBatch::num_rows).sum();
    let lost = columns.iter().zip(changed).map(|(column, changed)| (column.name.clone(), changed.n_lost.into()));
    Report::from([
        ("n_rows", n_rows.into()),
        ("seed", params.seed.into()),
        ("n_lost", Value::Object(lost.collect::<Map<_, _>>())),
    ])
}
