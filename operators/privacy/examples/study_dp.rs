//! Measures how near private survival curves come to the exact ones, whether their bands cover and their test keeps its
//! size.
//!
//! usage: `study_dp DATA [REPETITIONS [FILE]]`, DATA being `tests/data`
//!
//! Releases the curve of lung and of three other data sets REPETITIONS (200) times at each epsilon, beside the published
//! heuristic and the counts of Gondara and Wang at the observed times; then draws cohorts with a known curve for the
//! bands, and pairs of groups for the log-rank test. Prints Markdown tables, then whether each bar is kept, and ends with
//! an error if one is not. With FILE it writes instead one release of lung at epsilon 1 by each mechanism as CSV, for a
//! picture: curve, time, survival, low, high. Noise comes from the operating system, so figures differ a little from run to run.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::datatypes::Float64Type;
use causeway_core::{Literal, Literals, OperatorFactory, Relation, RunContext, Seed, call};
use causeway_privacy::{dp_kaplan_meier, dp_log_rank};
use rand::{Rng as _, RngCore, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

type Found<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Times, events and groups.
type Subjects = (Vec<f64>, Vec<bool>, Vec<String>);

/// A bar and whether it is kept.
type Bar = (String, bool);

/// Epsilon, and error and tolerance of the reference on lung.
const LUNG: [(f64, f64, f64); 7] = [
    (0.5, 0.0243, 0.003),
    (1.0, 0.0182, 0.0023),
    (2.0, 0.0117, 0.0008),
    (4.0, 0.0076, 0.0005),
    (6.0, 0.0070, 0.0005),
    (8.0, 0.0069, 0.0005),
    (10.0, 0.0069, 0.0005),
];

/// Data set, horizon, epsilon, error of the reference and its spread.
const OTHERS: [(&str, f64, f64, f64, f64); 8] = [
    ("lung", 1024.0, 1.0, 0.0196, 0.0086),
    ("lung", 1024.0, 4.0, 0.0071, 0.0015),
    ("rossi", 56.0, 1.0, 0.0178, 0.0287),
    ("rossi", 56.0, 4.0, 0.0047, 0.0087),
    ("gbsg2", 2688.0, 1.0, 0.0146, 0.0081),
    ("gbsg2", 2688.0, 4.0, 0.0054, 0.0010),
    ("waltons", 80.0, 1.0, 0.0299, 0.0052),
    ("waltons", 80.0, 4.0, 0.0267, 0.0005),
];

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn main() -> Found<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, rest @ ..] = arguments.as_slice() else { return Err("usage: study_dp DATA [REPETITIONS]".into()) };
    let n_repetitions: usize = rest.first().map_or(Ok(200), |text| text.parse())?;
    let data = Path::new(data).join("survival");
    let mut study = Study { context: context(0)?, n_repetitions, bars: Vec::new() };
    if let Some(file) = rest.get(1) {
        return Ok(std::fs::write(file, study.curves(&subjects(&data, "lung")?)?)?);
    }
    study.lung(&subjects(&data, "lung")?)?;
    study.others(&data)?;
    study.bands()?;
    study.log_rank()?;
    study.lung_by_sex(subjects(&data, "lung")?)?;
    println!("\n| bar | kept |\n|---|---|");
    for (words, kept) in &study.bars {
        println!("| {words} | {} |", if *kept { "yes" } else { "no" });
    }
    let n_broken = study.bars.iter().filter(|bar| !bar.1).count();
    if n_broken > 0 { Err(format!("{n_broken} bars are not kept").into()) } else { Ok(()) }
}

struct Study {
    context: RunContext,
    n_repetitions: usize,
    bars: Vec<Bar>,
}

