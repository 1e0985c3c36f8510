//! The AsyncAPI 3 document of the gateway's own protocol, made from its dialect file and the canonical vocabulary:
//! `gateway asyncapi` prints it, and `docs/asyncapi.json` is the committed copy.
//!
//! <https://www.asyncapi.com/docs/reference/specification/v3.0.0>

use std::collections::BTreeSet;

use parlance_domain::command::CommandName;
use serde_json::{Map, Value, json};

use super::{
    mistake::Mistakes,
    shipped::NATIVE,
    table::{self, File, Inbound, Outbound},
    vocabulary::{self, EventName, Shape},
};

const ABOUT: &str = "\
The native protocol of Parlance, as Socket.IO events. A client sends an event with one object and may ask for its \
acknowledgement, which every command answers; docs/protocol.md tells the rest.";

/// The document as `docs/asyncapi.json` has it.
pub fn text() -> String {
    format!("{:#}\n", document())
}

fn document() -> Value {
    let file = table::read(NATIVE.text, &Mistakes::of(NATIVE.file)).unwrap_or_default();
    let mut messages = Map::new();
    let mut operations = Map::new();
    for rule in &file.inbound {
        describe_inbound(rule, &mut messages, &mut operations);
    }
    for rule in &file.outbound {
        describe_outbound(rule, &mut messages, &mut operations);
    }
    describe_refusals(&file, &mut messages, &mut operations);
    let in_channel = |name: &String| (name.clone(), reference("#/components/messages/", name));
    let channel = json!({
        "address": "/socket.io/",
        "description": "The Socket.IO namespace `/` (or `/native`); the token stands in `auth.token`.",
        "messages": messages.keys().map(in_channel).collect::<Map<_, _>>(),
    });
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Parlance",
            "version": "v1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {"socket": channel},
        "operations": operations,
        "components": {"messages": messages},
    })
}

/// What clients send, and the acknowledgement that they get.
fn describe_inbound(rule: &Inbound, messages: &mut Map<String, Value>, operations: &mut Map<String, Value>) {
    let Some((event, command)) =
        rule.event.as_deref().zip(rule.command.as_deref().and_then(CommandName::parse))
    else {
        return;
    };
    let (name, answer) = (word(event), format!("{}Answer", word(event)));
    messages.insert(name.clone(), message(event, command.about(), &arguments(rule, command)));
    let reply = json!({"type": "object", "properties": {"ok": {"const": true}}, "required": ["ok"]});
    let reply = extended(reply, &schema(vocabulary::reply(command)));
    messages.insert(
        answer.clone(),
        message(event, "The acknowledgement of a command that was carried out.", &reply),
    );
    let operation = json!({
        "action": "receive",
        "summary": command.about(),
        "channel": reference("#/channels/", "socket"),
        "messages": [reference("#/channels/socket/messages/", &name)],
        "reply": {
            "channel": reference("#/channels/", "socket"),
            "messages": [
                reference("#/channels/socket/messages/", &answer),
                reference("#/channels/socket/messages/", "refusedAnswer"),
            ],
        },
    });
    operations.insert(format!("send{}", capital(&name)), operation);
}

/// The object that an event has for its only argument.
fn arguments(rule: &Inbound, command: CommandName) -> Value {
    let mut properties = Map::new();
    let mut places = BTreeSet::new();
    for (field, path) in &rule.fields {
        let Some((path, shape)) = path.as_str().zip(vocabulary::argument(command, field)) else { continue };
        if path == "$" {
            return schema(shape);
        }
        properties.insert(path.to_owned(), schema(shape));
        places.insert((field.as_str(), path));
    }
    // Of the fields that a command needs, those without an alternative.
    let always = vocabulary::needed(command).iter().filter_map(|any| match any {
        [one] => Some(*one),
        _ => None,
    });
    let place = |field: &str| places.iter().find(|(name, _)| *name == field).map(|(_, path)| *path);
    json!({
        "type": "object",
        "properties": properties,
        "required": always.filter_map(place).collect::<Vec<_>>(),
    })
}

/// What clients are sent.
fn describe_outbound(
    rule: &Outbound,
    messages: &mut Map<String, Value>,
    operations: &mut Map<String, Value>,
) {
    let Some((event, on)) = rule.event.as_deref().zip(rule.on.as_deref().and_then(EventName::parse)) else {
        return;
    };
    let name = word(event);
    let payload = rule.payload.as_ref().map_or(json!({}), |payload| template(payload, on.shape()));
    messages.insert(name.clone(), message(event, on.about(), &payload));
    let operation = json!({
        "action": "send",
        "summary": on.about(),
        "description": match rule.audience.as_deref() {
            Some("others") => "To the sockets that have joined the conversation, but not the one that it comes from.",
            Some(_) => "To the sockets that have joined the conversation.",
            None => "To the user or the socket that it is for.",
        },
        "channel": reference("#/channels/", "socket"),
        "messages": [reference("#/channels/socket/messages/", &name)],
    });
    operations.insert(format!("receive{}", capital(&name)), operation);
}

