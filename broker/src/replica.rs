//! Waiting until a replica has what was written: the acknowledgement level `replica`.
//!
//! Replication is one ordered stream, so a replica that has something has everything before it: one `WAIT` serves all
//! who wait at its start. Those who come while it is under way share the next one.
//!
//! `WAIT` alone proves little: on a connection that was made anew it may answer at once, and after a failover it speaks
//! of another history than the one that was written to. So a *round* is, in one pipeline, on a connection of its own,
//! `INFO replication`, the write of a mark (`WAIT` waits for what its own connection wrote), `WAIT`, and
//! `INFO replication` again. The first reading comes after every write that it is asked for was answered; when in the
//! second one the same history has a replica that acknowledged the first one's offset, that replica has them all,
//! whatever became of the connection in between. `WAIT` only makes the waiting cheap.

mod proof;

use std::{
    collections::{HashMap, HashSet},
    future::Future,
    sync::Arc,
    time::Duration,
};

use fred::{
    clients::Client,
    interfaces::{ClientLike, KeysInterface, ServerInterface},
    types::{ClusterHash, Expiration, InfoKind, Value, config::Options},
    util::redis_keyslot,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot},
    time::{Instant, timeout},
};

pub use self::proof::History;
use self::proof::{Replication, Verdict, judge};
use crate::{broker::Broker, error::BrokerError, keys::Keys, partition::Partition};

/// How often a round is begun anew when its `WAIT` came back without a replica that has the mark and without having
/// waited, which a broken connection explains.
const ATTEMPTS: u32 = 3;
/// How long the end of the connection may take.
const CLOSING: Duration = Duration::from_millis(500);
/// How long a mark stays, in seconds. Nobody reads it.
const MARK_TTL: i64 = 60;

/// Where a write is: in which partition, and in which primary's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub(crate) partition: Partition,
    pub(crate) history: History,
}

/// Why it is not known that a replica has a write. It stays where it is; the command may be repeated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unconfirmed {
    /// No replica acknowledged it in time: there is none, or it lags.
    #[error("no replica acknowledged it within {0:?}")]
    Late(Duration),
    /// The primary restarted or another one took its place since, and the write may be gone.
    #[error("redis restarted or failed over since it was written")]
    OtherHistory,
    /// As many wait as may.
    #[error("too many wait for a replica")]
    Overloaded,
    /// Redis cannot be asked.
    #[error("redis cannot be asked: {0}")]
    Unreachable(String),
}

impl From<fred::error::Error> for Unconfirmed {
    fn from(error: fred::error::Error) -> Self {
        Unconfirmed::Unreachable(BrokerError::from(error).to_string())
    }
}

/// A handle on the task that waits for replicas; cheap to clone.
#[derive(Debug, Clone)]
pub struct ReplicaGate {
    requests: mpsc::Sender<Request>,
    /// A permit for each request that is not answered yet.
    places: Arc<Semaphore>,
    most_waiting: usize,
    patience: Duration,
}

/// The task that waits for replicas, not started yet.
#[derive(Debug)]
pub struct Rounds {
    asker: Asker,
    requests: mpsc::Receiver<Request>,
}

#[derive(Debug)]
struct Request {
    written: Written,
    answer: oneshot::Sender<Result<(), Unconfirmed>>,
    _place: OwnedSemaphorePermit,
}

impl ReplicaGate {
    /// Connects. Up to `most_waiting` writes, at least one, may wait at the same time, each for as long as a command may
    /// take. Nothing is confirmed before [`Rounds::run`] runs.
    ///
    /// # Errors
    /// When Redis cannot be reached now.
    pub async fn connect(broker: &Broker, most_waiting: usize) -> Result<(Self, Rounds), BrokerError> {
        let patience = broker.config().deadline;
        // A round may stand behind one of another history on the same connection.
        let client = broker.connect_blocking(patience * 2).await?;
        let most_waiting = most_waiting.clamp(1, Semaphore::MAX_PERMITS);
        let (requests, received) = mpsc::channel(most_waiting);
        let asker = Asker { client, keys: broker.keys().clone(), patience };
        let places = Arc::new(Semaphore::new(most_waiting));
        let gate = Self { requests, places, most_waiting, patience };
        Ok((gate, Rounds { asker, requests: received }))
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.most_waiting.saturating_sub(self.places.available_permits())
    }

    /// Waits until at least one replica has a write that was answered.
    ///
    /// # Errors
    /// See [`Unconfirmed`]; within the time that a command may take.
    pub async fn confirm(&self, written: Written) -> Result<(), Unconfirmed> {
        let ended = || Unconfirmed::Unreachable(String::from("this process is stopping"));
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Unconfirmed::Overloaded)?;
        let (answer, answered) = oneshot::channel();
        // The queue has room for everybody who has a place.
        self.requests.try_send(Request { written, answer, _place: place }).map_err(|_| ended())?;
        match timeout(self.patience, answered).await {
            Ok(outcome) => outcome.unwrap_or_else(|_| Err(ended())),
            Err(_) => Err(Unconfirmed::Late(self.patience)),
        }
    }
}

