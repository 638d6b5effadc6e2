//! The audit log: what becomes a record, and that a whole log holds.

use causeway_audit::{
    Action, AuditError, Event, Export, Finding, KeyChain, LogId, LogKey, Object, ObjectKind, Outcome, OutcomeState,
    Place, Problem, Record, SignedHead, Summary, TreeHead, verify_proof,
};

use super::fixtures::*;
use crate::audit::{AuditFailure, prove, verify};
use crate::{
    AccessChange, Catalog, CatalogError, Grant, PrincipalKind, Privilege, RunState, Securable, StepOutcome, StepState,
};

pub(super) async fn start(catalog: &dyn Catalog) -> LogKey {
    let key = LogKey::generate().unwrap();
    catalog.start_audit("admin", &LogId::generate().unwrap(), &key.public()).await.unwrap();
    key
}

pub(super) async fn records(catalog: &dyn Catalog) -> Vec<Record> {
    let stored = catalog.audit_records(0, 1000).await.unwrap();
    stored.iter().map(|record| Record::decode(&record.content).unwrap()).collect()
}

async fn last(catalog: &dyn Catalog) -> Record {
    records(catalog).await.pop().unwrap()
}

async fn head(catalog: &dyn Catalog, key: &LogKey) -> SignedHead {
    let state = catalog.audit_state().await.unwrap().unwrap();
    TreeHead::new(state.log, state.frontier.size(), state.frontier.root(), state.now).unwrap().sign(key).unwrap()
}

pub(super) async fn check(catalog: &dyn Catalog, key: &LogKey) -> Result<Summary, Finding> {
    let export = Export { heads: vec![head(catalog, key).await], ..Export::default() };
    match verify(catalog, key.public(), export, &mut |_, _| {}).await {
        Err(AuditFailure::Audit(AuditError::Finding(finding))) => Err(finding),
        other => Ok(other.unwrap()),
    }
}

fn query() -> Event {
    Event::new("ann", Action::Query, Outcome::started()).object(Object::new(ObjectKind::Table, "clinical.lung"))
}

pub async fn before_the_log_starts_nothing_is_a_record(catalog: &dyn Catalog) {
    written(catalog, "clinical.lung", 0, &["time"]).await;
    assert_eq!(catalog.record(query()).await.unwrap(), None);
    assert_eq!(catalog.audit_state().await.unwrap(), None);
    assert!(catalog.audit_records(0, 10).await.unwrap().is_empty());
}

pub async fn a_log_starts_once(catalog: &dyn Catalog) {
    let key = start(catalog).await;
    let again = catalog.start_audit("admin", &LogId::generate().unwrap(), &key.public()).await;
    assert!(matches!(again, Err(CatalogError::AlreadyExists { .. })), "{again:?}");
    let state = catalog.audit_state().await.unwrap().unwrap();
    assert_eq!((state.first_key, state.frontier.size()), (key.public(), 1));
    assert_eq!(last(catalog).await.action(), Action::LogStart);
}

pub async fn records_are_numbered_in_order(catalog: &dyn Catalog) {
    start(catalog).await;
    for number in 1..20 {
        assert_eq!(catalog.record(query()).await.unwrap(), Some(number));
    }
    let sequences: Vec<i64> =
        catalog.audit_records(17, 2).await.unwrap().iter().map(|record| record.sequence).collect();
    assert_eq!(sequences, [17, 18]);
}

