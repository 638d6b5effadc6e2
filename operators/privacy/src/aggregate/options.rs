//! The options of the private aggregates, checked.

use causeway_core::{Epsilon, Literals, OperatorError, PrivacyCost, Result, Roles};

use super::Amounts;
use super::roles::unchecked;

/// Values are told apart to this part of the larger bound: 2^-20.
const LATTICE_BITS: i32 = 20;

/// Public bounds of the values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Bounds {
    /// Reads `low` and `high`.
    pub(crate) fn new(operator: &'static str, literals: &Literals) -> Result<Self> {
        let float = |name: &'static str| literals.float(name).ok_or_else(|| unchecked(operator, name));
        let (low, high) = (float("low")?, float("high")?);
        let width = high - low;
        if low < high && width.is_finite() && low.abs().max(high.abs()) > 1e-250 {
            return Ok(Self { low, high });
        }
        Err(OperatorError::Parameter {
            operator,
            name: "high".to_owned(),
            range: format!("above low ({low}), by a finite width"),
            value: high.to_string(),
        })
    }

    pub(crate) fn width(self) -> f64 {
        self.high - self.low
    }

    pub(crate) fn middle(self) -> f64 {
        self.low + 0.5 * self.width()
    }

    /// Returns the bounds of the distance from the middle.
    pub(crate) fn about_middle(self) -> Self {
        Self { low: -0.5 * self.width(), high: 0.5 * self.width() }
    }
}

/// Equal public bins between the bounds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bins {
    bounds: Bounds,
    pub(crate) n: usize,
}

impl Bins {
    /// Reads `bins`.
    pub(crate) fn new(operator: &'static str, bounds: Bounds, literals: &Literals) -> Result<Self> {
        let n = literals.integer("bins").and_then(|bins| usize::try_from(bins).ok());
        Ok(Self { bounds, n: n.ok_or_else(|| unchecked(operator, "bins"))? })
    }

    /// Returns the lower edge of a bin; of the number of bins the upper end.
    pub(crate) fn edge(self, bin: usize) -> f64 {
        let share = self.as_number(bin) / self.as_number(self.n);
        self.bounds.low + share * self.bounds.width()
    }

    /// Returns a number of bins as a number to calculate with.
    #[expect(clippy::cast_precision_loss, reason = "at most 4096 bins")]
    pub(crate) fn as_number(self, bins: usize) -> f64 {
        bins as f64
    }

    /// Returns the bin of a value; values outside the bounds are in the first or the last.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates at 0 and is cut at n - 1")]
    fn bin(self, value: f64) -> usize {
        let share = (value.clamp(self.bounds.low, self.bounds.high) - self.bounds.low) / self.bounds.width();
        ((share * self.as_number(self.n)) as usize).min(self.n - 1)
    }
}

impl Amounts for Bins {
    fn cells_per_group(&self) -> usize {
        self.n
    }

    fn add(&self, value: f64, cells: &mut [i128]) {
        cells[self.bin(value)] += 1;
    }
}

/// Reads `confidence`.
pub(crate) fn confidence(operator: &'static str, literals: &Literals) -> Result<f64> {
    literals.float("confidence").ok_or_else(|| unchecked(operator, "confidence"))
}

/// A public lattice of values about zero: whole numbers of `step`, a power of two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lattice {
    bounds: Bounds,
    pub(crate) step: f64,
}

impl Lattice {
    /// Makes the lattice on which the larger bound has about 2^20 steps.
    pub(crate) fn new(bounds: Bounds) -> Self {
        let largest = bounds.low.abs().max(bounds.high.abs());
        #[expect(clippy::cast_possible_truncation, reason = "the exponent of a finite double is below 2000")]
        let exponent = largest.log2().ceil() as i32 - LATTICE_BITS;
        Self { bounds, step: 2.0_f64.powi(exponent) }
    }

    /// Returns a value, moved into the bounds, as a number of steps.
    #[expect(clippy::cast_possible_truncation, reason = "at most 2^21 steps")]
    pub(crate) fn steps(self, value: f64) -> i64 {
        (value.clamp(self.bounds.low, self.bounds.high) / self.step).round() as i64
    }

    /// Returns the largest number of steps that one row can add or take away.
    pub(crate) fn largest(self) -> u64 {
        let (low, high) = (self.steps(self.bounds.low), self.steps(self.bounds.high));
        low.unsigned_abs().max(high.unsigned_abs()).max(1)
    }
}

/// What a call may spend and on whom.
#[derive(Debug, Clone)]
pub(crate) struct Budget {
    pub(crate) epsilon: Epsilon,
    pub(crate) rows_per_unit: u32,
    pub(crate) cost: PrivacyCost,
}

impl Budget {
    /// Reads `epsilon`, `rows_per_unit` and the column that plays `unit`.
    pub(crate) fn new(
        operator: &'static str,
        mechanism: &'static str,
        literals: &Literals,
        roles: &Roles,
    ) -> Result<Self> {
        let asked = literals.float("epsilon").ok_or_else(|| unchecked(operator, "epsilon"))?;
        let refused = |name: &str, range: &str, value: String| OperatorError::Parameter {
            operator,
            name: name.to_owned(),
            range: range.to_owned(),
            value,
        };
        let (epsilon, cost) = Epsilon::usable(asked)
            .zip(PrivacyCost::pure(mechanism, asked))
            .ok_or_else(|| refused("epsilon", "in [0.000001, 1e12]", asked.to_string()))?;
        let rows = literals.integer("rows_per_unit").and_then(|rows| u32::try_from(rows).ok());
        let rows_per_unit = rows.ok_or_else(|| unchecked(operator, "rows_per_unit"))?;
        let unit = roles.column("unit").map(|column| column.name.clone());
        if unit.is_none() && rows_per_unit > 1 {
            let range = "1 unless a column plays `unit`: without one every row is somebody else's";
            return Err(refused("rows_per_unit", range, rows_per_unit.to_string()));
        }
        Ok(Self { epsilon, rows_per_unit, cost: PrivacyCost { unit, rows_per_unit, ..cost } })
    }
}
