//! Sparse linear regression from locally private messages.
//!
//! ```text
//! nldp         S = mean of x x^T, b = mean of x y          theta = sparse solution of S theta = b
//! nldp_public  S from public rows without outcome          the same
//! iht          g = mean gradient at theta                  theta' = largest 2 k of (theta - step g), in the l1 ball
//! ```
//!
//! # Input
//! `message`: lists of doubles as [`crate::ldp_encode`] makes them. `given`: mode 'nldp_public', public rows with a number
//! column for each feature; mode 'iht', the estimate so far (`feature`, `coefficient`).
//!
//! # Output
//! One row for each feature: `feature`, `coefficient`, `selected`, `privacy_se` (outcome per covariate).
//!
//! # Parameters
//! `features` names in the order of the covariates; `k` 3; those of [`crate::ldp_encode`], with the same values; `solver`
//! 'topk_refit', `penalty`, `l1_radius` 1, `step` 0.6, `allow_noise` false.
//!
//! # Shapes
//! n messages to d rows; cost O(n d^2) for 'nldp' and O(n d) otherwise, memory O(d^2); one pass.
//!
//! # Errors
//! `Data` if a message has another length or no number; if the noise is larger than half the smallest eigenvalue of S
//! and `allow_noise` is false; if S is singular.
//!
//! # Guarantees
//! Reads messages only and spends nothing. Solutions equal the goldens to 1e-10; medians of 20 simulated studies lie in
//! the reference's q10 to q90.
//!
//! # Source
//! Zhu, Ding, Aggarwal, Xu and Wang 2023; Wang and Xu 2019 (interactive form).
//!
//! # Example
//! See [`crate::ldp_regression_simulate`], which calls both sides.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Float64Type};
use causeway_core::{
    BoundColumn, ColumnRole, ColumnSpec, ColumnType, InputSpec, Literal, Literals, Operator, OperatorError,
    OperatorFactory, Output, OutputType, Parameter, ParameterKind, PrivacyClaim, Relation, Report, Result, Roles,
    RunContext, Spec, Transformation,
};
use causeway_numerics::matrix::Matrix;

use crate::ldp::calibration::number;
use crate::ldp::encoder::Encoder;
use crate::ldp::options::{self, Mode, Protocol, read_estimate};
use crate::ldp::server::{Coefficients, Moments, Solver, threshold_step};

/// Makes the operator `ldp_sparse_regression`.
#[derive(Debug)]
pub struct Factory;

const MESSAGE: ColumnRole = ColumnRole {
    role: "message",
    kind: ColumnType::Any,
    unit: "",
    nullable: false,
    required: true,
    several: false,
    meaning: "list of doubles, as ldp_encode makes it",
};

const PUBLIC: ColumnRole = ColumnRole {
    role: "covariates",
    kind: ColumnType::Number,
    unit: "standard deviations, by public constants",
    nullable: true,
    required: false,
    several: true,
    meaning: "mode 'nldp_public': the public columns, with the names of `features`; rows with NULL or NaN are left out",
};

pub(crate) const K: Parameter = Parameter {
    name: "k",
    kind: ParameterKind::Integer { min: 1, max: 200 },
    default: Some("3"),
    unit: "features",
    meaning: "how many features are kept; twice as many between rounds of 'iht'",
};
pub(crate) const SOLVER: Parameter = Parameter {
    name: "solver",
    kind: ParameterKind::Choice(&["topk_refit", "soft", "lasso"]),
    default: Some("'topk_refit'"),
    unit: "",
    meaning: "'topk_refit' solves again for the k largest, 'soft' thresholds the solution (as published), 'lasso' has an l1 penalty",
};
pub(crate) const PENALTY: Parameter = Parameter {
    name: "penalty",
    kind: ParameterKind::Float { min: 0.0, max: f64::INFINITY, open: false },
    default: Some("NULL"),
    unit: "",
    meaning: "threshold of 'soft' or penalty of 'lasso'; NULL = of the size of the noise times sqrt(2 log d)",
};
pub(crate) const L1_RADIUS: Parameter = Parameter {
    name: "l1_radius",
    kind: ParameterKind::Float { min: 0.0, max: 1e12, open: true },
    default: Some("1"),
    unit: "of `coefficient`",
    meaning: "largest sum of the absolute coefficients; larger ones are shortened to it",
};
pub(crate) const STEP: Parameter = Parameter {
    name: "step",
    kind: ParameterKind::Float { min: 0.0, max: 100.0, open: true },
    default: Some("0.6"),
    unit: "",
    meaning: "step along the gradient in mode 'iht'",
};
pub(crate) const ALLOW_NOISE: Parameter = Parameter {
    name: "allow_noise",
    kind: ParameterKind::Boolean,
    default: Some("false"),
    unit: "",
    meaning: "solve although the noise exceeds half the smallest eigenvalue, with small eigenvalues raised",
};

