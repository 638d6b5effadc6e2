//! Designs with an instrument that acts on the outcome itself, and rows of them.

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use crate::random::{open_uniform, standard_normal};

/// Rows drawn from one stream of random numbers.
pub(super) const BLOCK_ROWS: usize = 8192;

/// A linear predictor: weights of 1, x1, x2 and x3.
type Weights = [f64; 4];

/// How rows come about.
#[derive(Debug, Clone)]
pub(super) struct Design {
    /// Log odds of the instrument.
    pub(super) instrument: Weights,
    /// Log odds of the treatment without the instrument, and what the instrument adds.
    pub(super) treatment: Weights,
    pub(super) encouragement: f64,
    /// What the hidden confounder adds to the probability of the treatment, and to the outcome.
    pub(super) confounder_on_treatment: f64,
    pub(super) confounder_on_outcome: f64,
    /// The effect of the treatment: beta(X).
    pub(super) effect: Weights,
    /// The outcome without treatment and instrument, and what the instrument adds to it directly.
    pub(super) outcome: Weights,
    pub(super) direct: Weights,
    /// The standard deviation of the noise of the outcome.
    pub(super) noise: f64,
}

/// A moderate direct effect in the direction of the treatment's.
pub(super) const A: Design = Design {
    instrument: [0.3, 0.5, 0.0, -0.4],
    treatment: [-1.6, 0.3, 0.0, -0.2],
    encouragement: 1.5,
    confounder_on_treatment: 0.1,
    confounder_on_outcome: 4.0,
    effect: [2.0, 1.0, 0.0, 0.5],
    outcome: [1.0, 0.5, -0.3, 0.0],
    direct: [1.5, 0.0, 0.4, 0.0],
    noise: 1.0,
};

/// A strong direct effect and confounding against the direction of the treatment's effect.
pub(super) const B: Design = Design {
    instrument: [-0.2, 0.0, -0.6, 0.3],
    treatment: [-1.7, 0.0, -0.2, 0.1],
    encouragement: 1.6,
    confounder_on_treatment: 0.1,
    confounder_on_outcome: -5.0,
    effect: [-1.0, 0.0, 0.8, -0.6],
    outcome: [-0.5, 0.0, 0.0, 0.3],
    direct: [-2.0, 0.7, 0.0, 0.0],
    noise: 0.8,
};

/// No effect of the treatment.
pub(super) const C: Design = Design {
    instrument: [0.1, 0.4, 0.0, 0.0],
    treatment: [-1.6, 0.0, 0.2, 0.0],
    encouragement: 1.6,
    confounder_on_treatment: 0.12,
    confounder_on_outcome: 3.0,
    effect: [0.0; 4],
    outcome: [2.0, -0.5, 0.4, 0.0],
    direct: [1.0, 0.0, 0.0, 0.0],
    noise: 1.0,
};

/// Columns of rows.
#[derive(Debug, Default)]
pub(super) struct Rows {
    pub(super) outcome: Vec<f64>,
    pub(super) treatment: Vec<i64>,
    pub(super) instrument: Vec<i64>,
    pub(super) covariates: [Vec<f64>; 3],
    pub(super) confounder: Vec<f64>,
    pub(super) effect: Vec<f64>,
}

impl Design {
    /// Returns the average effect of the treatment: x1 and x2 have mean 0, x3 has 1/2.
    pub(super) fn ate(&self) -> f64 {
        self.effect[0] + 0.5 * self.effect[3]
    }

    /// Draws one block; its first rows do not depend on how many follow.
    pub(super) fn block(&self, seed: u64, block: u64, n_rows: usize) -> Rows {
        let mut random = ChaCha20Rng::seed_from_u64(seed);
        random.set_stream(block);
        let mut rows = Rows::default();
        for _ in 0..n_rows {
            self.draw(&mut random, &mut rows);
        }
        rows
    }

    fn draw(&self, random: &mut ChaCha20Rng, rows: &mut Rows) {
        let x1 = 2.0 * open_uniform(random) - 1.0;
        let x2 = 2.0 * open_uniform(random) - 1.0;
        let x3 = f64::from(u8::from(open_uniform(random) < 0.5));
        let u = 2.0 * open_uniform(random) - 1.0;
        let at = |weights: &Weights| weights[0] + weights[1] * x1 + weights[2] * x2 + weights[3] * x3;
        let z = u8::from(open_uniform(random) < expit(at(&self.instrument)));
        let encouraged = at(&self.treatment) + self.encouragement * f64::from(z);
        let a = u8::from(open_uniform(random) < expit(encouraged) + self.confounder_on_treatment * u);
        let effect = at(&self.effect);
        let known = at(&self.outcome) + f64::from(z) * at(&self.direct) + f64::from(a) * effect;
        rows.outcome.push(known + self.confounder_on_outcome * u + self.noise * standard_normal(random));
        rows.treatment.push(i64::from(a));
        rows.instrument.push(i64::from(z));
        for (column, value) in rows.covariates.iter_mut().zip([x1, x2, x3]) {
            column.push(value);
        }
        rows.confounder.push(u);
        rows.effect.push(effect);
    }
}

fn expit(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}
