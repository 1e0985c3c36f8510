//! Who takes part in which conversation: the truth is in Postgres, this is a cache of it.
//!
//! What is cached is used only while this gateway hears the conversation's events (it is *watched*), because a
//! participant event is what invalidates it. A write carries the acl number that it was authorised under, and the
//! append script refuses it when that is over, so a stale answer never lets a write through.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use parlance_broker::{Broker, append::Acl};
use parlance_domain::{
    conversation::ParticipantRole,
    id::{ConversationId, UserId},
    rejection::{Code, Rejection},
    user::Profile,
};
use parlance_store::Store;

use crate::auth::Grants;

/// How it is decided who may be in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Its participants, as Postgres knows them.
    Members,
    /// Every authenticated user.
    Open,
    /// Whoever has a token that lists it.
    Token,
}

/// Who wants to use a conversation.
#[derive(Debug, Clone, Copy)]
pub struct Asker<'a> {
    /// The user.
    pub user: &'a UserId,
    /// What his token lets him use.
    pub grants: &'a Grants,
}

/// As what a user uses a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// What the answer holds under; `None` when no answer could change.
    pub acl: Option<Acl>,
    /// What the application says that he is there, if it says so. Only asked for where being a participant decides.
    pub role: Option<Arc<str>>,
}

impl Standing {
    /// The user as the others in the conversation see him: what he is there says more than what he is in general.
    pub fn profile(&self, user: &Profile) -> Profile {
        let here = self.role.as_deref().map(str::to_owned);
        Profile { role: here.or_else(|| user.role.clone()), ..user.clone() }
    }
}

/// How many users' answers one conversation caches; beyond it all are forgotten.
const MAX_CACHED_USERS: usize = 10_000;

/// A handle on the cache; cheap to clone.
#[derive(Debug, Clone)]
pub struct Membership {
    policy: Policy,
    broker: Broker,
    store: Store,
    watched: Arc<Mutex<HashMap<ConversationId, Known>>>,
}

/// What is known of a watched conversation.
#[derive(Debug, Default)]
struct Known {
    /// Rises with every invalidation: an answer that was asked for before is not kept.
    generation: u64,
    acl: Option<Acl>,
    users: HashMap<UserId, Part>,
}

/// What a user is in a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Nothing,
    /// A participant, and as what if the application said so.
    Member(Option<Arc<str>>),
}

impl Part {
    /// Who was made a participant without a word is a `member`: that says nothing of him.
    fn of(role: Option<ParticipantRole>) -> Self {
        let said =
            |role: ParticipantRole| (role != ParticipantRole::default()).then(|| Arc::from(role.as_str()));
        role.map_or(Part::Nothing, |role| Part::Member(said(role)))
    }
}

impl Membership {
    /// An empty cache.
    pub fn new(policy: Policy, broker: Broker, store: Store) -> Self {
        Self { policy, broker, store, watched: Arc::default() }
    }

    /// The policy.
    pub fn policy(&self) -> Policy {
        self.policy
    }

    /// The conversation's events are heard from now on.
    pub(crate) fn watch(&self, conversation: &ConversationId) {
        self.lock().entry(conversation.clone()).or_default();
    }

    /// They are heard no longer.
    pub(crate) fn unwatch(&self, conversation: &ConversationId) {
        self.lock().remove(conversation);
    }

    /// Something changed, or may have changed unheard.
    pub(crate) fn forget(&self, conversation: &ConversationId) {
        if let Some(known) = self.lock().get_mut(conversation) {
            *known = Known { generation: known.generation + 1, ..Known::default() };
        }
    }

    /// Whether what his token lets a user use says that he may get what happens in the conversation. Under the other
    /// policies it says nothing.
    pub(crate) fn are_granted(&self, grants: &Grants, conversation: &ConversationId) -> bool {
        self.policy != Policy::Token || grants.include(conversation)
    }

