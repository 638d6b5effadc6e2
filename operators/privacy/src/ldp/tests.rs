use causeway_core::{Literal, Literals, RunContext};
use causeway_numerics::matrix::Matrix;
use serde_json::Value;

use super::calibration::{analytic_gaussian, ball_radius, published_gaussian};
use super::encoder::{Deviations, Encoder};
use super::options::Protocol;
use super::server::{Moments, Solver, threshold_step};
use crate::noise::RandomBits;

fn golden() -> Value {
    let root = std::path::PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    serde_json::from_str(&std::fs::read_to_string(root.join("../../tests/data/ldp/golden_server.json")).unwrap())
        .unwrap()
}

fn doubles(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{found} {expected}");
    }
}

fn protocol(mode: &str, d: usize, epsilon: f64) -> Protocol {
    let mut literals = Literals::default();
    literals.insert("mode", Literal::Text(mode.to_owned()));
    literals.insert("epsilon", Literal::Float(epsilon));
    literals.insert("delta", Literal::Float(1e-5));
    literals.insert("clip_outcome", Literal::Float(2.0));
    Protocol::new("test", &literals, d).unwrap()
}

#[test]
fn calibrations_and_ball_radii_are_the_golden_ones() {
    let golden = golden();
    for (name, epsilon) in [("eps0.5", 0.5), ("eps1", 1.0), ("eps2", 2.0), ("eps4", 4.0)] {
        let expected = &golden["sigma_unit_sensitivity_delta1e-5"][name];
        close(&[analytic_gaussian(epsilon, 1e-5)], &[expected["analytic"].as_f64().unwrap()], 1e-9);
        close(&[published_gaussian(epsilon, 1e-5)], &[expected["classical"].as_f64().unwrap()], 1e-9);
        for d in [1, 2, 5, 10, 20, 50] {
            let key = format!("d{d}_{name}");
            let expected = golden["ball_radius_per_unit_norm"][&key].as_f64().unwrap();
            close(&[ball_radius(d, epsilon)], &[expected], 1e-9);
        }
    }
}

#[test]
fn solvers_give_the_golden_coefficients() {
    let golden = &golden()["solver"];
    let rows: Vec<f64> = golden["S"].as_array().unwrap().iter().flat_map(doubles).collect();
    let noise = Deviations { diagonal: 0.0, beside: 0.0, products: 0.0 };
    let moments = Moments { second: Matrix::from_rows(6, rows), products: doubles(&golden["b"]), noise };
    let solve = |solver| moments.solve(solver, 1.0).unwrap();
    close(&solve(Solver::TopRefit { k: 3 }).values, &doubles(&golden["topk_refit_k3"]), 1e-10);
    let soft = moments.solve(Solver::Soft { threshold: 0.05 }, 100.0).unwrap();
    close(&soft.values, &doubles(&golden["soft_lambda_0.05"]), 1e-10);
    let ols = moments.solve(Solver::Soft { threshold: 0.0 }, 100.0).unwrap();
    close(&ols.values, &doubles(&golden["ols"]), 1e-10);
    close(&moments.solve(Solver::Lasso { penalty: 0.0 }, 100.0).unwrap().values, &doubles(&golden["ols"]), 1e-9);
    assert_eq!(
        moments.solve(Solver::Lasso { penalty: 0.1 }, 100.0).unwrap().selected.iter().filter(|s| **s).count(),
        3
    );
    assert!(moments.noise_to_eigenvalue() <= 0.0);
}

#[test]
fn a_threshold_step_by_hand() {
    let moved = threshold_step(&[0.5, 0.0, 0.0], &[1.0, -2.0, 0.1], 0.5, 2, 10.0);
    close(&moved, &[0.0, 1.0, -0.05], 1e-15);
    close(&threshold_step(&[0.0; 3], &[-4.0, 4.0, 1.0], 1.0, 2, 1.0), &[0.5, -0.5, 0.0], 1e-15);
}

#[test]
fn messages_have_the_moments_of_their_sender_and_the_noise_that_is_said() {
    let encoder = Encoder::new("test", protocol("nldp", 2, 8.0)).unwrap();
    let mut context = RunContext::for_test(1).unwrap();
    let mut bits = RandomBits::new(context.noise());
    let (n, mut messages) = (100_000, Vec::new());
    for _ in 0..n {
        encoder.encode(&[0.5, -1.0], 0.75, &[], &mut bits, &mut messages).unwrap();
    }
    let sd = encoder.deviations();
    let expected = [0.25, -0.5, 1.0, 0.375, -0.75];
    for (part, (expected, sd)) in
        expected.into_iter().zip([sd.diagonal, sd.beside, sd.diagonal, sd.products, sd.products]).enumerate()
    {
        let values = messages.iter().skip(part).step_by(5);
        let (sum, squares) = values.fold((0.0, 0.0), |(sum, squares), v| (sum + v, squares + (v - expected).powi(2)));
        assert!((sum / f64::from(n) - expected).abs() < 4.5 * sd / f64::from(n).sqrt() + 2e-3, "{part}");
        assert!(((squares / f64::from(n)).sqrt() / sd - 1.0).abs() < 0.02, "{part}");
    }
    // radius 1.15 sqrt(2), so r² = 2.645; the analytic multiplier of one joint message, diagonal sensitivity 2 r²
    assert!((sd.diagonal / (2.0 * 2.645 * analytic_gaussian(8.0, 1e-5)) - 1.0).abs() < 1e-3);
}

