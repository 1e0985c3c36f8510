//! `[[route]]`: REST paths of an application's own, which its clients call on the same server. Each is a canonical command
//! with the templates of the file around it; who asks, what a body may cost and which pages may read the answer is said
//! here and seen to by `rest`.

mod check;
mod own;
mod paths;
mod place;
mod remembered;
mod written;

use std::{collections::HashMap, sync::Arc};

use http::{Method, StatusCode};
use parlance_domain::{
    command::{Command, CommandName},
    rejection::{Code, Rejection},
};
use serde_json::{Map, Value, value::RawValue};

use super::{
    Dialect, QuotaIndex,
    answer::Answering,
    decode::Rule,
    path::Context,
    template::{Data, render},
};

pub(super) use check::routes;
pub use own::{conversation_of, take_part};
pub(super) use paths::Paths;
pub use place::{Taken, put_back};
pub use remembered::Remembered;
pub(super) use written::Written;

/// A path of an application's own, with a method.
#[derive(Debug)]
pub struct Route {
    name: Arc<str>,
    method: Method,
    paths: Vec<String>,
    is_at_root: bool,
    action: Action,
    access: Access,
    is_for_every_page: bool,
    remembered: Option<Remembered>,
    quota: Option<QuotaIndex>,
    max_body: usize,
    uploads: Vec<place::Place>,
    status: StatusCode,
    statuses: HashMap<Code, StatusCode>,
}

/// What a route does.
#[derive(Debug)]
enum Action {
    /// A command, and where its fields stand.
    Command(Box<Rule>),
    /// Takes a file in, as a form.
    Upload(Box<Answering>),
}

/// What a request asks for.
#[derive(Debug)]
pub struct Requested {
    /// The fields that the answer repeats.
    pub repeated: Map<String, Value>,
    /// The command, or why there is none.
    pub command: Result<Command, Rejection>,
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// A user with a token, or a backend with a service key.
    Caller,
    /// The same, and a user may do to his own conversations what otherwise only backends may: make one in which he takes
    /// part, change it, and change who takes part.
    Participant,
    /// A backend with a service key.
    Service,
    /// Everybody: nobody is asked who he is.
    Public,
}

impl Access {
    const ALL: &[Access] = &[Access::Caller, Access::Participant, Access::Service, Access::Public];

    /// As the file writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Access::Caller => "caller",
            Access::Participant => "participant",
            Access::Service => "service",
            Access::Public => "public",
        }
    }
}

impl Route {
    /// Method and path, as the file writes them: `GET /api/messages/{id}`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, with `{name}` for each of its parameters, and further ones that mean the same.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// Whether it is served at the root, whatever the `Host` is, and not only under the dialect's namespaces.
    pub fn is_at_root(&self) -> bool {
        self.is_at_root
    }

    /// The command that it is; none when it takes a file in.
    pub fn command(&self) -> Option<CommandName> {
        match &self.action {
            Action::Command(rule) => Some(rule.command),
            Action::Upload(_) => None,
        }
    }

    fn answering(&self) -> &Answering {
        match &self.action {
            Action::Command(rule) => &rule.answering,
            Action::Upload(answering) => answering,
        }
    }

    /// Whether its answer names this field of the reply.
    pub(super) fn names_in_reply(&self, field: &str) -> bool {
        self.answering().success.names(field)
    }

    /// Who may ask.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Whether every page may read the answers, as if there were no origins.
    pub fn is_for_every_page(&self) -> bool {
        self.is_for_every_page
    }

    /// The answer of a moment ago, for a route that keeps it.
    pub fn remembered(&self) -> Option<&Remembered> {
        self.remembered.as_ref()
    }

    /// How often a user may ask with a token of his own.
    pub fn quota(&self) -> Option<QuotaIndex> {
        self.quota
    }

    /// The largest body, in bytes.
    pub fn max_body(&self) -> usize {
        self.max_body
    }

    /// Whether bodies have files in them.
    pub fn has_uploads(&self) -> bool {
        !self.uploads.is_empty()
    }

    /// Takes the texts out that are to become files. What is left of the body has objects there that stand for them.
    pub fn take_uploads(&self, body: &mut Value) -> Vec<Taken> {
        let mut taken = Vec::new();
        self.uploads.iter().for_each(|place| place.take(body, &mut taken));
        taken
    }

    /// The status of what was carried out.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The status of a refusal, if the file gives it one.
    pub fn status_of(&self, code: Code) -> Option<StatusCode> {
        self.statuses.get(&code).copied()
    }
}

impl Dialect {
    /// The routes, in the order of the file.
    pub fn routes(&self) -> &[Arc<Route>] {
        &self.routes
    }

    /// Reads a request: `argument` is `{path, query, body}`, with texts in the first two. `None` when the route takes a file
    /// in.
    pub fn decode_route(&self, route: &Route, argument: Value, context: Context<'_>) -> Option<Requested> {
        let Action::Command(rule) = &route.action else { return None };
        let fields = rule.fields(&mut [argument], context, &self.notation);
        let repeated = rule.repeated(&fields);
        Some(Requested { repeated, command: Command::parse(rule.command, fields) })
    }

    /// The body that answers what was carried out. `reply` is that of the command; of a file, its view.
    pub fn answer_route(&self, route: &Route, request: &Map<String, Value>, reply: &Value) -> Box<RawValue> {
        let data = Data::new(reply, &self.notation).with_request(request);
        render(&route.answering().success.ack, data).unwrap_or_else(|| RawValue::NULL.to_owned())
    }

    /// The body that answers what was refused.
    pub fn refuse_route(
        &self,
        route: &Route,
        request: &Map<String, Value>,
        rejection: &Rejection,
    ) -> Box<RawValue> {
        let failed = self.fail(&route.answering().failure, rejection, Some(&route.name), request, true);
        failed.ack.unwrap_or_else(|| RawValue::NULL.to_owned())
    }
}

#[cfg(test)]
mod tests;
