//! Private Kaplan–Meier curve.
//!
//! Releases how many people have the event and how many are censored in each public bin of time, with discrete Laplace
//! noise, and computes the survival curve and all else from these counts:
//!
//! ```text
//! noisy = counts of {event, censored} x bin + z,   P(z) ~ exp(-epsilon |z|)                the release
//! x     = nearest counts >= 0 of the same sum                                              post-processing
//! h_k   = d_k / (r_k - c_k / 2),  S at the end of bin k = product over i <= k of (1 - h_i)
//! ```
//!
//! # Input
//! `time` number in any unit; `event` flag; `unit` whom a row belongs to, optional; `strata` categories, optional.
//! Nothing about a row is an error, see Errors.
//!
//! # Output
//! One row for each stratum and bin: the columns of `strata`, then `time_low`, `time_high`, `events`, `censored`,
//! `at_risk`, `survival` (at `time_high`), `survival_low`, `survival_high`, `cumulative_hazard`, `privacy_se`,
//! `reliable`, `log_rank_chi_square`, `log_rank_p_value`, `epsilon`, `guarantee`.
//!
//! # Parameters
//! `epsilon`, `horizon` required; `bins`, `cohort_size`, `strata_values`, `mechanism`, `bands`, `confidence`, `draws`,
//! `log_rank`; with mechanism `'published'` also `schedule`, `window`, `clip`, `points`.
//!
//! # Shapes
//! n rows to strata x bins rows; cost O(n + draws x strata x bins); memory O(strata x bins), with `unit` 50 to 80 bytes
//! for each unit besides.
//!
//! # Errors
//! `Parameter`, `Missing` and `Column` while the call is planned; afterwards `Memory` and `Cancelled` alone. Rows never
//! lead to an error: a time that is NULL or NaN, a value of `strata` that is not listed and a NULL `unit` leave the row
//! out, a negative time is in the first bin, an event that is not true or 1 is a censoring.
//!
//! # Guarantees
//! Mechanism `'counts'` is epsilon-differentially private when one unit is added or removed: each unit is in one cell at
//! most, by its own rows and public options. `'published'` guarantees nothing. Experimental until audited.
//!
//! # Source
//! Histogram: Dwork, McSherry, Nissim, Smith 2006; noise: Ghosh, Roughgarden, Sundararajan 2009; counts for survival
//! after Gondara and Wang 2020, whose bins are the observed times, which gives those away; ours are public. Published
//! heuristic: after the abstract of Veeraragavan, Karimireddy, Nygård 2024 (arXiv 2412.05164).
//!
//! # Example
//! ```
//! use std::sync::Arc;
//!
//! use arrow::array::{AsArray, BooleanArray, Int64Array, RecordBatch};
//! use arrow::datatypes::Float64Type;
//! use causeway_core::{Literal, Literals, Relation, RunContext, call};
//! use causeway_privacy::dp_kaplan_meier;
//!
//! let days = (0..2000).map(|person| person % 100).collect::<Int64Array>();
//! let died = (0..2000).map(|person| Some(person % 3 == 0)).collect::<BooleanArray>();
//! let rows = RecordBatch::try_from_iter([("time", Arc::new(days) as _), ("event", Arc::new(died) as _)])?;
//! let input = Relation::from_batches(rows.schema(), vec![rows]);
//! let mut options = Literals::default();
//! options.insert("epsilon", Literal::Float(1.0));
//! options.insert("horizon", Literal::Integer(100));
//! options.insert("bins", Literal::Integer(10));
//! let curve = call(&dp_kaplan_meier::Factory, options, vec![input], &mut RunContext::for_test(1)?)?;
//! let survival = curve.batches[0]["survival"].as_primitive::<Float64Type>();
//! assert_eq!(survival.len(), 10);
//! assert!((survival.value(4) - 0.8).abs() < 0.1); // noise differs from run to run
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod params;
mod published;
mod rows;
#[cfg(test)]
mod tests;

