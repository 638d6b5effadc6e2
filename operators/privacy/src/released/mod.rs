//! Tables released by [`crate::dp_kaplan_meier`] as input: what is computed from them costs nothing.
//!
//! The counts in such a table are all that was learned about people; whatever reads only them is post-processing. The
//! operators here take the table as it is, from a table it was kept in or from the call itself:
//!
//! ```sql
//! CREATE TABLE released AS SELECT * FROM dp_kaplan_meier(cohort, epsilon => 1.0, horizon => 1024);
//! SELECT * FROM dp_restricted_mean(released, horizon => 730);
//! SELECT * FROM dp_restricted_mean((SELECT * FROM dp_kaplan_meier(cohort, epsilon => 1.0, horizon => 1024)));
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, UInt32Array, UInt64Array};
use arrow::compute::{cast, concat_batches, take};
use arrow::datatypes::{DataType, Float64Type, SchemaRef};
use arrow::row::{RowConverter, SortField};
use causeway_core::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, OperatorError, Output, OutputType, Relation, Report, Result, Roles,
    RunContext, Transformation,
};

use crate::histogram::{Counts, LifeTable, Noise, float};

const fn number(role: &'static str, unit: &'static str, meaning: &'static str) -> ColumnRole {
    ColumnRole { role, kind: ColumnType::Number, unit, nullable: false, required: true, several: false, meaning }
}

const BY: ColumnRole = ColumnRole {
    role: "by",
    kind: ColumnType::Category,
    unit: "",
    nullable: true,
    required: false,
    several: true,
    meaning: "the columns of `strata` of the release, one name or several",
};

/// A released table.
pub(crate) const RELEASED: InputSpec = InputSpec {
    name: "released",
    summary: "a table released by dp_kaplan_meier, one row for each bin of time and stratum",
    required: true,
    columns: &columns(false),
};

/// Returns the columns of a released table; with more than one stratum to compare, `by` must be named.
pub(crate) const fn columns(compares: bool) -> [ColumnRole; 6] {
    [
        number("time_low", "any time unit", "start of the bin"),
        number("time_high", "of `time_low`", "end of the bin"),
        number("events", "units", "events in the bin"),
        number("censored", "units", "censorings in the bin"),
        number("epsilon", "nats", "epsilon of the release; the same in all rows"),
        ColumnRole { required: compares, ..BY },
    ]
}

/// Makes a column of doubles of the rows.
pub(crate) fn doubles<T>(rows: &[T], value: impl Fn(&T) -> Option<f64>) -> ArrayRef {
    Arc::new(rows.iter().map(value).collect::<Float64Array>())
}

/// Makes a column of booleans of the rows.
pub(crate) fn booleans<T>(rows: &[T], value: impl Fn(&T) -> bool) -> ArrayRef {
    Arc::new(rows.iter().map(|row| Some(value(row))).collect::<BooleanArray>())
}

const FROM_RELEASED: &[(&str, Transformation)] =
    &[("events", Transformation::Aggregation), ("censored", Transformation::Aggregation)];

pub(crate) const BY_OUT: ColumnSpec = ColumnSpec {
    name: "by",
    kind: OutputType::EachOf("by"),
    nullable: true,
    unit: "",
    meaning: "the columns of `by`",
    from: &[("by", Transformation::Identity)],
};

/// Describes a column computed from the release.
pub(crate) const fn estimate(
    name: &'static str,
    kind: OutputType,
    nullable: bool,
    unit: &'static str,
    meaning: &'static str,
) -> ColumnSpec {
    ColumnSpec { name, kind, nullable, unit, meaning, from: FROM_RELEASED }
}

/// A release read back.
#[derive(Debug)]
pub(crate) struct Release {
    /// The values of `by`, one row for each stratum.
    keys: Vec<ArrayRef>,
    pub(crate) strata: Vec<Stratum>,
    pub(crate) epsilon: f64,
}

