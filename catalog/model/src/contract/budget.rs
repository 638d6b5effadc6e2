//! Privacy budgets: what is paid, on which accounts, and what becomes visible.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::sleep;
use std::time::Duration;

use causeway_audit::{Action, Outcome, OutcomeState};

use super::audit::{check as verify, records, start};
use super::fixtures::*;
use crate::{
    Adjacency, Amount, BudgetPolicy, Catalog, CatalogError, ChargeCost, ChargeId, ChargeLease, ChargePage, ChargeState,
    DatasetKind, EdgeKind, Ledger, MAX_STORED_RESULT, NewCharge, NewFile, NewStep, OutputVersion, PolicyChange,
    ReleasedResult, Reservation, StepOutcome, VersionId,
};

/// A lease that outlasts every case.
const LONG: i64 = 600_000;

/// A lease, and the wait after which it is over.
const SHORT: i64 = 1;
const OVER: Duration = Duration::from_millis(20);

/// ε 0.1 and 1.
const TENTH: u64 = 100_000;
const ONE: Amount = Amount::pure(1_000_000);

fn set_names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn new_charge(key: &str, inputs: &[VersionId], epsilon_micro: u64) -> NewCharge {
    NewCharge {
        key: key.into(),
        question: "how long do they live".into(),
        actor: "ann".into(),
        roles: set_names(&["ann", "analyst", "public"]),
        run: Some(run_id(1)),
        operator: "dp_kaplan_meier".into(),
        parameters: r#"{"epsilon":0.1}"#.into(),
        inputs: inputs.to_vec(),
        cost: ChargeCost {
            mechanism: "discrete Laplace histogram".into(),
            amount: Amount::pure(epsilon_micro),
            unit: None,
            rows_per_unit: 1,
            adjacency: Adjacency::AddRemove,
            is_sound: true,
        },
    }
}

fn by(actor: &str) -> PolicyChange {
    PolicyChange { actor: actor.into(), reason: None }
}

fn because(reason: &str) -> PolicyChange {
    PolicyChange { actor: "admin".into(), reason: Some(reason.into()) }
}

fn bytes(text: &str) -> ReleasedResult {
    ReleasedResult::Inline(text.as_bytes().to_vec())
}

async fn cap(catalog: &dyn Catalog, dotted: &str, cap: Amount) {
    catalog.set_budget(&name(dotted), &BudgetPolicy::new(cap), &by("admin")).await.unwrap();
}

async fn granted(catalog: &dyn Catalog, charge: &NewCharge) -> ChargeLease {
    match catalog.reserve_charge(charge, LONG).await.unwrap() {
        Reservation::Granted { lease, is_takeover: false } => lease,
        other => panic!("{other:?}"),
    }
}

/// Pays and releases.
async fn released(catalog: &dyn Catalog, charge: &NewCharge, result: &str) -> ChargeId {
    let lease = granted(catalog, charge).await;
    catalog.release_charge(&lease, &bytes(result)).await.unwrap().id
}

async fn spent(catalog: &dyn Catalog, dotted: &str) -> Amount {
    catalog.budget(&name(dotted)).await.unwrap().map_or(Amount::default(), |ledger| ledger.spent)
}

async fn is_exceeded(catalog: &dyn Catalog, charge: &NewCharge) -> String {
    match catalog.reserve_charge(charge, LONG).await.unwrap_err() {
        CatalogError::BudgetExceeded(shortfall) => shortfall.to_string(),
        other => panic!("{other}"),
    }
}

/// Makes a table by a step that has pinned its inputs.
async fn made_of(catalog: &dyn Catalog, dotted: &str, output: OutputVersion, inputs: &[VersionId]) -> VersionId {
    if catalog.run(&run_id(1)).await.is_err() {
        catalog.begin_run(&new_run(1)).await.unwrap();
    }
    let step = NewStep { inputs: inputs.to_vec(), ..new_step(1, &format!("{dotted} from {inputs:?}")) };
    let step = catalog.begin_step(&step).await.unwrap();
    catalog.complete_step(step.id, step.attempt, &writes(vec![output])).await.unwrap()[0]
}

async fn copied(catalog: &dyn Catalog, dotted: &str, inputs: &[VersionId]) -> VersionId {
    made_of(catalog, dotted, table(dotted, 0, &["time"]), inputs).await
}

