//! Learners by the words of the options.

use causeway_core::{Literals, OperatorError, Result};
use causeway_numerics::learn::{Boosting, ColumnShare, ElasticNet, Forest, Learner, Linear, Logit, Loss};

/// What is learned: a mean, or the probability of 1.
pub(crate) type Target = Loss;

/// Settings of the learners.
#[derive(Debug, Clone)]
pub(crate) struct Learners {
    /// The word of the option `learner`.
    family: String,
    forest: Forest,
    boosting: Boosting,
    penalty: Option<f64>,
    l1_ratio: f64,
}

impl Learners {
    /// Reads the options of the learners.
    pub(crate) fn from_literals(operator: &'static str, literals: &Literals) -> Result<Self> {
        let unchecked =
            |name: &str| OperatorError::Internal { operator, problem: format!("option `{name}` is unchecked") };
        let float = |name: &'static str| literals.float(name).ok_or_else(|| unchecked(name));
        let count = |name: &'static str| literals.integer(name).and_then(|value| u32::try_from(value).ok());
        let min_leaf = literals.integer("min_leaf").ok_or_else(|| unchecked("min_leaf"))?;
        let min_leaf = usize::try_from(min_leaf).unwrap_or(usize::MAX / 2).min(usize::MAX / 2);
        let (forest, boosting) = (Forest::default(), Boosting::new(Loss::Squared));
        Ok(Self {
            family: literals.text("learner").ok_or_else(|| unchecked("learner"))?.to_owned(),
            forest: Forest {
                n_trees: count("trees").unwrap_or(forest.n_trees),
                depth: count("depth").unwrap_or(forest.depth),
                min_leaf,
                columns: match literals.text("tried") {
                    Some("third") => ColumnShare::Third,
                    Some("all") => ColumnShare::All,
                    _ => ColumnShare::Root,
                },
            },
            boosting: Boosting {
                n_rounds: count("trees").unwrap_or(boosting.n_rounds),
                depth: count("depth").unwrap_or(boosting.depth),
                learning_rate: float("learning_rate")?,
                min_leaf,
                ..boosting
            },
            penalty: literals.float("penalty"),
            l1_ratio: float("l1_ratio")?,
        })
    }

    /// Returns the learner of a target: the one named, or that of the option `learner`.
    pub(crate) fn make(&self, named: Option<&str>, target: Target) -> Box<dyn Learner> {
        let net = |l1_ratio| ElasticNet { loss: target, l1_ratio, penalty: self.penalty };
        match (named.unwrap_or(&self.family), target) {
            ("lasso", _) => Box::new(net(1.0)),
            ("elastic_net", _) => Box::new(net(self.l1_ratio)),
            ("forest", _) => Box::new(self.forest),
            ("boosting", _) => Box::new(Boosting { loss: target, ..self.boosting }),
            ("logit", _) => Box::new(Logit),
            ("linear", Loss::Logistic) if named.is_none() => Box::new(Logit),
            _ => Box::new(Linear),
        }
    }
}
