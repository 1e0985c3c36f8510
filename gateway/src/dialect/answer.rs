//! What the caller of a command is told: the acknowledgement, if he passed one, and events beside it.

use std::sync::Arc;

use parlance_domain::rejection::{Code, Rejection};
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    Audience, Call, Dialect, Frame,
    template::{Condition, Data, Template, render},
    words::Words,
};

/// The answer to one command, ready to be sent.
#[derive(Debug, Default)]
pub struct Answer {
    /// The one argument of the acknowledgement. `None` only when the client passed none.
    pub ack: Option<Box<RawValue>>,
    /// Events to the caller, after the acknowledgement.
    pub emits: Vec<Frame>,
}

/// How the commands of one rule are answered.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) success: Form,
    pub(super) failure: Arc<Failure>,
}

/// An acknowledgement and the events beside it.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) ack: Template,
    pub(super) emits: Vec<Emit>,
}

/// An event to the caller.
#[derive(Debug)]
pub(super) struct Emit {
    pub(super) event: Arc<str>,
    pub(super) payload: Option<Template>,
    pub(super) only_without_ack: bool,
    pub(super) condition: Condition,
}

/// How a refusal is answered, and its words.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) form: Form,
    /// The rule's own words, then those of the whole dialect.
    pub(super) texts: [Words; 2],
    pub(super) codes: [Words; 2],
}

impl Dialect {
    /// Answers a command with its canonical reply (see [`super::view::reply`]) or its rejection.
    pub fn answer(&self, call: &Call, outcome: Result<&Value, &Rejection>, has_ack: bool) -> Answer {
        let rule = call.rule.and_then(|id| self.rules.get(id.0));
        match (rule, outcome) {
            (Some(rule), Ok(reply)) => {
                let data = Data::new(reply, &self.notation).with_request(&call.request);
                rule.answering.success.answer(data, has_ack)
            }
            // A command that no rule asked for has no reply.
            (None, Ok(_)) => Answer::default(),
            (rule, Err(rejection)) => {
                let failure = rule.map_or(&self.failure, |rule| &rule.answering.failure);
                self.fail(failure, rejection, Some(&call.event), &call.request, has_ack)
            }
        }
    }

    /// The events that tell one socket of a fault that answers no command of its.
    pub fn error(&self, rejection: &Rejection) -> Vec<Frame> {
        self.fail(&self.failure, rejection, None, &Map::new(), false).emits
    }

    pub(super) fn fail(
        &self,
        failure: &Failure,
        rejection: &Rejection,
        event: Option<&str>,
        request: &Map<String, Value>,
        has_ack: bool,
    ) -> Answer {
        let view = failure.view(rejection, event);
        let data = Data::new(&view, &self.notation).with_request(request);
        failure.form.answer(data, has_ack)
    }
}

impl Failure {
    /// What the templates of a failure are filled from.
    fn view(&self, rejection: &Rejection, event: Option<&str>) -> Value {
        let code = rejection.code;
        let wait = rejection.retry_after.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        json!({
            "code": chosen(&self.codes, code).unwrap_or_else(|| code.as_str()),
            "message": chosen(&self.texts, code).unwrap_or(&rejection.message),
            "retryable": code.retryable(),
            "retryAfterMs": wait,
            "event": event,
        })
    }
}

/// The words for just this code win over those for all others, and the rule's over the dialect's.
fn chosen(words: &[Words; 2], code: Code) -> Option<&str> {
    let exact = words.iter().find_map(|words| words.exact(code));
    exact.or_else(|| words.iter().find_map(Words::other))
}

impl Form {
    /// The fields of the command that are repeated or looked at.
    pub(super) fn request_fields(&self, names: &mut Vec<String>) {
        self.templates().for_each(|template| template.request_fields(names));
        self.emits.iter().for_each(|emit| emit.condition.request_fields(names));
    }

    /// Whether it goes by a field of the reply, or has all of them.
    pub(super) fn reads(&self, field: &str) -> bool {
        self.templates().any(|template| template.reads(field))
            || self.emits.iter().any(|emit| emit.condition.reads(field))
    }

    /// Whether it goes by just this field of the reply.
    pub(super) fn names(&self, field: &str) -> bool {
        self.templates().any(|template| template.names(field))
            || self.emits.iter().any(|emit| emit.condition.reads(field))
    }

    /// Everything that is written.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Template> {
        self.emits.iter().filter_map(|emit| emit.payload.as_ref()).chain([&self.ack])
    }

    fn answer(&self, data: Data<'_>, has_ack: bool) -> Answer {
        let emits = self
            .emits
            .iter()
            .filter(|emit| !(has_ack && emit.only_without_ack) && emit.condition.holds(data))
            .map(|emit| Frame {
                event: Arc::clone(&emit.event),
                payload: emit.payload.as_ref().and_then(|payload| render(payload, data)),
                audience: Audience::Sender,
            })
            .collect();
        let ack = || render(&self.ack, data).unwrap_or_else(|| RawValue::NULL.to_owned());
        Answer { ack: has_ack.then(ack), emits }
    }
}