#[test]
fn long_rows_are_shortened_and_missing_values_are_zero() {
    let encoder = Encoder::new("test", protocol("nldp_public", 3, 40.0)).unwrap();
    let mut context = RunContext::for_test(1).unwrap();
    let mut bits = RandomBits::new(context.noise());
    let mut mean = |x: &[f64], y: f64| {
        let mut messages = Vec::new();
        (0..4000).for_each(|_| encoder.encode(x, y, &[], &mut bits, &mut messages).unwrap());
        (0..3).map(|part| messages.iter().skip(part).step_by(3).sum::<f64>() / 4000.0).collect::<Vec<f64>>()
    };
    let radius = 1.15 * 3.0_f64.sqrt();
    close(&mean(&[1e9, 0.0, 0.0], 50.0), &[2.0 * radius, 0.0, 0.0], 0.2);
    close(&mean(&[f64::NAN, f64::INFINITY, 0.0], 1.0), &[0.0, radius, 0.0], 0.2);
    close(&mean(&[1.0, 1.0, 1.0], f64::NAN), &[0.0; 3], 0.2);
}

#[test]
fn gradients_are_unbiased_and_of_one_length() {
    let encoder = Encoder::new("test", protocol("iht", 4, 2.0)).unwrap();
    let mut context = RunContext::for_test(1).unwrap();
    let mut bits = RandomBits::new(context.noise());
    let (x, y, estimate) = ([0.5, -1.0, 0.0, 0.25], 0.75, [0.2, 0.0, 0.1, 0.0]);
    let n = 400_000;
    let (mut sums, mut message) = ([0.0; 4], Vec::new());
    for _ in 0..n {
        message.clear();
        encoder.encode(&x, y, &estimate, &mut bits, &mut message).unwrap();
        sums.iter_mut().zip(&message).for_each(|(sum, part)| *sum += part);
    }
    let length = message.iter().map(|part| part * part).sum::<f64>().sqrt();
    assert!((length - encoder.ball()).abs() < 1e-9);
    let residual = 0.1 - 0.75;
    let standard_error = encoder.ball() / 2.0 / f64::from(n).sqrt(); // of a coordinate: B / sqrt(d)
    for (sum, x) in sums.iter().zip(x) {
        assert!((sum / f64::from(n) - x * residual).abs() < 4.5 * standard_error + 2e-3, "{sums:?}");
    }
}

#[test]
fn two_senders_of_gradients_cannot_be_told_apart_beyond_epsilon() {
    use crate::audit::{Attack, lower_bound};
    let mut context = RunContext::for_test(1).unwrap();
    let mut bits = RandomBits::new(context.noise());
    let encoder = Encoder::new("test", protocol("iht", 2, 1.0)).unwrap();
    let mut message = Vec::new();
    let attack = Attack { runs: 40_000, confidence: 0.9999, delta: 0.0 };
    // opposite gradients of full length: which side of the plane between them is the message on?
    let found = lower_bound(attack, |is_one| {
        message.clear();
        let x = if is_one { [9.0, 0.0] } else { [-9.0, 0.0] };
        encoder.encode(&x, 2.0, &[0.0, 0.0], &mut bits, &mut message)?;
        Ok(message[0])
    });
    let found = found.unwrap();
    assert!(found.epsilon <= 1.0 && found.epsilon > 0.85, "{found:?}");
}

#[test]
fn senders_of_moments_stay_within_epsilon_and_delta() {
    use crate::audit::{Attack, lower_bound};
    let mut context = RunContext::for_test(1).unwrap();
    let mut bits = RandomBits::new(context.noise());
    let encoder = Encoder::new("test", protocol("nldp", 2, 1.0)).unwrap();
    let sd = encoder.deviations();
    let radius = 1.15 * 2.0_f64.sqrt();
    let (of_square, of_product) = (radius.powi(2) / sd.diagonal.powi(2), 2.0 * radius / sd.products.powi(2));
    let mut m = Vec::new();
    let attack = Attack { runs: 40_000, confidence: 0.9999, delta: 1e-5 };
    // orthogonal covariates and opposite outcomes, and the ratio of the densities of their messages
    let found = lower_bound(attack, |is_one| {
        m.clear();
        let (x, y) = if is_one { ([9.0, 0.0], 2.0) } else { ([0.0, 9.0], -2.0) };
        encoder.encode(&x, y, &[], &mut bits, &mut m)?;
        Ok(of_square * (m[0] - m[2]) + of_product * (m[3] + m[4]))
    });
    let found = found.unwrap();
    assert!(found.epsilon <= 1.0 && found.epsilon > 0.15, "{found:?}");
}
