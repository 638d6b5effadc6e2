//! Locally private messages for linear regression.
//!
//! One message for each row, made at the data holder: whoever has the messages learns little about any one sender, even
//! if everyone else conspires.
//!
//! ```text
//! nldp         upper triangle of x x^T, and x y, with discrete Gaussian noise     (epsilon, delta)
//! nldp_public  x y with discrete Gaussian noise                                    (epsilon, delta)
//! iht          x (x'theta - y) as a random vector of fixed length on its side      epsilon
//! ```
//!
//! # Input
//! `outcome` and `covariates`: numbers, NULL and NaN count as 0; covariates must have been centred and scaled by public
//! constants. `given` (mode 'iht'): rows of `feature`, `coefficient`, the estimate so far; without it zeros.
//!
//! # Output
//! `message`: list of doubles, d (d + 1) / 2 + d for 'nldp', d otherwise; as many rows as senders.
//!
//! # Parameters
//! `epsilon` required; `mode` 'nldp', `delta` 1e-5, `radius` 1.15 sqrt(d), `clip_outcome` 2, `calibration` 'tight'. The
//! server must be given the same.
//!
//! # Shapes
//! n rows to n messages; cost O(n d^2) draws for 'nldp', O(n d) otherwise.
//!
//! # Errors
//! At planning: options out of range. In `given`: a name that is no covariate. None depends on a sender's values.
//!
//! # Guarantees
//! (ε, δ)-local differential privacy of each message; `ldp_encode.privacy.md`. A sender who answers several times spends
//! each time.
//!
//! # Source
//! Zhu, Ding, Aggarwal, Xu and Wang 2023 (moments; interactive form); Duchi, Jordan and Wainwright 2018, section 4.2.3
//! (ball); Balle and Wang 2018, theorem 8 (calibration). We quantise, use one joint message with its exact sensitivity,
//! and draw discrete noise; `calibration => 'published'` keeps the published constants.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{Float64Array, RecordBatch};
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_privacy::ldp_encode;
//!
//! let rows = RecordBatch::try_from_iter([
//!     ("x1", Arc::new(Float64Array::from(vec![0.3, -1.2])) as _),
//!     ("x2", Arc::new(Float64Array::from(vec![1.1, 0.4])) as _),
//!     ("outcome", Arc::new(Float64Array::from(vec![0.8, -0.1])) as _),
//! ])?;
//! let mut options = Literals::default();
//! options.insert("epsilon", Literal::Float(1.0));
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let messages = call(&ldp_encode::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! assert_eq!(messages.batches[0].num_rows(), 2); // of 3 + 2 numbers
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, AsArray, Float64Array, ListArray, RecordBatch};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};
use causeway_core::{
    Adjacency, ColumnRole, ColumnSpec, ColumnType, InputSpec, Literals, Operator, OperatorError, OperatorFactory,
    Output, OutputType, PrivacyClaim, PrivacyCost, Relation, Report, Result, Roles, RunContext, Spec, Transformation,
};

use crate::ldp::encoder::Encoder;
use crate::ldp::options::{self, Mode, Protocol, read_estimate};
use crate::noise::RandomBits;

/// Makes the operator `ldp_encode`.
#[derive(Debug)]
pub struct Factory;

const OUTCOME: ColumnRole = ColumnRole {
    role: "outcome",
    kind: ColumnType::Number,
    unit: "any",
    nullable: true,
    required: true,
    several: false,
    meaning: "what is explained; NULL and NaN count as 0, others are moved into -clip_outcome .. clip_outcome",
};

const COVARIATES: ColumnRole = ColumnRole {
    role: "covariates",
    kind: ColumnType::Number,
    unit: "standard deviations, by public constants",
    nullable: true,
    required: true,
    several: true,
    meaning: "what explains it; NULL and NaN count as 0",
};

