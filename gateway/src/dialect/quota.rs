//! `[quotas]`: how often a user may send an event, and how fast a socket may send events at all.

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use parlance_domain::id::UserId;
use toml::Value;

use super::{
    Dialect,
    mistake::{Mistakes, did_you_mean},
    table::{File, Inbound},
};
use crate::limits::{Rate, Rates};

/// More than so many are no quota.
const MOST: u32 = 1_000_000;
/// Instead of an event: every event of a socket.
const EVERY: &str = "*";
const EXAMPLES: &str = "write it like \"5/s\", \"10/min\", \"100/h\" or \"10/min burst 20\"";

/// One of a dialect's quotas: 0, 1, 2… without holes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaIndex(usize);

impl QuotaIndex {
    /// The place in an array that is as long as the dialect has quotas.
    pub fn get(self) -> usize {
        self.0
    }
}

/// How often a user may send an event, under all its names together.
#[derive(Debug)]
pub struct Quota {
    /// The event, as the file names it.
    pub event: String,
    /// How often.
    pub rate: Rate,
    /// How often users have.
    pub used: Rates<UserId>,
}

impl Quota {
    fn new(event: String, rate: Rate) -> Self {
        Self { event, rate, used: Rates::new(rate) }
    }
}

/// The quotas of a dialect.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    all: Vec<Quota>,
    by_event: HashMap<String, QuotaIndex>,
    /// Of each socket, whatever it sends.
    pace: Option<Rate>,
}

impl Dialect {
    /// Every quota, in the order of their indices.
    pub fn quotas(&self) -> &[Quota] {
        &self.quotas.all
    }

    /// The quota of an event, by any of its names.
    pub fn quota_of(&self, event: &str) -> Option<QuotaIndex> {
        self.quotas.by_event.get(event).copied()
    }

    /// How fast each socket of this dialect may send events, of whatever name; `usual` is the gateway's rate, than which
    /// it is never higher.
    pub fn pace(&self, usual: Rate) -> Rate {
        let Some(own) = self.quotas.pace else { return usual };
        let slower = if own.interval() > usual.interval() { own } else { usual };
        Rate { burst: own.burst.min(usual.burst), ..slower }
    }
}

impl Quotas {
    pub(super) fn compile(file: &File, mistakes: &Mistakes) -> Self {
        let mut quotas = Self::default();
        for (event, value) in &file.quotas {
            let key = format!("quotas.{event}");
            let Some(rate) = value.as_str().and_then(parse) else {
                mistakes.add_with_hint(&key, problem(value), EXAMPLES);
                continue;
            };
            if event == EVERY {
                quotas.pace = Some(rate);
                continue;
            }
            let rules: Vec<&Inbound> =
                file.inbound.iter().filter(|rule| names(rule).any(|name| name == event)).collect();
            if rules.is_empty() {
                let known = file.inbound.iter().flat_map(names);
                let hint = did_you_mean(event, known);
                mistakes.add_with_hint(&key, format!("no inbound rule has the event `{event}`"), hint);
            }
            quotas.add(Quota::new(event.clone(), rate), &rules, &key, mistakes);
        }
        quotas
    }

    /// The quota of a route: one of its own, or that of an event, which both then share.
    pub(super) fn of_route(&mut self, text: &str, key: &str, mistakes: &Mistakes) -> Option<QuotaIndex> {
        if let Some(rate) = parse(text) {
            let index = QuotaIndex(self.all.len());
            self.all.push(Quota::new(key.to_owned(), rate));
            return Some(index);
        }
        let shared = self.by_event.get(text).copied();
        if shared.is_none() {
            let problem = format!("`{text}` does not say how often, and no event with a quota is called so");
            mistakes.add_with_hint(key, problem, EXAMPLES);
        }
        shared
    }

    fn add(&mut self, quota: Quota, rules: &[&Inbound], key: &str, mistakes: &Mistakes) {
        let index = QuotaIndex(self.all.len());
        for name in rules.iter().flat_map(|rule| names(rule)) {
            let before = self.by_event.insert(name.to_owned(), index).filter(|before| *before != index);
            if let Some(before) = before.and_then(|before| self.all.get(before.0)) {
                mistakes.add_with_hint(
                    key,
                    format!("`{}` is another name of it and has a quota", before.event),
                    "all names of an event share one",
                );
                return;
            }
        }
        self.all.push(quota);
    }
}

fn names(rule: &Inbound) -> impl Iterator<Item = &str> {
    rule.event.iter().chain(&rule.aliases).map(String::as_str)
}

fn problem(value: &Value) -> String {
    match value.as_str() {
        Some(text) => format!("`{text}` does not say how often"),
        None => "is no text".to_owned(),
    }
}

/// `10/min`, `10/min burst 20`. Without a burst, all of them may come at once.
fn parse(text: &str) -> Option<Rate> {
    let mut words = text.split_whitespace();
    let (count, unit) = words.next()?.split_once('/')?;
    let per = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        _ => return None,
    };
    let count = number(count)?;
    let burst = match (words.next(), words.next(), words.next()) {
        (None, ..) => count,
        (Some("burst"), Some(burst), None) => number(burst)?,
        _ => return None,
    };
    Some(Rate { count, per: Duration::from_secs(per), burst })
}

fn number(text: &str) -> Option<NonZeroU32> {
    text.parse().ok().filter(|number: &NonZeroU32| number.get() <= MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Option<(u32, u64, u32)> {
        parse(text).map(|rate| (rate.count.get(), rate.per.as_secs(), rate.burst.get()))
    }

    #[test]
    fn a_quota_says_how_many_in_which_time() {
        assert_eq!(said("10/s"), Some((10, 1, 10)));
        assert_eq!(said("30/min"), Some((30, 60, 30)));
        assert_eq!(said(" 100/h  burst 5 "), Some((100, 3_600, 5)));
    }

    #[test]
    fn a_sockets_pace_is_never_higher_than_the_gateways() {
        let pace = |own: &str, usual: &str| {
            let text = format!("name = \"x\"\n[answer]\nack = 1\n[failure]\nack = 1\n[quotas]\n{own}\n");
            let dialect = crate::dialect::validate::compile("x.toml", &text, crate::dialect::DialectIndex(0));
            let rate = dialect.unwrap().pace(parse(usual).unwrap());
            (rate.count.get(), rate.per.as_secs(), rate.burst.get())
        };
        assert_eq!(pace("\"*\" = \"10/s\"", "50/s burst 100"), (10, 1, 10));
        assert_eq!(pace("\"*\" = \"10/s burst 200\"", "50/s burst 100"), (10, 1, 100));
        assert_eq!(pace("\"*\" = \"300/min\"", "50/s burst 20"), (300, 60, 20));
        assert_eq!(pace("\"*\" = \"100/s burst 5\"", "50/s burst 100"), (50, 1, 5));
        assert_eq!(pace("", "50/s burst 100"), (50, 1, 100));
    }

    #[test]
    fn anything_else_says_nothing() {
        for text in ["", "10", "10/", "/min", "10/day", "0/s", "-1/s", "10/s burst", "10/s burst 0", "10/s 5"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
        for text in ["10/s burst 5 more", "2000000/s", "1.5/s", "10 /s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
