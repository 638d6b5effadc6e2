//! Random graphs, linear systems on them, and rows of such systems.

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

use super::params::{GraphKind, Noise, Sem};
use crate::random::{open_uniform, standard_normal};

/// Rows drawn from one stream of random numbers.
pub(super) const BLOCK_ROWS: usize = 8192;

/// A linear system: each variable is a constant, its weighted parents and noise.
#[derive(Debug)]
pub(crate) struct System {
    /// The variables, parents first.
    order: Vec<usize>,
    /// The parents of each variable with their weights, in ascending order.
    parents: Vec<Vec<(usize, f64)>>,
    constants: Vec<f64>,
    deviations: Vec<f64>,
    noise: Noise,
    /// The mean and standard deviation by which a lognormal variable is standardised.
    lognormal: Option<Vec<(f64, f64)>>,
    seed: u64,
}

impl System {
    /// Draws the graph, the weights and the noise scales from stream 0 of the seed.
    pub(crate) fn draw(params: &Sem) -> Self {
        let mut random = ChaCha20Rng::seed_from_u64(params.seed);
        let n = params.n_variables;
        let mut order: Vec<usize> = (0..n).collect();
        order.shuffle(&mut random);
        let pairs = match params.graph {
            GraphKind::ErdosRenyi => erdos_renyi(n, params.degree, &mut random),
            GraphKind::ScaleFree => scale_free(n, params.degree, &mut random),
        };
        let mut parents = vec![Vec::new(); n];
        for (earlier, later) in pairs {
            let size = between(params.weights, &mut random);
            let weight = if random.random::<bool>() { size } else { -size };
            parents[order[later]].push((order[earlier], weight));
        }
        for parents in &mut parents {
            parents.sort_unstable_by_key(|(parent, _)| *parent);
        }
        let constants = (0..n).map(|_| between(params.means, &mut random)).collect();
        let deviations = (0..n).map(|_| between(params.deviations, &mut random)).collect();
        let mut system =
            Self { order, parents, constants, deviations, noise: params.noise, lognormal: None, seed: params.seed };
        system.lognormal = params.lognormal.then(|| system.moments());
        system
    }

    /// Returns source, target and weight of each edge.
    pub(crate) fn edges(&self) -> Vec<(usize, usize, f64)> {
        let mut edges: Vec<(usize, usize, f64)> = Vec::new();
        for (target, parents) in self.parents.iter().enumerate() {
            edges.extend(parents.iter().map(|(source, weight)| (*source, target, *weight)));
        }
        edges.sort_unstable_by_key(|(source, target, _)| (*source, *target));
        edges
    }

    /// Returns the columns of one block of rows. Each variable of each block has its own stream, so that the
    /// first rows of a block do not depend on how many follow.
    pub(super) fn block(&self, block: u64, n_rows: usize) -> Vec<Vec<f64>> {
        let mut random = ChaCha20Rng::seed_from_u64(self.seed);
        let mut columns = vec![Vec::new(); self.order.len()];
        for &variable in &self.order {
            random.set_stream(1 + block * self.order.len() as u64 + variable as u64);
            random.set_word_pos(0);
            let mut column: Vec<f64> = (0..n_rows)
                .map(|_| self.constants[variable] + self.deviations[variable] * self.noise.draw(&mut random))
                .collect();
            for (parent, weight) in &self.parents[variable] {
                for (value, cause) in column.iter_mut().zip(&columns[*parent]) {
                    *value += weight * cause;
                }
            }
            columns[variable] = column;
        }
        for (column, (mean, deviation)) in columns.iter_mut().zip(self.lognormal.iter().flatten()) {
            for value in column.iter_mut() {
                *value = ((*value - mean) / deviation).exp();
            }
        }
        columns
    }

    /// Returns the mean and the standard deviation of each variable of the linear system.
    fn moments(&self) -> Vec<(f64, f64)> {
        let n = self.order.len();
        let mut means = vec![0.0; n];
        let mut covariance = vec![vec![0.0; n]; n];
        for (position, &variable) in self.order.iter().enumerate() {
            let parents = &self.parents[variable];
            means[variable] =
                self.constants[variable] + parents.iter().map(|(parent, weight)| weight * means[*parent]).sum::<f64>();
            for &earlier in &self.order[..position] {
                let value = parents.iter().map(|(parent, weight)| weight * covariance[*parent][earlier]).sum();
                covariance[variable][earlier] = value;
                covariance[earlier][variable] = value;
            }
            let explained: f64 = parents.iter().map(|(parent, weight)| weight * covariance[variable][*parent]).sum();
            covariance[variable][variable] = explained + self.deviations[variable].powi(2);
        }
        (0..n).map(|variable| (means[variable], covariance[variable][variable].sqrt())).collect()
    }
}

impl Noise {
    /// Returns a number of mean 0 and variance 1.
    fn draw(self, random: &mut ChaCha20Rng) -> f64 {
        match self {
            Self::Gaussian => standard_normal(random),
            Self::Uniform => 12.0_f64.sqrt() * (open_uniform(random) - 0.5),
            Self::Exponential => -open_uniform(random).ln() - 1.0,
            Self::Laplace => {
                let u = open_uniform(random) - 0.5;
                -0.5_f64.sqrt() * u.signum() * (1.0 - 2.0 * u.abs()).ln()
            }
        }
    }
}

/// Returns `n degree / 2` pairs of positions, each pair as likely as any other.
fn erdos_renyi(n: usize, degree: f64, random: &mut ChaCha20Rng) -> Vec<(usize, usize)> {
    let n_pairs = n * n.saturating_sub(1) / 2;
    let n_edges = round(degree * float(n) / 2.0).min(n_pairs);
    let mut chosen = rand::seq::index::sample(random, n_pairs, n_edges).into_vec();
    chosen.sort_unstable();
    let mut later = 1;
    let mut first = 0; // the number of pairs whose later position is smaller
    let pairs = chosen.into_iter().map(|pair| {
        while pair >= first + later {
            first += later;
            later += 1;
        }
        (pair - first, later)
    });
    pairs.collect()
}

/// Lets each position choose `degree / 2` earlier ones, in proportion to the edges they have, plus 1
/// (Barabási and Albert 1999).
fn scale_free(n: usize, degree: f64, random: &mut ChaCha20Rng) -> Vec<(usize, usize)> {
    let each = round(degree / 2.0).max(1);
    let mut tickets: Vec<usize> = Vec::new(); // a position stands here once, and once more for each edge
    let mut pairs = Vec::new();
    for later in 0..n {
        let mut chosen: Vec<usize> = Vec::new();
        while chosen.len() < each.min(later) {
            let earlier = tickets[random.random_range(0..tickets.len())];
            if !chosen.contains(&earlier) {
                chosen.push(earlier);
            }
        }
        for earlier in chosen {
            pairs.push((earlier, later));
            tickets.extend([earlier, later]);
        }
        tickets.push(later);
    }
    pairs
}

fn between((low, high): (f64, f64), random: &mut ChaCha20Rng) -> f64 {
    low + (high - low) * random.random::<f64>()
}

#[expect(clippy::cast_precision_loss, reason = "counts of variables")]
fn float(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a checked count >= 0")]
fn round(count: f64) -> usize {
    count.round() as usize
}
