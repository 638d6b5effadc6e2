//! Schedules: a moment has one job, whoever is first, and what people do is a record.

use causeway_audit::{Action, LogId, LogKey, Record};

use super::fixtures::*;
use crate::{
    AlertTransition, Backfill, BackfillState, BackfillStep, Catalog, CatalogError, ConcurrencyGroup, CronRule, Ending,
    ErrorClass, Figures, Fold, Gap, JobKind, JobPage, JobState, JobTerms, Lateness, Missed, Moment, NewBackfill,
    NewJob, NewSlot, Parameters, RuleFiring, RunId, RunState, ScheduleEntry, ScheduleId, ScheduleSpec, ScheduleState,
    Seen, SlotCause, Trigger, TriggerFiring, TriggerKind,
};

/// A moment that has passed, and one that has not.
const PAST: Moment = Moment(1_000_000);
const FUTURE: Moment = Moment(i64::MAX / 2);

fn spec(name: &str) -> ScheduleSpec {
    ScheduleSpec {
        name: name.into(),
        work: format!("/srv/{name}"),
        owner: "ann".into(),
        rule: Some(CronRule { cron: "0 2 * * *".into(), zone: "UTC".into(), gap: Gap::Skip, fold: Fold::Both }),
        missed: Missed::All,
        triggers: Vec::new(),
        terms: JobTerms {
            priority: 5,
            group: Some(ConcurrencyGroup { name: "g".into(), limit: 9 }),
            max_attempts: 2,
            timeout_ms: Some(7),
            memory_limit_bytes: Some(1 << 30),
            start_within_ms: None,
            end_within_ms: None,
        },
    }
}

fn on(kind: TriggerKind, target: &str) -> Trigger {
    Trigger { kind, target: target.into() }
}

/// A schedule that is fired by triggers alone.
fn triggered(name: &str, triggers: Vec<Trigger>) -> ScheduleSpec {
    ScheduleSpec { rule: None, triggers, ..spec(name) }
}

async fn put(catalog: &dyn Catalog, spec: &ScheduleSpec, next: Option<Moment>) -> ScheduleEntry {
    catalog.put_schedule(spec, next, &spec.owner).await.unwrap().entry
}

async fn nightly(catalog: &dyn Catalog) -> ScheduleEntry {
    put(catalog, &spec("nightly"), Some(PAST)).await
}

fn slot(fire_at: i64) -> NewSlot {
    let job = NewJob {
        kind: JobKind::Pipeline,
        work: "/srv/nightly".into(),
        base_dir: "/srv/nightly".into(),
        parameters: Parameters::default(),
        run: RunId(format!("run-{fire_at}-{}", unique())),
        actor: "ann".into(),
        dedupe_key: None,
        priority: 0,
        group: None,
        max_attempts: 1,
        timeout_ms: None,
        memory_limit_bytes: None,
    };
    NewSlot { fire_at: Moment(fire_at), slot_start: Moment(fire_at - 10), slot_end: Moment(fire_at), job }
}

/// Returns another number each time.
fn unique() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static LAST: AtomicU32 = AtomicU32::new(0);
    LAST.fetch_add(1, Ordering::Relaxed)
}

fn firing(entry: &ScheduleEntry, slots: &[i64], next: Moment) -> RuleFiring {
    RuleFiring {
        schedule: entry.id,
        revision: entry.revision,
        due: entry.next_fire.unwrap(),
        next: Some(next),
        slots: slots.iter().map(|at| slot(*at)).collect(),
        passed_over: None,
    }
}

async fn due(catalog: &dyn Catalog) -> Vec<String> {
    catalog.agenda().await.unwrap().due.into_iter().map(|entry| entry.spec.name).collect()
}

async fn current(catalog: &dyn Catalog, name: &str) -> ScheduleEntry {
    catalog.schedule(name).await.unwrap().unwrap()
}

