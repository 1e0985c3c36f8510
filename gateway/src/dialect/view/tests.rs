//! The views have exactly the fields that the vocabulary says, so that no template is refused a field that
//! exists or allowed one that does not.

use std::{collections::BTreeSet, time::Duration};

use parlance_broker::{
    lease::LeaseId,
    presence::ConnectedSession,
    stats::{ClusterStats, GatewayStats},
};
use parlance_domain::{
    call::{Call, CallBody, CallStatus, CallType},
    command::CommandName,
    conversation::{Conversation, DeletedConversation, ParticipantRole, Title},
    entry::Header,
    event::EventKind,
    id::{CallId, ClientId, MessageId, NotificationId, UploadId, UserId},
    message::{Attachments, Content, Message, MessageBody, MessageType, Metadata},
    notification::{NotificationText, NotifyPolicy},
    reaction::{Emoji, Reaction, ReactionUpdate, Reactions, Reactor},
    receipt::{Reach, Reaches},
    time::Timestamp,
    user::User,
    version::Heads,
};
use serde_json::Map;

use super::{reply::HistoryReply, *};
use crate::dialect::vocabulary::{self, Shape};

fn conversation() -> ConversationId {
    ConversationId::new("c1").unwrap()
}

fn profile() -> Profile {
    Profile {
        avatar: Some("https://example.com/ada.png".to_owned()),
        role: Some("doctor".to_owned()),
        ..Profile::unknown(UserId::new("u1").unwrap())
    }
}

fn presence() -> Presence {
    Presence { at: Timestamp(5), session: SessionId::new("s"), ..Presence::unknown(profile().id) }
}

fn message() -> Message {
    let id = MessageId::new(1_769_851_800_007, [1; 8], 3);
    Message {
        conversation: conversation(),
        seq: Seq(3),
        version: Version::new(1, 5),
        created_rev: 5,
        created_at: Timestamp(1_769_851_800_007),
        edited_at: Some(Timestamp(1_769_851_800_008)),
        deleted_at: Some(Timestamp(1_769_851_800_009)),
        origin: None,
        body: MessageBody {
            id,
            sender: profile(),
            kind: MessageType::default(),
            content: Content::new("hi".to_owned()).unwrap(),
            attachments: Attachments::new(vec![json!({"url": "a"})]).unwrap(),
            metadata: Metadata::new(Map::from_iter([("a".to_owned(), json!(1))])).unwrap(),
            reply_to: Some(id),
            client_id: Some(ClientId::new("t1").unwrap()),
            notify: NotifyPolicy::Never,
            tells_activity: false,
        },
    }
}

fn envelope(kind: EventKind, event: Event) -> Envelope {
    Envelope {
        conversation: conversation(),
        header: Header {
            kind,
            version: Version::new(1, 5),
            seq: Seq(3),
            at: Timestamp(1_769_851_800_007),
            origin: None,
            trace: None,
        },
        event,
    }
}

/// What is told in the dialect's words.
fn told(envelope: &Envelope) -> Vec<ClientEvent> {
    let in_words = |told| match told {
        Told::Event(event) => Some(event),
        Told::Custom(_) => None,
    };
    client_events(envelope).into_iter().filter_map(in_words).collect()
}

fn reactions() -> Reactions {
    let user = Reactor { id: UserId::new("u1").unwrap(), name: "Ada".to_owned() };
    Reactions(vec![Reaction { emoji: Emoji::new("👍").unwrap(), users: vec![user] }])
}

fn whole() -> Conversation {
    Conversation {
        id: conversation(),
        title: Some(Title::new("Hall".to_owned()).unwrap()),
        metadata: Metadata::default(),
        participants: vec![UserId::new("u1").unwrap()],
        created_at_ms: 5,
        updated_at_ms: Some(6),
    }
}

fn call() -> Call {
    let body = CallBody::start(CallId::new(1, [0; 8], 0), CallType::default(), profile());
    let body = CallBody { status: CallStatus::Ended, ended_by: Some(profile().id), ..body };
    let header =
        envelope(EventKind::CallEnded, Event::ConversationDeleted(DeletedConversation::default())).header;
    Call::after(conversation(), &header, body)
}

fn notification() -> Notification {
    Notification {
        id: NotificationId::new(1, [0; 8], 0),
        user: UserId::new("u1").unwrap(),
        kind: "message".to_owned(),
        text: NotificationText::excerpt("hi"),
        data: Metadata::default(),
        conversation: Some(conversation()),
        message_id: Some(message().body.id),
        message: Some(message().view()),
        absent: None,
        created_at_ms: 5,
        read_at_ms: None,
    }
}

