//! How ids and times are written on one dialect's wire, both ways.

use parlance_domain::time::Timestamp;
use serde::{Serialize, Serializer, ser::SerializeMap, ser::SerializeSeq};
use serde_json::{Number, Value};

use super::vocabulary::Shape;

/// The largest integer that JavaScript keeps exact.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// How one kind of id is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct IdForm {
    /// Decimal ids are JSON numbers.
    pub(super) number: bool,
    /// What the canonical id has in front and the wire has not; may be empty.
    pub(super) prefix: String,
}

impl IdForm {
    /// The canonical id for what a client wrote. What is no id of this form is given back as it is, for the
    /// command to refuse.
    pub(super) fn read(&self, value: Value) -> Value {
        match value {
            Value::Number(number) if self.number => match number.as_u64() {
                Some(id) if id <= MAX_SAFE_INTEGER => Value::String(format!("{}{id}", self.prefix)),
                _ => Value::Number(number),
            },
            Value::String(text) if self.takes_prefix(&text) => {
                Value::String(format!("{}{text}", self.prefix))
            }
            other => other,
        }
    }

    fn takes_prefix(&self, text: &str) -> bool {
        let bare = !self.prefix.is_empty() && !text.is_empty() && !text.starts_with(&self.prefix);
        bare && (!self.number || decimal(text).is_some())
    }

    /// Whether a client's value has the type of such an id.
    pub(super) fn fits(&self, value: &Value) -> bool {
        match value {
            Value::String(_) => true,
            Value::Number(number) => self.number && number.is_u64(),
            _ => false,
        }
    }

    /// What clients read for a canonical id: without its prefix, if it then reads back as itself. An id that
    /// lacks the prefix is never written as a number, which would be another's.
    fn write(&self, id: &str) -> Value {
        let bare = id.strip_prefix(self.prefix.as_str());
        let number = bare.filter(|_| self.number).and_then(decimal);
        match (number, bare) {
            (Some(number), _) => Value::Number(Number::from(number)),
            (None, Some(bare)) if !self.number && !bare.starts_with(&self.prefix) => {
                Value::String(bare.to_owned())
            }
            _ => Value::String(id.to_owned()),
        }
    }

    fn is_plain(&self) -> bool {
        !self.number && self.prefix.is_empty()
    }
}

/// A canonical decimal: no sign, no leading zero, exact in JavaScript.
fn decimal(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok().filter(|number| *number <= MAX_SAFE_INTEGER)
}

/// How times are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum TimeForm {
    /// `2026-01-31T09:30:00.000Z`.
    #[default]
    Iso,
    /// Milliseconds since the Unix epoch, a number.
    EpochMs,
}

impl TimeForm {
    fn write(self, time: &str) -> Value {
        match self {
            TimeForm::Iso => Value::String(time.to_owned()),
            TimeForm::EpochMs => chrono::DateTime::parse_from_rfc3339(time)
                .map_or(Value::Null, |time| Value::from(Timestamp::from(time.to_utc()).0)),
        }
    }
}

/// The notation of one wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Notation {
    pub(super) users: IdForm,
    pub(super) conversations: IdForm,
    pub(super) times: TimeForm,
}

impl Notation {
    /// The canonical value for what a client wrote: ids in it, as far as the shape knows them. What does not fit is given
    /// back as it is, for the command to refuse.
    pub(super) fn read(&self, shape: Shape, value: Value) -> Value {
        match (shape, value) {
            (Shape::User, value) => self.users.read(value),
            (Shape::Conversation, value) => self.conversations.read(value),
            (Shape::List(item), Value::Array(items)) => {
                items.into_iter().map(|value| self.read(*item, value)).collect()
            }
            (_, value) => value,
        }
    }

    /// Whether canonical values are written as they are.
    fn is_canonical(&self) -> bool {
        self.users.is_plain() && self.conversations.is_plain() && self.times == TimeForm::Iso
    }
}

/// A canonical value on its way to a wire.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    pub(super) value: &'a Value,
    pub(super) shape: Shape,
    pub(super) notation: &'a Notation,
}