fn is_invalid<T>(result: Result<T, CatalogError>) -> bool {
    matches!(result, Err(CatalogError::Invalid(_)))
}

pub async fn a_schedule_keeps_what_it_was_given(catalog: &dyn Catalog) {
    let triggers =
        vec![on(TriggerKind::Table, "a.t"), on(TriggerKind::Path, "in/*.csv"), on(TriggerKind::Pipeline, "other")];
    let given = ScheduleSpec { triggers, ..spec("nightly") };
    let registered = catalog.put_schedule(&given, Some(PAST), "ann").await.unwrap();
    assert!(registered.before.is_none());
    let kept = current(catalog, "nightly").await;
    assert_eq!(kept, registered.entry);
    assert_eq!((&kept.spec, kept.state, kept.next_fire), (&given, ScheduleState::Active, Some(PAST)));
    assert_eq!(catalog.schedules().await.unwrap(), [kept]);
    assert!(catalog.schedule("other").await.unwrap().is_none());
}

pub async fn a_schedule_that_makes_no_sense_is_refused(catalog: &dyn Catalog) {
    let base = || spec("x");
    let terms = |change: fn(&mut JobTerms)| {
        let mut spec = base();
        change(&mut spec.terms);
        (spec, Some(PAST))
    };
    for (wrong, next) in [
        (triggered("x", Vec::new()), None),
        (base(), None),
        (triggered("x", vec![on(TriggerKind::Path, "p")]), Some(PAST)),
        (triggered("x", vec![on(TriggerKind::Table, "t")]), None),
        terms(|terms| terms.max_attempts = 0),
        terms(|terms| terms.timeout_ms = Some(0)),
        terms(|terms| terms.group = Some(ConcurrencyGroup { name: "g".into(), limit: 0 })),
    ] {
        assert!(is_invalid(catalog.put_schedule(&wrong, next, "ann").await), "{wrong:?}");
    }
    assert!(catalog.schedules().await.unwrap().is_empty());
}

pub async fn a_changed_schedule_keeps_its_next_firing_if_the_rule_stays(catalog: &dyn Catalog) {
    let first = nightly(catalog).await;
    let same = catalog.put_schedule(&spec("nightly"), Some(FUTURE), "ann").await.unwrap();
    assert_eq!((same.entry, same.before), (first.clone(), Some(first.clone())));
    let moved = ScheduleSpec { work: "/srv/elsewhere".into(), ..spec("nightly") };
    let entry = put(catalog, &moved, Some(FUTURE)).await;
    assert_eq!((entry.id, entry.next_fire, entry.revision), (first.id, Some(PAST), first.revision + 1));
    let mut other = spec("nightly");
    other.rule.as_mut().unwrap().zone = "Europe/Berlin".into();
    assert_eq!(put(catalog, &other, Some(FUTURE)).await.next_fire, Some(FUTURE));
}

pub async fn what_is_due_is_on_the_agenda(catalog: &dyn Catalog) {
    assert_eq!(catalog.agenda().await.unwrap().next, None);
    put(catalog, &spec("later"), Some(FUTURE)).await;
    let agenda = catalog.agenda().await.unwrap();
    assert!(agenda.due.is_empty() && agenda.next == Some(FUTURE) && agenda.now > PAST);
    put(catalog, &spec("second"), Some(Moment(PAST.0 + 1))).await;
    nightly(catalog).await;
    assert_eq!(due(catalog).await, ["nightly", "second"]);
    assert_eq!(catalog.agenda().await.unwrap().next, Some(PAST));
}