use causeway_core::{
    Literals, Operator, OperatorFactory, Output, OutputType, Parameter, ParameterKind, PrivacyClaim, PrivacyCost,
    Relation, Report, Result, Roles, RunContext, Spec, Transformation,
};
use rand::RngCore as _;

use self::params::DpKaplanMeier;
use self::published::{Points, Published};
use self::rows::{Row, output};
use crate::histogram::{Counts, GUARANTEE, LifeTable, LogRank, durations, roles, roles::private, roles::public};

/// Makes the operator `dp_kaplan_meier`.
#[derive(Debug)]
pub struct Factory;

const fn of_published(name: &'static str, kind: ParameterKind, meaning: &'static str) -> Parameter {
    Parameter { name, kind, default: Some("NULL"), unit: "", meaning }
}

static SPEC: Spec = Spec {
    name: "dp_kaplan_meier",
    family: "privacy",
    version: 1,
    summary: "Survival curve with differential privacy (Kaplan-Meier on private counts by bins of time).",
    details: "
Time is cut into `bins` of equal width up to `horizon`, both chosen without looking at the rows. The numbers of events
and of censorings in each bin get discrete Laplace noise, P(z) proportional to exp(-epsilon |z|); that release costs
`epsilon`. The rest is computed from it and costs nothing: counts are moved to the nearest ones that are not negative
and have the same sum, the hazard of a bin is d / (r - c / 2), and S is constant in hazard within a bin.

The guarantee is for adding or removing one unit with all its rows. With `unit`, of the rows of a unit one counts: that
in the latest bin, among those one with an event, among those one of the first stratum listed. Without `unit` each row
is taken for a unit, which protects rows, not people who have several.

No row leads to an error. Left out are rows whose `time` is NULL or NaN, whose `unit` is NULL, or whose `strata` are not
in `strata_values`; a negative time is in the first bin; from the horizon on everyone is censored in the last bin; an
event other than true or 1 is a censoring. The memory that units need is charged to the query, and a run can fail for
want of it: that, and how long a run takes, is outside the guarantee.

`strata` needs `strata_values`: which strata exist must not depend on who is in the rows. Every listed stratum is
released, also an empty one, each with the full epsilon since a unit is in one stratum (parallel composition).

From the first bin on in which no more are at risk than one standard deviation of their noise, `reliable` is false, the
curve stays flat, `privacy_se` is null and `survival_low` is 0. Limits come from `draws` repetitions of sampling and
noise; they are for the population, not for the cohort. `log_rank` compares the strata; its p-value is calibrated by
draws with the same noise, as chi-square tables would ignore it. `epsilon` and `guarantee` stand beside each row, so that
the table can be kept and given to dp_survival_quantile, dp_restricted_mean, dp_nelson_aalen and dp_log_rank, which read
only it and cost nothing.

Mechanism 'published' adds Laplace noise to the curve itself, less of it the later. It has NO guarantee: one person can
move the curve by 1 at every later time. It is charged its worst case, the sum of 1 / scale over all times, and is not
sound, so that tables under a policy refuse it unless the policy allows it. With points 'observed', the times are those
in the rows, as published, and delta = 1 is charged: a person alone at a time is given away. It has no counts, limits
or errors and knows no `unit`.",
    inputs: &[roles::ROWS],
    parameters: &[
        roles::EPSILON,
        roles::HORIZON,
        roles::BINS,
        roles::COHORT_SIZE,
        roles::STRATA_VALUES,
        Parameter {
            name: "mechanism",
            kind: ParameterKind::Choice(&["counts", "published"]),
            default: Some("'counts'"),
            unit: "",
            meaning: "'counts' is private; 'published' is a heuristic without a guarantee",
        },
        roles::BANDS,
        roles::CONFIDENCE,
        roles::DRAWS,
        Parameter {
            name: "log_rank",
            kind: ParameterKind::Boolean,
            default: Some("false"),
            unit: "",
            meaning: "test whether the strata have equal survival",
        },
        of_published(
            "schedule",
            ParameterKind::Choice(&["linear", "harmonic", "square_root", "constant", "global"]),
            "how noise falls with time, only with 'published'; 'linear' if NULL",
        ),
        of_published(
            "window",
            ParameterKind::Integer { min: 1, max: 101 },
            "points in the moving average, odd, only with 'published'; 5 if NULL",
        ),
        of_published(
            "clip",
            ParameterKind::Choice(&["running_minimum", "isotonic"]),
            "how the curve is made to fall, only with 'published'; 'running_minimum' if NULL",
        ),
        of_published(
            "points",
            ParameterKind::Choice(&["public", "observed"]),
            "released times, only with 'published': ends of bins, or those in the rows; 'public' if NULL",
        ),
    ],
    output: &[
        roles::STRATA_OUT,
        public("time_low", OutputType::Float64, "of `time`", "start of the bin, included"),
        public("time_high", OutputType::Float64, "of `time`", "end of the bin, excluded"),
        private("events", OutputType::Float64, true, "units", "events in the bin; null with 'published'"),
        private("censored", OutputType::Float64, true, "units", "censorings in the bin; null with 'published'"),
        private("at_risk", OutputType::Float64, true, "units", "at risk at `time_low`; null with 'published'"),
        private("survival", OutputType::Float64, false, "probability", "probability of no event before `time_high`"),
        private("survival_low", OutputType::Float64, true, "probability", "lower limit; null without `bands`"),
        private("survival_high", OutputType::Float64, true, "probability", "upper limit; null without `bands`"),
        private(
            "cumulative_hazard",
            OutputType::Float64,
            true,
            "",
            "sum of hazards up to `time_high` (Nelson and Aalen); null with 'published'",
        ),
        private(
            "privacy_se",
            OutputType::Float64,
            true,
            "probability",
            "standard error of `survival` from the noise alone; null where not reliable",
        ),
        private("reliable", OutputType::Boolean, false, "", "true while more are at risk than noise could make up"),
        private("log_rank_chi_square", OutputType::Float64, true, "", "test statistic; null without `log_rank`"),
        private(
            "log_rank_p_value",
            OutputType::Float64,
            true,
            "probability",
            "calibrated p-value; null without `log_rank` or a comparable event",
        ),
        public("epsilon", OutputType::Float64, "nats", "the option `epsilon`, to the millionth below"),
        public("guarantee", OutputType::Utf8, "", "what the release guarantees, in words"),
    ],
    indirect: &[("strata", Transformation::GroupBy)],
    privacy: PrivacyClaim::Private(
        "epsilon-differential privacy when one unit is added or removed, with mechanism 'counts'; none with 'published'",
    ),
    source: "Dwork, McSherry, Nissim and Smith 2006; Ghosh, Roughgarden and Sundararajan 2009; Gondara and Wang 2020; heuristic: Veeraragavan, Karimireddy and Nygård 2024 (arXiv 2412.05164)",
    example: "SELECT * FROM dp_kaplan_meier((SELECT time, status AS event, patient_id, sex FROM clinical.lung),\n    epsilon => 1.0, horizon => 1024, unit => 'patient_id', strata => 'sex', strata_values => ARRAY[1, 2], log_rank => true)",
};

