//! `[behaviour]`: what the gateway does for an application beyond its words.

use parlance_domain::notification::NotifyPolicy;

use super::{
    mistake::{Mistakes, did_you_mean},
    section::Section,
};

/// What the gateway does for the clients of a dialect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Who is notified of the messages that clients of this dialect send.
    pub notify: NotifyPolicy,
    /// Whether a message counts as delivered to a user when it was handed to a socket of this dialect: for clients that
    /// do not say so themselves.
    pub delivered_on_delivery: bool,
}

/// The section as it is written.
#[derive(Debug, Default)]
pub(super) struct Written {
    notify: Option<String>,
    delivered_on_delivery: bool,
}

impl Written {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let written = Self {
            notify: section.text("notify"),
            delivered_on_delivery: section.flag("delivered_on_delivery"),
        };
        section.finish();
        written
    }

    /// What it means. A word that means nothing is noted.
    pub(super) fn check(&self, mistakes: &Mistakes) -> Behaviour {
        Behaviour {
            notify: self.notify.as_deref().map(|word| policy(word, mistakes)).unwrap_or_default(),
            delivered_on_delivery: self.delivered_on_delivery,
        }
    }
}

fn policy(word: &str, mistakes: &Mistakes) -> NotifyPolicy {
    NotifyPolicy::parse(word).unwrap_or_else(|| {
        let known = NotifyPolicy::ALL.iter().map(|policy| policy.as_str());
        let hint = did_you_mean(word, known);
        mistakes.add_with_hint("behaviour.notify", format!("`{word}` does not say who is notified"), hint);
        NotifyPolicy::Never
    })
}
