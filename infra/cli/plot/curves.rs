//! Rows as points of curves.

use arrow::array::{Array as _, RecordBatch};
use causeway_plot::{Curves, Format, PlotError, Point};

use super::rows::{Drawing, Ends, Names, numbers, texts};
use crate::args::PlotOptions;
use crate::errors::Failure;

/// Columns that are a curve's height, the first that is there.
pub(super) const COLUMNS: &[&str] = &["survival", "cumulative_hazard"];

/// Columns that say where a point stands, the first that is there.
const PLACES: [&str; 2] = ["time", "time_high"];

const FORM: &str = "a point is a row with time and survival or cumulative_hazard; columns before `time` name its curve";

/// Points, and where their parts stand.
pub(super) struct Points {
    /// The columns before the time: they name the curve.
    name: Vec<(usize, String)>,
    at: usize,
    value: usize,
    band: Option<(usize, usize)>,
    curves: Curves,
}

impl Points {
    pub(super) fn of(names: &Names, options: &PlotOptions) -> Result<Self, Failure> {
        let at =
            PLACES.into_iter().find_map(|name| names.find(name)).map_or_else(|| names.require("time", FORM), Ok)?;
        let value = COLUMNS.iter().find_map(|name| names.find(name));
        let value = value.map_or_else(|| names.require("survival", FORM), Ok)?;
        let label = names.name(value);
        let end = |side: &str| names.find(&format!("{label}_{side}"));
        let first = PLACES.into_iter().chain(["time_low"]).filter_map(|name| names.find(name)).min().unwrap_or(at);
        Ok(Self {
            name: (0..first)
                .filter(|index| *index != value)
                .map(|index| (index, names.name(index).to_owned()))
                .collect(),
            at,
            value,
            band: end("low").zip(end("high")),
            curves: Curves::new(options.title.clone().unwrap_or_default(), ("time", &label.replace('_', " "))),
        })
    }
}

impl Drawing for Points {
    /// Rows without time or height are left out.
    fn read(&mut self, batch: &RecordBatch) -> Result<(), Failure> {
        let (at, value) = (numbers(batch, self.at)?, numbers(batch, self.value)?);
        let ends = Ends::read(batch, self.band)?;
        let names = self.name.iter().map(|(index, name)| Ok((name, texts(batch, *index)?)));
        let names = names.collect::<Result<Vec<_>, Failure>>()?;
        for row in (0..batch.num_rows()).filter(|row| at.is_valid(*row) && value.is_valid(*row)) {
            let parts = names.iter().map(|(name, texts)| match texts.is_valid(row) {
                true => format!("{name} {}", texts.value(row)),
                false => format!("{name} unknown"),
            });
            let curve = parts.collect::<Vec<_>>().join(", ");
            let band = ends.of(row);
            self.curves.add(&curve, Point { at: at.value(row), value: value.value(row), band });
        }
        Ok(())
    }

    fn draw(self: Box<Self>, format: Format) -> Result<(Vec<u8>, String), PlotError> {
        Ok((self.curves.draw(format)?, format!("{} curves", self.curves.len())))
    }
}
