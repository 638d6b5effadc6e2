//! Curves that are steps, such as survival over time, with their bands.

use std::collections::BTreeMap;

use plotters::backend::DrawingBackend;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingArea;
use plotters::element::{PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::HPos;
use plotters::style::{Color, IntoFont, RGBColor, ShapeStyle, WHITE};

use crate::canvas::{BLUE, FONT, INK, ORANGE, Paint, WIDTH, backend, range, render, text};
use crate::{Format, PlotError};

const SIZE: (u32, u32) = (WIDTH, 1000);
/// A curve has a colour of its own, and there are so many.
const COLOURS: [RGBColor; 8] = [
    BLUE,
    ORANGE,
    RGBColor(27, 120, 86),
    RGBColor(118, 68, 138),
    RGBColor(180, 134, 11),
    RGBColor(87, 96, 106),
    RGBColor(192, 57, 110),
    RGBColor(46, 134, 171),
];

/// A point of a curve. The curve keeps its height up to the next point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Where it stands.
    pub at: f64,
    /// Its height.
    pub value: f64,
    /// Low and high end of its band, if it has one.
    pub band: Option<(f64, f64)>,
}

/// A picture of curves.
#[derive(Debug, Clone)]
pub struct Curves {
    title: String,
    labels: (String, String),
    curves: BTreeMap<String, Vec<Point>>,
}

impl Curves {
    /// Makes an empty picture; `labels` are those of the horizontal and the vertical axis.
    pub fn new(title: impl Into<String>, labels: (&str, &str)) -> Self {
        Self { title: title.into(), labels: (labels.0.to_owned(), labels.1.to_owned()), curves: BTreeMap::new() }
    }

    /// Adds a point to a curve. What is not finite is left out.
    pub fn add(&mut self, curve: &str, point: Point) {
        if point.at.is_finite() && point.value.is_finite() {
            self.curves.entry(curve.to_owned()).or_default().push(point);
        }
    }

    /// Returns the number of curves.
    pub fn len(&self) -> usize {
        self.curves.len()
    }

    /// Returns true if there is none.
    pub fn is_empty(&self) -> bool {
        self.curves.is_empty()
    }

    /// Draws them.
    ///
    /// # Errors
    /// [`PlotError::NoPoint`], [`PlotError::TooManyCurves`], and what the library that draws cannot do.
    pub fn draw(&self, format: Format) -> Result<Vec<u8>, PlotError> {
        if self.curves.is_empty() {
            return Err(PlotError::NoPoint);
        }
        if self.curves.len() > COLOURS.len() {
            return Err(PlotError::TooManyCurves { n_curves: self.curves.len(), most: COLOURS.len() });
        }
        let mut sorted = self.clone();
        for points in sorted.curves.values_mut() {
            points.sort_by(|a, b| a.at.total_cmp(&b.at));
        }
        render(&sorted, SIZE, format)
    }

    fn points(&self) -> impl Iterator<Item = &Point> {
        self.curves.values().flatten()
    }
}

type Chart<'a, D> = ChartContext<'a, D, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Paint for Curves {
    fn paint<D: DrawingBackend>(&self, area: &DrawingArea<D, Shift>) -> Result<(), PlotError> {
        area.fill(&WHITE).map_err(backend)?;
        area.draw(&Text::new(self.title.clone(), (40, 56), text(34, HPos::Left))).map_err(backend)?;
        let across = range(self.points().map(|point| point.at)).unwrap_or((0.0, 1.0));
        let heights = self.points().flat_map(|point| {
            let (low, high) = point.band.unwrap_or((point.value, point.value));
            [point.value, low, high]
        });
        let up = range(heights).unwrap_or((0.0, 1.0));
        let mut chart = ChartBuilder::on(area)
            .margin_top(90)
            .margin_right(60)
            .margin_bottom(30)
            .margin_left(30)
            .x_label_area_size(80)
            .y_label_area_size(110)
            .build_cartesian_2d(across.0..across.1, up.0..up.1)
            .map_err(backend)?;
        let labels = (FONT, 22).into_font().color(&INK);
        let mut mesh = chart.configure_mesh();
        mesh.light_line_style(WHITE).bold_line_style(INK.mix(0.1)).label_style(labels.clone()).axis_desc_style(labels);
        mesh.x_desc(self.labels.0.as_str()).y_desc(self.labels.1.as_str()).axis_style(INK).draw().map_err(backend)?;
        // Bands first: they must not cover a curve.
        for (points, colour) in self.curves.values().zip(COLOURS) {
            paint_band(&mut chart, points, colour)?;
        }
        for (points, colour) in self.curves.values().zip(COLOURS) {
            let line = PathElement::new(steps(points, |point| point.value), ShapeStyle::from(colour).stroke_width(4));
            chart.draw_series([line]).map_err(backend)?;
        }
        self.paint_names(area)?;
        area.present().map_err(backend)
    }
}