    /// The only conversations of which a user may be told, if what his token lets him use says which.
    pub(crate) fn granted(&self, grants: &Grants) -> Option<Vec<ConversationId>> {
        match grants {
            Grants::Only(listed) if self.policy == Policy::Token => Some(listed.iter().cloned().collect()),
            Grants::Only(_) | Grants::Everything => None,
        }
    }

    /// Whether somebody who is not asking takes part in the conversation. What his token lets him use is known where he
    /// is connected, and is looked at there.
    ///
    /// # Errors
    /// `unavailable` when that cannot be known now.
    pub(crate) async fn takes_part(
        &self,
        user: &UserId,
        conversation: &ConversationId,
    ) -> Result<bool, Rejection> {
        match self.authorize(Asker { user, grants: &Grants::Everything }, conversation).await {
            Ok(_) => Ok(true),
            Err(rejection) if rejection.code == Code::NotAParticipant => Ok(false),
            Err(rejection) => Err(rejection),
        }
    }

    /// Whether the user takes part in the conversation, and what that answer holds under; `None` when no answer
    /// could change.
    ///
    /// # Errors
    /// `not_a_participant`; `unavailable` when that cannot be known now.
    pub async fn authorize(
        &self,
        asker: Asker<'_>,
        conversation: &ConversationId,
    ) -> Result<Option<Acl>, Rejection> {
        Ok(self.standing(asker, conversation).await?.acl)
    }

    /// The same, and as what he does.
    ///
    /// # Errors
    /// `not_a_participant`; `unavailable` when that cannot be known now.
    pub async fn standing(
        &self,
        asker: Asker<'_>,
        conversation: &ConversationId,
    ) -> Result<Standing, Rejection> {
        let Asker { user, grants } = asker;
        match self.policy {
            Policy::Open => return Ok(Standing::default()),
            Policy::Token if grants.include(conversation) => return Ok(Standing::default()),
            Policy::Token => return Err(Code::NotAParticipant.into()),
            Policy::Members => {}
        }
        let (part, acl) = match self.cached(user, conversation) {
            Some(answer) => answer,
            None => self.ask(user, conversation).await?,
        };
        match part {
            Part::Member(role) => Ok(Standing { acl: Some(acl), role }),
            Part::Nothing => Err(Code::NotAParticipant.into()),
        }
    }

    fn cached(&self, user: &UserId, conversation: &ConversationId) -> Option<(Part, Acl)> {
        let watched = self.lock();
        let known = watched.get(conversation)?;
        Some((known.users.get(user)?.clone(), known.acl?))
    }

    async fn ask(&self, user: &UserId, conversation: &ConversationId) -> Result<(Part, Acl), Rejection> {
        let generation = self.lock().get(conversation).map(|known| known.generation);
        let unavailable = |error: &dyn std::error::Error| {
            tracing::warn!(%error, %conversation, "failed to look up a membership");
            Rejection::from(Code::Unavailable)
        };
        // The acl first: a change between the two readings makes the write be refused, not let through.
        let state = self.broker.state(conversation).await.map_err(|error| unavailable(&error))?;
        let role = self.store.member_role(conversation, user).await.map_err(|error| unavailable(&error))?;
        let part = Part::of(role);
        // A conversation that Redis does not know has no acl yet; the default one is never in force.
        let acl = state.map(|state| state.acl).unwrap_or_default();
        self.keep(generation, user, conversation, part.clone(), acl);
        Ok((part, acl))
    }

    fn keep(
        &self,
        generation: Option<u64>,
        user: &UserId,
        conversation: &ConversationId,
        part: Part,
        acl: Acl,
    ) {
        let mut watched = self.lock();
        let Some(known) = watched.get_mut(conversation) else {
            return;
        };
        if Some(known.generation) != generation {
            return;
        }
        if known.acl != Some(acl) || known.users.len() >= MAX_CACHED_USERS {
            known.users.clear();
            known.acl = Some(acl);
        }
        known.users.insert(user.clone(), part);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Known>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