fn upload() -> Upload {
    Upload {
        id: UploadId::new(1, [0; 8], 0),
        owner: UserId::new("u1").unwrap(),
        conversation: Some(conversation()),
        name: "a.png".to_owned(),
        content_type: "image/png".to_owned(),
        size: 5,
        created_at_ms: 5,
    }
}

/// A cursor that was at the beginning.
fn moved(user: &str, delivered: u64, read: u64) -> Cursor {
    Cursor {
        delivered: Seq(delivered),
        read: Seq(read),
        delivered_before: Some(Seq(0)),
        read_before: Some(Seq(0)),
        ..Cursor::start(UserId::new(user).unwrap())
    }
}

fn covered(seq: u8) -> Covered {
    let id = MessageId::new(1, [seq; 8], 0);
    Covered { id, seq: Seq(seq.into()), sender: UserId::new("u2").unwrap() }
}

fn every_event() -> Vec<ClientEvent> {
    let whole = whole();
    let change = ParticipantChange { participant: profile(), role: ParticipantRole::default() };
    let reaction = ReactionUpdate {
        message: message().body.id,
        seq: Seq(3),
        user: profile(),
        emoji: Emoji::new("👍").unwrap(),
        active: true,
        reactions: reactions(),
    };
    let by = Typing { user: profile(), expires_in_ms: Some(7_000) };
    let receipts = Receipts {
        cursors: vec![moved("u1", 3, 2)],
        messages: vec![covered(2), covered(3)],
        before: Some(Reaches::default()),
    };
    let envelopes = [
        (EventKind::MessageCreated, Event::MessageCreated(Box::new(message()))),
        (EventKind::MessageEdited, Event::MessageEdited(Box::new(message()))),
        (EventKind::MessageDeleted, Event::MessageDeleted(Box::new(message()))),
        (EventKind::ConversationCreated, Event::ConversationCreated(Box::new(whole.clone()))),
        (EventKind::ConversationUpdated, Event::ConversationUpdated(Box::new(whole.clone()))),
        (EventKind::ConversationDeleted, Event::ConversationDeleted(DeletedConversation::default())),
        (EventKind::ParticipantAdded, Event::ParticipantAdded(change.clone())),
        (EventKind::ParticipantRemoved, Event::ParticipantRemoved(change)),
        (EventKind::ReactionUpdated, Event::ReactionUpdated(Box::new(reaction))),
        (EventKind::CallStarted, Event::CallStarted(Box::new(call()))),
        (EventKind::CallAnswered, Event::CallAnswered(Box::new(call()))),
        (EventKind::CallEnded, Event::CallEnded(Box::new(call()))),
        (EventKind::Receipts, Event::Receipts(receipts)),
        (EventKind::TypingStarted, Event::TypingStarted(by.clone())),
        (EventKind::TypingStopped, Event::TypingStopped(by)),
        (EventKind::PresenceChanged, Event::PresenceChanged(presence())),
        (EventKind::MemberJoined, Event::MemberJoined(Member { user: profile() })),
        (EventKind::MemberLeft, Event::MemberLeft(Member { user: profile() })),
    ];
    let session = SessionId::new("s1").unwrap();
    let mut events: Vec<_> =
        envelopes.into_iter().flat_map(|(kind, event)| told(&envelope(kind, event))).collect();
    events.push(session_expiring(Timestamp(9), Duration::from_secs(60)));
    events.push(notified(&notification()));
    let last_message = Some(message().view());
    events.push(active(&Activity { conversation: whole, last_message, active_at_ms: 7 }));
    events.extend(messages_delivered(&DeliveredMessages {
        conversation: conversation(),
        messages: vec![message().body.id],
        to: UserId::new("u2").unwrap(),
        at_ms: 5,
    }));
    events.push(uploaded(&upload()));
    events.push(uploading(&UploadProgress { id: upload().id, received: 1, total: Some(2) }));
    events.push(signalled(&CallSignal {
        call: call().id,
        conversation: conversation(),
        from: profile(),
        payload: json!({"sdp": "…"}),
    }));
    events.push(session_ready(&Ready {
        user: &profile(),
        session: &session,
        socket: "AAAAAAAAAAAAAAAA",
        conversation: Some(&conversation()),
        role: Some("doctor"),
        dialect: "native",
        ping_interval: Some(Duration::from_secs(25)),
    }));
    events.push(resync(&conversation(), Version::new(2, 9)));
    events.push(conversation_left(&conversation(), "removed"));
    events
}

/// The paths of all leaves that the vocabulary knows.
fn known(shape: Shape, path: &str, paths: &mut BTreeSet<String>) {
    match shape {
        Shape::Object(fields) if !fields.is_empty() => {
            for field in fields {
                known(field.shape, &format!("{path}.{}", field.name), paths);
            }
        }
        Shape::List(item) => known(*item, &format!("{path}[]"), paths),
        _ => {
            paths.insert(path.to_owned());
        }
    }
}