pub async fn a_completed_step_is_a_record(catalog: &dyn Catalog) {
    start(catalog).await;
    let lung = catalog.register_file(&file("lung.csv", "aa")).await.unwrap();
    catalog.begin_run(&new_run(1)).await.unwrap();
    let step = crate::NewStep { inputs: vec![lung], ..new_step(1, "load") };
    let step = catalog.begin_step(&step).await.unwrap();
    let outcome = writes(vec![table("clinical.lung", 0, &["time", "status"])]);
    catalog.complete_step(step.id, step.attempt, &outcome).await.unwrap();
    let record = last(catalog).await;
    assert_eq!((record.action(), record.outcome().state), (Action::Change, OutcomeState::Succeeded));
    assert_eq!((record.actor(), record.context().step), ("admin", Some(step.id.0)));
    let names: Vec<(ObjectKind, &str, Option<i64>)> =
        record.objects().iter().map(|object| (object.kind, object.name.as_str(), object.version)).collect();
    let expected = [
        (ObjectKind::Statement, "load", None),
        (ObjectKind::File, "file.lung.csv", Some(0)),
        (ObjectKind::Table, "clinical.lung", Some(0)),
    ];
    assert_eq!(names, expected);
    let covered: Vec<&str> = record.covers().iter().map(|row| row.table.as_str()).collect();
    assert_eq!(covered, ["step", "dataset"]);
}

pub async fn a_failed_outcome_leaves_no_record(catalog: &dyn Catalog) {
    start(catalog).await;
    let step = started(catalog, "s").await;
    let before = records(catalog).await.len();
    let twice = writes(vec![table("a.t", 0, &["x", "x"])]);
    catalog.complete_step(step.id, step.attempt, &twice).await.unwrap_err();
    assert_eq!(records(catalog).await.len(), before);
}

pub async fn a_failed_step_is_a_record(catalog: &dyn Catalog) {
    start(catalog).await;
    let step = started(catalog, "s").await;
    catalog.fail_step(step.id, step.attempt, "CW0107", "refused").await.unwrap();
    let record = last(catalog).await;
    assert_eq!(record.outcome(), &Outcome::failed("CW0107"));
    assert!(
        !String::from_utf8(catalog.audit_records(0, 99).await.unwrap().pop().unwrap().content)
            .unwrap()
            .contains("refused")
    );
}

pub async fn runs_of_pipelines_are_records(catalog: &dyn Catalog) {
    start(catalog).await;
    catalog.begin_run(&new_run(1)).await.unwrap();
    catalog.finish_run(&run_id(1), RunState::Failed).await.unwrap();
    catalog.resume_run(&run_id(1)).await.unwrap();
    catalog.finish_run(&run_id(1), RunState::Succeeded).await.unwrap();
    let statement = crate::NewRun { kind: crate::RunKind::Statement, pipeline: None, ..new_run(2) };
    catalog.begin_run(&statement).await.unwrap();
    catalog.finish_run(&run_id(2), RunState::Succeeded).await.unwrap();
    let states: Vec<OutcomeState> = records(catalog)
        .await
        .iter()
        .filter(|record| record.action() == Action::Run)
        .map(|record| record.outcome().state)
        .collect();
    assert_eq!(states, [OutcomeState::Started, OutcomeState::Failed, OutcomeState::Started, OutcomeState::Succeeded]);
}

pub async fn a_job_is_a_record_when_it_comes_and_when_it_goes(catalog: &dyn Catalog) {
    start(catalog).await;
    let new = crate::NewJob {
        kind: crate::JobKind::Statement,
        work: "DELETE FROM a.t WHERE name = 'Anna'".into(),
        base_dir: "/".into(),
        parameters: crate::Parameters::default(),
        run: run_id(1),
        actor: "ann".into(),
        dedupe_key: None,
        priority: 0,
        group: None,
        max_attempts: 1,
        timeout_ms: None,
        memory_limit_bytes: None,
    };
    let id = catalog.submit_job(&new).await.unwrap().job.id;
    let lease = catalog.claim_job("w1", 60_000).await.unwrap().unwrap().lease;
    catalog.cancel_job(id, "bob").await.unwrap();
    catalog.end_attempt(&lease, &crate::Ending::Cancelled).await.unwrap();
    catalog.retry_job(id, "ann").await.unwrap();
    let recorded = records(catalog).await;
    let of_jobs = recorded.iter().filter(|record| record.action() == Action::Job);
    let said: Vec<(&str, &str, &str)> = of_jobs
        .map(|record| (record.actor(), record.facts()["change"].as_str(), record.facts()["state"].as_str()))
        .collect();
    assert_eq!(
        said,
        [
            ("ann", "submitted", "queued"),
            ("bob", "cancel_requested", "running"),
            ("ann", "ended", "cancelled"),
            ("ann", "retried", "queued")
        ]
    );
    assert!(recorded.iter().all(|record| !record.encode().unwrap().contains("Anna")));
}

