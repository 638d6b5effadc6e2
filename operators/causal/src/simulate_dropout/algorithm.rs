//! Which values of a column are lost.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::params::{Dropout, Mechanism};

/// Decides for one column, row after row.
#[derive(Debug)]
pub(super) struct Dropper {
    rule: Rule,
    random: ChaCha20Rng,
}

/// The mechanism with what it needs of the column.
#[derive(Debug, Clone, Copy)]
enum Rule {
    Rate(f64),
    Logistic { a: f64, b: f64 },
    UpTo(f64),
}

impl Dropper {
    /// Fits the mechanism to the values of a column that are not null; the column's place is its stream of
    /// random numbers. `None` if the rate needs a mean >= 0 and the column has none.
    pub(super) fn new(params: &Dropout, place: u64, values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut random = ChaCha20Rng::seed_from_u64(params.seed);
        random.set_stream(place);
        let mut between = |low: f64, high: f64| low + (high - low) * random.random::<f64>();
        let rule = match params.mechanism {
            Mechanism::Fixed { low, high } => Rule::Rate(between(low, high)),
            Mechanism::Logistic { a, b } => Rule::Logistic { a, b },
            Mechanism::Truncate { low, high } => Rule::UpTo(quantile(values.collect(), between(low, high))),
            Mechanism::MichaelisMenten { half_saturation } => {
                let mean = mean(values);
                if mean < 0.0 {
                    return None;
                }
                Rule::Rate(half_saturation / (half_saturation + mean))
            }
        };
        Some(Self { rule, random })
    }

    /// Returns true if the next value is lost. Draws one number whatever the value.
    pub(super) fn drops(&mut self, value: f64) -> bool {
        let uniform: f64 = self.random.random();
        match self.rule {
            Rule::Rate(rate) => uniform < rate,
            Rule::Logistic { a, b } => uniform < 1.0 / (1.0 + (-(a + b * value)).exp()),
            Rule::UpTo(cut) => value <= cut,
        }
    }
}

/// Returns the quantile, straight between two values; -inf of none.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let Some(last) = values.len().checked_sub(1) else { return f64::NEG_INFINITY };
    let position = share * last as f64;
    let below = position as usize;
    let (low, high) = (values[below], values[(below + 1).min(last)]);
    low + (position - below as f64) * (high - low)
}

/// Returns the mean; 0 of none.
fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for value in values {
        sum += value;
        n += 1.0;
    }
    if n > 0.0 { sum / n } else { 0.0 }
}
