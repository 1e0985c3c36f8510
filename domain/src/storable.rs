//! What Postgres can store: text without U+0000, JSON whose strings and keys have none. Everything a client
//! writes passes here before it is acknowledged, so that no acknowledged entry is ever unpersistable.

use serde_json::Value;

/// Whether a `text` column takes it.
pub fn is_text(text: &str) -> bool {
    !text.contains('\0')
}

/// Whether a `jsonb` column takes it. Numbers need no check: whatever [`serde_json`] reads into a [`Value`]
/// is an integer of 64 bits or a finite double.
pub fn is_json(value: &Value) -> bool {
    match value {
        Value::String(text) => is_text(text),
        Value::Array(items) => items.iter().all(is_json),
        Value::Object(fields) => fields.iter().all(|(key, value)| is_text(key) && is_json(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

/// How deeply the free JSON of a message is nested at the most. The parser reads 128 levels, and what carries the JSON to
/// Postgres and to clients takes some of them.
pub const MAX_LEVELS: usize = 64;

/// Whether lists and objects lie within each other in at most so many levels.
pub fn is_within(levels: usize, value: &Value) -> bool {
    let below = |value| levels.checked_sub(1).is_some_and(|levels| is_within(levels, value));
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(below),
        Value::Object(fields) => levels > 0 && fields.values().all(below),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn levels_are_counted_through_lists_and_objects() {
        let nested = json!({"a": [{"b": 1}, 2]});
        assert!(is_within(3, &nested) && !is_within(2, &nested));
        assert!(is_within(0, &json!("x")) && is_within(1, &json!({})) && !is_within(0, &json!([])));
    }

    #[test]
    fn a_null_character_is_found_at_any_depth() {
        assert!(is_json(&json!({"a": [1, 2.5, {"b": "ok"}]})));
        assert!(!is_json(&json!({"a": [{"b": "no\u{0}"}]})));
        assert!(!is_json(&json!({"no\u{0}": 1})));
    }
}
