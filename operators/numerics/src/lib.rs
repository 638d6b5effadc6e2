//! Mathematics that the operators share: tail probabilities, quantiles, small linear algebra.
//!
//! Plain numbers in, plain numbers out. Nothing here knows about tables, options or logs, and no
//! function fails: outside its domain it returns NaN, as the functions of `f64` do. Only a learner has errors,
//! since what it cannot learn from is a fault of the rows that the caller must name.
//!
//! ```text
//! normal      cdf, sf, quantile of N(0, 1)
//! chi_square  sf for whole degrees of freedom
//! gamma       sf for any shape
//! noncentral  sf and quantile of the noncentral chi-square
//! quadratic   u' V^-1 u and the rank of V, for a covariance matrix V that may be singular
//! beta        sf and quantile of F, two-sided tails of Student's t
//! dense       products and inverses of square matrices, vectorised
//! columns     sums of products of columns over rows, vectorised
//! matrix      small matrices: products, Cholesky's factor, eigenvalues
//! lu          solutions of square systems, with exchanges of rows
//! learn       learners of means and probabilities: fitted to rows, asked about others
//! single      products with narrow panels in single precision, vectorised
//! ```
//!
//! Distribution functions are built on `libm`'s `erfc`, which is within one unit in the last place
//! over its whole range. The general incomplete gamma functions of the statistics crates lose digits
//! in the far tails, where p-values of large cohorts lie, and none of them is needed for whole
//! degrees of freedom.
//!
//! ```
//! let z = causeway_numerics::normal_quantile(0.975);
//! assert!((z - 1.959963984540054).abs() < 1e-15);
//! ```

mod beta;
mod chi_square;
pub mod columns;
pub mod dense;
mod gamma;
pub mod learn;
mod lu;
pub mod matrix;
mod noncentral;
mod normal;
mod quadratic;
pub mod single;

pub use beta::{f_quantile_upper, f_sf, t_quantile_two_sided, t_two_sided};
pub use chi_square::chi_square_sf;
pub use gamma::gamma_sf;
pub use lu::Lu;
pub use noncentral::{noncentral_chi_square_quantile_upper, noncentral_chi_square_sf};
pub use normal::{ln_normal_two_sided, normal_cdf, normal_quantile, normal_quantiles, normal_sf, normal_two_sided};
pub use quadratic::{Covariance, QuadraticForm};
