//! Dialects: what an application calls its events, and how its payloads look. Only this module knows such
//! words; everything behind it speaks of canonical commands and events.
//!
//! A file is read (`table`), checked (`validate`) and compiled at start; after that nothing of it is parsed
//! again. [`Dialect::decode`] turns an inbound event into a command, [`Dialect::answer`] its outcome into an
//! acknowledgement and events to the caller, [`Dialect::encode`] a canonical event into what clients get.
//! The gateway's own protocol is such a file too (`dialects/native.toml`). `docs/dialects.md` describes the
//! format.

use std::{collections::HashMap, sync::Arc};

use parlance_domain::{custom::CustomEvent, id::UserId, rejection::Rejection};
use serde_json::value::RawValue;

use crate::web::origins::Origins;

mod answer;
pub mod asyncapi;
mod behaviour;
mod catalog;
mod decode;
mod encode;
mod handshake;
mod mistake;
mod notation;
mod path;
mod quota;
pub mod reference;
mod section;
mod table;
mod template;
mod validate;
pub mod view;
mod vocabulary;
mod words;

pub use answer::Answer;
pub use behaviour::{Behaviour, PresenceAudience};
pub use catalog::Dialects;
pub use decode::{Call, Decoded};
pub use mistake::Mistake;
pub use quota::{Quota, QuotaIndex};
pub use view::ClientEvent;
pub use vocabulary::EventName;

use notation::Notation;
use words::Words;

/// Which of the loaded dialects: 0, 1, 2… without holes, so that an array can hold something for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DialectIndex(usize);

impl DialectIndex {
    /// The place in an array that is as long as there are dialects.
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
    lists_members_on_join: bool,
}

impl Dialect {
    /// The name that the file gives it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its place among those loaded.
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

    /// Whether the answer to `conversation.join` says who else is there, so that this has to be looked up.
    pub fn lists_members_on_join(&self) -> bool {
        self.lists_members_on_join
    }

    /// The `connect_error` message for a refused handshake: the dialect's text for the code, else the code.
    pub fn refusal(&self, rejection: &Rejection) -> String {
        let code = rejection.code;
        self.refusals
            .exact(code)
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
