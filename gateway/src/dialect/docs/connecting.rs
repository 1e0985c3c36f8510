//! What holds for a connection whatever is said on it: where it is made, by whom, how ids look, how fast it may be.

use toml::{Table, Value};

use super::{
    cell::{code, codes, place, shown},
    list_of, section, table_of, text_of, texts_of,
};

pub(super) fn write(text: &mut String, name: &str, file: &Table) {
    let mut rows = Vec::new();
    let mut row = |what: &str, value: String| {
        if !value.is_empty() {
            rows.push(vec![what.to_owned(), value]);
        }
    };
    let own = format!("/{name}");
    row("namespaces", codes(std::iter::once(own.as_str()).chain(texts_of(file, "namespaces"))));
    row("Socket.IO paths whose `/` is this dialect's", codes(texts_of(file, "paths")));
    row("hosts", codes(texts_of(file, "hosts")));
    row("web pages", codes(texts_of(file, "origins")));
    let ids = table_of(file, "ids");
    row("ids of users", ids.and_then(|ids| table_of(ids, "user")).map(id).unwrap_or_default());
    row(
        "ids of conversations",
        ids.and_then(|ids| table_of(ids, "conversation")).map(id).unwrap_or_default(),
    );
    row("times", text_of(file, "times").map(code).unwrap_or_default());
    if let Some(handshake) = table_of(file, "handshake") {
        handshakes(handshake, &mut row);
    }
    section(text, "Connecting", &["", ""], &rows);
    section(text, "Refused connections", &["code", "`message` of `connect_error`"], &pairs(file, "refusals"));
    section(text, "Quotas", &["event", "how often a user may send it"], &pairs(file, "quotas"));
    section(text, "Behaviour", &["key", ""], &behaviour(file));
}

fn id(ids: &Table) -> String {
    let kind = if text_of(ids, "type") == Some("number") { "numbers" } else { "texts" };
    match text_of(ids, "prefix") {
        Some(prefix) => format!("{kind}; in the gateway with {} in front", code(prefix)),
        None => kind.to_owned(),
    }
}

fn handshakes(handshake: &Table, row: &mut impl FnMut(&str, String)) {
    let places = |key| {
        handshake.get(key).filter(|_| !list_of(handshake, key).is_empty()).map(place).unwrap_or_default()
    };
    row("user, where no token is needed", places("user"));
    if handshake.get("must_match").and_then(Value::as_bool) == Some(true) {
        row("a user other than the token's", String::from("is refused"));
    }
    row("conversation of the connection", places("conversation"));
    let needs = match text_of(handshake, "needs_conversation") {
        Some("always") => "every client",
        Some("insecure") => "clients without a token",
        _ => "",
    };
    row("who must name one", needs.to_owned());
    for (claim, names) in table_of(handshake, "claims").into_iter().flatten() {
        row(&format!("claims of the token with the {claim}"), place(names));
    }
    let has_keys = ["secret_files", "public_key_files"].iter().any(|key| handshake.contains_key(*key));
    row("tokens", String::from(if has_keys { "are signed with keys of this dialect's own" } else { "" }));
}

/// A table of texts.
fn pairs(file: &Table, key: &str) -> Vec<Vec<String>> {
    let entries = table_of(file, key).into_iter().flatten();
    let text = |value: &Value| value.as_str().map_or_else(|| shown(value), str::to_owned);
    entries.map(|(name, value)| vec![code(name), text(value)]).collect()
}

fn behaviour(file: &Table) -> Vec<Vec<String>> {
    let entries = table_of(file, "behaviour").into_iter().flatten();
    entries.map(|(name, value)| vec![code(name), shown(value)]).collect()
}
