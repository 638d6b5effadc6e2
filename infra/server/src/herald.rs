//! Takes alerts from the catalog and tells those who want to know.
//!
//! An alert is raised once, in the transaction that sees the change. It is told at least once: a process
//! killed between telling and saying so tells again, under the same key. Processes take turns by a lease.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use causeway_jobs::alert_rules;
use causeway_model::{Alert, AlertEnd, AlertTransition, Catalog, CatalogError};

use crate::metrics::Metrics;
use crate::receiver::Receiver;

/// How often it is looked for alerts.
const LOOK: Duration = Duration::from_secs(1);

/// How often it is looked for late jobs.
const LATE_LOOK: Duration = Duration::from_secs(10);

/// Late jobs told of at one look.
const LATE_AT_ONCE: i64 = 100;

/// Alerts taken at once.
const AT_ONCE: i64 = 16;

/// How long nobody else takes them: longer than telling all of them can take is not needed, since what is
/// told twice has the same key.
const LEASE_MS: i64 = 120_000;

/// The pause after the first failure; it doubles with each.
const FIRST_PAUSE_MS: i64 = 2_000;

/// The longest pause.
const LONGEST_PAUSE_MS: i64 = 15 * 60 * 1_000;

/// Failures after which an alert is given up: about a day.
const MOST_FAILURES: i64 = 100;

/// Tells receivers of alerts.
pub struct Herald {
    catalog: Arc<dyn Catalog>,
    receivers: BTreeMap<String, Receiver>,
    /// Who is told where a pipeline names nobody.
    default: Vec<String>,
    metrics: Option<Metrics>,
}

impl Herald {
    /// Makes a herald of these receivers; `default` names those who are told of pipelines that name nobody.
    pub fn new(catalog: Arc<dyn Catalog>, receivers: impl IntoIterator<Item = Receiver>, default: Vec<String>) -> Self {
        let receivers = receivers.into_iter().map(|receiver| (receiver.name().to_owned(), receiver)).collect();
        Self { catalog, receivers, default, metrics: None }
    }

