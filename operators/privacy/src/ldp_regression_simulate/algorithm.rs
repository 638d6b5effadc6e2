//! Made-up senders, their messages, and the server's answer.

use std::ops::Range;

use causeway_core::{NoiseSource, Report, Result, RunContext};
use causeway_numerics::matrix::Matrix;
use causeway_numerics::normal_quantile;
use rayon::prelude::*;

use crate::ldp::calibration::number;
use crate::ldp::options::Mode;
use crate::ldp::server::Coefficients;
use crate::ldp_sparse_regression::Server;
use crate::noise::RandomBits;

/// Senders drawn from one stream of random numbers.
const BLOCK_ROWS: usize = 1000;
/// Rows of mode 'nldp_public' without outcome.
const PUBLIC_ROWS: usize = 5000;
/// Correlation of neighbouring covariates.
const CORRELATION: f64 = 0.3;
/// Standard deviation of the outcome about its mean.
const OUTCOME_SD: f64 = 0.25;

/// A simulated study.
#[derive(Debug)]
pub(super) struct Study {
    pub(super) server: Server,
    pub(super) n_rows: usize,
    pub(super) rounds: usize,
    pub(super) seed: u64,
    pub(super) truth: Vec<f64>,
}

/// Returns the coefficients 1/k, -1/k, … of the first k features.
pub(super) fn truth(d: usize, k: usize) -> Vec<f64> {
    let value = |feature: usize| if feature.is_multiple_of(2) { 1.0 / number(k) } else { -1.0 / number(k) };
    (0..d).map(|feature| if feature < k { value(feature) } else { 0.0 }).collect()
}

impl Study {
    /// Returns the answer to one message of every sender.
    pub(super) fn at_once(&self, context: &RunContext, report: &mut Report) -> Result<Coefficients> {
        let zeros = vec![0.0; self.truth.len()];
        let mean = self.mean(0..self.n_rows, &zeros, context)?;
        let is_public = self.server.protocol.mode == Mode::Products;
        let public = is_public.then(|| self.public_moments());
        self.server.coefficients(&mean, self.n_rows, public, &zeros, report)
    }

    /// Returns the answer after all rounds, each with senders of its own.
    pub(super) fn interactive(&self, context: &RunContext, report: &mut Report) -> Result<Coefficients> {
        let mut estimate = vec![0.0; self.truth.len()];
        let mut found = None;
        for round in 0..self.rounds {
            let senders = round * self.n_rows / self.rounds..(round + 1) * self.n_rows / self.rounds;
            if senders.is_empty() {
                continue;
            }
            let mean = self.mean(senders.clone(), &estimate, context)?;
            let next = self.server.coefficients(&mean, senders.len(), None, &estimate, report)?;
            estimate.clone_from(&next.values);
            found = Some(next);
            context.progress(number(round + 1) / number(self.rounds));
        }
        let zeros = vec![0.0; estimate.len()];
        Ok(found.unwrap_or(Coefficients {
            selected: vec![false; zeros.len()],
            privacy_se: zeros.clone(),
            values: zeros,
        }))
    }

    /// Returns the distance of coefficients from the truth.
    pub(super) fn l2_error(&self, values: &[f64]) -> f64 {
        values.iter().zip(&self.truth).map(|(value, truth)| (value - truth).powi(2)).sum::<f64>().sqrt()
    }

    /// Returns the share of the features that matter among the k largest coefficients.
    pub(super) fn support(&self, values: &[f64]) -> f64 {
        let mut order: Vec<usize> = (0..values.len()).collect();
        order.sort_by(|a, b| values[*b].abs().total_cmp(&values[*a].abs()));
        let k = self.server.k;
        number(order[..k].iter().filter(|feature| **feature < k).count()) / number(k)
    }

    /// Returns the mean message of some senders. Blocks are added in their order, whatever thread made them.
    fn mean(&self, senders: Range<usize>, estimate: &[f64], context: &RunContext) -> Result<Vec<f64>> {
        let cancel = context.cancel_flag();
        let blocks: Vec<Range<usize>> =
            senders.clone().step_by(BLOCK_ROWS).map(|first| first..(first + BLOCK_ROWS).min(senders.end)).collect();
        let sum_of_block = |block: Range<usize>| {
            cancel.check()?;
            self.sum_of_messages(block, estimate)
        };
        let sums: Vec<Vec<f64>> =
            context.pool().install(|| blocks.into_par_iter().map(sum_of_block).collect::<Result<_>>())?;
        let mut mean = vec![0.0; self.server.protocol.message_length()];
        for sum in sums {
            mean.iter_mut().zip(sum).for_each(|(mean, part)| *mean += part / number(senders.len()));
        }
        Ok(mean)
    }

    fn sum_of_messages(&self, senders: Range<usize>, estimate: &[f64]) -> Result<Vec<f64>> {
        let mut rows = Rows::new(self.seed, 2 * senders.start as u64);
        let mut noise = Stream::new(self.seed, 2 * senders.start as u64 + 1);
        let mut bits = RandomBits::new(&mut noise);
        let mut sum = vec![0.0; self.server.protocol.message_length()];
        let mut message = Vec::with_capacity(sum.len());
        for _ in senders {
            let x = rows.covariates(self.truth.len());
            let fitted: f64 = x.iter().zip(&self.truth).map(|(x, coefficient)| x * coefficient).sum();
            let y = fitted + OUTCOME_SD * rows.normal();
            message.clear();
            self.server.encoder.encode(&x, y, estimate, &mut bits, &mut message)?;
            sum.iter_mut().zip(&message).for_each(|(sum, part)| *sum += part);
        }
        Ok(sum)
    }

    fn public_moments(&self) -> Matrix {
        let d = self.truth.len();
        let mut rows = Rows::new(self.seed, u64::MAX);
        let x: Vec<f64> = (0..PUBLIC_ROWS).flat_map(|_| rows.covariates(d)).collect();
        let x = Matrix::from_rows(d, x);
        x.transposed_times(&x).scaled(1.0 / number(PUBLIC_ROWS))
    }
}

/// Words of SplitMix64 (Steele, Lea and Flood 2014), one stream for each number. Enough for made-up senders, whom nobody
/// has to protect; real ones draw from the noise source of the run.
struct Stream(u64);

impl Stream {
    fn new(seed: u64, number: u64) -> Self {
        Self(mix(mix(seed) ^ number))
    }

    fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }
}

/// The finaliser of SplitMix64.
fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

impl NoiseSource for Stream {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.word().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

/// Made-up rows.
struct Rows(Stream);

impl Rows {
    fn new(seed: u64, number: u64) -> Self {
        Self(Stream::new(seed, number))
    }

    fn covariates(&mut self, d: usize) -> Vec<f64> {
        let mut x = Vec::with_capacity(d);
        let fresh = (1.0 - CORRELATION * CORRELATION).sqrt();
        for feature in 0..d {
            let drawn = self.normal();
            x.push(if feature == 0 { drawn } else { CORRELATION * x[feature - 1] + fresh * drawn });
        }
        x
    }

    /// Returns a standard normal number.
    #[expect(clippy::cast_precision_loss, reason = "52 bits and a half fit a double")]
    fn normal(&mut self) -> f64 {
        normal_quantile(((self.0.word() >> 12) as f64 + 0.5) / 4_503_599_627_370_496.0)
    }
}
