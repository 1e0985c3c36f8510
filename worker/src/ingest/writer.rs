//! Writing batches: one transaction a batch, then the acknowledgement; never the other way round.

use std::{collections::BTreeMap, convert::Infallible};

use parlance_broker::{
    ingest::{Acknowledger, Persisted, StreamKind},
    objects::ObjectId,
    partition::Partition,
};
use parlance_chassis::{
    lifecycle::{CancellationToken, Handle},
    traces::{Span, SpanKind, Traces},
};
use parlance_domain::{entry::Envelope, event::Event, trace::TraceParent};
use parlance_store::{Store, StoreError};
use tokio::{sync::mpsc, time::Instant};

use super::{
    decode::{Fault, decode},
    intake::{Arrived, Batches},
    patience::{Attempt, GaveUp, Patience},
    rows::Rows,
    upsert,
};
use crate::{dead_letter, metrics};

/// From how many entries on a transaction that takes too long is divided.
const DIVISIBLE: usize = 64;

/// Writes batches until there are no more.
#[derive(Debug)]
pub(crate) struct Writer {
    batches: Batches,
    store: Store,
    acknowledger: Acknowledger,
    traces: Traces,
    soft: CancellationToken,
    hard: CancellationToken,
    /// Dropped with the writer, which tells that it has ended.
    _finished: mpsc::Sender<()>,
}

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
        traces: Traces,
        lifecycle: &Handle,
        finished: mpsc::Sender<()>,
    ) -> Self {
        let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
        Self { batches, store, acknowledger, traces, soft, hard, _finished: finished }
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
            match (self.commit(&piece).await?, piece.as_slice()) {
                (Attempt::Done, _) => self.acknowledge(piece.iter().map(Decoded::persisted)).await?,
                (Attempt::Refused(fault), [bad]) => self.park(&bad.arrived, &fault).await?,
                // Somewhere in it is an entry that Postgres does not take: halves, until it is alone. Or it is too
                // much at once.
                (Attempt::Refused(_) | Attempt::TooSlow, _) => {
                    pieces.push(piece.split_off(piece.len() / 2));
                    pieces.push(piece);
                }
            }
        }
        Ok(())
    }

    /// Writes a piece of a batch.
    async fn commit(&self, piece: &[Decoded]) -> Result<Attempt, GaveUp> {
        if piece.is_empty() {
            return Ok(Attempt::Done);
        }
        let mut spans = self.spans(piece);
        let rows = Rows::fold(piece.iter().map(|decoded| &decoded.envelope));
        let mut patience = Patience::new("write", &self.soft);
        loop {
            let begun = Instant::now();
            let written = self.write(&rows).await;
            if written.is_ok() {
                metrics::histogram(&metrics::COMMIT_SECONDS).record(begun.elapsed().as_secs_f64());
                metrics::histogram(&metrics::BATCH_ENTRIES).record(piece.len() as f64);
            }
            match patience.judge(written).await? {
                Some(Attempt::TooSlow) if piece.len() < DIVISIBLE => {}
                Some(attempt) => {
                    if !matches!(attempt, Attempt::Done) {
                        spans.iter_mut().for_each(|span| span.fail("refused"));
                    }
                    return Ok(attempt);
                }
                None => {}
            }
        }
    }

    /// Those of the entries whose commands are traced, from now until they are written.
    fn spans(&self, piece: &[Decoded]) -> Vec<Span> {
        let begin = |decoded: &Decoded| {
            let trace = decoded.envelope.header.trace.as_ref()?;
            let mut span = self.traces.resume("store", SpanKind::Consumer, Some(TraceParent::as_str(trace)));
            span.set("parlance.partition", i64::from(decoded.arrived.partition.0));
            span.set("parlance.batch_entries", i64::try_from(piece.len()).unwrap_or(i64::MAX));
            Some(span)
        };
        piece.iter().filter_map(begin).collect()
    }

    /// Writes rows in one transaction, and takes away what they deleted in as many as that needs.
    async fn write(&self, rows: &Rows<'_>) -> Result<(), StoreError> {
        self.store
            .transaction("write_batch", async |connection| upsert::write(connection, rows).await)
            .await?;
        while self
            .store
            .transaction("purge", async |connection| upsert::purge(connection, rows).await)
            .await?
        {}
        Ok(())
    }

    /// Parks an entry as a dead letter, which takes it out of its stream like one that is written.
    async fn park(&self, arrived: &Arrived, fault: &Fault) -> Result<(), GaveUp> {
        let Arrived { partition, stream, entry, .. } = arrived;
        let mut patience = Patience::new("park", &self.soft);
        let attempt = loop {
            let parked = dead_letter::park(&self.store, *partition, *stream, entry, fault).await;
            match patience.judge(parked).await? {
                Some(Attempt::TooSlow) | None => {}
                Some(attempt) => break attempt,
            }
        };
        let (partition, stream, id) = (partition.0, stream.as_str(), entry.id);
        if let Attempt::Refused(refusal) = attempt {
            // Not even its bytes can be stored. It stays pending, where operators see it.
            tracing::error!(partition, stream, %id, reason = refusal.reason, "cannot park an entry");
            return Ok(());
        }
        let Fault { reason, sqlstate } = fault;
        tracing::error!(partition, stream, %id, reason, sqlstate,
            "parked an entry that cannot be written: see `worker dead-letters list`");
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
        persisted.object = object(&self.envelope.event).map(|id| (id, self.envelope.header.version));
        (partition, stream, persisted)
    }
}

/// Whose object the event made or changed.
fn object(event: &Event) -> Option<ObjectId> {
    match event {
        Event::ReactionUpdated(update) => Some(update.message.into()),
        Event::CallStarted(call) | Event::CallAnswered(call) | Event::CallEnded(call) => Some(call.id.into()),
        _ => event.message().map(|message| message.body.id.into()),
    }
}
