//! How much noise a message needs.

use causeway_numerics::normal_cdf;

/// Returns σ / Δ of the Gaussian mechanism that is (ε, δ) private and no more: the root of
/// Φ(1 / (2 σ) - ε σ) - exp(ε) Φ(-1 / (2 σ) - ε σ) = δ (Balle and Wang 2018, theorem 8), from above.
pub(crate) fn analytic_gaussian(epsilon: f64, delta: f64) -> f64 {
    let loss = |sigma: f64| {
        let (half, shift) = (0.5 / sigma, epsilon * sigma);
        normal_cdf(half - shift) - epsilon.exp() * normal_cdf(-half - shift)
    };
    let (mut low, mut high) = (1e-6_f64, 1e9_f64);
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        if loss(middle) > delta {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

/// Returns σ / Δ = sqrt(2 ln(1.25 / δ)) / ε of the published calibration, and the analytic one where that is larger (the
/// published formula is proven for ε below 1 only).
pub(crate) fn published_gaussian(epsilon: f64, delta: f64) -> f64 {
    let classical = (2.0 * (1.25 / delta).ln()).sqrt() / epsilon;
    classical.max(analytic_gaussian(epsilon, delta))
}

/// Returns B / r: the length of the messages that stand for vectors of length up to r in d dimensions,
/// (e^ε + 1) / (e^ε - 1) · sqrt(π) d Γ((d + 1) / 2) / (2 Γ(d / 2 + 1)).
pub(crate) fn ball_radius(d: usize, epsilon: f64) -> f64 {
    // Γ((d + 1) / 2) / Γ(d / 2 + 1) is 2 / sqrt(π) for d = 1, sqrt(π) / 2 for d = 2, and (d - 1) / d that of d - 2
    let root_pi = std::f64::consts::PI.sqrt();
    let (first, mut ratio) = if d % 2 == 1 { (1, 2.0 / root_pi) } else { (2, root_pi / 2.0) };
    for dimension in (first + 2..=d).step_by(2) {
        ratio *= number(dimension - 1) / number(dimension);
    }
    root_pi * number(d) * 0.5 * ratio / (0.5 * epsilon).tanh()
}

#[expect(clippy::cast_precision_loss, reason = "numbers of features and rows are far below 2^53")]
pub(crate) fn number(n: usize) -> f64 {
    n as f64
}
