//! Which column stands where, and names for messages.

use std::ops::Range;

use causeway_core::{BoundColumn, OperatorError, Result, Roles};

/// The order of the columns of a regression: constant, X, Z, D, Y.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// False where absorbed effects hold it.
    pub(crate) constant: bool,
    n_covariates: usize,
    n_instruments: usize,
    n_treatments: usize,
    /// Names without the constant.
    names: Vec<String>,
}

/// The columns a call reads.
#[derive(Debug, Clone)]
pub(crate) struct Design {
    pub(crate) layout: Layout,
    /// X, Z, D, Y.
    pub(crate) numbers: Vec<BoundColumn>,
    /// Absorbed columns, then the clusters if they are used.
    pub(crate) categories: Vec<BoundColumn>,
    pub(crate) n_absorbed: usize,
    pub(crate) clustered: bool,
}

/// The roles of columns that enter the regression, in the order of the layout.
const NUMBERS: [&str; 4] = ["covariates", "instruments", "treatment", "outcome"];

impl Design {
    /// Finds the columns of a call.
    ///
    /// # Errors
    /// [`OperatorError::Parameter`] for a column in two roles or twice in one, and for fewer instruments than
    /// treatments.
    pub(crate) fn new(operator: &'static str, roles: &Roles, clustered: bool) -> Result<Self> {
        let mut numbers: Vec<BoundColumn> = Vec::new();
        for role in NUMBERS {
            for column in roles.columns(role) {
                if let Some(earlier) = numbers.iter().find(|earlier| earlier.index == column.index) {
                    return Err(twice(operator, earlier, column));
                }
                numbers.push(column.clone());
            }
        }
        let count = |role: &str| roles.columns(role).len();
        let layout = Layout {
            constant: count("absorb") == 0,
            n_covariates: count("covariates"),
            n_instruments: count("instruments"),
            n_treatments: count("treatment"),
            names: numbers.iter().map(|column| column.name.clone()).collect(),
        };
        if layout.n_instruments < layout.n_treatments {
            return Err(OperatorError::Parameter {
                operator,
                name: "instruments".to_owned(),
                range: format!("at least as many columns as `treatment` has ({})", layout.n_treatments),
                value: layout.n_instruments.to_string(),
            });
        }
        let mut categories: Vec<BoundColumn> = roles.columns("absorb").into_iter().cloned().collect();
        let n_absorbed = categories.len();
        for (position, column) in categories.iter().enumerate() {
            if let Some(earlier) = categories[..position].iter().find(|earlier| earlier.index == column.index) {
                return Err(twice(operator, earlier, column));
            }
        }
        categories.extend(roles.column("cluster").filter(|_| clustered).cloned());
        Ok(Self { layout, numbers, categories, n_absorbed, clustered })
    }
}

fn twice(operator: &'static str, earlier: &BoundColumn, column: &BoundColumn) -> OperatorError {
    let range = "columns that play no other role and stand once".to_owned();
    let value = format!("column `{}`, which plays `{}` already", column.name, earlier.role);
    OperatorError::Parameter { operator, name: column.role.to_owned(), range, value }
}

impl Layout {
    fn n_constant(&self) -> usize {
        usize::from(self.constant)
    }

    /// Returns the number of columns with the constant.
    pub(crate) fn n_columns(&self) -> usize {
        self.outcome() + 1
    }

    /// Returns the constant and the covariates, X.
    pub(crate) fn exogenous(&self) -> Range<usize> {
        0..self.n_constant() + self.n_covariates
    }

    /// Returns the excluded instruments, Z.
    pub(crate) fn instruments(&self) -> Range<usize> {
        let start = self.exogenous().end;
        start..start + self.n_instruments
    }

    /// Returns X and Z, W.
    pub(crate) fn all_instruments(&self) -> Range<usize> {
        0..self.instruments().end
    }

    /// Returns the treatments, D.
    pub(crate) fn treatments(&self) -> Range<usize> {
        let start = self.instruments().end;
        start..start + self.n_treatments
    }

    /// Returns the outcome, Y.
    pub(crate) fn outcome(&self) -> usize {
        self.treatments().end
    }

    /// Returns the regressors, Q = [X D].
    pub(crate) fn regressors(&self) -> Vec<usize> {
        self.exogenous().chain(self.treatments()).collect()
    }

    /// Returns the number of coefficients.
    pub(crate) fn n_coefficients(&self) -> usize {
        self.exogenous().len() + self.n_treatments
    }

    /// Returns a column's name.
    pub(crate) fn name(&self, column: usize) -> &str {
        match column.checked_sub(self.n_constant()) {
            Some(index) => self.names.get(index).map_or("", String::as_str),
            None => "const",
        }
    }

    /// Returns what a column is, in a word.
    pub(crate) fn role(&self, column: usize) -> &'static str {
        if column < self.n_constant() {
            "constant"
        } else if column < self.exogenous().end {
            "covariate"
        } else if column < self.instruments().end {
            "instrument"
        } else if column < self.outcome() {
            "treatment"
        } else {
            "outcome"
        }
    }
}
