//! Log-rank test and its weighted relatives.
//!
//! Compares the survival of k groups. At each event time, d events are expected to fall on the
//! groups in proportion to their rows at risk; with weights w(t),
//!
//! ```text
//! O_j = sum w d_j,   E_j = sum w d n_j / n,
//! V_jl = sum w^2 d (n - d) / (n - 1) (n_j / n) (delta_jl - n_l / n)
//! chi_square = (O - E)' V^- (O - E)   on rank(V) degrees of freedom, k - 1 as a rule
//! ```
//!
//! # Input
//! As [`crate::kaplan_meier`], with `by` required; `strata` any number of categories, optional:
//! O, E and V are summed over strata, so that groups are compared only within a stratum.
//!
//! # Output
//! One row for each group: the columns of `by`, `n_rows`, `n_events`, `observed`, `expected`,
//! `variance`, and the test, repeated on every row: `chi_square`, `degrees_of_freedom`, `p_value`.
//!
//! # Parameters
//! `weights` `'logrank'` (w = 1), `'wilcoxon'` (n), `'tarone_ware'` (root of n),
//! `'fleming_harrington'` (S(t-)^p (1 - S(t-))^q with the pooled curve); `p` 1 and `q` 0, both >= 0,
//! only with the last.
//!
//! # Shapes
//! n rows to k rows, 2 <= k <= 1000; cost as [`crate::kaplan_meier`] plus O(k^2) for each event time.
//!
//! # Errors
//! As [`crate::kaplan_meier`]; `Data` for one group or more than 1000; `Parameter` for `p` or `q`
//! with other weights.
//!
//! # Guarantees
//! Equal to lifelines 0.30.3 to 1e-9 on six data sets and all weights, with four groups too, and to
//! the formula in numpy with late entry and strata. Not changed by the names or order of groups.
//!
//! # Source
//! Mantel 1966; Gehan 1965; Breslow 1970; Tarone and Ware 1977; Fleming and Harrington 1991;
//! Klein and Moeschberger 2003, 7.3 and 7.5.
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, BooleanArray, Int64Array, RecordBatch, StringArray};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_survival::log_rank;
//!
//! let rows = RecordBatch::try_from_iter([
//!     ("time", Arc::new(Int64Array::from(vec![1, 2, 3, 4])) as _),
//!     ("event", Arc::new(BooleanArray::from(vec![true; 4])) as _),
//!     ("arm", Arc::new(StringArray::from(vec!["a", "a", "b", "b"])) as _),
//! ])?;
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let mut options = Literals::default();
//! options.insert("by", Literal::Text("arm".to_owned()));
//! let test = call(&log_rank::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! // events of arm a: expected 2/4 at time 1 and 1/3 at time 2
//! let expected = test.batches[0]["expected"].as_primitive::<Float64Type>().value(0);
//! assert!((expected - (0.5 + 1.0 / 3.0)).abs() < 1e-15);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod params;
#[cfg(test)]
mod tests;

use arrow::array::ArrayRef;
use causeway_core::{
    ColumnRole, ColumnSpec, ColumnType, InputSpec, Literals, Operator, OperatorError, OperatorFactory, Output,
    OutputType, Parameter, ParameterKind, PrivacyClaim, Relation, Result, Roles, RunContext, Spec, Transformation,
};
use causeway_numerics::chi_square_sf;

use self::algorithm::{Member, Test, compare};
use self::params::LogRank;
use crate::cohort::{Cohort, distinct_rows};
use crate::output::{assemble, counts, doubles, nullable_doubles};
use crate::risk_table::RiskTable;
use crate::roles;

/// More groups than this are most likely an identifier given as `by`.
const MAX_GROUPS: usize = 1000;

/// Makes the operator `log_rank`.
#[derive(Debug)]
pub struct Factory;

const STRATA: ColumnRole = ColumnRole {
    role: "strata",
    kind: ColumnType::Category,
    unit: "",
    nullable: true,
    required: false,
    several: true,
    meaning: "columns that form strata; groups are compared within each stratum, nulls are a stratum of their own",
};

const COMPARISON: &[(&str, Transformation)] = &[
    ("time", Transformation::Aggregation),
    ("event", Transformation::Aggregation),
    ("entry", Transformation::Aggregation),
    ("by", Transformation::Aggregation),
    ("strata", Transformation::Aggregation),
];

