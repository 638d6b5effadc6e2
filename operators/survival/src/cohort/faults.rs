//! Rows that no survival method can use, counted and put in words.

use causeway_core::OperatorError;

/// Why a row cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    TimeNull,
    TimeNotFinite,
    TimeNegative,
    EventNull,
    EventNotFlag,
    EntryNull,
    EntryNotFinite,
    EntryNegative,
    EntryLate,
}

const ALL: [Fault; 9] = [
    Fault::TimeNull,
    Fault::TimeNotFinite,
    Fault::TimeNegative,
    Fault::EventNull,
    Fault::EventNotFlag,
    Fault::EntryNull,
    Fault::EntryNotFinite,
    Fault::EntryNegative,
    Fault::EntryLate,
];

/// The names of the columns, for messages.
#[derive(Debug)]
pub(super) struct ColumnNames {
    pub(super) time: String,
    pub(super) event: String,
    pub(super) entry: String,
}

/// How many rows have each fault.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Faults([u64; ALL.len()]);

impl Faults {
    pub(super) fn add(&mut self, fault: Fault, n_rows: usize) {
        self.0[fault as usize] += n_rows as u64;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        for (count, added) in self.0.iter_mut().zip(&other.0) {
            *count += added;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|count| *count == 0)
    }

    /// Returns the refusal, if there is any fault.
    pub(super) fn into_result(self, operator: &'static str, names: &ColumnNames) -> Result<(), OperatorError> {
        if self.is_empty() {
            return Ok(());
        }
        let found = ALL.iter().zip(self.0).filter(|(_, count)| *count > 0);
        let words: Vec<String> = found.map(|(fault, count)| fault.describe(count, names)).collect();
        let mut problem = format!(
            "{}; a row without a usable time, event or entry cannot be counted, so filter or correct it in the SELECT",
            words.join(", ")
        );
        if self.0[Fault::EventNotFlag as usize] > 0 {
            problem.push_str("; for an event coded otherwise select a comparison, such as `status = 2 AS event`");
        }
        Err(OperatorError::Data { operator, problem })
    }
}

impl Fault {
    fn describe(self, count: u64, names: &ColumnNames) -> String {
        let rows = if count == 1 { "row" } else { "rows" };
        let ColumnNames { time, event, entry } = names;
        match self {
            Self::TimeNull => format!("column `{time}` is null in {count} {rows}"),
            Self::TimeNotFinite => format!("column `{time}` is NaN or infinite in {count} {rows}"),
            Self::TimeNegative => format!("column `{time}` is negative in {count} {rows}"),
            Self::EventNull => format!("column `{event}` is null in {count} {rows}"),
            Self::EventNotFlag => format!("column `{event}` is neither 0 nor 1 in {count} {rows}"),
            Self::EntryNull => format!("column `{entry}` is null in {count} {rows}"),
            Self::EntryNotFinite => format!("column `{entry}` is NaN or infinite in {count} {rows}"),
            Self::EntryNegative => format!("column `{entry}` is negative in {count} {rows}"),
            Self::EntryLate => format!("column `{entry}` is not before `{time}` in {count} {rows}"),
        }
    }
}
