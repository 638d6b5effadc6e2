//! Rows as edges.

use arrow::array::{Array as _, RecordBatch};
use causeway_plot::{Edge, Format, Network, PlotError};

use super::rows::{Drawing, Names, number, numbers, texts};
use crate::args::PlotOptions;
use crate::errors::Failure;

/// Columns that a network alone has.
pub(super) const COLUMNS: &[&str] = &["source", "target"];

/// Columns that are taken for the strength of an edge, the first that is there.
const STRENGTHS: [&str; 4] = ["weight", "strength", "frequency", "statistic"];

const FORM: &str = "an edge is a row with source and target: SELECT a AS source, b AS target …";

/// Edges, and where their parts stand.
pub(super) struct Edges {
    source: usize,
    target: usize,
    mark: Option<usize>,
    weight: Option<usize>,
    title: String,
    top: usize,
    edges: Vec<Edge>,
}

impl Edges {
    pub(super) fn of(names: &Names, options: &PlotOptions) -> Result<Self, Failure> {
        let weight = match &options.weight {
            Some(name) => Some(names.require(name, FORM)?),
            None => STRENGTHS.into_iter().find_map(|name| names.find(name)),
        };
        Ok(Self {
            source: names.require("source", FORM)?,
            target: names.require("target", FORM)?,
            mark: names.find("mark"),
            weight,
            title: options.title.clone().unwrap_or_default(),
            top: options.top,
            edges: Vec::new(),
        })
    }
}

impl Drawing for Edges {
    /// Rows without source or target are left out.
    fn read(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let (source, target) = (texts(batch, self.source)?, texts(batch, self.target)?);
        let mark = self.mark.map(|index| texts(batch, index)).transpose()?;
        let weight = self.weight.map(|index| numbers(batch, index)).transpose()?;
        let present = |row: &usize| source.is_valid(*row) && target.is_valid(*row);
        self.edges.extend((0..batch.num_rows()).filter(present).map(|row| Edge {
            source: source.value(row).to_owned(),
            target: target.value(row).to_owned(),
            directed: mark.as_ref().is_none_or(|mark| mark.is_valid(row) && mark.value(row) == "->"),
            weight: weight.as_ref().and_then(|weight| number(weight, row)),
        }));
        Ok(())
    }

    fn draw(self: Box<Self>, format: Format) -> Result<(Vec<u8>, String), PlotError> {
        let n_edges = self.edges.len();
        let picture = Network::new(self.title, self.edges).strongest(self.top).draw(format)?;
        Ok((picture, format!("{} of {n_edges} edges", n_edges.min(self.top))))
    }
}
