//! The receiving task: takes what the subscriber connection brings and hands it to the dispatch workers.

use std::{convert::Infallible, sync::Arc};

use parlance_broker::subscriber::{Inbox, Incoming};
use parlance_chassis::lifecycle::CancellationToken;

use super::{Fanout, probe::Pulse};

/// Runs until `hard`. Nothing in here waits for a conversation.
pub(super) async fn run(
    fanout: Fanout,
    mut inbox: Inbox,
    pulse: Arc<Pulse>,
    hard: CancellationToken,
) -> Result<(), Infallible> {
    let lagged = metrics::counter!(crate::metrics::SUBSCRIBER_LAGS.name);
    loop {
        let incoming = tokio::select! {
            () = hard.cancelled() => return Ok(()),
            incoming = inbox.next() => incoming,
        };
        match incoming {
            Incoming::Published { conversation, partition, payload } => {
                pulse.beat(partition);
                if !fanout.publish(conversation, payload) {
                    lagged.increment(1);
                    pulse.request_compare();
                }
            }
            Incoming::Probe { partition, .. } => pulse.beat(partition),
            Incoming::Lagged(count) => {
                tracing::warn!(count, "publications were dropped before they were dispatched");
                lagged.increment(1);
                pulse.request_compare();
            }
            Incoming::Reconnected => {
                tracing::info!("the subscriber connection is new: subscribing to everything");
                pulse.request_resubscribe();
            }
            Incoming::Closed => return Ok(()),
        }
    }
}