pub async fn a_firing_makes_slot_and_job_and_moves_on(catalog: &dyn Catalog) {
    let entry = nightly(catalog).await;
    let next = Moment(PAST.0 + 100);
    let wanted =
        RuleFiring { passed_over: Some((Moment(5), Moment(6))), ..firing(&entry, &[PAST.0, PAST.0 + 50], next) };
    let jobs = catalog.fire(&wanted).await.unwrap().unwrap();
    let slots = catalog.slots(Some(entry.id), 10).await.unwrap();
    assert_eq!(slots.iter().map(|slot| slot.fire_at.0).collect::<Vec<_>>(), [PAST.0 + 50, PAST.0]);
    let first = &slots[1];
    assert_eq!(
        (first.job, first.state, first.cause, first.backfill),
        (jobs[0], JobState::Queued, SlotCause::Rule, None)
    );
    assert_eq!((first.slot_start.0, first.slot_end, first.name.as_str()), (PAST.0 - 10, PAST, "nightly"));
    assert_eq!(catalog.job(jobs[1]).await.unwrap().spec, wanted.slots[1].job);
    let moved = current(catalog, "nightly").await;
    assert_eq!((moved.next_fire, moved.last_fire), (Some(next), Some(Moment(PAST.0 + 50))));
    assert_eq!(moved.passed_over, Some((Moment(5), Moment(6))));
    assert_eq!(moved.revision, entry.revision, "a firing is no change of the schedule");
}

pub async fn only_the_first_scheduler_fires(catalog: &dyn Catalog) {
    let entry = nightly(catalog).await;
    let next = Moment(PAST.0 + 100);
    assert!(catalog.fire(&firing(&entry, &[PAST.0], next)).await.unwrap().is_some());
    assert_eq!(catalog.fire(&firing(&entry, &[PAST.0], next)).await.unwrap(), None);
    let moved = current(catalog, "nightly").await;
    assert_eq!(catalog.fire(&firing(&moved, &[PAST.0, PAST.0 + 100], FUTURE)).await.unwrap().unwrap().len(), 1);
    assert_eq!(catalog.jobs(&JobPage::newest(10)).await.unwrap().len(), 2, "a moment has one job");
}

pub async fn a_schedule_that_was_changed_meanwhile_does_not_fire(catalog: &dyn Catalog) {
    let entry = nightly(catalog).await;
    let wanted = firing(&entry, &[PAST.0], FUTURE);
    let moved = put(catalog, &ScheduleSpec { missed: Missed::None, ..spec("nightly") }, Some(PAST)).await;
    assert_eq!(catalog.fire(&wanted).await.unwrap(), None);
    catalog.pause_schedule(moved.id, "ann").await.unwrap();
    assert_eq!(catalog.fire(&firing(&moved, &[PAST.0], FUTURE)).await.unwrap(), None);
    assert!(catalog.jobs(&JobPage::newest(10)).await.unwrap().is_empty());
}

pub async fn only_the_database_says_what_time_it_is(catalog: &dyn Catalog) {
    let entry = put(catalog, &spec("later"), Some(FUTURE)).await;
    let early = firing(&entry, &[], Moment(FUTURE.0 + 1));
    assert_eq!(catalog.fire(&early).await.unwrap(), None, "it is not due");
    let entry = nightly(catalog).await;
    assert!(is_invalid(catalog.fire(&firing(&entry, &[FUTURE.0], FUTURE)).await));
    assert_eq!(current(catalog, "nightly").await.next_fire, Some(PAST));
    assert!(catalog.slots(None, 10).await.unwrap().is_empty());
}

pub async fn a_firing_that_fails_leaves_nothing(catalog: &dyn Catalog) {
    let entry = nightly(catalog).await;
    let mut wanted = firing(&entry, &[PAST.0, PAST.0 + 1], FUTURE);
    wanted.slots[1].job.max_attempts = 0;
    assert!(is_invalid(catalog.fire(&wanted).await));
    assert_eq!(current(catalog, "nightly").await, entry);
    assert!(
        catalog.jobs(&JobPage::newest(10)).await.unwrap().is_empty()
            && catalog.slots(None, 10).await.unwrap().is_empty()
    );
}