static SPEC: Spec = Spec {
    name: "ldp_sparse_regression",
    family: "privacy",
    version: 1,
    summary: "Sparse linear regression from locally private messages.",
    details: "
Averages messages of `ldp_encode` and solves for sparse coefficients. It reads nothing else and spends no privacy; options
that describe the messages must be those they were made with.

Modes 'nldp' and 'nldp_public' solve S theta = b, then keep the k largest coefficients and solve again ('topk_refit'), or
threshold softly ('soft', as published), or add an l1 penalty ('lasso'). Mode 'iht' takes one step from the estimate in
`given` along the mean gradient and keeps the 2 k largest coefficients; call it once for each round with fresh senders.

The report holds `noise_to_eigenvalue`: 2 sqrt(d) times the noise of an entry of S over the smallest eigenvalue of S. Above
0.5 the solution is mostly noise and the call is refused, unless allow_noise => true, which raises small eigenvalues first.
`privacy_se` is the error that the noise of the messages makes, to first order; the error of sampling comes on top.",
    inputs: &[
        InputSpec { name: "messages", summary: "one row is one sender's message", required: true, columns: &[MESSAGE] },
        InputSpec {
            name: "given",
            summary: "mode 'nldp_public': public rows; mode 'iht': the estimate so far",
            required: false,
            columns: &[options::FEATURE, options::COEFFICIENT, PUBLIC],
        },
    ],
    parameters: &[
        Parameter {
            name: "features",
            kind: ParameterKind::Values,
            default: None,
            unit: "",
            meaning: "names of the covariates in the order in which they were encoded",
        },
        options::EPSILON,
        options::MODE,
        K,
        options::DELTA,
        options::RADIUS,
        options::CLIP,
        options::CALIBRATION,
        SOLVER,
        PENALTY,
        L1_RADIUS,
        STEP,
        ALLOW_NOISE,
    ],
    output: &[
        output("feature", OutputType::Utf8, "", "name of the covariate"),
        output("coefficient", OutputType::Float64, "of `outcome` per covariate", "its coefficient, 0 if not selected"),
        output("selected", OutputType::Boolean, "", "true if the coefficient is not 0"),
        output("privacy_se", OutputType::Float64, "of `outcome` per covariate", "error that the noise of the messages makes"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Zhu, Ding, Aggarwal, Xu and Wang 2023; Wang and Xu 2019",
    example: "SELECT * FROM ldp_sparse_regression((SELECT message FROM clinical.messages), features => ARRAY['x1', 'x2', 'x3'], epsilon => 2, mode => 'iht', k => 2)",
};

const fn output(name: &'static str, kind: OutputType, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: false, unit, meaning, from: &[("message", Transformation::Aggregation)] }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let features = features(literals)?;
        let message = roles.required("message")?;
        let is_list = matches!(&message.data_type, DataType::List(item) | DataType::LargeList(item) if item.data_type().is_numeric());
        if !is_list {
            return Err(OperatorError::ColumnType {
                operator: SPEC.name,
                column: message.name.clone(),
                role: "message",
                allowed: "a list of numbers",
                found: message.data_type.to_string(),
            });
        }
        let protocol = Protocol::new(SPEC.name, literals, features.len())?;
        let server = Server::new(SPEC.name, protocol, literals)?;
        let public = if protocol.mode == Mode::Products { public_columns(&features, &roles)? } else { Vec::new() };
        Ok(Box::new(Bound { server, features, public, roles }))
    }
}

/// The server's side of a protocol, for this operator and the simulation.
#[derive(Debug)]
pub(crate) struct Server {
    operator: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) encoder: Encoder,
    solver: Solver,
    pub(crate) k: usize,
    l1_radius: f64,
    step: f64,
    allow_noise: bool,
}

impl Server {
    pub(crate) fn new(operator: &'static str, protocol: Protocol, literals: &Literals) -> Result<Self> {
        let k = literals.integer("k").and_then(|k| usize::try_from(k).ok()).unwrap_or(protocol.d).min(protocol.d);
        let given = literals.float("penalty").unwrap_or(f64::NAN);
        let solver = match literals.text("solver") {
            Some("soft") => Solver::Soft { threshold: given },
            Some("lasso") => Solver::Lasso { penalty: given },
            _ => Solver::TopRefit { k },
        };
        Ok(Self {
            operator,
            protocol,
            encoder: Encoder::new(operator, protocol)?,
            solver,
            k,
            l1_radius: literals.float("l1_radius").unwrap_or(1.0),
            step: literals.float("step").unwrap_or(0.6),
            allow_noise: literals.boolean("allow_noise"),
        })
    }

