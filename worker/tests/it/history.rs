//! Histories of a conversation as they can happen: the append script gives the numbers, and what is changed was there.

use parlance_domain::{event::EventKind, version::Version};

use crate::entries::{
    TestEntry, call, changed_message, conversation_created, conversation_deleted, conversation_updated,
    message_in, participant, reaction, receipt,
};

pub const USERS: [&str; 3] = ["anna", "ben", "cleo"];
const EMOJIS: [&str; 2] = ["👍", ":wave:"];

/// Something that somebody does, if it can be done; `which` chooses among what is there, the newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Send,
    Edit {
        which: usize,
    },
    TakeBack {
        which: usize,
    },
    Toggle {
        which: usize,
        user: usize,
        emoji: usize,
    },
    Ring {
        user: usize,
    },
    Answer {
        which: usize,
        user: usize,
    },
    HangUp {
        which: usize,
    },
    Create,
    Update,
    Come {
        user: usize,
    },
    Go {
        user: usize,
    },
    Read {
        user: usize,
        back: u64,
    },
    Delete,
    /// Redis comes back after a restart: the numbering goes on in a new epoch.
    Restart,
}

/// A conversation while its history is told.
struct Telling<'a> {
    conversation: &'a str,
    version: Version,
    seq: u64,
    /// Place, creating event, whether it was taken back.
    messages: Vec<(u64, u64, bool)>,
    /// Message, user, emoji of those that are there.
    reactions: Vec<(u64, usize, usize)>,
    /// Who is in it, and whether it is over.
    calls: Vec<(Vec<&'static str>, bool)>,
    entries: Vec<TestEntry>,
}

/// The entries of a history in their order.
pub fn tell(conversation: &str, deeds: &[Deed]) -> Vec<TestEntry> {
    let mut telling = Telling {
        conversation,
        version: Version::new(1, 0),
        seq: 0,
        messages: Vec::new(),
        reactions: Vec::new(),
        calls: Vec::new(),
        entries: Vec::new(),
    };
    for deed in deeds {
        telling.tell(*deed);
    }
    telling.entries
}

impl Telling<'_> {
    /// The next event's numbers.
    fn next(&mut self) -> Version {
        self.version.rev += 1;
        self.version
    }

    fn push(&mut self, entry: TestEntry) {
        self.entries.push(entry.later(self.version.rev as i64));
    }

    fn tell(&mut self, deed: Deed) {
        let c = self.conversation;
        match deed {
            Deed::Restart => self.version.epoch += 1,
            Deed::Send => {
                let version = self.next();
                self.seq += 1;
                self.messages.push((self.seq, version.rev, false));
                self.push(message_in(c, version, self.seq, "hello"));
            }
            Deed::Edit { which } => self.change(which, EventKind::MessageEdited),
            Deed::TakeBack { which } => self.change(which, EventKind::MessageDeleted),
            Deed::Toggle { which, user, emoji } => self.toggle(which, user, emoji),
            Deed::Ring { user } => {
                let version = self.next();
                self.calls.push((vec![USERS[user]], false));
                self.push(call(EventKind::CallStarted, c, version, self.calls.len() as u64, &[USERS[user]]));
            }
            Deed::Answer { which, user } => self.call(which, EventKind::CallAnswered, Some(USERS[user])),
            Deed::HangUp { which } => self.call(which, EventKind::CallEnded, None),
            Deed::Create => {
                let version = self.next();
                self.push(conversation_created(c, version, &USERS));
            }
            Deed::Update => {
                let version = self.next();
                self.push(conversation_updated(c, version));
            }
            Deed::Come { user } => {
                let version = self.next();
                self.push(participant(EventKind::ParticipantAdded, c, version, USERS[user]));
            }
            Deed::Go { user } => {
                let version = self.next();
                self.push(participant(EventKind::ParticipantRemoved, c, version, USERS[user]));
            }
            Deed::Read { user, back } => {
                let read = self.seq.saturating_sub(back);
                self.push(receipt(c, USERS[user], self.seq, read, 0));
            }
            Deed::Delete => {
                let version = self.next();
                self.push(conversation_deleted(c, version));
            }
        }
    }

    fn change(&mut self, which: usize, kind: EventKind) {
        let Some(index) = newest(self.messages.len(), which) else { return };
        let (seq, created_rev, gone) = self.messages[index];
        if gone {
            return;
        }
        let version = self.next();
        self.messages[index].2 = kind == EventKind::MessageDeleted;
        let content = if kind == EventKind::MessageDeleted { "" } else { "edited" };
        self.push(changed_message(kind, self.conversation, version, (seq, created_rev), content));
    }

    fn toggle(&mut self, which: usize, user: usize, emoji: usize) {
        let Some(index) = newest(self.messages.len(), which) else { return };
        let key = (self.messages[index].0, user, emoji);
        let there = self.reactions.iter().position(|reaction| *reaction == key);
        match there {
            Some(position) => {
                self.reactions.remove(position);
            }
            None => self.reactions.push(key),
        }
        let version = self.next();
        let by = (USERS[user], EMOJIS[emoji]);
        self.push(reaction(self.conversation, version, key.0, by, there.is_none()));
    }

    fn call(&mut self, which: usize, kind: EventKind, joins: Option<&'static str>) {
        let Some(index) = newest(self.calls.len(), which) else { return };
        let (participants, over) = &mut self.calls[index];
        if *over || joins.is_some_and(|user| participants.contains(&user)) {
            return;
        }
        participants.extend(joins);
        *over = kind == EventKind::CallEnded;
        let participants = participants.clone();
        let version = self.next();
        self.push(call(kind, self.conversation, version, index as u64 + 1, &participants));
    }
}

fn newest(count: usize, which: usize) -> Option<usize> {
    (count > 0).then(|| count - 1 - which % count)
}
