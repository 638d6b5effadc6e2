//! Uniform integers from random bytes, exactly.

use causeway_core::{Epsilon, NoiseSource, Result};

/// Bytes asked for at a time: one call of the system for some hundred draws.
const BUFFER: usize = 2048;

/// Random bytes of a noise source, read in blocks and forgotten once used.
pub struct RandomBits<'a> {
    source: &'a mut dyn NoiseSource,
    buffer: [u8; BUFFER],
    next: usize,
}

impl<'a> RandomBits<'a> {
    /// Makes random bits from a source: `RandomBits::new(context.noise())`. Nothing is read before the first draw.
    pub fn new(source: &'a mut dyn NoiseSource) -> Self {
        Self { source, buffer: [0; BUFFER], next: BUFFER }
    }

    /// Returns the next `N` bytes and erases them here.
    fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        if self.next + N > BUFFER {
            self.source.fill(&mut self.buffer)?;
            self.next = 0;
        }
        let mut bytes = [0; N];
        let used = &mut self.buffer[self.next..self.next + N];
        bytes.copy_from_slice(used);
        used.fill(0);
        self.next += N;
        Ok(bytes)
    }

    /// Returns a fair coin.
    pub(super) fn coin(&mut self) -> Result<bool> {
        Ok(self.take::<1>()?[0] & 1 == 1)
    }

    /// Returns true with probability `share`, to 2^-32. For choices that need no guarantee.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates at 0 and 2^32")]
    pub(crate) fn chance(&mut self, share: f64) -> Result<bool> {
        Ok(self.below(1 << 32)? < (share * 4_294_967_296.0) as u64)
    }

    /// Returns true with probability exp(ε) / (1 + exp(ε)), exactly: a coin is final if it shows heads, and tails are
    /// final with probability exp(-ε).
    pub(crate) fn logistic(&mut self, epsilon: Epsilon) -> Result<bool> {
        loop {
            if self.coin()? {
                return Ok(true);
            }
            if super::bernoulli::exp_minus(u128::from(epsilon.micro()), 1_000_000, self)? {
                return Ok(false);
            }
        }
    }

    /// Returns a uniform integer of 0 .. `bound`; `bound` must be positive.
    ///
    /// By multiplication (Lemire 2019): of the products of a uniform word and the bound, those whose low half falls
    /// into the incomplete last stretch are drawn again, so that every result has the same number of words.
    pub(super) fn below(&mut self, bound: u64) -> Result<u64> {
        match u32::try_from(bound) {
            Ok(small) => self.below_u32(small),
            Err(_) => self.below_u64(bound),
        }
    }

    fn below_u32(&mut self, bound: u32) -> Result<u64> {
        if bound <= 1 {
            return Ok(0);
        }
        loop {
            let product = u64::from(u32::from_le_bytes(self.take()?)) * u64::from(bound);
            let low = product & u64::from(u32::MAX);
            if low >= u64::from(bound) || low >= u64::from(bound.wrapping_neg() % bound) {
                return Ok(product >> 32);
            }
        }
    }

    fn below_u64(&mut self, bound: u64) -> Result<u64> {
        loop {
            let product = u128::from(u64::from_le_bytes(self.take()?)) * u128::from(bound);
            let low = low_half(product);
            if low >= bound || low >= bound.wrapping_neg() % bound {
                return Ok(low_half(product >> 64));
            }
        }
    }

    /// Returns a uniform integer of 0 .. `bound` for bounds that may exceed 64 bits; `bound` must be positive.
    pub(super) fn below_wide(&mut self, bound: u128) -> Result<u128> {
        if let Ok(bound) = u64::try_from(bound) {
            return self.below(bound).map(u128::from);
        }
        let surplus = (bound - 1).leading_zeros();
        loop {
            let drawn = u128::from_le_bytes(self.take()?) >> surplus;
            if drawn < bound {
                return Ok(drawn);
            }
        }
    }
}

impl std::fmt::Debug for RandomBits<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RandomBits([redacted])")
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low 64 bits are what is asked for")]
fn low_half(product: u128) -> u64 {
    product as u64
}