#[expect(clippy::print_stdout, reason = "the result of the example")]
impl Study {
    /// Root mean squared errors at 0 and the distinct times of lung, by mechanism.
    fn lung(&mut self, subjects: &Subjects) -> Found<()> {
        let (grid, exact): (Vec<f64>, Vec<f64>) = kaplan_meier(subjects).into_iter().unzip();
        let rows = table(subjects);
        println!("{} releases each; horizon 1024 days, cohort_size 228.\n", self.n_repetitions);
        println!(
            "| epsilon | bins | private counts (its spread) | reference | published | published, isotonic | Gondara and Wang |"
        );
        println!("|---|---|---|---|---|---|---|");
        for (epsilon, reference, tolerance) in LUNG {
            let options = [number("epsilon", epsilon), number("horizon", 1024.0), number("cohort_size", 228.0)];
            let private = self.errors(&rows, &options, &|release| rmse(&curve_on(release, &grid), &exact))?;
            let n_bins = self.release(&rows, &options)?.num_rows();
            let mut heuristic = [0.0; 2];
            for (error, clip) in heuristic.iter_mut().zip(["running_minimum", "isotonic"]) {
                let words = [text("mechanism", "published"), text("points", "observed"), text("clip", clip)];
                let options = [&options[..], &words].concat();
                *error = mean(&self.errors(&rows, &options, &|release| rmse(&doubles(release, "survival"), &exact))?);
            }
            let mut rng = ChaCha8Rng::seed_from_u64(epsilon.to_bits());
            let gondara_wang: Vec<f64> =
                (0..self.n_repetitions).map(|_| rmse(&gondara_wang(subjects, epsilon, &mut rng), &exact)).collect();
            let found = mean(&private);
            println!(
                "| {epsilon} | {n_bins} | **{found:.4}** ({:.4}) | {reference:.4} | {:.3} | {:.3} | {:.3} |",
                spread(&private),
                heuristic[0],
                heuristic[1],
                mean(&gondara_wang)
            );
            let words = format!("lung, epsilon {epsilon}: {found:.4} is within {tolerance} of the reference");
            self.bars.push((words, (found - reference).abs() <= tolerance));
        }
        Ok(())
    }

    /// Root mean squared errors of other data on 101 points up to the horizon.
    fn others(&mut self, data: &Path) -> Found<()> {
        println!("\n| data | rows | horizon | epsilon | bins | private counts | reference (its spread) |");
        println!("|---|---|---|---|---|---|---|");
        for (name, horizon, epsilon, reference, reference_spread) in OTHERS {
            let subjects = subjects(data, name)?;
            let exact = kaplan_meier(&subjects);
            let grid: Vec<f64> = (0..101).map(|point| f64::from(point) * horizon / 100.0).collect();
            let truth: Vec<f64> = grid.iter().map(|time| at(&exact, *time)).collect();
            let n_rows = float(subjects.0.len());
            let options = [number("epsilon", epsilon), number("horizon", horizon), number("cohort_size", n_rows)];
            let rows = table(&subjects);
            let found = mean(&self.errors(&rows, &options, &|release| rmse(&curve_on(release, &grid), &truth))?);
            let n_bins = self.release(&rows, &options)?.num_rows();
            println!(
                "| {name} | {n_rows} | {horizon} | {epsilon} | {n_bins} | {found:.4} | {reference:.4} ({reference_spread:.4}) |"
            );
            let tolerance = (3.0 * reference_spread * (2.0 / 200.0_f64).sqrt()).max(5e-4);
            let words = format!("{name}, epsilon {epsilon}: {found:.4} is within {tolerance:.4} of the reference");
            self.bars.push((words, (found - reference).abs() <= tolerance));
        }
        Ok(())
    }

    /// Coverage of the true curve of simulated cohorts at the ends of bins up to day 720.
    fn bands(&mut self) -> Found<()> {
        let n_cohorts = 5 * self.n_repetitions;
        println!("\nCoverage of 95 % limits, {n_cohorts} cohorts; width is that of pointwise limits.\n");
        println!("| people | epsilon | bins | pointwise | simultaneous | mean width |");
        println!("|---|---|---|---|---|---|");
        for (n, epsilon) in [(228, 1.0), (228, 4.0), (2000, 1.0), (2000, 0.5), (20_000, 1.0)] {
            let common = [number("epsilon", epsilon), number("horizon", 1024.0), number("cohort_size", float(n))];
            let mut covers = [Vec::new(), Vec::new()];
            let mut widths = Vec::new();
            let mut n_bins = 0;
            for cohort in 0..n_cohorts {
                let rows = table(&simulated(n, 1.0, &mut ChaCha8Rng::seed_from_u64(cohort as u64)));
                for (covers, bands) in covers.iter_mut().zip(["pointwise", "simultaneous"]) {
                    let release = self.release(&rows, &[&common[..], &[text("bands", bands)]].concat())?;
                    n_bins = release.num_rows();
                    let [time, low, high] =
                        ["time_high", "survival_low", "survival_high"].map(|name| doubles(&release, name));
                    let within: Vec<f64> = (0..n_bins)
                        .filter(|bin| time[*bin] <= 720.0)
                        .map(|bin| {
                            let truth = (-((time[bin] - 1.0) / 420.0_f64).powf(1.3)).exp(); // whole days before the end
                            if (low[bin]..=high[bin]).contains(&truth) { 1.0 } else { 0.0 }
                        })
                        .collect();
                    if bands == "pointwise" {
                        widths.push(mean(
                            &low.iter().zip(&high).map(|(low, high)| high - low).collect::<Vec<f64>>()[..within.len()],
                        ));
                        covers.push(mean(&within));
                    } else {
                        covers.push(within.iter().copied().fold(1.0, f64::min));
                    }
                }
            }
            let [pointwise, simultaneous] = covers.map(|covers| mean(&covers));
            println!("| {n} | {epsilon} | {n_bins} | {pointwise:.3} | {simultaneous:.3} | {:.3} |", mean(&widths));
            let words = format!("{n} people, epsilon {epsilon}: limits cover in {pointwise:.3} and {simultaneous:.3}");
            self.bars.push((words, pointwise >= 0.88 && simultaneous >= 0.88));
        }
        Ok(())
    }

