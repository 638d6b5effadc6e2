//! A regression's rows and cross products, checked: what every operator of the family starts from.

use causeway_core::{OperatorError, Relation, Report, Result, RunContext};
use causeway_numerics::columns::add_products;
use causeway_numerics::dense::vectorised;
use causeway_numerics::matrix::{Cholesky, Dependent, Matrix};

use super::absorb::{Effects, deviation};
use super::blocks::{Centre, Means, Moments, each_block};
use super::design::Design;
use super::estimate::{FirstStage, Fit, Method, first_stage, fuller, gmm, k_class, liml_kappa, residual_rows};
use super::read::Reader;
use super::scores::{Basis, Clusters, Request, Scores};
use super::store::{Store, Task};
use super::{COLLINEAR, Layout, Options, StandardErrors, float};

/// A column whose standard deviation is below this share of its mean has one value, up to rounding.
const CONSTANT: f64 = 1e-13;

/// Rows and cross products of a regression.
#[derive(Debug)]
pub(crate) struct Model {
    operator: &'static str,
    pub(crate) layout: Layout,
    pub(crate) n_rows: u64,
    pub(crate) n_dropped: u64,
    /// Means of X, Z, D, Y.
    means: Means,
    /// Centred cross products of all columns of the layout.
    pub(crate) products: Matrix,
    pub(crate) stage: FirstStage,
    effects: Option<Effects>,
    clusters: Option<Clusters>,
    store: Store,
    missing: Vec<String>,
}

/// An estimate with the covariance of the coefficients on centred columns.
#[derive(Debug)]
pub(crate) struct Estimate {
    pub(crate) fit: Fit,
    pub(crate) covariance: Matrix,
    /// Hansen's J, where the scores were read.
    pub(crate) hansen: Option<f64>,
}

impl Model {
    /// Reads a relation. `reads_again` is false if no scores will be asked for.
    pub(crate) fn read(
        operator: &'static str,
        design: &Design,
        options: &Options,
        mut rows: Relation,
        reads_again: bool,
        context: &RunContext,
    ) -> Result<Self> {
        let n_columns = design.numbers.len();
        let mut reader = Reader::new(operator, design, options.drop_missing);
        let mut store = Store::new(operator, reads_again || design.n_absorbed > 0);
        let mut moments = Moments::new(n_columns);
        let map = |task: &Task| Ok(vectorised(|| Moments::of_task(task, n_columns)));
        let mut reduce = |later: Moments| {
            moments.add(&later);
            Ok(())
        };
        while let Some(batch) = rows.next_batch(context)? {
            if let Some(piece) = reader.read(&batch, context)? {
                store.add(&piece, context, &map, &mut reduce)?;
            }
        }
        store.finish(context, &map, &mut reduce)?;
        reader.check()?;
        let n_levels = reader.n_levels();
        let (n_dropped, missing) = (reader.n_dropped, reader.missing_in_words());
        Self::check_columns(operator, design, &moments)?;
        let effects = Self::absorb(operator, design, &mut store, &n_levels, &moments, context)?;
        let layout = design.layout.clone();
        let products = match &effects {
            Some(effects) => within_products(operator, &layout, &mut store, effects, &moments, context)?,
            None => with_constant(&moments),
        };
        let clusters = design
            .clustered
            .then(|| Clusters { column: design.n_absorbed, n_clusters: n_levels.last().copied().unwrap_or(0) });
        if clusters.is_some_and(|clusters| clusters.n_clusters < 2) {
            let name = design.categories.last().map_or("", |column| column.name.as_str());
            let problem = format!("column `{name}` plays `cluster` and has one level; clusters need at least two");
            return Err(OperatorError::Data { operator, problem });
        }
        let stage = checked_stage(operator, &layout, &products)?;
        let model = Self {
            operator,
            layout,
            n_rows: moments.n_rows,
            n_dropped,
            means: moments.means,
            products,
            stage,
            effects,
            clusters,
            store,
            missing: if n_dropped > 0 { missing } else { Vec::new() },
        };
        model.check_rows()?;
        Ok(model)
    }

