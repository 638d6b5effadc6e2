use approx::assert_relative_eq;
use proptest::prelude::*;

use super::*;

fn features(columns: &[&[f64]]) -> Features {
    let n_rows = columns.first().map_or(0, |column| column.len());
    Features::new(n_rows, columns.iter().map(|column| column.to_vec()).collect()).unwrap()
}

fn fit(columns: &[&[f64]], outcomes: &[f64]) -> Result<Box<dyn Model>> {
    Logit.fit(&features(columns), outcomes, &Training::seeded(0))
}

/// Dose and deaths: 8 doses with several beetles each, by rows.
fn beetles() -> (Vec<f64>, Vec<f64>) {
    // Bliss 1935: log10 dose of carbon disulphide, number exposed, number killed
    let table = [
        (1.6907, 59, 6),
        (1.7242, 60, 13),
        (1.7552, 62, 18),
        (1.7842, 56, 28),
        (1.8113, 63, 52),
        (1.8369, 59, 53),
        (1.8610, 62, 61),
        (1.8839, 60, 60),
    ];
    let mut rows = (Vec::new(), Vec::new());
    for (dose, n, killed) in table {
        for beetle in 0..n {
            rows.0.push(dose);
            rows.1.push(if beetle < killed { 1.0 } else { 0.0 });
        }
    }
    rows
}

#[test]
fn beetles_of_bliss() {
    // Dobson, An Introduction to Generalized Linear Models, table 7.3: -60.717 and 34.270
    let (dose, died) = beetles();
    let model = fit(&[&dose], &died).unwrap();
    assert_relative_eq!(model.weights().unwrap()[0], 34.270, epsilon = 6e-4);
    let at_zero = Features::new(1, vec![vec![1.7717]]).unwrap();
    let expected = 1.0 / (1.0 + (60.717_f64 - 34.270 * 1.7717).exp());
    assert_relative_eq!(model.predict(&at_zero)[0], expected, epsilon = 3e-4);
}

#[test]
fn of_two_groups_the_shares_are_learned() {
    let group = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    let died = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0];
    let model = fit(&[&group], &died).unwrap();
    let shares = model.predict(&features(&[&[0.0, 1.0]]));
    // 1e-11 is where the steps end
    assert_relative_eq!(shares[0], 0.25, max_relative = 1e-11);
    assert_relative_eq!(shares[1], 2.0 / 3.0, max_relative = 1e-11);
    assert_relative_eq!(model.weights().unwrap()[0], 6.0_f64.ln(), max_relative = 1e-11);
}

#[test]
fn names_the_column_that_separates() {
    let noise = [0.3, -0.2, 0.9, 0.1, -0.5, 0.4, 0.2, -0.9];
    let dose = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];
    let died = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    let alone = LearnError::Separation { column: 1, alone: true };
    assert_eq!(fit(&[&noise, &dose], &died).unwrap_err(), alone);
    // quasi-complete: the classes share one value
    let died = [0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    let tied = [1.0, 2.0, 3.0, 4.0, 4.0, 6.0, 7.0, 8.0];
    let shared = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    assert_eq!(fit(&[&noise, &tied], &shared).unwrap_err(), alone);
    assert_eq!(fit(&[&noise, &dose], &died).unwrap_err(), alone);
    // neither column alone, their sum does
    let (a, b) = ([0.0, 2.0, 1.0, 3.0, 0.5, 2.5], [2.0, 0.1, 1.5, -0.5, 2.5, 0.6]);
    let above = [0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
    assert!(matches!(fit(&[&a, &b], &above).unwrap_err(), LearnError::Separation { alone: false, .. }));
}

#[test]
fn refuses_what_has_no_single_answer() {
    let x: &[f64] = &[1.0, 2.0, 4.0, 7.0, 3.0];
    let y = [1.0, 0.0, 0.0, 1.0, 1.0];
    assert_eq!(fit(&[x, x], &y).unwrap_err(), LearnError::Collinear { column: 1 });
    assert_eq!(fit(&[x], &[1.0; 5]).unwrap_err(), LearnError::OneClass);
    assert_eq!(fit(&[x], &[1.0, 0.0, 0.5, 1.0, 1.0]).unwrap_err(), LearnError::NotBinary);
    let few = Features::new(2, vec![vec![1.0, 2.0]; 2]).unwrap();
    let error = Logit.fit(&few, &[0.0, 1.0], &Training::seeded(0)).unwrap_err();
    assert_eq!(error, LearnError::FewRows { n_rows: 2, needed: 3 });
}

#[test]
fn far_starts_come_to_the_same_end() {
    // 4000 rows, so that the first weights come from every 16th row
    let dose: Vec<f64> = (0..4000).map(|row| f64::from(row * 37 % 101) / 10.0).collect();
    let died: Vec<f64> = (0..4000).map(|row| f64::from(u8::from(row * 53 % 89 < 8 * (row * 37 % 101) / 10))).collect();
    let model = fit(&[&dose], &died).unwrap();
    let fitted = model.predict(&features(&[&dose]));
    let score: f64 = fitted.iter().zip(&died).zip(&dose).map(|((p, y), x)| (y - p) * x).sum();
    assert!(score.abs() < 1e-8, "{score}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// At the largest likelihood the residuals are orthogonal to every column.
    #[test]
    fn the_score_is_zero(
        rows in prop::collection::vec((-1.0_f64..1.0, 0_u8..2), 40..120), shift in -1e4_f64..1e4,
    ) {
        let column: Vec<f64> = rows.iter().map(|row| row.0 + shift).collect();
        let outcomes: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
        let Ok(model) = fit(&[&column], &outcomes) else { return Ok(()) };
        let fitted = model.predict(&features(&[&column]));
        let score: f64 = rows.iter().zip(outcomes.iter().zip(&fitted)).map(|(row, (y, p))| row.0 * (y - p)).sum();
        prop_assert!(score.abs() < 1e-8, "{score}");
        prop_assert!((outcomes.iter().sum::<f64>() - fitted.iter().sum::<f64>()).abs() < 1e-8);
    }
}
