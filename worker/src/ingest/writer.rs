//! Writing batches: one transaction a batch, then the acknowledgement; never the other way round.

use std::{collections::BTreeMap, convert::Infallible, fmt, time::Duration};

use parlance_broker::{
    ingest::{Acknowledger, Persisted, StreamKind},
    partition::Partition,
};
use parlance_chassis::{
    backoff::Backoff,
    lifecycle::{CancellationToken, Handle},
};
use parlance_domain::{entry::Envelope, event::Event};
use parlance_store::{Store, StoreError};
use tokio::{sync::mpsc, time::Instant};

use super::{
    decode::{Fault, decode},
    intake::{Arrived, Batches},
    rows::Rows,
    upsert,
};
use crate::{dead_letter, metrics};

/// Writes batches until there are no more.
#[derive(Debug)]
pub(crate) struct Writer {
    batches: Batches,
    store: Store,
    acknowledger: Acknowledger,
    soft: CancellationToken,
    hard: CancellationToken,
    /// Dropped with the writer, which tells that it has ended.
    _finished: mpsc::Sender<()>,
}

/// The process stops and Postgres or Redis is away: what is not acknowledged is left to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct GaveUp;

/// An entry and what it says.
#[derive(Debug)]
struct Decoded {
    arrived: Arrived,
    envelope: Envelope,
}

impl Writer {
    /// A writer that takes its batches from `batches`.
    pub(crate) fn new(
        batches: Batches,
        store: Store,
        acknowledger: Acknowledger,
        lifecycle: &Handle,
        finished: mpsc::Sender<()>,
    ) -> Self {
        let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
        Self { batches, store, acknowledger, soft, hard, _finished: finished }
    }

    /// Writes until the readers have ended and everything they read is written.
    pub(crate) async fn run(self) -> Result<(), Infallible> {
        while let Some(batch) = self.batches.next().await {
            if self.persist(batch).await == Err(GaveUp) {
                tracing::warn!(
                    "stopping with entries that are not written: other workers will take them over"
                );
                break;
            }
        }
        Ok(())
    }

    async fn persist(&self, batch: Vec<Arrived>) -> Result<(), GaveUp> {
        let mut good = Vec::with_capacity(batch.len());
        for arrived in batch {
            match decode(arrived.stream, &arrived.entry) {
                Ok(envelope) => good.push(Decoded { arrived, envelope }),
                Err(fault) => self.park(&arrived, &fault).await?,
            }
        }
        let mut pieces = vec![good];
        while let Some(mut piece) = pieces.pop() {
            let Err(fault) = self.commit(&piece).await? else {
                self.acknowledge(piece.iter().map(Decoded::persisted)).await?;
                continue;
            };
            if let [bad] = piece.as_slice() {
                self.park(&bad.arrived, &fault).await?;
                continue;
            }
            // Somewhere in it is an entry that Postgres does not take: halves, until it is alone.
            pieces.push(piece.split_off(piece.len() / 2));
            pieces.push(piece);
        }
        Ok(())
    }

    /// Writes a piece of a batch in one transaction. The inner error is the fault of an entry in it.
    async fn commit(&self, piece: &[Decoded]) -> Result<Result<(), Fault>, GaveUp> {
        if piece.is_empty() {
            return Ok(Ok(()));
        }
        let rows = Rows::fold(piece.iter().map(|decoded| &decoded.envelope));
        let mut patience = Patience::new("write", &self.soft);
        loop {
            let begun = Instant::now();
            let written =
                self.store.transaction(async |connection| upsert::write(connection, &rows).await).await;
            if written.is_ok() {
                metrics::histogram(&metrics::COMMIT_SECONDS).record(begun.elapsed().as_secs_f64());
                metrics::histogram(&metrics::BATCH_ENTRIES).record(piece.len() as f64);
            }
            if let Some(verdict) = patience.judge(written).await? {
                return Ok(verdict);
            }
        }
    }

