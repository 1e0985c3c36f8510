//! Where something stands in an inbound event or beside it: parsed once, followed for each event.
//!
//! | written | means |
//! |---|---|
//! | `$` | the whole first argument |
//! | `$2` | the whole second argument |
//! | `data.content` | a field of the first argument |
//! | `$2.name` | a field of the second argument |
//! | `[messageId]` | a list with that one value in it |
//! | `@conversation` | the conversation that the connection implies |
//! | `@user` | the user whose the connection is |

use std::borrow::Cow;

use parlance_domain::id::{ConversationId, UserId};
use serde_json::{Map, Value};

/// The most arguments that a path can reach.
const MAX_ARGUMENTS: usize = 9;

/// What is known of the connection that an event comes from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context<'a> {
    /// The conversation that its handshake implies, if any.
    pub conversation: Option<&'a ConversationId>,
    /// Whose it is, if that is known.
    pub user: Option<&'a UserId>,
}

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArgumentPath {
    root: Root,
    keys: Vec<String>,
    listed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Argument(usize),
    Conversation,
    User,
}

impl ArgumentPath {
    /// Reads a path.
    ///
    /// # Errors
    /// What is wrong with it, to stand behind the key that it is the value of.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let listed = inner.is_some();
        let inner = inner.unwrap_or(text);
        if let Some(word) = inner.strip_prefix('@') {
            let root = match word {
                "conversation" => Root::Conversation,
                "user" => Root::User,
                _ => return Err(format!("`@{word}` is no place; there are `@conversation` and `@user`")),
            };
            return Ok(Self { root, keys: Vec::new(), listed });
        }
        let (argument, keys) = match inner.strip_prefix('$') {
            None => (0, Some(inner)),
            Some(rest) => {
                let (number, keys) = match rest.split_once('.') {
                    Some((number, keys)) => (number, Some(keys)),
                    None => (rest, None),
                };
                (argument(number)?, keys)
            }
        };
        let keys: Vec<String> =
            keys.map(|keys| keys.split('.').map(str::to_owned).collect()).unwrap_or_default();
        if keys.iter().any(String::is_empty) {
            return Err(format!("`{text}` has an empty name in it"));
        }
        if inner.contains('|') {
            return Err(format!("`{text}` has a filter, which only the places of fields have"));
        }
        Ok(Self { root: Root::Argument(argument), keys, listed })
    }

    /// What stands there; `null` counts as nothing.
    pub(super) fn find<'v>(&self, arguments: &'v [Value], context: Context<'_>) -> Option<Cow<'v, Value>> {
        let argument = match self.root {
            Root::Argument(argument) => argument,
            Root::Conversation => return context.conversation.map(|id| Cow::Owned(id.as_str().into())),
            Root::User => return context.user.map(|id| Cow::Owned(id.as_str().into())),
        };
        let mut value = arguments.get(argument)?;
        for key in &self.keys {
            value = value.as_object()?.get(key)?;
        }
        (!value.is_null()).then_some(Cow::Borrowed(value))
    }

    /// Takes what stands there and leaves `null`, if it is in an argument.
    pub(super) fn take(&self, arguments: &mut [Value], context: Context<'_>) -> Option<Value> {
        let Root::Argument(argument) = self.root else {
            return self.find(arguments, context).map(Cow::into_owned);
        };
        let mut value = arguments.get_mut(argument)?;
        for key in &self.keys {
            value = value.as_object_mut()?.get_mut(key)?;
        }
        (!value.is_null()).then(|| value.take())
    }

    /// Writes a value there. `false` when something else is in the way, or when it leads to no argument.
    pub(super) fn put(&self, arguments: &mut Vec<Value>, value: Value) -> bool {
        let Root::Argument(argument) = self.root else { return false };
        if arguments.len() <= argument {
            arguments.resize(argument + 1, Value::Null);
        }
        let Some(mut place) = arguments.get_mut(argument) else { return false };
        for key in &self.keys {
            if place.is_null() {
                *place = Value::Object(Map::new());
            }
            let Some(fields) = place.as_object_mut() else { return false };
            place = fields.entry(key.as_str()).or_insert(Value::Null);
        }
        let is_free = place.is_null();
        if is_free {
            *place = value;
        }
        is_free
    }

    /// Whether the value is to be put into a list.
    pub(super) fn is_listed(&self) -> bool {
        self.listed
    }

    /// Whether it leads to a canonical id, whatever clients write for it.
    pub(super) fn is_canonical(&self) -> bool {
        !matches!(self.root, Root::Argument(_))
    }

    /// Whether one path leads to or through what the other leads to.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.root == other.root && self.keys.iter().zip(&other.keys).all(|(a, b)| a == b)
    }
}

