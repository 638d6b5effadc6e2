//! Pictures of results: a network of nodes and edges, as SVG or PNG.
//!
//! ```text
//! edges --the strongest (network)--> nodes --distances become places (layout)--> drawing --plotters--> SVG, PNG
//! ```
//!
//! The same edges give the same picture, byte for byte: nothing is random, and the font is part of the
//! binary.
//!
//! ```
//! use causeway_plot::{Edge, Format, Network, draw};
//!
//! let edge = |source: &str, target: &str| Edge {
//!     source: source.to_owned(),
//!     target: target.to_owned(),
//!     directed: true,
//!     weight: Some(0.5),
//! };
//! let network = Network::new("two edges", vec![edge("Gata1", "Fog1"), edge("Gata2", "Gata1")]);
//! let picture = draw(&network, Format::Svg)?;
//! assert!(String::from_utf8_lossy(&picture).contains("Fog1"));
//! # Ok::<(), causeway_plot::PlotError>(())
//! ```

mod drawing;
mod layout;
mod network;

pub use drawing::draw;
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
    /// The library that draws has failed.
    #[error("the picture cannot be drawn: {0}")]
    Backend(String),
}