/// The paths of all leaves of a view, as far as the vocabulary knows their parents.
fn seen(value: &Value, shape: Shape, path: &str, paths: &mut BTreeSet<String>) {
    match (shape, value) {
        (Shape::Object(known), Value::Object(fields)) if !known.is_empty() => {
            for (name, value) in fields {
                let shape = shape.field(name).unwrap_or(Shape::Json);
                seen(value, shape, &format!("{path}.{name}"), paths);
            }
        }
        (Shape::List(item), Value::Array(items)) => {
            for value in items {
                seen(value, *item, &format!("{path}[]"), paths);
            }
        }
        _ => {
            paths.insert(path.to_owned());
        }
    }
}

fn assert_same(what: &str, value: &Value, shape: Shape) {
    let (mut expected, mut actual) = (BTreeSet::new(), BTreeSet::new());
    known(shape, "", &mut expected);
    seen(value, shape, "", &mut actual);
    assert_eq!(actual, expected, "{what}");
}

#[test]
fn every_event_has_the_fields_that_templates_can_name() {
    let events = every_event();
    for name in EventName::ALL {
        let event = events.iter().find(|event| event.name == *name);
        let event = event.unwrap_or_else(|| panic!("there is an example of {}", name.as_str()));
        assert_same(name.as_str(), &event.fields, name.shape());
    }
}

#[test]
fn every_reply_has_the_fields_that_templates_can_name() {
    let heads = Heads { version: Version::new(1, 5), seq: Seq(3) };
    for command in CommandName::ALL {
        let view = match command {
            CommandName::SessionAuthenticate => reply::authenticated(Some(Timestamp(5))),
            CommandName::SessionIdentify => reply::identified(&profile().id),
            CommandName::SessionResume => {
                reply::resumed_all(&[reply::resumed(&conversation(), Ok((true, heads)))])
            }
            CommandName::Echo => reply::echo(&json!([1])),
            CommandName::Ping => reply::ping(Timestamp(5)),
            CommandName::ConversationJoin => reply::joined(&conversation(), heads, &[&profile().id], 1),
            CommandName::ConversationLeave => reply::left(&conversation()),
            CommandName::ConversationGet | CommandName::ConversationUpdate => reply::conversation(&whole()),
            CommandName::ConversationCreate => reply::created(&whole(), true),
            CommandName::ConversationList => {
                let one = reply::listed(&whole(), &ParticipantRole::default(), Some(&message()), 1, 2);
                reply::conversations(&[one], None)
            }
            CommandName::ParticipantList => {
                let role = ParticipantRole::default();
                let one = reply::participant(&profile(), &role, Some(Timestamp(5)), 3, 2);
                reply::participants(&[one], None)
            }
            CommandName::ParticipantAdd => {
                reply::added(&conversation(), &profile(), &ParticipantRole::default(), true)
            }
            CommandName::MessageSend | CommandName::MessageEdit | CommandName::MessageDelete => {
                reply::sent(&message())
            }
            CommandName::MessageGet => reply::found(&reply::stored(&message(), &reactions(), "read")),
            CommandName::MessageHistory => reply::history(HistoryReply {
                messages: vec![reply::stored(&message(), &reactions(), "sent")],
                unread: Some(1),
                ..HistoryReply::default()
            }),
            CommandName::ReactionToggle | CommandName::ReactionAdd | CommandName::ReactionRemove => {
                reply::reacted(message().body.id, &Emoji::new("👍").unwrap(), true, &reactions())
            }
            CommandName::CallStart
            | CommandName::CallAnswer
            | CommandName::CallEnd
            | CommandName::CallGet => reply::call(&call()),
            CommandName::NotificationList => reply::notifications(&[notification()], 1, None),
            CommandName::NotificationRead => reply::marked(1),
            CommandName::ReceiptRead => reply::read(Some(1)),
            CommandName::NotificationSend => reply::notified(&notification()),
            CommandName::MemberList => reply::members(&conversation(), &[profile().id], 1),
            CommandName::StatsGet => {
                let stats = GatewayStats { connected: 1, ..GatewayStats::default() };
                let gateways = vec![(LeaseId::new("g", 1), Timestamp(5), stats)];
                reply::stats(&ClusterStats { gateways, users: 1, rooms: 1 })
            }
            CommandName::PresenceSet => reply::presence_set(&presence()),
            CommandName::PresenceGet => reply::presences(&[presence()]),
            CommandName::PresenceList => reply::online(&[presence()], 1, None),
            CommandName::SessionList => {
                let session = ConnectedSession {
                    id: SessionId::new("s").unwrap(),
                    dialect: "native".to_owned(),
                    since: Timestamp(5),
                };
                reply::sessions(&[(session, LeaseId::new("g", 1))])
            }
            CommandName::UserPut => reply::user_put(&User::of(profile()).view(Some(Timestamp(5))), true),
            CommandName::UserImport => reply::users_imported(1, 2),
            CommandName::UserGet => reply::user(&User::of(profile()).view(None)),
            CommandName::UserRevoke => reply::revoked(&profile().id, Timestamp(5)),
            CommandName::UserList => reply::users(&[User::of(profile()).view(None)], None),
            CommandName::ConversationDelete
            | CommandName::ParticipantRemove
            | CommandName::ReceiptDelivered
            | CommandName::TypingStart
            | CommandName::TypingStop
            | CommandName::CallSignal
            | CommandName::CustomEmit
            | CommandName::UserDelete
            | CommandName::UserDisconnect => reply::nothing(),
        };
        match vocabulary::reply(*command) {
            Shape::Object([]) => assert_eq!(view, json!({}), "{command:?}"),
            shape => assert_same(command.as_str(), &view, shape),
        }
    }
}

