//! Tests of conditional independence under test-wise deletion: what is asked, what is found.

use causeway_core::{Cancel, Result, RunContext};
use rayon::ThreadPool;

/// The threads of a run, and the flag that stops them.
#[derive(Debug, Clone)]
pub(crate) struct Workers<'a> {
    pub(crate) pool: &'a ThreadPool,
    pub(crate) cancel: Cancel,
}

impl<'a> Workers<'a> {
    /// Takes the threads of a run.
    pub(crate) fn of(context: &'a RunContext) -> Self {
        Self { pool: context.pool(), cancel: context.cancel_flag() }
    }
}

/// Which zeros remove a cell from the test of x and y given S.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deletion {
    /// None: every cell is used.
    None,
    /// Zeros in S.
    Conditioned,
    /// Zeros in x, y and S.
    All,
}

impl Deletion {
    /// Returns the word that the option takes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Conditioned => "cond",
            Self::All => "all",
        }
    }
}

/// How many cells a test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MinRows {
    /// 30 + 3 |S|.
    Default,
    /// As many whatever |S| is, but never fewer than the statistic needs, |S| + 4.
    Fixed(usize),
}

impl MinRows {
    /// Returns the number of cells that a test given `n_conditioned` genes needs.
    pub(crate) fn required(self, n_conditioned: usize) -> usize {
        let wanted = match self {
            Self::Default => 30 + 3 * n_conditioned,
            Self::Fixed(n_rows) => n_rows,
        };
        wanted.max(n_conditioned + 4)
    }
}

/// How a test went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// The statistic is what it says.
    Ok,
    /// Too few cells are left; p-value 1.
    Few,
    /// A column has one value in the cells left; p-value 1.
    Constant,
    /// One column is a function of others: a partial correlation is that of the pseudo-inverse; other tests have no
    /// statistic, p-value 1.
    Singular,
}

impl Status {
    /// Returns the status as tables show it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Few => "few",
            Self::Constant => "constant",
            Self::Singular => "singular",
        }
    }
}

/// The result of one test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Finding {
    /// Cells used.
    pub(crate) n_used: usize,
    /// The partial correlation, or that of the residuals; `None` if the test has no such measure.
    pub(crate) correlation: Option<f64>,
    pub(crate) statistic: f64,
    pub(crate) p_value: f64,
    pub(crate) status: Status,
}

impl Finding {
    /// Returns the finding of a test that could not be run.
    pub(crate) fn untested(n_used: usize, status: Status) -> Self {
        Self { n_used, correlation: None, statistic: 0.0, p_value: 1.0, status }
    }

    /// Returns true if there is a statistic.
    pub(crate) fn was_run(&self) -> bool {
        self.status == Status::Ok || self.status == Status::Singular && self.correlation.is_some()
    }
}

/// Tests of one level: each asks whether x and y are independent given `level` other columns.
#[derive(Debug, Clone)]
pub(crate) struct Queries {
    level: usize,
    pairs: Vec<(usize, usize)>,
    /// The sets S one after another, each ascending.
    sets: Vec<usize>,
}

impl Queries {
    /// Makes an empty list of a level.
    pub(crate) fn new(level: usize) -> Self {
        Self { level, pairs: Vec::new(), sets: Vec::new() }
    }

    /// Adds a test of x and y given a set of `level` ascending columns.
    pub(crate) fn push(&mut self, x: usize, y: usize, set: &[usize]) {
        debug_assert_eq!(set.len(), self.level, "one size of S for each level");
        self.pairs.push((x, y));
        self.sets.extend_from_slice(set);
    }

    /// Returns the size of S.
    pub(crate) fn level(&self) -> usize {
        self.level
    }

    /// Returns the number of tests.
    pub(crate) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Returns x and y of a test.
    pub(crate) fn pair(&self, index: usize) -> (usize, usize) {
        self.pairs[index]
    }

    /// Returns S of a test.
    pub(crate) fn set(&self, index: usize) -> &[usize] {
        &self.sets[index * self.level..(index + 1) * self.level]
    }
}

/// A test of conditional independence that answers many questions at a time.
///
/// An answer depends on x, y and S alone: not on what else is asked, nor on the number of threads.
pub(crate) trait IndependenceTest: Sync {
    /// Answers all questions, in their order.
    fn evaluate(&self, queries: &Queries) -> Result<Vec<Finding>>;

    /// Returns how many sets a pair should ask of before it sees an answer: many if tests asked together
    /// share work, 1 if one that turns out needless is a loss.
    fn n_asked_first(&self) -> usize;

    /// Returns how many tests are asked at a time at most: fewer if each takes long.
    fn round_tests(&self) -> usize {
        1 << 18
    }
}
