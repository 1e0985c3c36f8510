//! A user's event on its way to his sockets: read once, encoded once a dialect.

use parlance_domain::{
    id::{ConversationId, UserId},
    rejection::Code,
    time::Timestamp,
    user_event::{ConversationEvent, UserEvent},
};

use super::{devices::Devices, worker::Worker};
use crate::{
    dialect::view::{self, Told},
    fanout::{Encoded, Member},
};

impl Worker {
    pub(super) fn published(&mut self, user: &UserId, payload: &str) {
        let Some(devices) = self.users.get(user) else {
            return;
        };
        let event = match serde_json::from_str(payload) {
            Ok(event) => event,
            Err(error) => {
                // A newer gateway may publish kinds that this one does not know.
                tracing::warn!(%error, %user, "an event for a user cannot be read");
                return;
            }
        };
        match event {
            UserEvent::Notification(notification) => {
                let encoded = Encoded::new(&self.shared.dialects, Told::Event(view::notified(&notification)));
                let may = |member: &&Member| {
                    notification.is_for(member.socket.dialect.behaviour().notify)
                        && notification.conversation.as_ref().is_none_or(|about| self.may_use(member, about))
                };
                self.hand_on(&encoded, devices.ready().filter(may));
            }
            UserEvent::Custom(custom) => self.tell(devices, Told::Custom(custom)),
            UserEvent::CallSignal(signal) => {
                let encoded = Encoded::new(&self.shared.dialects, Told::Event(view::signalled(&signal)));
                let may = |member: &&Member| self.may_use(member, &signal.conversation);
                self.hand_on(&encoded, devices.ready().filter(may));
            }
            UserEvent::Conversation(event) => self.tell_of_conversation(devices, event),
            UserEvent::ConversationActivity(activity) => {
                let encoded = Encoded::new(&self.shared.dialects, Told::Event(view::active(&activity)));
                let may = |member: &&Member| self.may_use(member, &activity.conversation.id);
                self.hand_on(&encoded, devices.ready().filter(may));
            }
            UserEvent::MessagesDelivered(delivered) => {
                let may = |member: &&Member| self.may_use(member, &delivered.conversation);
                for event in view::messages_delivered(&delivered) {
                    let encoded = Encoded::new(&self.shared.dialects, Told::Event(event));
                    self.hand_on(&encoded, devices.ready().filter(may));
                }
            }
            UserEvent::UploadProgress(progress) => {
                self.tell(devices, Told::Event(view::uploading(&progress)));
            }
            UserEvent::UploadCompleted(upload) => self.tell(devices, Told::Event(view::uploaded(&upload))),
            UserEvent::Disconnect => {
                tracing::info!(%user, sockets = devices.all().count(), "disconnecting a user");
                devices.all().for_each(|member| member.socket.disconnect());
            }
            UserEvent::Revoked { before } => {
                if let Some(devices) = self.users.get_mut(user) {
                    devices.revoke(Timestamp(before));
                }
                self.dismiss_revoked(user);
            }
        }
    }

    /// Disconnects, for good, the sockets that live by a token which was revoked.
    pub(super) fn dismiss_revoked(&self, user: &UserId) {
        let Some(devices) = self.users.get(user) else {
            return;
        };
        for member in devices.revoked() {
            tracing::info!(%user, session = %member.session, "disconnecting a socket whose token was revoked");
            member.socket.dismiss(Code::TokenRevoked);
        }
    }

    fn may_use(&self, member: &Member, conversation: &ConversationId) -> bool {
        self.shared.membership.are_granted(&member.socket.grants(), conversation)
    }

    fn tell(&self, devices: &Devices, told: Told) {
        self.hand_on(&Encoded::new(&self.shared.dialects, told), devices.ready());
    }

    /// Those that have joined the conversation get the event, in its place, from there.
    fn tell_of_conversation(&self, devices: &Devices, event: ConversationEvent) {
        let envelope = match event.decode() {
            Ok(envelope) => envelope,
            Err(error) => {
                tracing::warn!(%error, "a conversation's event for a user cannot be read");
                return;
            }
        };
        let (conversation, version) = (&envelope.conversation, envelope.header.version);
        let outside = |member: &&Member| {
            // What took it out of the conversation was told there. Seen in this order, one of the two is true.
            self.may_use(member, conversation)
                && !member.socket.has_joined(conversation)
                && !member.socket.was_put_out_by(conversation, version)
        };
        for encoded in Encoded::of(&self.shared.dialects, &envelope) {
            self.hand_on(&encoded, devices.ready().filter(outside));
        }
    }

    pub(super) fn hand_on<'a>(&self, encoded: &Encoded, members: impl Iterator<Item = &'a Member>) {
        self.delivered.increment(members.map(|member| encoded.deliver(member)).sum());
    }
}
