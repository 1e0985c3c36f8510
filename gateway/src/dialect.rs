//! Dialects: what an application calls its events, and how its payloads look. Only this module knows such
//! words; everything behind it speaks of canonical commands and events.
//!
//! A file is read (`table`), checked (`validate`) and compiled at start; after that nothing of it is parsed
//! again. [`Dialect::decode`] turns an inbound event into a command, [`Dialect::answer`] its outcome into an
//! acknowledgement and events to the caller, [`Dialect::encode`] a canonical event into what clients get.
//! The gateway's own protocol is such a file too (`dialects/native.toml`). `docs/dialects.md` describes the
//! format.

use std::{collections::HashMap, sync::Arc};

use parlance_domain::{
    command::CommandName,
    custom::CustomEvent,
    id::{ConversationId, UserId},
    rejection::{Code, Rejection},
};
use serde_json::value::RawValue;

use crate::{auth::OwnTokens, web::origins::Origins};

mod answer;
pub mod asyncapi;
mod behaviour;
mod catalog;
mod decode;
pub mod docs;
mod encode;
mod example;
mod handshake;
mod loaded;
mod mistake;
mod notation;
mod path;
mod quota;
mod receipts;
pub mod reference;
mod route;
mod section;
mod shipped;
mod source;
mod table;
mod template;
mod validate;
pub mod view;
mod vocabulary;
mod words;

pub use answer::Answer;
pub use behaviour::{Behaviour, PresenceAudience};
pub use catalog::{Catalog, FoundRoute, Selection};
pub use decode::{Call, Decoded};
pub use example::{Example, MessagePlaces};
pub use loaded::Dialects;
pub use mistake::Mistake;
pub use path::Context;
pub use quota::{Quota, QuotaIndex};
pub use route::{Access, Remembered, Requested, Route, Taken, conversation_of, put_back, take_part};
pub use shipped::Shipped;
pub use view::ClientEvent;
pub use vocabulary::EventName;

use notation::Notation;
use words::Words;

/// Which of the dialects that are loaded or still spoken: a small number, so that an array can hold something for each. It is
/// another's when nobody holds the dialect any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialectIndex(usize);

impl DialectIndex {
    /// The place in such an array.
    pub fn get(self) -> usize {
        self.0
    }
}

/// One compiled dialect.
#[derive(Debug)]
pub struct Dialect {
    index: DialectIndex,
    name: String,
    namespaces: Vec<String>,
    hosts: Vec<String>,
    paths: Vec<String>,
    origins: Option<Origins>,
    notation: Notation,
    handshake: handshake::Handshake,
    behaviour: Behaviour,
    quotas: quota::Quotas,
    refusals: Words,
    failure: Arc<answer::Failure>,
    rules: Vec<decode::Rule>,
    rules_by_event: HashMap<Arc<str>, Vec<decode::RuleId>>,
    outbound: HashMap<EventName, Vec<encode::Outbound>>,
    routes: Vec<Arc<Route>>,
    route_paths: route::Paths<Arc<Route>>,
    lists_members_on_join: bool,
}

impl Dialect {
    /// The name that the file gives it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its place among those that are loaded or still spoken.
    pub fn index(&self) -> DialectIndex {
        self.index
    }

    /// The namespaces that are this dialect's whatever else the handshake says: `/<name>` and its aliases.
    pub fn namespaces(&self) -> &[String] {
        &self.namespaces
    }

    /// The Socket.IO paths, beside the usual one, whose `/` namespace is this dialect's.
    pub fn paths(&self) -> &[String] {
        &self.paths
    }

    /// Whether a handshake came where this dialect is, if it has places of its own: to one of its paths, and to one of its
    /// hosts. It may be meant from elsewhere all the same, see [`Dialects::select`].
    pub fn is_at(&self, host: Option<&str>, path: &str) -> bool {
        let path = catalog::without_slash(path);
        let at_host = || host.map(catalog::host_name).is_some_and(|host| self.hosts.contains(&host));
        (self.paths.is_empty() || self.paths.iter().any(|own| own == path))
            && (self.hosts.is_empty() || at_host())
    }

