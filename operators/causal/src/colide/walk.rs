//! Adam steps (Kingma and Ba 2015), weight by weight.

use causeway_numerics::dense::vectorised;
use causeway_numerics::single::MAX_VECTORS;
use pulp::{Arch, Simd, WithSimd};

pub(super) const BETA_1: f64 = 0.99;
pub(super) const BETA_2: f64 = 0.999;
const EPSILON: f64 = 1e-8;

/// The constants of one step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct AdamStep {
    /// The learning rate over 1 - beta_1^t.
    pub(super) rate: f64,
    /// 1 over the root of 1 - beta_2^t.
    deviation: f64,
}

impl AdamStep {
    /// Returns the constants of step `number`, counted from 1.
    pub(super) fn new(number: u32, learning_rate: f64) -> Self {
        let power = i32::try_from(number).unwrap_or(i32::MAX);
        Self { rate: learning_rate / (1.0 - BETA_1.powi(power)), deviation: 1.0 / (1.0 - BETA_2.powi(power)).sqrt() }
    }

    /// Returns how far a weight with these moments moves down.
    #[inline(always)]
    pub(super) fn of(&self, first_moment: f64, second_moment: f64) -> f64 {
        self.rate * first_moment / (second_moment.sqrt() * self.deviation + EPSILON)
    }
}

/// One step of all weights along a gradient that was computed in full. Matrices are row-major.
pub(super) struct FullStep<'a> {
    pub(super) step: AdamStep,
    /// mu lambda.
    pub(super) penalty: f64,
    /// -mu / sigma of each column.
    pub(super) factors: &'a [f64],
    /// C A.
    pub(super) product: &'a [f64],
    /// The transpose of (s I - W o W)^-1.
    pub(super) inverse: &'a [f64],
    pub(super) weights: &'a mut [f64],
    pub(super) first_moment: &'a mut [f64],
    pub(super) second_moment: &'a mut [f64],
}

impl FullStep<'_> {
    pub(super) fn take(self) {
        vectorised(|| self.take_rows());
    }

    #[inline(always)]
    fn take_rows(self) {
        let order = self.factors.len();
        for row in 0..order {
            let range = row * order..(row + 1) * order;
            let (product, inverse) = (&self.product[range.clone()], &self.inverse[range.clone()]);
            let weights = &mut self.weights[range.clone()];
            let first = &mut self.first_moment[range.clone()];
            let second = &mut self.second_moment[range];
            for column in 0..order {
                let weight = weights[column];
                let gradient = self.factors[column] * product[column]
                    + self.penalty * sign(weight)
                    + 2.0 * weight * inverse[column];
                first[column] = BETA_1 * first[column] + (1.0 - BETA_1) * gradient;
                second[column] = BETA_2 * second[column] + (1.0 - BETA_2) * gradient * gradient;
                weights[column] = weight - self.step.of(first[column], second[column]);
            }
        }
    }
}

/// Returns -1, 0 or 1; the sign of 0 is 0.
#[inline(always)]
fn sign(value: f64) -> f64 {
    let above = if value > 0.0 { 1.0 } else { 0.0 };
    let below = if value < 0.0 { 1.0 } else { 0.0 };
    above - below
}

/// One step of a panel of weights in single precision; see [`super::glide`].
pub(super) struct PanelStep<'a> {
    pub(super) step: AdamStep,
    pub(super) penalty: f64,
    /// Steps since the inverse was computed.
    pub(super) age: f64,
    /// -mu / sigma of each column.
    pub(super) factors: &'a [f32],
    pub(super) product: &'a [f32],
    pub(super) inverse: &'a [f32],
    pub(super) inverse_trend: &'a [f32],
    pub(super) start: &'a [f32],
    pub(super) moved: &'a mut [f32],
    pub(super) first_moment: &'a mut [f32],
    pub(super) second_moment: &'a mut [f32],
}

impl PanelStep<'_> {
    pub(super) fn take(self) {
        Arch::new().dispatch(self);
    }
}

impl WithSimd for PanelStep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.factors.len() / S::F32_LANES {
            1 => self.rows::<S, 1>(simd),
            _ => self.rows::<S, MAX_VECTORS>(simd),
        }
    }
}

impl PanelStep<'_> {
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "rounded to single precision")]
    fn rows<S: Simd, const VECTORS: usize>(self, simd: S) {
        let splat = |value: f64| simd.splat_f32s(value as f32);
        let (zero, two, up, down) = (splat(0.0), splat(2.0), splat(self.penalty), splat(-self.penalty));
        let (beta_1, rest_1) = (splat(BETA_1), splat(1.0 - BETA_1));
        let (beta_2, rest_2) = (splat(BETA_2), splat(1.0 - BETA_2));
        let (rate, deviation, epsilon) = (splat(-self.step.rate), splat(self.step.deviation), splat(EPSILON));
        let age = splat(self.age);
        let (factors, _) = S::as_simd_f32s(self.factors);
        let rows = |values| S::as_simd_f32s(values).0.as_chunks::<VECTORS>().0;
        let constant =
            rows(self.product).iter().zip(rows(self.inverse)).zip(rows(self.inverse_trend)).zip(rows(self.start));
        let moved = S::as_mut_simd_f32s(self.moved).0.as_chunks_mut::<VECTORS>().0;
        let first = S::as_mut_simd_f32s(self.first_moment).0.as_chunks_mut::<VECTORS>().0;
        let second = S::as_mut_simd_f32s(self.second_moment).0.as_chunks_mut::<VECTORS>().0;
        let state = moved.iter_mut().zip(first).zip(second);
        for ((((product, inverse), trend), start), ((moved, first), second)) in constant.zip(state) {
            for vector in 0..VECTORS {
                let weight = simd.add_f32s(start[vector], moved[vector]);
                let below = simd.select_f32s(simd.less_than_f32s(weight, zero), down, zero);
                let sign = simd.select_f32s(simd.greater_than_f32s(weight, zero), up, below);
                let inverse = simd.mul_add_e_f32s(age, trend[vector], inverse[vector]);
                let of_cycles = simd.mul_add_e_f32s(simd.mul_f32s(two, weight), inverse, sign);
                let gradient = simd.mul_add_e_f32s(factors[vector], product[vector], of_cycles);
                first[vector] = simd.mul_add_e_f32s(beta_1, first[vector], simd.mul_f32s(rest_1, gradient));
                let square = simd.mul_f32s(simd.mul_f32s(rest_2, gradient), gradient);
                second[vector] = simd.mul_add_e_f32s(beta_2, second[vector], square);
                let spread = simd.mul_add_e_f32s(simd.sqrt_f32s(second[vector]), deviation, epsilon);
                let step = simd.mul_f32s(rate, simd.div_f32s(first[vector], spread));
                moved[vector] = simd.add_f32s(moved[vector], step);
            }
        }
    }
}
