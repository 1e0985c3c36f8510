//! Cutting pages, without Redis and Postgres.

use parlance_domain::{
    conversation::DeletedConversation,
    entry::{Envelope, Header},
    event::{Event, EventKind},
    id::{ConversationId, MessageId, UserId},
    message::{Content, Message, MessageBody, MessageType},
    time::Timestamp,
    user::Profile,
    version::{Seq, Version},
};
use parlance_store::message::page::{Span, Stretch};
use proptest::prelude::*;

use super::{cut, logged::Logged};

/// A message of the user `u`.
pub(in crate::command) fn message(seq: u8) -> Message {
    let sender = Profile::unknown(UserId::new("u").unwrap());
    let body = MessageBody {
        id: MessageId::new(1, [seq; 8], 0),
        sender,
        kind: MessageType::default(),
        content: Content::new("x".to_owned()).unwrap(),
        attachments: Default::default(),
        metadata: Default::default(),
        reply_to: None,
        client_id: None,
        notify: Default::default(),
        tells_activity: false,
    };
    Message {
        conversation: ConversationId::new("c").unwrap(),
        seq: Seq(seq.into()),
        version: Version::new(1, seq.into()),
        created_rev: seq.into(),
        created_at: Timestamp(0),
        origin: None,
        edited_at: None,
        deleted_at: None,
        body,
    }
}

fn envelope(message: Message) -> Envelope {
    let header = Header { version: message.version, seq: message.seq, ..header(EventKind::MessageCreated) };
    let conversation = message.conversation.clone();
    Envelope { conversation, header, event: Event::MessageCreated(Box::new(message)) }
}

fn header(kind: EventKind) -> Header {
    Header::transient(kind, Timestamp(0), None)
}

fn logged(seqs: &[u8]) -> Logged {
    Logged::of(seqs.iter().map(|seq| envelope(message(*seq))).collect())
}

fn seqs(messages: &[Message]) -> Vec<u64> {
    messages.iter().map(|message| message.seq.0).collect()
}

/// A page of what Postgres and the log have; Postgres gives at most `limit`, as it does.
fn page(span: Span, limit: u64, stored: &[u8], in_log: &[u8]) -> (Vec<u64>, bool) {
    let (messages, more) = cut::beside(span, logged(in_log).complete(span, read(span, limit, stored)), limit);
    (seqs(&messages), more)
}

fn read(span: Span, limit: u64, stored: &[u8]) -> Stretch {
    let limit = usize::try_from(limit).unwrap();
    let inside = |seq: &u8| match span {
        Span::Before(place) => u64::from(*seq) < place.0,
        Span::After(place) => u64::from(*seq) > place.0,
    };
    let mut found: Vec<u8> = stored.iter().copied().filter(inside).collect();
    let more = found.len() > limit;
    match span {
        Span::Before(_) => drop(found.drain(..found.len().saturating_sub(limit))),
        Span::After(_) => found.truncate(limit),
    }
    Stretch { messages: found.into_iter().map(message).collect(), more }
}

const NEWEST: Span = Span::Before(Seq(u64::MAX));

#[test]
fn what_both_have_is_in_the_page_once() {
    assert_eq!(page(NEWEST, 10, &[1, 2, 3], &[5, 4, 3]), (vec![1, 2, 3, 4, 5], false));
}

#[test]
fn the_newest_page_ends_at_the_newest_and_knows_of_more() {
    assert_eq!(page(NEWEST, 2, &[1, 2, 3], &[4]), (vec![3, 4], true));
    assert_eq!(page(Span::Before(Seq(4)), 2, &[1, 2, 3], &[4]), (vec![2, 3], true));
    assert_eq!(page(Span::Before(Seq(3)), 2, &[1, 2, 3], &[4]), (vec![1, 2], false));
    assert_eq!(page(Span::After(Seq(1)), 2, &[2, 3], &[4]), (vec![2, 3], true));
    assert_eq!(page(Span::After(Seq(3)), 2, &[], &[4]), (vec![4], false));
}

#[test]
fn what_the_log_has_beyond_what_was_read_is_not_put_beside_it() {
    // Postgres gave up to 2 and has more; 9 is in the log. Between the two there are messages.
    let stored = Stretch { messages: vec![message(1), message(2)], more: true };
    let found = logged(&[2, 9]).complete(Span::After(Seq(0)), stored);
    assert_eq!((seqs(&found.messages), found.more), (vec![1, 2], true));
}

#[test]
fn the_newer_state_of_a_message_is_the_one() {
    let mut edited = message(2);
    edited.version = Version::new(1, 7);
    edited.body.content = Content::new("edited".to_owned()).unwrap();
    let stored = Stretch { messages: vec![message(1), edited.clone()], more: false };
    let texts =
        |stretch: Stretch| stretch.messages.iter().map(|m| m.body.content.clone()).collect::<Vec<_>>();
    let newer_in_postgres = logged(&[2]).complete(NEWEST, stored.clone());
    assert_eq!(texts(newer_in_postgres), texts(stored.clone()));
    let newer_in_the_log = Logged::of(vec![envelope(edited), envelope(message(2))]);
    let old = Stretch { messages: vec![message(1), message(2)], more: false };
    assert_eq!(texts(newer_in_the_log.complete(NEWEST, old)), texts(stored));
}

