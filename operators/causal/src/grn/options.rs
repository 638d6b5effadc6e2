//! The options that the operators on gene expression have in common, checked.

use causeway_core::{Literals, OperatorError, Result, Spec};
use causeway_numerics::ln_normal_two_sided;

use crate::ci::{Deletion, Finding, MinRows};
use crate::expression::Transform;
use crate::ges::Greed;
use crate::levelled::Measure;
use crate::orientation::Orientation;
use crate::pc::{Rules, Untestable};

/// Checked options.
#[derive(Debug, Clone)]
pub(crate) struct SearchOptions {
    pub(crate) method: Method,
    pub(crate) deletion: Deletion,
    pub(crate) test: TestKind,
    pub(crate) min_rows: MinRows,
    pub(crate) rules: Rules,
    pub(crate) transform: Transform,
    pub(crate) allow_negative: bool,
    pub(crate) orientation: Orientation,
}

/// How the network is searched.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Method {
    /// The PC algorithm.
    Pc,
    /// Greedy equivalence search.
    Greedy(Greed),
}

impl Method {
    /// Returns the word that the option takes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pc => "pc",
            Self::Greedy(_) => "ges",
        }
    }

    fn from_literals(spec: &'static Spec, literals: &Literals) -> Result<Self> {
        let (penalty, budget) = (literals.float("penalty"), literals.integer("budget"));
        if literals.text("method") == Some("ges") {
            for (name, word) in [("orientation", "max_p"), ("pairs", "all")] {
                if literals.text(name) == Some(word) {
                    return Err(refused(spec, name, "left out with method => 'ges'", format!("'{word}'")));
                }
            }
            let budget = budget.and_then(|budget| usize::try_from(budget).ok()).unwrap_or(usize::MAX);
            return Ok(Self::Greedy(Greed { penalty: penalty.unwrap_or(1.0), budget }));
        }
        for (name, value) in
            [("penalty", penalty.map(|value| value.to_string())), ("budget", budget.map(|value| value.to_string()))]
        {
            if let Some(value) = value {
                return Err(refused(spec, name, "left out unless method => 'ges'", value));
            }
        }
        Ok(Self::Pc)
    }
}

/// Which test of conditional independence is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TestKind {
    /// Fisher's z of the partial correlation.
    FisherZ,
    /// A test that keeps its level where regressions are curved.
    Levelled(Measure),
}

impl TestKind {
    /// Returns the word that the option takes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::FisherZ => "fisher_z",
            Self::Levelled(Measure::Gcm) => "gcm",
            Self::Levelled(Measure::Rcit { .. }) => "rcit",
        }
    }

    /// Returns the natural logarithm of a p-value: of a normal statistic without underflow.
    pub(crate) fn log_p_value(self, finding: &Finding) -> f64 {
        match self {
            Self::FisherZ | Self::Levelled(Measure::Gcm) => ln_normal_two_sided(finding.statistic),
            Self::Levelled(Measure::Rcit { .. }) => finding.p_value.max(f64::MIN_POSITIVE).ln(),
        }
    }

    fn from_literals(spec: &'static Spec, literals: &Literals) -> Result<Self> {
        let is_greedy = literals.text("method") == Some("ges");
        let word = literals.text("test").unwrap_or(if is_greedy { "fisher_z" } else { "gcm" });
        if is_greedy && word != "fisher_z" {
            let range = "'fisher_z' with method => 'ges', whose gain is a function of a partial correlation";
            return Err(refused(spec, "test", range, format!("'{word}'")));
        }
        let seed = literals.integer("seed").and_then(|seed| u64::try_from(seed).ok()).unwrap_or(0);
        Ok(match word {
            "fisher_z" => Self::FisherZ,
            "rcit" => Self::Levelled(Measure::Rcit { seed }),
            _ => Self::Levelled(Measure::Gcm),
        })
    }
}

impl SearchOptions {
    /// Reads the options of a call; those that the operator lacks take their defaults.
    pub(crate) fn from_literals(spec: &'static Spec, literals: &Literals) -> Result<Self> {
        let word = |name: &'static str| literals.text(name).unwrap_or_default();
        let options = Self {
            method: Method::from_literals(spec, literals)?,
            deletion: match word("deletion") {
                "cond" => Deletion::Conditioned,
                "none" => Deletion::None,
                _ => Deletion::All,
            },
            test: TestKind::from_literals(spec, literals)?,
            min_rows: match literals.integer("min_rows") {
                Some(n_rows) => MinRows::Fixed(usize::try_from(n_rows).unwrap_or(usize::MAX)),
                None => MinRows::Default,
            },
            rules: Rules {
                alpha: literals.float("alpha").ok_or_else(|| unchecked(spec, "alpha"))?,
                max_level: whole(spec, literals, "max_level")?,
                untestable: match word("untestable") {
                    "independent" => Untestable::Independent,
                    _ => Untestable::Inconclusive,
                },
            },
            transform: if word("transform") == "log1p" { Transform::Log1p } else { Transform::None },
            allow_negative: word("negative") == "allow",
            orientation: if word("orientation") == "max_p" { Orientation::MaxP } else { Orientation::Sepset },
        };
        if options.allow_negative && options.transform == Transform::Log1p {
            let range = "'refuse' with transform => 'log1p', which has no value for them";
            return Err(refused(spec, "negative", range, "'allow'".to_owned()));
        }
        Ok(options)
    }
}

/// Returns an integer option that has a default and is not negative.
pub(crate) fn whole(spec: &'static Spec, literals: &Literals, name: &'static str) -> Result<usize> {
    let value = literals.integer(name).and_then(|value| usize::try_from(value).ok());
    value.ok_or_else(|| unchecked(spec, name))
}

fn refused(spec: &'static Spec, name: &str, range: &str, value: String) -> OperatorError {
    OperatorError::Parameter { operator: spec.name, name: name.to_owned(), range: range.to_owned(), value }
}

fn unchecked(spec: &'static Spec, name: &str) -> OperatorError {
    OperatorError::Internal { operator: spec.name, problem: format!("option `{name}` was not checked") }
}