impl OperatorFactory for Factory {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn bind(&self, literals: &Literals, roles: Roles) -> Result<Box<dyn Operator>> {
        Ok(Box::new(Bound { params: DpKaplanMeier::new(literals, &roles)?, roles }))
    }
}

#[derive(Debug)]
struct Bound {
    params: DpKaplanMeier,
    roles: Roles,
}

impl Operator for Bound {
    fn roles(&self) -> &Roles {
        &self.roles
    }

    fn privacy_cost(&self) -> Option<PrivacyCost> {
        Some(self.params.cost())
    }

    fn run(&self, inputs: Vec<Relation>, context: &mut RunContext) -> Result<Output> {
        let (rows, guarantee) = match self.params.published {
            Some(published) => (self.heuristic(published, inputs, context)?, published::GUARANTEE),
            None => (self.params.curves(&self.params.release.run(&self.roles, inputs, context)?, context)?, GUARANTEE),
        };
        let epsilon = self.params.release.epsilon.value();
        output(self.output_schema()?, &self.params.release.strata, &rows, (epsilon, guarantee), self.report())
    }
}

impl Bound {
    /// Releases the exact curve of each stratum with noise that guarantees nothing.
    fn heuristic(
        &self,
        published: Published,
        inputs: Vec<Relation>,
        context: &mut RunContext,
    ) -> Result<Vec<Vec<Row>>> {
        let release = &self.params.release;
        let mut strata = durations(&self.roles, &release.strata, inputs, context)?;
        let mut released = Vec::with_capacity(strata.len());
        for rows in &mut strata {
            let exact = published::kaplan_meier(rows);
            let curve: Vec<(f64, f64)> = match published.points {
                Points::Observed => exact,
                Points::Public => (0..=release.grid.n_bins)
                    .map(|bin| release.grid.ends(bin).0)
                    .map(|time| (time, published::survival_at(&exact, time)))
                    .collect(),
            };
            let noise = published::unit_laplace(curve.len(), context.noise())?;
            let survival: Vec<f64> = curve.iter().map(|point| point.1).collect();
            let survival = published.release(&survival, &noise, release.epsilon.value());
            let starts = std::iter::once(0.0).chain(curve.iter().map(|point| point.0));
            let points = curve.iter().zip(starts).zip(survival);
            let row = |((end, start), survival): ((&(f64, f64), f64), f64)| Row {
                time: (start, end.0),
                survival,
                ..Row::default()
            };
            released.push(points.map(row).collect());
        }
        Ok(released)
    }