#[test]
fn a_cursor_is_told_once_for_what_was_read_and_once_for_what_was_only_delivered() {
    let places = |delivered, read| {
        let cursor =
            Cursor { delivered: Seq(delivered), read: Seq(read), ..Cursor::start(UserId::new("u").unwrap()) };
        let receipts = Receipts::from(vec![cursor]);
        let events = told(&envelope(EventKind::Receipts, Event::Receipts(receipts)));
        events
            .into_iter()
            .map(|event| (event.name, event.fields["seq"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(places(4, 0), [(EventName::ReceiptDelivered, 4)]);
    assert_eq!(places(4, 4), [(EventName::ReceiptRead, 4)]);
    assert_eq!(places(4, 2), [(EventName::ReceiptDelivered, 4), (EventName::ReceiptRead, 2)]);
    assert_eq!(places(0, 0), []);
}

#[test]
fn receipts_name_the_messages_that_they_cover_and_these_get_on() {
    let told_of = |receipts: Receipts| -> Vec<(EventName, Value, Vec<u64>)> {
        let told = told(&envelope(EventKind::Receipts, Event::Receipts(receipts)));
        let seqs = |event: &ClientEvent| {
            let messages = event.fields["messages"].as_array().into_iter().flatten();
            messages.map(|message| message["seq"].as_u64().unwrap()).collect()
        };
        told.iter().map(|event| (event.name, event.fields["status"].clone(), seqs(event))).collect()
    };
    let messages: Vec<Covered> = (1..=4).map(covered).collect();
    // Somebody else had got to the first one.
    let somebody = Reach { user: UserId::new("u9").ok(), first: Seq(1), second: Seq(0) };
    let before = Some(Reaches { delivered: somebody.clone(), read: somebody });
    let receipts = Receipts { cursors: vec![moved("u1", 4, 2)], messages, before };
    assert_eq!(
        told_of(receipts.clone()),
        [
            (EventName::ReceiptDelivered, Value::Null, vec![3, 4]),
            (EventName::ReceiptRead, Value::Null, vec![1, 2]),
            (EventName::MessageStatus, json!("delivered"), vec![2, 3, 4]),
            (EventName::MessageStatus, json!("read"), vec![2]),
        ]
    );
    // The sender's own cursor.
    assert_eq!(
        told_of(Receipts { cursors: vec![moved("u2", 4, 4)], ..receipts }),
        [(EventName::ReceiptRead, Value::Null, vec![])]
    );
}

#[test]
fn an_event_comes_from_its_connection_and_a_receipt_from_the_one_that_moved_the_cursor() {
    let session = |text: &str| SessionId::new(text);
    let socket = |text: &str| Origin::Socket(session(text).unwrap());
    let cursor =
        Cursor { delivered: Seq(4), origin: session("reader"), ..Cursor::start(UserId::new("u").unwrap()) };
    let origin = |event| {
        let mut envelope = envelope(EventKind::Receipts, event);
        envelope.header.origin = session("gateway");
        told(&envelope).remove(0).origin
    };
    assert_eq!(origin(Event::Receipts(vec![cursor].into())), socket("reader"));
    assert_eq!(origin(Event::MessageCreated(Box::new(message()))), socket("gateway"));
}

#[test]
fn typing_comes_from_a_user_whatever_he_writes_on() {
    let typing = Typing { user: profile(), expires_in_ms: Some(5) };
    let mut envelope = envelope(EventKind::TypingStarted, Event::TypingStarted(typing));
    envelope.header.origin = SessionId::new("one");
    let told = told(&envelope).remove(0);
    let other = SessionId::new("other").unwrap();
    assert!(told.origin.is(&other, &profile().id));
    assert!(!told.origin.is(&other, &UserId::new("u2").unwrap()));
}
