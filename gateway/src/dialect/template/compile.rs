//! Turns a TOML value into a template, noting every mistake in it.

use serde_json::{Number, Value};

use super::{
    super::{mistake::Mistakes, section::join, vocabulary::Shape},
    Base, Object, Part, Placeholder, Scope, Source, Template,
};

/// The entry that takes over another object's entries.
const SPREAD: &str = "...";

/// Compiles what stands under `key`. The result is of use only when no mistake was noted.
pub(in crate::dialect) fn compile(
    value: &toml::Value,
    key: &str,
    scope: &Scope,
    mistakes: &Mistakes,
) -> Template {
    match value {
        toml::Value::String(text) => text_template(text, key, scope, mistakes),
        toml::Value::Integer(number) => Template::Constant(Value::from(*number)),
        toml::Value::Boolean(flag) => Template::Constant(Value::from(*flag)),
        toml::Value::Float(number) => match Number::from_f64(*number) {
            Some(number) => Template::Constant(Value::Number(number)),
            None => unfit(key, "is no number that JSON has", mistakes),
        },
        toml::Value::Datetime(_) => unfit(key, "is a date, which JSON has not: write a text", mistakes),
        toml::Value::Array(items) => {
            let item = |(place, item)| compile(item, &format!("{key}[{place}]"), scope, mistakes);
            Template::List(items.iter().enumerate().map(item).collect())
        }
        toml::Value::Table(table) => Template::Object(object(table, key, scope, mistakes)),
    }
}

fn unfit(key: &str, problem: &str, mistakes: &Mistakes) -> Template {
    mistakes.add(key, problem);
    Template::Constant(Value::Null)
}

fn object(table: &toml::Table, key: &str, scope: &Scope, mistakes: &Mistakes) -> Object {
    let mut object = Object::default();
    for (name, value) in table {
        let key = join(key, name);
        if name == SPREAD {
            object.spread = spread(value, &key, scope, mistakes);
        } else if let Some(entry) = ListEntry::parse(name) {
            if let Some(each) = each(&entry, value, &key, scope, mistakes) {
                object.entries.push((entry.name.to_owned(), each));
            }
        } else {
            object.entries.push((name.clone(), compile(value, &key, scope, mistakes)));
        }
    }
    object.entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    for pair in object.entries.windows(2) {
        if let [(a, _), (b, _)] = pair
            && a == b
        {
            mistakes.add(&join(key, a), "stands here twice");
        }
    }
    object
}

/// `items[]` is `items` over the list `items`, `rows[items]` is `rows` over it. With `by`, as in `rows[items by id]` and
/// `items[by id]`, it is an object whose keys are in the items.
struct ListEntry<'t> {
    name: &'t str,
    list: &'t str,
    by: Option<&'t str>,
}

impl<'t> ListEntry<'t> {
    fn parse(entry: &'t str) -> Option<Self> {
        let (name, inner) = entry.strip_suffix(']')?.split_once('[')?;
        let (list, by) = match inner.strip_prefix("by ") {
            Some(by) => ("", Some(by.trim())),
            None => match inner.split_once(" by ") {
                Some((list, by)) => (list.trim(), Some(by.trim())),
                None => (inner, None),
            },
        };
        Some(Self { name, list: if list.is_empty() { name } else { list }, by })
    }
}

fn each(
    entry: &ListEntry<'_>,
    value: &toml::Value,
    key: &str,
    scope: &Scope,
    mistakes: &Mistakes,
) -> Option<Template> {
    let (source, scope) = items(entry.list, key, scope, mistakes)?;
    let by = match entry.by {
        Some(by) => Some(item_key(by, key, &scope, mistakes)?),
        None => None,
    };
    let template = Box::new(compile(value, key, &scope, mistakes));
    Some(match by {
        Some(by) => Template::Keyed(source, by, template),
        None => Template::Each(source, template),
    })
}

/// The list at a path, and the scope of its items. `None` when there is no list, which is noted.
pub(in crate::dialect) fn items(
    list: &str,
    key: &str,
    scope: &Scope,
    mistakes: &Mistakes,
) -> Option<(Source, Scope)> {
    let source = Source::parse(list, key, scope, mistakes)?;
    let item = match source.shape {
        Shape::List(item) => *item,
        Shape::Json => Shape::Json,
        _ => {
            mistakes.add(key, format!("`{list}` is no list"));
            return None;
        }
    };
    Some((source, Scope { item: Some(item), ..*scope }))
}

/// What the entries of an object are called.
fn item_key(by: &str, key: &str, scope: &Scope, mistakes: &Mistakes) -> Option<Source> {
    let source = Source::parse(by, key, scope, mistakes)?;
    let is_text = matches!(source.shape, Shape::Text | Shape::User | Shape::Conversation | Shape::Json);
    if source.base != Base::Item || !is_text {
        mistakes.add(key, format!("`{by}` is no text of an item, which a key has to be"));
        return None;
    }
    Some(source)
}

fn spread(value: &toml::Value, key: &str, scope: &Scope, mistakes: &Mistakes) -> Option<Placeholder> {
    let parts = value.as_str().map(|text| parts(text, key, scope, mistakes)).unwrap_or_default();
    match <[Part; 1]>::try_from(parts) {
        Ok([Part::Field(placeholder)])
            if placeholder.fallback.is_none()
                && placeholder.filter.is_none()
                && placeholder.shapes().all(|shape| matches!(shape, Shape::Object(_) | Shape::Json)) =>
        {
            Some(placeholder)
        }
        _ => {
            mistakes.add_with_hint(key, "is no placeholder of an object", "\"...\" = \"{$}\"");
            None
        }
    }
}

fn text_template(text: &str, key: &str, scope: &Scope, mistakes: &Mistakes) -> Template {
    let parts = parts(text, key, scope, mistakes);
    if let [Part::Field(placeholder)] = parts.as_slice() {
        return Template::Field(placeholder.clone());
    }
    let mut constant = String::new();
    for part in &parts {
        match part {
            Part::Literal(text) => constant.push_str(text),
            Part::Field(placeholder) => {
                if placeholder.is_compound() {
                    mistakes.add(key, "has an object or a list within a text");
                }
            }
        }
    }
    if parts.iter().any(|part| matches!(part, Part::Field(_))) {
        Template::Text(parts)
    } else {
        Template::Constant(Value::String(constant))
    }
}

/// Cuts a text at its placeholders. `{{` and `}}` are braces that stay.
fn parts(text: &str, key: &str, scope: &Scope, mistakes: &Mistakes) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '{' | '}' if rest.next_if_eq(&next).is_some() => literal.push(next),
            '{' => {
                let mut quoted = false;
                let mut closed = false;
                let mut inner = String::new();
                for next in rest.by_ref() {
                    if next == '}' && !quoted {
                        closed = true;
                        break;
                    }
                    quoted ^= next == '"';
                    inner.push(next);
                }
                if !closed {
                    mistakes.add_with_hint(key, "has a `{` that is not closed", "a brace is written {{");
                }
                if !literal.is_empty() {
                    parts.push(Part::Literal(std::mem::take(&mut literal)));
                }
                let placeholder = Placeholder::parse(&inner, key, scope, mistakes);
                parts.push(Part::Field(placeholder));
            }
            '}' => mistakes.add_with_hint(key, "has a `}` without a `{`", "a brace is written }}"),
            other => literal.push(other),
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    parts
}
