//! Which sockets are in which room, and what of that Redis has not been told yet. Pure: it is told what happens, and says
//! what has to be told.

use std::{collections::HashMap, mem};

use parlance_domain::id::{ConversationId, UserId};

/// Which sockets `S` are where.
pub(super) struct Book<S> {
    /// Rooms without anybody, and users without a socket, are not there.
    rooms: HashMap<ConversationId, HashMap<UserId, Vec<S>>>,
    untold: HashMap<ConversationId, Steps>,
}

/// What has to be told of one room: of each user only the newest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Steps(HashMap<UserId, Step>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// He has a socket there, which he had not before.
    Came,
    /// He has one there, which Redis was told before, under another lease.
    Stays,
    /// He has none any more.
    Went(Went),
}

/// How somebody's last socket went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// It has ended.
    Ended,
    /// It has left, or was put out, and lives on.
    Left,
}

impl Steps {
    /// Whether this user was not there before.
    pub(super) fn has_come(&self, user: &UserId) -> bool {
        self.0.get(user) == Some(&Step::Came)
    }

    /// Whether this user's last socket left, and did not end.
    pub(super) fn has_left(&self, user: &UserId) -> bool {
        self.0.get(user) == Some(&Step::Went(Went::Left))
    }
}

impl<S> Default for Book<S> {
    fn default() -> Self {
        Self { rooms: HashMap::new(), untold: HashMap::new() }
    }
}

impl<S: Clone + PartialEq> Book<S> {
    /// A socket came to a room.
    pub(super) fn enter(&mut self, conversation: &ConversationId, user: &UserId, socket: S) {
        let room = self.rooms.entry(conversation.clone()).or_default();
        let sockets = room.entry(user.clone()).or_default();
        if sockets.contains(&socket) {
            return;
        }
        sockets.push(socket);
        if sockets.len() == 1 {
            self.note(conversation, user, Step::Came);
        }
    }

    /// A socket went, if it was there.
    pub(super) fn leave(&mut self, conversation: &ConversationId, user: &UserId, socket: &S, went: Went) {
        let Some(room) = self.rooms.get_mut(conversation) else { return };
        let Some(sockets) = room.get_mut(user) else { return };
        sockets.retain(|there| there != socket);
        if !sockets.is_empty() {
            return;
        }
        room.remove(user);
        if room.is_empty() {
            self.rooms.remove(conversation);
        }
        self.note(conversation, user, Step::Went(went));
    }

    fn note(&mut self, conversation: &ConversationId, user: &UserId, step: Step) {
        self.untold.entry(conversation.clone()).or_default().0.insert(user.clone(), step);
    }

    /// Lets everybody be told anew, under another lease. Who went stands under the one before, which is over.
    pub(super) fn repeat(&mut self) {
        let untold = mem::take(&mut self.untold);
        for (conversation, room) in &self.rooms {
            let before = untold.get(conversation);
            let step = |user| match before {
                Some(steps) if steps.has_come(user) => Step::Came,
                _ => Step::Stays,
            };
            let steps = room.keys().map(|user| (user.clone(), step(user))).collect();
            self.untold.insert(conversation.clone(), Steps(steps));
        }
    }

    /// What has to be told, which is not noted any more then.
    pub(super) fn take_untold(&mut self) -> HashMap<ConversationId, Steps> {
        mem::take(&mut self.untold)
    }

    /// Notes again what could not be told, unless it has changed meanwhile.
    pub(super) fn put_back(&mut self, conversation: ConversationId, Steps(steps): Steps) {
        let newer = self.untold.entry(conversation).or_default();
        for (user, step) in steps {
            newer.0.entry(user).or_insert(step);
        }
    }

    /// A socket of each user who came and is still there, and the users who went and have not come back. Whatever happened
    /// meanwhile is noted, and told the next time.
    pub(super) fn resolve(
        &self,
        conversation: &ConversationId,
        Steps(steps): &Steps,
    ) -> (Vec<S>, Vec<UserId>) {
        let (mut present, mut went) = (Vec::new(), Vec::new());
        for (user, step) in steps {
            match (step, self.socket(conversation, user)) {
                (Step::Came | Step::Stays, Some(socket)) => present.push(socket.clone()),
                (Step::Went(_), None) => went.push(user.clone()),
                (Step::Came | Step::Stays, None) | (Step::Went(_), Some(_)) => {}
            }
        }
        (present, went)
    }

