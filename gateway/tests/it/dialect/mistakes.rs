//! What is wrong in a dialect file is said at start, all at once, with its key.

use proptest::prelude::*;

use parlance_gateway::dialect::{Dialects, Selection, mistakes_of};

use super::{Folder, documented_example, load};

/// The parts that every file needs.
const HEAD: &str = "name = \"app\"\nanswer.ack = 1\nfailure.ack = 1\n";

fn said(text: &str) -> Vec<String> {
    mistakes_of("app.toml", text).iter().map(ToString::to_string).collect()
}

#[test]
fn the_documented_example_has_no_mistakes() {
    assert_eq!(said(&documented_example()), [""; 0]);
}

#[test]
fn each_mistake_is_named_with_its_key_and_a_hint() {
    let table = [
        ("colour = 1", "app.toml: colour: is an unknown key (hint: it is one of"),
        ("nmae = 'x'", "app.toml: nmae: is an unknown key (hint: did you mean `name`?)"),
        ("times = 'unix'", "times: `unix` is no form of times"),
        (
            "ids.user.type = 'int'",
            "ids.user.type: `int` is no type of ids (hint: it is one of string, number)",
        ),
        ("ids.usr.type = 'string'", "ids.usr: is an unknown key (hint: did you mean `user`?)"),
        (
            "behaviour.notify = 'abcent'",
            "app.toml: behaviour.notify: `abcent` does not say who is notified (hint: did you mean `absent`?)",
        ),
        ("behaviour.notify = true", "behaviour.notify: is no text"),
        (
            "behaviour.delivered_on_delivery = 'yes'",
            "behaviour.delivered_on_delivery: is neither true nor false",
        ),
        (
            "behaviour.typing_expiry = '3'",
            "behaviour.typing_expiry: `3` is no time between 100ms and 60s (hint: write it like \"3s\" or \"1500ms\")",
        ),
        ("behaviour.typing_expiry = '2m'", "behaviour.typing_expiry: `2m` is no time between 100ms and 60s"),
        ("behaviour.typing_expiry = 3", "behaviour.typing_expiry: is no text"),
        ("behaviour.notfy = 'always'", "behaviour.notfy: is an unknown key (hint: did you mean `notify`?)"),
        ("behaviour = 'quiet'", "behaviour: is no table"),
        ("quotas = '10/min'", "quotas: is no table"),
        ("quotas.p = 10", "app.toml: quotas.p: is no text (hint: write it like \"5/s\", \"10/min\""),
        ("quotas.p = '10/day'", "quotas.p: `10/day` does not say how often (hint: write it like"),
        (
            "quotas.sayy = '10/min'\ninbound = [{ event = 'say', command = 'ping' }]",
            "quotas.sayy: no inbound rule has the event `sayy` (hint: did you mean `say`?)",
        ),
        (
            "quotas = { say = '1/s', tell = '1/s' }\ninbound = [{ event = 'say', aliases = ['tell'], command = 'ping' }]",
            "is another name of it and has a quota (hint: all names of an event share one)",
        ),
        ("namespaces = ['/']", "namespaces: `/` is every dialect's"),
        ("namespaces = ['chat']", "namespaces: `chat` is no namespace"),
        ("namespaces = 'chat'", "namespaces: is no list of texts"),
        ("paths = ['api']", "paths: `api` is no path"),
        ("origins = []", "origins: names no origin (hint: [\"https://app.example.com\"], or [\"*\"])"),
        ("origins = ['https://a.example', '*']", "origins: has `*` beside others"),
        ("origins = ['https://a.example/path']", "origins: `https://a.example/path` is no origin"),
        ("origins = ['null']", "origins: `null` is no origin"),
        ("origins = 'https://a.example'", "origins: is no list of texts"),
        (
            "refusals.token_expird = 'x'",
            "refusals.token_expird: is an unknown code (hint: did you mean `token_expired`?)",
        ),
        ("answer.emit = [{ payload = 1 }]", "answer.emit[0].event: is missing"),
        ("answer.emit = { event = 'a' }", "answer.emit: is no list of tables"),
        (
            "failure.emit = [{ event = 'connect' }]",
            "failure.emit[0].event: `connect` is a name that Socket.IO keeps",
        ),
        ("failure.emit = [{ event = 'e', payload = '{mesage}' }]", "(hint: did you mean `message`?)"),
        ("inbound = [{ command = 'ping' }]", "inbound[0].event: is missing"),
        (
            "inbound = [{ event = 'p', command = 'pong' }]",
            "inbound[p].command: `pong` is no canonical command",
        ),
        ("inbound = [{ event = 'p', command = 'ping', aliases = ['p'] }]", "an earlier rule takes every `p`"),
        (
            "inbound = [{ event = 'p', command = 'ping', fields.x = 'x' }]",
            "inbound[p].fields.x: ping has no field `x`",
        ),
        (
            "inbound = [{ event = 'j', command = 'conversation.join' }]",
            "inbound[j].fields: conversation.join needs conversation",
        ),
        (
            "inbound = [{ event = 'r', command = 'receipt.read', fields.seq = 'seq' }]",
            "receipt.read needs messages or conversation",
        ),
        (
            "inbound = [{ event = 'i', command = 'session.identify' }]",
            "inbound[i].fields: session.identify needs user",
        ),
        (
            "inbound = [{ event = 'j', command = 'conversation.join', fields.conversation = '@room' }]",
            "inbound[j].fields.conversation: `@room` is no place; there are `@conversation` and `@user`",
        ),
        (
            "inbound = [{ event = 'h', command = 'message.history', fields = { conversation = '$', limit = '@user' } }]",
            "inbound[h].fields.limit: `@user` is an id, which the field is not",
        ),
        (
            "inbound = [{ event = 'e', command = 'echo', fields.payload = 'a | trimm' }]",
            "inbound[e].fields.payload: `trimm` is no filter (hint: did you mean `trim`?)",
        ),
        (
            "inbound = [{ event = 'e', command = 'echo', fields.payload = 'a |' }]",
            "inbound[e].fields.payload: `` is no filter (hint: it is one of trim, lower",
        ),
        (
            "inbound = [{ event = 'e', command = 'echo', fields.payload = 'a | most' }]",
            "inbound[e].fields.payload: `most` lacks a whole number (hint: | most 100)",
        ),
        (
            "inbound = [{ event = 'e', command = 'echo', fields.payload = 'a | trim 5' }]",
            "inbound[e].fields.payload: `trim` takes no `5` (hint: | trim)",
        ),
        (
            "inbound = [{ event = 'j', command = 'conversation.join', fields.conversation = '$ | most 5' }]",
            "inbound[j].fields.conversation: `most 5` is for numbers, which the field is not",
        ),
        (
            "inbound = [{ event = 'j', command = 'conversation.join', fields = { conversation = '$', exclusive = 'a | trim' } }]",
            "inbound[j].fields.exclusive: `trim` is for texts, which the field is not",
        ),
        (
            "inbound = [{ event = 'j', command = 'conversation.join', fields.conversation = { id = 'a' } }]",
            "inbound[j].fields.conversation: is a table, which makes an object, which the field is not",
        ),
        (
            "inbound = [{ event = 's', command = 'receipt.read', fields.messages = [{ id = 'a' }] }]",
            "inbound[s].fields.messages: is a table, which makes an object, which the field is not",
        ),
        (
            "inbound = [{ event = 'e', command = 'echo', fields.payload = {} }]",
            "inbound[e].fields.payload: is an empty table, which leads nowhere",
        ),
        (
            "inbound = [{ event = 'e', command = 'echo', fields.payload = { a.b = 'c..d' } }]",
            "inbound[e].fields.payload.a.b: `c..d` has an empty name in it",
        ),
        (
            "inbound = [{ event = 'e', command = 'echo', fields.payload = ['a', 'a'] }]",
            "inbound[e].fields.payload: `a` stands here twice",
        ),
        (
            "inbound = [{ event = 'p', command = 'ping', present = ['a | trim'] }]",
            "inbound[p].present: `a | trim` has a filter, which only the places of fields have",
        ),
        (
            "inbound = [{ event = 'p', command = 'ping', absent = 'a' }]",
            "inbound[p].absent: is no list of texts",
        ),
        (
            "inbound = [{ event = 'p', command = 'ping', present = ['a'], absent = ['a'] }]",
            "inbound[p].absent: `a` cannot be both present and absent",
        ),
        (
            "inbound = [{ event = 'p', command = 'ping', present = ['a'] }, { event = 'p', command = 'ping', present = ['a'] }]",
            "an earlier rule takes every `p`",
        ),
        (
            "inbound = [{ event = 'e', command = 'echo', fields.payload = 7 }]",
            "is neither a path nor a list of paths",
        ),
        ("inbound = [{ event = 'e', command = 'echo', fields.payload = 'a..b' }]", "has an empty name in it"),
        (
            "inbound = [{ event = 'e', command = 'echo', fields.payload = '[a]' }]",
            "`[a]` is a list, which the field is not",
        ),
        (
            "inbound = [{ event = 'e', command = 'echo', defaults.payload = 1 }]",
            "`payload` is in no argument",
        ),
        (
            "inbound = [{ event = 'e', command = 'echo', fields.payload = '$', constants.payload = 1 }]",
            "comes from elsewhere already",
        ),
        (
            "inbound = [{ event = 't', command = 'typing.start', constants.conversation = 7 }]",
            "inbound[t].constants.conversation: has not the type of the field",
        ),
        (
            "inbound = [{ event = 'p', command = 'ping', when.a = [1] }]",
            "inbound[p].when.a: is no text, number, true or false",
        ),
        (
            "inbound = [{ event = 'p', command = 'ping', when.a = 1 }, { event = 'p', command = 'ping', when.a = 1 }]",
            "an earlier rule takes every `p`",
        ),
        (
            "inbound = [{ event = 'p', command = 'ping', answer.ack = '{tim}' }]",
            "inbound[p].answer.ack: `{tim}` can never be filled",
        ),
        (
            "inbound = [{ event = 'p', command = 'ping', answer.texts.other = 'x' }]",
            "inbound[p].answer.texts: is an unknown key",
        ),
        (
            "inbound = [{ event = 'p', command = 'ping', failure.texts.othr = 'x' }]",
            "inbound[p].failure.texts.othr: is an unknown code",
        ),
        (
            "outbound = [{ on = 'message.creatd', event = 'm' }]",
            "outbound[m].on: `message.creatd` is no canonical event (hint: did you mean `message.created`?)",
        ),
        (
            "outbound = [{ on = 'resync', event = 'm', audience = 'others' }]",
            "outbound[m].audience: resync is for one socket anyway",
        ),
        (
            "outbound = [{ on = 'typing.started', event = 'm', audience = 'all' }]",
            "outbound[m].audience: `all` is no audience",
        ),
        (
            "outbound = [{ on = 'resync', event = 'm' }, { on = 'resync', event = 'm' }]",
            "outbound[m].on: `m` is sent twice for resync (hint: give each of them another `when`",
        ),
        (
            "outbound = [{ on = 'typing.started', event = 'm' }, { on = 'typing.started', event = 'm', present = ['at'] }]",
            "outbound[m].on: `m` is sent twice for typing.started",
        ),
        (
            "outbound = [{ on = 'typing.started', event = 'm', absent = ['user.role', 'at'] }, { on = 'typing.started', event = 'm', absent = ['at', 'user.role'] }]",
            "outbound[m].on: `m` is sent twice for typing.started",
        ),
        (
            "outbound = [{ on = 'typing.started', event = 'm', when.'user.rol' = 'a' }]",
            "outbound[m].when.user.rol: `{user.rol}` can never be filled: there is no `rol` (hint: did you mean `role`?)",
        ),
        (
            "outbound = [{ on = 'typing.started', event = 'm', when.expiresInMs = '5' }]",
            "outbound[m].when.expiresInMs: can never be true: the field has another type",
        ),
        (
            "outbound = [{ on = 'resync', event = 'm', present = 'epoch' }]",
            "outbound[m].present: is no list of texts",
        ),
        (
            "outbound = [{ on = 'message.created', event = 'm', each = 'content' }]",
            "outbound[m].each: `content` is no list",
        ),
        (
            "outbound = [{ on = 'message.created', event = 'm', each = 'atachments' }]",
            "outbound[m].each: `{atachments}` can never be filled: there is no `atachments` (hint: did you mean `attachments`?)",
        ),
        (
            "outbound = [{ on = 'message.created', event = 'm', each = 'metadata.list' }]",
            "outbound[m].each: is the application's own JSON, in which lists can be of any length",
        ),
        (
            "outbound = [{ on = 'reaction.updated', event = 'm', each = 'reactions', payload = '{messageId}' }]",
            "outbound[m].payload: `{messageId}` can never be filled: there is no `messageId`",
        ),
        (
            "inbound = [{ event = 'p', command = 'ping', answer.emit = [{ event = 'q', present = ['tim'] }] }]",
            "emit[0].present: `{tim}` can never be filled: there is no `tim` (hint: did you mean `time`?)",
        ),
        (
            "failure.emit = [{ event = 'e', when.retryable = 'yes' }]",
            "failure.emit[0].when.retryable: can never be true",
        ),
        (
            "outbound = [{ on = 'resync', event = 'm', payload.a.b = '{c}' }]",
            "outbound[m].payload.a.b: `{c}` can never be filled",
        ),
    ];
    for (text, expected) in table {
        let said = said(&format!("{HEAD}{text}"));
        assert!(said.iter().any(|line| line.contains(expected)), "{text}: {said:#?}");
        assert_eq!(said.len(), 1, "{text} is one mistake: {said:#?}");
    }
    assert_eq!(said(HEAD), [""; 0], "what they have in common is right");
}