impl Curves {
    /// Writes the names of the curves into the upper right corner, unless there is but one without a name.
    fn paint_names<D: DrawingBackend>(&self, area: &DrawingArea<D, Shift>) -> Result<(), PlotError> {
        let right = WIDTH.cast_signed() - 90;
        for (row, (name, colour)) in
            (0_i32..).zip(self.curves.keys().zip(COLOURS)).filter(|(_, (name, _))| !name.is_empty())
        {
            let y = 130 + row * 40;
            let patch = [(right, y - 22), (right + 24, y - 4)];
            area.draw(&Rectangle::new(patch, colour.filled())).map_err(backend)?;
            area.draw(&Text::new(name.clone(), (right - 14, y), text(24, HPos::Right))).map_err(backend)?;
        }
        Ok(())
    }
}

/// Fills what lies between the ends of the bands, as far as points have one.
fn paint_band<D: DrawingBackend>(
    chart: &mut Chart<'_, D>,
    points: &[Point],
    colour: RGBColor,
) -> Result<(), PlotError> {
    let is_banded = |point: &Point| point.band.is_some_and(|(low, high)| low.is_finite() && high.is_finite());
    for run in points.chunk_by(|a, b| is_banded(a) == is_banded(b)).filter(|run| run.first().is_some_and(is_banded)) {
        let mut outline = steps(run, |point| point.band.map_or(point.value, |(_, high)| high));
        outline.extend(steps(run, |point| point.band.map_or(point.value, |(low, _)| low)).into_iter().rev());
        chart.draw_series([Polygon::new(outline, colour.mix(0.18).filled())]).map_err(backend)?;
    }
    Ok(())
}

/// Goes along the points: on at the same height, then up or down.
fn steps(points: &[Point], height: impl Fn(&Point) -> f64) -> Vec<(f64, f64)> {
    let mut path = Vec::with_capacity(points.len() * 2);
    for point in points {
        if let Some(&(_, before)) = path.last() {
            path.push((point.at, before));
        }
        path.push((point.at, height(point)));
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at: f64, value: f64, band: Option<(f64, f64)>) -> Point {
        Point { at, value, band }
    }

    #[test]
    fn a_curve_goes_on_before_it_falls() {
        let points = [point(0.0, 1.0, None), point(2.0, 0.5, None)];
        assert_eq!(steps(&points, |point| point.value), [(0.0, 1.0), (2.0, 1.0), (2.0, 0.5)]);
    }

    #[test]
    fn curves_have_names_and_bands() {
        let mut curves = Curves::new("lung", ("time", "survival"));
        for (name, end) in [("women", 0.6), ("men", 0.4)] {
            curves.add(name, point(10.0, end, Some((end - 0.1, end + 0.1))));
            curves.add(name, point(0.0, 1.0, Some((1.0, 1.0))));
            curves.add(name, point(f64::NAN, 1.0, None));
        }
        let svg = String::from_utf8(curves.draw(Format::Svg).unwrap()).unwrap();
        assert!(["women", "men", "lung", "survival", "time"].iter().all(|word| svg.contains(word)), "{svg}");
        assert_eq!(svg.matches("<polygon").count(), 2, "two bands");
        assert_eq!(curves.draw(Format::Png).unwrap(), curves.draw(Format::Png).unwrap());
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let mut curves = Curves::new("", ("x", "y"));
        assert!(matches!(curves.draw(Format::Svg), Err(PlotError::NoPoint)));
        for number in 0..9 {
            curves.add(&number.to_string(), point(0.0, 1.0, None));
        }
        let error = curves.draw(Format::Svg).unwrap_err();
        assert_eq!(error.to_string(), "9 curves do not fit a picture, at most 8 do");
    }
}
