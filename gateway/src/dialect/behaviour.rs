//! `[behaviour]`: what the gateway does for an application beyond its words.

use std::{ops::RangeInclusive, time::Duration};

use parlance_chassis::config::{Raw, parse};
use parlance_domain::notification::NotifyPolicy;

use super::{
    Dialects,
    mistake::{Mistakes, did_you_mean},
    section::Section,
};
use crate::typing::USUAL_EXPIRY;

/// After how long somebody may count as writing no longer.
const TYPING_EXPIRIES: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// What the gateway does for the clients of a dialect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Behaviour {
    /// Of which messages in their conversations clients of this dialect are notified.
    pub notify: NotifyPolicy,
    /// Whether a message counts as delivered to a user when it was handed to a socket of this dialect: for clients that
    /// do not say so themselves.
    pub delivered_on_delivery: bool,
    /// Who is told of the presence of users.
    pub presence: PresenceAudience,
    /// How long after the last `typing.start` a user still counts as writing.
    pub typing_expiry: Duration,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            notify: NotifyPolicy::default(),
            delivered_on_delivery: false,
            presence: PresenceAudience::default(),
            typing_expiry: USUAL_EXPIRY,
        }
    }
}

impl Dialects {
    /// Who is to be notified of a message so that clients of every dialect can be told what theirs says: the policy that
    /// tells most.
    pub fn strongest_notify(&self) -> NotifyPolicy {
        self.catalog().in_use().map(|dialect| dialect.behaviour().notify).max().unwrap_or_default()
    }
}

/// Who is told when a user comes online, goes offline or chooses a status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PresenceAudience {
    /// The sockets in the conversations that he has been in since he came.
    #[default]
    Conversations,
    /// Those, and every socket of this dialect when he has, or just had, one himself.
    Everyone,
}

/// The section as it is written.
#[derive(Debug, Default)]
pub(super) struct Written {
    notify: Option<String>,
    delivered_on_delivery: bool,
    presence: Option<String>,
    typing_expiry: Option<String>,
}

impl Written {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let written = Self {
            notify: section.text("notify"),
            delivered_on_delivery: section.flag("delivered_on_delivery"),
            presence: section.text("presence"),
            typing_expiry: section.text("typing_expiry"),
        };
        section.finish();
        written
    }

    /// What it means. A word that means nothing is noted.
    pub(super) fn check(&self, mistakes: &Mistakes) -> Behaviour {
        Behaviour {
            notify: self.notify.as_deref().map(|word| policy(word, mistakes)).unwrap_or_default(),
            delivered_on_delivery: self.delivered_on_delivery,
            presence: self.presence.as_deref().map(|word| audience(word, mistakes)).unwrap_or_default(),
            typing_expiry: self.typing_expiry.as_deref().map_or(USUAL_EXPIRY, |text| expiry(text, mistakes)),
        }
    }
}

fn audience(word: &str, mistakes: &Mistakes) -> PresenceAudience {
    match word {
        "conversations" => PresenceAudience::Conversations,
        "everyone" => PresenceAudience::Everyone,
        _ => {
            let hint = did_you_mean(word, ["conversations", "everyone"]);
            mistakes.add_with_hint("behaviour.presence", format!("`{word}` does not say who is told"), hint);
            PresenceAudience::default()
        }
    }
}

fn expiry(text: &str, mistakes: &Mistakes) -> Duration {
    parse::duration(TYPING_EXPIRIES)(&Raw::Text(text.to_owned())).unwrap_or_else(|_| {
        let problem = format!("`{text}` is no time between 100ms and 60s");
        mistakes.add_with_hint("behaviour.typing_expiry", problem, "write it like \"3s\" or \"1500ms\"");
        USUAL_EXPIRY
    })
}

fn policy(word: &str, mistakes: &Mistakes) -> NotifyPolicy {
    NotifyPolicy::parse(word).unwrap_or_else(|| {
        let known = NotifyPolicy::ALL.iter().map(|policy| policy.as_str());
        let hint = did_you_mean(word, known);
        mistakes.add_with_hint("behaviour.notify", format!("`{word}` does not say who is notified"), hint);
        NotifyPolicy::Never
    })
}
