use super::super::Features;
use super::super::Training;
use super::super::random::Random;
use super::*;

const LIMITS: Limits = Limits { depth: 3, min_leaf: 1, n_columns: usize::MAX, ridge: 0.0 };

/// Grows one tree over all rows and returns it with its predictions of them.
fn grow(columns: &[Vec<f64>], target: &[f64], limits: Limits) -> (Tree, Vec<f64>) {
    let features = Features::new(target.len(), columns.to_vec()).unwrap();
    let binned = Binned::new(&features, &Training::seeded(0)).unwrap();
    let mut rows: Vec<Row> = (0..).zip(target).map(|(row, target)| Row::new(row, 1.0, *target)).collect();
    let mut n_rows = 0;
    let tree = Grower::new(&binned, limits).grow(&mut rows, &mut Random::new(0, 0), |rows, _| n_rows += rows.len());
    assert_eq!(n_rows, target.len());
    let mut out = vec![0.0; target.len()];
    predict_sum(std::slice::from_ref(&tree), &features, &mut out);
    (tree, out)
}

#[test]
fn the_first_division_lowers_the_sum_of_squares_most() {
    // by hand: dividing after 3 leaves 2/3 and 0 of the squares, after 1, 2 or 4 more
    let column = vec![1.0, 2.0, 3.0, 4.0, 5.0];
    let (tree, out) = grow(&[vec![0.0; 5], column], &[1.0, 2.0, 1.0, 9.0, 9.0], Limits { depth: 1, ..LIMITS });
    assert_eq!((tree.nodes[0].column, tree.nodes.len()), (1, 3));
    assert!((tree.nodes[0].threshold - 3.5).abs() < 1e-15);
    for (found, expected) in out.iter().zip([4.0 / 3.0, 4.0 / 3.0, 4.0 / 3.0, 9.0, 9.0]) {
        assert!((found - expected).abs() < 1e-14);
    }
}

#[test]
fn a_deep_tree_learns_every_row_and_a_flat_target_is_not_divided() {
    let column: Vec<f64> = (0..60).map(f64::from).collect();
    let target: Vec<f64> = (0..60).map(|row| f64::from(row * 37 % 61)).collect();
    let (_, out) = grow(std::slice::from_ref(&column), &target, Limits { depth: 60, ..LIMITS });
    assert!(out.iter().zip(&target).all(|(found, expected)| (found - expected).abs() < 1e-12));
    let (tree, _) = grow(&[column], &[0.1; 60], LIMITS);
    assert_eq!(tree.nodes.len(), 1);
}

#[test]
fn leaves_have_the_rows_asked_for_and_the_ridge_shrinks_them() {
    let column: Vec<f64> = (0..20).map(f64::from).collect();
    let target: Vec<f64> = (0..20).map(|row| if row == 0 { 100.0 } else { 0.0 }).collect();
    let (tree, out) = grow(std::slice::from_ref(&column), &target, Limits { min_leaf: 4, depth: 1, ..LIMITS });
    assert!((tree.nodes[0].threshold - 3.5).abs() < 1e-15);
    assert!((out[0] - 25.0).abs() < 1e-13);
    let (_, out) = grow(&[column], &target, Limits { min_leaf: 4, depth: 1, ridge: 1.0, ..LIMITS });
    assert!((out[0] - 20.0).abs() < 1e-13);
}
