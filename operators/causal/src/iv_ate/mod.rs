//! Average effect of a treatment with an instrument that may act on the outcome itself.
//!
//! From rows of outcome Y, treatment A in {0, 1}, instrument Z in {0, 1} and covariates X estimates
//!
//! ```text
//! psi = E[beta(X)],   beta(X) = (C_1(X) - C_0(X)) / (V_1(X) - V_0(X))
//! C_z(X) = Cov(A, Y | Z=z, X),   V_z(X) = Var(A | Z=z, X)
//! ```
//!
//! which is the average effect of A on Y if confounding is stable: Cov(A, Y - beta(X) A | Z=z, X) is the same for z = 0
//! and 1. The instrument may change Y in any way besides.
//!
//! # Input
//! `outcome` any number; `treatment` and `instrument` 0 or 1; `covariates` numbers; `key` names the row; `folds` may name a
//! column. Nulls, NaN and infinities are refused with their number or dropped.
//!
//! # Output
//! Rows `ate`, `plug_in`, one for each effect modifier, `two_stage_least_squares`, `exclusion_contrast`, and numbers that
//! tell how far the estimate can be trusted; estimates in units of the outcome.
//!
//! # Parameters
//! `estimator` `'mr'`, `'dml'` or `'selective'`; `min_d` 0.01 and `weak_share` 0.05 (guards); `confidence` 0.95; covariates of
//! single models; folds, learners and their settings as in `iv_late`.
//!
//! # Shapes
//! n rows of k covariates to some twenty rows. 'mr': O(n k^2), memory O(n k). 'dml': nine fits for each fold and
//! repetition, more with trees. 'selective': c candidates take c (1 + 4 + 2 c^2) fits for each fold and repetition.
//!
//! # Errors
//! `Data` for a constant treatment or instrument, an instrument without relevance, perfect separation, collinear or constant
//! covariates, too few rows, folds without an arm, each with the column's name; `Memory`, `Cancelled`.
//!
//! # Guarantees
//! Multiply robust: consistent if pi and p are right, or if beta is and of each pair (pi, rho) and (p, h) at least one.
//! Estimates of six sub-models and both standard errors equal plain numpy code to 1e-8, the cross-fitted estimate to
//! 1e-6, the choice among 16 tuples exactly; on 1000 simulated sets of three designs 95 % intervals cover in 94.5 to 96.2 %
//! (`tests/bench/results/study_iv.md`). The same result for any number of threads.
//!
//! # Source
//! The setting is that of Sun, Cui and Tchetgen Tchetgen, JMLR 23 (2022). Identification, influence function and
//! estimating equations are derived here from stable confounding and may be arranged otherwise there. Selection after
//! Cui and Tchetgen Tchetgen, Biometrika 111 (2024), carried over from two nuisances to four.
//!
//! # Example
//! ```
//! use arrow::array::AsArray;
//! use arrow::datatypes::Float64Type;
//! use causeway_causal::{iv_ate, simulate_iv};
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//!
//! let mut design = Literals::default(); // the mean effect is 2.25, the instrument invalid
//! design.insert("n_rows", Literal::Integer(20_000));
//! let rows = call(&simulate_iv::Factory, design, vec![], &mut RunContext::for_test(1)?)?.batches;
//! let input = Relation::from_batches(rows[0].schema(), rows);
//! let found = call(&iv_ate::Factory, Literals::default(), vec![input], &mut RunContext::for_test(1)?)?;
//! let of = |column: &str| found.batches[0][column].as_primitive::<Float64Type>().value(0);
//! assert_eq!(found.batches[0]["term"].as_string::<i32>().value(0), "ate");
//! assert!(of("conf_low") < 2.25 && 2.25 < of("conf_high"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod basis;
mod constant;
mod contrast;
mod debiased;
mod estimate;
mod fault;
mod output;
mod parametric;
pub(crate) mod params;
#[cfg(test)]
pub(crate) mod reference;
mod sample;
mod spec;
mod study;
#[cfg(test)]
mod tests;

use causeway_core::{
    ColumnType, Literals, Operator, OperatorError, OperatorFactory, Output, Relation, Report, Result, Roles,
    RunContext, Spec,
};
use serde_json::json;

pub use self::basis::{Basis, InstrumentTerms};
pub(crate) use self::debiased::{Selection, Tuple};
pub(crate) use self::estimate::{Combined, Divisions};
use self::estimate::{Effect, debiased, parametric};
pub use self::fault::{Fault, Found, Nuisance};
pub use self::parametric::{Estimate, Guard, Models, multiply_robust};
pub(crate) use self::params::Fitting;
use self::params::{COVARIATE_ROLES, Estimator, IvAte};
pub use self::sample::Sample;
use self::spec::SPEC;
pub(crate) use self::study::Study;

/// Makes the operator `iv_ate`.
#[derive(Debug)]
pub struct Factory;

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        for column in COVARIATE_ROLES.iter().flat_map(|role| roles.columns(role)) {
            if !column.data_type.is_numeric() {
                return Err(OperatorError::ColumnType {
                    operator: SPEC.name,
                    column: column.name.clone(),
                    role: column.role,
                    allowed: ColumnType::Number.describe(),
                    found: column.data_type.to_string(),
                });
            }
        }
        Ok(Box::new(Bound { params: IvAte::from_literals(SPEC.name, literals, &roles)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: IvAte,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let params = &self.params;
        let study = Study::read(SPEC.name, &self.roles, &COVARIATE_ROLES, params.fitting.missing, inputs, context)?;
        let mut report = Report::from([
            ("estimator", params.estimator.name().into()),
            ("n_used", study.sample.len().into()),
            ("n_dropped", study.rows.n_dropped.into()),
            ("covariates", json!(study.covariates)),
        ]);
        let effect = self.estimate(&study, &mut report, context)?;
        context.progress(1.0);
        let lines = output::lines(&study, params, &effect, &report);
        output::describe(&effect, &params.fitting.guard, &mut report);
        let batch = output::table(&lines, params.confidence, study.sample.len(), self.output_schema()?)?;
        Ok(Output { batches: vec![batch], report })
    }
}

impl Bound {
    fn estimate(&self, study: &Study, report: &mut Report, context: &RunContext) -> Result<Effect> {
        let params = &self.params;
        if params.estimator == Estimator::MultiplyRobust {
            return parametric(study, params, context);
        }
        let divisions = Divisions::fit(study, &params.fitting, params.library(), context)?;
        report.insert("seed", divisions.seed.into());
        let tuples = divisions.library.tuples();
        let mut chosen = 0;
        if params.estimator == Estimator::Selective {
            let selection = divisions.select(&tuples, context)?;
            let names = |tuple: &Tuple| divisions.library.names(tuple).join("|");
            let risks = tuples.iter().map(names).zip(&selection.risks);
            report.insert("pseudo_risks", risks.map(|(names, risk)| json!([names, risk])).collect());
            chosen = selection.chosen;
        }
        let tuple = tuples.get(chosen).copied().unwrap_or_default();
        report.insert("learners", divisions.library.names(&tuple).join("|").into());
        debiased(&divisions, &tuple, context)
    }
}
