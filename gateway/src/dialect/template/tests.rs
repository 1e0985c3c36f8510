use serde_json::json;

use super::*;
use crate::dialect::{
    Mistake,
    mistake::Mistakes,
    notation::IdForm,
    vocabulary::{EventName, reply},
};
use parlance_domain::command::CommandName;

fn compiled(template: &str, scope: &Scope) -> Result<Template, Vec<Mistake>> {
    let table: toml::Table = template.parse().expect("the test's TOML is well-formed");
    let mistakes = Mistakes::of("test");
    let template = compile(&table["t"], "t", scope, &mistakes);
    match mistakes.count() {
        0 => Ok(template),
        _ => Err(mistakes.into_vec()),
    }
}

fn message_scope() -> Scope {
    Scope::of(EventName::MessageCreated.shape())
}

fn message() -> Value {
    json!({
        "id": "m1", "conversationId": "diet_7", "seq": 3, "senderId": "5",
        "sender": {"id": "5", "name": "Ada"}, "type": "text", "content": "hi",
        "createdAt": "2026-01-31T09:30:00.007Z",
        "metadata": {"clientId": 9, "id": "never"}, "attachments": [{"url": "a"}, {"url": "b", "name": "B"}],
    })
}

fn filled(template: &str, notation: &Notation) -> Value {
    let template = compiled(template, &message_scope()).expect("the template is right");
    let message = message();
    let written = render(&template, Data::new(&message, notation));
    written
        .map_or(json!("left out"), |json| serde_json::from_str(json.get()).expect("what is written is JSON"))
}

fn numbers() -> Notation {
    let form = |prefix: &str| IdForm { number: true, prefix: prefix.to_owned() };
    Notation { users: form(""), conversations: form("diet_"), times: TimeForm::EpochMs }
}

#[test]
fn placeholders_keep_their_type_alone_and_become_text_within_one() {
    let plain = Notation::default();
    let table = [
        ("t = '{seq}'", json!(3)),
        ("t = '#{seq} by {sender.name}'", json!("#3 by Ada")),
        ("t = 'a {{b}} c'", json!("a {b} c")),
        ("t = '{sender}'", json!({"id": "5", "name": "Ada"})),
        ("t = '{metadata.clientId}'", json!(9)),
        ("t = '{type | upper}'", json!("TEXT")),
        ("t = [1, true, 'x', '{seq}']", json!([1, true, "x", 3])),
    ];
    for (template, expected) in table {
        assert_eq!(filled(template, &plain), expected, "{template}");
    }
}

#[test]
fn what_is_absent_is_null_left_out_or_replaced() {
    let plain = Notation::default();
    let table = [
        ("t.a = '{replyTo}'", json!({"a": null})),
        ("t.a = '{replyTo?}'", json!({})),
        ("t = '{replyTo?}'", json!("left out")),
        ("t = ['{replyTo?}', '{seq}']", json!([3])),
        ("t.a = '{replyTo ?? clientId ?? id}'", json!({"a": "m1"})),
        ("t.a = '{replyTo ?? clientId?}'", json!({})),
        ("t.a = '{replyTo ?? \"no | reply ?? }\"}'", json!({"a": "no | reply ?? }"})),
        ("t.a = '{replyTo ?? 0}'", json!({"a": 0})),
        ("t.a = 'to {replyTo}!'", json!({"a": "to !"})),
    ];
    for (template, expected) in table {
        assert_eq!(filled(template, &plain), expected, "{template}");
    }
}

#[test]
fn ids_and_times_are_written_as_the_wire_wants_them_wherever_they_stand() {
    let numbers = numbers();
    let table = [
        ("t = '{conversationId}'", json!(7)),
        ("t = 'diet_{conversationId}'", json!("diet_7")),
        ("t = '{sender}'", json!({"id": 5, "name": "Ada"})),
        ("t = '{createdAt}'", json!(1_769_851_800_007_i64)),
        ("t = '{createdAt | iso}'", json!("2026-01-31T09:30:00.007Z")),
    ];
    for (template, expected) in table {
        assert_eq!(filled(template, &numbers), expected, "{template}");
    }
    let whole = filled("t = '{$}'", &numbers);
    assert_eq!((&whole["senderId"], &whole["conversationId"]), (&json!(5), &json!(7)));
    assert_eq!(whole["metadata"], message()["metadata"], "the application's own fields are untouched");
    let ms = filled("t = '{createdAt | ms}'", &Notation::default());
    assert_eq!(ms, json!(1_769_851_800_007_i64));
}

