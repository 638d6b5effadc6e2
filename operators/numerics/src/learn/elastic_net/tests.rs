use approx::assert_relative_eq;

use super::*;

/// Columns and outcomes with few true weights, from a fixed generator.
fn rows(n: u32) -> (Vec<Vec<f64>>, Vec<f64>) {
    let noise = |row: u32, stream: u32| {
        let angle = (f64::from(row) + 1.0) * (f64::from(stream) + 2.0).sqrt() * 7.31;
        (angle.sin() * 43_758.545).fract() * 2.0
    };
    let columns: Vec<Vec<f64>> = (0..6).map(|stream| (0..n).map(|row| noise(row, stream)).collect()).collect();
    let outcomes = (0..n).map(|row| 3.0 + 2.0 * noise(row, 0) - noise(row, 2) + noise(row, 9)).collect();
    (columns, outcomes)
}

fn fit(net: ElasticNet, columns: &[Vec<f64>], outcomes: &[f64]) -> Result<Box<dyn Model>> {
    net.fit(&Features::new(outcomes.len(), columns.to_vec())?, outcomes, &Training::seeded(0))
}

fn lasso(loss: Loss, penalty: f64) -> ElasticNet {
    ElasticNet { loss, l1_ratio: 1.0, penalty: Some(penalty) }
}

#[test]
fn of_one_column_the_weight_shrinks_by_the_penalty() {
    // a column of -1 and 1: the least squares weight is 2, of which the lasso takes 0.5, ridge leaves 2 / 1.5
    let columns = [vec![-1.0, 1.0, -1.0, 1.0]];
    let outcomes = [-1.0, 3.0, -2.0, 2.0];
    let weight = |net| fit(net, &columns, &outcomes).unwrap().weights().unwrap()[0];
    assert_relative_eq!(weight(lasso(Loss::Squared, 0.5)), 1.5, max_relative = 1e-12);
    let ridge = ElasticNet { l1_ratio: 0.0, ..lasso(Loss::Squared, 0.5) };
    assert_relative_eq!(weight(ridge), 2.0 / 1.5, max_relative = 1e-8);
    assert_relative_eq!(weight(lasso(Loss::Squared, 2.1)), 0.0);
}

/// At the minimum every weight's slope is the penalty's: -sign(w) l1 - w ridge, or within l1 of 0.
fn assert_minimal(net: ElasticNet, columns: &[Vec<f64>], outcomes: &[f64]) {
    let penalty = net.penalty.unwrap();
    let features = Features::new(outcomes.len(), columns.to_vec()).unwrap();
    let model = fit(net, columns, outcomes).unwrap();
    let fitted = model.predict(&features);
    let n = outcomes.len() as f64;
    for (column, weight) in columns.iter().zip(model.weights().unwrap()) {
        let mean = column.iter().sum::<f64>() / n;
        let deviation = (column.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
        let products = column.iter().zip(outcomes.iter().zip(&fitted)).map(|(x, (y, fit))| (x - mean) * (y - fit));
        let slope = products.sum::<f64>() / n / deviation;
        let scaled = weight * deviation;
        let ridge = penalty * (1.0 - net.l1_ratio) * scaled;
        if scaled.abs() > 0.0 {
            assert_relative_eq!(slope, penalty * net.l1_ratio * scaled.signum() + ridge, epsilon = 1e-6);
        } else {
            assert!(slope.abs() <= penalty * net.l1_ratio + 1e-6);
        }
    }
    assert_relative_eq!(outcomes.iter().sum::<f64>() / n, fitted.iter().sum::<f64>() / n, epsilon = 1e-7);
}

#[test]
fn the_slope_of_the_loss_is_that_of_the_penalty() {
    let (columns, outcomes) = rows(200);
    let classes: Vec<f64> = outcomes.iter().map(|outcome| f64::from(u8::from(*outcome > 3.0))).collect();
    for l1_ratio in [1.0, 0.5] {
        for penalty in [0.01, 0.1] {
            let net = ElasticNet { loss: Loss::Squared, l1_ratio, penalty: Some(penalty) };
            assert_minimal(net, &columns, &outcomes);
            assert_minimal(ElasticNet { loss: Loss::Logistic, ..net }, &columns, &classes);
        }
    }
}

#[test]
fn the_penalty_chosen_keeps_the_true_weights() {
    let (columns, outcomes) = rows(1000);
    let net = ElasticNet { penalty: None, ..lasso(Loss::Squared, 0.0) };
    let model = fit(net, &columns, &outcomes).unwrap();
    let weights = model.weights().unwrap();
    assert!((weights[0] - 2.0).abs() < 0.15 && (weights[2] + 1.0).abs() < 0.15, "{weights:?}");
    assert!([1, 3, 4, 5].iter().all(|column| weights[*column].abs() < 0.1), "{weights:?}");
    let classes: Vec<f64> = outcomes.iter().map(|outcome| f64::from(u8::from(*outcome > 3.0))).collect();
    let model = fit(ElasticNet { loss: Loss::Logistic, ..net }, &columns, &classes).unwrap();
    let weights = model.weights().unwrap();
    assert!(weights[0] > 1.0 && weights[2] < -0.5 && weights[0] > 3.0 * weights[1].abs(), "{weights:?}");
}

#[test]
fn columns_that_least_squares_refuses_are_no_obstacle() {
    let (mut columns, outcomes) = rows(200);
    columns.push(columns[0].clone());
    columns.push(vec![4.0; 200]);
    let net = ElasticNet { penalty: Some(0.01), l1_ratio: 0.5, loss: Loss::Squared };
    let model = fit(net, &columns, &outcomes).unwrap();
    let weights = model.weights().unwrap();
    assert_relative_eq!(weights[0], weights[6], epsilon = 1e-4);
    assert!(weights[7].abs() <= 0.0);
    // separated classes: the penalty keeps the weights finite
    let classes: Vec<f64> = columns[1].iter().map(|value| f64::from(u8::from(*value > 0.0))).collect();
    let model = fit(lasso(Loss::Logistic, 0.01), &columns, &classes).unwrap();
    assert!(model.weights().unwrap()[1].is_finite());
    assert_eq!(
        fit(ElasticNet { penalty: None, ..net }, &[vec![1.0, 2.0]], &[0.0, 1.0]).unwrap_err(),
        LearnError::FewRows { n_rows: 2, needed: 10 }
    );
}
