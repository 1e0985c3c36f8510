//! How far a message has got: `sent`, `delivered` or `read`.
//!
//! It is as far as the furthest *other* participant: in a group a message counts as read when one of the others has read
//! it. The sender's own cursors do not count. What the worker has not written yet of the cursors is not looked at; those
//! who are there hear of it by events.

use parlance_domain::{
    id::{ConversationId, UserId},
    message::Message,
    rejection::Rejection,
    version::Seq,
};
use parlance_store::cursor::Furthest;

use super::failed;
use crate::app::App;

/// How far the messages of a conversation have got.
#[derive(Debug, Clone, Default)]
pub(super) struct Statuses(Furthest);

/// Reads how far the messages of a conversation have got.
pub(super) async fn of(app: &App, conversation: &ConversationId) -> Result<Statuses, Rejection> {
    let furthest = app.store.furthest(conversation).await;
    furthest.map(Statuses).map_err(|error| failed("read cursors", &error))
}

impl Statuses {
    /// The word for a message.
    pub(super) fn of(&self, message: &Message) -> &'static str {
        let Self(Furthest { delivered, read }) = self;
        let passed = |cursors| furthest_other(cursors, &message.body.sender.id) >= message.seq;
        if passed(read) {
            "read"
        } else if passed(delivered) {
            "delivered"
        } else {
            "sent"
        }
    }
}

fn furthest_other(cursors: &[(UserId, Seq)], sender: &UserId) -> Seq {
    cursors.iter().find(|(user, _)| user != sender).map_or(Seq(0), |(_, seq)| *seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::history::tests::message;

    fn cursors(cursors: &[(&str, u64)]) -> Vec<(UserId, Seq)> {
        cursors.iter().map(|(user, seq)| (UserId::new(*user).unwrap(), Seq(*seq))).collect()
    }

    #[test]
    fn a_message_is_as_far_as_the_furthest_other_participant() {
        let statuses = Statuses(Furthest {
            delivered: cursors(&[("u", 9), ("ann", 7)]),
            read: cursors(&[("bob", 5), ("u", 4)]),
        });
        let status = |seq| statuses.of(&message(seq));
        assert_eq!([5, 6, 7, 8].map(status), ["read", "delivered", "delivered", "sent"]);
        assert_eq!(Statuses::default().of(&message(1)), "sent");
        let alone = Statuses(Furthest { delivered: cursors(&[("u", 9)]), read: cursors(&[("u", 9)]) });
        assert_eq!(alone.of(&message(1)), "sent", "the sender's own cursors do not count");
    }
}