pub async fn a_policy_is_kept_as_it_was_set(catalog: &dyn Catalog) {
    assert!(catalog.budgets().await.unwrap().is_empty());
    assert_eq!(catalog.budget(&name("a.t")).await.unwrap(), None);
    let policy = BudgetPolicy {
        unit: Some("patient".into()),
        adjacency: Adjacency::Substitute,
        rows_per_unit: 3,
        role_caps: BTreeMap::from([("analyst".to_owned(), Amount::pure(TENTH))]),
        allow_unsound: true,
        cohort_size: Some(200),
        ..BudgetPolicy::new(Amount { epsilon_micro: 3_000_000, delta_femto: 1_000_000_000 })
    };
    let set = catalog.set_budget(&name("b.t"), &policy, &by("admin")).await.unwrap();
    assert_eq!((set.policy.as_ref(), set.revision, set.spent), (Some(&policy), 1, Amount::default()));
    assert_eq!(set.spent_by_role, BTreeMap::from([("analyst".to_owned(), Amount::default())]));
    assert_eq!(set.remaining(), Some(policy.cap));
    assert!(set.changed_at.as_ref().is_some_and(|at| at.ends_with('Z')), "{set:?}");
    cap(catalog, "a.t", ONE).await;
    let names: Vec<String> = catalog.budgets().await.unwrap().iter().map(|found| found.dataset.to_string()).collect();
    assert_eq!(names, ["a.t", "b.t"]);
    assert_eq!(catalog.budget(&name("b.t")).await.unwrap(), Some(set));
}

pub async fn a_policy_that_makes_no_sense_is_refused(catalog: &dyn Catalog) {
    let wrong = BudgetPolicy { cohort_size: Some(228), ..BudgetPolicy::new(ONE) };
    let error = catalog.set_budget(&name("a.t"), &wrong, &by("admin")).await.unwrap_err();
    assert!(matches!(error, CatalogError::Invalid(_)) && error.to_string().contains("`a.t`"), "{error}");
    assert_eq!(catalog.budget(&name("a.t")).await.unwrap(), None);
}

pub async fn a_release_is_paid_for_before_it_is_seen(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    cap(catalog, "clinical.lung", ONE).await;
    let new = new_charge("k", &[lung], TENTH);
    let lease = granted(catalog, &new).await;
    assert_eq!(spent(catalog, "clinical.lung").await, Amount::pure(TENTH));
    let charge = catalog.charge(lease.charge).await.unwrap();
    assert_eq!((charge.state, &charge.spec, charge.id), (ChargeState::Reserved, &new, ChargeId(1)));
    assert_eq!(charge.datasets, [name("clinical.lung")]);
    assert_eq!((&charge.result_digest, &charge.ended_at), (&None, &None));
    assert_eq!(catalog.stored_release(&new.question).await.unwrap(), None);
    let ended = catalog.release_charge(&lease, &bytes("a curve")).await.unwrap();
    assert_eq!((ended.state, ended.result_bytes), (ChargeState::Released, Some(7)));
    assert_eq!(ended.hash, charge.hash, "the digest is of what was paid for");
    assert!(ended.ended_at.unwrap() >= ended.reserved_at);
    assert_eq!(spent(catalog, "clinical.lung").await, Amount::pure(TENTH));
    let unknown = catalog.charge(ChargeId(9)).await.unwrap_err();
    assert!(matches!(unknown, CatalogError::NotFound { what: "charge", .. }), "{unknown}");
}

pub async fn ten_tenths_fit_under_one(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    cap(catalog, "clinical.lung", ONE).await;
    for number in 0..10 {
        granted(catalog, &new_charge(&format!("k{number}"), &[lung], TENTH)).await;
    }
    let text = is_exceeded(catalog, &new_charge("k", &[lung], 1)).await;
    assert_eq!(
        text,
        "the release asks for epsilon 0.000001, but the privacy budget of `clinical.lung` has epsilon 0 left: \
         epsilon 0.000001 too little; ask for less, or have the cap raised"
    );
    assert_eq!(catalog.charges(&ChargePage::newest(99)).await.unwrap().len(), 10);
}

pub async fn delta_has_a_cap_of_its_own(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    cap(catalog, "clinical.lung", Amount { delta_femto: 10, ..ONE }).await;
    let mut new = new_charge("k", &[lung], TENTH);
    new.cost.amount.delta_femto = 6;
    granted(catalog, &new).await;
    new.key = "l".into();
    let text = is_exceeded(catalog, &new).await;
    assert!(text.contains("delta 0.000000000000004 left: delta 0.000000000000002 too little"), "{text}");
    assert_eq!(spent(catalog, "clinical.lung").await, Amount { epsilon_micro: TENTH, delta_femto: 6 });
}

