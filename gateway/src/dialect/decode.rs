//! An inbound event becomes a canonical command.

use std::sync::Arc;

use parlance_domain::{
    command::{Command, CommandName},
    rejection::{Code, Rejection},
};
use serde_json::{Map, Value};

use super::{
    Dialect,
    answer::Answering,
    notation::Notation,
    path::{ArgumentPath, Context},
    source::{self, Incoming, Source},
    vocabulary::Shape,
};

/// How much of an event's name an answer repeats when no rule knows the name.
const MAX_UNKNOWN_EVENT_CHARS: usize = 64;

/// An inbound rule, by its place among those of its dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RuleId(pub(super) usize);

/// A compiled inbound rule.
#[derive(Debug)]
pub(super) struct Rule {
    /// The event's name, of which there may be others beside it; empty for a request.
    pub(super) event: Arc<str>,
    pub(super) command: CommandName,
    pub(super) conditions: Conditions,
    pub(super) fields: Vec<FieldRule>,
    /// Whether a value stands in for two fields, so that it has to be copied.
    pub(super) shares_values: bool,
    /// The fields that the templates of the answer repeat.
    pub(super) repeated: Vec<String>,
    pub(super) answering: Answering,
}

/// What has to hold of an event so that a rule is for it.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    /// What has to stand where.
    pub(super) when: Vec<(ArgumentPath, Value)>,
    /// Where anything has to stand.
    pub(super) present: Vec<ArgumentPath>,
    /// Where nothing must stand.
    pub(super) absent: Vec<ArgumentPath>,
}

/// Where one field of a command comes from.
#[derive(Debug)]
pub(super) struct FieldRule {
    pub(super) name: String,
    pub(super) shape: Shape,
    /// Of these the first that leads to something which fits.
    pub(super) sources: Vec<Source>,
    /// What it is when no source leads to anything. A constant has no source.
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
    /// Reads an event: its name, its arguments without an acknowledgement, and what is known of its connection.
    ///
    /// The command is refused with [`Code::UnknownEvent`] when no rule knows the name, and otherwise as
    /// [`Command::parse`] refuses fields. Binary arguments (their JSON placeholders) are refused wherever a
    /// rule reads them.
    pub fn decode(&self, event: &str, mut arguments: Vec<Value>, context: Context<'_>) -> Decoded {
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
            .find(|(_, rule)| rule.conditions.hold(&arguments, context));
        let mut call =
            Call { rule: fitting.map(|(id, _)| id), event: Arc::clone(event), request: Map::new() };
        let command = match fitting {
            None => Err(Rejection::with(Code::InvalidPayload, "the arguments fit no form of this event")),
            Some((_, rule)) => {
                let fields = rule.fields(&mut arguments, context, &self.notation);
                call.request = rule.repeated(&fields);
                refuse_binary(&fields).and_then(|()| Command::parse(rule.command, fields))
            }
        };
        Decoded { call, command }
    }
}

impl Conditions {
    pub(super) fn hold(&self, arguments: &[Value], context: Context<'_>) -> bool {
        let is_there = |path: &ArgumentPath| path.find(arguments, context).is_some();
        let holds = |(path, wanted): &(ArgumentPath, Value)| {
            path.find(arguments, context).is_some_and(|found| *found == *wanted)
        };
        self.when.iter().all(holds) && self.present.iter().all(is_there) && !self.absent.iter().any(is_there)
    }
}

impl Rule {
    pub(super) fn fields(
        &self,
        arguments: &mut [Value],
        context: Context<'_>,
        notation: &Notation,
    ) -> Map<String, Value> {
        let mut incoming = Incoming { arguments, context, notation, copies: self.shares_values };
        let mut fields = Map::new();
        for field in &self.fields {
            let found = source::first(&field.sources, field.shape, &mut incoming);
            if let Some(value) = found.or_else(|| field.default.clone()) {
                fields.insert(field.name.clone(), value);
            }
        }
        fields
    }

    pub(super) fn repeated(&self, fields: &Map<String, Value>) -> Map<String, Value> {
        self.repeated.iter().filter_map(|name| Some((name.clone(), fields.get(name)?.clone()))).collect()
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