#[test]
fn all_mistakes_are_said_at_once() {
    let said = said(
        "answer.ack = '{ok}'\ncolour = 1\n[[inbound]]\nevent = 'a'\ncommand = 'b'\nfeilds = {}\n[[outbound]]\non = 'c'",
    );
    let keys = [
        "name",
        "answer.ack",
        "colour",
        "failure.ack",
        "inbound[a].command",
        "inbound[a].feilds",
        "outbound[0].event",
    ];
    for key in keys {
        let named = said.iter().filter(|line| line.contains(&format!(" {key}: "))).count();
        assert_eq!(named, 1, "{key}: {said:#?}");
    }
    assert_eq!(said.len(), keys.len(), "{said:#?}");
}

#[test]
fn what_is_no_toml_is_said_with_its_line() {
    let said = said("name = 'app'\n\n[answer\n");
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("app.toml: line 3: "), "{said:?}");
}

#[test]
fn two_files_cannot_claim_the_same() {
    let claim = |name: &str| {
        format!(
            "name = \"{name}\"\nanswer.ack = 1\nfailure.ack = 1\nhosts = [\"a\"]\npaths = [\"/b\"]\nnamespaces = [\"/c\"]"
        )
    };
    let folder = Folder::with(&[
        ("one.toml", &claim("one")),
        ("two.toml", &claim("two")),
        ("native.toml", &claim("native")),
    ]);
    let mistakes = load(Some(&folder.0), "three").expect_err("they collide");
    let said: Vec<_> = mistakes.iter().map(ToString::to_string).collect();
    for expected in [
        "name: `native` is taken by native.toml",
        "namespaces: `/c` is taken by",
        "hosts: `a` is taken by",
        "paths: `/b` is taken by",
        "there is no dialect `three`",
    ] {
        assert!(said.iter().any(|line| line.contains(expected)), "{expected}: {said:#?}");
    }
}

