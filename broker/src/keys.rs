//! The one table of Redis keys and channels.
//!
//! | key | type | lives |
//! |---|---|---|
//! | `{tag}:conv:<id>` | hash: `epoch epoch_starts seq rev acl replid log_bytes`, and `deleted deleted_seq` | 30 days after all of it is persisted |
//! | `{tag}:log:<id>` | stream: the newest durable events, ids `<rev>-0` | 1 h after all of it is persisted |
//! | `{tag}:ingest` | stream, group `persist`: what the worker has to write | the worker deletes entries |
//! | `{tag}:ingest-size` | hash: `entries bytes` | as the stream |
//! | `{tag}:receipts`, `{tag}:receipts-size` | the same for cursors | the same |
//! | `{tag}:cursors:<id>` | hash: how far each user of a conversation has got, `u<user>`, and how far anybody has, `delivered read` | 1 h after the last receipt |
//! | `{tag}:persisted` | string: all ingest ids below it are in Postgres | owned by the worker |
//! | `{tag}:unsettled` | sorted set: conversations whose keys do not expire yet | the worker removes members |
//! | `{tag}:once:…` | string: the first reply to a command with a client id | 10 min |
//! | `{tag}:idempotency:<hash>` | string: a request that runs, or its answer | 60 s, or 24 h |
//! | `{tag}:obj:<message or call id>` | hash: `conv epoch rev state`, and `seq sender reactions deleted` or `at kind call` | 1 h after it is persisted |
//! | `{tag}:replica-mark` | string: written for replicas to confirm | 1 min |
//! | `{tag}:leases` | sorted set: leases, scored with when they expire | a worker removes expired ones |
//! | `{tag}:lease:<lease>` | set: what is registered under the lease, `u<user>` and `c<conversation>` | as the lease |
//! | `{tag}:sweep` | hash: `at not_before`, when workers looked for expired leases | twice the leases' time |
//! | `{tag}:presence:<user>` | hash: a user's sessions `s:<session>`, and `status shown connected at session d:<dialect>` | until it is announced that he is not connected |
//! | `{tag}:visits:<user>` | set: the conversations that are told of his presence | as the hash |
//! | `{tag}:presence-out` | sorted set: users whose presence is to be announced, scored with since when | until it is announced |
//! | `{tag}:online` | sorted set: users whom others see as not offline, all with the same score | while they are |
//! | `{tag}:hidden` | set: users who are connected and whom others see as offline | while they are |
//! | `{tag}:last-seen` | sorted set: users, scored with when they went offline | until it is in Postgres |
//! | `{tag}:members:<id>` | hash: each user in a conversation, and the leases under which he is | while anybody is |
//! | `{tag}:rooms` | set: conversations that somebody is in | while anybody is |
//! | `{tag}:gateways` (of the first partition) | hash: what each gateway said of itself, by its lease | as the lease |
//! | `{tag}:revoked:<user>` | string: tokens of the user that were issued before this moment are revoked, in ms | `auth.revocation_ttl`; for good without `auth.require_exp` |
//! | `layout` | string: the partitions, as the first process recorded them | for good |
//!
//! Channels: `{tag}:conv:<id>`, `{tag}:user:<id>`, `{tag}:presence` and `{tag}:probe`, and `{tag}:io-…` of the first partition. Every name
//! starts with the configured prefix.

use parlance_domain::id::{ClientId, ConversationId, UserId};

use crate::{
    lease::LeaseId,
    objects::ObjectId,
    partition::{Partition, Partitions},
};

/// The partition of the channels between Socket.IO adapters.
const CLUSTER_PARTITION: Partition = Partition(0);
/// The partition of what is one for all gateways.
const GATEWAYS_PARTITION: Partition = Partition(0);
/// What these channels begin with, after the tag.
const CLUSTER: &str = "io";
/// What the channels are called of which each partition has one.
const PRESENCE: &str = "presence";
const PROBE: &str = "probe";

/// Makes the names of keys and channels.
#[derive(Debug, Clone)]
pub struct Keys {
    prefix: Box<str>,
    partitions: Partitions,
}

impl Keys {
    /// Names under `prefix`, which must have no braces: the first pair in a key is its hash tag.
    pub fn new(prefix: &str, partitions: Partitions) -> Self {
        Self { prefix: prefix.into(), partitions }
    }

    /// The partitions that the names are spread over.
    pub fn partitions(&self) -> &Partitions {
        &self.partitions
    }

    fn of(&self, partition: Partition, rest: &str) -> String {
        format!("{}{{{}}}:{rest}", self.prefix, self.partitions.tag(partition))
    }

