//! What a request has to have: where its fields and files stand, and how large it may be.

use std::ops::RangeInclusive;

use parlance_chassis::config::{Raw, parse};
use parlance_domain::command::CommandName;
use toml::{Table, Value};

use super::super::{
    super::{
        mistake::{Mistakes, did_you_mean},
        section::join,
    },
    Action, Written,
    place::Place,
};

/// What a body may have unless the file says more, in bytes.
const USUAL_BODY: usize = 2 * 1024 * 1024;
const BODIES: RangeInclusive<u64> = 1..=100 * 1024 * 1024;

/// Notes the fields that are looked for where a request has nothing.
pub(super) fn places_of_fields(fields: &Table, key: &str, parameters: &[&str], mistakes: &Mistakes) {
    for (name, value) in fields {
        places(value, &join(key, name), parameters, mistakes);
    }
}

fn places(value: &Value, key: &str, parameters: &[&str], mistakes: &Mistakes) {
    match value {
        Value::String(text) => {
            let path = text.split('|').next().unwrap_or_default().trim();
            let path = path.trim_start_matches('[').trim_end_matches(']');
            let (root, rest) = path.split_once('.').unwrap_or((path, ""));
            let first = rest.split('.').next().unwrap_or_default();
            match root {
                "path" if !parameters.contains(&first) => {
                    let hint = did_you_mean(first, parameters.iter().copied());
                    mistakes.add_with_hint(key, format!("the path has no `{{{first}}}`"), hint);
                }
                "path" | "query" | "body" => {}
                other if other.starts_with(['@', '$']) => {}
                _ => mistakes.add_with_hint(
                    key,
                    format!("`{text}` is nowhere in a request"),
                    "it begins with path., query. or body.",
                ),
            }
        }
        Value::Array(items) => items.iter().for_each(|item| places(item, key, parameters, mistakes)),
        Value::Table(table) => places_of_fields(table, key, parameters, mistakes),
        _ => {}
    }
}

/// The largest body, in bytes.
pub(super) fn max_body(written: &Written, mistakes: &Mistakes) -> usize {
    let Some(text) = written.max_body.as_deref() else { return USUAL_BODY };
    let key = join(written.key(), "max_body");
    let read = parse::byte_size(BODIES)(&Raw::Text(text.to_owned())).ok();
    let Some(bytes) = read.and_then(|bytes| usize::try_from(bytes).ok()) else {
        let problem = format!("`{text}` is no size up to 100 MiB");
        mistakes.add_with_hint(&key, problem, "write it like \"20MB\"");
        return USUAL_BODY;
    };
    if bytes > USUAL_BODY && written.uploads.is_empty() {
        mistakes.add_with_hint(
            &key,
            "is more than 2 MiB, which only files need",
            "name the places of data URLs in `uploads`",
        );
    }
    bytes
}

/// Where files stand.
pub(super) fn uploads(written: &Written, action: &Action, mistakes: &Mistakes) -> Vec<Place> {
    let key = join(written.key(), "uploads");
    let sends = matches!(action, Action::Command(rule) if rule.command == CommandName::MessageSend);
    if !written.uploads.is_empty() && !sends {
        mistakes.add(&key, "are for message.send: a file belongs to the message that comes with it");
    }
    let place = |text: &String| Place::parse(text).map_err(|problem| mistakes.add(&key, problem)).ok();
    written.uploads.iter().filter_map(place).collect()
}
