//! An inbound event becomes a canonical command.

use std::sync::Arc;

use parlance_domain::{
    command::{Command, CommandName},
    rejection::{Code, Rejection},
};
use serde_json::{Map, Value};

use super::{Dialect, answer::Answering, notation::Notation, path::ArgumentPath, vocabulary::Shape};

/// How much of an event's name an answer repeats when no rule knows the name.
const MAX_UNKNOWN_EVENT_CHARS: usize = 64;

/// An inbound rule, by its place among those of its dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RuleId(pub(super) usize);

/// A compiled inbound rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) command: CommandName,
    pub(super) when: Vec<(ArgumentPath, Value)>,
    pub(super) fields: Vec<FieldRule>,
    /// Whether a value stands in for two fields, so that it has to be copied.
    pub(super) shares_values: bool,
    /// The fields that the templates of the answer repeat.
    pub(super) repeated: Vec<String>,
    pub(super) answering: Answering,
}

/// Where one field of a command comes from.
#[derive(Debug)]
pub(super) struct FieldRule {
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) paths: Vec<ArgumentPath>,
    /// What it is when no path leads to anything. A constant has no path.
    pub(super) default: Option<Value>,
}

/// An inbound event that is to be answered: what `Dialect::answer` needs to know of it.
#[derive(Debug, Clone)]
pub struct Call {
    pub(super) rule: Option<RuleId>,
    pub(super) event: Arc<str>,
    pub(super) request: Map<String, Value>,
}

impl Call {
    /// The event's name, as far as it may be repeated.
    pub fn event(&self) -> &str {
        &self.event
    }
}

/// What an inbound event asks for.
#[derive(Debug)]
pub struct Decoded {
    /// How to answer, whatever the outcome.
    pub call: Call,
    /// The command, or why there is none.
    pub command: Result<Command, Rejection>,
}

impl Dialect {
    /// Reads an event: its name and its arguments without an acknowledgement.
    ///
    /// The command is refused with [`Code::UnknownEvent`] when no rule knows the name, and otherwise as
    /// [`Command::parse`] refuses fields. Binary arguments (their JSON placeholders) are refused wherever a
    /// rule reads them.
    pub fn decode(&self, event: &str, mut arguments: Vec<Value>) -> Decoded {
        let Some((event, rules)) = self.rules_by_event.get_key_value(event) else {
            return Decoded {
                call: Call {
                    rule: None,
                    event: event.chars().take(MAX_UNKNOWN_EVENT_CHARS).collect::<String>().into(),
                    request: Map::new(),
                },
                command: Err(Code::UnknownEvent.into()),
            };
        };
        let fitting = rules
            .iter()
            .filter_map(|id| self.rules.get(id.0).map(|rule| (*id, rule)))
            .find(|(_, rule)| rule.fits(&arguments));
        let mut call =
            Call { rule: fitting.map(|(id, _)| id), event: Arc::clone(event), request: Map::new() };
        let command = match fitting {
            None => Err(Rejection::with(Code::InvalidPayload, "the arguments fit no form of this event")),
            Some((_, rule)) => {
                let fields = rule.fields(&mut arguments, &self.notation);
                call.request = rule.repeated(&fields);
                refuse_binary(&fields).and_then(|()| Command::parse(rule.command, fields))
            }
        };
        Decoded { call, command }
    }
}

impl Rule {
    fn fits(&self, arguments: &[Value]) -> bool {
        let holds = |(path, wanted): &(ArgumentPath, Value)| path.find(arguments) == Some(wanted);
        self.when.iter().all(holds)
    }

    fn fields(&self, arguments: &mut [Value], notation: &Notation) -> Map<String, Value> {
        let mut fields = Map::new();
        for field in &self.fields {
            let found = field.find(arguments, notation, self.shares_values);
            if let Some(value) = found.or_else(|| field.default.clone()) {
                fields.insert(field.name.clone(), value);
            }
        }
        fields
    }

    fn repeated(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        self.repeated.iter().filter_map(|name| Some((name.clone(), fields.get(name)?.clone()))).collect()
    }
}

impl FieldRule {
    /// The value at the first path where there is one that fits, else the first there is, for the command to
    /// refuse.
    fn find(&self, arguments: &mut [Value], notation: &Notation, copy: bool) -> Option<Value> {
        let there = |path: &&ArgumentPath| path.find(arguments).is_some();
        let fits = |path: &&ArgumentPath| {
            path.find(arguments).is_some_and(|value| self.takes(path, value, notation))
        };
        let path = match self.paths.as_slice() {
            [only] => only,
            several => several.iter().find(fits).or_else(|| several.iter().find(there))?,
        };
        let value = if copy { path.find(arguments).cloned() } else { path.take(arguments) }?;
        let value = match self.shape {
            Shape::Conversation => notation.conversations.read(value),
            _ => value,
        };
        Some(if path.is_listed() { Value::Array(vec![value]) } else { value })
    }

    fn takes(&self, path: &ArgumentPath, value: &Value, notation: &Notation) -> bool {
        match self.shape {
            Shape::List(item) if path.is_listed() => fits(*item, value, notation),
            shape => fits(shape, value, notation),
        }
    }
}

/// Whether a value has the JSON type of a field.
pub(super) fn fits(shape: Shape, value: &Value, notation: &Notation) -> bool {
    match shape {
        Shape::Text | Shape::Time => value.is_string(),
        Shape::Number => value.is_number() || value.is_string(),
        Shape::Flag => value.is_boolean(),
        Shape::User => notation.users.fits(value),
        Shape::Conversation => notation.conversations.fits(value),
        Shape::Json => true,
        Shape::Object(_) => value.is_object(),
        Shape::List(_) => value.is_array(),
    }
}

/// Binary data stands in the arguments as `{"_placeholder":true,"num":0}`; no command takes any.
fn refuse_binary(fields: &Map<String, Value>) -> Result<(), Rejection> {
    match fields.iter().find(|(_, value)| has_binary(value)) {
        Some((name, _)) => Err(Rejection::invalid(name, "has binary data, which no command takes")),
        None => Ok(()),
    }
}

/// The depth is bounded by the parser that made the value.
fn has_binary(value: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            fields.get("_placeholder") == Some(&Value::Bool(true)) || fields.values().any(has_binary)
        }
        Value::Array(items) => items.iter().any(has_binary),
        _ => false,
    }
}
