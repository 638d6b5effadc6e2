use std::collections::VecDeque;
use std::sync::Mutex;

use causeway_model::Transition;
use uuid::Uuid;

use super::*;
use crate::ids::EventId;

/// An outbox, an event source and a receiver in memory, with faults to come.
#[derive(Default)]
struct World {
    waiting: Mutex<Vec<Change>>,
    failed: Mutex<Vec<(i64, &'static str)>>,
    received: Mutex<Vec<EventId>>,
    /// What happens to the next events sent; `None`, or nothing left, is success.
    faults: Mutex<VecDeque<Option<OpenLineageError>>>,
    buffered: bool,
    sync_faults: Mutex<VecDeque<OpenLineageError>>,
    /// Recording a delivery fails: the process is killed between the two.
    forgetful: Mutex<bool>,
    /// Somebody else has the outbox.
    taken: Mutex<bool>,
}

#[async_trait]
impl Outbox for World {
    async fn claim(&self) -> Result<bool> {
        Ok(!*self.taken.lock().unwrap())
    }

    async fn give_back(&self) -> Result<()> {
        Ok(())
    }

    async fn pending(&self, limit: usize) -> Result<Vec<Change>> {
        Ok(self.waiting.lock().unwrap().iter().take(limit).cloned().collect())
    }

    async fn delivered(&self, ids: &[i64]) -> Result<()> {
        if *self.forgetful.lock().unwrap() {
            return Err(OpenLineageError::Internal("killed".into()));
        }
        self.waiting.lock().unwrap().retain(|change| !ids.contains(&change.id));
        Ok(())
    }

    async fn failed(&self, id: i64, error: &OpenLineageError) -> Result<()> {
        self.failed.lock().unwrap().push((id, error.code()));
        Ok(())
    }
}

#[async_trait]
impl EventSource for World {
    async fn event(&self, change: &Change) -> Result<Event> {
        Ok(Event { id: id_of(change), body: "{}".into() })
    }
}

#[async_trait]
impl Transport for World {
    async fn send(&self, event: &Event) -> Result<()> {
        if let Some(Some(error)) = self.faults.lock().unwrap().pop_front() {
            return Err(error);
        }
        self.received.lock().unwrap().push(event.id);
        Ok(())
    }

    fn is_buffered(&self) -> bool {
        self.buffered
    }

    async fn sync(&self) -> Result<()> {
        self.sync_faults.lock().unwrap().pop_front().map_or(Ok(()), Err)
    }
}

impl World {
    /// Runs are given by one letter per change, in order.
    fn new(runs: &str) -> Self {
        let changes = runs.chars().zip(1..).map(|(run, id)| Change {
            id,
            run: RunId(run.to_string()),
            step: None,
            attempt: 1,
            transition: Transition::Start,
            at: id.to_string(),
            failure: None,
        });
        Self { waiting: Mutex::new(changes.collect()), ..Self::default() }
    }

    fn failing(self, faults: impl IntoIterator<Item = Option<OpenLineageError>>) -> Self {
        Self { faults: Mutex::new(faults.into_iter().collect()), ..self }
    }

    async fn deliver(&self) -> Delivery {
        deliver(self, self, self, None).await.unwrap()
    }

    /// The numbers of the changes received, in order.
    fn received(&self) -> Vec<usize> {
        let number = |id: &EventId| (1..1000).find(|number| id_numbered(*number) == *id).unwrap();
        self.received.lock().unwrap().iter().map(number).collect()
    }

    fn waiting(&self) -> Vec<i64> {
        self.waiting.lock().unwrap().iter().map(|change| change.id).collect()
    }
}

fn id_numbered(number: usize) -> EventId {
    EventId::new(Uuid::nil(), Transition::Start, &number.to_string())
}

fn id_of(change: &Change) -> EventId {
    EventId::new(Uuid::nil(), change.transition, &change.at)
}

fn unavailable() -> OpenLineageError {
    OpenLineageError::Unavailable("down".into())
}

fn refused() -> OpenLineageError {
    OpenLineageError::Refused("no".into())
}

/// Runs a future to its end.
fn now<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap().block_on(future)
}

#[test]
fn all_that_waits_is_sent_in_order() {
    let world = World::new(&"ab".repeat(100));
    let delivery = now(world.deliver());
    assert_eq!((delivery.n_delivered, delivery.stopped.is_none(), delivery.held.len()), (200, true, 0));
    assert_eq!(world.received(), (1..=200).collect::<Vec<_>>());
    assert!(world.waiting().is_empty());
}

