//! A place in a handshake in which something is looked for.

use std::fmt;

use serde_json::{Number, Value};

use crate::dialect::mistake::Mistakes;

/// A place in a handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A field of the payload of the CONNECT packet, which may be in objects.
    Auth(Vec<String>),
    /// A parameter of the URL.
    Query(String),
}

/// The places that a file names under this key. One that there is not is noted, and so is an empty list.
pub(super) fn places(written: &[String], key: &str, example: &str, mistakes: &Mistakes) -> Vec<Place> {
    if written.is_empty() {
        mistakes.add_with_hint(
            key,
            "has no place",
            format!("leave it out, or name one such as \"{example}\""),
        );
    }
    let place = |text: &String| {
        let place = Place::parse(text);
        if place.is_none() {
            let hint = "write auth.<field> or query.<parameter>";
            mistakes.add_with_hint(key, format!("`{text}` is no place of a handshake"), hint);
        }
        place
    };
    written.iter().filter_map(place).collect()
}

/// The first text or whole number at one of the places. `auth` is the payload of the CONNECT packet.
pub(super) fn find(
    places: &[Place],
    auth: Option<&Value>,
    query: &impl Fn(&str) -> Option<String>,
) -> Option<String> {
    places.iter().find_map(|place| place.find(auth, query))
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auth(path) => write!(f, "auth.{}", path.join(".")),
            Self::Query(name) => write!(f, "query.{name}"),
        }
    }
}

impl Place {
    fn parse(text: &str) -> Option<Self> {
        match text.split_once('.')? {
            ("auth", path) => {
                let path: Vec<String> = path.split('.').map(str::to_owned).collect();
                (!path.iter().any(String::is_empty)).then_some(Self::Auth(path))
            }
            ("query", name) if !name.is_empty() => Some(Self::Query(name.to_owned())),
            _ => None,
        }
    }

    fn find(&self, auth: Option<&Value>, query: &impl Fn(&str) -> Option<String>) -> Option<String> {
        let found = match self {
            Self::Query(name) => query(name),
            Self::Auth(path) => {
                match path.iter().try_fold(auth?, |value, step| value.as_object()?.get(step))? {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) if is_whole(number) => Some(number.to_string()),
                    _ => None,
                }
            }
        };
        found.filter(|text| !text.is_empty())
    }
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}
