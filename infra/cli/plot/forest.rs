//! Rows as estimates.

use arrow::array::{Array as _, RecordBatch};
use causeway_plot::{Estimate, Forest, Format, PlotError};

use super::rows::{Drawing, Ends, Names, numbers, texts};
use crate::args::PlotOptions;
use crate::errors::Failure;

/// Columns that a forest plot alone has.
pub(super) const COLUMNS: &[&str] = &["estimate"];

const FORM: &str =
    "an estimate is a row with term and estimate, and perhaps conf_low and conf_high: SELECT term, estimate …";

/// Estimates, and where their parts stand.
pub(super) struct Estimates {
    term: usize,
    estimate: usize,
    interval: Option<(usize, usize)>,
    title: String,
    reference: f64,
    estimates: Vec<Estimate>,
}

impl Estimates {
    pub(super) fn of(names: &Names, options: &PlotOptions) -> Result<Self, Failure> {
        Ok(Self {
            term: names.require("term", FORM)?,
            estimate: names.require("estimate", FORM)?,
            interval: names.find("conf_low").zip(names.find("conf_high")),
            title: options.title.clone().unwrap_or_default(),
            reference: options.reference,
            estimates: Vec::new(),
        })
    }
}

impl Drawing for Estimates {
    /// Rows without term or estimate are left out.
    fn read(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let (term, estimate) = (texts(batch, self.term)?, numbers(batch, self.estimate)?);
        let ends = Ends::read(batch, self.interval)?;
        let present = |row: &usize| term.is_valid(*row) && estimate.is_valid(*row);
        self.estimates.extend((0..batch.num_rows()).filter(present).map(|row| Estimate {
            term: term.value(row).to_owned(),
            estimate: estimate.value(row),
            interval: ends.of(row),
        }));
        Ok(())
    }

    fn draw(self: Box<Self>, format: Format) -> Result<(Vec<u8>, String), PlotError> {
        let what = format!("{} estimates", self.estimates.len());
        Ok((Forest::new(self.title, self.estimates, self.reference).draw(format)?, what))
    }
}
