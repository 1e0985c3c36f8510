//! What dialects make of events, from tables: `tests/dialect_pairs/*.json` holds, for the native dialect, for
//! the worked example of `docs/dialects.md` and for the dialects beside the tables, what comes in and what must come out.

#![cfg(test)]

mod mistakes;
mod selection;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use parlance_domain::{
    command::{Command, CommandName},
    id::{ConversationId, UserId},
    rejection::{Code, Rejection},
};
use parlance_gateway::dialect::{
    Answer, Audience, ClientEvent, Context, Dialect, Dialects, EventName, Frame, Mistake, Selection,
    view::Origin,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A table of pairs for one dialect.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pairs {
    dialect: String,
    decode: Vec<DecodePair>,
    answer: Vec<AnswerPair>,
    refusals: std::collections::BTreeMap<String, String>,
    encode: Vec<EncodePair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DecodePair {
    event: String,
    args: Vec<Value>,
    /// The conversation that the connection implies, and its user.
    conversation: Option<ConversationId>,
    user: Option<UserId>,
    command: Option<String>,
    fields: Option<Map<String, Value>>,
    refused: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AnswerPair {
    event: String,
    args: Vec<Value>,
    acked: bool,
    reply: Option<Value>,
    rejection: Option<RejectionPair>,
    ack: Option<Value>,
    emits: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RejectionPair {
    code: String,
    retry_after_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EncodePair {
    event: String,
    fields: Value,
    frames: Vec<Value>,
}

fn crate_path(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The TOML of the worked example.
fn documented_example() -> String {
    let document = fs::read_to_string(crate_path("../docs/dialects.md")).expect("the document is there");
    let (_, from) = document.split_once("```toml\n").expect("it has an example");
    let (example, _) = from.split_once("```\n").expect("the example ends");
    example.to_owned()
}

/// A folder of dialect files that is gone with the value.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn with(files: &[(&str, &str)]) -> Self {
        let path = std::env::temp_dir().join(format!("dialects-{}", uuid::Uuid::from_u128(rand::random())));
        fs::create_dir(&path).expect("a new folder can be made");
        for (name, text) in files {
            fs::write(path.join(name), text).expect("a file can be written");
        }
        Self(path)
    }

    /// The setting that lets a gateway read the dialects in it.
    pub fn setting(&self) -> (&'static str, &str) {
        ("gateway.dialects_folder", self.0.to_str().expect("the path is UTF-8"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Loads the gateway's own dialect and those of a folder.
pub fn load(folder: Option<&Path>, default: &str) -> Result<Dialects, Vec<Mistake>> {
    Dialects::load(Selection { shipped: &[], folder, default })
}

pub fn dialects() -> Dialects {
    let mut files = vec![("support.toml".to_owned(), documented_example())];
    for path in tables("toml") {
        let name = path.file_name().and_then(|name| name.to_str()).expect("the path is UTF-8");
        files.push((name.to_owned(), fs::read_to_string(&path).expect("the dialect can be read")));
    }
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let folder = Folder::with(&files);
    let selection = Selection { shipped: &["all".to_owned()], folder: Some(&folder.0), default: "native" };
    Dialects::load(selection).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
}

#[test]
fn who_is_in_a_conversation_is_looked_up_only_for_dialects_that_tell_it() {
    let dialects = dialects();
    let lists = |name: &str| dialects.get(name).unwrap().lists_members_on_join();
    assert!(lists("native") && !lists("support"));
}

/// The files beside the tables that end so.
fn tables(extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(crate_path("tests/dialect_pairs")).expect("the tables are there");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

/// The packets of all tables: `["event",…arguments]`.
pub fn packets() -> Vec<String> {
    let packets = std::cell::RefCell::new(Vec::new());
    for_each_table(|_, pairs| {
        let packet =
            |pair: DecodePair| Value::from_iter([Value::from(pair.event)].into_iter().chain(pair.args));
        packets.borrow_mut().extend(pairs.decode.into_iter().map(packet).map(|packet| packet.to_string()));
    });
    packets.into_inner()
}

/// Runs `check` with each table and its dialect.
fn for_each_table(check: impl Fn(&Dialect, Pairs)) {
    let dialects = dialects();
    let mut names = Vec::new();
    for path in tables("json") {
        let text = fs::read_to_string(&path).expect("the table can be read");
        let pairs: Pairs =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let dialect = dialects.get(&pairs.dialect).expect("the table's dialect is loaded");
        names.push(pairs.dialect.clone());
        check(&dialect, pairs);
    }
    for dialect in dialects.iter() {
        assert!(names.iter().any(|name| name == dialect.name()), "{} has a table", dialect.name());
    }
}

fn rejection(pair: &RejectionPair) -> Rejection {
    let code = Code::ALL.iter().find(|code| code.as_str() == pair.code);
    let rejection = Rejection::new(*code.expect("the table names a code"));
    match pair.retry_after_ms {
        Some(wait) => rejection.after(Duration::from_millis(wait)),
        None => rejection,
    }
}

fn shown(frames: &[Frame]) -> Vec<Value> {
    let show = |frame: &Frame| {
        let audience = match frame.audience {
            Audience::Everyone => "everyone",
            Audience::Others => "others",
            Audience::Sender => "sender",
        };
        let mut shown = json!({"event": *frame.event, "audience": audience});
        if let Some(payload) = &frame.payload {
            shown["payload"] = serde_json::from_str(payload.get()).expect("a payload is JSON");
        }
        shown
    };
    frames.iter().map(show).collect()
}

#[test]
fn inbound_events_become_the_commands_of_the_tables() {
    for_each_table(|dialect, pairs| {
        for pair in pairs.decode {
            let what = format!("{}: {} {:?}", pairs.dialect, pair.event, pair.args);
            let context = Context { conversation: pair.conversation.as_ref(), user: pair.user.as_ref() };
            let decoded = dialect.decode(&pair.event, pair.args, context);
            let expected = match (pair.command, pair.refused) {
                (Some(command), None) => {
                    let name = CommandName::parse(&command).expect("the table names a command");
                    let fields = pair.fields.expect("the table has the command's fields");
                    Ok(Command::parse(name, fields).expect("the table has a command"))
                }
                (None, Some(refused)) => Err(refused),
                _ => panic!("{what}: the table has either a command or a refusal"),
            };
            let actual = decoded.command.map_err(|rejection| rejection.to_string());
            assert_eq!(actual, expected, "{what}");
        }
    });
}

#[test]
fn answers_are_those_of_the_tables() {
    for_each_table(|dialect, pairs| {
        for pair in pairs.answer {
            let what = format!("{}: {} {:?}", pairs.dialect, pair.event, pair.args);
            let call = dialect.decode(&pair.event, pair.args, Context::default()).call;
            let rejection = pair.rejection.as_ref().map(rejection);
            let outcome = match (&pair.reply, &rejection) {
                (Some(reply), None) => Ok(reply),
                (None, Some(rejection)) => Err(rejection),
                _ => panic!("{what}: the table has either a reply or a rejection"),
            };
            let Answer { ack, emits } = dialect.answer(&call, outcome, pair.acked);
            let ack: Option<Value> = ack.map(|ack| serde_json::from_str(ack.get()).expect("JSON"));
            assert_eq!(ack, pair.ack, "{what}");
            assert_eq!(shown(&emits), pair.emits, "{what}");
        }
    });
}

#[test]
fn canonical_events_become_the_frames_of_the_tables() {
    for_each_table(|dialect, pairs| {
        for pair in pairs.encode {
            let event = ClientEvent {
                name: EventName::parse(&pair.event).expect("the table names an event"),
                fields: pair.fields,
                origin: Origin::Nobody,
                news: None,
            };
            assert_eq!(shown(&dialect.encode(&event)), pair.frames, "{}: {}", pairs.dialect, pair.event);
        }
    });
}

#[test]
fn refused_handshakes_read_as_in_the_tables() {
    for_each_table(|dialect, pairs| {
        for (code, text) in pairs.refusals {
            let pair = RejectionPair { code, retry_after_ms: None };
            assert_eq!(dialect.refusal(&rejection(&pair)), text, "{}", pairs.dialect);
        }
    });
}

#[test]
fn a_fault_that_answers_no_command_is_told_without_an_event_name() {
    let dialects = dialects();
    let native = dialects.get("native").expect("it is built in");
    let frames = native.error(&Code::TokenExpired.into());
    let payload = json!({"code": "token_expired", "message": "the token has expired", "retryable": false});
    assert_eq!(shown(&frames), [json!({"event": "error", "audience": "sender", "payload": payload})]);
}

#[test]
fn one_argument_can_fill_several_fields_and_a_later_one_another() {
    let rule = "name = 'app'\nanswer.ack = 1\nfailure.ack = 1\n[[inbound]]\nevent = 'say'\ncommand = 'message.send'\n\
        fields = { content = 'text', metadata = '$', conversation = '$2' }";
    let folder = Folder::with(&[("app.toml", rule)]);
    let dialects = load(Some(&folder.0), "app").unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    let app = dialects.get("app").expect("it is loaded");
    let said = json!({"text": "hi", "mood": "good"});
    let fields = Map::from_iter([
        ("content".to_owned(), json!("hi")),
        ("metadata".to_owned(), said.clone()),
        ("conversation".to_owned(), json!("c1")),
    ]);
    let decoded = app.decode("say", vec![said, json!("c1")], Context::default());
    assert_eq!(decoded.command, Command::parse(CommandName::MessageSend, fields));
}

#[test]
fn an_unknown_name_is_repeated_only_as_far_as_is_bearable() {
    let dialects = dialects();
    let native = dialects.get("native").expect("it is built in");
    let call = native.decode(&"é".repeat(100_000), vec![], Context::default()).call;
    assert_eq!(call.event().chars().count(), 64);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,20}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        proptest::sample::select(vec![
            "conversationId",
            "content",
            "clientId",
            "seq",
            "messageIds",
            "limit",
            "metadata",
            "attachments",
            "ticketId",
            "data",
            "text",
            "isTyping",
            "_placeholder",
        ])
        .prop_map(str::to_owned),
        ".{0,8}",
    ];
    leaf.prop_recursive(4, 32, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((key.clone(), inner), 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_event() -> impl Strategy<Value = String> {
    let known = [
        "echo",
        "ping",
        "conversation:join",
        "message:send",
        "message:history",
        "receipt:read",
        "typing:start",
        "join_ticket",
        "say",
        "typing",
        "seen",
        "load",
    ];
    prop_oneof![
        3 => proptest::sample::select(known.to_vec()).prop_map(str::to_owned),
        1 => ".{0,80}",
    ]
}

proptest! {
    #[test]
    fn no_event_makes_a_dialect_panic_and_every_acknowledgement_is_answered(
        event in any_event(),
        args in proptest::collection::vec(any_json(), 0..4),
        reply in any_json(),
    ) {
        thread_local! { static DIALECTS: Dialects = dialects(); }
        DIALECTS.with(|dialects| for dialect in dialects.iter() {
            let decoded = dialect.decode(&event, args.clone(), Context::default());
            let outcome = decoded.command.as_ref().map(|_| &reply);
            let answer = dialect.answer(&decoded.call, outcome, true);
            assert!(answer.ack.is_some(), "{event}");
            if decoded.command.is_err() {
                assert!(dialect.answer(&decoded.call, decoded.command.as_ref().map(|_| &reply), false).ack.is_none());
            }
        });
    }

    #[test]
    fn no_view_makes_the_encoder_panic(fields in any_json()) {
        thread_local! { static DIALECTS: Dialects = dialects(); }
        DIALECTS.with(|dialects| for dialect in dialects.iter() {
            for name in EventName::ALL {
                let event = ClientEvent { name: *name, fields: fields.clone(), origin: Origin::Nobody, news: None };
                for frame in shown(&dialect.encode(&event)) {
                    assert!(frame["event"].is_string());
                }
            }
        });
    }
}
