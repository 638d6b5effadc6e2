//! Random numbers that are the same on every machine.

use super::to_float;

/// `SplitMix64` (Steele, Lea and Flood 2014): one multiplication chain a number, any seed.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    /// Starts one of many streams of a seed.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        Self(mix(seed.wrapping_add(mix(stream.wrapping_add(GOLDEN)))))
    }

    /// Returns 64 random bits.
    #[inline(always)]
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// Returns a whole number below a bound up to 2^32; the bias is below `bound` / 2^32.
    #[inline(always)]
    pub(super) fn below(&mut self, bound: u32) -> u32 {
        high_product(self.bits(), bound)
    }

    /// Returns two independent whole numbers below a bound up to 2^32, at the price of one.
    #[inline(always)]
    pub(super) fn two_below(&mut self, bound: u32) -> [u32; 2] {
        let bits = self.bits();
        [high_product(bits, bound), high_product(bits << 32, bound)]
    }
}

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Multiplies the upper 32 bits with a bound and returns the upper half of the product.
#[inline(always)]
fn high_product(bits: u64, bound: u32) -> u32 {
    (((bits >> 32) * u64::from(bound)) >> 32) as u32
}

#[inline(always)]
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Returns a sample with replacement as the number of times that each of `n` rows was drawn.
pub(super) fn bootstrap(n: u32, random: &mut Random, counts: &mut Vec<u8>) {
    counts.clear();
    counts.resize(n as usize, 0);
    for _ in 0..n / 2 {
        for row in random.two_below(n) {
            // 256 draws of one row have a chance below 1e-500
            counts[row as usize] = counts[row as usize].saturating_add(1);
        }
    }
    if n % 2 == 1 {
        let row = random.below(n) as usize;
        counts[row] = counts[row].saturating_add(1);
    }
    debug_assert!((counts.iter().map(|count| f64::from(*count)).sum::<f64>() - to_float(n as usize)).abs() < 0.5);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_a_bound_are_equally_likely() {
        let mut random = Random::new(1, 2);
        let mut counts = [0_u32; 10];
        for _ in 0..50_000 {
            let [first, second] = random.two_below(10);
            counts[first as usize] += 1;
            counts[second as usize] += 1;
        }
        // chi-square with 9 degrees of freedom: 27.9 is its 0.999 quantile
        let chi_square: f64 = counts.iter().map(|n| (f64::from(*n) - 10_000.0).powi(2) / 10_000.0).sum();
        assert!(chi_square < 27.9, "{chi_square}");
    }

    #[test]
    fn a_bootstrap_draws_as_many_rows_as_there_are_and_leaves_out_a_share_of_1_over_e() {
        let mut counts = Vec::new();
        bootstrap(10_001, &mut Random::new(3, 0), &mut counts);
        assert_eq!(counts.iter().map(|count| u32::from(*count)).sum::<u32>(), 10_001);
        let left_out = counts.iter().filter(|count| **count == 0).count() as f64 / 10_001.0;
        assert!((left_out - (-1.0_f64).exp()).abs() < 0.015, "{left_out}");
    }
}