impl<'a> Written<'a> {
    /// What an entry is called by it; `None` when it is neither a text nor a number.
    pub(super) fn key(self) -> Option<String> {
        match serde_json::to_value(self) {
            Ok(Value::String(text)) => Some(text),
            Ok(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A field of this value.
    pub(super) fn field(&self, name: &str, value: &'a Value) -> Self {
        Self { value, shape: self.shape.field(name).unwrap_or(Shape::Json), notation: self.notation }
    }
}

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { value, shape, notation } = *self;
        if notation.is_canonical() {
            return value.serialize(serializer);
        }
        match (shape, value) {
            (Shape::User, Value::String(id)) => notation.users.write(id).serialize(serializer),
            (Shape::Conversation, Value::String(id)) => {
                notation.conversations.write(id).serialize(serializer)
            }
            (Shape::Time, Value::String(time)) => notation.times.write(time).serialize(serializer),
            (Shape::Object(_), Value::Object(fields)) => {
                let mut map = serializer.serialize_map(Some(fields.len()))?;
                for (name, value) in fields {
                    map.serialize_entry(name, &self.field(name, value))?;
                }
                map.end()
            }
            (Shape::List(shape), Value::Array(items)) => {
                let mut list = serializer.serialize_seq(Some(items.len()))?;
                for value in items {
                    list.serialize_element(&Written { value, shape: *shape, notation })?;
                }
                list.end()
            }
            _ => value.serialize(serializer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn form(number: bool, prefix: &str) -> IdForm {
        IdForm { number, prefix: prefix.to_owned() }
    }

    #[test]
    fn numbers_go_out_as_numbers_and_come_in_as_either() {
        let diets = form(true, "diet_");
        assert_eq!(diets.write("diet_100"), json!(100));
        for written in [json!(100), json!("100"), json!("diet_100")] {
            assert_eq!(diets.read(written.clone()), json!("diet_100"), "{written}");
        }
    }

    #[test]
    fn what_is_no_canonical_decimal_passes_as_the_text_it_is() {
        let rooms = form(true, "");
        for id in ["007", "9007199254740992", "lobby", "-1", "1.5", ""] {
            assert_eq!(rooms.write(id), json!(id));
            assert_eq!(rooms.read(json!(id)), json!(id));
        }
        assert_eq!(rooms.write("9007199254740991"), json!(9_007_199_254_740_991_u64));
        let diets = form(true, "diet_");
        for id in ["lobby", "diet_lobby", "diet_007"] {
            assert_eq!(diets.write(id), json!(id));
            assert_eq!(diets.read(json!(id)), json!(id));
        }
    }

    #[test]
    fn a_text_wire_keeps_digits_as_text_and_refuses_numbers() {
        let plain = form(false, "");
        assert_eq!(plain.write("7"), json!("7"));
        assert!(!plain.fits(&json!(7)));
        assert_eq!(plain.read(json!(7)), json!(7), "for the command to refuse");
        let prefixed = form(false, "room-");
        assert_eq!(prefixed.write("room-a"), json!("a"));
        assert_eq!(prefixed.read(json!("a")), json!("room-a"));
        let twice = "room-room-a";
        assert_eq!(prefixed.read(prefixed.write(twice)), json!(twice));
    }

    #[test]
    fn ids_of_users_and_lists_of_them_are_read_too() {
        let notation = Notation { users: form(true, ""), ..Notation::default() };
        assert_eq!(notation.read(Shape::User, json!(7)), json!("7"));
        assert_eq!(
            notation.read(Shape::List(&Shape::User), json!([7, "8", null])),
            json!(["7", "8", null]),
            "what does not fit stays"
        );
        assert_eq!(notation.read(Shape::Json, json!(7)), json!(7));
    }

    #[test]
    fn an_id_outside_the_prefix_is_never_written_as_the_number_of_another() {
        assert_eq!(form(true, "diet_").write("100"), json!("100"));
    }

    proptest! {
        #[test]
        fn an_id_of_the_wire_reads_back(prefix in "[a-z_]{0,5}", number: bool, id in "[a-z0-9]{1,12}") {
            let form = form(number, &prefix);
            let canonical = format!("{prefix}{id}");
            prop_assert_eq!(form.read(form.write(&canonical)), json!(canonical));
        }
    }
}
