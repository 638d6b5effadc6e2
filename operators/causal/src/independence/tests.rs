//! Level, power, invariance and edges of the tests.

use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;

use super::*;
use crate::random::standard_normal;

fn columns(n_rows: usize, seed: u64, row: impl Fn(&mut dyn FnMut() -> f64) -> [f64; 4]) -> [Vec<f64>; 4] {
    let mut random = ChaCha20Rng::seed_from_u64(seed);
    let mut columns: [Vec<f64>; 4] = Default::default();
    for _ in 0..n_rows {
        let values = row(&mut || standard_normal(&mut random));
        for (column, value) in columns.iter_mut().zip(values) {
            column.push(value);
        }
    }
    columns
}

/// Returns how often each test rejects at 5 % in a number of samples of x, y and two conditions.
fn rejections(n_samples: u32, row: impl Fn(&mut dyn FnMut() -> f64) -> [f64; 4] + Copy) -> (f64, f64) {
    let (mut by_gcm, mut by_rcit) = (0.0, 0.0);
    for sample in 0..n_samples {
        let [x, y, s, t] = columns(800, u64::from(sample), row);
        let rejected = |test: Independence| f64::from(u8::from(test.p_value < 0.05)) / f64::from(n_samples);
        by_gcm += rejected(gcm(&x, &y, &[&s, &t]).unwrap());
        by_rcit += rejected(rcit(&x, &y, &[&s, &t], RcitParams::default()).unwrap());
    }
    (by_gcm, by_rcit)
}

#[test]
fn the_level_holds_with_curved_effects_and_heavy_tails() {
    // x and y are curved functions of s and t with heavy tails: independent given (s, t)
    let (by_gcm, by_rcit) = rejections(200, |normal| {
        let (s, t) = (normal(), normal());
        let x = (s + 0.5 * t + normal()).exp();
        let y = (0.5 * s * s + t + normal()).powi(3);
        [x, y, s.exp(), t]
    });
    // three standard errors of a share of 5 % in 200
    assert!(by_gcm < 0.10, "gcm rejects {by_gcm}");
    assert!(by_rcit < 0.10, "rcit rejects {by_rcit}");
}

#[test]
fn power_is_there() {
    let (by_gcm, by_rcit) = rejections(40, |normal| {
        let (s, t) = (normal(), normal());
        let x = s + t + normal();
        [x, s - t + 0.4 * x + normal(), s, t]
    });
    assert!(by_gcm > 0.95, "gcm rejects {by_gcm}");
    assert!(by_rcit > 0.5, "rcit rejects {by_rcit}");
}

#[test]
fn rcit_sees_what_has_no_covariance() {
    let [x, noise, s, _] = columns(2000, 5, |normal| [normal(), normal(), normal(), 0.0]);
    let y: Vec<f64> = x.iter().zip(&noise).map(|(x, noise)| x * x + 0.5 * noise).collect();
    assert!(rcit(&x, &y, &[&s], RcitParams::default()).unwrap().p_value < 1e-6);
    assert!(gcm(&x, &y, &[&s]).unwrap().p_value > 1e-3);
}

#[test]
fn without_conditions_gcm_is_close_to_the_correlation_of_the_scores() {
    let [x, y, ..] = columns(500, 1, |normal| {
        let x = normal();
        [x, 0.2 * x + normal(), 0.0, 0.0]
    });
    let (scores_x, scores_y) = (scores::normal_scores(&x).unwrap(), scores::normal_scores(&y).unwrap());
    let product: f64 = scores_x.iter().zip(&scores_y).map(|(x, y)| x * y).sum();
    let squares = |scores: &[f64]| scores.iter().map(|score| score * score).sum::<f64>();
    let z = 500.0_f64.sqrt() * product / (squares(&scores_x) * squares(&scores_y)).sqrt();
    assert!((gcm(&x, &y, &[]).unwrap().statistic - z).abs() < 0.5);
}

#[test]
fn monotone_scales_change_nothing() {
    let [x, y, s, _] = columns(300, 2, |normal| [normal(), normal(), normal(), 0.0]);
    let grown: Vec<f64> = x.iter().map(|value| value.exp()).collect();
    let cubed: Vec<f64> = s.iter().map(|value| value.powi(3)).collect();
    assert_eq!(gcm(&x, &y, &[&s]), gcm(&grown, &y, &[&cubed]));
    let params = RcitParams::default();
    assert_eq!(rcit(&x, &y, &[&s], params), rcit(&grown, &y, &[&cubed], params));
    assert_ne!(rcit(&x, &y, &[&s], params), rcit(&x, &y, &[&s], RcitParams { seed: 1, ..params }));
}

#[test]
fn what_cannot_be_tested_gives_nothing() {
    let ramp: Vec<f64> = (0..50).map(f64::from).collect();
    let flat = vec![1.0; 50];
    let mut broken = ramp.clone();
    broken[3] = f64::NAN;
    for other in [&flat, &broken] {
        assert_eq!(gcm(&ramp, other, &[]), None);
        assert_eq!(gcm(&ramp, &ramp, &[other]), None);
        assert_eq!(rcit(other, &ramp, &[], RcitParams::default()), None);
    }
    assert_eq!(gcm(&ramp[..19], &ramp[..19], &[]), None);
    assert_eq!(gcm(&ramp, &ramp[1..], &[]), None);
    assert!(gcm(&ramp, &ramp, &[]).unwrap().p_value < 1e-3);
}

#[test]
fn scores_put_ties_at_their_middle() {
    assert_eq!(scores::normal_scores(&[2.0, 2.0]), None);
    let scores = scores::normal_scores(&[0.0, 5.0, 0.0, 9.0]).unwrap();
    assert_eq!(scores[0].to_bits(), scores[2].to_bits());
    assert!((scores[0] - causeway_numerics::normal_quantile(0.25)).abs() < 1e-15);
    assert!((scores[3] - causeway_numerics::normal_quantile(0.875)).abs() < 1e-15);
}
