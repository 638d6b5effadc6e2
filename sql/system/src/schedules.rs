//! Rows of `system.schedules`, `system.slots` and `system.backfills`.

use arrow::array::ArrayRef;
use causeway_model::{Catalog, CronRule, Lateness, Trigger};
use datafusion::error::Result;

use crate::cells::{booleans, integers, moments, optional_integers, optional_texts, text_lists, texts};
use crate::provider::{Ask, catalog_error};

pub(crate) async fn schedules(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let entries = catalog.schedules().await.map_err(catalog_error)?;
    let rows = || entries.iter();
    let specs = || rows().map(|row| &row.spec);
    let rules = || specs().map(|spec| spec.rule.as_ref());
    let text_of = |part: fn(&CronRule) -> &str| optional_texts(rules().map(|rule| rule.map(part)));
    let groups = || specs().map(|spec| spec.terms.group.as_ref());
    Ok(vec![
        texts(specs().map(|spec| &spec.name)),
        texts(rows().map(|row| row.state.name())),
        texts(specs().map(|spec| &spec.owner)),
        texts(specs().map(|spec| &spec.work)),
        text_of(|rule| &rule.cron),
        text_of(|rule| &rule.zone),
        text_of(|rule| rule.gap.name()),
        text_of(|rule| rule.fold.name()),
        texts(specs().map(|spec| spec.missed.name())),
        text_lists(specs().map(|spec| spec.triggers.iter().map(shown))),
        integers(specs().map(|spec| spec.terms.priority)),
        optional_texts(groups().map(|group| group.map(|group| &group.name))),
        optional_integers(groups().map(|group| group.map(|group| group.limit))),
        integers(specs().map(|spec| spec.terms.max_attempts)),
        optional_integers(specs().map(|spec| spec.terms.timeout_ms)),
        optional_integers(specs().map(|spec| spec.terms.memory_limit_bytes)),
        optional_integers(specs().map(|spec| spec.terms.start_within_ms)),
        optional_integers(specs().map(|spec| spec.terms.end_within_ms)),
        moments(rows().map(|row| row.next_fire)),
        moments(rows().map(|row| row.last_fire)),
        moments(rows().map(|row| row.passed_over.map(|(first, _)| first))),
        moments(rows().map(|row| row.passed_over.map(|(_, last)| last))),
        moments(rows().map(|row| Some(row.added_at))),
    ])
}

fn shown(trigger: &Trigger) -> String {
    format!("{} {}", trigger.kind.name(), trigger.target)
}

pub(crate) async fn slots(ask: &Ask<'_>) -> Result<Vec<ArrayRef>> {
    let limit = ask.limit.and_then(|limit| i64::try_from(limit).ok()).unwrap_or(i64::MAX);
    let slots = ask.catalog.slots(None, limit).await.map_err(catalog_error)?;
    let rows = || slots.iter();
    Ok(vec![
        texts(rows().map(|row| &row.name)),
        moments(rows().map(|row| Some(row.fire_at))),
        moments(rows().map(|row| Some(row.slot_start))),
        moments(rows().map(|row| Some(row.slot_end))),
        texts(rows().map(|row| row.cause.name())),
        optional_integers(rows().map(|row| row.backfill.map(|backfill| backfill.0))),
        integers(rows().map(|row| row.job.0)),
        texts(rows().map(|row| row.state.name())),
        optional_texts(rows().map(|row| row.lateness.map(Lateness::name))),
        texts(rows().map(|row| &row.owner)),
        moments(rows().map(|row| Some(row.fired_at))),
    ])
}

pub(crate) async fn backfills(catalog: &dyn Catalog) -> Result<Vec<ArrayRef>> {
    let backfills = catalog.backfills(None).await.map_err(catalog_error)?;
    let rows = || backfills.iter();
    Ok(vec![
        integers(rows().map(|row| row.id.0)),
        texts(rows().map(|row| &row.name)),
        texts(rows().map(|row| &row.owner)),
        texts(rows().map(|row| &row.actor)),
        texts(rows().map(|row| row.state.name())),
        moments(rows().map(|row| Some(row.spec.from))),
        moments(rows().map(|row| Some(row.spec.to))),
        moments(rows().map(|row| row.cursor)),
        booleans(rows().map(|row| row.spec.rerun)),
        integers(rows().map(|row| row.spec.at_once)),
        integers(rows().map(|row| row.spec.priority)),
        integers(rows().map(|row| row.n_fired)),
        integers(rows().map(|row| row.n_passed_over)),
        integers(rows().map(|row| row.n_open)),
        integers(rows().map(|row| row.n_succeeded)),
        moments(rows().map(|row| Some(row.started_at))),
        moments(rows().map(|row| row.finished_at)),
    ])
}
