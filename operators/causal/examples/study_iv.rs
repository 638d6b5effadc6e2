//! Measures whether `iv_ate` keeps what it promises, on simulated studies with a known effect.
//!
//! usage: `study_iv [SETS [cross_fitted]]`
//!
//! Draws SETS (1000) studies of 5000 rows from each design of `simulate_iv`, in which the instrument acts on the outcome
//! itself. On each: the parametric estimator with right models, with the four unions of right models that suffice,
//! and with wrong ones; the cross-fitted estimator; the selected one beside all 16 tuples; and two-stage least squares. Prints
//! Markdown tables of bias, spread, standard errors and coverage of 95 % intervals, then whether each bar is kept, and
//! ends with an error if one is not. With `cross_fitted` only that estimator, for more studies in the same time.

use std::error::Error;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int64Type};
use causeway_causal::iv_ate::{Basis, Guard, InstrumentTerms, Models, Sample, multiply_robust};
use causeway_causal::{iv_ate, iv_selection, simulate_iv};
use causeway_core::{Cancel, Literal, Literals, OperatorFactory, Relation, RunContext, call};

type Found<T> = Result<T, Box<dyn Error + Send + Sync>>;

const N_ROWS: i64 = 5000;

/// The designs, their effects, and whether wrong models are visibly biased there.
const DESIGNS: [(&str, f64, bool); 3] = [("a", 2.25, true), ("b", -1.3, true), ("c", 0.0, false)];

/// Bias allowed where the models suffice.
const MAX_BIAS: f64 = 0.05;

/// Coverage allowed.
const COVERAGE: (f64, f64) = (0.92, 0.975);

/// Every estimator of the first table.
const NAMES: [&str; 9] = [
    "all right",
    "pi and p right",
    "pi, h, beta right",
    "rho, p, beta right",
    "rho, h, beta right",
    "all wrong",
    "cross-fitted",
    "selected",
    "two-stage least squares",
];

/// The estimators that must be right; the first and the seventh also in their intervals.
const RIGHT: std::ops::Range<usize> = 0..5;
const WRONG: usize = 5;
const CROSS_FITTED: usize = 6;
const SELECTED: usize = 7;
const TWO_STAGE: usize = 8;

/// An estimate and its standard error.
type Pair = (f64, f64);

/// What one study gives: the estimators, the statistic of the exclusion contrast, the tuples.
struct Study {
    estimates: Vec<Pair>,
    contrast: f64,
    tuples: Vec<(String, f64)>,
}