    /// Returns the coefficients from the mean of `n` messages; `public` are second moments of public rows, `estimate` the
    /// coefficients so far.
    pub(crate) fn coefficients(
        &self,
        mean: &[f64],
        n: usize,
        public: Option<Matrix>,
        estimate: &[f64],
        report: &mut Report,
    ) -> Result<Coefficients> {
        let d = self.protocol.d;
        if self.protocol.mode == Mode::Gradient {
            let values = threshold_step(estimate, mean, self.step, 2 * self.k, self.l1_radius);
            let selected = values.iter().map(|value| value.abs() > 0.0).collect();
            let error = self.step * self.encoder.ball() / (number(d) * number(n)).sqrt();
            return Ok(Coefficients { values, selected, privacy_se: vec![error; d] });
        }
        let deviations = self.encoder.deviations();
        let moments = match public {
            Some(second) => {
                let noise = deviations.of_mean(n);
                let noise = crate::ldp::encoder::Deviations { diagonal: 0.0, beside: 0.0, ..noise };
                Moments { second, products: mean.to_vec(), noise }
            }
            None => Moments::of_message(mean, d, n, deviations),
        };
        let ratio = moments.noise_to_eigenvalue();
        report.insert("min_eigenvalue", moments.smallest_eigenvalue().into());
        report.insert("noise_to_eigenvalue", if ratio.is_finite() { ratio.into() } else { "infinite".into() });
        if ratio > 0.5 && !self.allow_noise {
            return Err(self.too_noisy(ratio, n));
        }
        let moments = if ratio > 0.0 { moments.floored() } else { moments };
        moments.solve(self.solver, self.l1_radius).ok_or_else(|| OperatorError::Data {
            operator: self.operator,
            problem: "the second moments of the covariates are singular; leave out a covariate".to_owned(),
        })
    }

    fn too_noisy(&self, ratio: f64, n: usize) -> OperatorError {
        let advice = if ratio.is_finite() {
            format!("about {:.0} times the {n} messages would do", (ratio / 0.5).powi(2).ceil())
        } else {
            "no eigenvalue of the noisy second moments is certain to be positive".to_owned()
        };
        OperatorError::Data {
            operator: self.operator,
            problem: format!(
                "noise_to_eigenvalue is {ratio:.2} and must be 0.5 at most, or the coefficients are mostly noise; {advice}; use mode 'iht' or 'nldp_public', fewer covariates, or allow_noise => true"
            ),
        }
    }
}

#[derive(Debug)]
struct Bound {
    server: Server,
    features: Vec<String>,
    /// The public columns in the order of the features.
    public: Vec<BoundColumn>,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let mut inputs = inputs.into_iter();
        let missing = || OperatorError::Internal { operator: SPEC.name, problem: "no messages relation".to_owned() };
        let (mean, n) = self.mean(inputs.next().ok_or_else(missing)?, context)?;
        let (mut public, mut estimate) = (None, vec![0.0; self.features.len()]);
        match (self.server.protocol.mode, inputs.next()) {
            (Mode::Products, Some(given)) => public = Some(self.public_moments(given, context)?),
            (Mode::Gradient, Some(given)) => {
                estimate = read_estimate(SPEC.name, &self.roles, &self.features, given, context)?;
            }
            (Mode::Products, None) => {
                return Err(OperatorError::Missing {
                    operator: SPEC.name,
                    what: "relation `given` with public rows in mode 'nldp_public'".to_owned(),
                    usage: SPEC.usage(),
                });
            }
            _ => {}
        }
        let protocol = &self.server.protocol;
        let mut report = Report::from([
            ("n_messages", n.into()),
            ("epsilon", protocol.epsilon.value().into()),
            ("delta", protocol.delta.value().into()),
        ]);
        let found = self.server.coefficients(&mean, n, public, &estimate, &mut report)?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(&self.features)),
            Arc::new(Float64Array::from(found.values)),
            Arc::new(BooleanArray::from(found.selected)),
            Arc::new(Float64Array::from(found.privacy_se)),
        ];
        Ok(Output { batches: vec![RecordBatch::try_new(self.output_schema()?, columns)?], report })
    }
}