    /// Returns what lineage keeps: options alone.
    fn report(&self) -> Report {
        let release = &self.params.release;
        Report::from([
            ("n_bins", release.grid.n_bins.into()),
            ("n_strata", release.grid.n_strata.into()),
            ("is_sound", self.params.published.is_none().into()),
        ])
    }
}

impl DpKaplanMeier {
    /// Computes curve, limits and test from the released cells of each stratum.
    fn curves(&self, strata: &[Vec<f64>], context: &mut RunContext) -> Result<Vec<Vec<Row>>> {
        let counts: Vec<Counts> = strata.iter().map(|cells| Counts::split(cells)).collect();
        let log_rank = if self.log_rank { Some(self.test(&counts, context)?) } else { None };
        let mut curves = Vec::with_capacity(strata.len());
        for (cells, counts) in strata.iter().zip(&counts) {
            let mut rows = self.curve(cells, counts, context)?;
            rows.iter_mut().for_each(|row| row.log_rank = log_rank);
            curves.push(rows);
        }
        context.progress(1.0);
        Ok(curves)
    }

    fn test(&self, groups: &[Counts], context: &mut RunContext) -> Result<(f64, Option<f64>)> {
        let test = LogRank::new(groups);
        let draws = (self.bands.n_draws, context.rng().next_u64());
        let p_value = test.calibrated_p_value(groups, self.release.epsilon.value(), draws, context)?;
        Ok((test.statistic.value, p_value))
    }

    fn curve(&self, cells: &[f64], counts: &Counts, context: &mut RunContext) -> Result<Vec<Row>> {
        let noise = self.release.noise();
        let table = LifeTable::new(counts, noise);
        let errors = table.noise_errors(counts, noise);
        let hazard = table.cumulative_hazard();
        let limits = self.bands.of_survival(cells, &table, noise, context)?;
        let row = |bin: usize| Row {
            time: self.release.grid.ends(u32::try_from(bin).unwrap_or(u32::MAX)),
            counts: Some((counts.events[bin], counts.censored[bin], table.at_risk[bin])),
            survival: table.survival[bin],
            limits: limits.as_ref().map(|limits| limits[bin]),
            cumulative_hazard: Some(hazard[bin]),
            privacy_se: errors[bin].map(|errors| table.survival[bin] * errors.0),
            reliable: bin < table.n_reliable,
            log_rank: None,
        };
        Ok((0..table.survival.len()).map(row).collect())
    }
}