#[expect(clippy::print_stdout, reason = "the result of the example")]
fn main() -> Found<()> {
    let n_sets: i64 = std::env::args().nth(1).map_or(Ok(1000), |text| text.parse())?;
    if std::env::args().nth(2).as_deref() == Some("cross_fitted") {
        return cross_fitted(n_sets);
    }
    let mut broken = Vec::new();
    let mut verdicts = Vec::new();
    println!("{n_sets} studies of {N_ROWS} rows from each design of `simulate_iv`, seeds 1 to {n_sets}.\n");
    println!("| design (effect) | estimator | bias | its error | spread | mean standard error | coverage of 95 % |");
    println!("|---|---|---|---|---|---|---|");
    let mut selections = String::new();
    for (design, ate, is_visible) in DESIGNS {
        let studies = of_each(n_sets, |seed| study(design, seed))?;
        for (index, name) in NAMES.into_iter().enumerate() {
            let summary = Summary::of(&studies.iter().map(|study| study.estimates[index]).collect::<Vec<Pair>>(), ate);
            println!("| {design} ({ate}) | {name} | {summary} |");
            verdicts.extend(verdict(design, index, &summary, is_visible));
        }
        let (text, kept) = selection(design, ate, &studies);
        selections.push_str(&text);
        verdicts.push(kept);
        let rejected = studies.iter().filter(|study| study.contrast.abs() > 1.96).count();
        verdicts.push((
            format!(
                "{design}: the exclusion contrast rejects at 5 % in {:.3} of the studies (invalid instrument)",
                share(rejected, studies.len())
            ),
            rejected * 10 >= studies.len() * 9,
        ));
    }
    println!(
        "\n| design | root mean squared error of the selected tuple | best, median and worst tuple | chosen most often |"
    );
    println!("|---|---|---|---|");
    print!("{selections}");
    let valid = valid_contrast(n_sets)?;
    verdicts.push((
        format!("c with a valid instrument: the exclusion contrast rejects at 5 % in {valid:.3} of the studies"),
        valid <= 0.1,
    ));
    println!("\n| bar | kept |\n|---|---|");
    for (words, kept) in verdicts {
        println!("| {words} | {} |", if kept { "yes" } else { "no" });
        if !kept {
            broken.push(words);
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(format!("not kept: {}", broken.join("; ")).into()) }
}

/// Prints bias and coverage of the cross-fitted estimator alone.
#[expect(clippy::print_stdout, reason = "the result of the example")]
fn cross_fitted(n_sets: i64) -> Found<()> {
    println!(
        "| design (effect), {n_sets} studies | bias | its error | spread | mean standard error | coverage of 95 % |"
    );
    println!("|---|---|---|---|---|---|");
    let options = [("covariates", list(&["x1", "x2", "x3"])), ("estimator", word("dml"))];
    for (design, ate, _) in DESIGNS {
        let estimate = |seed: i64| pair(&run(&iv_ate::Factory, &options, &simulated(design, 1.0, seed)?)?, "ate");
        println!("| {design} ({ate}) | {} |", Summary::of(&of_each(n_sets, estimate)?, ate));
    }
    Ok(())
}

/// Computes something of each seed, in threads of its own: a pool would start seeds within seeds while operators wait.
fn of_each<T: Send>(n_sets: i64, work: impl Fn(i64) -> Found<T> + Sync) -> Found<Vec<T>> {
    let n_threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let seeds: Vec<i64> = (1..=n_sets).collect();
    let work = &work;
    std::thread::scope(|scope| {
        let parts = seeds.chunks(seeds.len().div_ceil(n_threads).max(1));
        let threads: Vec<_> = parts
            .map(|part| scope.spawn(move || part.iter().map(|seed| work(*seed)).collect::<Found<Vec<T>>>()))
            .collect();
        let mut found = Vec::with_capacity(seeds.len());
        for thread in threads {
            found.extend(thread.join().map_err(|_| "a thread ended early")??);
        }
        Ok(found)
    })
}

/// Draws a study and estimates its effect in every way.
fn study(design: &str, seed: i64) -> Found<Study> {
    let rows = simulated(design, 1.0, seed)?;
    let sample = sample(&rows);
    let mut estimates = Vec::with_capacity(NAMES.len());
    for models in models() {
        let guard = Guard { min_d: 1e-3, weak_share: 1.0 };
        let found =
            multiply_robust(&sample, &models, &guard, &Cancel::default()).map_err(|fault| format!("{fault:?}"))?;
        estimates.push((found.ate, found.std_error));
    }
    let covariates = ("covariates", list(&["x1", "x2", "x3"]));
    let fitted = |estimator: &str| -> Found<RecordBatch> {
        run(
            &iv_ate::Factory,
            &[covariates.clone(), ("estimator", word(estimator)), ("weak_share", Literal::Integer(1))],
            &rows,
        )
    };
    let parametric = fitted("mr")?;
    estimates.push(pair(&fitted("dml")?, "ate")?);
    estimates.push(pair(&fitted("selective")?, "ate")?);
    estimates.push(pair(&parametric, "two_stage_least_squares")?);
    let (difference, error) = pair(&parametric, "exclusion_contrast")?;
    let table = run(&iv_selection::Factory, &[covariates], &rows)?;
    Ok(Study { estimates, contrast: difference / error, tuples: tuples(&table) })
}

/// Returns how often the contrast rejects a valid instrument: design c, where the effect is the same for all.
fn valid_contrast(n_sets: i64) -> Found<f64> {
    let covariates = [("covariates", list(&["x1", "x2", "x3"]))];
    let rejects = |seed: i64| -> Found<bool> {
        let found = run(&iv_ate::Factory, &covariates, &simulated("c", 0.0, seed)?)?;
        let (difference, error) = pair(&found, "exclusion_contrast")?;
        Ok((difference / error).abs() > 1.96)
    };
    let rejected = of_each(n_sets, rejects)?;
    Ok(share(rejected.iter().filter(|rejects| **rejects).count(), rejected.len()))
}

fn simulated(design: &str, direct_effect: f64, seed: i64) -> Found<RecordBatch> {
    let options = [
        ("design", word(design)),
        ("n_rows", Literal::Integer(N_ROWS)),
        ("direct_effect", Literal::Float(direct_effect)),
        ("seed", Literal::Integer(seed)),
    ];
    gather(&simulate_iv::Factory, &options, Vec::new())
}

/// Reads the study with x1, x2, x3, x1^2, x2^2 and x1^2 + x2^2 + 0.5 as covariates 0 to 5.
fn sample(rows: &RecordBatch) -> Sample {
    let numbers = |name: &str| rows[name].as_primitive::<Float64Type>().values().to_vec();
    let flags = |name: &str| rows[name].as_primitive::<Int64Type>().values().iter().map(|flag| *flag == 1).collect();
    let (x1, x2) = (numbers("x1"), numbers("x2"));
    let square = |column: &[f64]| column.iter().map(|value| value * value).collect::<Vec<f64>>();
    let both = x1.iter().zip(&x2).map(|(x1, x2)| x1 * x1 + x2 * x2 + 0.5).collect();
    let (first, second) = (square(&x1), square(&x2));
    Sample {
        outcome: numbers("outcome"),
        treatment: flags("treatment"),
        instrument: flags("instrument"),
        covariates: vec![x1, x2, numbers("x3"), first, second, both],
    }
}

/// The models of the first six estimators.
fn models() -> [Models; 6] {
    let right = || Models {
        instrument: Basis::of(0..3, InstrumentTerms::Absent),
        treatment: Basis::of(0..3, InstrumentTerms::Interacted),
        outcome: Basis::of(0..3, InstrumentTerms::Interacted),
        confounding: Basis::of(0..3, InstrumentTerms::Absent),
        effect: Basis::of(0..3, InstrumentTerms::Absent),
    };
    let wrong = || Models {
        instrument: Basis::of([3], InstrumentTerms::Absent),
        treatment: Basis::of([3], InstrumentTerms::Added),
        outcome: Basis::of([4], InstrumentTerms::Absent),
        confounding: Basis { constant: false, covariates: vec![5], instrument: InstrumentTerms::Absent },
        effect: Basis::of([3], InstrumentTerms::Absent),
    };
    [
        right(),
        Models { instrument: right().instrument, treatment: right().treatment, ..wrong() },
        Models { treatment: wrong().treatment, confounding: wrong().confounding, ..right() },
        Models { instrument: wrong().instrument, outcome: wrong().outcome, ..right() },
        Models { instrument: wrong().instrument, treatment: wrong().treatment, ..right() },
        wrong(),
    ]
}

/// Bias, spread and coverage of an estimator.
struct Summary {
    bias: f64,
    bias_error: f64,
    spread: f64,
    std_error: f64,
    coverage: f64,
}

impl Summary {
    fn of(pairs: &[Pair], truth: f64) -> Self {
        let n = float(pairs.len());
        let centre = mean(pairs.iter().map(|pair| pair.0));
        let spread = (pairs.iter().map(|pair| (pair.0 - centre).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
        let covers = |pair: &&Pair| (pair.0 - truth).abs() <= 1.959_963_984_540_054 * pair.1;
        Self {
            bias: centre - truth,
            bias_error: spread / n.sqrt(),
            spread,
            std_error: mean(pairs.iter().map(|pair| pair.1)),
            coverage: share(pairs.iter().filter(covers).count(), pairs.len()),
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { bias, bias_error, spread, std_error, coverage } = self;
        write!(f, "{bias:+.3} | {bias_error:.3} | {spread:.3} | {std_error:.3} | {coverage:.3}")
    }
}

/// Holds an estimator to its bar, if it has one.
fn verdict(design: &str, index: usize, summary: &Summary, is_visible: bool) -> Vec<(String, bool)> {
    let name = NAMES[index];
    let mut verdicts = Vec::new();
    if RIGHT.contains(&index) || index == CROSS_FITTED {
        verdicts.push((format!("{design}: {name}: bias at most {MAX_BIAS}"), summary.bias.abs() <= MAX_BIAS));
    }
    if index == 0 || index == CROSS_FITTED {
        let kept = (COVERAGE.0..=COVERAGE.1).contains(&summary.coverage);
        verdicts.push((format!("{design}: {name}: coverage in [{}, {}]", COVERAGE.0, COVERAGE.1), kept));
    }
    if index == WRONG && is_visible || index == TWO_STAGE {
        let kept = summary.bias.abs() > 5.0 * summary.bias_error && summary.bias.abs() > 2.0 * MAX_BIAS;
        verdicts.push((format!("{design}: {name}: visible bias"), kept));
    }
    verdicts
}

/// Compares the selected tuple with single ones; it must not be worse than the worst by more than chance.
fn selection(design: &str, ate: f64, studies: &[Study]) -> (String, (String, bool)) {
    let squares = |estimate: &dyn Fn(&Study) -> f64| {
        studies.iter().map(|study| (estimate(study) - ate).powi(2)).collect::<Vec<f64>>()
    };
    let selected = squares(&|study| study.estimates[SELECTED].0);
    let n_tuples = studies.first().map_or(0, |study| study.tuples.len());
    let mut errors: Vec<Vec<f64>> = (0..n_tuples).map(|index| squares(&|study| study.tuples[index].1)).collect();
    errors.sort_by(|a, b| mean(a.iter().copied()).total_cmp(&mean(b.iter().copied())));
    let root = |values: &[f64]| mean(values.iter().copied()).sqrt();
    let worst = errors.last().cloned().unwrap_or_default();
    let differences: Vec<f64> = selected.iter().zip(&worst).map(|(own, worst)| own - worst).collect();
    let centre = mean(differences.iter().copied());
    let n = float(differences.len());
    let error = (differences.iter().map(|value| (value - centre).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    let mut chosen: Vec<(&str, usize)> = Vec::new();
    for study in studies {
        let best = study.tuples.first().map_or("", |_| nearest(study));
        match chosen.iter_mut().find(|(name, _)| *name == best) {
            Some((_, count)) => *count += 1,
            None => chosen.push((best, 1)),
        }
    }
    let often = chosen.iter().max_by_key(|(_, count)| *count).map_or(("", 0), |pair| *pair);
    let text = format!(
        "| {design} | {:.3} | {:.3}, {:.3}, {:.3} | {} ({:.2}) |\n",
        root(&selected),
        errors.first().map_or(f64::NAN, |best| root(best)),
        errors.get(n_tuples / 2).map_or(f64::NAN, |middle| root(middle)),
        root(&worst),
        often.0,
        share(often.1, studies.len())
    );
    (text, (format!("{design}: the selected tuple is not worse than the worst one"), centre <= error))
}

/// Returns the name of the tuple whose estimate was selected.
fn nearest(study: &Study) -> &str {
    let selected = study.estimates[SELECTED].0;
    let distance = |tuple: &&(String, f64)| (tuple.1 - selected).abs();
    study.tuples.iter().min_by(|a, b| distance(a).total_cmp(&distance(b))).map_or("", |tuple| tuple.0.as_str())
}

/// Returns names and estimates of the tuples.
fn tuples(table: &RecordBatch) -> Vec<(String, f64)> {
    let names = ["instrument", "treatment", "outcome", "confounding"]
        .map(|nuisance| table[format!("{nuisance}_learner").as_str()].as_string::<i32>());
    let estimates = table["estimate"].as_primitive::<Float64Type>();
    (0..table.num_rows()).map(|row| (names.map(|names| names.value(row)).join("\\|"), estimates.value(row))).collect()
}

/// Returns estimate and standard error of a term.
fn pair(found: &RecordBatch, term: &str) -> Found<Pair> {
    let row = found["term"].as_string::<i32>().iter().position(|name| name == Some(term)).ok_or("no such term")?;
    let value = |column: &str| {
        let values = found[column].as_primitive::<Float64Type>();
        if values.is_null(row) { f64::NAN } else { values.value(row) }
    };
    Ok((value("estimate"), value("std_error")))
}

fn run(factory: &dyn OperatorFactory, options: &[(&str, Literal)], rows: &RecordBatch) -> Found<RecordBatch> {
    gather(factory, options, vec![Relation::from_batches(rows.schema(), vec![rows.clone()])])
}

/// Calls an operator and returns its rows as one batch.
fn gather(factory: &dyn OperatorFactory, options: &[(&str, Literal)], inputs: Vec<Relation>) -> Found<RecordBatch> {
    let mut literals = Literals::default();
    for (name, value) in options {
        literals.insert(*name, value.clone());
    }
    let output = call(factory, literals, inputs, &mut RunContext::for_test(1)?)?;
    let schema = output.batches.first().ok_or("no rows")?.schema();
    Ok(concat_batches(&schema, &output.batches)?)
}

fn word(text: &str) -> Literal {
    Literal::Text(text.to_owned())
}

fn list(words: &[&str]) -> Literal {
    Literal::List(words.iter().map(|text| word(text)).collect())
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let n = float(values.len());
    values.sum::<f64>() / n
}

fn share(part: usize, whole: usize) -> f64 {
    float(part) / float(whole)
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^53")]
fn float(count: usize) -> f64 {
    count as f64
}