/// The bins of one stratum, in the order of time.
#[derive(Debug)]
pub(crate) struct Stratum {
    /// The ends of the bins, 0 first.
    pub(crate) ends: Vec<f64>,
    pub(crate) counts: Counts,
}

impl Stratum {
    /// Returns the curve.
    pub(crate) fn life_table(&self, noise: Noise) -> LifeTable {
        LifeTable::new(&self.counts, noise)
    }

    /// Returns the events, then the censorings.
    pub(crate) fn cells(&self) -> Vec<f64> {
        [self.counts.events.as_slice(), &self.counts.censored].concat()
    }

    /// Returns S(t) up to `horizon` as its integral, the hazard being constant within each bin.
    pub(crate) fn restricted_mean(&self, survival: &[f64], horizon: f64) -> f64 {
        let mut area = 0.0;
        let mut start = 1.0;
        for (bin, survival) in self.ends.windows(2).zip(survival) {
            let (low, width) = (bin[0], bin[1] - bin[0]);
            let share = ((horizon - low) / width).clamp(0.0, 1.0);
            area += width * share * mean_of_fall(start, start * (survival / start).powf(share));
            start = *survival;
        }
        area
    }

    /// Returns the first time at which the curve is at `level` or below, none if it stays above.
    pub(crate) fn time_of(&self, survival: &[f64], level: f64) -> Option<f64> {
        let bin = survival.iter().position(|survival| *survival <= level)?;
        let start = if bin == 0 { 1.0 } else { survival[bin - 1] };
        let (low, high) = (self.ends[bin], self.ends[bin + 1]);
        let share = if start > survival[bin] { (level / start).ln() / (survival[bin] / start).ln() } else { 0.0 };
        Some(low + (high - low) * if share.is_nan() { 1.0 } else { share.clamp(0.0, 1.0) })
    }
}

/// Returns the mean of a curve that falls from `start` to `end` with constant hazard: (start - end) / log(start / end).
fn mean_of_fall(start: f64, end: f64) -> f64 {
    if end <= 0.0 {
        return if start <= 0.0 { 0.0 } else { start / 2.0 }; // only limits reach 0; the mean of a straight fall
    }
    let hazard = (start / end).ln();
    if hazard.abs() < 1e-9 { (start + end) / 2.0 } else { (start - end) / hazard }
}

impl Release {
    /// Reads a released table; its rows may come in any order.
    pub(crate) fn read(
        operator: &'static str,
        roles: &Roles,
        inputs: Vec<Relation>,
        context: &RunContext,
    ) -> Result<Self> {
        let mut batches = Vec::new();
        let mut schema = None;
        for relation in inputs {
            schema = Some(relation.schema());
            batches.extend(relation.collect(context)?);
        }
        let Some(schema) = schema else { return Ok(Self { keys: Vec::new(), strata: Vec::new(), epsilon: 1.0 }) };
        let rows = concat_batches(&schema, &batches)?;
        let by: Vec<ArrayRef> =
            roles.columns("by").iter().map(|column| ArrayRef::clone(rows.column(column.index))).collect();
        let columns = Columns::new(operator, roles, &rows)?;
        let groups = groups(&by, rows.num_rows())?;
        let first: UInt64Array = groups.iter().map(|rows| rows[0] as u64).collect();
        let keys = by.iter().map(|column| take(column, &first, None)).collect::<std::result::Result<_, _>>()?;
        let epsilon = columns.one_epsilon(operator)?;
        let strata = groups.iter().map(|rows| columns.stratum(operator, rows)).collect::<Result<_>>()?;
        Ok(Self { keys, strata, epsilon })
    }

    /// Returns what the noise in each count is like.
    pub(crate) fn noise(&self) -> Noise {
        Noise::new(self.epsilon, 2)
    }

