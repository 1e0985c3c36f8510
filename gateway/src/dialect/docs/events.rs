//! The events of both ways, and what all answers have in common.

use parlance_domain::command::CommandName;
use toml::{Table, Value};

use super::{
    super::vocabulary::{EventName, Scope},
    cell::{code, codes, conditions, fields, shown, words},
    list_of, section, table_of, tables_of, text_of, texts_of,
};

pub(super) fn write(text: &mut String, file: &Table) {
    answers(text, file);
    let rows: Vec<_> = tables_of(file, "inbound").map(inbound).collect();
    section(text, "Events from clients", &["event", "when", "what it is", "fields", "answer"], &rows);
    let rows: Vec<_> = tables_of(file, "outbound").map(outbound).collect();
    section(text, "Events to clients", &["event", "on", "to", "when", "payload"], &rows);
}

/// What every answer is that no rule changes.
fn answers(text: &mut String, file: &Table) {
    let form = |key: &str, what: &str| {
        let Some(form) = table_of(file, key) else { return Vec::new() };
        let mut rows = Vec::new();
        let ack = form.get("ack").map(shown);
        rows.extend(ack.map(|ack| vec![what.to_owned(), String::from("acknowledgement"), ack]));
        let emits = tables_of(form, "emit").map(|emit| vec![what.to_owned(), emitted(emit), payload(emit)]);
        rows.extend(emits);
        rows.extend(words(form).into_iter().map(|words| vec![what.to_owned(), String::from("text"), words]));
        rows
    };
    let mut rows = form("answer", "carried out");
    rows.extend(form("failure", "refused"));
    section(text, "Answers", &["", "", "unless the event says otherwise"], &rows);
}

/// An event to the caller, and when it is sent.
fn emitted(emit: &Table) -> String {
    let mut said = format!("event {}", text_of(emit, "event").map(code).unwrap_or_default());
    if emit.get("only_without_ack").and_then(Value::as_bool) == Some(true) {
        said.push_str(" when no acknowledgement was asked for");
    }
    let conditions = conditions(emit);
    if !conditions.is_empty() {
        said.push_str(&format!(" when {}", conditions.join(" and ")));
    }
    said
}

fn payload(rule: &Table) -> String {
    rule.get("payload").map_or_else(|| String::from("none"), shown)
}

fn inbound(rule: &Table) -> Vec<String> {
    let names = text_of(rule, "event").into_iter().chain(texts_of(rule, "aliases"));
    vec![codes(names), conditions(rule).join(" and "), command(rule), fields(rule), answer(rule)]
}

/// The command and what it does.
pub(super) fn command(rule: &Table) -> String {
    let Some(word) = text_of(rule, "command") else { return String::new() };
    let about = CommandName::parse(word).map(CommandName::about).unwrap_or_default();
    if about.is_empty() { code(word) } else { format!("{}: {about}", code(word)) }
}

/// Where the answer differs from the file's.
fn answer(rule: &Table) -> String {
    let mut all = Vec::new();
    for (key, what) in [("answer", "acknowledgement"), ("failure", "refused")] {
        let Some(form) = table_of(rule, key) else { continue };
        all.extend(form.get("ack").map(|ack| format!("{what} {}", shown(ack))));
        let refused = if key == "failure" { "refused " } else { "" };
        if form.contains_key("emit") && list_of(form, "emit").is_empty() {
            all.push(format!("{refused}no event"));
        }
        all.extend(
            tables_of(form, "emit").map(|emit| format!("{refused}{} {}", emitted(emit), payload(emit))),
        );
        all.extend(words(form));
    }
    all.join("; ")
}

fn outbound(rule: &Table) -> Vec<String> {
    let on = text_of(rule, "on").unwrap_or_default();
    let mut when = conditions(rule);
    when.extend(text_of(rule, "each").map(|list| format!("for each of {}", code(list))));
    let event = text_of(rule, "event").map(code).unwrap_or_default();
    vec![event, code(on), to(rule, on).to_owned(), when.join(" and "), payload(rule)]
}

fn to<'r>(rule: &'r Table, on: &str) -> &'r str {
    match EventName::parse(on).map(EventName::scope) {
        Some(Scope::User) => "the user's sockets",
        Some(Scope::Socket) => "the socket",
        Some(Scope::Conversation) | None => text_of(rule, "audience").unwrap_or("everyone"),
    }
}