pub async fn all_accounts_are_charged_or_none(catalog: &dyn Catalog) {
    let one = written(catalog, "a.one", 0, &["x"]).await;
    let two = written(catalog, "b.two", 0, &["x"]).await;
    cap(catalog, "a.one", ONE).await;
    cap(catalog, "b.two", Amount::pure(150_000)).await;
    granted(catalog, &new_charge("k", &[two, one], TENTH)).await;
    let text = is_exceeded(catalog, &new_charge("l", &[one, two], TENTH)).await;
    assert!(text.contains("`b.two` has epsilon 0.05 left: epsilon 0.05 too little"), "{text}");
    assert_eq!(spent(catalog, "a.one").await, Amount::pure(TENTH));
    assert_eq!(spent(catalog, "b.two").await, Amount::pure(TENTH));
    catalog.check().await.unwrap();
}

pub async fn a_role_is_capped_beside_everybody(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    let bob = |key: &str| NewCharge {
        actor: "bob".into(),
        roles: set_names(&["bob", "steward", "public"]),
        ..new_charge(key, &[lung], TENTH)
    };
    granted(catalog, &new_charge("before", &[lung], TENTH)).await;
    granted(catalog, &bob("before bob")).await;
    let role_caps = BTreeMap::from([("analyst".to_owned(), Amount::pure(200_000))]);
    let policy = BudgetPolicy { role_caps, ..BudgetPolicy::new(Amount::pure(500_000)) };
    let set = catalog.set_budget(&name("clinical.lung"), &policy, &by("admin")).await.unwrap();
    assert_eq!(set.spent, Amount::pure(200_000), "what was spent before counts");
    assert_eq!(set.spent_by_role["analyst"], Amount::pure(TENTH), "for the role too");
    granted(catalog, &new_charge("k", &[lung], TENTH)).await;
    let text = is_exceeded(catalog, &new_charge("l", &[lung], TENTH)).await;
    assert!(text.contains("`clinical.lung` for role `analyst` has epsilon 0 left"), "{text}");
    granted(catalog, &bob("m")).await;
    granted(catalog, &bob("n")).await;
    let text = is_exceeded(catalog, &bob("o")).await;
    assert!(text.contains("`clinical.lung` has epsilon 0 left"), "{text}");
    catalog.check().await.unwrap();
    let none = BudgetPolicy { role_caps: BTreeMap::new(), ..policy.clone() };
    start(catalog).await;
    let set = catalog.set_budget(&name("clinical.lung"), &none, &because("one team")).await.unwrap();
    assert!(set.spent_by_role.is_empty());
    let again = catalog.set_budget(&name("clinical.lung"), &policy, &by("admin")).await.unwrap();
    assert_eq!(again.spent_by_role["analyst"], Amount::pure(200_000), "a cap taken away and set again forgets nothing");
    catalog.check().await.unwrap();
}

pub async fn without_a_policy_nothing_limits_and_all_is_counted(catalog: &dyn Catalog) {
    let file = catalog.register_file(&file("lung.csv", "aa")).await.unwrap();
    granted(catalog, &new_charge("k", &[file], 50_000_000)).await;
    granted(catalog, &new_charge("nothing is read", &[], TENTH)).await;
    let [ledger] = &catalog.budgets().await.unwrap()[..] else { panic!("one account") };
    assert_eq!((ledger.spent, &ledger.policy, ledger.remaining()), (Amount::pure(50_000_000), &None, None));
    let set = catalog.set_budget(&ledger.dataset, &BudgetPolicy::new(ONE), &by("admin")).await.unwrap();
    assert_eq!((set.spent, set.remaining()), (Amount::pure(50_000_000), Some(Amount::default())));
    is_exceeded(catalog, &new_charge("l", &[file], 1)).await;
}

pub async fn a_copy_is_on_the_account_of_its_original(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    cap(catalog, "clinical.lung", Amount::pure(TENTH)).await;
    let copy = copied(catalog, "b.copy", &[lung]).await;
    let again = copied(catalog, "b.again", &[copy]).await;
    let appended = OutputVersion { previous: Some(again), ..table("b.again", 1, &["time"]) };
    let later = made_of(catalog, "b.again", appended, &[]).await;
    let ledgers = catalog.budgets_of(&[later]).await.unwrap();
    let names: Vec<String> = ledgers.iter().map(|ledger| ledger.dataset.to_string()).collect();
    assert_eq!(names, ["b.again", "b.copy", "clinical.lung"]);
    assert_eq!(ledgers[2].remaining(), Some(Amount::pure(TENTH)));
    let text = is_exceeded(catalog, &new_charge("k", &[later], TENTH + 1)).await;
    assert!(text.contains("`clinical.lung`"), "{text}");
    let lease = granted(catalog, &new_charge("k", &[later], TENTH)).await;
    assert_eq!(catalog.charge(lease.charge).await.unwrap().datasets.len(), 3);
    is_exceeded(catalog, &new_charge("l", &[lung], 1)).await;
}