    /// Counts what is told.
    #[must_use]
    pub fn with_metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = Some(metrics);
        self
    }

    /// Tells, without end. What goes wrong is logged and tried again.
    pub async fn run(&self) {
        let mut looked: Option<Instant> = None;
        loop {
            if looked.is_none_or(|looked| looked.elapsed() >= LATE_LOOK) {
                looked = Some(Instant::now());
                if let Err(error) = self.catalog.raise_late_alerts(LATE_AT_ONCE).await {
                    tracing::warn!(code = error.code(), "late jobs cannot be looked for; trying again");
                }
            }
            if let Err(error) = self.tell_due().await {
                tracing::warn!(code = error.code(), "alerts cannot be taken; trying again");
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Tells what is due now.
    ///
    /// # Errors
    /// Errors of the catalog.
    pub async fn tell_due(&self) -> Result<(), CatalogError> {
        for alert in self.catalog.claim_alerts(LEASE_MS, AT_ONCE).await? {
            let (delivered_to, end) = self.tell(&alert).await;
            self.catalog.end_alert(alert.id, &delivered_to, end).await?;
        }
        Ok(())
    }

    /// Tells everybody who was not told yet.
    async fn tell(&self, alert: &Alert) -> (Vec<String>, AlertEnd) {
        let mut delivered_to = alert.delivered_to.clone();
        let mut all_know = true;
        for name in self.wanted(alert).await {
            if delivered_to.contains(&name) {
                continue;
            }
            let told = self.tell_one(&name, alert).await;
            if told {
                delivered_to.push(name);
            }
            all_know &= told;
        }
        let end = match (all_know, alert.n_failures + 1 >= MOST_FAILURES) {
            (true, _) => AlertEnd::Delivered,
            (false, true) => AlertEnd::GivenUp,
            (false, false) => AlertEnd::Again { after_ms: pause_ms(alert.n_failures) },
        };
        (delivered_to, end)
    }

    async fn tell_one(&self, name: &str, alert: &Alert) -> bool {
        let Some(receiver) = self.receivers.get(name) else {
            tracing::warn!(
                receiver = name,
                pipeline = alert.spec.pipeline,
                "an alert names a receiver that is not there"
            );
            return false;
        };
        let told = receiver.tell(alert).await;
        if let Some(metrics) = &self.metrics {
            metrics.alerted(told.is_ok());
        }
        match told {
            Ok(()) => {
                tracing::info!(
                    receiver = name,
                    pipeline = alert.spec.pipeline,
                    key = alert.spec.key,
                    "alert delivered"
                );
                true
            }
            Err(error) => {
                tracing::warn!(code = error.code(), pipeline = alert.spec.pipeline, %error, "alert not delivered");
                false
            }
        }
    }

    /// Returns the names of those who want to know. Where the pipeline cannot be read, the default ones do.
    async fn wanted(&self, alert: &Alert) -> BTreeSet<String> {
        let folder = alert.spec.folder.clone();
        let rules = tokio::task::spawn_blocking(move || alert_rules(Path::new(&folder))).await;
        match rules {
            Ok(Ok(rules)) if !rules.is_empty() => names_for(&rules, alert.spec.transition),
            _ => self.default.iter().cloned().collect(),
        }
    }
}

fn names_for(rules: &[causeway_jobs::AlertRule], transition: AlertTransition) -> BTreeSet<String> {
    rules.iter().filter(|rule| rule.on.contains(&transition)).flat_map(|rule| rule.to.clone()).collect()
}

fn pause_ms(n_failures: i64) -> i64 {
    let doublings = u32::try_from(n_failures.clamp(0, 20)).unwrap_or(0);
    FIRST_PAUSE_MS.saturating_mul(1 << doublings).min(LONGEST_PAUSE_MS)
}

#[cfg(test)]
mod tests {
    use causeway_model::NewAlert;
    use causeway_store::SqliteCatalog;

    use super::*;
    use crate::receiver::Target;

    fn raised(folder: &Path) -> NewAlert {
        NewAlert {
            key: "late/1".to_owned(),
            transition: AlertTransition::Late,
            pipeline: "nightly".to_owned(),
            folder: folder.display().to_string(),
            job: None,
        }
    }

    fn tee(name: &str, file: &Path) -> Receiver {
        let argv = ["tee", "-a", file.to_str().unwrap()].map(str::to_owned).to_vec();
        Receiver::new(name, &Target::Command(argv)).unwrap()
    }

    fn told(file: &Path) -> usize {
        std::fs::read_to_string(file).unwrap_or_default().lines().count()
    }

    #[tokio::test]
    async fn who_was_told_is_not_told_again_when_another_could_not_be() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("told");
        let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::in_memory().await.unwrap());
        catalog.raise_alert(&raised(folder.path())).await.unwrap();
        let receivers = [tee("a", &file), Receiver::new("b", &Target::Command(vec!["false".to_owned()])).unwrap()];
        let default = vec!["a".to_owned(), "b".to_owned()];
        let herald = Herald::new(Arc::clone(&catalog), receivers, default.clone());
        herald.tell_due().await.unwrap();
        assert_eq!((told(&file), catalog.figures().await.unwrap().n_waiting_alerts), (1, 1));
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        let herald = Herald::new(Arc::clone(&catalog), [tee("a", &file), tee("b", &file)], default);
        herald.tell_due().await.unwrap();
        herald.tell_due().await.unwrap();
        assert_eq!((told(&file), catalog.figures().await.unwrap().n_waiting_alerts), (2, 0));
    }

    #[tokio::test]
    async fn a_pipeline_says_who_wants_to_know_what() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = "name = \"nightly\"\n[[alert]]\non = [\"failed\"]\nto = [\"a\"]\n[[alert]]\non = [\"late\"]\nto = [\"b\"]\n";
        std::fs::write(folder.path().join("pipeline.toml"), manifest).unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        let catalog: Arc<dyn Catalog> = Arc::new(SqliteCatalog::in_memory().await.unwrap());
        catalog.raise_alert(&raised(folder.path())).await.unwrap();
        let receivers = [tee("a", &first), tee("b", &second)];
        Herald::new(Arc::clone(&catalog), receivers, vec!["a".to_owned()]).tell_due().await.unwrap();
        assert_eq!((told(&first), told(&second)), (0, 1));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        assert_eq!((pause_ms(0), pause_ms(1), pause_ms(50)), (2_000, 4_000, LONGEST_PAUSE_MS));
    }
}