pub async fn a_paused_schedule_is_not_due_until_it_is_resumed(catalog: &dyn Catalog) {
    let entry = nightly(catalog).await;
    let paused = catalog.pause_schedule(entry.id, "ann").await.unwrap();
    assert_eq!(paused.state, ScheduleState::Paused);
    assert_eq!(catalog.pause_schedule(entry.id, "ann").await.unwrap(), paused);
    assert!(due(catalog).await.is_empty());
    let resumed = catalog.resume_schedule(entry.id, Some(FUTURE), "ann").await.unwrap();
    assert_eq!((resumed.state, resumed.next_fire), (ScheduleState::Active, Some(FUTURE)));
    assert_eq!(catalog.resume_schedule(entry.id, Some(PAST), "ann").await.unwrap(), resumed);
}

pub async fn a_dropped_schedule_is_gone_and_its_slots_stay(catalog: &dyn Catalog) {
    let entry = nightly(catalog).await;
    catalog.fire(&firing(&entry, &[PAST.0], FUTURE)).await.unwrap();
    catalog.drop_schedule(entry.id, "ann").await.unwrap();
    assert!(catalog.schedules().await.unwrap().is_empty() && catalog.schedule("nightly").await.unwrap().is_none());
    assert_eq!(catalog.slots(None, 10).await.unwrap().len(), 1);
    for gone in [entry.id, ScheduleId(99)] {
        let refused = catalog.pause_schedule(gone, "ann").await.unwrap_err();
        assert!(matches!(refused, CatalogError::NotFound { what: "schedule", .. }), "{refused}");
    }
    let again = nightly(catalog).await;
    assert_ne!(again.id, entry.id);
    assert!(catalog.slots(Some(again.id), 10).await.unwrap().is_empty());
}

fn trigger_firing(entry: &ScheduleEntry, seen: &[Seen], at: i64) -> TriggerFiring {
    TriggerFiring { schedule: entry.id, revision: entry.revision, seen: seen.to_vec(), slot: slot(at) }
}

async fn changed(catalog: &dyn Catalog) -> Option<(ScheduleEntry, Vec<Seen>)> {
    catalog.agenda().await.unwrap().changed.pop()
}

pub async fn a_new_version_of_a_table_is_seen_once(catalog: &dyn Catalog) {
    written(catalog, "a.t", 0, &["x"]).await;
    let entry = put(catalog, &triggered("watcher", vec![on(TriggerKind::Table, "a.t")]), None).await;
    assert_eq!(changed(catalog).await, None, "what was there before is not new");
    written(catalog, "a.other", 0, &["x"]).await;
    assert_eq!(changed(catalog).await, None);
    for version in [1, 2] {
        written(catalog, "a.t", version, &["x"]).await;
    }
    let (found, seen) = changed(catalog).await.unwrap();
    assert_eq!((found, seen.len()), (entry.clone(), 1), "two versions between two looks are one change");
    let wanted = trigger_firing(&entry, &seen, 500);
    let job = catalog.fire_trigger(&wanted).await.unwrap().unwrap();
    assert_eq!(catalog.fire_trigger(&TriggerFiring { slot: slot(501), ..wanted }).await.unwrap(), None);
    assert_eq!(changed(catalog).await, None);
    let slots = catalog.slots(None, 10).await.unwrap();
    assert_eq!((slots.len(), slots[0].job, slots[0].cause), (1, job, SlotCause::Trigger));
    assert_eq!(current(catalog, "watcher").await.marks[0].fired_at, Some(Moment(500)));
}

pub async fn a_table_that_is_made_anew_is_new(catalog: &dyn Catalog) {
    put(catalog, &triggered("watcher", vec![on(TriggerKind::Table, "a.t")]), None).await;
    written(catalog, "a.t", 0, &["x"]).await;
    let (entry, seen) = changed(catalog).await.unwrap();
    catalog.fire_trigger(&trigger_firing(&entry, &seen, 500)).await.unwrap().unwrap();
    let table = live(catalog, "a.t").await.id;
    let outcome = crate::StepOutcome { dropped: vec![table], ..writes(vec![table_output()]) };
    done(catalog, "anew", outcome).await;
    assert!(changed(catalog).await.is_some());
}

