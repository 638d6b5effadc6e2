//! Noisy counts back to counts: none below zero, and the total kept.

/// Returns the point nearest to `noisy` among those without negative entries whose sum is the sum of `noisy`, or 0
/// if that is negative.
///
/// A threshold is taken off every entry and what falls below zero becomes zero; the threshold is found among the
/// largest entries (Euclidean projection on a simplex). It reads only what was released, so it costs nothing.
pub(crate) fn project(noisy: &[i64]) -> Vec<f64> {
    let mut descending = noisy.to_vec();
    descending.sort_unstable_by(|a, b| b.cmp(a));
    let total = noisy.iter().map(|value| i128::from(*value)).sum::<i128>().max(0);
    if total == 0 {
        return vec![0.0; noisy.len()];
    }
    let mut sum = 0_i128;
    let mut threshold = 0.0;
    for (n_kept, value) in (1_i128..).zip(&descending) {
        sum += i128::from(*value);
        if i128::from(*value) * n_kept > sum - total {
            threshold = ratio(sum - total, n_kept);
        }
    }
    noisy.iter().map(|value| (as_float(i128::from(*value)) - threshold).max(0.0)).collect()
}

fn ratio(numerator: i128, denominator: i128) -> f64 {
    as_float(numerator) / as_float(denominator)
}

#[expect(clippy::cast_precision_loss, reason = "counts of people are far below 2^53")]
fn as_float(value: i128) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    use super::project;

    #[test]
    fn by_hand() {
        // sum 6; of 5, 3, -2 the threshold 1 keeps 4 + 2 + 0
        assert_eq!(project(&[5, -2, 3]), [4.0, 0.0, 2.0]);
        assert_eq!(project(&[1, 2, 3]), [1.0, 2.0, 3.0]);
        assert_eq!(project(&[-1, 1, -3]), [0.0; 3]);
        assert!(project(&[]).is_empty());
    }

    proptest! {
        #[test]
        fn nothing_with_that_sum_is_nearer(noisy in prop::collection::vec(-20_i64..60, 1..30), shares in prop::collection::vec(0.0_f64..1.0, 30)) {
            let found = project(&noisy);
            let total = noisy.iter().sum::<i64>().max(0) as f64;
            prop_assert!(found.iter().all(|value| *value >= 0.0));
            assert_abs_diff_eq!(found.iter().sum::<f64>(), total, epsilon = 1e-9);
            let shares = &shares[..noisy.len()];
            let sum: f64 = shares.iter().sum::<f64>() + 1e-9;
            let distance = |point: &mut dyn Iterator<Item = f64>| -> f64 {
                point.zip(&noisy).map(|(x, y)| (x - *y as f64).powi(2)).sum()
            };
            let nearest = distance(&mut found.iter().copied());
            let other = distance(&mut shares.iter().map(|share| share / sum * total));
            prop_assert!(nearest <= other + 1e-6);
        }
    }
}
