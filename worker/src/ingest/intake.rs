//! Between readers and writers: a queue that is bounded in entries and in bytes, whose entries are gathered to
//! batches.

use std::{sync::Arc, time::Duration};

use parlance_broker::{
    ingest::{Delivery, Entry, StreamKind},
    partition::Partition,
};
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, timeout_at},
};

use super::held::{Held, Hold};
use crate::config::IngestSection;

/// An entry in this process. Dropping it lets go of it: the stream still has it, unless it was acknowledged.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) partition: Partition,
    pub(crate) stream: StreamKind,
    pub(crate) entry: Entry,
    at: Instant,
    _hold: Hold,
    _room: OwnedSemaphorePermit,
}

/// Where entries go in.
#[derive(Debug, Clone)]
pub(crate) struct Intake {
    queue: mpsc::Sender<Arrived>,
    room: Arc<Semaphore>,
    bytes: u32,
    held: Held,
}

/// The writers are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Closed;

impl Intake {
    /// Puts an entry in, waiting for room. One that is held already is passed over.
    pub(crate) async fn push(&self, partition: Partition, delivery: Delivery) -> Result<(), Closed> {
        let Delivery { stream, entry } = delivery;
        let Some(hold) = self.held.take(partition, stream, entry.id) else {
            return Ok(());
        };
        // An entry larger than the whole buffer takes all of it.
        let size = u32::try_from(entry.size()).unwrap_or(u32::MAX).clamp(1, self.bytes);
        let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| Closed)?;
        let arrived = Arrived { partition, stream, entry, at: Instant::now(), _hold: hold, _room: room };
        self.queue.send(arrived).await.map_err(|_| Closed)
    }
}

/// Where batches come out. Writers take turns in gathering; while one writes, the next gathers.
#[derive(Debug, Clone)]
pub(crate) struct Batches {
    queue: Arc<Mutex<mpsc::Receiver<Arrived>>>,
    entries: usize,
    bytes: u64,
    age: Duration,
}

impl Batches {
    /// The next batch, in no particular order; `None` when every [`Intake`] is gone and everything was taken out.
    pub(crate) async fn next(&self) -> Option<Vec<Arrived>> {
        let mut queue = self.queue.lock().await;
        let first = queue.recv().await?;
        let deadline = first.at + self.age;
        let mut bytes = first.entry.size();
        let mut batch = vec![first];
        while batch.len() < self.entries && bytes < self.bytes {
            // What is there already is taken even when the time is over.
            let Ok(Some(arrived)) = timeout_at(deadline, queue.recv()).await else { break };
            bytes += arrived.entry.size();
            batch.push(arrived);
        }
        Some(batch)
    }
}

/// Both ends, for entries that `held` is told of.
pub(crate) fn intake(settings: &IngestSection, held: Held) -> (Intake, Batches) {
    let (sender, receiver) = mpsc::channel(settings.buffer_entries);
    let intake = Intake {
        queue: sender,
        room: Arc::new(Semaphore::new(settings.buffer_bytes as usize)),
        bytes: settings.buffer_bytes,
        held,
    };
    let batches = Batches {
        queue: Arc::new(Mutex::new(receiver)),
        entries: settings.batch_entries,
        bytes: settings.batch_bytes,
        age: settings.batch_age,
    };
    (intake, batches)
}
