//! Measures the level and the power of the independence tests when zeros were dropped.
//!
//! usage: `study_ci_size [REPETITIONS]`
//!
//! Fork Z1 <- Z2 -> Z3 with unit slopes and noise, so that Z1 and Z3 are independent given Z2 and have
//! correlation 0.5; for power an edge Z1 -> Z3 of slope 0.15 is added. 'lognormal' is the exponential of the
//! standardised columns. Zeros come as in the evaluation of Dai et al. 2024: 'fixed' at a rate of U(0.4, 0.7) (lognormal
//! U(0.3, 0.6)) a column, 'logistic' with probability 1 / (1 + exp(0.5 + 1.5 z)) (lognormal 1 / (1 + exp(-0.5 +
//! 0.5 z))), 'truncate' below the quantile U(0.2, 0.5) (lognormal U(0.2, 0.4)). Rows are deleted where Z2 is 0
//! ('cond') or any of the three ('all'). Prints the share of repetitions with p < 0.05 as a Markdown table.
//! REPETITIONS (300) are for the level; a third of them for power.

use std::error::Error;
use std::ops::Range;

use causeway_causal::independence::{RcitParams, gcm, rcit};
use causeway_numerics::{normal_quantile, normal_sf};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

const LEVEL: f64 = 0.05;
const SLOPE: f64 = 0.15;

type Columns = [Vec<f64>; 3];

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn main() -> Result<(), Box<dyn Error>> {
    let repetitions: u32 = std::env::args().nth(1).map_or(Ok(300), |text| text.parse())?;
    println!("| latent | zeros | n | | oracle z | z cond | z all | gcm cond | gcm all | rcit cond | rcit all |");
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for lognormal in [false, true] {
        for mechanism in ["fixed", "logistic", "truncate"] {
            for n_rows in [500, 2_000, 10_000, 50_000] {
                for (what, slope, repetitions) in
                    [("size", 0.0, repetitions), ("power", SLOPE, repetitions.div_ceil(3))]
                {
                    let design = Design { lognormal, mechanism, n_rows, slope };
                    let shares = design.rejections(repetitions).map(|share| format!("{share:.3}"));
                    let latent = if lognormal { "lognormal" } else { "Gaussian" };
                    println!("| {latent} | {mechanism} | {n_rows} | {what} | {} |", shares.join(" | "));
                }
            }
        }
    }
    Ok(())
}

struct Design {
    lognormal: bool,
    mechanism: &'static str,
    n_rows: usize,
    slope: f64,
}

impl Design {
    /// Returns the share of repetitions in which each test rejects.
    fn rejections(&self, repetitions: u32) -> [f64; 7] {
        let mut shares = [0.0; 7];
        for repetition in 0..repetitions {
            let mut random = ChaCha20Rng::seed_from_u64(u64::from(repetition));
            let latent = self.latent(&mut random);
            let observed = self.drop(&latent, &mut random);
            let given = keep(&observed, |row| row[1] != 0.0);
            let all = keep(&observed, |row| row.iter().all(|value| *value != 0.0));
            let p_values = [
                fisher_z(&latent),
                fisher_z(&given),
                fisher_z(&all),
                by_gcm(&given),
                by_gcm(&all),
                by_rcit(&given),
                by_rcit(&all),
            ];
            for (share, p_value) in shares.iter_mut().zip(p_values) {
                if p_value < LEVEL {
                    *share += 1.0 / f64::from(repetitions);
                }
            }
        }
        shares
    }

    fn latent(&self, random: &mut ChaCha20Rng) -> Columns {
        let mut columns: Columns = Default::default();
        for _ in 0..self.n_rows {
            let second = normal(random);
            let first = second + normal(random);
            let third = second + self.slope * first + normal(random);
            for (column, value) in columns.iter_mut().zip([first, second, third]) {
                column.push(value);
            }
        }
        if self.lognormal {
            columns.map(|column| standardised(&column).iter().map(|z| z.exp()).collect())
        } else {
            columns
        }
    }

    fn drop(&self, latent: &Columns, random: &mut ChaCha20Rng) -> Columns {
        let choose = |gaussian: Range<f64>, lognormal: Range<f64>| if self.lognormal { lognormal } else { gaussian };
        latent.each_ref().map(|column| {
            let rate = match self.mechanism {
                "fixed" => random.random_range(choose(0.4..0.7, 0.3..0.6)),
                _ => random.random_range(choose(0.2..0.5, 0.2..0.4)),
            };
            let cut = quantile(column, rate);
            let (a, b) = if self.lognormal { (0.5, -0.5) } else { (-0.5, -1.5) };
            let is_dropped = |value: f64, uniform: f64| match self.mechanism {
                "fixed" => uniform < rate,
                "logistic" => uniform < 1.0 / (1.0 + (-(a + b * value)).exp()),
                _ => value <= cut,
            };
            column.iter().map(|value| if is_dropped(*value, random.random()) { 0.0 } else { *value }).collect()
        })
    }
}

fn by_gcm([x, s, y]: &Columns) -> f64 {
    gcm(x, y, &[s]).map_or(1.0, |test| test.p_value)
}

fn by_rcit([x, s, y]: &Columns) -> f64 {
    rcit(x, y, &[s], RcitParams::default()).map_or(1.0, |test| test.p_value)
}

/// Returns the p-value of the partial correlation of the first and last column given the middle one.
fn fisher_z(columns: &Columns) -> f64 {
    let n = float(columns[0].len());
    let scaled = columns.each_ref().map(|column| standardised(column));
    let correlation = |a: usize, b: usize| scaled[a].iter().zip(&scaled[b]).map(|(a, b)| a * b).sum::<f64>() / n;
    let (xs, ys, xy) = (correlation(0, 1), correlation(2, 1), correlation(0, 2));
    let partial = (xy - xs * ys) / ((1.0 - xs * xs) * (1.0 - ys * ys)).sqrt();
    2.0 * normal_sf((n - 4.0).sqrt() * partial.atanh().abs())
}

fn keep(columns: &Columns, is_kept: impl Fn([f64; 3]) -> bool) -> Columns {
    let mut kept: Columns = Default::default();
    for row in 0..columns[0].len() {
        let values = columns.each_ref().map(|column| column[row]);
        if is_kept(values) {
            for (column, value) in kept.iter_mut().zip(values) {
                column.push(value);
            }
        }
    }
    kept
}

fn standardised(column: &[f64]) -> Vec<f64> {
    let n = float(column.len());
    let mean = column.iter().sum::<f64>() / n;
    let deviation = (column.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt();
    column.iter().map(|value| (value - mean) / deviation).collect()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of the number of rows")]
fn quantile(column: &[f64], share: f64) -> f64 {
    let mut sorted = column.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted[(share * float(sorted.len() - 1)) as usize]
}

fn normal(random: &mut ChaCha20Rng) -> f64 {
    normal_quantile(1.0 - random.random::<f64>() * 0.999_999_999_999)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn float(count: usize) -> f64 {
    count as f64
}