    fn absorb(
        operator: &'static str,
        design: &Design,
        store: &mut Store,
        n_levels: &[usize],
        moments: &Moments,
        context: &RunContext,
    ) -> Result<Option<Effects>> {
        if design.n_absorbed == 0 {
            return Ok(None);
        }
        let deviations: Vec<f64> =
            moments.products.diagonal().iter().map(|squares| deviation(*squares, moments.n_rows)).collect();
        let n_levels = &n_levels[..design.n_absorbed];
        Effects::solve(operator, store, n_levels, &moments.means, &deviations, context).map(Some)
    }

    fn check_columns(operator: &'static str, design: &Design, moments: &Moments) -> Result<()> {
        let refuse = |problem: String| Err(OperatorError::Data { operator, problem });
        if moments.n_rows < 2 {
            return refuse(format!("a regression needs at least two complete rows, there are {}", moments.n_rows));
        }
        for (index, column) in design.numbers.iter().enumerate() {
            let squares = moments.products[(index, index)];
            if !squares.is_finite() {
                return refuse(format!("the squares of column `{}` overflow; divide it by a constant", column.name));
            }
            if deviation(squares, moments.n_rows) <= CONSTANT * moments.means.get(index).abs() {
                return refuse(format!(
                    "column `{}` plays `{}` and has one value in all rows; leave it out or select other rows",
                    column.name, column.role
                ));
            }
        }
        Ok(())
    }

    fn check_rows(&self) -> Result<()> {
        if self.residual_rows() < 1.0 {
            let problem = format!(
                "{} complete rows cannot carry {} covariates and instruments{}; at least one row more is needed",
                self.n_rows,
                self.layout.all_instruments().len(),
                if self.n_absorbed() > 0 {
                    format!(" and {} absorbed effects", self.n_absorbed())
                } else {
                    String::new()
                },
            );
            return Err(OperatorError::Data { operator: self.operator, problem });
        }
        Ok(())
    }

    /// Returns n - dim W less the absorbed effects.
    pub(crate) fn residual_rows(&self) -> f64 {
        residual_rows(self.n_rows, &self.layout, self.n_absorbed())
    }

    /// Returns n - k less the absorbed effects.
    pub(crate) fn residual_degrees(&self) -> f64 {
        float(self.n_rows) - float((self.layout.n_coefficients() + self.n_absorbed()) as u64)
    }

    /// Returns the absorbed degrees of freedom.
    pub(crate) fn n_absorbed(&self) -> usize {
        self.effects.as_ref().map_or(0, |effects| effects.degrees_of_freedom)
    }

    /// Returns the number of clusters.
    pub(crate) fn n_clusters(&self) -> Option<f64> {
        self.clusters.map(|clusters| float(clusters.n_clusters as u64))
    }

    /// Returns the factor of small samples for `n_parameters`, on a covariance of robust or clustered scores.
    pub(crate) fn correction(&self, options: &Options, n_parameters: usize) -> f64 {
        let n = float(self.n_rows);
        let left = n - float((n_parameters + self.n_absorbed()) as u64);
        match (options.standard_errors, self.n_clusters()) {
            (StandardErrors::Hc1, _) => n / left,
            (StandardErrors::Cluster, Some(g)) if options.small_sample => (n - 1.0) / left * g / (g - 1.0),
            _ => 1.0,
        }
    }

    /// Returns the F of Z in the regression of a treatment on W, under equal variances.
    pub(crate) fn classical_f(&self, treatment: usize) -> f64 {
        let explained = self.stage.instrument_factor.quadratic(&self.stage.instrument_moments);
        let left = self.stage.residual_products[(treatment, treatment)].max(0.0);
        let n_instruments = float(self.layout.instruments().len() as u64);
        explained[(treatment, treatment)] / n_instruments / (left / self.residual_rows())
    }

    /// Reads the rows once more for the products of some scores.
    pub(crate) fn scores(&mut self, basis: &Basis, residuals: &Matrix, context: &RunContext) -> Result<Scores> {
        let centre = Centre { means: &self.means, effects: self.effects.as_ref() };
        let request = Request { constant: self.layout.constant, basis, residuals };
        Scores::read(&mut self.store, centre, &request, self.clusters, context)
    }

