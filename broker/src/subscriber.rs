//! The one connection of a gateway that receives: events of conversations and of users, what other gateways' Socket.IO
//! adapters say, and probes.
//!
//! Each channel is subscribed by a command of its own, many in flight: a batched `SSUBSCRIBE` is confirmed by
//! the client library on its first push, while the rest is not live yet. After a break nothing is subscribed
//! again behind the gateway's back: it hears [`Incoming::Reconnected`] and does it, so that it can also find
//! what it missed.

use fred::{
    clients::Client,
    interfaces::{ClientLike, EventInterface, PubsubInterface},
    types::{Message, config::Server},
};
use parlance_domain::id::{ConversationId, UserId};
use tokio::sync::broadcast::{Receiver, error::RecvError};

use crate::{
    broker::{Broker, builder},
    error::BrokerError,
    keys::Keys,
    metrics::begin,
    partition::Partition,
};

/// How many publications may wait for the receiving task, which only hands them on.
const CAPACITY: usize = 16 * 1024;

/// The subscribing side; cheap to clone.
#[derive(Debug, Clone)]
pub struct Subscriber {
    client: Client,
    keys: Keys,
}

/// The receiving side.
#[derive(Debug)]
pub struct Inbox {
    messages: Receiver<Message>,
    reconnects: Receiver<Server>,
    keys: Keys,
}

/// What the connection brings.
#[derive(Debug)]
pub enum Incoming {
    /// A publication on a conversation's channel: header, newline, body.
    Published {
        /// Whose channel.
        conversation: ConversationId,
        /// The partition of the channel.
        partition: Partition,
        /// The publication.
        payload: String,
    },
    /// A publication on a user's channel.
    PublishedToUser {
        /// Whose channel.
        user: UserId,
        /// The partition of the channel.
        partition: Partition,
        /// The publication.
        payload: String,
    },
    /// What another gateway's Socket.IO adapter says.
    PublishedToCluster {
        /// On which channel.
        channel: String,
        /// The partition of the channel.
        partition: Partition,
        /// The publication.
        payload: Vec<u8>,
    },
    /// A publication on a partition's presence channel: an [`Announcement`](crate::presence::Announcement) as JSON.
    Presence {
        /// The partition.
        partition: Partition,
        /// The publication.
        payload: String,
    },
    /// A probe came back.
    Probe {
        /// The partition it was for.
        partition: Partition,
        /// What it was marked with.
        mark: String,
    },
    /// Publications were dropped because the receiving task was too slow; nobody knows whose.
    Lagged(u64),
    /// The connection was broken and is back; nothing is subscribed.
    Reconnected,
    /// The connection has ended for good.
    Closed,
}

impl Subscriber {
    /// Connects.
    ///
    /// # Errors
    /// When Redis cannot be reached now.
    pub async fn connect(broker: &Broker) -> Result<(Self, Inbox), BrokerError> {
        let client = builder(broker.config(), broker.config().deadline)?
            .with_performance_config(|performance| {
                performance.broadcast_channel_capacity = CAPACITY;
                performance.default_command_timeout = broker.config().deadline;
            })
            .build()?;
        let keys = broker.keys().clone();
        let messages = client.message_rx();
        client.init().await?;
        // Only now: the first connection is announced like those after a break.
        let inbox = Inbox { messages, reconnects: client.reconnect_rx(), keys: keys.clone() };
        Ok((Self { client, keys }, inbox))
    }

