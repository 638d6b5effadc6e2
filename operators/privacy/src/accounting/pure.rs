//! Pure differential privacy: ε adds up.

use causeway_core::Epsilon;

/// The ε of several releases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pure {
    micro: u64,
}

/// Evidence that the releases of a list each depend on units that no other release of the list depends on.
#[derive(Debug, Clone, Copy)]
pub struct Disjoint(());

impl Disjoint {
    /// Returns the evidence for cells (groups, strata, bins) into which each row falls by its own values and public
    /// constants, if a unit has at most one row that counts. With two rows a unit may stand in two cells, and there
    /// is no evidence.
    #[must_use]
    pub const fn cells_of_rows(rows_per_unit: u32) -> Option<Self> {
        if rows_per_unit == 1 { Some(Self(())) } else { None }
    }
}

impl Pure {
    /// Returns the amount after one more release; none if it does not fit.
    #[must_use]
    pub fn and(self, release: Epsilon) -> Option<Self> {
        Some(Self { micro: self.micro.checked_add(release.micro())? })
    }

    /// Returns the amount after releases from disjoint units: that of the dearest (McSherry 2009, theorem 4).
    #[must_use]
    pub fn and_disjoint(self, releases: &[Epsilon], _evidence: Disjoint) -> Option<Self> {
        releases.iter().max().map_or(Some(self), |dearest| self.and(*dearest))
    }

    /// Returns the amount in millionths of ε.
    #[must_use]
    pub fn micro(self) -> u64 {
        self.micro
    }

    /// Returns the amount for `related` units that are to be protected together; none if it does not fit.
    #[must_use]
    pub fn for_group(self, related: u32) -> Option<Self> {
        Some(Self { micro: self.micro.checked_mul(u64::from(related))? })
    }
}
