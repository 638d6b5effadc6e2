//! The lower bound from runs of a mechanism on two neighbouring tables.

use causeway_core::Result;
use causeway_numerics::f_quantile_upper;

/// How an attack is made.
#[derive(Debug, Clone, Copy)]
pub struct Attack {
    /// Runs on each of the two tables, a quarter of which choose the threshold.
    pub runs: usize,
    /// Probability with which the bound holds, in (0, 1).
    pub confidence: f64,
    /// δ that the mechanism is allowed, 0 for a pure one.
    pub delta: f64,
}

/// What an attack has shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LowerBound {
    /// The mechanism is not private for any smaller ε, with the confidence asked for; 0 if nothing is shown.
    pub epsilon: f64,
    /// The event is a result at or above (or below) this number.
    pub threshold: f64,
    /// True if the event is a result at or above the threshold.
    pub is_above: bool,
    /// True if the event is the likelier one with the person in the table.
    pub is_with_person: bool,
    /// Share of the runs with the event on the table that has it more often.
    pub likelier: f64,
    /// Share of the runs with the event on the other table.
    pub rarer: f64,
}

/// Attacks a mechanism: `mechanism(true)` runs it on the table with the person, `mechanism(false)` on the one without.
///
/// A quarter of the runs choose the event: results at or above, or below, one of their quantiles, more frequent with or
/// without the person. The other runs estimate its two probabilities; each gets a one-sided Clopper-Pearson limit for
/// half of the error, so ε ≥ ln((low - δ) / high) with the confidence asked for.
///
/// # Errors
/// Those of the mechanism.
pub fn lower_bound(attack: Attack, mut mechanism: impl FnMut(bool) -> Result<f64>) -> Result<LowerBound> {
    let n_pilot = attack.runs / 4;
    let mut sample = |with_person: bool, n: usize| (0..n).map(|_| mechanism(with_person)).collect::<Result<Vec<f64>>>();
    let pilot = Samples { with_person: sample(true, n_pilot)?, without: sample(false, n_pilot)? };
    let event = pilot.best_event(attack);
    let others = attack.runs - n_pilot;
    let samples = Samples { with_person: sample(true, others)?, without: sample(false, others)? };
    Ok(samples.bound(event, attack))
}

/// Results that count as the event.
#[derive(Debug, Clone, Copy)]
struct Event {
    threshold: f64,
    is_above: bool,
    is_with_person: bool,
}

impl Event {
    fn holds(self, result: f64) -> bool {
        (result >= self.threshold) == self.is_above
    }
}

struct Samples {
    with_person: Vec<f64>,
    without: Vec<f64>,
}

impl Samples {
    /// Returns the event of the largest bound on these samples.
    fn best_event(&self, attack: Attack) -> Event {
        const N_QUANTILES: usize = 60;
        let mut all: Vec<f64> = self.with_person.iter().chain(&self.without).copied().collect();
        all.sort_by(f64::total_cmp);
        let thresholds = (1..N_QUANTILES).filter_map(|part| all.get(part * all.len() / N_QUANTILES).copied());
        let mut best = Event { threshold: 0.0, is_above: true, is_with_person: true };
        let mut largest = f64::NEG_INFINITY;
        for threshold in thresholds {
            for (is_above, is_with_person) in [(true, true), (true, false), (false, true), (false, false)] {
                let event = Event { threshold, is_above, is_with_person };
                let epsilon = self.bound(event, attack).epsilon;
                if epsilon > largest {
                    (best, largest) = (event, epsilon);
                }
            }
        }
        best
    }

    fn bound(&self, event: Event, attack: Attack) -> LowerBound {
        let count = |results: &[f64]| results.iter().filter(|result| event.holds(**result)).count();
        let (with_person, without) = (count(&self.with_person), count(&self.without));
        let n = self.with_person.len();
        let (more, fewer) = if event.is_with_person { (with_person, without) } else { (without, with_person) };
        let miss = 0.5 * (1.0 - attack.confidence);
        let ratio = (lower_limit(more, n, miss) - attack.delta) / upper_limit(fewer, n, miss);
        LowerBound {
            epsilon: if ratio > 1.0 { ratio.ln() } else { 0.0 },
            threshold: event.threshold,
            is_above: event.is_above,
            is_with_person: event.is_with_person,
            likelier: number(more) / number(n.max(1)),
            rarer: number(fewer) / number(n.max(1)),
        }
    }
}

/// Returns the probability below which the true one lies with probability `miss` at most (Clopper and Pearson 1934),
/// after `k` events in `n` runs.
fn lower_limit(k: usize, n: usize, miss: f64) -> f64 {
    if k == 0 {
        return 0.0;
    }
    let (k, others) = (number(k), number(n - k + 1));
    k / (k + others * f_quantile_upper(miss, 2.0 * others, 2.0 * k))
}

/// Returns the probability above which the true one lies with probability `miss` at most.
fn upper_limit(k: usize, n: usize, miss: f64) -> f64 {
    if k >= n {
        return 1.0;
    }
    let (more, others) = (number(k + 1), number(n - k));
    let f = f_quantile_upper(miss, 2.0 * more, 2.0 * others);
    more * f / (others + more * f)
}

#[expect(clippy::cast_precision_loss, reason = "numbers of runs")]
fn number(n: usize) -> f64 {
    n as f64
}

#[cfg(test)]
mod tests {
    use super::{lower_limit, upper_limit};

    /// P(X >= k) of n tosses.
    fn tail(p: f64, k: usize, n: usize) -> f64 {
        let mut term = (1.0 - p).powi(i32::try_from(n).unwrap());
        let mut below = 0.0;
        for j in 0..k {
            below += term;
            term *= (n - j) as f64 / (j + 1) as f64 * p / (1.0 - p);
        }
        1.0 - below
    }

    #[test]
    fn limits_are_those_at_which_the_count_is_as_rare_as_said() {
        for (k, n) in [(1, 20), (7, 20), (19, 20), (150, 400)] {
            assert!((tail(lower_limit(k, n, 0.025), k, n) - 0.025).abs() < 1e-9, "{k} of {n}");
            assert!((1.0 - tail(upper_limit(k, n, 0.025), k + 1, n) - 0.025).abs() < 1e-9, "{k} of {n}");
        }
        assert!((upper_limit(0, 100, 0.05) - (1.0 - 0.05_f64.powf(0.01))).abs() < 1e-12);
        assert!((lower_limit(100, 100, 0.05) - 0.05_f64.powf(0.01)).abs() < 1e-12);
        assert!((upper_limit(5, 5, 0.05) - 1.0).abs() < f64::EPSILON && lower_limit(0, 5, 0.05).abs() < f64::EPSILON);
    }
}