pub async fn edges_lead_to_the_original_where_nothing_was_pinned(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    let sex = written(catalog, "clinical.sex", 0, &["sex"]).await;
    let edges = vec![edge("t", lung, "time", EdgeKind::Identity), whole_edge(sex, "sex", EdgeKind::Filter)];
    let copy = derived(catalog, "b.copy", &["t"], edges).await;
    let ledgers = catalog.budgets_of(&[copy]).await.unwrap();
    let names: Vec<String> = ledgers.iter().map(|ledger| ledger.dataset.to_string()).collect();
    assert_eq!(names, ["b.copy", "clinical.lung", "clinical.sex"]);
    assert!(ledgers.iter().all(|ledger| *ledger == Ledger::new(ledger.dataset.clone())));
}

pub async fn a_file_leads_to_what_was_exported_to_it(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    let export = OutputVersion {
        name: crate::TableName::new("file", "out.csv"),
        kind: DatasetKind::File,
        digest: Some("ee".into()),
        ..table("file.out", 0, &["time"])
    };
    made_of(catalog, "export", export, &[lung]).await;
    let moved = NewFile { columns: columns(&["renamed"]), ..file("elsewhere.csv", "ee") };
    let moved = catalog.register_file(&moved).await.unwrap();
    let other = catalog.register_file(&file("other.csv", "ff")).await.unwrap();
    let copy = copied(catalog, "b.copy", &[moved]).await;
    let of = async |version| -> BTreeSet<String> {
        catalog.budgets_of(&[version]).await.unwrap().iter().map(|ledger| ledger.dataset.to_string()).collect()
    };
    let expected = set_names(&["b.copy", "clinical.lung", "file.elsewhere.csv", "file.out.csv"]);
    assert_eq!(of(copy).await, expected);
    assert_eq!(of(other).await, set_names(&["file.other.csv"]));
}

pub async fn a_dataset_reached_twice_is_charged_once(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    let copy = copied(catalog, "b.copy", &[lung]).await;
    granted(catalog, &new_charge("k", &[lung, copy, lung], TENTH)).await;
    assert_eq!(spent(catalog, "clinical.lung").await, Amount::pure(TENTH));
    let unknown = catalog.reserve_charge(&new_charge("l", &[VersionId(99)], TENTH), LONG).await.unwrap_err();
    assert_eq!(unknown.to_string(), "version `99` does not exist");
}

pub async fn a_table_made_anew_keeps_its_account(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    cap(catalog, "clinical.lung", ONE).await;
    granted(catalog, &new_charge("k", &[lung], 900_000)).await;
    let dropped = vec![live(catalog, "clinical.lung").await.id];
    let renewed =
        StepOutcome { dropped: dropped.clone(), ..writes(vec![table("clinical.lung", 0, &["time", "status"])]) };
    let replaced = done(catalog, "replace", renewed).await[0];
    let text = is_exceeded(catalog, &new_charge("l", &[replaced], 200_000)).await;
    assert!(text.contains("`clinical.lung` has epsilon 0.1 left"), "{text}");
    let dropped = vec![live(catalog, "clinical.lung").await.id];
    done(catalog, "drop", StepOutcome { dropped, ..StepOutcome::default() }).await;
    assert_eq!(catalog.budget(&name("clinical.lung")).await.unwrap().unwrap().spent, Amount::pure(900_000));
    let again = done(catalog, "again", writes(vec![table("clinical.lung", 0, &["time"])])).await[0];
    is_exceeded(catalog, &new_charge("l", &[again], 200_000)).await;
}

pub async fn a_key_gives_its_release_again(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    let new = new_charge("k", &[lung], TENTH);
    let id = released(catalog, &new, "a curve").await;
    let later = NewCharge { run: None, roles: set_names(&["ann"]), ..new.clone() };
    let Reservation::Stored(release) = catalog.reserve_charge(&later, LONG).await.unwrap() else { panic!("computed") };
    assert_eq!((release.charge.id, &release.result), (id, &bytes("a curve")));
    assert_eq!(release.charge.spec.run, new.run, "it is the run that paid");
    assert_eq!(spent(catalog, "clinical.lung").await, Amount::pure(TENTH));
}