    /// The web pages that may connect to this dialect, when they are others than those of the gateway.
    pub fn origins(&self) -> Option<&Origins> {
        self.origins.as_ref()
    }

    /// What the gateway does for its clients.
    pub fn behaviour(&self) -> &Behaviour {
        &self.behaviour
    }

    /// Who a client without a token says it is. Whether it is believed is not this file's business. `auth` is the payload
    /// of the CONNECT packet, `query` gives a parameter of the URL.
    pub fn claimed_user(
        &self,
        auth: Option<&serde_json::Value>,
        query: impl Fn(&str) -> Option<String>,
    ) -> Option<UserId> {
        self.handshake.user(auth, query)
    }

    /// The conversation that a client means whenever it names none, if its handshake says one.
    ///
    /// # Errors
    /// `not_found` for what can be no conversation's id.
    pub fn implied_conversation(
        &self,
        auth: Option<&serde_json::Value>,
        query: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<ConversationId>, Rejection> {
        self.handshake.conversation(auth, query, &self.notation)
    }

    /// Whether a client is refused that names no conversation.
    pub fn needs_conversation(&self, has_token: bool) -> bool {
        self.handshake.needs_conversation(has_token)
    }

    /// Whether a client is refused that has a token and says that it is another user.
    pub fn user_must_match(&self) -> bool {
        self.handshake.must_match
    }

    /// Whether a client can say by an event who it is, where that is enough.
    pub fn identifies_by_event(&self) -> bool {
        self.rules.iter().any(|rule| rule.command == CommandName::SessionIdentify)
    }

    /// Whether this is the event by which a client says who it is, however it says it.
    pub fn is_identifying(&self, call: &Call) -> bool {
        let rule = call.rule.and_then(|id| self.rules.get(id.0));
        rule.is_some_and(|rule| rule.command == CommandName::SessionIdentify)
    }

    /// What the tokens of its clients have of their own.
    pub fn tokens(&self) -> &OwnTokens {
        &self.handshake.tokens
    }

    /// Whether the answer to `conversation.join` says who else is there, so that this has to be looked up.
    pub fn lists_members_on_join(&self) -> bool {
        self.lists_members_on_join
    }

    /// The `connect_error` message for a refused handshake: the dialect's text for the code, else the code.
    pub fn refusal(&self, rejection: &Rejection) -> String {
        let code = rejection.code;
        self.refusals
            .exact(code)
            // What is no token at all is one that is not valid, for a file that does not tell them apart.
            .or_else(|| self.refusals.exact(Code::TokenInvalid).filter(|_| code == Code::TokenMalformed))
            .or_else(|| self.refusals.other())
            .unwrap_or_else(|| code.as_str())
            .to_owned()
    }
}

/// Who gets an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Every socket in the conversation.
    Everyone,
    /// Every socket in it but the one that the event comes from.
    Others,
    /// Only the socket that the event comes from, or the one that it is meant for.
    Sender,
}

impl Audience {
    const ALL: &[Audience] = &[Audience::Everyone, Audience::Others, Audience::Sender];

    fn as_str(self) -> &'static str {
        match self {
            Audience::Everyone => "everyone",
            Audience::Others => "others",
            Audience::Sender => "sender",
        }
    }
}

/// An event as clients read it.
#[derive(Debug, Clone)]
pub struct Frame {
    /// The event's name on this dialect's wire.
    pub event: Arc<str>,
    /// Its one argument as JSON, or none.
    pub payload: Option<Box<RawValue>>,
    /// Who gets it.
    pub audience: Audience,
}

impl Frame {
    /// A backend's own event, for everyone.
    pub fn custom(custom: &CustomEvent) -> Self {
        Self {
            event: Arc::from(custom.event.as_str()),
            payload: serde_json::value::to_raw_value(&custom.data).ok(),
            audience: Audience::Everyone,
        }
    }
}

/// Every mistake in a dialect file with this text. `file_name` is only named in them.
pub fn mistakes_of(file_name: &str, text: &str) -> Vec<Mistake> {
    validate::compile(file_name, text, DialectIndex(0)).err().unwrap_or_default()
}