fn table_output() -> crate::OutputVersion {
    table("a.t", 0, &["x"])
}

async fn pipeline_run(catalog: &dyn Catalog, number: u8, state: RunState) {
    catalog.begin_run(&new_run(number)).await.unwrap();
    catalog.finish_run(&run_id(number), state).await.unwrap();
}

pub async fn a_run_that_succeeds_is_seen_in_the_order_of_ends(catalog: &dyn Catalog) {
    pipeline_run(catalog, 1, RunState::Succeeded).await;
    put(catalog, &triggered("watcher", vec![on(TriggerKind::Pipeline, PIPELINE)]), None).await;
    assert_eq!(changed(catalog).await, None);
    pipeline_run(catalog, 2, RunState::Failed).await;
    assert_eq!(changed(catalog).await, None, "a run that failed completes nothing");
    catalog.begin_run(&new_run(3)).await.unwrap();
    pipeline_run(catalog, 4, RunState::Succeeded).await;
    let (entry, seen) = changed(catalog).await.unwrap();
    catalog.fire_trigger(&trigger_firing(&entry, &seen, 500)).await.unwrap().unwrap();
    assert_eq!(changed(catalog).await, None);
    catalog.finish_run(&run_id(3), RunState::Succeeded).await.unwrap();
    assert!(changed(catalog).await.is_some(), "the run that began first ended last");
}

pub async fn files_are_kept_with_their_trigger(catalog: &dyn Catalog) {
    let entry = put(catalog, &triggered("watcher", vec![on(TriggerKind::Path, "in/*.csv")]), None).await;
    assert_eq!(catalog.agenda().await.unwrap().watching, std::slice::from_ref(&entry));
    let seen = Seen { trigger: entry.marks[0].id, before: 0, after: 1, files: Some("a\nb".into()) };
    catalog.fire_trigger(&trigger_firing(&entry, std::slice::from_ref(&seen), 500)).await.unwrap().unwrap();
    let mark = current(catalog, "watcher").await.marks.remove(0);
    assert_eq!((mark.mark, mark.files.as_deref()), (1, Some("a\nb")));
    assert_eq!(catalog.fire_trigger(&trigger_firing(&entry, &[seen], 501)).await.unwrap(), None);
}

pub async fn a_trigger_that_stays_goes_on_from_where_it_was(catalog: &dyn Catalog) {
    let watches = |triggers| triggered("watcher", triggers);
    let first = put(catalog, &watches(vec![on(TriggerKind::Table, "a.t")]), None).await;
    written(catalog, "a.t", 0, &["x"]).await;
    let triggers = vec![on(TriggerKind::Path, "in/*"), on(TriggerKind::Table, "a.t")];
    let second = put(catalog, &watches(triggers), None).await;
    assert_eq!(second.marks[1].id, first.marks[0].id);
    assert!(changed(catalog).await.is_some(), "the version that came before the change is still new");
    let third = put(catalog, &watches(vec![on(TriggerKind::Path, "in/*")]), None).await;
    assert_eq!((third.marks.len(), changed(catalog).await), (1, None));
}

