//! What the shell that started us gets to see.

use std::process::ExitCode;

/// How a command ended. The numbers are part of the interface; `--help` lists them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All went well.
    Ok = 0,
    /// A step, statement or job failed; two runs differ; a step does not give the same again.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The configuration, the catalog or the lake cannot be used.
    Unusable = 3,
    /// Refused: a path that is not allowed, or a limit of size, memory or time.
    Refused = 4,
    /// Interrupted by Ctrl-C or a termination signal.
    Interrupted = 130,
}

/// The table that `--help` and the manual show.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    all went well
  1    a step, statement or job failed; diff: something differs; reproduce: a step gives another result
  2    the command line is wrong
  3    the configuration, the catalog or the lake cannot be used
  4    refused: a path that is not allowed, or a limit of size, memory or time
  130  interrupted; a second Ctrl-C ends at once";

impl Exit {
    /// Returns the exit of an error of this code.
    pub(crate) fn of_code(code: &str) -> Self {
        match code {
            "CW0102" | "CW0107" | "CW0202" | "CW0203" | "CW0502" | "CW0507" | "CW0512" => Self::Refused,
            "CW0204" | "CW0513" => Self::Interrupted,
            "CW0205" | "CW0404" | "CW0405" | "CW0406" | "CW0407" => Self::Unusable,
            "CW1001" => Self::Usage,
            "CW1002" | "CW1003" => Self::Unusable,
            code if code.starts_with("CW08") => Self::Unusable,
            _ => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