pub async fn a_key_that_asks_for_something_else_is_refused(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    let other = written(catalog, "clinical.lung", 1, &["time"]).await;
    let new = new_charge("k", &[lung], TENTH);
    granted(catalog, &new).await;
    let cheaper = ChargeCost { amount: Amount::pure(1), ..new.cost.clone() };
    for altered in [
        NewCharge { cost: cheaper, ..new.clone() },
        NewCharge { parameters: r#"{"epsilon":0.2}"#.into(), ..new.clone() },
        NewCharge { question: "another".into(), ..new.clone() },
        NewCharge { operator: "dp_count".into(), ..new.clone() },
        NewCharge { inputs: vec![other], ..new.clone() },
        NewCharge { actor: "bob".into(), ..new.clone() },
    ] {
        let error = catalog.reserve_charge(&altered, LONG).await.unwrap_err();
        assert!(matches!(error, CatalogError::AlreadyExists { .. }), "{error}");
    }
    assert_eq!(spent(catalog, "clinical.lung").await, Amount::pure(TENTH));
}

pub async fn a_charge_in_hand_is_waited_for(catalog: &dyn Catalog) {
    let new = new_charge("k", &[], TENTH);
    let lease = granted(catalog, &new).await;
    let again = catalog.reserve_charge(&new, LONG).await.unwrap();
    let Reservation::Held { charge, for_ms } = again else { panic!("{again:?}") };
    assert!(charge == lease.charge && (1..=LONG).contains(&for_ms), "{for_ms}");
}

pub async fn who_falls_silent_is_taken_over_and_paid_once(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    cap(catalog, "clinical.lung", Amount::pure(TENTH)).await;
    let new = new_charge("k", &[lung], TENTH);
    let Reservation::Granted { lease: first, .. } = catalog.reserve_charge(&new, SHORT).await.unwrap() else {
        panic!("not granted")
    };
    sleep(OVER);
    let taken = catalog.reserve_charge(&new, LONG).await.unwrap();
    let Reservation::Granted { lease: second, is_takeover: true } = taken else { panic!("{taken:?}") };
    assert!(second.charge == first.charge && second.token != first.token);
    for late in [
        catalog.release_charge(&first, &bytes("late")).await.map(drop),
        catalog.burn_charge(&first, "CW0203").await.map(drop),
        catalog.renew_charge(&first, LONG).await,
    ] {
        assert!(matches!(late, Err(CatalogError::ChargeLost { charge: 1 })), "{late:?}");
    }
    let charge = catalog.release_charge(&second, &bytes("in time")).await.unwrap();
    assert_eq!(charge.n_takeovers, 1);
    let late = catalog.release_charge(&first, &bytes("late")).await.unwrap_err();
    assert!(matches!(late, CatalogError::ChargeLost { .. }), "{late}");
    let stored = catalog.stored_release(&new.question).await.unwrap().unwrap();
    assert_eq!(stored.result, bytes("in time"));
    assert_eq!(spent(catalog, "clinical.lung").await, Amount::pure(TENTH));
    catalog.check().await.unwrap();
}

pub async fn a_renewed_charge_is_not_taken_over(catalog: &dyn Catalog) {
    let new = new_charge("k", &[], TENTH);
    let Reservation::Granted { lease, .. } = catalog.reserve_charge(&new, SHORT).await.unwrap() else {
        panic!("not granted")
    };
    sleep(OVER);
    catalog.renew_charge(&lease, LONG).await.unwrap();
    assert!(matches!(catalog.reserve_charge(&new, LONG).await.unwrap(), Reservation::Held { .. }));
    catalog.release_charge(&lease, &bytes("x")).await.unwrap();
    let ended = catalog.renew_charge(&lease, LONG).await.unwrap_err();
    assert!(matches!(ended, CatalogError::ChargeLost { .. }), "{ended}");
    let unknown = ChargeLease { charge: ChargeId(9), ..lease };
    let unknown = catalog.renew_charge(&unknown, LONG).await.unwrap_err();
    assert!(matches!(unknown, CatalogError::NotFound { .. }), "{unknown}");
}

/// Nobody took over: the first one may be late.
pub async fn a_late_release_counts_if_nobody_took_over(catalog: &dyn Catalog) {
    let new = new_charge("k", &[], TENTH);
    let Reservation::Granted { lease, .. } = catalog.reserve_charge(&new, SHORT).await.unwrap() else {
        panic!("not granted")
    };
    sleep(OVER);
    assert_eq!(catalog.release_charge(&lease, &bytes("x")).await.unwrap().state, ChargeState::Released);
}

pub async fn a_charge_is_released_once(catalog: &dyn Catalog) {
    let new = new_charge("k", &[], TENTH);
    let lease = granted(catalog, &new).await;
    let first = catalog.release_charge(&lease, &bytes("one")).await.unwrap();
    assert_eq!(catalog.release_charge(&lease, &bytes("one")).await.unwrap(), first, "said twice, done once");
    let other = catalog.release_charge(&lease, &bytes("two")).await.unwrap_err();
    assert!(matches!(other, CatalogError::ChargeLost { .. }), "{other}");
    let burned = catalog.burn_charge(&lease, "CW0203").await.unwrap_err();
    assert!(matches!(burned, CatalogError::ChargeLost { .. }), "{burned}");
    let forged = ChargeLease { token: "forged".into(), ..lease };
    let forged = catalog.release_charge(&forged, &bytes("one")).await.unwrap_err();
    assert!(matches!(forged, CatalogError::ChargeLost { .. }), "{forged}");
}

pub async fn a_burned_charge_stays_paid_for(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    cap(catalog, "clinical.lung", ONE).await;
    let new = new_charge("k", &[lung], TENTH);
    let lease = granted(catalog, &new).await;
    let burned = catalog.burn_charge(&lease, "CW0203").await.unwrap();
    assert_eq!((burned.state, burned.error_code.as_deref()), (ChargeState::Burned, Some("CW0203")));
    assert_eq!(catalog.burn_charge(&lease, "CW0203").await.unwrap(), burned);
    let error = catalog.reserve_charge(&new, LONG).await.unwrap_err();
    assert!(matches!(error, CatalogError::ChargeBurned { charge: 1 }) && !error.retryable(), "{error}");
    let late = catalog.release_charge(&lease, &bytes("x")).await.unwrap_err();
    assert!(matches!(late, CatalogError::ChargeLost { .. }), "{late}");
    assert_eq!(spent(catalog, "clinical.lung").await, Amount::pure(TENTH), "never paid back");
}

pub async fn a_result_is_small_or_lies_elsewhere(catalog: &dyn Catalog) {
    let new = new_charge("k", &[], TENTH);
    let lease = granted(catalog, &new).await;
    let placed = |location: &str, digest: &str| ReleasedResult::Placed {
        location: location.into(),
        digest: digest.into(),
        n_bytes: 5_000_000,
    };
    let digest = "ab".repeat(32);
    for wrong in [
        ReleasedResult::Inline(vec![0; MAX_STORED_RESULT + 1]),
        placed("", &digest),
        placed("releases/1.parquet", "ab"),
    ] {
        let error = catalog.release_charge(&lease, &wrong).await.unwrap_err();
        assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
    }
    let result = placed("releases/1.parquet", &digest);
    let charge = catalog.release_charge(&lease, &result).await.unwrap();
    assert_eq!(charge.result_location.as_deref(), Some("releases/1.parquet"));
    assert_eq!((charge.result_digest, charge.result_bytes), (Some(digest), Some(5_000_000)));
    assert_eq!(catalog.stored_release(&new.question).await.unwrap().unwrap().result, result);
    let largest = ReleasedResult::Inline(vec![7; MAX_STORED_RESULT]);
    let lease = granted(catalog, &new_charge("l", &[], TENTH)).await;
    catalog.release_charge(&lease, &largest).await.unwrap();
    assert_eq!(catalog.stored_release(&new.question).await.unwrap().unwrap().result, largest);
    let lease = granted(catalog, &NewCharge { question: "empty".into(), ..new_charge("m", &[], TENTH) }).await;
    catalog.release_charge(&lease, &bytes("")).await.unwrap();
    assert_eq!(catalog.stored_release("empty").await.unwrap().unwrap().result, bytes(""));
    catalog.check().await.unwrap();
}

pub async fn a_charge_that_makes_no_sense_is_refused(catalog: &dyn Catalog) {
    let new = new_charge("k", &[], TENTH);
    let cost = |amount, rows_per_unit| ChargeCost { amount, rows_per_unit, ..new.cost.clone() };
    for wrong in [
        NewCharge { key: String::new(), ..new.clone() },
        NewCharge { question: "q".repeat(201), ..new.clone() },
        NewCharge { parameters: "p".repeat(65_537), ..new.clone() },
        NewCharge { cost: cost(Amount::default(), 1), ..new.clone() },
        NewCharge { cost: cost(Amount::pure(u64::MAX), 1), ..new.clone() },
        NewCharge { cost: cost(Amount::pure(1), 0), ..new.clone() },
    ] {
        let error = catalog.reserve_charge(&wrong, LONG).await.unwrap_err();
        assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
    }
    let error = catalog.reserve_charge(&new, 0).await.unwrap_err();
    assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
    assert!(catalog.charges(&ChargePage::newest(9)).await.unwrap().is_empty());
}

pub async fn a_policy_admits_what_it_says(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    let policy = BudgetPolicy { unit: Some("patient".into()), rows_per_unit: 2, ..BudgetPolicy::new(ONE) };
    catalog.set_budget(&name("clinical.lung"), &policy, &by("admin")).await.unwrap();
    let copy = copied(catalog, "b.copy", &[lung]).await;
    let mut new = new_charge("k", &[copy], TENTH);
    let error = catalog.reserve_charge(&new, LONG).await.unwrap_err();
    let CatalogError::BudgetTerms { dataset, reason } = &error else { panic!("{error}") };
    assert!(dataset == "clinical.lung" && reason.contains("`patient`"), "{error}");
    new.cost.unit = Some("patient".into());
    new.cost.is_sound = false;
    let error = catalog.reserve_charge(&new, LONG).await.unwrap_err();
    assert!(matches!(error, CatalogError::BudgetTerms { .. }) && error.code() == "CW0413", "{error}");
    start(catalog).await;
    let allowed = BudgetPolicy { allow_unsound: true, ..policy };
    catalog.set_budget(&name("clinical.lung"), &allowed, &because("a comparison")).await.unwrap();
    granted(catalog, &new).await;
}

pub async fn a_policy_is_loosened_only_on_the_record(catalog: &dyn Catalog) {
    let lung = name("clinical.lung");
    cap(catalog, "clinical.lung", ONE).await;
    let raised = BudgetPolicy::new(Amount::pure(2_000_000));
    for change in [by("admin"), because(" "), because("the study was extended"), because(&"x".repeat(257))] {
        let error = catalog.set_budget(&lung, &raised, &change).await.unwrap_err();
        assert!(matches!(error, CatalogError::Invalid(_)), "{error}");
    }
    cap(catalog, "clinical.lung", Amount::pure(500_000)).await;
    let key = start(catalog).await;
    let error = catalog.set_budget(&lung, &raised, &by("admin")).await.unwrap_err();
    assert!(error.to_string().contains("stated reason"), "{error}");
    let set = catalog.set_budget(&lung, &raised, &because("the study was extended")).await.unwrap();
    assert_eq!((set.revision, set.remaining()), (3, Some(raised.cap)));
    let record = records(catalog).await.pop().unwrap();
    assert_eq!(
        (record.action(), record.actor(), record.outcome()),
        (Action::BudgetCharge, "admin", &Outcome::succeeded())
    );
    assert_eq!(record.facts()["reason"], "the study was extended");
    assert_eq!((record.facts()["change"].as_str(), record.facts()["cap_epsilon"].as_str()), ("policy_set", "2"));
    assert!(record.covers()[0].before.is_some() && record.covers()[0].table == "budget", "{:?}", record.covers());
    verify(catalog, &key).await.unwrap();
}

pub async fn a_cap_below_what_is_spent_leaves_nothing(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    cap(catalog, "clinical.lung", ONE).await;
    granted(catalog, &new_charge("k", &[lung], 800_000)).await;
    cap(catalog, "clinical.lung", Amount::pure(TENTH)).await;
    let ledger = catalog.budget(&name("clinical.lung")).await.unwrap().unwrap();
    assert_eq!((ledger.spent, ledger.remaining()), (Amount::pure(800_000), Some(Amount::default())));
    is_exceeded(catalog, &new_charge("l", &[lung], 1)).await;
}

pub async fn a_question_is_answered_by_its_newest_release(catalog: &dyn Catalog) {
    let first = written(catalog, "clinical.lung", 0, &["time"]).await;
    let second = written(catalog, "clinical.lung", 1, &["time"]).await;
    let question = new_charge("", &[], 1).question;
    assert_eq!(catalog.stored_release(&question).await.unwrap(), None);
    released(catalog, &new_charge("k", &[first], TENTH), "old").await;
    sleep(OVER);
    let newest = released(catalog, &new_charge("l", &[second], TENTH), "new").await;
    granted(catalog, &new_charge("m", &[second], TENTH)).await;
    released(catalog, &NewCharge { question: "another".into(), ..new_charge("n", &[second], TENTH) }, "other").await;
    sleep(OVER);
    let stored = catalog.stored_release(&question).await.unwrap().unwrap();
    assert_eq!((stored.charge.id, &stored.result), (newest, &bytes("new")));
    assert_eq!(stored.charge.spec.inputs, [second]);
    assert!((20..60_000).contains(&stored.age_ms), "{}", stored.age_ms);
}

pub async fn charges_come_newest_first(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    let other = written(catalog, "a.t", 0, &["x"]).await;
    for number in 1..=4 {
        granted(catalog, &new_charge(&format!("k{number}"), &[lung], TENTH)).await;
    }
    released(catalog, &NewCharge { actor: "bob".into(), ..new_charge("k5", &[other, lung], TENTH) }, "x").await;
    released(catalog, &NewCharge { actor: "bob".into(), ..new_charge("k6", &[other], TENTH) }, "x").await;
    let ids = async |page: ChargePage| -> Vec<i64> {
        catalog.charges(&page).await.unwrap().iter().map(|charge| charge.id.0).collect()
    };
    let newest = ChargePage::newest(9);
    assert_eq!(ids(newest.clone()).await, [6, 5, 4, 3, 2, 1]);
    assert_eq!(ids(ChargePage { before: Some(ChargeId(4)), limit: 2, ..newest.clone() }).await, [3, 2]);
    let lungs = ChargePage { dataset: Some(name("clinical.lung")), ..newest.clone() };
    assert_eq!(ids(lungs.clone()).await, [5, 4, 3, 2, 1]);
    assert_eq!(ids(ChargePage { state: Some(ChargeState::Released), ..lungs.clone() }).await, [5]);
    assert_eq!(ids(ChargePage { actor: Some("ann".into()), limit: 1, ..lungs }).await, [4]);
    assert_eq!(ids(ChargePage { state: Some(ChargeState::Reserved), ..newest.clone() }).await, [4, 3, 2, 1]);
    assert_eq!(ids(ChargePage { actor: Some("bob".into()), ..newest.clone() }).await, [6, 5]);
    let none = ChargePage { state: Some(ChargeState::Reserved), actor: Some("bob".into()), ..newest };
    assert!(ids(none).await.is_empty());
}

pub async fn charges_are_chained(catalog: &dyn Catalog) {
    for number in 1..=3 {
        granted(catalog, &new_charge(&format!("k{number}"), &[], TENTH)).await;
    }
    let charges = catalog.charges(&ChargePage::newest(9)).await.unwrap();
    assert_eq!(charges[0].previous_hash, charges[1].hash);
    assert_eq!(charges[1].previous_hash, charges[2].hash);
    assert_eq!(charges[2].previous_hash, "0".repeat(64));
    assert!(charges.iter().all(|charge| charge.hash.len() == 64 && charge.hash != charge.previous_hash));
    assert!(catalog.check().await.unwrap().contains("3 privacy charges"));
}

pub async fn what_happens_to_a_charge_is_a_record_without_its_result(catalog: &dyn Catalog) {
    let lung = written(catalog, "clinical.lung", 0, &["time"]).await;
    cap(catalog, "clinical.lung", ONE).await;
    released(catalog, &new_charge("before the log", &[lung], TENTH), "x").await;
    let key = start(catalog).await;
    let new = new_charge("k", &[lung], TENTH);
    catalog.reserve_charge(&new, SHORT).await.unwrap();
    sleep(OVER);
    let Reservation::Granted { lease, .. } = catalog.reserve_charge(&new, LONG).await.unwrap() else { panic!("held") };
    catalog.release_charge(&lease, &bytes("Anna lives long")).await.unwrap();
    catalog.release_charge(&lease, &bytes("Anna lives long")).await.unwrap();
    let burned = granted(catalog, &new_charge("l", &[lung], TENTH)).await;
    catalog.burn_charge(&burned, "CW0203").await.unwrap();
    let recorded = records(catalog).await;
    let said: Vec<(&str, OutcomeState)> = recorded
        .iter()
        .filter(|record| record.action() == Action::BudgetCharge)
        .map(|record| (record.facts()["change"].as_str(), record.outcome().state))
        .collect();
    let (started, succeeded) = (OutcomeState::Started, OutcomeState::Succeeded);
    let expected = [
        ("reserved", started),
        ("taken_over", started),
        ("released", succeeded),
        ("reserved", started),
        ("burned", OutcomeState::Failed),
    ];
    assert_eq!(said, expected);
    let paid = recorded.iter().find(|record| record.action() == Action::BudgetCharge).unwrap();
    assert_eq!((paid.facts()["epsilon"].as_str(), paid.facts()["delta"].as_str()), ("0.1", "0"));
    assert_eq!((paid.actor(), paid.objects()[1].name.as_str()), ("ann", "clinical.lung"));
    assert!(recorded.iter().all(|record| !record.encode().unwrap().contains("Anna")));
    let summary = verify(catalog, &key).await.unwrap();
    assert!(summary.n_rows >= 4, "{summary:?}");
}
