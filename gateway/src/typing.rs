//! Who is writing where, as far as this gateway was told. It ends by itself: a while after the last start, with the
//! socket that it came from, and when the user is put out of the conversation. What the others are told meanwhile says
//! how long to believe it, so that nobody writes for ever because a gateway died.
//!
//! A user writes in a conversation or does not, on however many sockets of this gateway: the newest start counts, and the
//! first stop. What other gateways were told of the same user is not known here.

use std::{
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    convert::Infallible,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use parlance_broker::{Broker, BrokerError};
use parlance_chassis::{clock::Clock, lifecycle::CancellationToken};
use parlance_domain::{
    entry::Header,
    event::{self, EventKind},
    id::{ConversationId, SessionId, UserId},
    time::Timestamp,
    user::Profile,
};
use tokio::{sync::Notify, time::Instant};

/// How long after the last start somebody still counts as writing, where the dialect says nothing else.
pub const USUAL_EXPIRY: Duration = Duration::from_secs(5);
/// Whoever goes on writing is told of again after so long, for those who came meanwhile; sooner when it expires sooner.
const AGAIN: Duration = Duration::from_secs(2);
/// How many ends are published at the same time.
const IN_FLIGHT: usize = 16;

/// A handle on what this gateway knows; cheap to clone.
#[derive(Debug, Clone)]
pub struct Typing(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Something has to be told, or is due earlier than what was waited for.
    wake: Notify,
    /// In how many conversations one may write at the same time.
    most: usize,
}

#[derive(Debug, Default)]
struct State {
    typists: HashMap<Place, Typist>,
    /// By when they end.
    due: BTreeMap<(Instant, u64), Place>,
    /// What comes from where.
    sources: HashMap<Source, HashSet<Place>>,
    /// Ends that nobody has told yet.
    ended: Vec<Ended>,
    tickets: u64,
}

/// Who writes, and where.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    user: UserId,
    conversation: ConversationId,
}

#[derive(Debug)]
struct Typist {
    profile: Profile,
    source: Source,
    /// When the others were told.
    announced: Instant,
    /// Where it stands in [`State::due`].
    due: (Instant, u64),
}

/// Where a start came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Source {
    /// The socket with this key.
    Socket(u64),
    /// Requests of, or for, this user.
    Requests(UserId),
}

/// A start of writing.
#[derive(Debug, Clone)]
pub struct Start {
    /// Where.
    pub conversation: ConversationId,
    /// Who.
    pub profile: Profile,
    /// The key of the socket that says so; none for a request.
    pub socket: Option<u64>,
    /// After how long without another start it ends.
    pub expiry: Duration,
}

/// What follows from a start.
#[derive(Debug, PartialEq, Eq)]
pub enum Started {
    /// The others are to be told, and that they may believe it so long.
    Tell(Duration),
    /// They were told a moment ago.
    Known,
    /// He writes in too many conversations at the same time.
    TooMany,
}

/// Somebody does not write any more.
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    conversation: ConversationId,
    profile: Profile,
}

