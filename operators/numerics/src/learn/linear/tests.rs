use approx::assert_relative_eq;
use proptest::prelude::*;

use super::*;

fn features(columns: &[&[f64]]) -> Features {
    let n_rows = columns.first().map_or(0, |column| column.len());
    Features::new(n_rows, columns.iter().map(|column| column.to_vec()).collect()).unwrap()
}

fn fit(columns: &[&[f64]], outcomes: &[f64]) -> Result<Box<dyn Model>> {
    Linear.fit(&features(columns), outcomes, &Training::seeded(0))
}

#[test]
fn longley_by_hand_of_nist() {
    // NIST StRD, data set Longley: certified weights
    let y = [
        60323.0, 61122.0, 60171.0, 61187.0, 63221.0, 63639.0, 64989.0, 63761.0, 66019.0, 67857.0, 68169.0, 66513.0,
        68655.0, 69564.0, 69331.0, 70551.0,
    ];
    let columns: [&[f64]; 6] = [
        &[83.0, 88.5, 88.2, 89.5, 96.2, 98.1, 99.0, 100.0, 101.2, 104.6, 108.4, 110.8, 112.6, 114.2, 115.7, 116.9],
        &[
            234289.0, 259426.0, 258054.0, 284599.0, 328975.0, 346999.0, 365385.0, 363112.0, 397469.0, 419180.0,
            442769.0, 444546.0, 482704.0, 502601.0, 518173.0, 554894.0,
        ],
        &[
            2356.0, 2325.0, 3682.0, 3351.0, 2099.0, 1932.0, 1870.0, 3578.0, 2904.0, 2822.0, 2936.0, 4681.0, 3813.0,
            3931.0, 4806.0, 4007.0,
        ],
        &[
            1590.0, 1456.0, 1616.0, 1650.0, 3099.0, 3594.0, 3547.0, 3350.0, 3048.0, 2857.0, 2798.0, 2637.0, 2552.0,
            2514.0, 2572.0, 2827.0,
        ],
        &[
            107608.0, 108632.0, 109773.0, 110929.0, 112075.0, 113270.0, 115094.0, 116219.0, 117388.0, 118734.0,
            120445.0, 121950.0, 123366.0, 125368.0, 127852.0, 130081.0,
        ],
        &[
            1947.0, 1948.0, 1949.0, 1950.0, 1951.0, 1952.0, 1953.0, 1954.0, 1955.0, 1956.0, 1957.0, 1958.0, 1959.0,
            1960.0, 1961.0, 1962.0,
        ],
    ];
    let certified = [
        15.061_872_271_373_3,
        -0.035_819_179_292_590_8,
        -2.020_229_803_816_83,
        -1.033_226_867_173_59,
        -0.051_104_105_653_580_7,
        1_829.151_464_613_55,
    ];
    let model = fit(&columns, &y).unwrap();
    for (found, expected) in model.weights().unwrap().iter().zip(certified) {
        assert_relative_eq!(*found, expected, max_relative = 1e-9);
    }
}

#[test]
fn without_columns_the_mean_is_learned() {
    let none = Features::new(3, Vec::new()).unwrap();
    let model = Linear.fit(&none, &[1.0, 2.0, 6.0], &Training::seeded(0)).unwrap();
    assert_relative_eq!(model.predict(&Features::new(1, Vec::new()).unwrap())[0], 3.0, max_relative = 1e-15);
}

#[test]
fn refuses_what_has_no_single_answer() {
    let x: &[f64] = &[1.0, 2.0, 4.0, 7.0];
    let twice: &[f64] = &[2.5, 4.5, 8.5, 14.5];
    let y = [1.0, 0.0, 2.0, 5.0];
    assert_eq!(fit(&[x, twice], &y).unwrap_err(), LearnError::Collinear { column: 1 });
    assert_eq!(fit(&[x, &[0.1; 4]], &y).unwrap_err(), LearnError::Constant { column: 1 });
    assert_eq!(fit(&[&x[..1]], &y[..1]).unwrap_err(), LearnError::FewRows { n_rows: 1, needed: 2 });
    assert_eq!(fit(&[x], &y[..3]).unwrap_err(), LearnError::Shape);
    assert_eq!(fit(&[x], &[f64::NAN; 4]).unwrap_err(), LearnError::NotFinite);
    assert_eq!(fit(&[&[1e300, 0.0, -1e300, 3.0]], &y).unwrap_err(), LearnError::NotFinite);
    assert_eq!(Features::new(1, vec![vec![f64::INFINITY]]).unwrap_err(), LearnError::NotFinite);
    let cancelled = Training { seed: 0, cancelled: &|| true };
    assert_eq!(Linear.fit(&features(&[x]), &y, &cancelled).unwrap_err(), LearnError::Cancelled);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// The residuals are orthogonal to every column, whatever its mean.
    #[test]
    fn residuals_are_orthogonal_to_the_columns(
        rows in prop::collection::vec((-1.0_f64..1.0, -1.0_f64..1.0, -5.0_f64..5.0), 10..80), shift in -1e6_f64..1e6,
    ) {
        let first: Vec<f64> = rows.iter().map(|row| row.0 + shift).collect();
        let second: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let outcomes: Vec<f64> = rows.iter().map(|row| row.2).collect();
        let fitted = fit(&[&first, &second], &outcomes).unwrap().predict(&features(&[&first, &second]));
        let residuals: Vec<f64> = outcomes.iter().zip(&fitted).map(|(outcome, fitted)| outcome - fitted).collect();
        let product = |column: &mut dyn Iterator<Item = f64>| column.zip(&residuals).map(|(x, r)| x * r).sum::<f64>();
        prop_assert!(product(&mut rows.iter().map(|row| row.0)).abs() < 1e-7);
        prop_assert!(product(&mut rows.iter().map(|row| row.1)).abs() < 1e-7);
        prop_assert!(product(&mut std::iter::repeat(1.0)).abs() < 1e-7);
    }
}
