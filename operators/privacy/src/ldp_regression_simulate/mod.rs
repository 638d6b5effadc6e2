//! Both sides of locally private regression on made-up senders: how many are needed?
//!
//! ```text
//! x ~ N(0, Sigma), Sigma_ij = 0.3^|i - j|;  theta = (1, -1, 1, …) / k on the first k features
//! y = x'theta + e, e ~ N(0, 0.25^2)  --ldp_encode--> messages --ldp_sparse_regression--> coefficients beside the truth
//! ```
//!
//! # Input
//! None: it reads no table and spends nothing.
//!
//! # Output
//! One row for each feature x1, x2, …: `feature`, `truth`, `coefficient`, `selected`, `privacy_se`.
//!
//! # Parameters
//! `n_rows` 100000 senders, `d` 10 features, `rounds` 6, `seed` 0, and those of [`crate::ldp_sparse_regression`].
//!
//! # Shapes
//! d rows; cost that of encoding n_rows messages, in parallel.
//!
//! # Errors
//! As [`crate::ldp_sparse_regression`].
//!
//! # Guarantees
//! The same options give the same rows for any number of threads. Medians of the error over 20 seeds lie between the 10 %
//! and 90 % quantiles of an independent simulation (`tests/data/ldp/golden_ldp.csv`).
//!
//! # Source
//! Design of the reference simulation; methods as [`crate::ldp_encode`] and [`crate::ldp_sparse_regression`].
//!
//! # Example
//! ```
//! use causeway_core::{Literal, Literals, RunContext, call};
//! use causeway_privacy::ldp_regression_simulate;
//!
//! let mut options = Literals::default();
//! options.insert("epsilon", Literal::Float(4.0));
//! options.insert("mode", Literal::Text("iht".into()));
//! options.insert("n_rows", Literal::Integer(5000));
//! let found = call(&ldp_regression_simulate::Factory, options, vec![], &mut RunContext::for_test(2)?)?;
//! assert_eq!(found.batches[0].num_rows(), 10);
//! assert!(found.report["l2_error"].as_f64() < Some(1.2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use causeway_core::{
    ColumnSpec, Literals, Operator, OperatorFactory, Output, OutputType, Parameter, ParameterKind, PrivacyClaim,
    Relation, Report, Result, Roles, RunContext, Spec,
};

use self::algorithm::{Study, truth};
use crate::aggregate::roles::unchecked;
use crate::ldp::options::{self, Mode, Protocol};
use crate::ldp_sparse_regression::{ALLOW_NOISE, K, L1_RADIUS, PENALTY, SOLVER, STEP, Server};

/// Makes the operator `ldp_regression_simulate`.
#[derive(Debug)]
pub struct Factory;

static SPEC: Spec = Spec {
    name: "ldp_regression_simulate",
    family: "privacy",
    version: 1,
    summary: "Locally private regression on made-up senders with known coefficients, for planning.",
    details: "
Draws `n_rows` senders with `d` correlated standard normal covariates (correlation 0.3^|i - j|) and an outcome that depends on
the first k of them with coefficients 1/k, -1/k, … and has noise of standard deviation 0.25; encodes each as `ldp_encode`
does, and solves as `ldp_sparse_regression` does. Mode 'iht' splits the senders into `rounds` parts of which each answers
once; mode 'nldp_public' draws 5000 public rows besides.

The report holds `l2_error`, the distance of the coefficients from the truth (answering 0 has 1 / sqrt(k)), and `support`, the
share of the k features that are among the k largest coefficients. No one's data are read: everything, the noise too,
comes from `seed`, so this is no private mechanism and is not meant to be one.",
    inputs: &[],
    parameters: &[
        integer("n_rows", 1, 100_000_000, "100000", "senders", "number of senders"),
        integer("d", 1, 200, "10", "features", "number of covariates"),
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
        integer("rounds", 1, 1000, "6", "rounds", "parts into which mode 'iht' splits the senders"),
        ALLOW_NOISE,
        integer("seed", 0, i64::MAX, "0", "", "draws the senders and their noise"),
    ],
    output: &[
        column("feature", OutputType::Utf8, "name of the covariate"),
        column("truth", OutputType::Float64, "its true coefficient"),
        column("coefficient", OutputType::Float64, "its estimated coefficient"),
        column("selected", OutputType::Boolean, "true if the estimate is not 0"),
        column("privacy_se", OutputType::Float64, "error that the noise of the messages makes"),
    ],
    indirect: &[],
    privacy: PrivacyClaim::Exact,
    source: "Zhu, Ding, Aggarwal, Xu and Wang 2023; own design",
    example: "SELECT * FROM ldp_regression_simulate(n_rows => 100000, d => 10, epsilon => 2, mode => 'iht')",
};

const fn integer(
    name: &'static str,
    min: i64,
    max: i64,
    default: &'static str,
    unit: &'static str,
    meaning: &'static str,
) -> Parameter {
    Parameter { name, kind: ParameterKind::Integer { min, max }, default: Some(default), unit, meaning }
}

const fn column(name: &'static str, kind: OutputType, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind, nullable: false, unit: "", meaning, from: &[] }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        let size = |name: &'static str| {
            let size = literals.integer(name).and_then(|size| usize::try_from(size).ok());
            size.ok_or_else(|| unchecked(SPEC.name, name))
        };
        let protocol = Protocol::new(SPEC.name, literals, size("d")?)?;
        let server = Server::new(SPEC.name, protocol, literals)?;
        let seed = literals.integer("seed").and_then(|seed| u64::try_from(seed).ok());
        let seed = seed.ok_or_else(|| unchecked(SPEC.name, "seed"))?;
        let truth = truth(protocol.d, server.k);
        let study = Study { server, n_rows: size("n_rows")?, rounds: size("rounds")?, seed, truth };
        Ok(Box::new(Bound { study, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    study: Study,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, _inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let study = &self.study;
        let mut report = Report::from([("n_rows", study.n_rows.into()), ("seed", study.seed.into())]);
        let found = match study.server.protocol.mode {
            Mode::Gradient => study.interactive(context, &mut report)?,
            _ => study.at_once(context, &mut report)?,
        };
        report.insert("l2_error", study.l2_error(&found.values).into());
        report.insert("support", study.support(&found.values).into());
        context.progress(1.0);
        let names = (1..=study.truth.len()).map(|feature| Some(format!("x{feature}")));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(names.collect::<StringArray>()),
            Arc::new(Float64Array::from(study.truth.clone())),
            Arc::new(Float64Array::from(found.values)),
            Arc::new(BooleanArray::from(found.selected)),
            Arc::new(Float64Array::from(found.privacy_se)),
        ];
        Ok(Output { batches: vec![RecordBatch::try_new(self.output_schema()?, columns)?], report })
    }
}
