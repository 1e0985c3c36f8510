//! `[quotas]`: how often a user may send an event.

use std::{collections::HashMap, num::NonZeroU32, time::Duration};

use toml::Value;

use super::{
    Dialect,
    mistake::{Mistakes, did_you_mean},
    table::{File, Inbound},
};
use crate::limits::Rate;

/// More than so many are no quota.
const MOST: u32 = 1_000_000;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The event, as the file names it.
    pub event: String,
    /// How often.
    pub rate: Rate,
}

/// The quotas of a dialect.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    all: Vec<Quota>,
    by_event: HashMap<String, QuotaIndex>,
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
            let rules: Vec<&Inbound> =
                file.inbound.iter().filter(|rule| names(rule).any(|name| name == event)).collect();
            if rules.is_empty() {
                let known = file.inbound.iter().flat_map(names);
                let hint = did_you_mean(event, known);
                mistakes.add_with_hint(&key, format!("no inbound rule has the event `{event}`"), hint);
            }
            quotas.add(Quota { event: event.clone(), rate }, &rules, &key, mistakes);
        }
        quotas
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