pub async fn late_jobs_are_found(catalog: &dyn Catalog) {
    let mut bounded = spec("nightly");
    bounded.terms.start_within_ms = Some(1_000);
    let entry = put(catalog, &bounded, Some(PAST)).await;
    let now = catalog.agenda().await.unwrap().now.0;
    catalog.fire(&firing(&entry, &[now - 5_000, now], FUTURE)).await.unwrap();
    let slots = catalog.slots(None, 9).await.unwrap();
    let late: Vec<_> = slots.iter().map(|slot| (slot.fire_at.0 - now, slot.lateness)).collect();
    assert_eq!(late, [(0, None), (-5_000, Some(Lateness::NotStarted))]);
    assert_eq!(catalog.raise_late_alerts(9).await.unwrap(), 1);
    assert_eq!(catalog.raise_late_alerts(9).await.unwrap(), 0, "a slot is told of once");
    let told = catalog.claim_alerts(60_000, 9).await.unwrap();
    let told: Vec<_> = told.iter().map(|alert| (alert.spec.transition, alert.spec.job)).collect();
    assert_eq!(told, [(AlertTransition::Late, Some(slots[1].job))]);
    let taken = catalog.claim_job("w1", 600_000).await.unwrap().unwrap();
    let oldest = async || catalog.slots(None, 9).await.unwrap().remove(1);
    assert_eq!((taken.job.id, oldest().await.lateness), (slots[1].job, None));
    bounded.terms.end_within_ms = Some(2_000);
    put(catalog, &bounded, Some(PAST)).await;
    assert_eq!(oldest().await.lateness, Some(Lateness::NotEnded));
    catalog.end_attempt(&taken.lease, &Ending::Succeeded).await.unwrap();
    assert_eq!(oldest().await.lateness, None);
}

pub async fn late_jobs_are_told_by_the_bounds_of_now(catalog: &dyn Catalog) {
    let mut bounded = spec("nightly");
    bounded.terms.start_within_ms = Some(1_000);
    bounded.terms.end_within_ms = Some(3_600_000);
    let entry = put(catalog, &bounded, Some(PAST)).await;
    let now = catalog.agenda().await.unwrap().now.0;
    catalog.fire(&firing(&entry, &[now - 5_000, now - 4_000], FUTURE)).await.unwrap();
    let started = catalog.claim_job("w1", 600_000).await.unwrap().unwrap();
    assert_eq!(catalog.raise_late_alerts(9).await.unwrap(), 1, "the one that has started may still end in time");
    assert_eq!(catalog.raise_late_alerts(9).await.unwrap(), 0);
    bounded.terms.end_within_ms = Some(2_000);
    put(catalog, &bounded, Some(PAST)).await;
    assert_eq!(catalog.raise_late_alerts(9).await.unwrap(), 1, "it is late by the new bound; the other was told");
    let told = catalog.claim_alerts(60_000, 9).await.unwrap();
    assert_eq!(told.iter().filter(|alert| alert.spec.job == Some(started.job.id)).count(), 1);
    assert_eq!(told.len(), 2);
    catalog.end_attempt(&started.lease, &Ending::Succeeded).await.unwrap();
    bounded.terms.end_within_ms = Some(1_500);
    put(catalog, &bounded, Some(PAST)).await;
    assert_eq!(catalog.raise_late_alerts(9).await.unwrap(), 0, "what has ended is not looked at");
}

pub async fn figures_tell_of_schedules(catalog: &dyn Catalog) {
    let entry = put(catalog, &spec("nightly"), Some(PAST)).await;
    put(catalog, &spec("idle"), Some(FUTURE)).await;
    let now = catalog.agenda().await.unwrap().now.0;
    let figures = catalog.figures().await.unwrap();
    assert!((now - PAST.0..now - PAST.0 + 60_000).contains(&figures.schedule_lag_ms), "{}", figures.schedule_lag_ms);
    let told = |figures: &Figures| -> Vec<_> {
        figures.schedules.iter().map(|schedule| (schedule.name.clone(), schedule.last_success.is_some())).collect()
    };
    assert_eq!(told(&figures), [("nightly".to_owned(), false), ("idle".to_owned(), false)]);
    catalog.fire(&firing(&entry, &[now], FUTURE)).await.unwrap();
    let taken = catalog.claim_job("w1", 600_000).await.unwrap().unwrap();
    catalog.end_attempt(&taken.lease, &Ending::Succeeded).await.unwrap();
    let figures = catalog.figures().await.unwrap();
    assert_eq!((figures.schedule_lag_ms, figures.schedules[0].last_success.unwrap().0 >= now), (0, true));
}

