//! Delivered on delivery: for clients that do not say what they got, a message counts as delivered to a user when it was
//! handed to a socket of theirs. Their dialect says so.
//!
//! The sockets of a crowd do not count: every message would move as many cursors as there are members, and each of these
//! would be told to all of them.

use parlance_domain::{entry::Envelope, event::Event, message::Message};

use super::{Member, Shared, encoded::Encoded};
use crate::{
    command::receipts::{Delivery, Receipts},
    dialect::Dialect,
};

/// A message on its way to the sockets of a room.
pub(super) struct Handed<'a> {
    receipts: &'a Receipts,
    message: &'a Message,
}

impl<'a> Handed<'a> {
    /// `None` for events that are not delivered in this sense, and when no dialect asks for it.
    pub(super) fn of(shared: &'a Shared, envelope: &'a Envelope) -> Option<Self> {
        match &envelope.event {
            Event::MessageCreated(message) if shared.dialects.any_in_use(counts) => {
                Some(Self { receipts: &shared.deliveries, message })
            }
            _ => None,
        }
    }

    /// It was handed to this socket.
    fn to(&self, member: &Member) {
        let message = self.message;
        if !counts(&member.socket.dialect) || member.user == message.body.sender.id {
            return;
        }
        self.receipts.delivered(Delivery {
            conversation: message.conversation.clone(),
            user: member.user.clone(),
            seq: message.seq,
            message: Some(message.body.id),
            sender: Some(message.body.sender.id.clone()),
            origin: Some(member.session.clone()),
        });
    }
}

fn counts(dialect: &Dialect) -> bool {
    dialect.behaviour().delivered_on_delivery
}

/// Hands an event to a socket; how many frames that took.
pub(super) fn deliver(encoded: &Encoded, member: &Member, handed: Option<&Handed<'_>>) -> u64 {
    let frames = encoded.deliver(member);
    if let Some(handed) = handed.filter(|_| frames > 0) {
        handed.to(member);
    }
    frames
}
