//! Exact counts of times: what every survival method needs of the rows, and nothing else.

use rayon::slice::ParallelSliceMut;

use crate::risk_table::Moment;

/// Whole times below this may be counted in an array; 65 536 days are 179 years.
const DENSE_LIMIT: usize = 1 << 16;

/// Below this many entries a parallel sort costs more than it saves.
const PARALLEL_SORT: usize = 1 << 15;

/// How many rows have each time, those without and those with an event apart.
///
/// Small whole times are counted in an array, so any number of rows fits in constant memory. Any
/// other time is kept as one 64-bit key: the bits of a non-negative double order as integers and
/// leave the sign bit free, so `bits << 1 | event` loses nothing and sorts by time.
/// Both parts are sums of integers, so neither the order of rows nor the number of threads matters.
#[derive(Debug, Default)]
pub(super) struct TimeCounts {
    dense: Vec<[u64; 2]>,
    sparse: Vec<u64>,
}

/// How many more array cells one worker may allocate, over all groups.
#[derive(Debug)]
pub(super) struct DenseBudget(pub(super) usize);

impl TimeCounts {
    /// Counts a row; `time` is finite and >= 0.
    #[inline]
    pub(super) fn add(&mut self, time: f64, event: bool, budget: &mut DenseBudget) {
        if let Some(whole) = small_whole(time) {
            if let Some(cell) = self.dense.get_mut(whole) {
                cell[usize::from(event)] += 1;
                return;
            }
            if self.widen(whole, budget) {
                self.dense[whole][usize::from(event)] += 1;
                return;
            }
        }
        self.sparse.push(key(time, event));
    }

    /// Returns the bytes allocated.
    pub(super) fn bytes(&self) -> usize {
        self.dense.capacity() * size_of::<[u64; 2]>() + self.sparse.capacity() * size_of::<u64>()
    }

    /// Adds the counts of another worker.
    pub(super) fn merge(&mut self, mut other: Self) {
        if other.dense.len() > self.dense.len() {
            std::mem::swap(&mut self.dense, &mut other.dense);
        }
        for (cell, added) in self.dense.iter_mut().zip(&other.dense) {
            cell[0] += added[0];
            cell[1] += added[1];
        }
        if self.sparse.is_empty() {
            self.sparse = other.sparse;
        } else {
            self.sparse.append(&mut other.sparse);
        }
    }

    /// Returns the counts in the order of time, each time once; nobody is at risk yet.
    pub(super) fn into_sorted(self) -> Vec<Moment> {
        let mut sparse = self.sparse;
        if sparse.len() > PARALLEL_SORT {
            sparse.par_sort_unstable()
        } else {
            sparse.sort_unstable()
        }
        let others = run_lengths(&sparse);
        let whole = self
            .dense
            .iter()
            .zip(0_u32..)
            .filter(|(cell, _)| cell[0] + cell[1] > 0)
            .map(|(cell, time)| Moment { time: f64::from(time), at_risk: 0, events: cell[1], censored: cell[0] });
        if others.is_empty() { whole.collect() } else { merge_sorted(whole, others) }
    }

    fn widen(&mut self, whole: usize, budget: &mut DenseBudget) -> bool {
        let wanted = (whole + 1).next_power_of_two().min(DENSE_LIMIT);
        let more = wanted - self.dense.len();
        if more > budget.0 {
            return false;
        }
        budget.0 -= more;
        self.dense.resize(wanted, [0, 0]);
        true
    }
}

/// Returns the time as an array index if it is a whole number below [`DENSE_LIMIT`].
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::float_cmp,
    reason = "the comparison accepts only times that the conversion kept exactly"
)]
fn small_whole(time: f64) -> Option<usize> {
    let whole = time as u32;
    (f64::from(whole) == time && (whole as usize) < DENSE_LIMIT).then_some(whole as usize)
}

fn key(time: f64, event: bool) -> u64 {
    (time + 0.0).to_bits() << 1 | u64::from(event) // + 0.0 turns -0.0 into 0.0
}

/// The room is for times that are all different, and the start: what is not filled costs no memory.
fn run_lengths(sorted: &[u64]) -> Vec<Moment> {
    let mut counts: Vec<Moment> = Vec::with_capacity(if sorted.is_empty() { 0 } else { sorted.len() + 1 });
    let mut last_bits = u64::MAX;
    for key in sorted {
        let bits = key >> 1;
        if bits != last_bits {
            counts.push(Moment { time: f64::from_bits(bits), at_risk: 0, events: 0, censored: 0 });
            last_bits = bits;
        }
        if let Some(last) = counts.last_mut() {
            last.events += key & 1;
            last.censored += 1 - (key & 1);
        }
    }
    counts
}

fn merge_sorted(left: impl Iterator<Item = Moment>, right: Vec<Moment>) -> Vec<Moment> {
    let mut left = left.peekable();
    if left.peek().is_none() {
        return right;
    }
    let mut all: Vec<Moment> = left.chain(right).collect();
    all.sort_by(|a, b| a.time.total_cmp(&b.time)); // two sorted runs: linear for a merge sort
    all.dedup_by(|later, earlier| {
        let same = later.time.total_cmp(&earlier.time).is_eq();
        if same {
            earlier.censored += later.censored;
            earlier.events += later.events;
        }
        same
    });
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(rows: &[(f64, bool)], budget: usize) -> Vec<Moment> {
        let mut counts = TimeCounts::default();
        let mut budget = DenseBudget(budget);
        for (time, event) in rows {
            counts.add(*time, *event, &mut budget);
        }
        counts.into_sorted()
    }

    #[test]
    fn arrays_and_keys_give_the_same_counts() {
        let rows = [(3.0, true), (-0.0, false), (2.5, true), (3.0, false), (0.0, true), (1e9, false), (2.5, true)];
        let expected = [(0.0, 1, 1), (2.5, 0, 2), (3.0, 1, 1), (1e9, 1, 0)].map(|(time, censored, events)| Moment {
            time,
            at_risk: 0,
            events,
            censored,
        });
        assert_eq!(count(&rows, 1 << 20), expected);
        assert_eq!(count(&rows, 0), expected);
        assert_eq!(count(&rows, 1), expected); // zero in the array, three among the keys
    }

    #[test]
    fn keys_keep_every_bit_of_the_time() {
        for time in [f64::MIN_POSITIVE, 5e-324, 0.1, 1.0 + f64::EPSILON, f64::MAX] {
            let counted = count(&[(time, true)], 0);
            assert_eq!(counted[0].time.to_bits(), time.to_bits());
        }
    }

    #[test]
    fn merging_adds() {
        let mut left = TimeCounts::default();
        let mut right = TimeCounts::default();
        left.add(1.0, true, &mut DenseBudget(8));
        right.add(1.0, false, &mut DenseBudget(0));
        right.add(7.0, false, &mut DenseBudget(8));
        left.merge(right);
        let counted: Vec<(f64, u64, u64)> = left.into_sorted().iter().map(|c| (c.time, c.censored, c.events)).collect();
        assert_eq!(counted, [(1.0, 1, 1), (7.0, 1, 0)]);
    }
}
