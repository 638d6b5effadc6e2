//! Estimates with their intervals, one below the other.

use plotters::backend::DrawingBackend;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, PathElement, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoFont, ShapeStyle, WHITE};

use crate::canvas::{BLUE, FONT, GREY, INK, Paint, WIDTH, backend, range, render, text};
use crate::{Format, PlotError};

/// The most estimates of a picture.
const MOST: usize = 60;
const ROW: u32 = 52;
const HEAD: u32 = 90;
const FOOT: u32 = 84;
/// Where the names end, and where the numbers begin from the right, in dots.
const NAMES: i32 = 420;
const NUMBERS: i32 = 420;

/// One estimate.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// What is estimated.
    pub term: String,
    /// The estimate.
    pub estimate: f64,
    /// Its interval, if it has one; an end may be infinite.
    pub interval: Option<(f64, f64)>,
}

/// A forest plot.
#[derive(Debug, Clone)]
pub struct Forest {
    title: String,
    estimates: Vec<Estimate>,
    reference: f64,
}

impl Forest {
    /// Makes a picture of estimates in the order given. `reference` is where an estimate would say nothing:
    /// 0 for differences, 1 for ratios. Estimates that are not finite are left out.
    pub fn new(title: impl Into<String>, estimates: Vec<Estimate>, reference: f64) -> Self {
        let estimates = estimates.into_iter().filter(|row| row.estimate.is_finite()).collect();
        Self { title: title.into(), estimates, reference }
    }

    /// Draws it.
    ///
    /// # Errors
    /// [`PlotError::NoEstimate`], [`PlotError::TooManyRows`], and what the library that draws cannot do.
    pub fn draw(&self, format: Format) -> Result<Vec<u8>, PlotError> {
        let n_rows = self.estimates.len();
        match u32::try_from(n_rows) {
            Ok(0) => Err(PlotError::NoEstimate),
            Ok(rows) if n_rows <= MOST => render(self, (WIDTH, HEAD + ROW * rows + FOOT), format),
            _ => Err(PlotError::TooManyRows { n_rows, most: MOST }),
        }
    }

    /// The numbers that the axis must show.
    fn span(&self) -> (f64, f64) {
        let ends = self.estimates.iter().flat_map(|row| {
            let (low, high) = row.interval.unwrap_or((row.estimate, row.estimate));
            [row.estimate, low, high]
        });
        range(ends.chain([self.reference])).unwrap_or((-1.0, 1.0))
    }
}

impl Paint for Forest {
    fn paint<D: DrawingBackend>(&self, area: &DrawingArea<D, Shift>) -> Result<(), PlotError> {
        area.fill(&WHITE).map_err(backend)?;
        area.draw(&Text::new(self.title.clone(), (40, 56), text(34, HPos::Left))).map_err(backend)?;
        let (low, high) = self.span();
        let rows = f64::from(u32::try_from(self.estimates.len()).unwrap_or(u32::MAX));
        let mut chart = ChartBuilder::on(area)
            .margin_left(NAMES)
            .margin_right(NUMBERS)
            .margin_top(HEAD)
            .margin_bottom(FOOT - 64)
            .x_label_area_size(64)
            .build_cartesian_2d(low..high, rows..0.0)
            .map_err(backend)?;
        let labels = (FONT, 22).into_font().color(&INK);
        let mut mesh = chart.configure_mesh();
        mesh.disable_y_mesh().disable_y_axis().light_line_style(WHITE).label_style(labels).x_labels(8);
        mesh.axis_style(INK).draw().map_err(backend)?;
        let zero = PathElement::new(vec![(self.reference, 0.0), (self.reference, rows)], GREY.stroke_width(2));
        chart.draw_series([zero]).map_err(backend)?;
        for (number, row) in self.estimates.iter().enumerate() {
            let middle = f64::from(u32::try_from(number).unwrap_or(u32::MAX)) + 0.5;
            if let Some((from, to)) = row.interval {
                let line = vec![(from.max(low), middle), (to.min(high), middle)];
                chart.draw_series([PathElement::new(line, ShapeStyle::from(BLUE).stroke_width(4))]).map_err(backend)?;
            }
            chart.draw_series([Circle::new((row.estimate, middle), 8, BLUE.filled())]).map_err(backend)?;
        }
        self.paint_words(area)?;
        area.present().map_err(backend)
    }
}