#[test]
fn it_stops_when_the_receiver_is_down_and_goes_on_from_there() {
    let world = World::new("abab").failing([None, Some(unavailable())]);
    let delivery = now(world.deliver());
    assert_eq!(delivery.n_delivered, 1);
    assert!(delivery.stopped.is_some_and(|error| error.retryable()));
    assert_eq!((world.received(), world.waiting()), (vec![1], vec![2, 3, 4]));
    assert_eq!(*world.failed.lock().unwrap(), [(2, "CW0904")]);
    assert_eq!(now(world.deliver()).n_delivered, 3);
    assert_eq!(world.received(), [1, 2, 3, 4]);
}

#[test]
fn a_refused_event_holds_its_run_and_no_other() {
    let world = World::new("abab").failing([Some(refused())]);
    let delivery = now(world.deliver());
    assert_eq!((delivery.n_delivered, delivery.stopped.is_none()), (2, true));
    assert_eq!(delivery.held, BTreeSet::from([RunId("a".into())]));
    assert_eq!((world.received(), world.waiting()), (vec![2, 4], vec![1, 3]));
    assert_eq!(*world.failed.lock().unwrap(), [(1, "CW0905")]);
}

#[test]
fn wrong_settings_stop_it_without_blame_on_a_run() {
    let world = World::new("ab").failing([Some(OpenLineageError::Setting("HTTP 401".into()))]);
    let delivery = now(world.deliver());
    assert!(delivery.held.is_empty());
    assert_eq!(delivery.stopped.map(|error| error.code()), Some("CW0903"));
    assert_eq!(world.waiting(), [1, 2]);
}

#[test]
fn what_was_sent_and_not_recorded_is_sent_again_under_the_same_identity() {
    let world = World::new("aa");
    *world.forgetful.lock().unwrap() = true;
    assert!(now(deliver(&world, &world, &world, None)).is_err());
    *world.forgetful.lock().unwrap() = false;
    assert_eq!(now(world.deliver()).n_delivered, 2);
    assert_eq!(world.received(), [1, 1, 2]);
}

#[test]
fn a_buffering_receiver_has_it_only_after_a_sync() {
    let world = World { buffered: true, ..World::new("ab") };
    world.sync_faults.lock().unwrap().push_back(unavailable());
    let delivery = now(world.deliver());
    assert_eq!((delivery.n_delivered, delivery.stopped.is_some()), (0, true));
    assert_eq!(world.waiting(), [1, 2]);
    assert_eq!(now(world.deliver()).n_delivered, 2);
    assert_eq!(world.received(), [1, 2, 1, 2]);
}

#[test]
fn what_was_buffered_before_a_fault_is_safe() {
    let world = World { buffered: true, ..World::new("aab") }.failing([None, Some(unavailable())]);
    let delivery = now(world.deliver());
    assert_eq!(delivery.n_delivered, 1);
    assert_eq!(world.waiting(), [2, 3]);
}

#[test]
fn an_empty_outbox_is_no_work() {
    let delivery = now(World::default().deliver());
    assert_eq!((delivery.n_delivered, delivery.stopped.is_none()), (0, true));
}

#[test]
fn what_somebody_else_sends_is_left_to_them() {
    let world = World::new("ab");
    *world.taken.lock().unwrap() = true;
    let delivery = now(world.deliver());
    assert!(delivery.elsewhere && delivery.stopped.is_none());
    assert!(world.received().is_empty());
}

#[test]
fn when_the_time_is_over_the_rest_waits() {
    let world = World::new("ab");
    let delivery = now(deliver(&world, &world, &world, Some(Duration::ZERO))).unwrap();
    assert_eq!((delivery.n_delivered, delivery.stopped.map(|error| error.code())), (0, Some("CW0904")));
    assert_eq!(world.waiting(), [1, 2]);
}

/// Takes nothing, and says nothing.
struct Silent;

#[async_trait]
impl Transport for Silent {
    async fn send(&self, _event: &Event) -> Result<()> {
        std::future::pending().await
    }
}

#[test]
fn a_silent_receiver_costs_no_more_than_the_time() {
    let world = World::new("ab");
    let delivery = now(deliver(&world, &world, &Silent, Some(Duration::from_millis(20)))).unwrap();
    assert!(delivery.stopped.is_some_and(|error| error.retryable()));
    assert_eq!(*world.failed.lock().unwrap(), [(1, "CW0904")]);
}
