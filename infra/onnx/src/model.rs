//! A network ready to run.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rten::ModelOptions;

use crate::error::{OnnxError, Result};
use crate::outline::{Outline, outline};

/// The largest model that is taken, in bytes.
pub const MAX_BYTES: usize = 64 << 20;

/// How many numbers are in memory at once, unless two rows need more.
const NUMBERS_AT_ONCE: usize = 1 << 24;

/// The most rows that are run at once.
const ROWS_AT_ONCE: usize = 1024;

/// A network ready to run.
pub struct Model {
    network: rten::Model,
    n_features: usize,
    n_outputs: usize,
    rows_at_once: usize,
}

impl Model {
    /// Reads a model from the bytes of an ONNX file and checks that all of it is offered.
    ///
    /// # Errors
    ///
    /// [`OnnxError`] says what is not.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(OnnxError::TooLarge { n_bytes: bytes.len(), allowed: MAX_BYTES });
        }
        guarded("read", || {
            let Outline { network, n_features, n_outputs, n_numbers } = outline(bytes)?;
            // Which operators there are is said by the outline.
            let mut options = ModelOptions::with_all_ops();
            // Its rewriting computes with whole numbers where reals happen to be whole.
            options.enable_optimization(false);
            let network = options.load(network).map_err(|_| OnnxError::Failed("read"))?;
            let rows_at_once = (NUMBERS_AT_ONCE / n_numbers).clamp(1, ROWS_AT_ONCE);
            Ok(Self { network, n_features, n_outputs, rows_at_once })
        })
    }

    /// Returns how many columns the model takes.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Returns how many numbers the model gives for a row.
    #[must_use]
    pub fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    /// Runs the model over columns of the same length. Returns [`Self::n_outputs`] numbers for each row, row by row.
    /// At most 1024 rows are in the network at once, and fewer if all layers together would hold more than 2^24 numbers
    /// (64 MiB) for them.
    ///
    /// # Errors
    ///
    /// [`OnnxError::Features`] if the columns are not as many as the model takes; [`OnnxError::Failed`] if the
    /// runtime fails.
    pub fn predict(&self, columns: &[&[f32]]) -> Result<Vec<f32>> {
        let (Some(first), true) = (columns.first(), columns.len() == self.n_features) else {
            return Err(OnnxError::Features { expected: self.n_features, found: columns.len() });
        };
        let n_rows = first.len();
        let mut answers = Vec::with_capacity(n_rows * self.n_outputs);
        for start in (0..n_rows).step_by(self.rows_at_once) {
            let end = n_rows.min(start + self.rows_at_once);
            let rows: Vec<f32> = (start..end).flat_map(|row| columns.iter().map(move |column| column[row])).collect();
            answers.extend(match end - start {
                // One row is multiplied in another order than several; beside itself it has the bits it has among others.
                1 => self.run(rows.repeat(2), 2)?.into_iter().take(self.n_outputs).collect(),
                n => self.run(rows, n)?,
            });
        }
        Ok(answers)
    }

    fn run(&self, rows: Vec<f32>, n_rows: usize) -> Result<Vec<f32>> {
        const RUN: OnnxError = OnnxError::Failed("run");
        guarded("run", || {
            let input = rten::Value::from_shape(&[n_rows, self.n_features], rows).map_err(|_| RUN)?;
            let output = self.network.run_one(input.into(), None).map_err(|_| RUN)?;
            let answers = output.into_tensor::<f32>().ok_or(RUN)?.into_data();
            if answers.len() == n_rows * self.n_outputs { Ok(answers) } else { Err(RUN) }
        })
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Model").field("n_features", &self.n_features).field("n_outputs", &self.n_outputs).finish()
    }
}

/// A panic of the runtime is a failure like another.
fn guarded<T>(doing: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or(Err(OnnxError::Failed(doing)))
}
