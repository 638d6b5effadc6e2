//! How long to wait before a job is tried again.

use std::time::Duration;

/// The wait after the first failure; it doubles with each.
const FIRST: Duration = Duration::from_secs(1);

/// The longest wait.
const LONGEST: Duration = Duration::from_secs(300);

/// How long a job waits that could not begin because its pipeline runs elsewhere.
pub(super) const IN_USE: Duration = Duration::from_secs(2);

/// Returns the wait after so many failures: between half of the full wait and all of it, so that jobs
/// that failed together do not come back together.
pub(super) fn after(n_failures: i64) -> Duration {
    full(n_failures).mul_f64(rand::random_range(0.5..=1.0))
}

fn full(n_failures: i64) -> Duration {
    let doublings = u32::try_from((n_failures - 1).clamp(0, 30)).unwrap_or(0);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let seconds: Vec<u64> = (1..=4).map(|failures| full(failures).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8]);
        assert_eq!((full(0), full(10), full(i64::MAX)), (FIRST, LONGEST, LONGEST));
    }

    #[test]
    fn jobs_that_failed_together_come_back_apart() {
        let waits: std::collections::BTreeSet<Duration> = (0..100).map(|_| after(3)).collect();
        assert!(waits.len() > 50, "{}", waits.len());
        assert!(waits.iter().all(|wait| (2..=4).contains(&wait.as_secs())));
    }
}