    /// The tag of a name, and what stands behind it.
    fn split<'a>(&self, name: &'a str) -> Option<(&'a str, &'a str)> {
        name.strip_prefix(&*self.prefix)?.strip_prefix('{')?.split_once("}:")
    }

    /// The partition whose channel of this kind it is.
    fn partition_of(&self, channel: &str, kind: &str) -> Option<Partition> {
        let (tag, rest) = self.split(channel)?;
        if rest == kind { self.partitions.with_tag(tag) } else { None }
    }

    fn of_conversation(&self, kind: &str, id: &ConversationId) -> String {
        self.of(self.partitions.of(id.as_str()), &format!("{kind}:{id}"))
    }

    fn of_user(&self, kind: &str, id: &UserId) -> String {
        self.of(self.partitions.of(id.as_str()), &format!("{kind}:{id}"))
    }

    /// The record of the partitions.
    pub fn layout(&self) -> String {
        format!("{}layout", self.prefix)
    }

    /// A conversation's state hash.
    pub fn state(&self, id: &ConversationId) -> String {
        self.of_conversation("conv", id)
    }

    /// A conversation's hot log.
    pub fn log(&self, id: &ConversationId) -> String {
        self.of_conversation("log", id)
    }

    /// A conversation's channel.
    pub fn channel(&self, id: &ConversationId) -> String {
        self.of_conversation("conv", id)
    }

    /// The conversation whose channel this is.
    pub fn conversation_of<'a>(&self, channel: &'a str) -> Option<&'a str> {
        let (_, rest) = self.split(channel)?;
        rest.strip_prefix("conv:")
    }

    /// A user's channel.
    pub fn user_channel(&self, id: &UserId) -> String {
        self.of_user("user", id)
    }

    /// Since when a user's tokens are in force.
    pub fn revoked(&self, id: &UserId) -> String {
        self.of(self.partitions.of(id.as_str()), &format!("revoked:{id}"))
    }

    /// The user whose channel this is.
    pub fn user_of<'a>(&self, channel: &'a str) -> Option<&'a str> {
        let (_, rest) = self.split(channel)?;
        rest.strip_prefix("user:")
    }

    /// What the channels start with on which the Socket.IO adapters of all gateways speak with each other. They are
    /// of the first partition, so that its probe tells whether they are heard.
    pub fn cluster_prefix(&self) -> String {
        self.of(CLUSTER_PARTITION, CLUSTER)
    }

    /// Whether this is such a channel, and the partition that it is of.
    pub fn cluster_partition(&self, channel: &str) -> Option<Partition> {
        let (_, rest) = self.split(channel)?;
        rest.strip_prefix(CLUSTER)?.starts_with('-').then_some(CLUSTER_PARTITION)
    }

    /// The channel of what happens to the presence of a partition's users.
    pub fn presence_channel(&self, partition: Partition) -> String {
        self.of(partition, PRESENCE)
    }

    /// The partition whose presence channel this is.
    pub fn presence_partition(&self, channel: &str) -> Option<Partition> {
        self.partition_of(channel, PRESENCE)
    }

    /// The leases, and when they expire.
    pub fn leases(&self, partition: Partition) -> String {
        self.of(partition, "leases")
    }

    /// What is registered under a lease in a partition.
    pub fn registrations(&self, partition: Partition, lease: &LeaseId) -> String {
        self.of(partition, &format!("lease:{}", lease.as_str()))
    }

    /// When workers looked for expired leases.
    pub fn sweep(&self, partition: Partition) -> String {
        self.of(partition, "sweep")
    }

    /// A user's sessions and presence.
    pub fn presence(&self, id: &UserId) -> String {
        self.of_user("presence", id)
    }

    /// The conversations that are told of a user's presence.
    pub fn visits(&self, id: &UserId) -> String {
        self.of_user("visits", id)
    }

    /// The users whose presence is to be announced.
    pub fn unannounced(&self, partition: Partition) -> String {
        self.of(partition, "presence-out")
    }

    /// The users whom others see as not offline.
    pub fn online(&self, partition: Partition) -> String {
        self.of(partition, "online")
    }

    /// The users who are connected, which others do not see.
    pub fn hidden(&self, partition: Partition) -> String {
        self.of(partition, "hidden")
    }

    /// When users went offline.
    pub fn last_seen(&self, partition: Partition) -> String {
        self.of(partition, "last-seen")
    }

    /// The users in a conversation.
    pub fn members(&self, id: &ConversationId) -> String {
        self.of_conversation("members", id)
    }

    /// The conversations that somebody is in.
    pub fn rooms(&self, partition: Partition) -> String {
        self.of(partition, "rooms")
    }

    /// The partition of [`Keys::gateways`].
    pub fn gateways_partition(&self) -> Partition {
        GATEWAYS_PARTITION
    }

    /// What each gateway said of itself.
    pub fn gateways(&self) -> String {
        self.of(GATEWAYS_PARTITION, "gateways")
    }

    /// The channel on which a partition's subscription is probed.
    pub fn probe(&self, partition: Partition) -> String {
        self.of(partition, PROBE)
    }

    /// The partition whose probe channel this is.
    pub fn probed_partition(&self, channel: &str) -> Option<Partition> {
        self.partition_of(channel, PROBE)
    }

    /// The ingest stream.
    pub fn ingest(&self, partition: Partition) -> String {
        self.of(partition, "ingest")
    }

    /// The entries and bytes in the ingest stream.
    pub fn ingest_size(&self, partition: Partition) -> String {
        self.of(partition, "ingest-size")
    }

    /// The stream of moved cursors.
    pub fn receipts(&self, partition: Partition) -> String {
        self.of(partition, "receipts")
    }

    /// The entries and bytes in the stream of moved cursors.
    pub fn receipts_size(&self, partition: Partition) -> String {
        self.of(partition, "receipts-size")
    }

    /// How far users have got in a conversation, when that is asked for.
    pub fn cursors(&self, id: &ConversationId) -> String {
        self.of_conversation("cursors", id)
    }

    /// The low-water mark of the ingest stream.
    pub fn persisted(&self, partition: Partition) -> String {
        self.of(partition, "persisted")
    }

    /// The conversations whose keys must not expire yet.
    pub fn unsettled(&self, partition: Partition) -> String {
        self.of(partition, "unsettled")
    }

    /// What is written so that there is something which a replica can confirm.
    pub fn replica_mark(&self, partition: Partition) -> String {
        self.of(partition, "replica-mark")
    }

    /// The object of a message or a call; `None` when the id carries a partition that there is not.
    pub fn object(&self, id: impl Into<ObjectId>) -> Option<String> {
        let id = id.into();
        Some(self.of(self.partitions.get(id.partition())?, &format!("obj:{id}")))
    }

    /// The idempotency key of a command. What comes from outside is prefixed with its length, so that no two
    /// commands share a key.
    pub fn once(&self, command: &str, conversation: &ConversationId, user: &UserId, id: &ClientId) -> String {
        let part = |text: &str| format!("{}:{text}", text.len());
        let rest = [command, conversation.as_str(), user.as_str(), id.as_str()].map(part).join(":");
        self.of(self.partitions.of(conversation.as_str()), &format!("once:{rest}"))
    }

    /// What is kept of the request with this name, which must be a hash: it stands in the key as it is.
    pub fn idempotency(&self, name: &str) -> String {
        self.of(self.partitions.of(name), &format!("idempotency:{name}"))
    }

    /// The idempotency key of an event from the outbox.
    pub fn once_outbox(&self, conversation: &ConversationId, row_id: i64) -> String {
        self.of(self.partitions.of(conversation.as_str()), &format!("once:outbox:{row_id}:{conversation}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::new("test:", Partitions::new(16))
    }

    #[test]
    fn a_channel_names_its_conversation_even_with_braces_in_the_id() {
        let keys = keys();
        for id in ["7", "a:b", "x}:conv:{y", "{z}"] {
            let id = ConversationId::new(id).unwrap();
            assert_eq!(keys.conversation_of(&keys.channel(&id)), Some(id.as_str()));
        }
        assert_eq!(keys.conversation_of(&keys.probe(Partition(0))), None);
    }

    #[test]
    fn a_user_s_and_an_adapter_s_channel_are_told_apart() {
        let keys = keys();
        let user = UserId::new("}:conv:io-x").unwrap();
        let channel = keys.user_channel(&user);
        assert_eq!(keys.user_of(&channel), Some(user.as_str()));
        assert_eq!((keys.conversation_of(&channel), keys.cluster_partition(&channel)), (None, None));
        let channel = format!("{}-request#/#", keys.cluster_prefix());
        assert_eq!(keys.cluster_partition(&channel), Some(Partition(0)));
        assert_eq!((keys.conversation_of(&channel), keys.user_of(&channel)), (None, None));
    }

    #[test]
    fn a_partition_s_channels_name_it_and_no_other_channel_does() {
        let keys = keys();
        for partition in keys.partitions().all() {
            let (presence, probe) = (keys.presence_channel(partition), keys.probe(partition));
            assert_eq!(
                (keys.presence_partition(&presence), keys.probed_partition(&presence)),
                (Some(partition), None)
            );
            assert_eq!(
                (keys.presence_partition(&probe), keys.probed_partition(&probe)),
                (None, Some(partition))
            );
        }
        let user = keys.presence(&UserId::new("presence").unwrap());
        let (unknown, elsewhere) = ("test:{p16.0}:presence", "other:{p0.0}:presence");
        for channel in [&*user, unknown, elsewhere, "test:{}:presence", "test:presence"] {
            assert_eq!(keys.presence_partition(channel), None, "{channel}");
        }
    }

    #[test]
    fn no_two_commands_share_an_idempotency_key() {
        let keys = keys();
        let once = |conversation, user, client| {
            keys.once(
                "message.send",
                &ConversationId::new(conversation).unwrap(),
                &UserId::new(user).unwrap(),
                &ClientId::new(client).unwrap(),
            )
        };
        assert_ne!(once("c", "a:1:b", "c"), once("c", "a", "b:1:c"));
        assert_ne!(once("c", "a", "1"), once("c", "b", "1"));
    }
}