    /// Returns the k-class fit.
    pub(crate) fn k_class(&self, excess: f64) -> Result<Fit> {
        let fit = k_class(&self.layout, &self.products, &self.stage, excess);
        fit.map_err(|Dependent(index)| self.not_identified(index))
    }

    /// Returns LIML's kappa less 1.
    pub(crate) fn liml_excess(&self) -> Result<f64> {
        liml_kappa(&self.stage).map_err(|Dependent(index)| {
            let name = self.layout.name(self.layout.treatments().start + index);
            let problem = format!(
                "column `{name}` is a linear combination of the covariates, the instruments and the treatments before \
                 it, so that LIML has no kappa; use method => '2sls'"
            );
            OperatorError::Data { operator: self.operator, problem }
        })
    }

    /// Estimates the coefficients and their covariance.
    pub(crate) fn estimate(&mut self, method: Method, options: &Options, context: &RunContext) -> Result<Estimate> {
        let excess = match method {
            Method::TwoStage | Method::Gmm => 0.0,
            Method::Liml => self.liml_excess()?,
            Method::Fuller(constant) => fuller(self.liml_excess()?, constant, self.residual_rows()),
        };
        let fit = self.k_class(excess)?;
        if options.standard_errors == StandardErrors::Classic {
            let divisor = if options.small_sample { self.residual_degrees() } else { float(self.n_rows) };
            let variance = fit.sum_of_squares(&self.layout, &self.products) / divisor;
            return Ok(Estimate { covariance: fit.bread.scaled(variance), fit, hansen: None });
        }
        let w = Basis::Columns(self.layout.all_instruments().collect());
        let scores = self.scores(&w, &fit.residual(&self.layout), context)?;
        let (fit, weights, hansen) = match method {
            Method::Gmm => {
                let weight = scores.product(0, 0);
                let second = self.second_step(&weight)?;
                let scores = self.scores(&w, &second.residual(&self.layout), context)?;
                let hansen = self.hansen(&second, &weight)?;
                (second, scores.product(0, 0), Some(hansen))
            }
            _ => (fit, scores.product(0, 0), None),
        };
        let meat = weights.congruent(&fit.to_instruments);
        let factor = self.correction(options, self.layout.n_coefficients());
        Ok(Estimate { covariance: meat.congruent(&fit.bread).scaled(factor), fit, hansen })
    }

    /// Returns the GMM fit for the inverse of a weight of scores.
    pub(crate) fn second_step(&self, weight: &Matrix) -> Result<Fit> {
        gmm(&self.layout, &self.products, weight).map_err(|Dependent(index)| {
            let few = self.n_clusters().is_some_and(|g| g < float(self.layout.all_instruments().len() as u64));
            let problem = if few {
                "GMM needs more clusters than covariates and instruments together; use method => '2sls'".to_owned()
            } else {
                format!(
                    "the scores of column `{}` are a linear combination of those before it, so that GMM has no weight; \
                     use method => '2sls' or leave the column out",
                    self.layout.name(index)
                )
            };
            OperatorError::Data { operator: self.operator, problem }
        })
    }

    /// Returns Hansen's J = g'S^-1 g with g = W'e.
    pub(crate) fn hansen(&self, fit: &Fit, weight: &Matrix) -> Result<f64> {
        let w: Vec<usize> = self.layout.all_instruments().collect();
        let all: Vec<usize> = (0..self.layout.n_columns()).collect();
        let moments = self.products.select(&w, &all).times(&fit.residual(&self.layout));
        let factor = Cholesky::new(weight, COLLINEAR).map_err(|Dependent(index)| OperatorError::Internal {
            operator: self.operator,
            problem: format!("the weight of column {index} was positive before"),
        })?;
        Ok(factor.quadratic(&moments)[(0, 0)])
    }

    /// Returns coefficients and covariance with the constant at 0 instead of at the means.
    pub(crate) fn uncentred(&self, estimate: &Estimate) -> (Vec<f64>, Matrix) {
        let mut coefficients = estimate.fit.coefficients.values().to_vec();
        if !self.layout.constant {
            return (coefficients, estimate.covariance.clone());
        }
        let columns = self.layout.regressors();
        let mut shift = Matrix::identity(columns.len());
        for (index, column) in columns.iter().enumerate().skip(1) {
            shift[(index, 0)] = -self.means.get(column - 1);
        }
        let mean = self.means.get(self.means.len() - 1);
        let moved: f64 = (1..columns.len()).map(|index| shift[(index, 0)] * coefficients[index]).sum();
        coefficients[0] += mean + moved;
        (coefficients, estimate.covariance.congruent(&shift))
    }

