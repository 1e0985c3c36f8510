//! Of whose presence a socket was told last, and a room. The news comes by the conversations that it shares with a user and by the
//! channel for everybody, so it may come several times, and late.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::LazyLock,
};

use parlance_domain::{id::UserId, presence::Presence, time::Timestamp};

/// Of how many users a socket remembers it.
const MOST: usize = 16;
/// Of how many a room does.
const MOST_IN_A_ROOM: usize = 10_000;

/// News of a user's presence, small enough to be remembered by every socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct News {
    user: u64,
    at: Timestamp,
}

impl News {
    /// What is new in a presence.
    pub fn of(presence: &Presence) -> Self {
        Self { user: hash(&presence.user), at: presence.at }
    }
}

/// Nobody can choose ids whose hashes are alike.
fn hash(user: &UserId) -> u64 {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    KEYS.hash_one(user)
}

/// What a socket was told last, newest last. Takes no memory before the first.
#[derive(Debug, Default)]
pub(crate) struct Heard(Vec<News>);

impl Heard {
    /// Notes that the socket is told this; false when it knows as much already.
    pub(crate) fn note(&mut self, news: News) -> bool {
        match self.0.iter().position(|known| known.user == news.user) {
            Some(place) if self.0.get(place).is_some_and(|known| known.at >= news.at) => return false,
            Some(place) => drop(self.0.remove(place)),
            None if self.0.len() >= MOST => drop(self.0.remove(0)),
            None => {}
        }
        self.0.push(news);
        true
    }
}

/// The newest presence of each user that was handed on in a room, to all its sockets: they remember few.
#[derive(Debug, Default)]
pub(crate) struct Newest(HashMap<UserId, Timestamp>);

impl Newest {
    /// Notes that this is handed on; false when a newer one was. The same one is handed on again, for those who have come
    /// meanwhile.
    pub(crate) fn note(&mut self, presence: &Presence) -> bool {
        if let Some(newest) = self.0.get_mut(&presence.user) {
            let is_news = presence.at >= *newest;
            *newest = presence.at.max(*newest);
            return is_news;
        }
        if self.0.len() >= MOST_IN_A_ROOM {
            self.0.clear();
        }
        self.0.insert(presence.user.clone(), presence.at);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(user: &str, at: i64) -> News {
        let user = UserId::new(user).unwrap();
        News::of(&Presence { at: Timestamp(at), ..Presence::unknown(user) })
    }

    #[test]
    fn what_is_known_or_older_is_no_news() {
        let mut heard = Heard::default();
        assert!(heard.note(news("ann", 5)));
        assert!(heard.note(news("bob", 4)));
        assert!(!heard.note(news("ann", 5)));
        assert!(!heard.note(news("ann", 4)));
        assert!(heard.note(news("ann", 6)));
        assert!(!heard.note(news("ann", 5)));
        assert!(!heard.note(news("bob", 4)));
    }

    #[test]
    fn a_few_users_are_remembered() {
        let mut heard = Heard::default();
        for n in 0..100 {
            assert!(heard.note(news(&format!("u{n}"), 1)));
            assert!(heard.note(news("often", n + 1)));
        }
        assert!(heard.0.len() <= MOST);
        assert!(!heard.note(news("often", 100)) && !heard.note(news("u99", 1)));
        assert!(heard.note(news("u0", 1)));
    }

    #[test]
    fn a_room_hands_on_what_is_as_new_as_the_newest_and_nothing_older_however_many_move() {
        let mut newest = Newest::default();
        let presence = |user: &str, at| {
            let user = UserId::new(user).unwrap();
            Presence { at: Timestamp(at), ..Presence::unknown(user) }
        };
        assert!(newest.note(&presence("ann", 6)));
        for n in 0..100 {
            assert!(newest.note(&presence(&format!("u{n}"), 1)));
        }
        assert!(!newest.note(&presence("ann", 5)));
        assert!(newest.note(&presence("ann", 6)), "somebody may have come meanwhile");
        assert!(newest.note(&presence("ann", 7)) && !newest.note(&presence("ann", 6)));
        for n in 0..2 * MOST_IN_A_ROOM {
            newest.note(&presence(&format!("u{n}"), 1));
        }
        assert!(newest.0.len() <= MOST_IN_A_ROOM);
    }
}