#[test]
fn nothing_of_before_a_deletion_counts() {
    let header = Header { version: Version::new(1, 3), ..header(EventKind::ConversationDeleted) };
    let event = Event::ConversationDeleted(DeletedConversation::default());
    let deletion = Envelope { conversation: ConversationId::new("c").unwrap(), header, event };
    let logged = Logged::of(vec![envelope(message(4)), deletion, envelope(message(2))]);
    assert!(logged.is_complete());
    let found = logged.messages().into_keys().map(|(seq, _)| seq.0).collect::<Vec<_>>();
    assert_eq!(found, [4]);
}

fn large(seq: u8) -> Message {
    let mut message = message(seq);
    message.body.content = Content::new("x".repeat(600_000)).unwrap();
    message
}

#[test]
fn a_page_ends_when_it_has_its_bytes() {
    let stretch = || Stretch { messages: (1..=5).map(large).collect(), more: false };
    let page = |span| {
        let (messages, more) = cut::beside(span, stretch(), 10);
        (seqs(&messages), more)
    };
    assert_eq!(page(Span::After(Seq(0))), (vec![1, 2], true));
    assert_eq!(page(NEWEST), (vec![4, 5], true));
    let older = Stretch { messages: (1..=2).map(large).collect(), more: false };
    let newer = Stretch { messages: (3..=5).map(large).collect(), more: false };
    let (messages, is_older, is_newer) = cut::around(older, newer, 10);
    assert_eq!((seqs(&messages), is_older, is_newer), (vec![2, 3], true, true));
}

#[test]
fn a_page_around_a_message_is_half_older_and_a_short_side_leaves_room() {
    let around = |older: &[u8], newer: &[u8], limit| {
        let stretch =
            |seqs: &[u8]| Stretch { messages: seqs.iter().copied().map(message).collect(), more: false };
        let (messages, is_older, is_newer) = cut::around(stretch(older), stretch(newer), limit);
        (seqs(&messages), is_older, is_newer)
    };
    assert_eq!(around(&[1, 2, 3, 4], &[5, 6, 7, 8], 4), (vec![3, 4, 5, 6], true, true));
    assert_eq!(around(&[1, 2, 3, 4], &[5, 6, 7, 8], 1), (vec![5], true, true));
    assert_eq!(around(&[1, 2, 3, 4], &[5], 4), (vec![2, 3, 4, 5], true, false));
    assert_eq!(around(&[1], &[2, 3, 4, 5], 4), (vec![1, 2, 3, 4], false, true));
    assert_eq!(around(&[], &[1, 2], 200), (vec![1, 2], false, false));
}

#[test]
fn messages_of_one_place_are_not_parted() {
    let mut again = message(3);
    again.body.id = MessageId::new(2, [9; 8], 0);
    let stretch = Stretch { messages: vec![message(2), message(3), again], more: false };
    let (messages, more) = cut::beside(NEWEST, stretch.clone(), 1);
    assert_eq!((seqs(&messages), more), (vec![3, 3], true));
    let (messages, more) = cut::beside(Span::After(Seq(2)), stretch, 2);
    assert_eq!((seqs(&messages), more), (vec![2, 3, 3], false));
}

proptest! {
    /// Whatever part the worker has written, page after page has everything once.
    #[test]
    fn pages_have_everything_once(
        written in proptest::collection::vec(any::<(bool, bool)>(), 0..40),
        limit in 1_u64..12,
    ) {
        // Each message is in Postgres, in the log, or in both.
        let all: Vec<u8> = (1..).zip(&written).map(|(seq, _)| seq).collect();
        let of = |pick: fn(&(bool, bool)) -> bool| -> Vec<u8> {
            all.iter().zip(&written).filter(|(_, written)| pick(written)).map(|(seq, _)| *seq).collect()
        };
        let stored = of(|(stored, _)| *stored);
        let in_log = of(|(stored, logged)| *logged || !*stored);
        let everything: Vec<u64> = all.iter().copied().map(u64::from).collect();

        let (mut up, mut place) = (Vec::new(), 0);
        loop {
            let (found, more) = page(Span::After(Seq(place)), limit, &stored, &in_log);
            place = found.last().copied().unwrap_or(place);
            up.extend(found);
            if !more { break; }
        }
        prop_assert_eq!(&up, &everything);

        let (mut down, mut place) = (Vec::new(), u64::MAX);
        loop {
            let (found, more) = page(Span::Before(Seq(place)), limit, &stored, &in_log);
            place = found.first().copied().unwrap_or(place);
            down.extend(found.into_iter().rev());
            if !more { break; }
        }
        down.reverse();
        prop_assert_eq!(&down, &everything);
    }
}
