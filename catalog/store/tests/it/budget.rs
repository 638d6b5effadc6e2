//! Privacy budgets under many at once, kills, restarts and random orders; and rows of theirs touched behind the catalog's
//! back.

#![expect(clippy::panic, reason = "a test that finds something else says what")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use causeway_cluster::{Cluster, Shutdown};
use causeway_model::{
    Adjacency, Amount, Budget as _, BudgetPolicy, Catalog, CatalogError, Charge, ChargeCost, ChargeLease, ChargePage,
    ChargeState, NewCharge, PolicyChange, ReleasedResult, Reservation, TableName, VersionId,
};
use causeway_store::PostgresCatalog;
use tokio::task::JoinSet;

use crate::fixtures::append;
use crate::places::{Place, on_each_store};
use crate::restarts::interrupted;

const LONG: i64 = 600_000;
const TENTH: u64 = 100_000;

on_each_store!(
    of_64_charges_of_a_tenth_at_once_ten_fit_under_one,
    one_key_asked_for_by_many_is_paid_once,
    a_reservation_whose_process_died_is_taken_over,
    a_killed_spender_leaves_a_ledger_that_holds,
    a_cancelled_call_pays_wholly_or_not_at_all,
    a_random_order_never_overspends,
);

fn lung() -> TableName {
    TableName::new("a", "t")
}

pub(crate) fn new_charge(key: &str, inputs: &[VersionId], epsilon_micro: u64) -> NewCharge {
    NewCharge {
        key: key.into(),
        question: "q".into(),
        actor: "ann".into(),
        roles: BTreeSet::from(["ann".to_owned(), "analyst".to_owned()]),
        run: None,
        operator: "dp_count".into(),
        parameters: "{}".into(),
        inputs: inputs.to_vec(),
        cost: ChargeCost {
            mechanism: "discrete Laplace".into(),
            amount: Amount::pure(epsilon_micro),
            unit: None,
            rows_per_unit: 1,
            adjacency: Adjacency::AddRemove,
            is_sound: true,
        },
    }
}

fn bytes(text: impl ToString) -> ReleasedResult {
    ReleasedResult::Inline(text.to_string().into_bytes())
}

/// Makes `a.t`, derived from its own version before, with a cap.
async fn capped(catalog: &dyn Catalog, cap: Amount) -> VersionId {
    append(catalog, "t", "first").await.unwrap();
    append(catalog, "t", "second").await.unwrap();
    let change = PolicyChange { actor: "admin".into(), reason: None };
    catalog.set_budget(&lung(), &BudgetPolicy::new(cap), &change).await.unwrap();
    catalog.versions(None).await.unwrap()[1].id
}

async fn spent(catalog: &dyn Catalog) -> Amount {
    catalog.budget(&lung()).await.unwrap().unwrap().spent
}

async fn charges(catalog: &dyn Catalog) -> Vec<Charge> {
    catalog.charges(&ChargePage::newest(i64::MAX)).await.unwrap()
}

/// What the charges' rows say is spent, which the account says too.
async fn assert_adds_up(catalog: &dyn Catalog, cap: Amount) {
    catalog.check().await.unwrap();
    let charges = charges(catalog).await;
    let sum = charges.iter().fold(Amount::default(), |sum, charge| sum.plus(charge.spec.cost.amount));
    assert_eq!(sum, spent(catalog).await);
    assert!(sum.fits(cap), "{sum} was spent of {cap}");
}

