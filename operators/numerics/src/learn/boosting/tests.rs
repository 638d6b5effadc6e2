use super::super::kernels::probability;
use super::*;

fn noise(row: u32, stream: u32) -> f64 {
    let angle = (f64::from(row) + 1.0) * (f64::from(stream) + 2.0).sqrt() * 7.31;
    (angle.sin() * 43_758.545).fract().abs()
}

fn columns(n: u32, first: u32) -> Vec<Vec<f64>> {
    (0..3).map(|stream| (first..first + n).map(|row| noise(row, stream)).collect()).collect()
}

fn signal(columns: &[Vec<f64>]) -> Vec<f64> {
    columns[0].iter().zip(&columns[1]).map(|(a, b)| (6.0 * a).sin() + b * b).collect()
}

#[test]
fn learns_a_wave() {
    let (train, test) = (columns(4000, 0), columns(1000, 10_000));
    let outcomes: Vec<f64> = signal(&train).iter().zip(0..).map(|(s, row)| s + noise(row, 9) - 0.5).collect();
    let features = Features::new(4000, train).unwrap();
    let expected = signal(&test);
    let held_out = Features::new(1000, test).unwrap();
    let model = Boosting::new(Loss::Squared).fit(&features, &outcomes, &Training::seeded(0)).unwrap();
    let found = model.predict(&held_out);
    let error = (expected.iter().zip(&found).map(|(s, f)| (s - f).powi(2)).sum::<f64>() / 1000.0).sqrt();
    // the signal has a standard deviation of 0.7
    assert!(error < 0.08, "{error}");
}

#[test]
fn learns_a_probability() {
    let train = columns(6000, 0);
    let share: Vec<f64> = signal(&train).iter().map(|signal| probability(2.0 * signal)).collect();
    let classes: Vec<f64> = share.iter().zip(0..).map(|(p, row)| f64::from(u8::from(noise(row, 9) < *p))).collect();
    let features = Features::new(6000, train).unwrap();
    let model = Boosting::new(Loss::Logistic).fit(&features, &classes, &Training::seeded(0)).unwrap();
    let found = model.predict(&features);
    let error = (share.iter().zip(&found).map(|(s, f)| (s - f).powi(2)).sum::<f64>() / 6000.0).sqrt();
    assert!(error < 0.06, "{error}");
    assert!(found.iter().all(|share| *share > 0.0 && *share < 1.0));
}

#[test]
fn one_round_is_by_hand() {
    let features = Features::new(4, vec![vec![1.0, 2.0, 3.0, 4.0]]).unwrap();
    let boosting = Boosting { n_rounds: 1, depth: 1, min_leaf: 1, learning_rate: 0.5, ..Boosting::new(Loss::Squared) };
    let model = boosting.fit(&features, &[0.0, 0.0, 4.0, 4.0], &Training::seeded(0)).unwrap();
    // residuals -2, -2, 2, 2: leaves of -4 / 3 and 4 / 3, of which half is added to the mean 2
    for (found, expected) in model.predict(&features).iter().zip([4.0 / 3.0, 4.0 / 3.0, 8.0 / 3.0, 8.0 / 3.0]) {
        assert!((found - expected).abs() < 1e-14);
    }
    let error = Boosting::new(Loss::Logistic).fit(&features, &[1.0; 4], &Training::seeded(0)).unwrap_err();
    assert_eq!(error, LearnError::OneClass);
}
