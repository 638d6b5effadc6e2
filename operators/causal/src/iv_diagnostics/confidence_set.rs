//! The set of effects that a test does not reject, by its shape.

use std::f64::consts::{FRAC_PI_2, PI};

/// A set of effects.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ConfidenceSet {
    /// No effect fits.
    Empty,
    /// From the first to the second end.
    Interval(f64, f64),
    /// All but what lies between the ends.
    TwoRays(f64, f64),
    /// Every effect fits.
    RealLine,
    /// Several pieces, ascending; the outermost ends may be infinite.
    Union(Vec<(f64, f64)>),
}

impl ConfidenceSet {
    /// Returns the word for its shape.
    pub(super) fn shape(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Interval(..) => "interval",
            Self::TwoRays(..) => "two_rays",
            Self::RealLine => "real_line",
            Self::Union(_) => "union",
        }
    }

    /// Returns the ends: of the interval, of the gap between rays, or the outermost of a union.
    pub(super) fn ends(&self) -> Option<(f64, f64)> {
        match self {
            Self::Interval(low, high) | Self::TwoRays(low, high) => Some((*low, *high)),
            Self::Union(pieces) => Some((pieces.first()?.0, pieces.last()?.1)),
            Self::Empty | Self::RealLine => None,
        }
    }

    /// Returns true if the set has no bound.
    pub(super) fn is_unbounded(&self) -> bool {
        match self {
            Self::TwoRays(..) | Self::RealLine => true,
            Self::Union(_) => self.ends().is_some_and(|(low, high)| low.is_infinite() || high.is_infinite()),
            Self::Empty | Self::Interval(..) => false,
        }
    }

    /// Returns {b : a b^2 - 2 h b + c <= 0}.
    pub(super) fn of_quadratic(a: f64, h: f64, c: f64) -> Self {
        let discriminant = h * h - a * c;
        if discriminant < 0.0 {
            return if a > 0.0 { Self::Empty } else { Self::RealLine };
        }
        let larger = h + discriminant.sqrt().copysign(h);
        let (first, second) = (larger / a, c / larger);
        let (low, high) = (first.min(second), first.max(second));
        if a > 0.0 { Self::Interval(low, high) } else { Self::TwoRays(low, high) }
    }

    /// Returns {b : excess(b) <= 0} for a smooth function with one limit at both ends.
    ///
    /// The line is bent to a circle, b = centre + scale tan(angle); `excess` is given the cosine and b times the
    /// cosine, so that it also stands at infinity. Between the points of a grid minima and maxima are sought, then crossings
    /// are halved in.
    pub(super) fn of_function(centre: f64, scale: f64, excess: impl Fn(f64, f64) -> f64) -> Self {
        const STEPS: u32 = 1440;
        let value = |angle: f64| excess(angle.cos(), centre * angle.cos() + scale * angle.sin());
        let step = PI / f64::from(STEPS);
        let mut angles: Vec<f64> = (0..STEPS).map(|index| f64::from(index) * step - FRAC_PI_2).collect();
        for middle in angles.clone() {
            let (before, at, after) = (value(middle - step), value(middle), value(middle + step));
            let touches = (at <= before && at <= after && at > 0.0) || (at >= before && at >= after && at <= 0.0);
            if touches {
                let sign = at.signum();
                angles.push(lowest(middle - step, middle + step, |angle| sign * value(angle)));
            }
        }
        angles.sort_by(f64::total_cmp);
        angles.push(angles.first().map_or(FRAC_PI_2, |first| first + PI));
        let mut crossings = Vec::new();
        for pair in angles.windows(2) {
            let (enters, leaves) = (value(pair[0]) > 0.0, value(pair[1]) > 0.0);
            if enters != leaves {
                let angle = crossing(pair[0], pair[1], |angle| value(angle) > 0.0);
                crossings.push(centre + scale * angle.tan());
            }
        }
        crossings.sort_by(f64::total_cmp);
        Self::of_crossings(&crossings, excess(0.0, 1.0) <= 0.0, value(0.0) <= 0.0)
    }

    /// Returns the set whose ends are given, by whether infinity is in it.
    fn of_crossings(crossings: &[f64], infinite: bool, somewhere: bool) -> Self {
        match (crossings, infinite) {
            ([], _) => {
                if somewhere {
                    Self::RealLine
                } else {
                    Self::Empty
                }
            }
            ([low, high], false) => Self::Interval(*low, *high),
            ([low, high], true) => Self::TwoRays(*low, *high),
            (ends, false) => Self::Union(ends.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()),
            (ends, true) => {
                let all: Vec<f64> =
                    [&[f64::NEG_INFINITY], ends, &[f64::INFINITY]].into_iter().flatten().copied().collect();
                Self::Union(all.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
            }
        }
    }
}

/// Returns where a function is lowest, by the golden section.
fn lowest(mut low: f64, mut high: f64, value: impl Fn(f64) -> f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_8;
    for _ in 0..80 {
        let (left, right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        if value(left) < value(right) {
            high = right;
        } else {
            low = left;
        }
    }
    0.5 * (low + high)
}

/// Returns where a condition changes, by halving.
fn crossing(mut low: f64, mut high: f64, holds: impl Fn(f64) -> bool) -> f64 {
    let at_low = holds(low);
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return middle;
        }
        if holds(middle) == at_low {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::ConfidenceSet;

    #[test]
    fn the_four_shapes_of_a_quadratic() {
        assert_eq!(ConfidenceSet::of_quadratic(1.0, 2.0, 3.0), ConfidenceSet::Interval(1.0, 3.0));
        assert_eq!(ConfidenceSet::of_quadratic(-1.0, -2.0, -3.0), ConfidenceSet::TwoRays(1.0, 3.0));
        assert_eq!(ConfidenceSet::of_quadratic(1.0, 0.0, 1.0), ConfidenceSet::Empty);
        assert_eq!(ConfidenceSet::of_quadratic(-1.0, 0.0, -1.0), ConfidenceSet::RealLine);
    }

    #[test]
    fn narrow_pieces_are_found() {
        // (b^2 - 1e-12)(b - 5)^2 <= 0 at a width of 2e-6 and a touching point; written per b^4 for infinity
        let found = ConfidenceSet::of_function(0.3, 1.0, |one, b| {
            (b * b - 1e-12 * one * one) * (b - 5.0 * one).powi(2) - 1e-9 * one.powi(4)
        });
        let ConfidenceSet::Union(pieces) = found else { panic!("{found:?}") };
        assert_eq!(pieces.len(), 2);
        assert!(pieces[1].0 < 5.0 && pieces[1].1 > 5.0 && pieces[1].1 - pieces[1].0 < 1e-4);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

        #[test]
        fn the_search_finds_what_the_formula_says(a in -2.0_f64..2.0, h in -2.0_f64..2.0, c in -2.0_f64..2.0) {
            prop_assume!(a.abs() > 1e-3 && (h * h - a * c).abs() > 1e-3);
            let formula = ConfidenceSet::of_quadratic(a, h, c);
            let search = ConfidenceSet::of_function(0.7, 2.0, |one, b| a * b * b - 2.0 * h * b * one + c * one * one);
            prop_assert_eq!(formula.shape(), search.shape());
            if let (Some(one), Some(other)) = (formula.ends(), search.ends()) {
                prop_assert!((one.0 - other.0).abs() < 1e-8 * (1.0 + one.0.abs()));
                prop_assert!((one.1 - other.1).abs() < 1e-8 * (1.0 + one.1.abs()));
            }
        }
    }
}
