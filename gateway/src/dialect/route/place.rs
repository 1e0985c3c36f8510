//! Where data URLs stand in a body: `body.photo`, `body.photos[]`, `body.photos[].imageData`.

use serde_json::{Map, Value};

/// What may stand in for a file in one request: as many attachments as a message has.
const ROOT: &str = "body";

/// A parsed place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    steps: Vec<Step>,
    /// The field of a list's items in which the text stands: the file then takes the item's place, not the text's.
    field: Option<String>,
    written: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Field(String),
    Items,
}

/// A text that was taken out of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The text.
    pub text: String,
    /// What the file names as the place.
    pub place: String,
    /// The JSON pointer of what stands there instead, within the body.
    at: String,
}

impl Place {
    /// Reads a place.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut names = text.split('.');
        if names.next() != Some(ROOT) {
            return Err(format!("`{text}` is not in the body: it begins with `body.`"));
        }
        let mut steps = Vec::new();
        for name in names {
            let (field, is_list) = name.strip_suffix("[]").map_or((name, false), |field| (field, true));
            if field.is_empty() || field.contains(['[', ']']) {
                return Err(format!("`{text}` has a name that is none"));
            }
            steps.push(Step::Field(field.to_owned()));
            if is_list {
                steps.push(Step::Items);
            }
        }
        if steps.is_empty() {
            return Err(format!("`{text}` is the whole body"));
        }
        let field = match steps.as_slice() {
            [.., Step::Items, Step::Field(field)] => Some(field.clone()),
            _ => None,
        };
        if field.is_some() {
            steps.pop();
        }
        Ok(Self { steps, field, written: text.to_owned() })
    }

    /// Takes every text there is, and leaves an object in its place.
    pub(super) fn take(&self, body: &mut Value, taken: &mut Vec<Taken>) {
        self.walk(&self.steps, body, &mut String::new(), taken);
    }

    fn walk(&self, steps: &[Step], value: &mut Value, at: &mut String, taken: &mut Vec<Taken>) {
        let length = at.len();
        match (steps.split_first(), value) {
            (None, value) => self.take_from(value, at, taken),
            (Some((Step::Field(name), rest)), Value::Object(fields)) => {
                if let Some(inner) = fields.get_mut(name) {
                    at.push('/');
                    at.push_str(&name.replace('~', "~0").replace('/', "~1"));
                    self.walk(rest, inner, at, taken);
                }
            }
            (Some((Step::Items, rest)), Value::Array(items)) => {
                for (number, item) in items.iter_mut().enumerate() {
                    at.truncate(length);
                    at.push('/');
                    at.push_str(&number.to_string());
                    self.walk(rest, item, at, taken);
                }
            }
            _ => {}
        }
        at.truncate(length);
    }

    fn take_from(&self, value: &mut Value, at: &str, taken: &mut Vec<Taken>) {
        let text = match (&self.field, &mut *value) {
            (None, Value::String(text)) => std::mem::take(text),
            (Some(field), Value::Object(item)) if item.get(field).is_some_and(Value::is_string) => {
                match item.remove(field) {
                    Some(Value::String(text)) => text,
                    _ => return,
                }
            }
            _ => return,
        };
        if self.field.is_none() {
            *value = Value::Object(Map::new());
        }
        taken.push(Taken { text, place: self.written.clone(), at: at.to_owned() });
    }
}

/// Puts a file where its text stood: its fields join those that the object has, and win.
pub fn put_back(body: &mut Value, taken: &Taken, file: Map<String, Value>) {
    if let Some(Value::Object(item)) = body.pointer_mut(&taken.at) {
        item.extend(file);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(place: &str, body: &mut Value) -> Vec<String> {
        let mut taken = Vec::new();
        Place::parse(place).unwrap().take(body, &mut taken);
        for (number, one) in taken.iter().enumerate() {
            put_back(body, one, Map::from_iter([("id".to_owned(), json!(number))]));
        }
        taken.into_iter().map(|taken| taken.text).collect()
    }

    #[test]
    fn a_file_takes_the_place_of_its_text() {
        let mut body = json!({"photo": "a", "other": "b"});
        assert_eq!(taken("body.photo", &mut body), ["a"]);
        assert_eq!(body, json!({"photo": {"id": 0}, "other": "b"}));
    }

    #[test]
    fn within_a_list_of_objects_it_takes_the_place_of_the_object() {
        let mut body =
            json!({"photos": [{"imageData": "a", "note": "x"}, {"note": "y"}, 7, {"imageData": "b"}]});
        assert_eq!(taken("body.photos[].imageData", &mut body), ["a", "b"]);
        let expected = json!({"photos": [{"id": 0, "note": "x"}, {"note": "y"}, 7, {"id": 1}]});
        assert_eq!(body, expected);
        let mut body = json!({"a/b": ["a", null, "b"]});
        assert_eq!(taken("body.a/b[]", &mut body), ["a", "b"]);
        assert_eq!(body, json!({"a/b": [{"id": 0}, null, {"id": 1}]}));
    }

    #[test]
    fn nothing_is_taken_from_a_body_of_another_form() {
        for mut body in [json!(null), json!([]), json!({"photos": {}}), json!({"photos": ["a"]}), json!("a")]
        {
            let before = body.clone();
            assert_eq!(taken("body.photos[].imageData", &mut body), Vec::<String>::new());
            assert_eq!(body, before);
        }
    }

    #[test]
    fn malformed_places_are_refused() {
        for bad in ["", "body", "body.", "photos[]", "body.[]", "body.a[0]", "body..a", "query.a"] {
            assert!(Place::parse(bad).is_err(), "{bad:?}");
        }
    }
}