    /// Subscribes to a conversation; confirmed when it returns.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn subscribe(&self, id: &ConversationId) -> Result<(), BrokerError> {
        Ok(begin("subscribe").end(self.client.ssubscribe(self.keys.channel(id)).await)?)
    }

    /// Ends a subscription.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn unsubscribe(&self, id: &ConversationId) -> Result<(), BrokerError> {
        Ok(begin("unsubscribe").end(self.client.sunsubscribe(self.keys.channel(id)).await)?)
    }

    /// Subscribes to a user's channel; confirmed when it returns.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn subscribe_user(&self, id: &UserId) -> Result<(), BrokerError> {
        Ok(begin("subscribe").end(self.client.ssubscribe(self.keys.user_channel(id)).await)?)
    }

    /// Ends such a subscription.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn unsubscribe_user(&self, id: &UserId) -> Result<(), BrokerError> {
        Ok(begin("unsubscribe").end(self.client.sunsubscribe(self.keys.user_channel(id)).await)?)
    }

    /// Subscribes to a channel of the Socket.IO adapters; confirmed when it returns.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn subscribe_cluster(&self, channel: &str) -> Result<(), BrokerError> {
        Ok(begin("subscribe").end(self.client.ssubscribe(channel).await)?)
    }

    /// Ends such a subscription.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn unsubscribe_cluster(&self, channel: &str) -> Result<(), BrokerError> {
        Ok(begin("unsubscribe").end(self.client.sunsubscribe(channel).await)?)
    }

    /// Subscribes to a partition's probes.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn subscribe_probe(&self, partition: Partition) -> Result<(), BrokerError> {
        Ok(begin("subscribe").end(self.client.ssubscribe(self.keys.probe(partition)).await)?)
    }

    /// Subscribes to what is published of the presence of a partition's users; confirmed when it returns.
    ///
    /// # Errors
    /// When Redis is away.
    pub async fn subscribe_presence(&self, partition: Partition) -> Result<(), BrokerError> {
        Ok(begin("subscribe").end(self.client.ssubscribe(self.keys.presence_channel(partition)).await)?)
    }

    /// Breaks the connection and makes a new one; [`Incoming::Reconnected`] follows.
    ///
    /// # Errors
    /// When there is nothing to break.
    pub async fn replace(&self) -> Result<(), BrokerError> {
        Ok(self.client.force_reconnection().await?)
    }

    /// Ends the connection.
    pub async fn close(&self) {
        if let Err(error) = self.client.quit().await {
            tracing::debug!(%error, "subscriber connection did not end cleanly");
        }
    }
}

impl Inbox {
    /// Waits for what comes next. Cancel-safe.
    pub async fn next(&mut self) -> Incoming {
        loop {
            // A reconnection is looked at first: what arrives after it was subscribed after it.
            tokio::select! {
                biased;
                server = self.reconnects.recv() => match server {
                    Ok(_) | Err(RecvError::Lagged(_)) => return Incoming::Reconnected,
                    Err(RecvError::Closed) => return Incoming::Closed,
                },
                message = self.messages.recv() => match message {
                    Ok(message) => {
                        if let Some(incoming) = self.read(&message) {
                            return incoming;
                        }
                    }
                    Err(RecvError::Lagged(count)) => return Incoming::Lagged(count),
                    Err(RecvError::Closed) => return Incoming::Closed,
                },
            }
        }
    }

    fn read(&self, message: &Message) -> Option<Incoming> {
        if let Some(partition) = self.keys.cluster_partition(&message.channel) {
            let (channel, payload) = (message.channel.to_string(), message.value.as_bytes()?.to_vec());
            return Some(Incoming::PublishedToCluster { channel, partition, payload });
        }
        let payload = message.value.as_string()?;
        if let Some(id) = self.keys.conversation_of(&message.channel) {
            let conversation = ConversationId::new(id).ok()?;
            let partition = self.keys.partitions().of(id);
            return Some(Incoming::Published { conversation, partition, payload });
        }
        if let Some(id) = self.keys.user_of(&message.channel) {
            let user = UserId::new(id).ok()?;
            let partition = self.keys.partitions().of(id);
            return Some(Incoming::PublishedToUser { user, partition, payload });
        }
        if let Some(partition) = self.keys.presence_partition(&message.channel) {
            return Some(Incoming::Presence { partition, payload });
        }
        let partition = self.keys.probed_partition(&message.channel)?;
        Some(Incoming::Probe { partition, mark: payload })
    }
}