impl Forest {
    /// Writes the terms on the left and the numbers on the right.
    fn paint_words<D: DrawingBackend>(&self, area: &DrawingArea<D, Shift>) -> Result<(), PlotError> {
        let right = WIDTH.cast_signed() - NUMBERS + 30;
        for (number, row) in (0_u32..).zip(&self.estimates) {
            let y = (HEAD + ROW * number + ROW / 2 + 4).cast_signed();
            let style = |side| text(24, side).pos(Pos::new(side, VPos::Center));
            area.draw(&Text::new(row.term.clone(), (NAMES - 30, y), style(HPos::Right))).map_err(backend)?;
            area.draw(&Text::new(row.numbers(), (right, y), style(HPos::Left))).map_err(backend)?;
        }
        Ok(())
    }
}

impl Estimate {
    fn numbers(&self) -> String {
        match self.interval {
            Some((low, high)) => format!("{} [{}, {}]", short(self.estimate), short(low), short(high)),
            None => short(self.estimate),
        }
    }
}

/// Writes a number with some four digits.
fn short(number: f64) -> String {
    match number.abs() {
        size if size < f64::MIN_POSITIVE => "0".to_owned(),
        size if !(1e-3..1e6).contains(&size) => format!("{number:.2e}"),
        size if size >= 1000.0 => format!("{number:.0}"),
        size if size >= 10.0 => format!("{number:.2}"),
        _ => format!("{number:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(term: &str, estimate: f64, interval: Option<(f64, f64)>) -> Estimate {
        Estimate { term: term.to_owned(), estimate, interval }
    }

    fn svg(forest: &Forest) -> String {
        String::from_utf8(forest.draw(Format::Svg).unwrap()).unwrap()
    }

    #[test]
    fn every_term_has_its_numbers() {
        let rows = vec![row("2SLS <x>", 7.476, Some((6.9, 8.05))), row("invalid IV", 1.99, Some((1.39, 2.59)))];
        let picture = svg(&Forest::new("effects", rows, 0.0));
        for word in ["2SLS &lt;x&gt;", "7.476 [6.900, 8.050]", "invalid IV", "1.990 [1.390, 2.590]", "effects"] {
            assert!(picture.contains(word), "{word}: {picture}");
        }
    }

    #[test]
    fn an_interval_without_end_goes_to_the_edge() {
        let rows = vec![row("a", 1.0, Some((0.5, f64::INFINITY))), row("b", 2.0, None), row("c", f64::NAN, None)];
        let picture = svg(&Forest::new("", rows, 0.0));
        assert!(picture.contains("1.000 [0.500, inf]") && !picture.contains("NaN"), "{picture}");
        assert!(!picture.contains(">c<"), "what is no number is left out");
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        assert!(matches!(Forest::new("", Vec::new(), 0.0).draw(Format::Svg), Err(PlotError::NoEstimate)));
        let many = Forest::new("", vec![row("a", 1.0, None); MOST + 1], 0.0).draw(Format::Png).unwrap_err();
        assert_eq!(many.to_string(), "61 rows do not fit a picture, at most 60 do");
    }

    #[test]
    fn the_same_rows_give_the_same_picture() {
        let forest = Forest::new("x", vec![row("a", 1.0, Some((0.0, 2.0)))], 1.0);
        assert_eq!(forest.draw(Format::Png).unwrap(), forest.draw(Format::Png).unwrap());
    }
}