    /// Size and power of the log-rank test.
    fn log_rank(&mut self) -> Found<()> {
        let n_cohorts = 5 * self.n_repetitions;
        println!("\nShare of {n_cohorts} studies of two groups in which equal survival is rejected at 5 %.\n");
        println!("| people | epsilon | hazard ratio | chi-square table | calibrated |\n|---|---|---|---|---|");
        for (n, epsilon) in [(228, 1.0), (228, 4.0), (2000, 1.0)] {
            for hazard_ratio in [1.0, 1.6] {
                let mut rejected = [Vec::new(), Vec::new()];
                for cohort in 0..n_cohorts {
                    let rows = table(&simulated(n, hazard_ratio, &mut ChaCha8Rng::seed_from_u64(cohort as u64)));
                    let options = [number("epsilon", epsilon), number("cohort_size", float(n))];
                    let release = self.release(&rows, &[&options[..], &two_groups("0", "1")].concat())?;
                    let test = self.call(&dp_log_rank::Factory, &[text("by", "group")], &release)?;
                    for (rejected, column) in rejected.iter_mut().zip(["uncalibrated_p_value", "p_value"]) {
                        rejected.push(if doubles(&test, column)[0] <= 0.05 { 1.0 } else { 0.0 });
                    }
                }
                let [plain, calibrated] = rejected.map(|rejected| mean(&rejected));
                println!("| {n} | {epsilon} | {hazard_ratio} | {plain:.3} | {calibrated:.3} |");
                if hazard_ratio <= 1.0 {
                    let words =
                        format!("{n} people, epsilon {epsilon}: the calibrated test rejects {calibrated:.3} at 5 %");
                    self.bars.push((words, calibrated <= 0.08));
                }
            }
        }
        Ok(())
    }

    /// The statistic on lung by sex, whose exact value is 10.327.
    fn lung_by_sex(&mut self, subjects: Subjects) -> Found<()> {
        println!("\nLog-rank statistic of lung by sex, exactly 10.327, in {} releases.\n", self.n_repetitions);
        println!("| epsilon | median | 10 % | 90 % | median calibrated p-value |\n|---|---|---|---|---|");
        let rows = table(&subjects);
        for epsilon in [0.5, 1.0, 2.0, 4.0, 10.0] {
            let options = [number("epsilon", epsilon), number("cohort_size", 228.0)];
            let options = [&options[..], &two_groups("1", "2")].concat();
            let (mut statistics, mut p_values) = (Vec::new(), Vec::new());
            for _ in 0..self.n_repetitions {
                let release = self.release(&rows, &options)?;
                let test = self.call(&dp_log_rank::Factory, &[text("by", "group")], &release)?;
                statistics.push(doubles(&test, "chi_square")[0]);
                p_values.push(doubles(&test, "p_value")[0]);
            }
            let [low, median, high] = [0.1, 0.5, 0.9].map(|level| quantile(&mut statistics, level));
            println!("| {epsilon} | {median:.1} | {low:.1} | {high:.1} | {:.3} |", quantile(&mut p_values, 0.5));
        }
        Ok(())
    }

