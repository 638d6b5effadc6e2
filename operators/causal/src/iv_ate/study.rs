//! The rows of a call as numbers, with their columns' names.

use causeway_core::{BoundColumn, OperatorError, Relation, Result, Roles, RunContext};
use causeway_numerics::learn::LearnError;

use super::basis::Basis;
use super::fault::{Fault, Nuisance};
use super::sample::Sample;
use crate::iv::crossfit::in_words;
use crate::iv::folds::Folds;
use crate::iv::rows::{Missing, Rows, Wanted, read, refuse_shared};

/// Roles whose columns are read; the covariates of single models may be covariates of others too.
const OWN: [&str; 3] = ["outcome", "treatment", "instrument"];

/// The rows of a call.
#[derive(Debug)]
pub(crate) struct Study {
    pub(crate) operator: &'static str,
    pub(crate) sample: Sample,
    /// The names of outcome, treatment and instrument.
    names: [String; 3],
    /// The names of the covariates.
    pub(crate) covariates: Vec<String>,
    /// Keys and folds; its columns are moved into the sample.
    pub(crate) rows: Rows,
}

impl Study {
    /// Reads the relation; `extra` are roles whose columns are covariates as well.
    pub(crate) fn read(
        operator: &'static str,
        roles: &Roles,
        extra: &[&str],
        missing: Missing,
        inputs: Vec<Relation>,
        context: &RunContext,
    ) -> Result<Self> {
        refuse_shared(operator, roles, &[&OWN[..], &["covariates", "key", "folds"]].concat())?;
        for role in extra {
            refuse_shared(operator, roles, &[&OWN[..], &[*role, "key", "folds"]].concat())?;
        }
        let mut columns: Vec<&BoundColumn> = OWN.iter().filter_map(|role| roles.column(role)).collect();
        for role in std::iter::once(&"covariates").chain(extra) {
            for column in roles.columns(role) {
                if !columns.iter().any(|earlier| earlier.index == column.index) {
                    columns.push(column);
                }
            }
        }
        let relation = inputs
            .into_iter()
            .next()
            .ok_or_else(|| OperatorError::Internal { operator, problem: "no input relation".to_owned() })?;
        let (key, fold) = (roles.column("key"), roles.column("folds"));
        let mut rows = read(Wanted { operator, numbers: &columns, key, fold, missing }, relation, context)?;
        let mut names = columns.iter().map(|column| column.name.clone());
        let mut name = || names.next().unwrap_or_default();
        let own = [name(), name(), name()];
        let covariates: Vec<String> = names.collect();
        let mut values = std::mem::take(&mut rows.columns).into_iter();
        let outcome = values.next().unwrap_or_default();
        let [treatment, instrument] = [&own[1], &own[2]].map(|name| flags(operator, name, values.next()));
        let sample = Sample { outcome, treatment: treatment?, instrument: instrument?, covariates: values.collect() };
        Ok(Self { operator, sample, names: own, covariates, rows })
    }

