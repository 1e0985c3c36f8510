//! When tokens end: a socket is told a while before, may renew, and is disconnected when its token is over.
//!
//! One task looks twice a second for whose time has come; a socket costs an entry in two maps and no timer.

use std::{
    collections::{BTreeMap, HashMap},
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use parlance_chassis::{clock::Clock, lifecycle::CancellationToken};
use parlance_domain::{rejection::Code, time::Timestamp};

use super::session::Session;
use crate::dialect::view;

/// How often it is looked for tokens that end.
const INTERVAL: Duration = Duration::from_millis(500);

/// A handle on the tokens of this gateway's sockets; cheap to clone.
#[derive(Debug, Clone)]
pub struct Expiry {
    /// How long before its end a socket is told.
    warning_ms: i64,
    /// How long after its end a token is still accepted.
    leeway_ms: i64,
    watched: Arc<Mutex<Watched>>,
}

#[derive(Debug, Default)]
struct Watched {
    sockets: HashMap<u64, Entry>,
    /// By the next moment at which something is to be done for the socket.
    due: BTreeMap<(i64, u64), Stage>,
}

#[derive(Debug)]
struct Entry {
    session: Weak<Session>,
    expires_at: Timestamp,
    next: i64,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Warn,
    End,
}

impl Expiry {
    /// Sockets are told `warning` before their tokens end, and end `leeway` after them.
    pub fn new(warning: Duration, leeway: Duration) -> Self {
        let ms = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self { warning_ms: ms(warning), leeway_ms: ms(leeway), watched: Arc::default() }
    }

    /// The token of the socket, which is open, ends then, whatever was known before; `None` is a token without an end.
    pub fn watch(&self, session: &Arc<Session>, expires_at: Option<Timestamp>) {
        let mut watched = self.lock();
        watched.forget(session.key);
        let Some(expires_at) = expires_at else { return };
        let next = expires_at.0.saturating_sub(self.warning_ms);
        watched.due.insert((next, session.key), Stage::Warn);
        watched.sockets.insert(session.key, Entry { session: Arc::downgrade(session), expires_at, next });
    }

    /// The socket has ended.
    pub fn forget(&self, key: u64) {
        self.lock().forget(key);
    }

    /// Tells and disconnects until `hard`.
    pub async fn run(self, clock: Clock, hard: CancellationToken) -> Result<(), Infallible> {
        let mut ticks = tokio::time::interval(INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = hard.cancelled() => return Ok(()),
                _ = ticks.tick() => {}
            }
            let now = clock.now_ms();
            for (session, stage, expires_at) in self.due(now) {
                match stage {
                    Stage::Warn => {
                        let remaining = u64::try_from(expires_at.0.saturating_sub(now)).unwrap_or(0);
                        session.tell(&view::session_expiring(expires_at, Duration::from_millis(remaining)));
                    }
                    Stage::End => session.dismiss(Code::TokenExpired),
                }
            }
        }
    }

    /// Whose time has come, and for what. Who was warned is due again at the end.
    fn due(&self, now: i64) -> Vec<(Arc<Session>, Stage, Timestamp)> {
        let mut watched = self.lock();
        let watched = &mut *watched;
        let mut found = Vec::new();
        while let Some(((at, key), stage)) = watched.due.pop_first() {
            if at > now {
                watched.due.insert((at, key), stage);
                break;
            }
            let Some(entry) = watched.sockets.get_mut(&key) else { continue };
            let expires_at = entry.expires_at;
            let session = entry.session.upgrade();
            if stage == Stage::Warn && session.is_some() {
                let end = expires_at.0.saturating_add(self.leeway_ms);
                entry.next = end;
                watched.due.insert((end, key), Stage::End);
            } else {
                watched.sockets.remove(&key);
            }
            found.extend(session.map(|session| (session, stage, expires_at)));
        }
        found
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn forget(&mut self, key: u64) {
        if let Some(entry) = self.sockets.remove(&key) {
            self.due.remove(&(entry.next, key));
        }
    }
}
