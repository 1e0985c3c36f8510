//! What comes from the network, from Redis and from an operator's hand is mangled, and must be refused without a panic.
//!
//! Each case is made from a number: a valid text, in which bytes, values and nesting are changed a few times. `make test` takes a
//! few hundred, `make fuzz` many (`PROPTEST_CASES`).

#![cfg(test)]

mod mutate;
mod wire;

use parlance_domain::{
    entry::Envelope,
    event::EventKind,
    id::ConversationId,
    rejection::{Code, Rejection},
};
use parlance_gateway::dialect::{
    Context, Dialects,
    view::{self, Told},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::dialect::{dialects, packets};
use mutate::Mutator;

/// How long a refusal's text may become, whatever was sent.
const MAX_TEXT: usize = 1_024;

/// A publication of each kind, as the channel of a conversation carries it.
fn publications() -> Vec<String> {
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let ann = json!({"id": "ann", "name": "Ann", "avatar": "a.png", "role": "doctor"});
    let body = |kind: EventKind| match kind {
        EventKind::MessageCreated => {
            json!({"id": id, "sender": ann, "type": "text", "content": "hi", "metadata": {"a": [1, {"b": null}]}})
        }
        EventKind::MessageEdited | EventKind::MessageDeleted => json!({
            "message": {"id": id, "sender": ann, "type": "text", "content": "hi"},
            "seq": 1, "createdRev": 1, "createdAtMs": 1_790_000_000_000_i64
        }),
        EventKind::ConversationCreated | EventKind::ConversationUpdated => {
            json!({"id": "c", "title": "T", "metadata": {}, "participants": ["ann", "bob"],
                "createdAtMs": 1_790_000_000_000_i64})
        }
        EventKind::ConversationDeleted => json!({"participants": ["ann"]}),
        EventKind::ParticipantAdded | EventKind::ParticipantRemoved => {
            json!({"participant": ann, "role": "member"})
        }
        EventKind::ReactionUpdated => json!({
            "message": id, "seq": 1, "user": ann, "emoji": "👍", "active": true,
            "reactions": [{"emoji": "👍", "users": [{"id": "ann", "name": "Ann"}]}]
        }),
        EventKind::CallStarted | EventKind::CallAnswered | EventKind::CallEnded => json!({
            "id": id, "type": "audio", "status": "ringing", "startedBy": ann,
            "startedAtMs": 1_790_000_000_000_i64, "participants": []
        }),
        EventKind::Custom => json!({"event": "own:event", "data": {"a": 1}}),
        EventKind::Receipts => json!([{"u": "ann", "d": 3, "r": 2}]),
        EventKind::TypingStarted | EventKind::TypingStopped => json!({"user": ann}),
        EventKind::PresenceChanged => {
            json!({"user": "ann", "status": "away", "connected": true, "at": 1_790_000_000_000_i64})
        }
        EventKind::MemberJoined | EventKind::MemberLeft => json!({"user": ann}),
    };
    EventKind::ALL.iter().map(|kind| format!("{kind} 1 2 1 1790000000000 s1\n{}", body(*kind))).collect()
}

/// What a socket's packet goes through: JSON, the dialect, the command, the answer.
fn take_in(dialects: &Dialects, packet: &str) {
    let Ok(mut arguments) = serde_json::from_str::<Vec<Value>>(packet) else {
        return;
    };
    if !arguments.first().is_some_and(Value::is_string) {
        return;
    }
    let Value::String(event) = arguments.remove(0) else {
        return;
    };
    for dialect in dialects.iter() {
        let decoded = dialect.decode(&event, arguments.clone(), Context::default());
        let answer = match &decoded.command {
            Ok(_) => dialect.answer(&decoded.call, Ok(&json!({})), true),
            Err(rejection) => {
                assert!(Code::ALL.contains(&rejection.code), "{packet}");
                assert!(rejection.message.len() <= MAX_TEXT, "{packet}: {}", rejection.message);
                dialect.answer(&decoded.call, Err(rejection), true)
            }
        };
        assert!(answer.ack.is_some(), "{packet}");
    }
}

/// What a publication goes through: header, body, the views, the frames of each dialect.
fn put_out(dialects: &Dialects, publication: &str) -> bool {
    let conversation = ConversationId::new("c").expect("an id");
    let Ok(envelope) = Envelope::decode_published(conversation, publication) else {
        return false;
    };
    for told in view::client_events(&envelope) {
        if let Told::Event(event) = told {
            dialects.iter().for_each(|dialect| drop(dialect.encode(&event)));
        }
    }
    true
}

#[test]
fn every_kind_of_publication_is_read_before_it_is_mangled() {
    let dialects = dialects();
    let unread: Vec<String> =
        publications().into_iter().filter(|publication| !put_out(&dialects, publication)).collect();
    assert_eq!(unread, Vec::<String>::new());
}

proptest! {
    #[test]
    fn no_mangled_packet_makes_the_decoder_panic(number: u64) {
        thread_local! { static PARTS: (Dialects, Vec<String>) = (dialects(), packets()); }
        PARTS.with(|(dialects, packets)| take_in(dialects, &Mutator::new(number).mangle(packets)));
    }

    #[test]
    fn no_mangled_publication_makes_the_encoder_panic(number: u64) {
        thread_local! { static PARTS: (Dialects, Vec<String>) = (dialects(), publications()); }
        PARTS.with(|(dialects, publications)| {
            put_out(dialects, &Mutator::new(number).mangle(publications));
        });
    }

    #[test]
    fn no_text_of_a_refusal_makes_an_answer_panic(message in ".{0,200}", code in 0..Code::ALL.len()) {
        thread_local! { static DIALECTS: Dialects = dialects(); }
        DIALECTS.with(|dialects| for dialect in dialects.iter() {
            let rejection = Rejection::with(Code::ALL[code], message.clone());
            let call = dialect.decode("message:send", Vec::new(), Context::default()).call;
            assert!(dialect.answer(&call, Err(&rejection), true).ack.is_some());
        });
    }
}