impl Bound {
    /// Returns the mean message and the number of messages. Messages are whole numbers of a step, so sums are exact and
    /// do not depend on the order (but for mode 'iht', by the last digits).
    fn mean(&self, mut messages: Relation, context: &RunContext) -> Result<(Vec<f64>, usize)> {
        let column = self.roles.required("message")?.index;
        let length = self.server.protocol.message_length();
        let (mut sums, mut n) = (vec![0.0; length], 0);
        while let Some(batch) = messages.next_batch(context)? {
            let item = Arc::new(Field::new("item", DataType::Float64, true));
            let lists = cast(batch.column(column), &DataType::List(item))?;
            let lists = lists.as_list::<i32>();
            let is_whole = lists.null_count() == 0
                && lists.offsets().windows(2).all(|pair| usize::try_from(pair[1] - pair[0]) == Ok(length));
            let first = usize::try_from(lists.offsets().first().copied().unwrap_or_default()).unwrap_or_default();
            let values = lists.values().slice(first, if is_whole { lists.len() * length } else { 0 });
            if !is_whole || values.null_count() > 0 {
                return Err(self.odd_message(length));
            }
            for message in values.as_primitive::<Float64Type>().values().chunks_exact(length) {
                sums.iter_mut().zip(message).for_each(|(sum, part)| *sum += part);
            }
            n += lists.len();
        }
        if n == 0 || sums.iter().any(|sum| !sum.is_finite()) {
            return Err(self.odd_message(length));
        }
        sums.iter_mut().for_each(|sum| *sum /= number(n));
        Ok((sums, n))
    }

    fn odd_message(&self, length: usize) -> OperatorError {
        OperatorError::Data {
            operator: SPEC.name,
            problem: format!(
                "there must be messages, each of {length} finite numbers for {} features in this mode; give the options that ldp_encode was given",
                self.features.len()
            ),
        }
    }

    /// Returns the second moments of the public rows.
    fn public_moments(&self, mut rows: Relation, context: &RunContext) -> Result<Matrix> {
        let d = self.features.len();
        let (mut sums, mut n) = (Matrix::zeros(d, d), 0_usize);
        while let Some(batch) = rows.next_batch(context)? {
            let columns = self.public.iter().map(|column| {
                Ok(cast(batch.column(column.index), &DataType::Float64)?.as_primitive::<Float64Type>().clone())
            });
            let columns: Vec<Float64Array> = columns.collect::<Result<_>>()?;
            for row in 0..batch.num_rows() {
                let x: Vec<f64> = columns.iter().filter(|c| c.is_valid(row)).map(|c| c.value(row)).collect();
                if x.len() < d || x.iter().any(|x| !x.is_finite()) {
                    continue;
                }
                n += 1;
                for (i, left) in x.iter().enumerate() {
                    for (j, right) in x.iter().enumerate() {
                        sums[(i, j)] += left * right;
                    }
                }
            }
        }
        if n <= d {
            return Err(OperatorError::Data {
                operator: SPEC.name,
                problem: format!(
                    "relation `given` has {n} public rows without NULL, and needs more than the {d} features"
                ),
            });
        }
        Ok(sums.scaled(1.0 / number(n)))
    }
}

/// Reads `features`.
fn features(literals: &Literals) -> Result<Vec<String>> {
    let refused = || OperatorError::Parameter {
        operator: SPEC.name,
        name: "features".to_owned(),
        range: "one array of different names".to_owned(),
        value: literals.get("features").map_or_else(|| "nothing".to_owned(), ToString::to_string),
    };
    let Some(Literal::List(values)) = literals.get("features") else { return Err(refused()) };
    let name = |value: &Literal| match value {
        Literal::Text(name) => Some(name.clone()),
        _ => None,
    };
    let names: Vec<String> = values.iter().map(name).collect::<Option<_>>().ok_or_else(refused)?;
    let repeats = names.iter().enumerate().any(|(position, name)| names[..position].contains(name));
    if repeats { Err(refused()) } else { Ok(names) }
}

/// Finds the public column of each feature.
fn public_columns(features: &[String], roles: &Roles) -> Result<Vec<BoundColumn>> {
    let columns = roles.columns("covariates");
    let find = |feature: &String| {
        let found = columns.iter().find(|column| column.name == *feature);
        found.map(|column| (*column).clone()).ok_or_else(|| OperatorError::Column {
            operator: SPEC.name,
            relation: "given",
            column: feature.clone(),
            option: "covariates",
            nearest: None,
            available: columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    };
    features.iter().map(find).collect()
}