fn argument(number: &str) -> Result<usize, String> {
    if number.is_empty() {
        return Ok(0);
    }
    match number.parse::<usize>() {
        Ok(place @ 1..=MAX_ARGUMENTS) if number.bytes().all(|byte| byte.is_ascii_digit()) => Ok(place - 1),
        _ => Err(format!("`${number}` is no argument; they are $1 to ${MAX_ARGUMENTS}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_to_arguments_and_their_fields() {
        let arguments = [json!({"data": {"content": "hi"}, "nothing": null}), json!(7)];
        let found = |path: &str| {
            ArgumentPath::parse(path).unwrap().find(&arguments, Context::default()).map(Cow::into_owned)
        };
        assert_eq!(found("data.content"), Some(json!("hi")));
        assert_eq!(found("$.data.content"), Some(json!("hi")));
        assert_eq!(found("$2"), Some(json!(7)));
        for nowhere in
            ["nothing", "data.other", "$2.content", "$3", "data.content.x", "@conversation", "@user"]
        {
            assert_eq!(found(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn what_is_put_somewhere_is_found_there() {
        let mut arguments = Vec::new();
        let put = |arguments: &mut Vec<Value>, path: &str, value: Value| {
            ArgumentPath::parse(path).unwrap().put(arguments, value)
        };
        assert!(put(&mut arguments, "$2.a.b", json!(1)) && put(&mut arguments, "$2.a.c", json!(2)));
        assert!(put(&mut arguments, "[x]", json!(3)));
        assert_eq!(arguments, [json!({"x": 3}), json!({"a": {"b": 1, "c": 2}})]);
        for taken in ["$", "x", "x.y", "$2.a", "@user"] {
            assert!(!put(&mut arguments, taken, json!(4)), "{taken}");
        }
        assert_eq!(arguments, [json!({"x": 3}), json!({"a": {"b": 1, "c": 2}})]);
    }

    #[test]
    fn the_connection_has_a_conversation_and_a_user() {
        let (conversation, user) = (ConversationId::new("c").unwrap(), UserId::new("u").unwrap());
        let context = Context { conversation: Some(&conversation), user: Some(&user) };
        let mut arguments = [json!({"@user": "not this"})];
        for (path, id) in [("@conversation", "c"), ("@user", "u"), ("[@user]", "u")] {
            let path = ArgumentPath::parse(path).unwrap();
            for _ in 0..2 {
                assert_eq!(
                    path.take(&mut arguments, context),
                    Some(json!(id)),
                    "it is there any number of times"
                );
            }
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for bad in [
            "",
            "a..b",
            "$.",
            "$0",
            "$10",
            "$x",
            "$+1",
            "[]",
            ".a",
            "@",
            "@me",
            "@user.name",
            "[@]",
            "a|trim",
        ] {
            assert!(ArgumentPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn overlapping_paths_are_recognised() {
        let overlap =
            |a: &str, b: &str| ArgumentPath::parse(a).unwrap().overlaps(&ArgumentPath::parse(b).unwrap());
        assert!(overlap("$", "a"));
        assert!(overlap("a", "a.b"));
        assert!(!overlap("a.c", "a.b"));
        assert!(!overlap("$2", "a"));
        assert!(!overlap("$", "@user"));
    }
}
