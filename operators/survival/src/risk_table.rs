//! The risk table of one group: who was at risk and what happened at each distinct time.

/// One distinct time of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moment {
    /// The time.
    pub(crate) time: f64,
    /// Rows under observation just before the time: entry < time <= end.
    pub(crate) at_risk: u64,
    /// Rows that end here with an event.
    pub(crate) events: u64,
    /// Rows that end here without an event.
    pub(crate) censored: u64,
}

/// What happened to one group, in the order of time.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RiskTable {
    /// Rows of the group.
    pub(crate) n_rows: u64,
    /// Rows under observation from time 0 on.
    pub(crate) at_start: u64,
    /// Rows that enter after time 0, by time.
    late_entries: Vec<(f64, u64)>,
    /// The distinct times at which a row ends.
    pub(crate) moments: Vec<Moment>,
}

impl RiskTable {
    /// Makes a table from the rows that end and those that enter at each time, both in ascending
    /// order; fills in how many are at risk.
    ///
    /// Without entries all rows are under observation from before time 0, so that a row that ends
    /// at 0 was at risk.
    pub(crate) fn new(mut moments: Vec<Moment>, entries: Option<Vec<(f64, u64)>>) -> Self {
        let n_rows = moments.iter().map(|moment| moment.events + moment.censored).sum();
        let entries = entries.unwrap_or_else(|| vec![(0.0, n_rows)]);
        let from_start = entries.partition_point(|(time, _)| *time <= 0.0);
        let at_start = entries[..from_start].iter().map(|(_, n)| n).sum();
        let late_entries = entries[from_start..].to_vec();
        let mut at_risk = at_start;
        let mut entering = late_entries.iter().peekable();
        for moment in &mut moments {
            while let Some((_, n)) = entering.next_if(|(entry, _)| *entry < moment.time) {
                at_risk += n;
            }
            moment.at_risk = at_risk;
            at_risk -= moment.events + moment.censored;
        }
        Self { n_rows, at_start, late_entries, moments }
    }

    /// Returns the number of events.
    pub(crate) fn n_events(&self) -> u64 {
        self.moments.iter().map(|moment| moment.events).sum()
    }

    /// Returns the last time at which a row ends.
    pub(crate) fn last_time(&self) -> Option<f64> {
        self.moments.last().map(|moment| moment.time)
    }

    /// Returns the moments with the start of observation, time 0, in front.
    pub(crate) fn with_start(self) -> Vec<Moment> {
        let mut moments = self.moments;
        if moments.first().is_none_or(|moment| moment.time > 0.0) {
            moments.insert(0, Moment { time: 0.0, at_risk: self.at_start, events: 0, censored: 0 });
        }
        moments
    }

    /// Returns a reader that walks forward in time.
    pub(crate) fn walk(&self) -> Walk<'_> {
        Walk { table: self, next_moment: 0, next_entry: 0, at_risk: self.at_start }
    }
}

/// Reads a risk table at ascending times, also at times of other groups.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    table: &'a RiskTable,
    next_moment: usize,
    next_entry: usize,
    at_risk: u64,
}

impl Walk<'_> {
    /// Returns how many are at risk at `time` and how many have an event then; `time` never falls
    /// from call to call.
    pub(crate) fn at(&mut self, time: f64) -> (u64, u64) {
        while let Some((_, n)) = self.table.late_entries.get(self.next_entry).filter(|(entry, _)| *entry < time) {
            self.at_risk += n;
            self.next_entry += 1;
        }
        while let Some(passed) = self.table.moments.get(self.next_moment).filter(|moment| moment.time < time) {
            self.at_risk -= passed.events + passed.censored;
            self.next_moment += 1;
        }
        let now = self.table.moments.get(self.next_moment).filter(|moment| moment.time <= time);
        (self.at_risk, now.map_or(0, |moment| moment.events))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(time: f64, events: u64, censored: u64) -> Moment {
        Moment { time, at_risk: 0, events, censored }
    }

    #[test]
    fn late_rows_join_after_their_entry() {
        // entries 0, 0, 2, 5; ends 2, 5, 5, 7
        let entries = vec![(0.0, 2), (2.0, 1), (5.0, 1)];
        let table = RiskTable::new(vec![end(2.0, 1, 0), end(5.0, 1, 1), end(7.0, 1, 0)], Some(entries));
        let at_risk: Vec<u64> = table.moments.iter().map(|moment| moment.at_risk).collect();
        assert_eq!(at_risk, [2, 2, 1]);
        assert_eq!(table.with_start()[0], Moment { time: 0.0, at_risk: 2, events: 0, censored: 0 });
    }

    #[test]
    fn a_row_that_ends_at_zero_was_at_risk() {
        let table = RiskTable::new(vec![end(0.0, 1, 0), end(4.0, 1, 1)], None);
        assert_eq!(table.moments[0].at_risk, 3);
        assert_eq!(table.moments[1].at_risk, 2);
        assert_eq!(table.with_start().len(), 2);
    }

    #[test]
    fn walking_gives_the_table_at_its_own_times_and_between() {
        let entries = vec![(0.0, 2), (2.0, 1), (5.0, 1)];
        let table = RiskTable::new(vec![end(2.0, 1, 0), end(5.0, 1, 1), end(7.0, 1, 0)], Some(entries));
        let mut walk = table.walk();
        let seen: Vec<(u64, u64)> = [1.0, 2.0, 3.0, 5.0, 6.0, 7.0, 9.0].iter().map(|time| walk.at(*time)).collect();
        assert_eq!(seen, [(2, 0), (2, 1), (2, 0), (2, 1), (1, 0), (1, 1), (0, 0)]);
    }
}