async fn of_64_charges_of_a_tenth_at_once_ten_fit_under_one(place: Place) {
    let cap = Amount::pure(1_000_000);
    let input = capped(&*place.open().await, cap).await;
    let mut tasks = JoinSet::new();
    for process in 0..8 {
        // Pools of its own, as a process has.
        let catalog = place.open().await;
        for number in 0..8 {
            let catalog = Arc::clone(&catalog);
            tasks.spawn(async move {
                let new = new_charge(&format!("{process}-{number}"), &[input], TENTH);
                catalog.reserve_charge(&new, LONG).await
            });
        }
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.len(), 64);
    let (granted, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!(granted.len(), 10);
    for error in refused.into_iter().filter_map(Result::err) {
        let CatalogError::BudgetExceeded(shortfall) = error else { panic!("{error}") };
        assert_eq!((shortfall.remaining, shortfall.difference()), (Amount::default(), Amount::pure(TENTH)));
    }
    let catalog = place.open().await;
    assert_eq!(spent(&*catalog).await, cap);
    assert_adds_up(&*catalog, cap).await;
}

async fn one_key_asked_for_by_many_is_paid_once(place: Place) {
    let cap = Amount::pure(1_000_000);
    let input = capped(&*place.open().await, cap).await;
    let mut tasks = JoinSet::new();
    for worker in 0..8 {
        let catalog = place.open().await;
        tasks.spawn(async move {
            let new = new_charge("the same", &[input], TENTH);
            loop {
                match catalog.reserve_charge(&new, LONG).await.unwrap() {
                    Reservation::Granted { lease, .. } => {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        catalog.release_charge(&lease, &bytes(worker)).await.unwrap();
                    }
                    Reservation::Held { .. } => tokio::time::sleep(Duration::from_millis(5)).await,
                    Reservation::Stored(release) => return format!("{:?}", release.charge.result_digest),
                }
            }
        });
    }
    let seen: BTreeSet<String> = tasks.join_all().await.into_iter().collect();
    assert_eq!(seen.len(), 1, "all see one result");
    let catalog = place.open().await;
    assert_eq!((charges(&*catalog).await.len(), spent(&*catalog).await), (1, Amount::pure(TENTH)));
}

/// The process that had paid is gone with all its connections; another one goes on.
async fn a_reservation_whose_process_died_is_taken_over(place: Place) {
    let cap = Amount::pure(TENTH);
    let input = capped(&*place.open().await, cap).await;
    let new = new_charge("k", &[input], TENTH);
    let first = place.open().await;
    let Reservation::Granted { lease: lost, .. } = first.reserve_charge(&new, 50).await.unwrap() else {
        panic!("not granted")
    };
    drop(first);
    let second = place.open().await;
    let lease = loop {
        match second.reserve_charge(&new, LONG).await.unwrap() {
            Reservation::Granted { lease, is_takeover } => {
                assert!(is_takeover);
                break lease;
            }
            Reservation::Held { for_ms, .. } => {
                assert!((1..=50).contains(&for_ms), "{for_ms}");
                tokio::time::sleep(Duration::from_millis(for_ms.unsigned_abs())).await;
            }
            Reservation::Stored(release) => panic!("{release:?}"),
        }
    };
    second.release_charge(&lease, &bytes("second")).await.unwrap();
    let late = place.open().await.release_charge(&lost, &bytes("first")).await.unwrap_err();
    assert!(matches!(late, CatalogError::ChargeLost { .. }), "{late}");
    assert_eq!(second.stored_release("q").await.unwrap().unwrap().result, bytes("second"));
    assert_adds_up(&*second, cap).await;
}

const URL: &str = "CAUSEWAY_TEST_BUDGET_CATALOG";
const SPENDER: &str = "CAUSEWAY_TEST_SPENDER";
const INPUT: &str = "CAUSEWAY_TEST_INPUT";

/// Pays and releases for ever, each key until it is released, and says what it has seen.
#[tokio::test]
#[ignore = "the process that the other tests here start and kill"]
async fn spends_until_killed() {
    let Ok(url) = std::env::var(URL) else { return };
    let spender = std::env::var(SPENDER).unwrap();
    let input = VersionId(std::env::var(INPUT).unwrap().parse().unwrap());
    let catalog = causeway_store::open(&url).await.unwrap();
    for number in 0.. {
        let new = new_charge(&format!("key {number}"), &[input], 1);
        match catalog.reserve_charge(&new, 1).await.unwrap() {
            Reservation::Granted { lease, .. } => {
                catalog.release_charge(&lease, &bytes(format!("{spender}-{number}"))).await.unwrap();
            }
            Reservation::Stored(_) => continue,
            Reservation::Held { .. } => panic!("nobody else is at it"),
        }
        writeln!(std::io::stdout(), "released {number}").unwrap();
    }
}

fn start(url: &str, spender: &str, input: VersionId) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "budget::spends_until_killed", "--ignored", "--nocapture"])
        .env(URL, url)
        .env(SPENDER, spender)
        .env(INPUT, input.0.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Kills with SIGKILL `after` the first release and returns the last key that was said to be released.
fn kill(mut child: Child, after: Duration) -> usize {
    let released = |line: &str| line.strip_prefix("released ")?.parse().ok();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut last: usize = lines.find_map(|line| released(&line)).unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    child.wait().unwrap();
    for number in lines.filter_map(|line| released(&line)) {
        last = number;
    }
    last
}

async fn a_killed_spender_leaves_a_ledger_that_holds(place: Place) {
    let cap = Amount::pure(1_000_000);
    let input = capped(&*place.open().await, cap).await;
    let url = place.url();
    let mut results: BTreeMap<i64, Option<String>> = BTreeMap::new();
    for round in 0..10_u64 {
        let last = kill(start(&url, &round.to_string(), input), Duration::from_micros(900 * round * round));
        let catalog = place.open().await;
        assert_adds_up(&*catalog, cap).await;
        let found = charges(&*catalog).await;
        assert!(found.len() == last + 1 || found.len() == last + 2, "{} charges, key {last} was seen", found.len());
        let reserved = found.iter().filter(|charge| charge.state == ChargeState::Reserved).count();
        assert!(reserved <= 1, "{reserved} reserved");
        for charge in &found {
            let before = results.insert(charge.id.0, charge.result_digest.clone());
            assert!(
                before.flatten().is_none_or(|seen| Some(seen) == charge.result_digest),
                "another result of {charge:?}"
            );
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(results.len() >= 10, "{}", results.len());
}

async fn a_cancelled_call_pays_wholly_or_not_at_all(place: Place) {
    let cap = Amount::pure(1_000_000);
    let catalog = place.open().await;
    let input = capped(&*catalog, cap).await;
    for number in 0..40 {
        let new = new_charge(&format!("cancelled {number}"), &[input], 1);
        let limit = Duration::from_micros(number * 60);
        let _ = tokio::time::timeout(limit, catalog.reserve_charge(&new, LONG)).await;
    }
    let new = new_charge("whole", &[input], TENTH);
    let Reservation::Granted { lease, .. } = catalog.reserve_charge(&new, LONG).await.unwrap() else {
        panic!("not granted")
    };
    for number in 0..20 {
        let limit = Duration::from_micros(number * 60);
        let _ = tokio::time::timeout(limit, catalog.release_charge(&lease, &bytes("x"))).await;
    }
    assert_eq!(catalog.release_charge(&lease, &bytes("x")).await.unwrap().state, ChargeState::Released);
    assert_adds_up(&*catalog, cap).await;
}

/// A pseudo-random order that is the same each time (Knuth's MMIX constants).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One worker does this and that to a few keys, on whichever of two accounts, while the others do.
async fn meddle(catalog: Arc<dyn Catalog>, inputs: [VersionId; 2], mut dice: Dice) {
    let mut leases: Vec<ChargeLease> = Vec::new();
    for _ in 0..30 {
        let key = dice.roll(24);
        let read = if dice.roll(2) == 0 { &inputs[..1] } else { &inputs[..] };
        let new = new_charge(&format!("{key} of {}", read.len()), read, 30_000 + 10_000 * (key % 7));
        let outcome = match dice.roll(5) {
            0..=2 => catalog.reserve_charge(&new, if dice.roll(2) == 0 { 1 } else { LONG }).await.map(|reservation| {
                if let Reservation::Granted { lease, .. } = reservation {
                    leases.push(lease);
                }
            }),
            3 => match leases.pop() {
                Some(lease) => catalog.release_charge(&lease, &bytes(&lease.token)).await.map(drop),
                None => Ok(()),
            },
            _ => match leases.pop() {
                Some(lease) => catalog.burn_charge(&lease, "CW0203").await.map(drop),
                None => Ok(()),
            },
        };
        match outcome {
            Ok(())
            | Err(
                CatalogError::BudgetExceeded(_) | CatalogError::ChargeBurned { .. } | CatalogError::ChargeLost { .. },
            ) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

async fn a_random_order_never_overspends(place: Place) {
    let cap = Amount::pure(1_000_000);
    let catalog = place.open().await;
    let input = capped(&*catalog, cap).await;
    append(&*catalog, "other", "other").await.unwrap();
    let other = catalog.versions(None).await.unwrap().pop().unwrap().id;
    let (name, lower) = (TableName::new("a", "other"), Amount::pure(400_000));
    let change = PolicyChange { actor: "admin".into(), reason: None };
    catalog.set_budget(&name, &BudgetPolicy::new(lower), &change).await.unwrap();
    let mut tasks = JoinSet::new();
    for worker in 0..6 {
        tasks.spawn(meddle(place.open().await, [input, other], Dice(worker + 1)));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
        let ledger = catalog.budget(&lung()).await.unwrap().unwrap();
        assert!(ledger.spent.fits(cap), "{}", ledger.spent);
    }
    assert_adds_up(&*catalog, cap).await;
    let on_other = charges(&*catalog).await.into_iter().filter(|charge| charge.datasets.contains(&name));
    let sum = on_other.fold(Amount::default(), |sum, charge| sum.plus(charge.spec.cost.amount));
    assert!(sum.fits(lower) && sum == catalog.budget(&name).await.unwrap().unwrap().spent, "{sum}");
    assert!(sum.epsilon_micro > 300_000, "{sum}: it came close to the cap");
}

/// A Postgres server that goes away in the middle of each kind of transaction: done once each.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_in_each_kind_of_transaction_pays_once() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let catalog = Arc::new(PostgresCatalog::open(database.url()).await.unwrap());
    let cap = Amount::pure(3 * TENTH);
    let input = capped(&*catalog, cap).await;
    for (round, how) in [Shutdown::Fast, Shutdown::Immediate].into_iter().enumerate() {
        let new = new_charge(&format!("k{round}"), &[input], TENTH);
        let (of, again) = (Arc::clone(&catalog), new.clone());
        let paid = interrupted(&cluster, &database, how, async move { of.reserve_charge(&again, 1).await }).await;
        let Reservation::Granted { is_takeover: false, .. } = paid else { panic!("{paid:?}") };
        tokio::time::sleep(Duration::from_millis(20)).await;
        let of = Arc::clone(&catalog);
        let taken = interrupted(&cluster, &database, how, async move { of.reserve_charge(&new, LONG).await }).await;
        let Reservation::Granted { lease, is_takeover: true } = taken else { panic!("{taken:?}") };
        let (of, held) = (Arc::clone(&catalog), lease.clone());
        interrupted(&cluster, &database, how, async move { of.renew_charge(&held, LONG).await }).await;
        let of = Arc::clone(&catalog);
        let ended = match round {
            0 => {
                let release = async move { of.release_charge(&lease, &bytes("x")).await };
                interrupted(&cluster, &database, how, release).await
            }
            _ => interrupted(&cluster, &database, how, async move { of.burn_charge(&lease, "CW0203").await }).await,
        };
        assert_eq!(ended.n_takeovers, 1);
    }
    let of = Arc::clone(&catalog);
    let change = PolicyChange { actor: "admin".into(), reason: None };
    let lower = BudgetPolicy::new(Amount::pure(2 * TENTH));
    let set =
        interrupted(
            &cluster,
            &database,
            Shutdown::Immediate,
            async move { of.set_budget(&lung(), &lower, &change).await },
        );
    assert_eq!(set.await.revision, 2);
    assert_eq!(charges(&*catalog).await.len(), 2);
    assert_adds_up(&*catalog, Amount::pure(2 * TENTH)).await;
}

/// The server is told to take commits lightly; those of charges are not.
#[tokio::test]
async fn a_charge_is_on_the_disk_whatever_the_server_is_told() {
    let database = Cluster::shared().database();
    let catalog = PostgresCatalog::open(database.url()).await.unwrap();
    let name = database.psql("SELECT current_database()");
    database.psql(&format!("ALTER DATABASE {} SET synchronous_commit = 'off'", name.trim()));
    drop(catalog);
    let catalog = PostgresCatalog::open(database.url()).await.unwrap();
    database.psql(
        "CREATE TABLE seen (setting text); CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS \
         'BEGIN INSERT INTO seen SELECT current_setting(''synchronous_commit''); RETURN NULL; END'; \
         CREATE TRIGGER see AFTER INSERT OR UPDATE ON budget_charge FOR EACH ROW EXECUTE FUNCTION see()",
    );
    let Reservation::Granted { lease, .. } = catalog.reserve_charge(&new_charge("k", &[], 1), LONG).await.unwrap()
    else {
        panic!("not granted")
    };
    catalog.release_charge(&lease, &bytes("x")).await.unwrap();
    assert_eq!(database.psql("SELECT setting FROM seen"), "on\non\n");
}