#[test]
fn an_objects_entries_are_taken_over_except_those_that_the_template_names() {
    let template = "t = { id = '{id}', '...' = '{metadata}' }";
    assert_eq!(filled(template, &Notation::default()), json!({"id": "m1", "clientId": 9}));
    assert_eq!(filled("t = { a = 1, '...' = '{metadata.none}' }", &Notation::default()), json!({"a": 1}));
}

#[test]
fn lists_are_written_item_by_item() {
    let template = "t = { 'files[attachments]' = { url = '{url}', name = '{name?}', in = '{$.id}' } }";
    let expected = json!({"files": [{"url": "a", "in": "m1"}, {"url": "b", "name": "B", "in": "m1"}]});
    assert_eq!(filled(template, &Notation::default()), expected);
    assert_eq!(
        filled("t = { 'attachments[]' = '{@.url}' }", &Notation::default()),
        json!({"attachments": ["a", "b"]})
    );
    assert_eq!(filled("t = { 'x[metadata.none]' = 1 }", &Notation::default()), json!({"x": []}));
}

#[test]
fn an_answer_can_repeat_fields_of_the_command() {
    let scope = Scope::answering(reply(CommandName::MessageSend), CommandName::MessageSend);
    let template = compiled("t = { temp_id = '{request.client_id?}', id = '{message.id}' }", &scope).unwrap();
    let mut names = Vec::new();
    template.request_fields(&mut names);
    assert_eq!(names, ["client_id"]);
    let (reply, notation) = (json!({"message": message()}), Notation::default());
    let request = Map::from_iter([("client_id".to_owned(), json!("t1"))]);
    let written = render(&template, Data::new(&reply, &notation).with_request(&request)).unwrap();
    assert_eq!(written.get(), r#"{"id":"m1","temp_id":"t1"}"#);
}

#[test]
fn filters_change_what_they_are_for_and_nothing_else() {
    let plain = Notation::default();
    let table = [
        ("t = '{sender.name | lower}'", json!("ada")),
        ("t = '{metadata.id | upper}'", json!("NEVER")),
        ("t = '{metadata.clientId | upper}'", json!(9)),
        ("t = '{editedAt | present}'", json!(false)),
        ("t = '{sender | present}'", json!(true)),
        ("t = 'edited: {editedAt | present}, {sender | present}'", json!("edited: false, true")),
        ("t = '{replyTo ?? editedAt | present}'", json!(false)),
        ("t = '{type | is text}'", json!(true)),
        ("t = '{type | is \"text\"}'", json!(true)),
        ("t = '{content | is \"hi }| there\"}'", json!(false)),
        ("t = '{replyTo | is x}'", json!(false)),
        ("t = '{replyTo ?? \"x\" | is x}'", json!(true)),
        ("t.a = '{replyTo? | is x}'", json!({})),
        ("t = '{metadata.clientId | is 9}'", json!(false)),
        ("t = '{seq | plus -4}'", json!(-1)),
        ("t = '{metadata.clientId | plus 1}'", json!(10)),
        ("t = '{metadata.id | plus 1}'", json!("never")),
        ("t = '{seq|plus 9223372036854775807}'", json!(3)),
        ("t = '{replyTo ?? 1 | upper}'", json!(1)),
    ];
    for (template, expected) in table {
        assert_eq!(filled(template, &plain), expected, "{template}");
    }
}

#[test]
fn a_number_in_a_path_is_a_place_in_a_list() {
    let plain = Notation::default();
    let table = [
        ("t = '{attachments.0.url}'", json!("a")),
        ("t = '{attachments.1}'", json!({"url": "b", "name": "B"})),
        ("t.a = '{attachments.2.url?}'", json!({})),
        ("t = '{attachments.0.name ?? attachments.1.name}'", json!("B")),
        ("t = '{metadata.0}'", json!(null)),
    ];
    for (template, expected) in table {
        assert_eq!(filled(template, &plain), expected, "{template}");
    }
}

#[test]
fn an_object_over_a_list_has_an_entry_for_each_item() {
    let scope = Scope::of(EventName::ReactionUpdated.shape());
    let template = "t = { 'reactions[reactions by emoji]' = { count = '{count}', 'users[]' = '{id}' } }";
    let data = json!({"messageId": "m1", "reactions": [
        {"emoji": "👍", "count": 2, "users": [{"id": "5"}, {"id": "x"}]},
        {"emoji": "🎉", "count": 1, "users": [{"id": "6"}]},
        {"emoji": "👍", "count": 9, "users": []},
        {"count": 1, "users": []},
    ]});
    let written = |template: &str, data: &Value| {
        let template = compiled(template, &scope).expect(template);
        let notation = numbers();
        let json = render(&template, Data::new(data, &notation)).expect("it is not left out");
        json.get().to_owned()
    };
    let expected = r#"{"reactions":{"👍":{"count":2,"users":[5,"x"]},"🎉":{"count":1,"users":[6]}}}"#;
    assert_eq!(written(template, &data), expected, "the first of two items with one key counts");
    assert_eq!(
        written("t = { 'reactions[by emoji]' = '{count}' }", &data),
        r#"{"reactions":{"👍":2,"🎉":1}}"#
    );
    assert_eq!(written("t = { 'reactions[by emoji]' = '{count}' }", &json!({})), r#"{"reactions":{}}"#);
    let by_user = "t = { 'who[reactions.0.users by id]' = '{$.messageId}' }";
    assert_eq!(written(by_user, &data), r#"{"who":{"5":"m1","x":"m1"}}"#);
}

#[test]
fn what_can_never_be_filled_is_a_mistake() {
    let table = [
        (
            "t.a = '{contnet}'",
            "t.a: `{contnet}` can never be filled: there is no `contnet` (hint: did you mean `content`?)",
        ),
        ("t = '{content.text}'", "t: `{content.text}` can never be filled: there is no `text`"),
        ("t = '{request.client_id}'", "there is no `request`"),
        ("t = 'by {sender}'", "has an object or a list within a text"),
        ("t = '{seq | ms}'", "`ms` is for times only"),
        ("t = '{type | uper}'", "did you mean `upper`?"),
        ("t = '{type | upper | upper}'", "second filter"),
        ("t = '{seq | lower}'", "`lower` is for texts only"),
        ("t = '{type | upper now}'", "`upper now` says more than `upper`"),
        ("t = '{type | is}'", "`is` names no text"),
        ("t = '{type | is a b}'", "`is a b` names no text"),
        ("t = '{seq | is 3}'", "`is 3` is for texts only"),
        ("t = '{seq | plus x}'", "`plus x` names no whole number"),
        ("t = '{type | plus 1}'", "`plus 1` is for numbers only"),
        ("t.a = '{replyTo? | present}'", "`?` and a default say nothing"),
        ("t = '{replyTo ?? 1 | present}'", "`?` and a default say nothing"),
        ("t = '{sender.0}'", "there is no `0`"),
        ("t = '{attachments.first}'", "there is no `first`"),
        ("t = { 'a[attachments by $.id]' = 1 }", "`$.id` is no text of an item"),
        ("t = { 'a[content by x]' = 1 }", "`content` is no list"),
        ("t = '{id ?? \"x\" ?? seq}'", "`seq` in `{id ?? \"x\" ?? seq}` is never reached"),
        ("t = '{id ?? \"x\"?}'", "never absent"),
        ("t = '{id'", "not closed"),
        ("t = 'id}'", "without a `{`"),
        ("t = '{}'", "is no path"),
        ("t = { '...' = '{content}' }", "is no placeholder of an object"),
        ("t = { '...' = 'x' }", "is no placeholder of an object"),
        ("t = { 'a[content]' = 1 }", "`content` is no list"),
        ("t = { 'attachments[]' = 1, attachments = 2 }", "stands here twice"),
        ("t = 1979-05-27", "is a date"),
        ("t = inf", "is no number that JSON has"),
    ];
    for (template, expected) in table {
        let mistakes = compiled(template, &message_scope()).expect_err(template);
        let text = mistakes.iter().map(ToString::to_string).collect::<String>();
        assert!(text.contains(expected), "{template}: {text}");
    }
}

#[test]
fn a_template_knows_whether_it_has_a_field() {
    let join = CommandName::ConversationJoin;
    let table = [
        ("t = { ok = true, id = '{conversationId}' }", false),
        ("t = '{seq} of {request.conversation}'", false),
        ("t = 'members'", false),
        ("t = '{members}'", true),
        ("t = ['{seq}', { all = '{members}' }]", true),
        ("t = { 'who[members]' = '{$}' }", true),
        ("t = '{$}'", true),
        ("t = { ok = true, '...' = '{$}' }", true),
    ];
    for (template, expected) in table {
        let template_of = compiled(template, &Scope::answering(reply(join), join)).expect(template);
        assert_eq!(template_of.reads("members"), expected, "{template}");
    }
}