    /// Returns one release of lung at epsilon 1 by each mechanism beside the exact curve.
    fn curves(&mut self, subjects: &Subjects) -> Found<String> {
        let mut lines = "curve,time,survival,low,high\n".to_owned();
        for (time, survival) in kaplan_meier(subjects) {
            lines.push_str(&format!("exact,{time},{survival},,\n"));
        }
        let rows = table(subjects);
        let options = [number("epsilon", 1.0), number("horizon", 1024.0), number("cohort_size", 228.0)];
        let heuristic = [&options[..], &[text("mechanism", "published"), text("points", "observed")]].concat();
        for (name, options) in [("private counts", &options[..]), ("published", &heuristic)] {
            let release = self.release(&rows, options)?;
            let [time, survival, low, high] =
                ["time_high", "survival", "survival_low", "survival_high"].map(|name| doubles(&release, name));
            let cell = |value: f64| if value.is_nan() { String::new() } else { value.to_string() };
            for row in 0..time.len() {
                let (low, high) = (cell(low[row]), cell(high[row]));
                lines.push_str(&format!("{name},{},{},{low},{high}\n", time[row], survival[row]));
            }
        }
        Ok(lines)
    }

    fn errors(
        &mut self,
        rows: &RecordBatch,
        options: &[(&'static str, Literal)],
        error: &dyn Fn(&RecordBatch) -> f64,
    ) -> Found<Vec<f64>> {
        let options = [options, &[text("bands", "none")]].concat();
        (0..self.n_repetitions).map(|_| Ok(error(&self.release(rows, &options)?))).collect()
    }

    fn release(&mut self, rows: &RecordBatch, options: &[(&'static str, Literal)]) -> Found<RecordBatch> {
        self.call(&dp_kaplan_meier::Factory, options, rows)
    }

    fn call(
        &mut self,
        factory: &dyn OperatorFactory,
        options: &[(&'static str, Literal)],
        rows: &RecordBatch,
    ) -> Found<RecordBatch> {
        let mut literals = Literals::default();
        for (name, value) in options {
            literals.insert(*name, value.clone());
        }
        let input = Relation::from_batches(rows.schema(), vec![rows.clone()]);
        let found = call(factory, literals, vec![input], &mut self.context)?;
        found.batches.into_iter().next().ok_or_else(|| "no rows".into())
    }
}

fn context(seed: u64) -> Found<RunContext> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    Ok(RunContext::new("study_dp", Seed(seed), Arc::new(pool)))
}

#[expect(clippy::cast_possible_truncation, reason = "whole numbers of people stay whole")]
fn number(name: &'static str, value: f64) -> (&'static str, Literal) {
    (name, if name == "cohort_size" { Literal::Integer(value as i64) } else { Literal::Float(value) })
}

fn text(name: &'static str, value: &str) -> (&'static str, Literal) {
    (name, Literal::Text(value.to_owned()))
}

fn two_groups(first: &str, second: &str) -> [(&'static str, Literal); 4] {
    let values = [first, second].map(|value| Literal::Text(value.to_owned())).to_vec();
    [
        number("horizon", 1024.0),
        text("strata", "group"),
        ("strata_values", Literal::List(values)),
        text("bands", "none"),
    ]
}

fn subjects(data: &Path, name: &str) -> Found<Subjects> {
    let mut subjects = Subjects::default();
    for line in std::fs::read_to_string(data.join(format!("{name}.csv")))?.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let [time, event, group] = cells.as_slice() else { return Err("a line has not three cells".into()) };
        subjects.0.push(time.parse()?);
        subjects.1.push(*event == "1");
        subjects.2.push((*group).to_owned());
    }
    Ok(subjects)
}

/// Weibull times of shape 1.3 and scale 420 in whole days, the hazard of every second person being `hazard_ratio` times
/// as high; censored evenly between 200 and 1100.
fn simulated(n: usize, hazard_ratio: f64, rng: &mut impl RngCore) -> Subjects {
    let mut subjects = Subjects::default();
    for person in 0..n {
        let group = person % 2;
        let scale = if group == 1 { 420.0 * hazard_ratio.powf(-1.0 / 1.3) } else { 420.0 };
        let event = scale * (-(1.0 - rng.random::<f64>()).ln()).powf(1.0 / 1.3);
        let censoring = 200.0 + 900.0 * rng.random::<f64>();
        subjects.0.push(event.min(censoring).ceil());
        subjects.1.push(event <= censoring);
        subjects.2.push(group.to_string());
    }
    subjects
}

#[expect(clippy::unwrap_used, reason = "three columns of one length")]
fn table((times, events, groups): &Subjects) -> RecordBatch {
    RecordBatch::try_from_iter([
        ("time", Arc::new(Float64Array::from(times.clone())) as ArrayRef),
        ("event", Arc::new(BooleanArray::from(events.clone()))),
        ("group", Arc::new(StringArray::from(groups.clone()))),
    ])
    .unwrap()
}

/// Returns 0 and the distinct times with the survival just after.
fn kaplan_meier((times, events, _): &Subjects) -> Vec<(f64, f64)> {
    let mut distinct = times.clone();
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup();
    let mut curve = vec![(0.0, 1.0)];
    let mut survival = 1.0;
    for t in distinct {
        let at_risk = times.iter().filter(|time| **time >= t).count();
        let of_time = times.iter().zip(events).filter(|(time, event)| **event && time.total_cmp(&t).is_eq());
        survival *= 1.0 - float(of_time.count()) / float(at_risk);
        curve.push((t, survival));
    }
    curve
}

fn at(curve: &[(f64, f64)], time: f64) -> f64 {
    curve[..curve.partition_point(|point| point.0 <= time)].last().map_or(1.0, |point| point.1)
}

/// Returns a released curve at other times, the hazard being constant within a bin.
fn curve_on(release: &RecordBatch, grid: &[f64]) -> Vec<f64> {
    let (ends, survival) = (doubles(release, "time_high"), doubles(release, "survival"));
    let width = ends[0];
    let at = |time: &f64| {
        let bin = ends.partition_point(|end| end <= time);
        let Some(end) = survival.get(bin) else { return survival[survival.len() - 1] };
        let start = if bin == 0 { 1.0 } else { survival[bin - 1] };
        let share = (time - (ends[bin] - width)) / width;
        start.powf(1.0 - share) * end.powf(share)
    };
    grid.iter().map(at).collect()
}

/// Returns the curve by Gondara and Wang (2020) at 0 and the observed times: noise of scale 2 / epsilon on the number at
/// start and on events and censorings at each observed time, negative counts being 0. The times themselves are exact,
/// so this gives away who is alone at a time.
fn gondara_wang((times, events, _): &Subjects, epsilon: f64, rng: &mut impl RngCore) -> Vec<f64> {
    let mut distinct = times.clone();
    distinct.sort_unstable_by(f64::total_cmp);
    distinct.dedup();
    let mut noisy = |count: f64| count + laplace(2.0 / epsilon, rng);
    let mut at_risk = noisy(float(times.len()));
    let mut survival = 1.0;
    let mut curve = vec![1.0];
    for t in distinct {
        let of = |kind: bool| {
            let here = times.iter().zip(events).filter(|(time, event)| **event == kind && time.total_cmp(&t).is_eq());
            float(here.count())
        };
        let (d, c) = (noisy(of(true)).max(0.0), noisy(of(false)).max(0.0));
        if at_risk > 0.0 {
            survival *= 1.0 - (d / at_risk).min(1.0);
            at_risk -= d + c;
        }
        curve.push(survival);
    }
    curve
}

fn laplace(scale: f64, rng: &mut impl RngCore) -> f64 {
    let magnitude = -scale * (1.0 - rng.random::<f64>()).ln();
    if rng.random::<bool>() { magnitude } else { -magnitude }
}

fn doubles(rows: &RecordBatch, column: &str) -> Vec<f64> {
    rows[column].as_primitive::<Float64Type>().iter().map(|value| value.unwrap_or(f64::NAN)).collect()
}

fn rmse(found: &[f64], expected: &[f64]) -> f64 {
    mean(&found.iter().zip(expected).map(|(found, expected)| (found - expected).powi(2)).collect::<Vec<f64>>()).sqrt()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / float(values.len())
}

fn spread(values: &[f64]) -> f64 {
    let centre = mean(values);
    (values.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (float(values.len()) - 1.0)).sqrt()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a list")]
fn quantile(values: &mut [f64], level: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[(level * (float(values.len()) - 1.0)).round() as usize]
}

#[expect(clippy::cast_precision_loss, reason = "few")]
fn float(n: usize) -> f64 {
    n as f64
}
