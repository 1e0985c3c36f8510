//! Hears what is published, without waiting for what does not come.

use parlance_broker::{
    presence::Announcement,
    subscriber::{Inbox, Incoming, Subscriber},
};
use parlance_domain::{
    entry::{Envelope, Header},
    event::{Event, EventKind},
    id::ConversationId,
    presence::Presence,
    time::Timestamp,
};

use crate::world::{DEADLINE, World, conversation};

/// Listens to the presence of all users and to some conversations.
pub struct Listener {
    subscriber: Subscriber,
    inbox: Inbox,
    end: ConversationId,
}

/// What was heard since the last time.
#[derive(Debug, Default, PartialEq)]
pub struct Heard {
    /// On the presence channels.
    pub announcements: Vec<Announcement>,
    /// In conversations: where, and what.
    pub events: Vec<(String, Event)>,
}

impl Heard {
    /// The presences of which conversations were told, sorted by the conversations.
    pub fn presences(&self) -> Vec<(String, Presence)> {
        let mut presences: Vec<(String, Presence)> = Vec::new();
        for (conversation, event) in &self.events {
            let Event::PresenceChanged(presence) = event else { panic!("{event:?}") };
            presences.push((conversation.clone(), presence.clone()));
        }
        presences.sort_by(|(one, _), (other, _)| one.cmp(other));
        presences
    }

    /// Who came (`+`) and went (`-`), as names.
    pub fn members(&self) -> Vec<String> {
        let name = |(_, event): &(String, Event)| match event {
            Event::MemberJoined(member) => format!("+{}", member.user.name),
            Event::MemberLeft(member) => format!("-{}", member.user.name),
            other => panic!("{other:?}"),
        };
        self.events.iter().map(name).collect()
    }
}

impl Listener {
    pub async fn new(world: &World, conversations: &[&str]) -> Self {
        let (subscriber, inbox) = Subscriber::connect(&world.broker).await.unwrap();
        let end = conversation("the end of what is heard");
        for partition in world.broker.keys().partitions().all() {
            subscriber.subscribe_presence(partition).await.unwrap();
        }
        for id in conversations {
            subscriber.subscribe(&conversation(id)).await.unwrap();
        }
        subscriber.subscribe(&end).await.unwrap();
        Self { subscriber, inbox, end }
    }

    /// Everything that was published up to now.
    pub async fn heard(&mut self, world: &World) -> Heard {
        let header = Header::transient(EventKind::TypingStarted, Timestamp(0), None);
        world.broker.publish(&self.end, &header, "{}").await.unwrap();
        let mut heard = Heard::default();
        loop {
            match tokio::time::timeout(DEADLINE, self.inbox.next()).await.expect("the end is heard in time") {
                Incoming::Published { conversation, .. } if conversation == self.end => return heard,
                Incoming::Published { conversation, payload, .. } => {
                    let (header, body) = payload.split_once('\n').unwrap();
                    let header = Header::parse(header).unwrap();
                    let envelope = Envelope::decode(conversation, header, body).unwrap();
                    heard.events.push((envelope.conversation.to_string(), envelope.event));
                }
                Incoming::Presence { partition, payload } => {
                    let announcement: Announcement = serde_json::from_str(&payload).unwrap();
                    let user = announcement.presence.user.as_str();
                    assert_eq!(partition, world.broker.keys().partitions().of(user));
                    heard.announcements.push(announcement);
                }
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    pub async fn close(self) {
        self.subscriber.close().await;
    }
}
