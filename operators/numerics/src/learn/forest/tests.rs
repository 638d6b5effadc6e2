use super::*;

fn noise(row: u32, stream: u32) -> f64 {
    let angle = (f64::from(row) + 1.0) * (f64::from(stream) + 2.0).sqrt() * 7.31;
    (angle.sin() * 43_758.545).fract().abs()
}

/// Rows of y = step(x0) + x1 x2 + noise, four columns.
fn rows(n: u32, first: u32) -> (Features, Vec<f64>, Vec<f64>) {
    let columns: Vec<Vec<f64>> =
        (0..4).map(|stream| (first..first + n).map(|row| noise(row, stream)).collect()).collect();
    let signal: Vec<f64> = (0..n as usize)
        .map(|row| f64::from(u8::from(columns[0][row] > 0.5)) + columns[1][row] * columns[2][row])
        .collect();
    let outcomes = signal.iter().zip(first..).map(|(signal, row)| signal + noise(row, 9) - 0.5).collect();
    (Features::new(n as usize, columns).unwrap(), signal, outcomes)
}

#[test]
fn learns_a_step_and_a_product() {
    let (features, _, outcomes) = rows(4000, 0);
    let (held_out, signal, _) = rows(1000, 10_000);
    let forest = Forest { columns: ColumnShare::All, ..Forest::default() };
    let found = forest.fit(&features, &outcomes, &Training::seeded(1)).unwrap().predict(&held_out);
    let error = (signal.iter().zip(&found).map(|(s, f)| (s - f).powi(2)).sum::<f64>() / 1000.0).sqrt();
    // the signal has a standard deviation of 0.55
    assert!(error < 0.06, "{error}");
}

#[test]
fn the_seed_alone_decides_and_probabilities_stay_within_their_range() {
    let (features, signal, _) = rows(500, 0);
    let classes: Vec<f64> = signal.iter().map(|signal| f64::from(u8::from(*signal > 0.9))).collect();
    let fit = |seed| Forest::default().fit(&features, &classes, &Training::seeded(seed)).unwrap().predict(&features);
    let found = fit(1);
    assert_eq!(found, fit(1));
    assert_ne!(found, fit(2));
    assert!(found.iter().all(|share| (-1e-12..=1.0 + 1e-12).contains(share)));
}

#[test]
fn without_columns_or_spread_the_mean_is_learned() {
    let outcomes = [2.0, 4.0, 9.0];
    let none = Features::new(3, Vec::new()).unwrap();
    let same = Features::new(3, vec![vec![1.0; 3]]).unwrap();
    for features in [none, same] {
        let found =
            Forest { n_trees: 2000, ..Forest::default() }.fit(&features, &outcomes, &Training::seeded(0)).unwrap();
        assert!((found.predict(&features)[0] - 5.0).abs() < 0.2);
    }
    let empty = Features::new(0, Vec::new()).unwrap();
    let error = Forest::default().fit(&empty, &[], &Training::seeded(0)).unwrap_err();
    assert_eq!(error, LearnError::FewRows { n_rows: 0, needed: 1 });
}

#[test]
fn the_memory_of_deep_trees_is_bounded_by_the_rows_and_of_flat_ones_by_their_depth() {
    let deep = Forest { n_trees: 1000, depth: 30, min_leaf: 1, columns: ColumnShare::All };
    let flat = Forest { depth: 2, ..deep };
    assert!(deep.bytes(100_000, 10) > 1000 * 100_000 * 2 * 16);
    assert!(flat.bytes(100_000, 10) < 100_000 * 100 + 1000 * 8 * 32);
    assert!(Forest { n_trees: u32::MAX, ..deep }.bytes(usize::MAX / 8, 10) > usize::MAX / 2);
}
