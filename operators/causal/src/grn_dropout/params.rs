//! The options of `grn_dropout`.

use causeway_core::{Literals, Result, RunContext};
use rand::{RngCore as _, SeedableRng as _};
use rand_chacha::ChaCha20Rng;

use super::SPEC;
use crate::grn::options::{SearchOptions, whole};

/// Checked options.
#[derive(Debug)]
pub(super) struct GrnDropout {
    pub(super) search: SearchOptions,
    /// True if separated pairs are wanted too.
    pub(super) all_pairs: bool,
    /// Searches repeated on random halves.
    pub(super) stability: usize,
    seed: Option<u64>,
}

impl GrnDropout {
    pub(super) fn from_literals(literals: &Literals) -> Result<Self> {
        Ok(Self {
            search: SearchOptions::from_literals(&SPEC, literals)?,
            all_pairs: literals.text("pairs") == Some("all"),
            stability: whole(&SPEC, literals, "stability")?,
            seed: literals.integer("seed").and_then(|seed| u64::try_from(seed).ok()),
        })
    }

    /// Returns the generator of the random halves.
    pub(super) fn rng(&self, context: &mut RunContext) -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(self.seed.unwrap_or_else(|| context.rng().next_u64()))
    }
}