impl Rounds {
    /// Confirms what is asked for until `ended`, or until no gate is left.
    pub async fn run(self, ended: impl Future<Output = ()>) {
        let Self { asker, requests } = self;
        tokio::select! {
            () = ended => {}
            () = serve(&asker, requests) => {}
        }
        asker.close().await;
    }
}

/// Each history, which on a cluster is a node, has one round at a time; histories do not wait for each other.
async fn serve(asker: &Asker, mut requests: mpsc::Receiver<Request>) {
    let mut received = Vec::new();
    let mut waiting: HashMap<History, Vec<Request>> = HashMap::new();
    let mut busy: HashSet<History> = HashSet::new();
    let mut rounds = FuturesUnordered::new();
    loop {
        tokio::select! {
            count = requests.recv_many(&mut received, usize::MAX) => if count == 0 {
                return;
            },
            Some(history) = rounds.next() => {
                busy.remove(&history);
            }
        }
        for request in received.drain(..) {
            waiting.entry(request.written.history.clone()).or_default().push(request);
        }
        for (history, group) in waiting.extract_if(|history, _| busy.insert(history.clone())) {
            rounds.push(asker.round(history, group));
        }
    }
}

/// Asks Redis what replicas have.
#[derive(Debug)]
struct Asker {
    client: Client,
    keys: Keys,
    patience: Duration,
}

impl Asker {
    /// Ends the connection, which may be in the middle of a `WAIT`.
    async fn close(&self) {
        if !matches!(timeout(CLOSING, self.client.quit()).await, Ok(Ok(()))) {
            tracing::debug!("the connection that waits for replicas did not end cleanly");
        }
    }

    /// Answers a group of requests of one history, which it returns.
    async fn round(&self, history: History, mut group: Vec<Request>) -> History {
        // Who gave up has been answered.
        group.retain(|request| !request.answer.is_closed());
        // On a cluster, after this partition moved to another node, those that did not move are refused with it;
        // they are repeated like the others.
        let Some(partition) = group.first().map(|request| request.written.partition) else {
            return history;
        };
        let outcome = self.confirm(&history, partition).await;
        if let Err(reason) = &outcome {
            tracing::warn!(%reason, writes = group.len(), "replicas did not confirm writes");
        }
        for request in group {
            // Who asked may have given up.
            let _ = request.answer.send(outcome.clone());
        }
        history
    }

    /// Whether a replica has everything that `history` had at the start.
    async fn confirm(&self, history: &History, partition: Partition) -> Result<(), Unconfirmed> {
        let deadline = Instant::now() + self.patience;
        for _ in 0..ATTEMPTS {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            let (before, after) = self.ask(partition, left).await?;
            match judge(history, &before, &after) {
                Verdict::Confirmed => return Ok(()),
                Verdict::OtherHistory => return Err(Unconfirmed::OtherHistory),
                Verdict::NotYet => {}
            }
        }
        Err(Unconfirmed::Late(self.patience))
    }

    /// What the partition's primary says before a mark is written and after a replica should have it, within `left`.
    async fn ask(
        &self,
        partition: Partition,
        left: Duration,
    ) -> Result<(Replication, Replication), Unconfirmed> {
        let mark = self.keys.replica_mark(partition);
        // Only one of the commands has a key: all of them go where it goes.
        let slot = redis_keyslot(mark.as_bytes());
        let to_its_node = Options { cluster_hash: Some(ClusterHash::Custom(slot)), ..Options::default() };
        let pipeline = self.client.pipeline().with_options(&to_its_node);
        // Zero would wait without an end.
        let milliseconds = i64::try_from(left.as_millis()).unwrap_or(i64::MAX).max(1);
        let _: Value = pipeline.info(Some(InfoKind::Replication)).await?;
        let _: Value = pipeline.set(mark, "", Some(Expiration::EX(MARK_TTL)), None, false).await?;
        let _: Value = pipeline.wait(1, milliseconds).await?;
        let _: Value = pipeline.info(Some(InfoKind::Replication)).await?;
        let answers: Vec<Value> = pipeline.all().await?;
        let [before, _mark, _count, after] = answers.as_slice() else {
            return Err(Unconfirmed::Unreachable(format!("{} answers to 4 commands", answers.len())));
        };
        let read = |answer: &Value| Replication::parse(&answer.as_str().unwrap_or_default());
        Ok((read(before)?, read(after)?))
    }
}
