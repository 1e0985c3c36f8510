//! Who is in a conversation, for those who join it: read while the room is live already, so that what the room heard
//! meanwhile makes the list true for the moment in which somebody is let in with it. Nobody is missing who came between
//! the reading and that moment, and nobody is there who went.
//!
//! One reading serves everybody who waits for it. A join never fails and never waits long because of it: when Redis does
//! not answer, the list has those whom this gateway knows.

use std::{collections::HashMap, sync::Arc, time::Duration};

use parlance_domain::{
    event::Event,
    id::{ConversationId, UserId},
};

use super::{Join, Shared};

/// How many members a list has.
const MOST: usize = 100;
/// How long a join waits for it.
const DEADLINE: Duration = Duration::from_millis(500);

/// Who is in a conversation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MemberList {
    /// Some of them, or all.
    users: Arc<[UserId]>,
    count: u64,
}

/// A reading that is under way.
#[derive(Default)]
pub(super) struct Listing {
    /// Who waits for it.
    pub(super) waiting: Vec<Join>,
    /// Who came and who went meanwhile.
    heard: HashMap<UserId, bool>,
}

impl MemberList {
    fn new(mut users: Vec<UserId>, count: u64) -> Self {
        users.sort_unstable();
        users.truncate(MOST);
        let count = count.max(users.len() as u64);
        Self { users: users.into(), count }
    }

    /// The list for one who is in the conversation himself, and how many there are.
    pub fn including<'a>(&'a self, user: &'a UserId) -> (Vec<&'a UserId>, u64) {
        let mut users: Vec<&UserId> = self.users.iter().collect();
        let Err(place) = users.binary_search(&user) else {
            return (users, self.count);
        };
        // He is counted, if not everybody could be named.
        let count = self.count.max(users.len() as u64 + 1);
        if users.len() >= MOST {
            users.pop();
        }
        users.insert(place.min(users.len()), user);
        (users, count)
    }
}

impl Listing {
    /// Notes who came or went.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::MemberJoined(who) => self.heard.insert(who.user.id.clone(), true),
            Event::MemberLeft(who) => self.heard.insert(who.user.id.clone(), false),
            _ => None,
        };
    }

    /// What was read, and what was heard since.
    pub(super) fn finish(&self, (mut users, mut count): (Vec<UserId>, u64)) -> MemberList {
        for (user, is_here) in &self.heard {
            match (users.iter().position(|there| there == user), is_here) {
                (Some(place), false) => {
                    users.swap_remove(place);
                    count = count.saturating_sub(1);
                }
                // Of those who are not named it is not known whether they are counted.
                (None, true) if users.len() as u64 >= count => {
                    users.push(user.clone());
                    count += 1;
                }
                _ => {}
            }
        }
        MemberList::new(users, count)
    }
}

/// Reads who is there; `None` when Redis does not answer in time.
pub(super) async fn read(shared: &Shared, conversation: &ConversationId) -> Option<(Vec<UserId>, u64)> {
    match tokio::time::timeout(DEADLINE, shared.members.some(conversation, MOST as u64)).await {
        Ok(Ok(found)) => Some(found),
        Ok(Err(error)) => {
            tracing::debug!(%error, %conversation, "failed to read who is here");
            None
        }
        Err(_elapsed) => None,
    }
}

#[cfg(test)]
mod tests {
    use parlance_domain::{presence::Member, user::Profile};

    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn users(names: &[&str]) -> Vec<UserId> {
        names.iter().map(|name| user(name)).collect()
    }

    fn came(name: &str) -> Event {
        Event::MemberJoined(Member { user: Profile::unknown(user(name)) })
    }

    fn went(name: &str) -> Event {
        Event::MemberLeft(Member { user: Profile::unknown(user(name)) })
    }

    #[test]
    fn what_was_heard_since_the_reading_counts() {
        let mut listing = Listing::default();
        for event in
            [came("dan"), went("ann"), went("eve"), came("eve"), came("bob"), came("fay"), went("fay")]
        {
            listing.hear(&event);
        }
        let list = listing.finish((users(&["bob", "ann"]), 2));
        assert_eq!(list, MemberList::new(users(&["bob", "dan", "eve"]), 3));
    }

    #[test]
    fn whoever_reads_the_list_is_in_it_and_counted() {
        let me = user("me");
        let list = MemberList::new(users(&["zoe", "ann"]), 2);
        let (named, count) = list.including(&me);
        assert_eq!((named, count), (vec![&user("ann"), &me, &user("zoe")], 3));
        assert_eq!(list.including(&user("zoe")).1, 2);
        assert_eq!(MemberList::default().including(&me), (vec![&me], 1));
    }

    #[test]
    fn a_crowd_is_named_in_part_and_counted_in_whole() {
        let names: Vec<UserId> = (100..200).map(|n| user(&n.to_string())).collect();
        for name in ["me", "0", "150x"] {
            let list = MemberList::new(names.clone(), 5_000);
            let me = user(name);
            let (named, count) = list.including(&me);
            assert!(named.contains(&&me) && named.is_sorted(), "{name}");
            assert_eq!((named.len(), count), (100, 5_000));
        }
    }
}