/// A refused command: in its acknowledgement, or as an event when the client asked for none.
fn describe_refusals(file: &File, messages: &mut Map<String, Value>, operations: &mut Map<String, Value>) {
    if let Some(ack) = &file.failure.ack {
        let about = "The acknowledgement of a command that was refused.";
        let payload = template(ack, vocabulary::FAILURE);
        messages.insert("refusedAnswer".to_owned(), message("(acknowledgement)", about, &payload));
    }
    for emit in file.failure.emit.iter().flatten() {
        let Some((event, payload)) = emit.event.as_deref().zip(emit.payload.as_ref()) else { continue };
        let about = "A command without an acknowledgement was refused.";
        let name = word(event);
        messages.insert(name.clone(), message(event, about, &template(payload, vocabulary::FAILURE)));
        let operation = json!({
            "action": "send",
            "summary": about,
            "channel": reference("#/channels/", "socket"),
            "messages": [reference("#/channels/socket/messages/", &name)],
        });
        operations.insert(format!("receive{}", capital(&name)), operation);
    }
}

fn message(event: &str, about: &str, payload: &Value) -> Value {
    json!({"name": event, "title": event, "summary": about, "payload": payload})
}

fn reference(place: &str, name: &str) -> Value {
    json!({"$ref": format!("{place}{name}")})
}

/// The schema of what a template makes.
fn template(value: &toml::Value, data: Shape) -> Value {
    match value {
        toml::Value::String(text) => placeholder(text, data),
        toml::Value::Boolean(flag) => json!({"const": flag}),
        toml::Value::Integer(number) => json!({"const": number}),
        toml::Value::Table(table) => {
            let property = |(name, value): (&String, &toml::Value)| (name.clone(), template(value, data));
            json!({"type": "object", "properties": table.iter().map(property).collect::<Map<_, _>>()})
        }
        _ => json!({}),
    }
}

/// `{$}` is everything, `{a.b?}` a field.
fn placeholder(text: &str, data: Shape) -> Value {
    let Some(path) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
        return json!({"const": text});
    };
    let path = path.trim_end_matches('?');
    let mut shape = data;
    for name in path.split('.').filter(|name| *name != "$") {
        shape = shape.field(name).unwrap_or(Shape::Json);
    }
    schema(shape)
}

/// The JSON schema of a canonical value. Fields may be null or missing where docs/protocol.md says so.
fn schema(shape: Shape) -> Value {
    match shape {
        Shape::Text | Shape::User | Shape::Conversation => json!({"type": ["string", "null"]}),
        Shape::Number => json!({"type": ["integer", "null"]}),
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Time => json!({"type": ["string", "null"], "format": "date-time"}),
        Shape::Json => json!({}),
        Shape::List(item) => json!({"type": "array", "items": schema(*item)}),
        Shape::Object(fields) => {
            let property = |field: &vocabulary::Field| (field.name.to_owned(), schema(field.shape));
            json!({"type": ["object", "null"], "properties": fields.iter().map(property).collect::<Map<_, _>>()})
        }
    }
}

/// An object's schema with the properties of another.
fn extended(mut base: Value, more: &Value) -> Value {
    let more = more.get("properties").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(properties) = base.get_mut("properties").and_then(Value::as_object_mut) {
        properties.extend(more);
    }
    base
}

/// `message:created` as `messageCreated`.
fn word(event: &str) -> String {
    let mut parts = event.split(':');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |word, part| word + &capital(part))
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_ascii_uppercase().to_string()).unwrap_or_default()
        + characters.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_of_the_protocol_is_in_the_document() {
        let document = document();
        let names: BTreeSet<&str> = document["components"]["messages"]
            .as_object()
            .unwrap()
            .values()
            .map(|message| message["name"].as_str().unwrap())
            .collect();
        for event in
            ["message:send", "message:created", "reaction:toggle", "call:signal", "session:ready", "error"]
        {
            assert!(names.contains(event), "{event}");
        }
        let sent = &document["components"]["messages"]["messageSend"]["payload"];
        assert_eq!(sent["required"], json!(["conversationId"]));
        assert_eq!(sent["properties"]["replyTo"]["type"], json!(["string", "null"]));
    }

    #[test]
    fn the_committed_document_is_current() {
        let committed = include_str!("../../../docs/asyncapi.json");
        assert!(text() == committed, "run: cargo run -p parlance-gateway -- asyncapi > docs/asyncapi.json");
    }
}