    /// Makes the output from the number of rows of each stratum and the columns after those of `by`.
    pub(crate) fn output(
        &self,
        schema: SchemaRef,
        rows_per_stratum: &[usize],
        columns: Vec<ArrayRef>,
    ) -> Result<Output> {
        let strata = (0_u32..).zip(rows_per_stratum);
        let strata: UInt32Array = strata.flat_map(|(stratum, n)| std::iter::repeat_n(stratum, *n)).collect();
        let mut all = Vec::with_capacity(self.keys.len() + columns.len());
        for key in &self.keys {
            all.push(take(key, &strata, None)?);
        }
        all.extend(columns);
        let report = Report::from([("n_strata", self.strata.len().into())]);
        Ok(Output { batches: vec![RecordBatch::try_new(schema, all)?], report })
    }
}

/// The numbers of a released table.
#[derive(Debug)]
struct Columns {
    time_low: Vec<f64>,
    time_high: Vec<f64>,
    events: Vec<f64>,
    censored: Vec<f64>,
    epsilon: Vec<f64>,
}

impl Columns {
    fn new(operator: &'static str, roles: &Roles, rows: &RecordBatch) -> Result<Self> {
        let column = |role: &'static str| -> Result<Vec<f64>> {
            let bound = roles.required(role)?;
            let numbers = cast(rows.column(bound.index), &DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>();
            if numbers.null_count() > 0 || numbers.values().iter().any(|number| !(0.0..=f64::MAX).contains(number)) {
                let problem = format!(
                    "column `{}` must hold numbers that are not negative; mechanism 'published' releases none",
                    bound.name
                );
                return Err(OperatorError::Data { operator, problem });
            }
            Ok(numbers.values().to_vec())
        };
        Ok(Self {
            time_low: column("time_low")?,
            time_high: column("time_high")?,
            events: column("events")?,
            censored: column("censored")?,
            epsilon: column("epsilon")?,
        })
    }

    fn one_epsilon(&self, operator: &'static str) -> Result<f64> {
        let epsilon = self.epsilon.first().copied().unwrap_or(1.0);
        if epsilon <= 0.0 || self.epsilon.iter().any(|other| (other - epsilon).abs() > 0.0) {
            let problem = "`epsilon` must be one positive number in all rows: take the rows of one release";
            return Err(OperatorError::Data { operator, problem: problem.to_owned() });
        }
        Ok(epsilon)
    }

    /// Puts the bins of a stratum in order; they must be all of them, of one width.
    fn stratum(&self, operator: &'static str, rows: &[usize]) -> Result<Stratum> {
        let mut rows = rows.to_vec();
        rows.sort_unstable_by(|a, b| self.time_low[*a].total_cmp(&self.time_low[*b]));
        let in_order = |column: &[f64]| -> Vec<f64> { rows.iter().map(|row| column[*row]).collect() };
        let ends = [vec![0.0], in_order(&self.time_high)].concat();
        let width = ends.last().copied().unwrap_or(0.0) / float(rows.len());
        let is_bin = |(bin, low): (usize, f64)| {
            (low - ends[bin]).abs() <= 1e-9 * ends[bin + 1] && (ends[bin + 1] - low - width).abs() <= 1e-6 * width
        };
        if width > 0.0 && in_order(&self.time_low).into_iter().enumerate().all(is_bin) {
            let counts = Counts { events: in_order(&self.events), censored: in_order(&self.censored) };
            return Ok(Stratum { ends, counts });
        }
        let problem = "the bins of a stratum must follow each other from 0 with equal width, each of them once: keep \
                       all rows of the release and name its strata with `by`";
        Err(OperatorError::Data { operator, problem: problem.to_owned() })
    }
}

/// Returns the rows of each group, in ascending order of the group.
fn groups(by: &[ArrayRef], n_rows: usize) -> Result<Vec<Vec<usize>>> {
    if by.is_empty() || n_rows == 0 {
        return Ok(if n_rows == 0 { Vec::new() } else { vec![(0..n_rows).collect()] });
    }
    let fields = by.iter().map(|column| SortField::new(column.data_type().clone())).collect();
    let keys = RowConverter::new(fields)?.convert_columns(by)?;
    let mut groups: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for (row, key) in keys.iter().enumerate() {
        groups.entry(key.data()).or_default().push(row);
    }
    Ok(groups.into_values().collect())
}