    /// Returns the position of a column among the covariates.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.covariates.iter().position(|covariate| covariate == name)
    }

    /// Says in words, with the names of columns, why there is no estimate.
    ///
    /// `terms` are the models' terms, if they have any besides the covariates.
    pub(crate) fn explain(&self, fault: Fault, folds: Option<&Folds>, terms: Terms<'_>) -> OperatorError {
        let operator = self.operator;
        let [outcome, treatment, instrument] = &self.names;
        let problem = match fault {
            Fault::Operator(error) => return error,
            Fault::Shape => {
                return OperatorError::Internal { operator, problem: "columns of unlike length".to_owned() };
            }
            Fault::NoChoice => format!(
                "`{treatment}` has one value only in the rows with `{instrument}` = 0 and in those with `{instrument}` = 1; \
                 the method needs rows of both treatments in at least one arm"
            ),
            Fault::FewRows { n_rows, needed } => format!(
                "{n_rows} rows are too few for models with so many covariates, which take at least {needed}; name fewer covariates"
            ),
            Fault::EmptyArm { arm, fold } => format!(
                "no row with `{instrument}` = {} is left outside fold {}; name other folds",
                u8::from(arm),
                folds.map_or("", |folds| folds.name(fold))
            ),
            Fault::Weak { n_weak, n_rows } => format!(
                "the instrument `{instrument}` is too weak: in {n_weak} of {n_rows} rows it changes the variance of `{treatment}` \
                 given the covariates by less than `min_d`, as it does where nobody is moved or where the probabilities of the \
                 treatment in the two arms add up to 1; name other covariates or another instrument, or accept more such rows by `weak_share`"
            ),
            Fault::Dependent => format!(
                "the linear equations for `{outcome}` have no single solution; a covariate is collinear with others or with \
                 `{instrument}`, or constant among the treated: leave it out"
            ),
            Fault::NotFinite => {
                format!("the estimate is not a finite number; divide `{outcome}` and the covariates by constants")
            }
            Fault::Learn { nuisance, arm, fold, error } => {
                match self.learning(nuisance, arm, fold, error, folds, terms) {
                    Some(problem) => problem,
                    None => return OperatorError::Cancelled,
                }
            }
        };
        OperatorError::Data { operator, problem }
    }

    fn learning(
        &self,
        nuisance: Nuisance,
        arm: Option<bool>,
        fold: Option<usize>,
        error: LearnError,
        folds: Option<&Folds>,
        terms: Terms<'_>,
    ) -> Option<String> {
        let [outcome, treatment, instrument] = &self.names;
        let target = match nuisance {
            Nuisance::Instrument => instrument.clone(),
            Nuisance::Treatment => treatment.clone(),
            Nuisance::Outcome => outcome.clone(),
            Nuisance::Confounding => format!("covariance of {treatment} and {outcome}"),
        };
        let names = match (terms, nuisance) {
            (Some([basis, _]), Nuisance::Instrument) | (Some([_, basis]), Nuisance::Treatment) => self.terms(basis),
            _ => self.covariates.clone(),
        };
        let (problem, remedy) = in_words(error, &names, &target)?;
        let mut place = String::new();
        if let Some(fold) = fold {
            place.push_str(&format!(" outside fold {}", folds.map_or("", |folds| folds.name(fold))));
        }
        if let Some(arm) = arm {
            place.push_str(&format!(" with `{instrument}` = {}", u8::from(arm)));
        }
        Some(if place.is_empty() {
            format!("{problem}; {remedy}")
        } else {
            format!("{problem} in the rows{place}; {remedy}")
        })
    }

    fn terms(&self, basis: &Basis) -> Vec<String> {
        basis.names(&self.covariates, &self.names[2])
    }

    /// Makes an error about the data.
    pub(crate) fn refuse(&self, problem: String) -> OperatorError {
        OperatorError::Data { operator: self.operator, problem }
    }

    /// Returns the name of the treatment, then of the instrument.
    pub(crate) fn arms(&self) -> (&str, &str) {
        (&self.names[1], &self.names[2])
    }
}

/// The terms of the models of instrument and treatment.
pub(crate) type Terms<'a> = Option<[&'a Basis; 2]>;

/// Reads numbers that are 0 or 1 and not all the same.
fn flags(operator: &'static str, name: &str, values: Option<Vec<f64>>) -> Result<Vec<bool>> {
    let values = values.unwrap_or_default();
    let is = |value: f64, class: f64| (value - class).abs() <= 0.0;
    let n_ones = values.iter().filter(|value| is(**value, 1.0)).count();
    let n_other = values.iter().filter(|value| !is(**value, 1.0) && !is(**value, 0.0)).count();
    let refuse = |problem: String| Err(OperatorError::Data { operator, problem });
    if n_other > 0 {
        return refuse(format!("column `{name}` must be 0 or 1 (or boolean), it is neither in {n_other} rows"));
    }
    if values.is_empty() {
        return refuse(format!("there is no row to estimate from, so `{name}` has no arms"));
    }
    if n_ones == 0 || n_ones == values.len() {
        return refuse(format!("column `{name}` is constant; the method compares rows with 0 and with 1"));
    }
    Ok(values.into_iter().map(|value| value > 0.5).collect())
}