    /// Parks an entry as a dead letter, which takes it out of its stream like one that is written.
    async fn park(&self, arrived: &Arrived, fault: &Fault) -> Result<(), GaveUp> {
        let Arrived { partition, stream, entry, .. } = arrived;
        let mut patience = Patience::new("park", &self.soft);
        let parked = loop {
            let parked = dead_letter::park(&self.store, *partition, *stream, entry, fault).await;
            if let Some(verdict) = patience.judge(parked).await? {
                break verdict;
            }
        };
        if let Err(fault) = parked {
            // Not even its bytes can be stored. It stays pending, where operators see it.
            tracing::error!(partition = partition.0, stream = stream.as_str(), id = %entry.id, reason = fault.reason,
                "cannot park an entry");
            return Ok(());
        }
        tracing::error!(partition = partition.0, stream = stream.as_str(), id = %entry.id, reason = fault.reason,
            sqlstate = fault.sqlstate, "parked an entry that cannot be written: see `worker dead-letters list`");
        metrics::counter(&metrics::DEAD_LETTERS).increment(1);
        self.acknowledge([arrived.persisted()]).await
    }

    async fn acknowledge(
        &self,
        persisted: impl IntoIterator<Item = (Partition, StreamKind, Persisted)>,
    ) -> Result<(), GaveUp> {
        let mut streams: BTreeMap<(Partition, StreamKind), Vec<Persisted>> = BTreeMap::new();
        for (partition, stream, persisted) in persisted {
            streams.entry((partition, stream)).or_default().push(persisted);
        }
        for ((partition, stream), entries) in streams {
            let mut patience = Patience::new("acknowledge", &self.hard);
            let acknowledged = loop {
                match self.acknowledger.acknowledge(partition, stream, &entries).await {
                    Ok(acknowledged) => break acknowledged,
                    Err(error) => patience.wait(&error, error.is_retryable()).await?,
                }
            };
            patience.succeeded();
            metrics::counter_of(&metrics::PERSISTED, stream.as_str()).increment(acknowledged.entries);
        }
        Ok(())
    }
}

impl Arrived {
    fn persisted(&self) -> (Partition, StreamKind, Persisted) {
        let persisted = Persisted { id: self.entry.id, size: self.entry.size(), object: None };
        (self.partition, self.stream, persisted)
    }
}

impl Decoded {
    fn persisted(&self) -> (Partition, StreamKind, Persisted) {
        let (partition, stream, mut persisted) = self.arrived.persisted();
        if let Event::MessageCreated(message) = &self.envelope.event {
            persisted.object = Some((message.body.id, message.version));
        }
        (partition, stream, persisted)
    }
}

/// Tries again and again, ever more slowly, and says so once.
struct Patience<'a> {
    what: &'static str,
    until: &'a CancellationToken,
    backoff: Backoff,
    failures: u64,
}

impl<'a> Patience<'a> {
    fn new(what: &'static str, until: &'a CancellationToken) -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        Self { what, until, backoff, failures: 0 }
    }

    /// What came of an attempt to write: done, or the fault of an entry; `None` after a while when neither is so and
    /// it should be tried again, however long Postgres is away.
    async fn judge(&mut self, attempt: Result<(), StoreError>) -> Result<Option<Result<(), Fault>>, GaveUp> {
        match attempt {
            Ok(()) => {
                self.succeeded();
                Ok(Some(Ok(())))
            }
            Err(StoreError::Data { sqlstate, message }) => {
                Ok(Some(Err(Fault { reason: message, sqlstate: Some(sqlstate) })))
            }
            Err(error) => {
                metrics::counter(&metrics::RETRIES).increment(1);
                self.wait(&error, error.is_retryable()).await?;
                Ok(None)
            }
        }
    }

    async fn wait(&mut self, error: &impl fmt::Display, passes: bool) -> Result<(), GaveUp> {
        self.failures += 1;
        match (self.failures, passes) {
            (1, true) => tracing::warn!(what = self.what, %error, "failed, trying on"),
            (1, false) => {
                tracing::error!(what = self.what, %error, "failed, somebody has to look at it; trying on")
            }
            _ => tracing::debug!(what = self.what, %error, failures = self.failures, "failed again"),
        }
        tokio::select! {
            biased;
            () = self.until.cancelled() => Err(GaveUp),
            () = tokio::time::sleep(self.backoff.next_delay()) => Ok(()),
        }
    }

    fn succeeded(&self) {
        if self.failures > 0 {
            tracing::info!(what = self.what, failures = self.failures, "succeeded again");
        }
    }
}