static SPEC: Spec = Spec {
    name: "log_rank",
    family: "survival",
    version: 1,
    summary: "Log-rank test of equal survival in two or more groups, also weighted and stratified.",
    details: "
At each event time t with d events among n rows at risk, group j is expected to have d n_j / n of them. `observed`
and `expected` sum w(t) times the events, `variance` is the diagonal of the covariance V of their difference, and
`chi_square` is (O - E)' V^- (O - E). Its degrees of freedom are the rank of V: the number of groups less one,
less any group that is never at risk together with others at an event time.

Weights w(t): `'logrank'` 1, most power for proportional hazards; `'wilcoxon'` n (Gehan, Breslow) and
`'tarone_ware'` the root of n, more weight on early times; `'fleming_harrington'` S(t-)^p (1 - S(t-))^q with S the
pooled Kaplan-Meier curve just before t (within each stratum), p for early and q for late differences.

The test stands on every row of the output, beside the sums of each group. Without any comparable event
`chi_square` and `p_value` are null. One group alone, and more than 1000 groups, are refused. Nulls, entries,
ties and empty input are treated as by `kaplan_meier`.",
    inputs: &[InputSpec {
        name: "rows",
        summary: "one row for each subject",
        required: true,
        columns: &[roles::TIME, roles::EVENT, roles::ENTRY, ColumnRole { required: true, ..roles::BY }, STRATA],
    }],
    parameters: &[
        Parameter {
            name: "weights",
            kind: ParameterKind::Choice(&["logrank", "wilcoxon", "tarone_ware", "fleming_harrington"]),
            default: Some("'logrank'"),
            unit: "",
            meaning: "weight of each event time",
        },
        Parameter {
            name: "p",
            kind: ParameterKind::Float { min: 0.0, max: f64::INFINITY, open: false },
            default: Some("NULL"),
            unit: "",
            meaning: "power of S(t-), only with 'fleming_harrington'; 1 if NULL",
        },
        Parameter {
            name: "q",
            kind: ParameterKind::Float { min: 0.0, max: f64::INFINITY, open: false },
            default: Some("NULL"),
            unit: "",
            meaning: "power of 1 - S(t-), only with 'fleming_harrington'; 0 if NULL",
        },
    ],
    output: &[
        roles::BY_OUT,
        roles::N_ROWS_OUT,
        roles::N_EVENTS_OUT,
        comparison("observed", false, "events", "weighted events of the group"),
        comparison("expected", false, "events", "weighted events expected if all groups had one survival curve"),
        comparison("variance", false, "events^2", "variance of observed - expected"),
        comparison("chi_square", true, "", "test statistic over all groups; null without any comparable event"),
        ColumnSpec {
            name: "degrees_of_freedom",
            kind: OutputType::UInt64,
            nullable: false,
            unit: "",
            meaning: "degrees of freedom of the statistic",
            from: COMPARISON,
        },
        comparison("p_value", true, "probability", "probability of a statistic as large if survival is equal"),
    ],
    indirect: &[("by", Transformation::GroupBy), ("strata", Transformation::GroupBy)],
    privacy: PrivacyClaim::Exact,
    source: "Mantel 1966; Gehan 1965; Breslow 1970; Tarone and Ware 1977; Fleming and Harrington 1991; Klein and Moeschberger 2003, sections 7.3 and 7.5",
    example: "SELECT * FROM log_rank((SELECT time, status AS event, sex FROM clinical.lung), by => 'sex')",
};

const fn comparison(name: &'static str, nullable: bool, unit: &'static str, meaning: &'static str) -> ColumnSpec {
    ColumnSpec { name, kind: OutputType::Float64, nullable, unit, meaning, from: COMPARISON }
}

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { params: LogRank::from_literals(literals)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: LogRank,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let by = self.roles.columns("by");
        let columns = [by.clone(), self.roles.columns("strata")].concat();
        let cohort = Cohort::read(SPEC.name, &self.roles, &columns, inputs, context)?;
        let report = cohort.report();
        let (by_keys, strata_keys) = cohort.keys.split_at(by.len());
        let (groups, group_keys) = distinct_rows(by_keys, cohort.tables.len())?;
        let (strata, _) = distinct_rows(strata_keys, cohort.tables.len())?;
        let n_groups = groups.iter().max().map_or(0, |last| last + 1);
        check_groups(n_groups)?;
        let members = groups.iter().zip(&strata).zip(&cohort.tables);
        let members: Vec<Member<'_>> =
            members.map(|((group, stratum), table)| Member { group: *group, stratum: *stratum, table }).collect();
        let test = compare(&members, n_groups, self.params.weight, &|| context.check_cancelled())?;
        context.progress(1.0);
        let columns = test_columns(&test, &members, n_groups);
        assemble(self.output_schema()?, &group_keys, &vec![1; n_groups], columns, report)
    }
}

fn check_groups(n_groups: usize) -> Result<()> {
    let problem = match n_groups {
        1 => "a comparison needs at least two groups, `by` forms one".to_owned(),
        n if n > MAX_GROUPS => {
            format!("`by` forms {n} groups, at most {MAX_GROUPS} are compared; is one of its columns an identifier?")
        }
        _ => return Ok(()),
    };
    Err(OperatorError::Data { operator: SPEC.name, problem })
}

fn test_columns(test: &Test, members: &[Member<'_>], n_groups: usize) -> Vec<ArrayRef> {
    let mut n_rows = vec![0_u64; n_groups];
    let mut n_events = vec![0_u64; n_groups];
    for member in members {
        n_rows[member.group] += member.table.n_rows;
        n_events[member.group] += RiskTable::n_events(member.table);
    }
    let degrees_of_freedom = u32::try_from(test.statistic.rank).unwrap_or(u32::MAX); // at most MAX_GROUPS
    let chi_square = (degrees_of_freedom > 0).then_some(test.statistic.value);
    let p_value = chi_square.map(|value| chi_square_sf(value, degrees_of_freedom));
    vec![
        counts(n_rows.into_iter()),
        counts(n_events.into_iter()),
        doubles(test.observed.iter().copied()),
        doubles(test.expected.iter().copied()),
        doubles((0..n_groups).map(|group| test.covariance.get(group, group))),
        nullable_doubles(std::iter::repeat_n(chi_square, n_groups)),
        counts(std::iter::repeat_n(u64::from(degrees_of_freedom), n_groups)),
        nullable_doubles(std::iter::repeat_n(p_value, n_groups)),
    ]
}
