//! How the things of a dialect file are written in a cell of a Markdown table.

use toml::{Table, Value};

use super::{table_of, texts_of};

/// One row. What would end a cell, or the row, is escaped.
pub(super) fn row(text: &mut String, cells: &[&str]) {
    let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|").replace('\n', " ")).collect();
    text.push_str(&format!("| {} |\n", cells.join(" | ")));
}

pub(super) fn code(word: &str) -> String {
    if word.contains('`') { format!("`` {word} ``") } else { format!("`{word}`") }
}

pub(super) fn codes<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    words.into_iter().map(code).collect::<Vec<_>>().join(", ")
}

/// A value as clients would read it: JSON, with the placeholders of a template in it.
pub(super) fn json(value: &Value) -> String {
    match value {
        Value::Table(table) => {
            let entries = table.iter().map(|(name, value)| format!("{}: {}", quoted(name), json(value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(json).collect::<Vec<_>>().join(", ")),
        Value::String(text) => quoted(text),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

pub(super) fn shown(value: &Value) -> String {
    code(&json(value))
}

/// `when`, `present` and `absent`.
pub(super) fn conditions(rule: &Table) -> Vec<String> {
    let mut all = Vec::new();
    for (place, value) in table_of(rule, "when").into_iter().flatten() {
        let value = value.as_str().map_or_else(|| shown(value), code);
        all.push(format!("{} is {value}", code(place)));
    }
    all.extend(texts_of(rule, "present").map(|place| format!("{} present", code(place))));
    all.extend(texts_of(rule, "absent").map(|place| format!("{} absent", code(place))));
    all
}

/// `fields`, `constants` and `defaults`.
pub(super) fn fields(rule: &Table) -> String {
    let entries = |key| table_of(rule, key).into_iter().flatten();
    let places = entries("fields").map(|(name, value)| format!("{}: {}", code(name), place(value)));
    let constants =
        entries("constants").map(|(name, value)| format!("{}: always {}", code(name), shown(value)));
    let defaults =
        entries("defaults").map(|(name, value)| format!("{}: {} when absent", code(name), shown(value)));
    places.chain(constants).chain(defaults).collect::<Vec<_>>().join("; ")
}

/// Where something is read from: a path, an object of several, or the first of a list of those that fits.
pub(super) fn place(value: &Value) -> String {
    match value {
        Value::String(path) => code(path),
        Value::Array(places) => places.iter().map(place).collect::<Vec<_>>().join(" or "),
        Value::Table(object) => {
            let entries = object.iter().map(|(name, value)| format!("{}: {}", code(name), place(value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        other => shown(other),
    }
}

/// Words of one's own for codes: `texts` and `codes`.
pub(super) fn words(form: &Table) -> Vec<String> {
    let texts = table_of(form, "texts").into_iter().flatten();
    let codes = table_of(form, "codes").into_iter().flatten();
    let texts = texts.map(|(name, text)| format!("{}: {}", code(name), text.as_str().unwrap_or_default()));
    texts.chain(codes.map(|(name, own)| format!("{} is told as {}", code(name), shown(own)))).collect()
}
