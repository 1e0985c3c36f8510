//! The receiving task: takes what the subscriber connection brings and hands it to those whom it is for.

use std::{convert::Infallible, sync::Arc};

use parlance_broker::subscriber::{Inbox, Incoming};
use parlance_chassis::lifecycle::CancellationToken;

use super::{Fanout, probe::Pulse};
use crate::{socket::cluster::ClusterDriver, users::Users};

/// For whom publications are.
#[derive(Clone)]
pub(super) struct Receivers {
    pub(super) fanout: Fanout,
    pub(super) users: Users,
    pub(super) cluster: ClusterDriver,
}

/// Runs until `hard`. Nothing in here waits for a conversation or a user.
pub(super) async fn run(
    receivers: Receivers,
    mut inbox: Inbox,
    pulse: Arc<Pulse>,
    hard: CancellationToken,
) -> Result<(), Infallible> {
    let Receivers { fanout, users, cluster } = receivers;
    let lagged = metrics::counter!(crate::metrics::SUBSCRIBER_LAGS.name);
    loop {
        let incoming = tokio::select! {
            () = hard.cancelled() => {
                cluster.close();
                return Ok(());
            }
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
            Incoming::PublishedToUser { user, partition, payload } => {
                pulse.beat(partition);
                if !users.publish(user, payload) {
                    tracing::warn!("an event for a user was dropped: too many wait to be handed on");
                    lagged.increment(1);
                    pulse.request_users();
                }
            }
            Incoming::PublishedToCluster { channel, partition, payload } => {
                pulse.beat(partition);
                if !cluster.hand_on(channel, payload) {
                    tracing::warn!("an event for everyone was dropped: too many wait to be handed on");
                    lagged.increment(1);
                }
            }
            Incoming::Presence { partition, payload } => {
                pulse.beat(partition);
                users.announce(&payload);
            }
            Incoming::Probe { partition, .. } => pulse.beat(partition),
            Incoming::Lagged(count) => {
                tracing::warn!(count, "publications were dropped before they were dispatched");
                lagged.increment(1);
                pulse.request_compare();
                pulse.request_users();
            }
            Incoming::Reconnected => {
                tracing::info!("the subscriber connection is new: subscribing to everything");
                pulse.request_resubscribe();
            }
            Incoming::Closed => {
                cluster.close();
                return Ok(());
            }
        }
    }
}
