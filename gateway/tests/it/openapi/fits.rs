//! Whether a value is as a schema of the document says: as much of JSON Schema as the document uses.

use serde_json::Value;

/// What does not fit, and where; nothing when all does.
pub fn misfits(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    Check { document, found: &mut found }.check(schema, value, "$");
    found
}

struct Check<'a> {
    document: &'a Value,
    found: &'a mut Vec<String>,
}

impl Check<'_> {
    fn check(&mut self, schema: &Value, value: &Value, at: &str) {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointer = reference.strip_prefix('#').expect("a reference within the document");
            let target = self.document.pointer(pointer).unwrap_or_else(|| panic!("{reference} is not there"));
            return self.check(target, value, at);
        }
        if let Some(choices) = schema["oneOf"].as_array() {
            let fitting = choices.iter().filter(|choice| misfits(self.document, choice, value).is_empty());
            let count = fitting.count();
            return self.expect(count == 1, at, &format!("{value} fits {count} of {choices:?}"));
        }
        if let Some(parts) = schema["allOf"].as_array() {
            parts.iter().for_each(|part| self.check(part, value, at));
        }
        self.expect(is_of(&schema["type"], value), at, &format!("{value} is no {}", schema["type"]));
        let words = schema["enum"].as_array();
        self.expect(words.is_none_or(|words| words.contains(value)), at, &format!("{value} is no such word"));
        if let Some(items) = value.as_array() {
            let each = |(place, item): (usize, &Value)| {
                self.check(&schema["items"], item, &format!("{at}[{place}]"));
            };
            items.iter().enumerate().for_each(each);
        }
        if let Some(text) = value.as_str() {
            let length = text.chars().count() as u64;
            let most = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
            self.expect(
                (schema["minLength"].as_u64().unwrap_or(0)..=most).contains(&length),
                at,
                "is too long or short",
            );
        }
        if value.is_object() {
            self.fields(schema, value, at);
        }
    }

    fn fields(&mut self, schema: &Value, value: &Value, at: &str) {
        let none = serde_json::Map::new();
        let known = schema["properties"].as_object().unwrap_or(&none);
        for name in schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            self.expect(value.get(name).is_some(), at, &format!("has no {name}"));
        }
        for (name, field) in value.as_object().unwrap() {
            match known.get(name) {
                Some(schema) => self.check(schema, field, &format!("{at}.{name}")),
                None => self.expect(schema["additionalProperties"] != false, at, &format!("has a {name}")),
            }
        }
    }

    fn expect(&mut self, fits: bool, at: &str, misfit: &str) {
        if !fits {
            self.found.push(format!("{at} {misfit}"));
        }
    }
}

fn is_of(kind: &Value, value: &Value) -> bool {
    let is = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    };
    match kind {
        Value::Null => true,
        Value::String(kind) => is(kind),
        kinds => kinds.as_array().unwrap().iter().any(|kind| is(kind.as_str().unwrap())),
    }
}
