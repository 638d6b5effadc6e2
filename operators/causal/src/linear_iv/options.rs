//! The options that the operators have in common, checked.

use causeway_core::{Literals, OperatorError, Result, Roles};
use causeway_numerics::{normal_two_sided, t_quantile_two_sided, t_two_sided};

/// How the variance of the scores is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StandardErrors {
    /// Errors of equal variance.
    Classic,
    /// Robust to unequal variances.
    Hc0,
    /// Robust, times n / (n - k).
    Hc1,
    /// Robust to dependence within clusters.
    Cluster,
}

/// The distribution of a coefficient over its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Distribution {
    /// Infinite for the normal.
    pub(crate) degrees_of_freedom: f64,
}

/// Checked options.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) standard_errors: StandardErrors,
    pub(crate) small_sample: bool,
    normal: bool,
    pub(crate) confidence: f64,
    pub(crate) drop_missing: bool,
}

impl StandardErrors {
    /// Returns the word of the option.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Hc0 => "hc0",
            Self::Hc1 => "hc1",
            Self::Cluster => "cluster",
        }
    }
}

impl Options {
    /// Reads the options of a call.
    ///
    /// # Errors
    /// [`OperatorError::Missing`] for `se => 'cluster'` without `cluster`, [`OperatorError::Parameter`] for
    /// `cluster` with other standard errors.
    pub(crate) fn from_literals(operator: &'static str, literals: &Literals, roles: &Roles) -> Result<Self> {
        let is_named = literals.text("cluster").is_some();
        let standard_errors = match literals.text("se") {
            Some("classic") => StandardErrors::Classic,
            Some("hc0") => StandardErrors::Hc0,
            Some("hc1") => StandardErrors::Hc1,
            None if !is_named => StandardErrors::Hc1,
            _ => StandardErrors::Cluster,
        };
        if standard_errors == StandardErrors::Cluster && roles.column("cluster").is_none() {
            return Err(OperatorError::Missing {
                operator,
                what: "option `cluster` (a column name) with se => 'cluster'".to_owned(),
                usage: format!("{operator}((SELECT …), …, se => 'cluster', cluster => 'site')"),
            });
        }
        if standard_errors != StandardErrors::Cluster && is_named {
            return Err(OperatorError::Parameter {
                operator,
                name: "se".to_owned(),
                range: "'cluster' when `cluster` is given".to_owned(),
                value: format!("'{}'", standard_errors.name()),
            });
        }
        Ok(Self {
            standard_errors,
            small_sample: literals.boolean("small_sample"),
            normal: literals.text("distribution") == Some("normal"),
            confidence: literals.float("confidence").unwrap_or(0.95),
            drop_missing: literals.text("missing") == Some("drop"),
        })
    }

    /// Returns the distribution for some residual degrees of freedom and clusters.
    pub(crate) fn distribution(&self, residual: f64, n_clusters: Option<f64>) -> Distribution {
        let degrees_of_freedom = match n_clusters {
            _ if self.normal => f64::INFINITY,
            Some(n_clusters) => n_clusters - 1.0,
            None => residual,
        };
        Distribution { degrees_of_freedom }
    }
}

impl Distribution {
    /// Returns the two-sided p-value.
    pub(crate) fn p_value(self, statistic: f64) -> f64 {
        if self.degrees_of_freedom.is_infinite() {
            normal_two_sided(statistic)
        } else {
            t_two_sided(statistic, self.degrees_of_freedom)
        }
    }

    /// Returns the half width, in standard errors, of an interval.
    pub(crate) fn critical(self, confidence: f64) -> f64 {
        t_quantile_two_sided(1.0 - confidence, self.degrees_of_freedom)
    }
}