impl Typing {
    /// Nobody writes. A source may write in `most` conversations at the same time.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Shared { state: Mutex::default(), wake: Notify::new(), most }))
    }

    /// Somebody writes, or goes on writing.
    pub fn start(&self, start: Start) -> Started {
        let mut state = self.lock();
        let now = Instant::now();
        let place = Place { user: start.profile.id.clone(), conversation: start.conversation };
        let source = match &start.socket {
            Some(key) => Source::Socket(*key),
            None => Source::Requests(place.user.clone()),
        };
        let again = AGAIN.min(start.expiry / 2);
        // Checked before what there is of it is taken away.
        let places = state.sources.get(&source);
        if places.is_some_and(|places| places.len() >= self.0.most && !places.contains(&place)) {
            return Started::TooMany;
        }
        let before = state.remove(&place);
        let told = before.map(|typist| typist.announced).filter(|told| now < *told + again);
        let ends = now + start.expiry;
        let is_first = state.due.first_key_value().is_none_or(|((first, _), _)| ends < *first);
        state.insert(place, start.profile, source, told.unwrap_or(now), ends);
        drop(state);
        if is_first {
            self.0.wake.notify_one();
        }
        // It may be said again until just before `again`, without being told, and then lasts as long once more.
        if told.is_some() { Started::Known } else { Started::Tell(start.expiry + again) }
    }

    /// Whether the user wrote there. He does not any more, and whoever asks tells the others.
    pub fn stop(&self, user: &UserId, conversation: &ConversationId) -> bool {
        self.lock().remove(&Place::of(user, conversation)).is_some()
    }

    /// The user is not in the conversation any more: the others are told if he wrote there.
    pub fn put_out(&self, user: &UserId, conversation: &ConversationId) {
        self.end(|state| state.end(&Place::of(user, conversation)));
    }

    /// The socket has left the conversation: the others are told if the user wrote there on it.
    pub fn left(&self, socket: u64, user: &UserId, conversation: &ConversationId) {
        let place = Place::of(user, conversation);
        self.end(|state| {
            let is_from_it = |typist: &Typist| typist.source == Source::Socket(socket);
            if state.typists.get(&place).is_some_and(is_from_it) {
                state.end(&place);
            }
        });
    }

    /// The socket has ended: the others are told wherever the user wrote on it.
    pub fn gone(&self, socket: u64) {
        self.end(|state| {
            let places = state.sources.get(&Source::Socket(socket)).cloned().unwrap_or_default();
            places.iter().for_each(|place| state.end(place));
        });
    }

    fn end(&self, end: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        end(&mut state);
        let must_tell = !state.ended.is_empty();
        drop(state);
        if must_tell {
            self.0.wake.notify_one();
        }
    }

    /// Tells the others of ends until `hard`. When Redis is away they are not told, and do not believe it much longer.
    pub async fn run(self, broker: Broker, clock: Clock, hard: CancellationToken) -> Result<(), Infallible> {
        loop {
            let next = self.lock().next_due();
            let due = async {
                match next {
                    Some(next) => tokio::time::sleep_until(next).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = hard.cancelled() => return Ok(()),
                () = self.0.wake.notified() => {}
                () = due => {}
            }
            let ended = self.lock().take_ended(Instant::now());
            stream::iter(ended)
                .for_each_concurrent(IN_FLIGHT, async |Ended { conversation, profile }| {
                    if let Err(error) = tell(&broker, &clock, &conversation, None, stopped(profile)).await {
                        tracing::debug!(%error, %conversation, "failed to tell that somebody stopped writing");
                    }
                })
                .await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    fn of(user: &UserId, conversation: &ConversationId) -> Self {
        Self { user: user.clone(), conversation: conversation.clone() }
    }
}

impl State {
    fn insert(&mut self, place: Place, profile: Profile, source: Source, announced: Instant, ends: Instant) {
        self.tickets += 1;
        let due = (ends, self.tickets);
        self.due.insert(due, place.clone());
        self.sources.entry(source.clone()).or_default().insert(place.clone());
        self.typists.insert(place, Typist { profile, source, announced, due });
    }

    fn remove(&mut self, place: &Place) -> Option<Typist> {
        let typist = self.typists.remove(place)?;
        self.due.remove(&typist.due);
        if let Entry::Occupied(mut places) = self.sources.entry(typist.source.clone()) {
            places.get_mut().remove(place);
            if places.get().is_empty() {
                places.remove();
            }
        }
        Some(typist)
    }

    /// Ends it for the others to be told.
    fn end(&mut self, place: &Place) {
        if let Some(Typist { profile, .. }) = self.remove(place) {
            self.ended.push(Ended { conversation: place.conversation.clone(), profile });
        }
    }

    fn next_due(&self) -> Option<Instant> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Ends that are to be told, those whose time has come among them.
    fn take_ended(&mut self, now: Instant) -> Vec<Ended> {
        while self.next_due().is_some_and(|at| at <= now)
            && let Some((_, place)) = self.due.pop_first()
        {
            self.end(&place);
        }
        mem::take(&mut self.ended)
    }
}

/// What the others are told of one who writes, and may believe for so long.
pub fn started(user: Profile, believed: Duration) -> (EventKind, event::Typing) {
    let expires_in_ms = Some(u64::try_from(believed.as_millis()).unwrap_or(u64::MAX));
    (EventKind::TypingStarted, event::Typing { user, expires_in_ms })
}

/// What the others are told of one who stopped.
pub fn stopped(user: Profile) -> (EventKind, event::Typing) {
    (EventKind::TypingStopped, event::Typing { user, expires_in_ms: None })
}

/// Tells those who are in the conversation now.
///
/// # Errors
/// When Redis is away.
pub async fn tell(
    broker: &Broker,
    clock: &Clock,
    conversation: &ConversationId,
    origin: Option<SessionId>,
    (kind, typing): (EventKind, event::Typing),
) -> Result<(), BrokerError> {
    let header = Header::transient(kind, Timestamp(clock.now_ms()), origin);
    let body = serde_json::to_string(&typing).map_err(|error| BrokerError::Unexpected(error.to_string()))?;
    broker.publish(conversation, &header, &body).await
}

#[cfg(test)]
mod tests;
