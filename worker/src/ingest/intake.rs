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
    /// Puts entries in, waiting for room. They are held at once, also those that wait; those that are held already
    /// are passed over.
    pub(crate) async fn push(
        &self,
        partition: Partition,
        deliveries: impl IntoIterator<Item = Delivery>,
    ) -> Result<(), Closed> {
        let hold = |delivery: Delivery| {
            let hold = self.held.take(partition, delivery.stream, delivery.entry.id)?;
            Some((delivery, hold))
        };
        let held: Vec<(Delivery, Hold)> = deliveries.into_iter().filter_map(hold).collect();
        for (Delivery { stream, entry }, hold) in held {
            // An entry larger than the whole buffer takes all of it.
            let size = u32::try_from(entry.size()).unwrap_or(u32::MAX).clamp(1, self.bytes);
            let room = Arc::clone(&self.room).acquire_many_owned(size).await.map_err(|_| Closed)?;
            let arrived = Arrived { partition, stream, entry, at: Instant::now(), _hold: hold, _room: room };
            self.queue.send(arrived).await.map_err(|_| Closed)?;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use parlance_broker::ingest::EntryId;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn settings(entries: usize, bytes: u64, age: Duration) -> IngestSection {
        IngestSection {
            batch_entries: entries,
            batch_bytes: bytes,
            batch_age: age,
            writers: 1,
            buffer_entries: 10,
            buffer_bytes: 1_000,
            claim_after: LONG,
        }
    }

    fn deliveries(ids: std::ops::Range<u64>, bytes: usize) -> Vec<Delivery> {
        let entry = |n| Entry {
            id: EntryId { ms: 1, n },
            conversation: Default::default(),
            header: Default::default(),
            body: vec![0; bytes].into(),
        };
        ids.map(|n| Delivery { stream: StreamKind::Ingest, entry: entry(n) }).collect()
    }

    #[tokio::test]
    async fn a_batch_ends_at_its_count_or_its_bytes() {
        let (intake, batches) = intake(&settings(3, 100, LONG), Held::default());
        intake.push(Partition(0), deliveries(0..3, 10)).await.unwrap();
        intake.push(Partition(0), deliveries(3..5, 60)).await.unwrap();
        assert_eq!(batches.next().await.unwrap().len(), 3);
        assert_eq!(batches.next().await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_batch_ends_when_its_first_entry_has_waited_long_enough() {
        let (intake, batches) = intake(&settings(100, 10_000, Duration::from_millis(20)), Held::default());
        intake.push(Partition(0), deliveries(0..2, 10)).await.unwrap();
        assert_eq!(batches.next().await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn what_was_put_in_comes_out_after_the_last_intake_is_gone() {
        let (intake, batches) = intake(&settings(2, 10_000, LONG), Held::default());
        intake.push(Partition(0), deliveries(0..3, 10)).await.unwrap();
        drop(intake);
        assert_eq!(batches.next().await.unwrap().len(), 2);
        assert_eq!(batches.next().await.unwrap().len(), 1);
        assert!(batches.next().await.is_none());
    }

    #[tokio::test]
    async fn bytes_are_bounded_until_a_batch_is_done_with_and_all_that_waits_is_held() {
        let held = Held::default();
        let (intake, batches) = intake(&settings(1, 10_000, LONG), held.clone());
        let mut waiting = Box::pin(intake.push(Partition(0), deliveries(0..3, 600)));
        let mut all_in = async || tokio::time::timeout(Duration::from_millis(50), &mut waiting).await.is_ok();
        assert!(!all_in().await, "two do not fit");
        assert_eq!(held.of(Partition(0), StreamKind::Ingest).len(), 3);
        let first = batches.next().await.unwrap();
        assert!(!all_in().await, "the first is still being written");
        drop(first);
        assert!(!all_in().await, "the second takes its room");
        drop(batches.next().await.unwrap());
        assert!(all_in().await);
        assert_eq!(held.of(Partition(0), StreamKind::Ingest).len(), 1);
    }

    #[tokio::test]
    async fn an_entry_that_is_held_already_is_passed_over() {
        let (intake, batches) = intake(&settings(10, 10_000, Duration::ZERO), Held::default());
        intake.push(Partition(0), deliveries(0..2, 10)).await.unwrap();
        intake.push(Partition(0), deliveries(1..3, 10)).await.unwrap();
        let batch = batches.next().await.unwrap();
        let ids: Vec<u64> = batch.iter().map(|arrived| arrived.entry.id.n).collect();
        assert_eq!(ids, [0, 1, 2]);
    }
}