pub async fn a_grant_is_a_record_with_whom_and_what(catalog: &dyn Catalog) {
    start(catalog).await;
    let grant = Grant {
        grantee: "ann".into(),
        privilege: Privilege::Select,
        on: Securable::Table(name("clinical.lung")),
        column: Some("age".into()),
    };
    let access = vec![AccessChange::Create(PrincipalKind::User, "ann".into()), AccessChange::Grant(grant)];
    catalog.begin_run(&new_run(1)).await.unwrap();
    let step = crate::NewStep { kind: "grant".into(), ..new_step(1, "grant") };
    let step = catalog.begin_step(&step).await.unwrap();
    let outcome = StepOutcome { access, ..StepOutcome::default() };
    catalog.complete_step(step.id, step.attempt, &outcome).await.unwrap();
    let record = last(catalog).await;
    assert_eq!(record.action(), Action::Grant);
    let touched: Vec<(ObjectKind, &str)> =
        record.objects().iter().skip(1).map(|object| (object.kind, object.name.as_str())).collect();
    assert_eq!(
        touched,
        [(ObjectKind::User, "ann"), (ObjectKind::Column, "clinical.lung.age"), (ObjectKind::Role, "ann")]
    );
    assert!(record.covers().iter().any(|row| row.table == "access"), "{:?}", record.covers());
}

pub async fn an_untouched_log_holds(catalog: &dyn Catalog) {
    let old = written(catalog, "clinical.before", 0, &["time"]).await;
    let key = start(catalog).await;
    let edges = vec![edge("age", old, "time", crate::EdgeKind::Identity)];
    derived(catalog, "clinical.lung", &["age"], edges).await;
    let step = started(catalog, "skipped").await;
    catalog.skip_step(&new_step(1, "skipped"), StepState::Blocked).await.unwrap();
    catalog.fail_step(step.id, step.attempt, "CW0101", "late").await.unwrap_err();
    let again = started(catalog, "skipped").await;
    catalog.complete_step(again.id, again.attempt, &writes(vec![table("a.t", 0, &["x"])])).await.unwrap();
    let dropped = StepOutcome { dropped: vec![live(catalog, "a.t").await.id], ..StepOutcome::default() };
    done(catalog, "drop", dropped).await;
    done(catalog, "view", writes(vec![view("a.v", "SELECT 1", &["x"])])).await;
    catalog.record(query()).await.unwrap();
    catalog.finish_run(&run_id(1), RunState::Succeeded).await.unwrap();
    let summary = check(catalog, &key).await.unwrap();
    assert_eq!(summary.n_records, records(catalog).await.len() as u64);
    assert_eq!(summary.n_signed, summary.n_records);
    assert!(summary.n_rows >= 7, "{summary:?}");
}

pub async fn every_record_is_proved(catalog: &dyn Catalog) {
    let key = start(catalog).await;
    for _ in 0..10 {
        catalog.record(query()).await.unwrap();
    }
    let head = head(catalog, &key).await;
    for index in 0..11 {
        let keys = KeyChain::new(key.public(), Vec::new());
        let proof = prove(catalog, index, head.clone(), keys).await.unwrap();
        let document = proof.to_json().unwrap();
        assert_eq!(verify_proof(document.as_bytes(), &key.public()).unwrap().record().sequence(), index);
    }
    let beyond = prove(catalog, 11, head, KeyChain::new(key.public(), Vec::new())).await;
    assert!(matches!(beyond, Err(AuditFailure::Audit(AuditError::Range(_)))));
}

pub async fn another_key_is_not_trusted(catalog: &dyn Catalog) {
    start(catalog).await;
    let other = LogKey::generate().unwrap();
    let finding = check(catalog, &other).await.unwrap_err();
    assert_eq!(finding.place, Place::Record(0));
    assert!(matches!(finding.problem, Problem::WrongStart(_)), "{finding}");
}