static SPEC: Spec = Spec {
    name: "ldp_encode",
    family: "privacy",
    version: 1,
    summary: "Messages for linear regression that are private before they leave their sender.",
    details: "
Each row is one sender's and becomes one message. Covariates are shortened to length `radius` and the outcome is moved
into -clip_outcome .. clip_outcome; both are put on public lattices, so that products are whole numbers.

- 'nldp' sends the upper triangle of x x^T and x y with discrete Gaussian noise, one joint (epsilon, delta) message.
- 'nldp_public' sends x y alone; the server knows second moments from public rows without outcome.
- 'iht' sends the gradient of the squared error at the estimate in `given` as a random vector (pure epsilon, no delta).
  Rounds need different senders: split them before, and call once for each part.

Covariates must be centred and scaled by public constants: means taken from the rows would not be private. Rows with NULL
or NaN send a message like any other. What is useful when: 'iht' where noise dominates (epsilon up to 2, or up to 1e5
senders), 'nldp_public' from epsilon 2 and 1e5 senders on if public covariates exist, 'nldp' with many senders and few
covariates (2e6 senders for 10 covariates at epsilon 1). The published constants of 'nldp' need about a thousand times as
many senders.

`ldp_sparse_regression` reads the messages and must be given the same options.",
    inputs: &[
        InputSpec {
            name: "rows",
            summary: "one row is one sender",
            required: true,
            columns: &[OUTCOME, COVARIATES],
        },
        InputSpec {
            name: "given",
            summary: "mode 'iht': the estimate so far, one row for each coefficient that is not 0",
            required: false,
            columns: &[options::FEATURE, options::COEFFICIENT],
        },
    ],
    parameters: &[
        options::EPSILON,
        options::MODE,
        options::DELTA,
        options::RADIUS,
        options::CLIP,
        options::CALIBRATION,
    ],
    output: &[ColumnSpec {
        name: "message",
        kind: OutputType::Doubles,
        nullable: false,
        unit: "",
        meaning: "second moments row by row from the diagonal on, then products with the outcome; or a gradient",
        from: &[("outcome", Transformation::Transformation), ("covariates", Transformation::Transformation)],
    }],
    indirect: &[],
    privacy: PrivacyClaim::Private(
        "(epsilon, delta)-local differential privacy of each row's message, pure in mode 'iht'; a sender has one row",
    ),
    source: "Zhu, Ding, Aggarwal, Xu and Wang 2023; Duchi, Jordan and Wainwright 2018, section 4.2.3; Balle and Wang 2018, theorem 8; Canonne, Kamath and Steinke 2020, algorithm 3 (noise)",
    example: "SELECT * FROM ldp_encode((SELECT y, x1, x2, x3 FROM clinical.standardised), outcome => 'y', covariates => ARRAY['x1', 'x2', 'x3'], epsilon => 2, mode => 'iht')",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let protocol = Protocol::new(SPEC.name, literals, roles.columns("covariates").len())?;
        Ok(Box::new(Bound { encoder: Encoder::new(SPEC.name, protocol)?, protocol, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    protocol: Protocol,
    encoder: Encoder,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn privacy_cost(&self) -> Option<PrivacyCost> {
        let mechanism = match self.protocol.mode {
            Mode::Moments => "local discrete Gaussian moments",
            Mode::Products => "local discrete Gaussian products",
            Mode::Gradient => "local random direction",
        };
        let cost = PrivacyCost::pure(mechanism, self.protocol.epsilon.value())?;
        let cost = PrivacyCost { adjacency: Adjacency::Substitute, ..cost };
        cost.with_delta(self.protocol.delta.value())
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let mut inputs = inputs.into_iter();
        let missing = || OperatorError::Internal { operator: SPEC.name, problem: "no rows relation".to_owned() };
        let mut rows = inputs.next().ok_or_else(missing)?;
        let features: Vec<String> = self.roles.columns("covariates").iter().map(|column| column.name.clone()).collect();
        let estimate = match inputs.next() {
            Some(given) => read_estimate(SPEC.name, &self.roles, &features, given, context)?,
            None => vec![0.0; features.len()],
        };
        let mut batches = Vec::new();
        while let Some(batch) = rows.next_batch(context)? {
            context.grow_memory(batch.num_rows() * self.protocol.message_length() * size_of::<f64>())?;
            batches.push(self.encode(&batch, &estimate, context)?);
        }
        let report = Report::from([
            ("epsilon", self.protocol.epsilon.value().into()),
            ("delta", self.protocol.delta.value().into()),
            ("message_length", self.protocol.message_length().into()),
        ]);
        Ok(Output { batches, report })
    }
}

impl Bound {
    fn encode(&self, batch: &RecordBatch, estimate: &[f64], context: &mut RunContext) -> Result<RecordBatch> {
        const ROWS_BETWEEN_CHECKS: usize = 256;
        let outcome = doubles(batch, self.roles.required("outcome")?.index)?;
        let columns = self.roles.columns("covariates");
        let covariates = columns.iter().map(|column| doubles(batch, column.index)).collect::<Result<Vec<_>>>()?;
        let length = self.protocol.message_length();
        let cancel = context.cancel_flag();
        let mut bits = RandomBits::new(context.noise());
        let mut messages = Vec::with_capacity(batch.num_rows() * length);
        let mut x = vec![0.0; covariates.len()];
        for row in 0..batch.num_rows() {
            if row % ROWS_BETWEEN_CHECKS == 0 {
                cancel.check()?;
            }
            x.iter_mut().zip(&covariates).for_each(|(x, column)| *x = value(column, row));
            self.encoder.encode(&x, value(&outcome, row), estimate, &mut bits, &mut messages)?;
        }
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(length, batch.num_rows()));
        let values = Arc::new(Float64Array::from(messages));
        let messages = ListArray::try_new(item(), offsets, values, None)?;
        Ok(RecordBatch::try_new(self.output_schema()?, vec![Arc::new(messages)])?)
    }
}

fn item() -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Float64, false))
}

fn doubles(batch: &RecordBatch, index: usize) -> Result<Float64Array> {
    Ok(cast(batch.column(index), &DataType::Float64)?.as_primitive::<Float64Type>().clone())
}

fn value(column: &Float64Array, row: usize) -> f64 {
    if column.is_valid(row) { column.value(row) } else { f64::NAN }
}
