//! socketioxide's adapter, through which an event reaches every socket of every gateway, and the types that go with it.
//!
//! The adapters of the gateways speak with each other over channels of Redis. They do so through what the gateway has
//! already: commands through the broker, with its deadline, and channels through the one subscriber connection, which
//! is probed and subscribes to everything again after a break. That is what [`ClusterDriver`] is for.

use std::{
    collections::HashMap,
    convert::Infallible,
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use parlance_broker::{Broker, BrokerError, partition::Partition, subscriber::Subscriber};
use parlance_chassis::{backoff::Backoff, lifecycle};
use socketioxide::{SocketIo, SocketIoBuilder, adapter::Emitter, extract};
use socketioxide_redis::{
    CustomRedisAdapter, RedisAdapterConfig, RedisAdapterCtr,
    drivers::{ChanItem, Driver, MessageStream},
};
use tokio::sync::mpsc;

/// What every socket of a gateway hangs on.
pub type Adapter = CustomRedisAdapter<Emitter, ClusterDriver>;
/// Socket.IO with it.
pub type Io = SocketIo<Adapter>;
/// A socket of it.
pub type SocketRef = extract::SocketRef<Adapter>;
/// The way of an acknowledgement through the engine.
pub type AckSender = extract::AckSender<Adapter>;

/// How many publications may wait for one namespace.
const WAITING: usize = 256;

/// How adapters reach each other; cheap to clone.
#[derive(Clone)]
pub struct ClusterDriver(Arc<Inner>);

struct Inner {
    /// None when there is nobody else.
    link: Option<Link>,
    channels: RwLock<HashMap<String, mpsc::Sender<ChanItem>>>,
    /// How often everything was to be subscribed again; only the last time counts.
    resubscriptions: AtomicU64,
}

struct Link {
    broker: Broker,
    subscriber: Subscriber,
}

impl fmt::Debug for ClusterDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterDriver").field("alone", &self.0.link.is_none()).finish_non_exhaustive()
    }
}

impl ClusterDriver {
    /// Reaches all gateways with the broker's key prefix.
    pub fn new(broker: Broker, subscriber: Subscriber) -> Self {
        Self::with(Some(Link { broker, subscriber }))
    }

    /// Reaches nobody: there is this gateway only.
    pub fn alone() -> Self {
        Self::with(None)
    }

    fn with(link: Option<Link>) -> Self {
        let (channels, resubscriptions) = (RwLock::default(), AtomicU64::default());
        Self(Arc::new(Inner { link, channels, resubscriptions }))
    }

    /// Socket.IO whose adapters use this driver.
    pub fn builder(&self) -> SocketIoBuilder<Adapter> {
        let mut config = RedisAdapterConfig::new().with_stream_buffer(WAITING);
        if let Some(Link { broker, .. }) = &self.0.link {
            config = config
                .with_prefix(broker.keys().cluster_prefix())
                .with_request_timeout(broker.config().deadline);
        }
        let adapter = RedisAdapterCtr::new_with_driver(self.clone(), config);
        SocketIo::builder().with_adapter::<Adapter>(adapter)
    }

    /// Hands a publication to the namespace whose channel it came on; false when it was dropped, because too much waits.
    pub(crate) fn hand_on(&self, channel: String, payload: Vec<u8>) -> bool {
        let channels = self.0.channels.read().unwrap_or_else(PoisonError::into_inner);
        // One that is not there was unsubscribed a moment ago.
        channels.get(&channel).is_none_or(|to| to.try_send((channel, payload)).is_ok())
    }

    /// Subscribes again to the channels of `partition`, or to all, however long that takes.
    pub(crate) fn resubscribe(&self, partition: Option<Partition>, lifecycle: &lifecycle::Handle) {
        let channels = self.channels_of(partition);
        if channels.is_empty() {
            return;
        }
        let turn = self.0.resubscriptions.fetch_add(1, Ordering::Relaxed) + 1;
        let (driver, hard) = (self.clone(), lifecycle.hard());
        lifecycle.spawn_support("cluster subscriptions", async move {
            let all = join_all(channels.iter().map(|channel| driver.insist(channel, turn)));
            tokio::select! {
                () = hard.cancelled() => {}
                _ = all => {}
            }
            Ok::<(), Infallible>(())
        });
    }

    fn channels_of(&self, partition: Option<Partition>) -> Vec<String> {
        let Some(Link { broker, .. }) = &self.0.link else {
            return Vec::new();
        };
        let wanted =
            |channel: &&String| partition.is_none() || broker.keys().cluster_partition(channel) == partition;
        let channels = self.0.channels.read().unwrap_or_else(PoisonError::into_inner);
        channels.keys().filter(wanted).cloned().collect()
    }

    async fn insist(&self, channel: &str, turn: u64) {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(1));
        while let Some(Link { subscriber, .. }) = &self.0.link
            && self.0.resubscriptions.load(Ordering::Relaxed) == turn
            && let Err(error) = subscriber.subscribe_cluster(channel).await
        {
            tracing::debug!(%error, channel, "failed to subscribe again");
            tokio::time::sleep(backoff.next_delay()).await;
        }
    }

    /// Nothing comes any more: the tasks of the adapters end.
    pub(crate) fn close(&self) {
        self.0.channels.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Driver for ClusterDriver {
    type Error = BrokerError;

    async fn publish(&self, channel: String, payload: Vec<u8>) -> Result<(), BrokerError> {
        match &self.0.link {
            Some(Link { broker, .. }) => broker.publish_to_cluster(&channel, payload).await,
            None => Ok(()),
        }
    }

    async fn subscribe(&self, channel: String, size: usize) -> Result<MessageStream<ChanItem>, BrokerError> {
        let Some(Link { subscriber, .. }) = &self.0.link else {
            return Ok(MessageStream::new_empty());
        };
        let (sender, items) = mpsc::channel(size);
        // Noted first: a break while the subscription is confirmed is followed by another one.
        self.0.channels.write().unwrap_or_else(PoisonError::into_inner).insert(channel.clone(), sender);
        subscriber.subscribe_cluster(&channel).await?;
        Ok(MessageStream::new(items))
    }

    async fn unsubscribe(&self, channel: String) -> Result<(), BrokerError> {
        self.0.channels.write().unwrap_or_else(PoisonError::into_inner).remove(&channel);
        match &self.0.link {
            Some(Link { subscriber, .. }) => subscriber.unsubscribe_cluster(&channel).await,
            None => Ok(()),
        }
    }

    async fn num_serv(&self, channel: &str) -> Result<u16, BrokerError> {
        match &self.0.link {
            Some(Link { broker, .. }) => broker.count_cluster(channel).await,
            None => Ok(1),
        }
    }
}
