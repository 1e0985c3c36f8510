//! Where a field stands in the arguments of an inbound event: parsed once, followed for each event.
//!
//! | written | means |
//! |---|---|
//! | `$` | the whole first argument |
//! | `$2` | the whole second argument |
//! | `data.content` | a field of the first argument |
//! | `$2.name` | a field of the second argument |
//! | `[messageId]` | a list with that one value in it |

use serde_json::Value;

/// The most arguments that a path can reach.
const MAX_ARGUMENTS: usize = 9;

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArgumentPath {
    argument: usize,
    keys: Vec<String>,
    listed: bool,
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
        Ok(Self { argument, keys, listed })
    }

    /// What stands there; `null` counts as nothing.
    pub(super) fn find<'v>(&self, arguments: &'v [Value]) -> Option<&'v Value> {
        let mut value = arguments.get(self.argument)?;
        for key in &self.keys {
            value = value.as_object()?.get(key)?;
        }
        (!value.is_null()).then_some(value)
    }

    /// Takes what stands there and leaves `null`.
    pub(super) fn take(&self, arguments: &mut [Value]) -> Option<Value> {
        let mut value = arguments.get_mut(self.argument)?;
        for key in &self.keys {
            value = value.as_object_mut()?.get_mut(key)?;
        }
        (!value.is_null()).then(|| value.take())
    }

    /// Whether the value is to be put into a list.
    pub(super) fn is_listed(&self) -> bool {
        self.listed
    }

    /// Whether one path leads to or through what the other leads to.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.argument == other.argument && self.keys.iter().zip(&other.keys).all(|(a, b)| a == b)
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
        let found = |path: &str| ArgumentPath::parse(path).unwrap().find(&arguments).cloned();
        assert_eq!(found("data.content"), Some(json!("hi")));
        assert_eq!(found("$.data.content"), Some(json!("hi")));
        assert_eq!(found("$2"), Some(json!(7)));
        for nowhere in ["nothing", "data.other", "$2.content", "$3", "data.content.x"] {
            assert_eq!(found(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn malformed_paths_are_refused() {
        for bad in ["", "a..b", "$.", "$0", "$10", "$x", "$+1", "[]", ".a"] {
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
    }
}
