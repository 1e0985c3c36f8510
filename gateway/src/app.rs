//! What every handler needs: one cheap handle on the parts of a gateway.

use std::sync::Arc;

use parlance_broker::{Broker, append::Appender, members::Members, replica::ReplicaGate};
use parlance_chassis::{clock::Clock, lifecycle, traces::Traces};
use parlance_domain::{
    id::{CallId, MessageId, UserId},
    rejection::{Code, Rejection},
    user::Profile,
};
use parlance_store::Store;

use crate::{
    auth::{Auth, Identity, OwnTokens, ServiceKeys},
    broadcast::Broadcasts,
    command::receipts::Receipts,
    config::Config,
    dialect::Dialects,
    fanout::Fanout,
    limits::Limits,
    membership::Membership,
    presence::Presence,
    pressure::Pressure,
    socket::expiry::Expiry,
    stats::Stats,
    typing::Typing,
    uploads::Uploads,
    users::Users,
};

/// The parts of a gateway.
pub struct Parts {
    /// What it was configured with.
    pub config: Config,
    /// Redis.
    pub broker: Broker,
    /// Postgres.
    pub store: Store,
    /// Who somebody is.
    pub auth: Auth,
    /// Which backends may act for users.
    pub service_keys: ServiceKeys,
    /// What applications call things.
    pub dialects: Dialects,
    /// Who takes part where.
    pub membership: Membership,
    /// Where events get their place.
    pub appender: Appender,
    /// Who is in which conversation.
    pub members: Members,
    /// What all gateways have.
    pub stats: Stats,
    /// What acknowledgements wait for, when it is a replica.
    pub replicas: Option<ReplicaGate>,
    /// Whether Redis takes more.
    pub pressure: Pressure,
    /// Moved cursors on their way out.
    pub receipts: Receipts,
    /// Where files are.
    pub uploads: Uploads,
    /// What users and addresses have done.
    pub limits: Limits,
    /// When the sockets' tokens end.
    pub expiry: Expiry,
    /// Who is writing where.
    pub typing: Typing,
    /// Conversations and the sockets that have joined them.
    pub fanout: Fanout,
    /// The sockets of each user.
    pub users: Users,
    /// What Redis knows of who is connected.
    pub presence: Presence,
    /// Events for every socket.
    pub broadcasts: Broadcasts,
    /// Where spans are made.
    pub traces: Traces,
    /// The time.
    pub clock: Clock,
    /// Where tasks are spawned.
    pub lifecycle: lifecycle::Handle,
}

/// A handle on the parts; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

impl App {
    /// Puts the parts together.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// Which backends may act for users.
    pub fn service_keys(&self) -> &ServiceKeys {
        &self.service_keys
    }

    /// The time.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Whose a token is, if it is in force. `own` is what the tokens have of their own where it was shown: those of a
    /// dialect for its clients, nothing for the gateway's own interfaces.
    ///
    /// # Errors
    /// Those of [`Auth::verify`]; `token_revoked`; `unavailable` while it cannot be known whether it was.
    pub async fn identify(&self, token: &str, own: &OwnTokens) -> Result<Identity, Rejection> {
        let identity = self.auth.verify(token, own, &self.clock).await?;
        let user = &identity.user.id;
        match self.broker.revoked_before(user).await {
            Ok(Some(before)) if identity.is_revoked_by(before) => Err(Code::TokenRevoked.into()),
            Ok(_) => Ok(identity),
            Err(error) => {
                tracing::warn!(%error, %user, "failed to read whether tokens are revoked");
                Err(Code::Unavailable.into())
            }
        }
    }

    /// A user as others will see him: the claims of his token refresh what is stored of him, and what is stored completes
    /// them. While it cannot be stored, he is what his token says.
    pub(crate) async fn completed(&self, identity: Identity) -> Identity {
        match self.store.upsert_user_claims(&identity.user).await {
            Ok(user) => Identity { user, ..identity },
            Err(error) => {
                tracing::warn!(%error, user = %identity.user.id, "failed to store a user's claims");
                identity
            }
        }
    }

    /// A user as others see him; of whom nothing is stored, only the id is known.
    ///
    /// # Errors
    /// `unavailable` while Postgres is away.
    pub async fn profile_of(&self, user: UserId) -> Result<Profile, Rejection> {
        match self.store.profiles(std::slice::from_ref(&user)).await {
            Ok(profiles) => Ok(profiles.into_iter().next().unwrap_or_else(|| Profile::unknown(user))),
            Err(error) => {
                tracing::warn!(%error, %user, "failed to read a profile");
                Err(Code::Unavailable.into())
            }
        }
    }

    /// A new message id for a conversation.
    pub fn new_message_id(&self, conversation: &str) -> MessageId {
        let now = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        MessageId::new(now, rand::random(), self.broker.keys().partitions().of(conversation).0)
    }

    /// A new call id for a conversation.
    pub(crate) fn new_call_id(&self, conversation: &str) -> CallId {
        let now = u64::try_from(self.clock.now_ms()).unwrap_or(0);
        CallId::new(now, rand::random(), self.broker.keys().partitions().of(conversation).0)
    }
}

impl std::ops::Deref for App {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