    /// A socket that a user has in a room.
    pub(super) fn socket(&self, conversation: &ConversationId, user: &UserId) -> Option<&S> {
        self.rooms.get(conversation)?.get(user)?.first()
    }

    /// Whether nobody is in a room.
    pub(super) fn is_empty(&self, conversation: &ConversationId) -> bool {
        !self.rooms.contains_key(conversation)
    }

    /// How many rooms have somebody.
    pub(super) fn rooms(&self) -> usize {
        self.rooms.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn conversation() -> ConversationId {
        ConversationId::new("c").unwrap()
    }

    fn user(name: &str) -> UserId {
        UserId::new(name).unwrap()
    }

    fn enter(book: &mut Book<u32>, name: &str, socket: u32) {
        book.enter(&conversation(), &user(name), socket);
    }

    fn leave(book: &mut Book<u32>, name: &str, socket: u32) {
        book.leave(&conversation(), &user(name), &socket, Went::Left);
    }

    /// The sockets of those who came, and who went.
    fn untold(book: &mut Book<u32>) -> (Vec<u32>, Vec<String>) {
        let steps = book.take_untold().remove(&conversation()).unwrap_or_default();
        let (mut came, went) = book.resolve(&conversation(), &steps);
        let mut went: Vec<String> = went.into_iter().map(String::from).collect();
        came.sort_unstable();
        went.sort();
        (came, went)
    }

    fn told(came: &[u32], went: &[&str]) -> (Vec<u32>, Vec<String>) {
        (came.to_vec(), went.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn only_the_first_socket_of_a_user_comes_and_only_the_last_one_goes() {
        let mut book = Book::default();
        enter(&mut book, "ann", 1);
        enter(&mut book, "ann", 2);
        enter(&mut book, "bob", 3);
        assert_eq!(untold(&mut book), told(&[1, 3], &[]));
        leave(&mut book, "ann", 1);
        assert_eq!(untold(&mut book), told(&[], &[]));
        enter(&mut book, "ann", 2);
        leave(&mut book, "ann", 2);
        assert_eq!(untold(&mut book), told(&[], &["ann"]), "a socket is there once, however often it comes");
        leave(&mut book, "ann", 2);
        assert_eq!(untold(&mut book), told(&[], &[]));
        assert_eq!(book.socket(&conversation(), &user("bob")), Some(&3));
        assert_eq!(book.socket(&conversation(), &user("ann")), None);
        leave(&mut book, "bob", 3);
        assert!(book.is_empty(&conversation()) && book.rooms() == 0);
    }

    #[test]
    fn of_coming_and_going_only_the_newest_is_told() {
        let mut book = Book::default();
        enter(&mut book, "ann", 1);
        leave(&mut book, "ann", 1);
        leave(&mut book, "bob", 2);
        enter(&mut book, "bob", 2);
        assert_eq!(untold(&mut book), told(&[2], &["ann"]));
    }

    #[test]
    fn what_could_not_be_told_does_not_hide_what_came_after_it() {
        let mut book = Book::default();
        enter(&mut book, "ann", 1);
        enter(&mut book, "bob", 2);
        let failed = book.take_untold().remove(&conversation()).unwrap();
        leave(&mut book, "ann", 1);
        book.put_back(conversation(), failed.clone());
        assert_eq!(untold(&mut book), told(&[2], &["ann"]));
        // What is told is how it is, also when it was noted before it was so.
        assert_eq!(book.resolve(&conversation(), &failed).0, [2]);
    }

    #[test]
    fn under_another_lease_everybody_who_is_there_is_told_and_nobody_who_went() {
        let mut book = Book::default();
        enter(&mut book, "ann", 1);
        enter(&mut book, "bob", 2);
        untold(&mut book);
        leave(&mut book, "bob", 2);
        enter(&mut book, "carol", 3);
        book.repeat();
        let steps = book.take_untold().remove(&conversation()).unwrap();
        assert!(steps.has_come(&user("carol")) && !steps.has_come(&user("ann")));
        book.put_back(conversation(), steps);
        assert_eq!(untold(&mut book), told(&[1, 3], &[]));
    }

    #[test]
    fn a_socket_that_left_is_told_apart_from_one_that_ended() {
        let mut book = Book::default();
        for (name, went) in [("ann", Went::Left), ("bob", Went::Ended)] {
            enter(&mut book, name, 1);
            book.leave(&conversation(), &user(name), &1, went);
        }
        let steps = book.take_untold().remove(&conversation()).unwrap();
        assert!(steps.has_left(&user("ann")) && !steps.has_left(&user("bob")));
    }
}
