//! What a manifest changes of a schedule.

use causeway_model::{JobTerms, ScheduleSpec};

use super::trigger;

/// Returns one line for each part that differs.
pub(super) fn changes(before: &ScheduleSpec, after: &ScheduleSpec) -> Vec<String> {
    let (old, new) = (parts(before), parts(after));
    let pairs = old.into_iter().zip(new).filter(|((_, old), (_, new))| old != new);
    let shown = |text: String| if text.is_empty() { "none".to_owned() } else { format!("`{text}`") };
    pairs.map(|((part, old), (_, new))| format!("{part}: {} became {}", shown(old), shown(new))).collect()
}

fn parts(spec: &ScheduleSpec) -> Vec<(&'static str, String)> {
    let rule = spec.rule.as_ref();
    let terms: &JobTerms = &spec.terms;
    let number = |number: Option<i64>| number.map(|number| number.to_string()).unwrap_or_default();
    let group = terms.group.as_ref().map(|group| format!("{}, {} at once", group.name, group.limit));
    vec![
        ("folder", spec.work.clone()),
        ("owner", spec.owner.clone()),
        ("cron", rule.map(|rule| rule.cron.clone()).unwrap_or_default()),
        ("zone", rule.map(|rule| rule.zone.clone()).unwrap_or_default()),
        ("gap", rule.map(|rule| rule.gap.name().to_owned()).unwrap_or_default()),
        ("fold", rule.map(|rule| rule.fold.name().to_owned()).unwrap_or_default()),
        ("missed", spec.missed.name().to_owned()),
        ("triggers", spec.triggers.iter().map(trigger).collect::<Vec<_>>().join(", ")),
        ("priority", terms.priority.to_string()),
        ("group", group.unwrap_or_default()),
        ("attempts", terms.max_attempts.to_string()),
        ("timeout_ms", number(terms.timeout_ms)),
        ("memory_limit_bytes", number(terms.memory_limit_bytes)),
        ("start_within_ms", number(terms.start_within_ms)),
        ("end_within_ms", number(terms.end_within_ms)),
    ]
}
