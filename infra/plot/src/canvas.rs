//! What all pictures share: paper, ink, font and file formats.

use std::io::Write as _;
use std::sync::Once;

use plotters::backend::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, IntoFont, RGBColor, TextStyle, register_font};

use crate::{Format, PlotError};

pub(crate) const FONT: &str = "sans-serif";
pub(crate) const INK: RGBColor = RGBColor(28, 34, 42);
pub(crate) const BLUE: RGBColor = RGBColor(33, 102, 172);
pub(crate) const ORANGE: RGBColor = RGBColor(201, 82, 30);
pub(crate) const GREY: RGBColor = RGBColor(110, 118, 128);

/// The width of a picture in dots.
pub(crate) const WIDTH: u32 = 1600;

/// What can be painted with either backend.
pub(crate) trait Paint {
    fn paint<D: DrawingBackend>(&self, area: &DrawingArea<D, Shift>) -> Result<(), PlotError>;
}

/// Paints a picture of a size in dots.
pub(crate) fn render(picture: &impl Paint, size: (u32, u32), format: Format) -> Result<Vec<u8>, PlotError> {
    static FONT_IS_KNOWN: Once = Once::new();
    FONT_IS_KNOWN.call_once(|| {
        // It is a font: a test draws with it.
        let _ = register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT);
    });
    match format {
        Format::Svg => {
            let mut text = String::new();
            picture.paint(&SVGBackend::with_string(&mut text, size).into_drawing_area())?;
            Ok(text.into_bytes())
        }
        Format::Png => {
            let mut dots = vec![0_u8; size.0 as usize * size.1 as usize * 3];
            picture.paint(&BitMapBackend::with_buffer(&mut dots, size).into_drawing_area())?;
            encode(&dots, size)
        }
    }
}

fn encode(dots: &[u8], size: (u32, u32)) -> Result<Vec<u8>, PlotError> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, size.0, size.1);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().map_err(backend)?;
    writer.write_image_data(dots).map_err(backend)?;
    writer.finish().map_err(backend)?;
    file.flush().map_err(backend)?;
    Ok(file)
}

pub(crate) fn backend(error: impl std::fmt::Display) -> PlotError {
    PlotError::Backend(error.to_string())
}

/// Text that stands on its place.
pub(crate) fn text(size: i32, side: HPos) -> TextStyle<'static> {
    TextStyle::from((FONT, size).into_font()).color(&INK).pos(Pos::new(side, VPos::Bottom))
}

/// Returns the range of finite numbers with a margin of 5 % on both sides; `None` if there are none.
pub(crate) fn range(numbers: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = numbers.into_iter().filter(|number| number.is_finite());
    let (low, high) = finite.fold(None, |range, number| match range {
        None => Some((number, number)),
        Some((low, high)) => Some((f64::min(low, number), f64::max(high, number))),
    })?;
    let margin = if high > low { (high - low) * 0.05 } else { low.abs().max(1.0) * 0.05 };
    Some((low - margin, high + margin))
}
