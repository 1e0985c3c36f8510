//! Checks where the fields of commands come from: paths with filters, tables that make objects, and lists of both.

use toml::{Table, Value};

use super::super::{
    mistake::Mistakes,
    path::ArgumentPath,
    section::join,
    source::{Filter, Source},
    vocabulary::Shape,
};

/// How a field can be written.
const FORMS: &str = "\"$\", [\"$\", \"id\"] or { url = \"fileUrl\" }";

/// Compiles a path, a table, or a list of those of which the first that fits is taken. What does not fit is noted and left
/// out.
pub(super) fn sources(value: &Value, shape: Shape, key: &str, mistakes: &Mistakes) -> Vec<Source> {
    let single = std::slice::from_ref(value);
    let written = match value {
        Value::Array(items) if !items.is_empty() => items.as_slice(),
        _ => single,
    };
    let mut sources = Vec::with_capacity(written.len());
    for value in written {
        let source = match value {
            Value::String(text) => place(text, shape, key, mistakes),
            Value::Table(table) => object(table, shape, key, mistakes),
            _ => {
                mistakes.add_with_hint(key, "is neither a path nor a list of paths or tables", FORMS);
                None
            }
        };
        match source {
            Some(source) if sources.contains(&source) => {
                mistakes.add(key, format!("{} stands here twice", shown(value)));
            }
            source => sources.extend(source),
        }
    }
    sources
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| String::from("a table"), |text| format!("`{text}`"))
}

/// `path`, or `path | filter | filter`.
fn place(text: &str, shape: Shape, key: &str, mistakes: &Mistakes) -> Option<Source> {
    let mut parts = text.split('|').map(str::trim);
    let path = match ArgumentPath::parse(parts.next().unwrap_or_default()) {
        Ok(path) => path,
        Err(problem) => {
            mistakes.add(key, problem);
            return None;
        }
    };
    let shape = match shape {
        Shape::List(item) if path.is_listed() => *item,
        _ if path.is_listed() => {
            mistakes.add(key, format!("`{text}` is a list, which the field is not"));
            return None;
        }
        shape => shape,
    };
    if path.is_canonical() && !matches!(shape, Shape::Text | Shape::User | Shape::Conversation | Shape::Json)
    {
        mistakes.add(key, format!("`{text}` is an id, which the field is not"));
        return None;
    }
    let mut filters = Vec::new();
    for filter in parts {
        match Filter::parse(filter) {
            Err((problem, hint)) => mistakes.add_with_hint(key, problem, hint),
            Ok(filter_of) => match filter_of.misses(shape) {
                Some(what) => mistakes.add(key, format!("`{filter}` is for {what}, which the field is not")),
                None => filters.push(filter_of),
            },
        }
    }
    Some(Source::At(path, filters))
}

/// `{ name = "path", … }`.
fn object(table: &Table, shape: Shape, key: &str, mistakes: &Mistakes) -> Option<Source> {
    let item = match shape {
        Shape::List(item) => *item,
        shape => shape,
    };
    if !matches!(item, Shape::Json | Shape::Object(_)) {
        mistakes.add(key, "is a table, which makes an object, which the field is not");
        return None;
    }
    if table.is_empty() {
        mistakes.add_with_hint(key, "is an empty table, which leads nowhere", FORMS);
        return None;
    }
    let entry = |(name, value): (&String, &Value)| {
        (name.clone(), sources(value, Shape::Json, &join(key, name), mistakes))
    };
    Some(Source::Object(table.iter().map(entry).collect()))
}
