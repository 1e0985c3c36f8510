//! The pool, and the deadline that everything done with it has.

use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use sqlx::{
    Connection, PgConnection, PgPool, Postgres,
    pool::PoolConnection,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{error::Elapsed, timeout},
};

use crate::{error::StoreError, metrics};

/// How long to wait for a turn, and then for a connection: also how long it takes to find out that Postgres is away.
const ACQUIRE_DEADLINE: Duration = Duration::from_secs(2);

/// How to reach Postgres. It has no `Debug`: the URL carries a password.
#[derive(Clone)]
pub struct StoreConfig {
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// What Postgres calls the connections (`application_name`).
    pub name: &'static str,
    /// The most connections; at least two, because emptying the outbox may need a second one.
    pub connections: u32,
    /// How long one unit of work may take, waiting for a connection not included.
    pub deadline: Duration,
}

/// A handle on Postgres; cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    pool: PgPool,
    options: PgConnectOptions,
    deadline: Duration,
    patience: Duration,
    /// As many as there are connections. Who waits for the pool itself has less and less time to open or to test a
    /// connection; were many waiting, none could be opened any more. So they wait here, and who has a turn has all the time.
    turns: Arc<Semaphore>,
    /// For work that holds a connection while it may need another one: were all connections held by such work, each would
    /// wait for the others.
    nested: Arc<Semaphore>,
}

impl Store {
    /// Connects once, so that a wrong URL is found at the start. Later breaks are repaired when the next
    /// connection is needed.
    ///
    /// # Errors
    /// When the URL is malformed, or Postgres cannot be reached now.
    pub async fn connect(config: &StoreConfig) -> Result<Self, StoreError> {
        let store = Self::open(config)?;
        store.ping().await?;
        Ok(store)
    }

    /// The same without connecting.
    ///
    /// # Errors
    /// When the URL is malformed.
    pub fn open(config: &StoreConfig) -> Result<Self, StoreError> {
        let plain = PgConnectOptions::from_str(&config.url)
            .map_err(|_| StoreError::Url)?
            .application_name(config.name);
        let ms = config.deadline.as_millis().to_string();
        // The server gives up what this process gave up; and it frees the rows that a frozen process had locked.
        let limited = plain.clone().options([
            ("statement_timeout", ms.as_str()),
            ("idle_in_transaction_session_timeout", ms.as_str()),
        ]);
        let connections = config.connections.max(2);
        let patience = config.deadline.min(ACQUIRE_DEADLINE);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(patience)
            .idle_timeout(Duration::from_secs(300))
            .connect_lazy_with(limited);
        let permits = |number| Arc::new(Semaphore::new(usize::try_from(number).unwrap_or(1)));
        let (turns, nested) = (permits(connections), permits(connections / 2));
        Ok(Self { pool, options: plain, deadline: config.deadline, patience, turns, nested })
    }

    /// Does something with one connection, within the deadline. By `operation` it is known on `/metrics`.
    ///
    /// # Errors
    /// What the work answers; that Postgres is away, or that time is over.
    pub async fn run<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut lease = self.lease(operation).await?;
        // On the heap: what is done inside of others' futures would make them all large.
        let work = Box::pin(work(&mut lease.connection));
        let answer = timeout(self.deadline, work).await;
        lease.end(answer)
    }

    /// Does something in one transaction, within the deadline. It is committed when the work succeeds.
    ///
    /// # Errors
    /// As [`Store::run`]. After an error in the commit itself it is unknown whether it took effect.
    pub async fn transaction<T>(
        &self,
        operation: &'static str,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.run(operation, async |connection| {
            let mut transaction = connection.begin().await?;
            let answer = work(&mut transaction).await?;
            transaction.commit().await?;
            Ok(answer)
        })
        .await
    }

    /// Whether Postgres answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.run("ping", async |connection| Ok(connection.ping().await?)).await
    }

    /// A connection of the pool for one unit of work; [`Store::run`] wherever it can be.
    pub(crate) async fn lease(&self, operation: &'static str) -> Result<Lease, StoreError> {
        let begun = Instant::now();
        let acquired = self.acquire().await;
        metrics::waited(begun.elapsed());
        let (connection, turn) = acquired.inspect_err(|_| metrics::had_no_connection(operation))?;
        Ok(Lease { connection, _turn: turn, operation, begun: Instant::now(), finished: false })
    }

    async fn acquire(&self) -> Result<(PoolConnection<Postgres>, OwnedSemaphorePermit), StoreError> {
        let turn = self.turn(&self.turns).await?;
        Ok((self.pool.acquire().await?, turn))
    }

    async fn turn(&self, turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, StoreError> {
        match timeout(self.patience, Arc::clone(turns).acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            // Nobody closes them.
            _ => Err(StoreError::Unavailable(String::from("all connections are in use"))),
        }
    }

    /// Taken by work that may need a second connection while it has one, and kept as long as the first.
    pub(crate) async fn nested(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        self.turn(&self.nested).await
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How long one unit of work may take.
    pub(crate) fn deadline(&self) -> Duration {
        self.deadline
    }

    /// A connection of its own without a deadline, for what may take long.
    pub(crate) async fn unlimited(&self) -> Result<PgConnection, StoreError> {
        Ok(PgConnection::connect_with(&self.options).await?)
    }

    /// Ends the connections, when their work is done.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// A connection for one unit of work. When the work was not finished, because time was over or because nobody waited for
/// it any more, the connection is closed: nobody knows what it would answer next, or when.
#[derive(Debug)]
pub(crate) struct Lease {
    pub(crate) connection: PoolConnection<Postgres>,
    _turn: OwnedSemaphorePermit,
    operation: &'static str,
    begun: Instant,
    finished: bool,
}

impl Lease {
    /// Returns the connection to the pool, if the work was finished in time.
    pub(crate) fn end<T>(mut self, answer: Result<Result<T, StoreError>, Elapsed>) -> Result<T, StoreError> {
        self.finished = answer.is_ok();
        let answer =
            answer.unwrap_or_else(|_elapsed| Err(StoreError::TimedOut(String::from("the deadline is over"))));
        metrics::worked(self.operation, self.begun.elapsed(), answer.is_ok());
        answer
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if !self.finished {
            self.connection.close_on_drop();
        }
    }
}

#[cfg(test)]
mod tests {
    use parlance_domain::id::ConversationId;

    use super::*;

    fn store() -> Store {
        let config = StoreConfig {
            // Port 1 on the loopback: refused at once.
            url: String::from("postgres://nobody@127.0.0.1:1/nothing"),
            name: "test",
            connections: 1,
            deadline: Duration::from_secs(2),
        };
        Store::open(&config).unwrap()
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_reached_is_unavailable() {
        let error = store().ping().await.unwrap_err();
        assert!(error.is_retryable(), "{error}");
    }

    #[tokio::test]
    async fn work_can_move_between_threads() {
        fn is_send<T: Send>(work: T) -> T {
            work
        }
        let (store, conversation) = (store(), ConversationId::new("c").unwrap());
        drop(is_send(store.heads(&conversation)));
        drop(is_send(store.flush_outbox(&conversation, async |_row| Ok::<(), StoreError>(()))));
    }
}
