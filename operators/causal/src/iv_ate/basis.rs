//! The terms of a linear model in covariates and instrument.

use super::sample::number;

/// How the instrument enters the terms of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstrumentTerms {
    /// Not at all.
    Absent,
    /// As one more term.
    Added,
    /// As one more term and as a product with every covariate.
    Interacted,
}

/// The terms of a linear predictor: a constant, some covariates, the instrument.
///
/// ```
/// use causeway_causal::iv_ate::{Basis, InstrumentTerms};
///
/// let basis = Basis::of([1, 0], InstrumentTerms::Interacted);
/// assert_eq!(basis.terms(&[5.0, 7.0], true), [1.0, 7.0, 5.0, 1.0, 7.0, 5.0]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    /// True if there is a constant.
    pub constant: bool,
    /// The covariates, as positions within a row.
    pub covariates: Vec<usize>,
    /// How the instrument enters.
    pub instrument: InstrumentTerms,
}

impl Basis {
    /// Makes a basis with a constant.
    pub fn of(covariates: impl IntoIterator<Item = usize>, instrument: InstrumentTerms) -> Self {
        Self { constant: true, covariates: covariates.into_iter().collect(), instrument }
    }

    /// Returns the number of terms.
    pub fn n_terms(&self) -> usize {
        let own = usize::from(self.constant) + self.covariates.len();
        match self.instrument {
            InstrumentTerms::Absent => own,
            InstrumentTerms::Added => own + 1,
            InstrumentTerms::Interacted => own + 1 + self.covariates.len(),
        }
    }

    /// Returns the terms of a row: the constant, the covariates, the instrument, its products with the covariates.
    pub fn terms(&self, covariates: &[f64], instrument: bool) -> Vec<f64> {
        let mut terms = Vec::with_capacity(self.n_terms());
        self.fill(|covariate| covariates[covariate], number(instrument), &mut terms);
        terms
    }

    /// Writes the terms of a row whose covariates `covariate` returns.
    pub(super) fn fill(&self, covariate: impl Fn(usize) -> f64, z: f64, terms: &mut Vec<f64>) {
        terms.clear();
        if self.constant {
            terms.push(1.0);
        }
        terms.extend(self.covariates.iter().map(|index| covariate(*index)));
        if self.instrument != InstrumentTerms::Absent {
            terms.push(z);
        }
        if self.instrument == InstrumentTerms::Interacted {
            terms.extend(self.covariates.iter().map(|index| z * covariate(*index)));
        }
    }

    /// Returns the terms besides the constant as columns over some rows, with the instrument `z` of each row.
    pub(super) fn columns(&self, covariates: &[Vec<f64>], rows: &[usize], z: impl Fn(usize) -> f64) -> Vec<Vec<f64>> {
        let column = |index: &usize| rows.iter().map(|row| covariates[*index][*row]).collect::<Vec<f64>>();
        let mut columns: Vec<Vec<f64>> = self.covariates.iter().map(column).collect();
        if self.instrument != InstrumentTerms::Absent {
            columns.push(rows.iter().map(|row| z(*row)).collect());
        }
        if self.instrument == InstrumentTerms::Interacted {
            let product = |index: &usize| rows.iter().map(|row| z(*row) * covariates[*index][*row]).collect();
            columns.extend(self.covariates.iter().map(product));
        }
        columns
    }

    /// Returns the names of the terms besides the constant.
    pub(super) fn names(&self, covariates: &[String], instrument: &str) -> Vec<String> {
        let name = |index: &usize| covariates.get(*index).cloned().unwrap_or_default();
        let mut names: Vec<String> = self.covariates.iter().map(name).collect();
        if self.instrument != InstrumentTerms::Absent {
            names.push(instrument.to_owned());
        }
        if self.instrument == InstrumentTerms::Interacted {
            names.extend(self.covariates.iter().map(|index| format!("{instrument} x {}", name(index))));
        }
        names
    }
}
