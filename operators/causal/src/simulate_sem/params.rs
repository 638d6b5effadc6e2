//! The options of `simulate_sem`.

use causeway_core::{Literals, OperatorError, Result};

/// How pairs get an edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GraphKind {
    ErdosRenyi,
    ScaleFree,
}

/// The form of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noise {
    Gaussian,
    Uniform,
    Exponential,
    Laplace,
}

/// Checked options.
#[derive(Debug, Clone)]
pub(crate) struct Sem {
    pub(crate) n_variables: usize,
    pub(super) n_rows: usize,
    pub(super) graph: GraphKind,
    pub(super) degree: f64,
    pub(super) weights: (f64, f64),
    pub(super) means: (f64, f64),
    pub(super) deviations: (f64, f64),
    pub(super) noise: Noise,
    pub(super) lognormal: bool,
    pub(super) seed: u64,
}

impl Sem {
    pub(crate) fn from_literals(operator: &'static str, literals: &Literals) -> Result<Self> {
        let read = Reader { operator, literals };
        Ok(Self {
            n_variables: read.count("n_variables")?,
            n_rows: read.count("n_rows")?,
            graph: match literals.text("graph") {
                Some("erdos_renyi") => GraphKind::ErdosRenyi,
                Some("scale_free") => GraphKind::ScaleFree,
                _ => return Err(read.unchecked("graph")),
            },
            degree: read.float("degree")?,
            weights: read.range("weight_low", "weight_high")?,
            means: read.range("mean_low", "mean_high")?,
            deviations: read.range("noise_low", "noise_high")?,
            noise: match literals.text("noise") {
                Some("gaussian") => Noise::Gaussian,
                Some("uniform") => Noise::Uniform,
                Some("exponential") => Noise::Exponential,
                Some("laplace") => Noise::Laplace,
                _ => return Err(read.unchecked("noise")),
            },
            lognormal: literals.text("form") == Some("lognormal"),
            seed: read.count("seed")? as u64,
        })
    }
}

struct Reader<'a> {
    operator: &'static str,
    literals: &'a Literals,
}

impl Reader<'_> {
    fn unchecked(&self, name: &str) -> OperatorError {
        OperatorError::Internal { operator: self.operator, problem: format!("option `{name}` is unchecked") }
    }

    fn count(&self, name: &str) -> Result<usize> {
        let value = self.literals.integer(name).and_then(|value| usize::try_from(value).ok());
        value.ok_or_else(|| self.unchecked(name))
    }

    fn float(&self, name: &str) -> Result<f64> {
        self.literals.float(name).ok_or_else(|| self.unchecked(name))
    }

    fn range(&self, low: &str, high: &str) -> Result<(f64, f64)> {
        let (from, to) = (self.float(low)?, self.float(high)?);
        if from > to {
            return Err(OperatorError::Parameter {
                operator: self.operator,
                name: low.to_owned(),
                range: format!("at most `{high}`, {to}"),
                value: from.to_string(),
            });
        }
        Ok((from, to))
    }
}
