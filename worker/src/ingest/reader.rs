//! Reading one partition's streams into the intake.

use std::{convert::Infallible, sync::Arc, time::Duration};

use parlance_broker::{
    BrokerError,
    ingest::{Consumer, Delivery},
};
use parlance_chassis::{backoff::Backoff, lifecycle::CancellationToken};

use super::intake::{Closed, Intake};

/// How long a read waits for entries; also how long a stop waits for a read.
pub(crate) const BLOCK: Duration = Duration::from_millis(500);

/// What a stop waits longer than that: an answer that is under way.
const ANSWER: Duration = Duration::from_millis(250);

/// How many bytes one read should bring.
const BYTES_A_READ: u64 = 2 * 1024 * 1024;

/// Reads one partition until it is told to stop.
#[derive(Debug)]
pub(crate) struct Reader {
    consumer: Arc<Consumer>,
    intake: Intake,
    pace: Pace,
    soft: CancellationToken,
}

impl Reader {
    /// A reader that asks for up to `most` entries at once.
    pub(crate) fn new(consumer: Arc<Consumer>, intake: Intake, most: usize, soft: CancellationToken) -> Self {
        Self { consumer, intake, pace: Pace::new(most as u64), soft }
    }

    /// Reads until the soft stop. What was delivered by then goes to the writers.
    pub(crate) async fn run(mut self) -> Result<(), Infallible> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        let mut failing = false;
        while !self.soft.is_cancelled() {
            let Some(answer) = self.read().await else { break };
            match answer {
                Ok(deliveries) => {
                    if std::mem::take(&mut failing) {
                        tracing::info!(partition = self.consumer.partition().0, "reading again");
                    }
                    backoff.reset();
                    self.pace.learn(&deliveries);
                    if self.intake.push(self.consumer.partition(), deliveries).await == Err(Closed) {
                        break;
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        tracing::warn!(partition = self.consumer.partition().0, %error, "cannot read, trying on");
                    }
                    tokio::select! {
                        () = tokio::time::sleep(backoff.next_delay()) => {}
                        () = self.soft.cancelled() => break,
                    }
                }
            }
        }
        Ok(())
    }

    /// One read. At a stop it is waited for, because what it delivers is this consumer's from then on; `None` when
    /// it does not come: Redis is away, and others will claim what it delivered.
    async fn read(&self) -> Option<Result<Vec<Delivery>, BrokerError>> {
        let too_late = async {
            self.soft.cancelled().await;
            tokio::time::sleep(BLOCK + ANSWER).await;
        };
        tokio::select! {
            answer = self.consumer.read(self.pace.entries) => Some(answer),
            () = too_late => None,
        }
    }
}

/// How many entries to ask for: Redis counts entries, memory is counted in bytes. Grows step by step, and shrinks at
/// once when entries are large.
#[derive(Debug)]
struct Pace {
    entries: u64,
    most: u64,
}

impl Pace {
    fn new(most: u64) -> Self {
        Self { entries: most.min(64), most }
    }

    fn learn(&mut self, deliveries: &[Delivery]) {
        let bytes: u64 = deliveries.iter().map(|delivery| delivery.entry.size()).sum();
        let Some(average) = bytes.checked_div(deliveries.len() as u64) else { return };
        let fitting = BYTES_A_READ / average.max(1);
        self.entries = fitting.min(self.entries * 4).clamp(1, self.most);
    }
}

#[cfg(test)]
mod tests {
    use parlance_broker::ingest::{Entry, EntryId, StreamKind};

    use super::*;

    fn deliveries(count: usize, bytes: usize) -> Vec<Delivery> {
        let entry = Entry {
            id: EntryId::default(),
            conversation: Default::default(),
            header: Default::default(),
            body: vec![0; bytes].into(),
        };
        vec![Delivery { stream: StreamKind::Ingest, entry }; count]
    }

    #[test]
    fn small_entries_are_asked_for_in_growing_numbers_and_large_ones_one_by_one() {
        let mut pace = Pace::new(1_000);
        let mut asked = vec![pace.entries];
        for (count, bytes) in
            [(64, 200), (256, 200), (1_000, 200), (10, 1 << 20), (1, 4 << 20), (0, 0), (1, 0)]
        {
            pace.learn(&deliveries(count, bytes));
            asked.push(pace.entries);
        }
        assert_eq!(asked, [64, 256, 1_000, 1_000, 2, 1, 1, 4]);
    }
}
