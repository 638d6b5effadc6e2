//! Pictures of results, as SVG or PNG: networks, estimates with intervals, curves with bands.
//!
//! ```text
//! edges --the strongest (network)--> nodes --distances become places (layout)--> drawing --+
//! estimates --------------------------------------------------------------> forest --------+--canvas--> SVG, PNG
//! points -----------------------------------------------------------------> curves --------+
//! ```
//!
//! The same rows give the same picture, byte for byte: nothing is random, and the font is part of the
//! binary.
//!
//! ```
//! use causeway_plot::{Edge, Format, Network};
//!
//! let edge = |source: &str, target: &str| Edge {
//!     source: source.to_owned(),
//!     target: target.to_owned(),
//!     directed: true,
//!     weight: Some(0.5),
//! };
//! let network = Network::new("two edges", vec![edge("Gata1", "Fog1"), edge("Gata2", "Gata1")]);
//! let picture = network.draw(Format::Svg)?;
//! assert!(String::from_utf8_lossy(&picture).contains("Fog1"));
//! # Ok::<(), causeway_plot::PlotError>(())
//! ```

mod canvas;
mod curves;
mod drawing;
mod forest;
mod layout;
mod network;

pub use curves::{Curves, Point};
pub use forest::{Estimate, Forest};
pub use network::{Edge, Network};

/// What a picture is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Lines and texts, for browsers and papers.
    Svg,
    /// Dots.
    Png,
}

/// A picture cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlotError {
    /// There is nothing to draw.
    #[error("there is no edge to draw")]
    Empty,
    /// More nodes than a picture can show.
    #[error("{n_nodes} nodes do not fit a picture, at most {most} do; draw fewer edges")]
    TooMany {
        /// The nodes of the edges.
        n_nodes: usize,
        /// The most.
        most: usize,
    },
    /// No row has an estimate.
    #[error("there is no estimate to draw")]
    NoEstimate,
    /// More estimates than a picture can show.
    #[error("{n_rows} rows do not fit a picture, at most {most} do")]
    TooManyRows {
        /// The estimates.
        n_rows: usize,
        /// The most.
        most: usize,
    },
    /// No row has a point.
    #[error("there is no point to draw")]
    NoPoint,
    /// More curves than a picture has colours.
    #[error("{n_curves} curves do not fit a picture, at most {most} do")]
    TooManyCurves {
        /// The curves.
        n_curves: usize,
        /// The most.
        most: usize,
    },
    /// The library that draws has failed.
    #[error("the picture cannot be drawn: {0}")]
    Backend(String),
}