fn range(entry: &ScheduleEntry, at_once: i64) -> NewBackfill {
    NewBackfill { schedule: entry.id, from: Moment(100), to: Moment(200), rerun: false, at_once, priority: -9 }
}

fn step(backfill: &Backfill, slots: &[i64], next: Option<i64>) -> BackfillStep {
    BackfillStep {
        backfill: backfill.id,
        cursor: backfill.cursor,
        next: next.map(Moment),
        slots: slots.iter().map(|at| slot(*at)).collect(),
    }
}

/// Ends the next job in line.
async fn work(catalog: &dyn Catalog, ending: Ending) {
    let lease = catalog.claim_job("w1", 600_000).await.unwrap().unwrap().lease;
    catalog.end_attempt(&lease, &ending).await.unwrap();
}

pub async fn a_backfill_goes_through_its_range_a_few_at_a_time(catalog: &dyn Catalog) {
    let entry = put(catalog, &spec("nightly"), Some(FUTURE)).await;
    let started = catalog.start_backfill(&range(&entry, 2), "bob").await.unwrap();
    assert_eq!(
        (started.state, started.cursor, started.actor.as_str()),
        (BackfillState::Running, Some(Moment(100)), "bob")
    );
    assert_eq!(catalog.agenda().await.unwrap().backfills, [(started.clone(), entry.clone())]);
    let first = catalog.continue_backfill(&step(&started, &[100, 110, 120], Some(130))).await.unwrap().unwrap();
    assert_eq!((first.cursor, first.n_fired, first.n_open), (Some(Moment(120)), 2, 2), "it stops when it is full");
    assert_eq!(catalog.continue_backfill(&step(&started, &[100], None)).await.unwrap(), None, "another was faster");
    work(catalog, Ending::Succeeded).await;
    let second = catalog.continue_backfill(&step(&first, &[120], None)).await.unwrap().unwrap();
    assert_eq!((second.cursor, second.n_open, second.n_succeeded), (None, 2, 1));
    assert_eq!(second.state, BackfillState::Running, "its jobs have not ended");
    work(catalog, Ending::Succeeded).await;
    work(catalog, Ending::Succeeded).await;
    let done = catalog.continue_backfill(&step(&second, &[], None)).await.unwrap().unwrap();
    assert_eq!((done.state, done.n_fired, done.n_succeeded), (BackfillState::Done, 3, 3));
    assert!(done.finished_at.is_some() && catalog.agenda().await.unwrap().backfills.is_empty());
    assert_eq!(catalog.backfills(Some(entry.id)).await.unwrap(), [done]);
}

pub async fn a_backfill_passes_over_what_has_a_good_job(catalog: &dyn Catalog) {
    let entry = nightly(catalog).await;
    catalog.fire(&firing(&entry, &[100, 110, 120], FUTURE)).await.unwrap();
    work(catalog, Ending::Succeeded).await;
    let failed = Ending::Failed {
        class: ErrorClass::Permanent,
        code: "CW0201".into(),
        error: "division by zero".into(),
        retry_after_ms: 0,
    };
    work(catalog, failed).await;
    let started = catalog.start_backfill(&range(&entry, 9), "ann").await.unwrap();
    let moved = catalog.continue_backfill(&step(&started, &[100, 110, 120, 130], None)).await.unwrap().unwrap();
    assert_eq!((moved.n_fired, moved.n_passed_over), (2, 2), "the dead one and the new one");
    let causes: Vec<SlotCause> =
        catalog.slots(Some(entry.id), 9).await.unwrap().into_iter().rev().map(|slot| slot.cause).collect();
    assert_eq!(causes, [SlotCause::Rule, SlotCause::Backfill, SlotCause::Rule, SlotCause::Backfill]);
    let again = NewBackfill { rerun: true, ..range(&entry, 9) };
    let started = catalog.start_backfill(&again, "ann").await.unwrap();
    let moved = catalog.continue_backfill(&step(&started, &[100, 120], None)).await.unwrap().unwrap();
    assert_eq!((moved.n_fired, moved.n_passed_over), (1, 1), "what waits is not run twice");
}