    fn not_identified(&self, index: usize) -> OperatorError {
        let column = self.layout.regressors().get(index).copied().unwrap_or(0);
        let problem = format!(
            "the instruments do not move column `{}`, which plays `treatment`, apart from the covariates and the \
             treatments before it: its effect is not identified; name other instruments",
            self.layout.name(column)
        );
        OperatorError::Data { operator: self.operator, problem }
    }

    /// Returns the facts that all operators report.
    pub(crate) fn report(&self, options: &Options) -> Report {
        let mut report = Report::new();
        report.insert("n_used", self.n_rows.into());
        report.insert("n_dropped", self.n_dropped.into());
        report.insert("missing", self.missing.clone().into());
        report.insert("standard_errors", options.standard_errors.name().into());
        report.insert("n_clusters", self.clusters.map(|clusters| clusters.n_clusters).into());
        report.insert("spilled_bytes", self.store.spilled_bytes().into());
        if let Some(effects) = &self.effects {
            report.insert("absorbed_degrees_of_freedom", effects.degrees_of_freedom.into());
            report.insert("absorbed_singletons", effects.n_singletons.into());
            report.insert("absorb_steps", effects.n_steps.into());
        }
        report
    }
}

/// Returns the cross products with a constant, which is orthogonal to centred columns.
fn with_constant(moments: &Moments) -> Matrix {
    let n_columns = moments.means.len() + 1;
    Matrix::from_fn(n_columns, n_columns, |row, column| match (row.checked_sub(1), column.checked_sub(1)) {
        (Some(row), Some(column)) => moments.products[(row, column)],
        (None, None) => float(moments.n_rows),
        _ => 0.0,
    })
}

/// Returns the cross products of what absorbed effects leave.
fn within_products(
    operator: &'static str,
    layout: &Layout,
    store: &mut Store,
    effects: &Effects,
    moments: &Moments,
    context: &RunContext,
) -> Result<Matrix> {
    let n_columns = moments.means.len();
    let mut sums = vec![0.0; n_columns * n_columns];
    let centre = Centre { means: &moments.means, effects: Some(effects) };
    let map = |task: &Task| {
        Ok(vectorised(|| {
            let mut sums = vec![0.0; n_columns * n_columns];
            each_block(task, centre, |_, block| add_products(&block.columns(false), &mut sums));
            sums
        }))
    };
    let mut reduce = |of_task: Vec<f64>| {
        sums.iter_mut().zip(&of_task).for_each(|(sum, more)| *sum += more);
        Ok(())
    };
    store.fold(context, &map, &mut reduce)?;
    for column in 0..n_columns {
        if sums[column * n_columns + column] <= COLLINEAR * moments.products[(column, column)] {
            let problem = format!(
                "column `{}` plays `{}` and does not vary within the levels of `absorb`; leave it out",
                layout.name(column),
                layout.role(column)
            );
            return Err(OperatorError::Data { operator, problem });
        }
    }
    Ok(Matrix::from_fn(n_columns, n_columns, |row, column| sums[row.min(column) * n_columns + row.max(column)]))
}

/// Returns the first stage, or names the column that is a combination of others.
fn checked_stage(operator: &'static str, layout: &Layout, products: &Matrix) -> Result<FirstStage> {
    let refuse = |index: usize, others: &str| {
        let problem = format!(
            "column `{}`, which plays `{}`, is a linear combination of {others}; leave it out",
            layout.name(index),
            layout.role(index)
        );
        OperatorError::Data { operator, problem }
    };
    let stage = first_stage(layout, products)
        .map_err(|Dependent(index)| refuse(index, "the covariates and instruments before it"))?;
    let regressors = layout.regressors();
    Cholesky::new(&products.select(&regressors, &regressors), COLLINEAR)
        .map_err(|Dependent(index)| refuse(regressors[index], "the covariates and treatments before it"))?;
    Ok(stage)
}
