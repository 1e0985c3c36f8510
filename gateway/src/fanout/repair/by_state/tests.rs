//! What is told of which rows.

use parlance_domain::{
    id::{MessageId, UserId},
    message::{Content, MessageBody},
    notification::NotifyPolicy,
    reaction::{Emoji, ReactionUpdate, Reactions},
    user::Profile,
};

use super::*;

fn id() -> ConversationId {
    ConversationId::new("c").unwrap()
}

fn profile() -> Profile {
    Profile::unknown(UserId::new("u").unwrap())
}

fn message(seq: u64, created_rev: u64, rev: u64) -> Message {
    Message {
        conversation: id(),
        seq: Seq(seq),
        version: Version::new(1, rev),
        created_rev,
        created_at: Timestamp(1),
        edited_at: (rev > created_rev).then_some(Timestamp(2)),
        deleted_at: None,
        origin: None,
        body: MessageBody {
            id: MessageId::new(seq, [0; 8], 0),
            sender: profile(),
            kind: Default::default(),
            content: Content::new("x".to_owned()).unwrap(),
            attachments: Default::default(),
            metadata: Default::default(),
            reply_to: None,
            client_id: None,
            notify: NotifyPolicy::Never,
            tells_activity: false,
        },
    }
}

fn reaction(rev: u64) -> ReactionState {
    let update = ReactionUpdate {
        message: MessageId::new(1, [0; 8], 0),
        seq: Seq(1),
        user: profile(),
        emoji: Emoji::new("x").unwrap(),
        active: true,
        reactions: Reactions::default(),
    };
    ReactionState { update, version: Version::new(1, rev), at: Timestamp(3) }
}

fn all<T>(rows: Vec<T>) -> Changed<T> {
    Changed { rows, until: None }
}

fn changes() -> Changes {
    Changes {
        messages: all(vec![]),
        participants: all(vec![]),
        reactions: all(vec![]),
        calls: all(vec![]),
        conversation: None,
        deleted: None,
    }
}

/// What those are told who are at rev 10 while the newest is rev 30 with 20 messages: kind, rev; and the new position.
fn told(changes: Changes) -> (Vec<(EventKind, u64)>, (u64, u64)) {
    let newest = Heads { version: Version::new(1, 30), seq: Seq(20) };
    match tell(&id(), Version::new(1, 10), newest, changes) {
        Repair::State { events, heads } => {
            let events = events.iter().map(|event| (event.header.kind, event.header.version.rev));
            (events.collect(), (heads.version.rev, heads.seq.0))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reading_that_is_complete_goes_to_the_newest_event() {
    assert_eq!(told(changes()), (vec![], (30, 20)), "what is not there any more is not missed");
    let messages = all(vec![message(3, 5, 12), message(9, 11, 11)]);
    let some = Changes { messages, reactions: all(vec![reaction(20)]), ..changes() };
    let expected =
        [(EventKind::MessageCreated, 11), (EventKind::MessageEdited, 12), (EventKind::ReactionUpdated, 20)];
    assert_eq!(told(some), (expected.into(), (30, 20)));
}

#[test]
fn a_reading_goes_as_far_as_every_kind_of_row_is_complete() {
    let until = Some(Version::new(1, 15));
    let some = Changes {
        messages: all(vec![message(9, 11, 18), message(10, 16, 16), message(2, 3, 14)]),
        reactions: Changed { rows: vec![reaction(12), reaction(15)], until },
        ..changes()
    };
    let expected = [
        // It was changed after this reading, and is told of again.
        (EventKind::MessageCreated, 11),
        (EventKind::ReactionUpdated, 12),
        (EventKind::MessageEdited, 14),
        (EventKind::ReactionUpdated, 15),
    ];
    assert_eq!(told(some), (expected.into(), (15, 9)));
}

#[test]
fn what_is_newer_than_the_head_that_was_read_is_not_told_yet() {
    let some = Changes {
        messages: all(vec![message(20, 30, 31), message(21, 32, 32)]),
        reactions: all(vec![reaction(33)]),
        deleted: Some(Deletion { rev: 34, at: Timestamp(0) }),
        ..changes()
    };
    assert_eq!(told(some), (vec![(EventKind::MessageCreated, 30)], (30, 20)));
}

#[test]
fn a_deletion_comes_before_what_was_made_of_the_id_since() {
    let conversation = Conversation {
        id: id(),
        title: None,
        metadata: Default::default(),
        participants: vec![],
        created_at_ms: 5,
        updated_at_ms: None,
    };
    let some = Changes {
        deleted: Some(Deletion { rev: 13, at: Timestamp(4) }),
        conversation: Some((conversation.clone(), Version::new(1, 14))),
        ..changes()
    };
    let expected = [(EventKind::ConversationDeleted, 13), (EventKind::ConversationCreated, 14)];
    assert_eq!(told(some).0, expected);
    let changed = Conversation { updated_at_ms: Some(6), ..conversation };
    let some = Changes { conversation: Some((changed, Version::new(1, 14))), ..changes() };
    assert_eq!(told(some).0, [(EventKind::ConversationUpdated, 14)]);
}