pub async fn a_cancelled_backfill_takes_its_waiting_jobs_along(catalog: &dyn Catalog) {
    let entry = put(catalog, &spec("nightly"), Some(FUTURE)).await;
    let started = catalog.start_backfill(&range(&entry, 9), "ann").await.unwrap();
    catalog.continue_backfill(&step(&started, &[100, 110], Some(120))).await.unwrap().unwrap();
    catalog.claim_job("w1", 600_000).await.unwrap().unwrap();
    let cancelled = catalog.cancel_backfill(started.id, "bob").await.unwrap();
    assert_eq!((cancelled.state, cancelled.n_open), (BackfillState::Cancelled, 1), "what runs goes on");
    assert_eq!(
        catalog.jobs(&JobPage { state: Some(JobState::Cancelled), ..JobPage::newest(9) }).await.unwrap().len(),
        1
    );
    assert_eq!(catalog.continue_backfill(&step(&cancelled, &[120], None)).await.unwrap(), None);
    assert_eq!(catalog.cancel_backfill(started.id, "bob").await.unwrap(), cancelled);
    let second = catalog.start_backfill(&range(&entry, 9), "ann").await.unwrap();
    catalog.drop_schedule(entry.id, "ann").await.unwrap();
    assert_eq!(catalog.backfill(second.id).await.unwrap().state, BackfillState::Cancelled);
}

pub async fn a_backfill_that_makes_no_sense_is_refused(catalog: &dyn Catalog) {
    let entry = put(catalog, &spec("nightly"), Some(FUTURE)).await;
    let by_files = put(catalog, &triggered("watcher", vec![on(TriggerKind::Path, "p")]), None).await;
    for wrong in [
        NewBackfill { to: Moment(100), ..range(&entry, 1) },
        NewBackfill { to: FUTURE, ..range(&entry, 1) },
        range(&entry, 0),
        range(&by_files, 1),
    ] {
        assert!(is_invalid(catalog.start_backfill(&wrong, "ann").await), "{wrong:?}");
    }
    let unknown = catalog.backfill(crate::BackfillId(9)).await.unwrap_err();
    assert!(matches!(unknown, CatalogError::NotFound { what: "backfill", .. }), "{unknown}");
}

pub async fn what_people_do_with_a_schedule_is_a_record(catalog: &dyn Catalog) {
    let key = LogKey::generate().unwrap();
    catalog.start_audit("admin", &LogId::generate().unwrap(), &key.public()).await.unwrap();
    let entry = nightly(catalog).await;
    nightly(catalog).await;
    catalog.fire(&firing(&entry, &[], FUTURE)).await.unwrap();
    catalog.pause_schedule(entry.id, "bob").await.unwrap();
    catalog.resume_schedule(entry.id, Some(FUTURE), "bob").await.unwrap();
    let backfill = catalog.start_backfill(&range(&entry, 1), "cleo").await.unwrap();
    catalog.cancel_backfill(backfill.id, "cleo").await.unwrap();
    catalog.drop_schedule(entry.id, "ann").await.unwrap();
    let stored = catalog.audit_records(0, 1000).await.unwrap();
    let records: Vec<Record> = stored.iter().map(|record| Record::decode(&record.content).unwrap()).collect();
    let of_schedules = records.iter().filter(|record| record.action() == Action::Schedule);
    let said: Vec<(&str, &str)> =
        of_schedules.map(|record| (record.actor(), record.facts()["change"].as_str())).collect();
    assert_eq!(
        said,
        [
            ("ann", "added"),
            ("bob", "paused"),
            ("bob", "resumed"),
            ("cleo", "backfill_started"),
            ("cleo", "backfill_cancelled"),
            ("ann", "dropped")
        ]
    );
}