#[test]
fn a_file_of_the_folder_takes_the_place_of_an_applications_file() {
    let own = "name = \"rooms\"\nhosts = [\"own\"]\nanswer.ack = 1\nfailure.ack = 1\n";
    let folder = Folder::with(&[("mine.toml", own)]);
    let selection = Selection { shipped: &["rooms".to_owned()], folder: Some(&folder.0), default: "rooms" };
    let dialects = Dialects::load(selection).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
    assert_eq!(dialects.count(), 2);
    assert!(dialects.get("rooms").unwrap().is_at(Some("own"), "/socket.io"));
    assert!(!dialects.get("rooms").unwrap().is_at(Some("other"), "/socket.io"));
}

#[test]
fn an_application_that_there_is_not_is_a_mistake() {
    let selection = Selection { shipped: &["roms".to_owned()], folder: None, default: "native" };
    let mistakes = Dialects::load(selection).expect_err("there is no such dialect");
    assert!(mistakes[0].to_string().contains("did you mean `rooms`?"), "{mistakes:?}");
}

#[test]
fn a_folder_that_is_not_there_is_a_mistake() {
    let mistakes = load(Some("/nowhere/at/all".as_ref()), "native").expect_err("there is none");
    assert!(mistakes[0].to_string().starts_with("/nowhere/at/all: cannot be read"), "{mistakes:?}");
}

#[test]
fn a_default_in_a_file_with_a_mistake_is_not_called_unknown() {
    let folder = Folder::with(&[("app.toml", &format!("{HEAD}colour = 1"))]);
    let mistakes = load(Some(&folder.0), "app").expect_err("the file has a mistake");
    assert_eq!(mistakes.len(), 1, "{mistakes:?}");
    assert!(mistakes[0].file.ends_with("app.toml"), "{mistakes:?}");
}

proptest! {
    #[test]
    fn no_file_makes_the_check_panic(from: prop::sample::Index, length in 0..40_usize, instead in "[{}\\[\\]$@.|?=\"'a1é\n]{0,8}") {
        let example: Vec<char> = documented_example().chars().collect();
        let from = from.index(example.len());
        let rest = example.iter().skip(from + length);
        let text: String = example.iter().take(from).copied().chain(instead.chars()).chain(rest.copied()).collect();
        for mistake in mistakes_of("app.toml", &text) {
            prop_assert!(!mistake.problem.is_empty(), "{}", mistake);
        }
    }
}
