//! What can go wrong when an operator is bound or run, by what the reader can do about it.

use arrow::error::ArrowError;

/// The result of an operator call.
pub type Result<T, E = OperatorError> = std::result::Result<T, E>;

/// An operator refused its call, its data, or could not finish.
///
/// Messages name columns, options and ranges, never a value of a row.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OperatorError {
    /// A parameter lies outside its documented range. The caller fixes the call.
    #[error("option `{name}` of {operator} must be {range}, got {value}")]
    Parameter {
        /// The operator called.
        operator: &'static str,
        /// The option.
        name: String,
        /// What is allowed.
        range: String,
        /// What was given.
        value: String,
    },
    /// An option that the operator does not have. The caller fixes the call.
    #[error("{operator} has no option `{name}`{}; its options are: {valid}", suggestion(.nearest))]
    UnknownParameter {
        /// The operator called.
        operator: &'static str,
        /// The option given.
        name: String,
        /// The closest valid name, if one is close.
        nearest: Option<String>,
        /// All valid names, comma separated.
        valid: String,
    },
    /// A required option or input relation is missing. The caller fixes the call.
    #[error("{operator} needs {what}; the call is: {usage}")]
    Missing {
        /// The operator called.
        operator: &'static str,
        /// What is missing, for example "option `regulators`".
        what: String,
        /// The signature.
        usage: String,
    },
    /// A column that an input relation does not have. The caller fixes the call.
    #[error("{operator}: relation `{relation}` has no column `{column}` to play `{option}`{}; it has: {available}. Add the column to the SELECT list or name another with `{option} => '...'`", suggestion(.nearest))]
    Column {
        /// The operator called.
        operator: &'static str,
        /// The input relation searched.
        relation: &'static str,
        /// The column asked for.
        column: String,
        /// The role it would play, and the option that names another column.
        option: &'static str,
        /// The closest existing column, if one is close.
        nearest: Option<String>,
        /// The columns that exist.
        available: String,
    },
    /// A column has a type the role does not take. The caller casts it.
    #[error("{operator}: column `{column}` plays `{role}` and must be {allowed}, it is {found}")]
    ColumnType {
        /// The operator called.
        operator: &'static str,
        /// The column.
        column: String,
        /// Its role.
        role: &'static str,
        /// The types the role takes.
        allowed: &'static str,
        /// The type found.
        found: String,
    },
    /// The data break a requirement of the method. The caller fixes or filters the data.
    #[error("{operator}: {problem}")]
    Data {
        /// The operator called.
        operator: &'static str,
        /// What is wrong, in how many rows, and what to do; never a row value.
        problem: String,
    },
    /// The solver stopped early. Retrying with the same input will not help.
    #[error(
        "{operator}: no convergence after {iterations} iterations (residual {residual:.1e}, tolerance {tolerance:.1e})"
    )]
    NotConverged {
        /// The operator called.
        operator: &'static str,
        /// Iterations done.
        iterations: usize,
        /// The residual reached.
        residual: f64,
        /// The residual wanted.
        tolerance: f64,
    },
    /// The memory limit of the query does not hold the operator's working set.
    #[error(
        "{operator}: the query's memory limit is reached ({problem}); raise `memory_limit_bytes` or reduce the input"
    )]
    Memory {
        /// The operator called.
        operator: &'static str,
        /// What the budget answered.
        problem: String,
    },
    /// Rows could not be kept outside memory. The owner of the disk makes room.
    #[error("{operator}: rows could not be spilled ({problem}); free disk space or reduce the input")]
    Scratch {
        /// The operator called.
        operator: &'static str,
        /// What the spill folder answered.
        problem: String,
    },
    /// The run was cancelled by its owner.
    #[error("cancelled")]
    Cancelled,
    /// An input relation failed while it was read; the message is the engine's own.
    #[error("{0}")]
    Input(String),
    /// Arrow refused a batch: a bug of the operator.
    #[error("internal error of an operator: {0}")]
    Arrow(#[from] ArrowError),
    /// A state that should not be reachable: a bug of the operator.
    #[error("internal error of {operator}: {problem}")]
    Internal {
        /// The operator called.
        operator: &'static str,
        /// What happened.
        problem: String,
    },
}

fn suggestion(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// Returns the candidate closest to `word`, if it is close enough to be what was meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count().min(word.chars().count()) / 4)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn suggests_a_close_word_and_no_far_one() {
        let options = ["confidence", "by", "entry"];
        assert_eq!(nearest("confidense", options).as_deref(), Some("confidence"));
        assert_eq!(nearest("Entri", options).as_deref(), Some("entry"));
        assert_eq!(nearest("penalty", options), None);
    }
}
