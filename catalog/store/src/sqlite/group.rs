//! Writers of one process that come close together share a transaction, and with it one flush to the disk.
//!
//! ```text
//! first   BEGIN IMMEDIATE, its statements ── waits behind those who were waiting ────── COMMIT
//! second  waits ──────────────────────────── SAVEPOINT, its statements ── waits ─────── hears of it
//! ```
//!
//! A writer that is done goes to the end of the line again. Whoever then comes first commits for all, so
//! that nobody waits for writers who are not there yet. What a writer that fails has written is undone back
//! to its savepoint. A call returns when its writes are on the disk, as it would alone.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Sqlite, SqlitePool, Transaction};
use tokio::sync::{Mutex, OwnedMutexGuard, oneshot};

use causeway_model::CatalogError;

use crate::error::{Result, from_sqlx};

/// How long a call waits for its turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(120);

type Committed = std::result::Result<(), CatalogError>;

/// Held by the one writer at work.
type Turn = OwnedMutexGuard<Option<Group>>;

/// The line of writers. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Writers {
    pool: SqlitePool,
    open: Arc<Mutex<Option<Group>>>,
}

/// The writers of a transaction that is open.
#[derive(Debug)]
struct Group {
    transaction: Transaction<'static, Sqlite>,
    /// Those who are done and wait for the commit.
    done: Vec<oneshot::Sender<Committed>>,
    /// The number of the one at work, or of one that did not come to its end.
    at_work: Option<usize>,
    n_joined: usize,
}

/// A writer whose turn it is. What it wrote is undone unless it commits.
pub(crate) struct Member {
    writers: Writers,
    open: Turn,
}

impl Writers {
    pub(super) fn new(pool: SqlitePool) -> Self {
        Self { pool, open: Arc::default() }
    }

    /// Waits for the turn and joins the open transaction, or starts one.
    pub(super) async fn turn(&self) -> Result<Member> {
        let mut open = self.lock().await?;
        let joined = match open.as_mut() {
            Some(group) => group.join().await.is_ok(),
            None => false,
        };
        if !joined {
            // A group that nobody can join any more was undone, which those in it hear now.
            *open = None;
            *open = Some(Group::begin(&self.pool).await?);
        }
        Ok(Member { writers: self.clone(), open })
    }

    #[cfg(test)]
    pub(super) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    async fn lock(&self) -> Result<Turn> {
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.open).lock_owned()).await;
        Ok(turn.map_err(|_| sqlx::Error::PoolTimedOut)?)
    }
}

impl Group {
    async fn begin(pool: &SqlitePool) -> Result<Self> {
        let transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        Ok(Self { transaction, done: Vec::new(), at_work: Some(0), n_joined: 1 })
    }

    async fn join(&mut self) -> Result<()> {
        self.undo().await?;
        let number = self.n_joined;
        self.n_joined += 1;
        self.at_work = Some(number);
        self.script(format!("SAVEPOINT member_{number}")).await
    }

    /// Undoes what a writer has written that did not come to its end. This fails where the transaction is no
    /// more: SQLite ends it by itself when the disk is full or fails.
    async fn undo(&mut self) -> Result<()> {
        if let Some(number) = self.at_work {
            self.script(format!("ROLLBACK TO member_{number}")).await?;
            self.at_work = None;
        }
        Ok(())
    }

    async fn script(&mut self, sql: String) -> Result<()> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.transaction).await?;
        Ok(())
    }

    /// Commits, in a task of its own: whoever waits for it may go away.
    fn commit(mut self, turn: Turn) {
        tokio::spawn(async move {
            if self.undo().await.is_ok() {
                let outcome = self.transaction.commit().await;
                for writer in self.done {
                    // Nobody waiting any more changes nothing about what is recorded.
                    let _: std::result::Result<(), _> = writer.send(outcome.as_ref().map_err(from_sqlx).copied());
                }
            }
            drop(turn);
        });
    }
}

impl Member {
    /// Returns the connection, which is there as long as the member is.
    pub(crate) fn connection(&mut self) -> Result<&mut sqlx::SqliteConnection> {
        match self.open.as_mut() {
            Some(group) => Ok(&mut *group.transaction),
            None => Err(sqlx::Error::PoolClosed.into()),
        }
    }

    /// Returns when the writes are on the disk.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let (done, committed) = oneshot::channel();
        if let Some(group) = self.open.as_mut() {
            group.at_work = None;
            group.done.push(done);
        }
        let closing = Closing(Some(self.writers.clone()));
        drop(self);
        closing.wait(committed).await
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // The others of its group undo what it wrote; without others nobody would.
        if self.open.as_ref().is_some_and(|group| group.done.is_empty()) {
            *self.open = None;
        }
    }
}

/// Sees to it that what is done is committed, even if nobody waits for that any more.
struct Closing(Option<Writers>);

impl Closing {
    async fn wait(mut self, mut committed: oneshot::Receiver<Committed>) -> Result<()> {
        if let Some(writers) = &self.0 {
            let turn = tokio::select! {
                biased;
                outcome = &mut committed => return self.done(outcome),
                turn = writers.lock() => turn?,
            };
            match committed.try_recv() {
                Err(oneshot::error::TryRecvError::Empty) => close(turn),
                Ok(outcome) => return self.done(Ok(outcome)),
                Err(oneshot::error::TryRecvError::Closed) => return self.done(Ok(Err(undone()))),
            }
        }
        let outcome = committed.await;
        self.done(outcome)
    }

    fn done(&mut self, outcome: std::result::Result<Committed, oneshot::error::RecvError>) -> Result<()> {
        self.0 = None;
        Ok(outcome.unwrap_or_else(|_| Err(undone()))?)
    }
}

impl Drop for Closing {
    fn drop(&mut self) {
        if let (Some(writers), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { writers.lock().await.map(close) });
        }
    }
}

/// Commits what is open.
fn close(mut turn: Turn) {
    if let Some(group) = turn.take() {
        group.commit(turn);
    }
}

fn undone() -> CatalogError {
    CatalogError::Busy("a call that was being recorded at the same time took this one with it; try again".into())
}
