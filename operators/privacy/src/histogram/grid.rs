//! Public bins of time, and the cell in which a row counts.

/// A time that is missing: the row counts nowhere.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// The cells of a histogram; fixed by options alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Grid {
    /// The end of the last bin.
    pub(crate) horizon: f64,
    pub(crate) n_bins: u32,
    /// Kinds of events; the outcome after the last one is censoring.
    pub(crate) n_causes: u32,
    pub(crate) n_strata: u32,
}

impl Grid {
    pub(crate) fn outcomes(self) -> u32 {
        self.n_causes + 1
    }

    /// Returns the number of cells of one stratum.
    pub(crate) fn cells_per_stratum(self) -> usize {
        self.n_bins as usize * self.outcomes() as usize
    }

    pub(crate) fn n_cells(self) -> usize {
        self.cells_per_stratum() * self.n_strata as usize
    }

    /// Returns the ends of bin k: [k H / m, (k + 1) H / m).
    pub(crate) fn ends(self, bin: u32) -> (f64, f64) {
        let end = |bin: u32| f64::from(bin) * self.horizon / f64::from(self.n_bins);
        (end(bin), end(bin + 1))
    }

    /// Returns the bin of a time: floor(t m / H), the first one for negative times, `n_bins` from the horizon on and
    /// [`NOWHERE`] for NaN.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates: negative times give 0")]
    pub(super) fn bin(self, time: f64) -> u32 {
        if time >= self.horizon {
            return self.n_bins;
        }
        if time.is_nan() {
            return NOWHERE;
        }
        ((time * f64::from(self.n_bins) / self.horizon) as u32).min(self.n_bins - 1)
    }

    /// Returns the cell of a row, none if it counts nowhere. Beyond the horizon everyone is censored in the last bin.
    pub(super) fn cell(self, stratum: u32, outcome: u32, bin: u32) -> Option<u32> {
        if bin > self.n_bins || stratum >= self.n_strata {
            return None;
        }
        let (outcome, bin) = if bin == self.n_bins { (self.n_causes, bin - 1) } else { (outcome, bin) };
        Some((stratum * self.outcomes() + outcome) * self.n_bins + bin)
    }

    /// Returns the place of a cell in the order by which the one row of a unit is chosen: the latest bin, then an
    /// event before a censoring, then the lowest cause, then the first stratum.
    pub(super) fn rank(self, cell: u32) -> u32 {
        let (bin, above) = (cell % self.n_bins, cell / self.n_bins);
        let (outcome, stratum) = (above % self.outcomes(), above / self.outcomes());
        (bin * self.outcomes() + (self.n_causes - outcome)) * self.n_strata + (self.n_strata - 1 - stratum)
    }

    /// Returns the cell of a rank.
    pub(super) fn cell_of_rank(self, rank: u32) -> u32 {
        let (last_strata, above) = (rank % self.n_strata, rank / self.n_strata);
        let (last_outcomes, bin) = (above % self.outcomes(), above / self.outcomes());
        let (stratum, outcome) = (self.n_strata - 1 - last_strata, self.n_causes - last_outcomes);
        (stratum * self.outcomes() + outcome) * self.n_bins + bin
    }
}

#[cfg(test)]
mod tests {
    use super::{Grid, NOWHERE};

    const GRID: Grid = Grid { horizon: 56.0, n_bins: 16, n_causes: 2, n_strata: 3 };

    #[test]
    fn bins_are_closed_below_and_open_above() {
        let bins = [0.0, 3.5, 7.0, 6.999, 55.999, 56.0, 1e300, f64::INFINITY, -1.0, f64::NEG_INFINITY, f64::NAN];
        let expected = [0, 1, 2, 1, 15, 16, 16, 16, 0, 0, NOWHERE];
        assert_eq!(bins.map(|time| GRID.bin(time)), expected);
        assert_eq!(GRID.ends(15), (52.5, 56.0));
    }

    #[test]
    fn beyond_the_horizon_all_are_censored_in_the_last_bin() {
        assert_eq!(GRID.cell(1, 0, 16), GRID.cell(1, 2, 15));
        assert_eq!(GRID.cell(0, 0, NOWHERE), None);
        assert_eq!(GRID.cell(NOWHERE, 0, 3), None);
    }

    #[test]
    fn ranks_and_cells_are_one_to_one_and_the_latest_event_is_first() {
        for cell in 0..u32::try_from(GRID.n_cells()).unwrap() {
            assert_eq!(GRID.cell_of_rank(GRID.rank(cell)), cell);
        }
        let rank = |stratum, outcome, bin| GRID.rank(GRID.cell(stratum, outcome, bin).unwrap());
        assert!(rank(2, 2, 5) > rank(0, 0, 4), "a later bin");
        assert!(rank(2, 1, 5) > rank(0, 2, 5), "an event before a censoring");
        assert!(rank(2, 0, 5) > rank(0, 1, 5), "the lowest cause");
        assert!(rank(0, 0, 5) > rank(1, 0, 5), "the first stratum");
    }
}
