//! What is told of moved cursors: beside the cursors themselves the messages that they have got past, when somebody wants
//! to know. How a cursor is stored is not decided here.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer, value::SeqAccessDeserializer},
};

use super::{Cursor, ReceiptKind};
use crate::{
    id::{MessageId, UserId},
    version::Seq,
};

/// A message that cursors may get past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Covered {
    /// Which.
    #[serde(rename = "i")]
    pub id: MessageId,
    /// Its place.
    #[serde(rename = "s")]
    pub seq: Seq,
    /// Who sent it.
    #[serde(rename = "u")]
    pub sender: UserId,
}

/// How far the furthest cursor of a kind is, and the furthest of anybody else: enough to tell, for everybody, how far
/// somebody other than him is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// Whose is furthest; nobody's when none has moved.
    #[serde(rename = "u", default, skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// How far it is.
    #[serde(rename = "f", default)]
    pub first: Seq,
    /// How far the furthest of the others is.
    #[serde(rename = "s", default)]
    pub second: Seq,
}

impl Reach {
    /// How far the furthest cursor of anybody but `user` is.
    pub fn of_others_than(&self, user: &UserId) -> Seq {
        if self.user.as_ref() == Some(user) { self.second } else { self.first }
    }
}

/// The reach of both kinds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaches {
    /// Of what was delivered.
    #[serde(default)]
    pub delivered: Reach,
    /// Of what was read.
    #[serde(default)]
    pub read: Reach,
}

/// Moved cursors, and what they have got past. As JSON a plain list of cursors when there is nothing more to say, as it is
/// in the stream; both are read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipts {
    /// The cursors, at most one a user.
    pub cursors: Vec<Cursor>,
    /// The messages that they have got past: the newest ones, as far as they were found.
    pub messages: Vec<Covered>,
    /// How far anybody had got before; `None` when messages were not looked up.
    pub before: Option<Reaches>,
}

impl From<Vec<Cursor>> for Receipts {
    fn from(cursors: Vec<Cursor>) -> Self {
        Self { cursors, messages: Vec::new(), before: None }
    }
}

impl Receipts {
    /// The messages of others that one of these cursors has newly got past, oldest first, beyond `above`.
    pub fn newly<'a>(
        &'a self,
        cursor: &'a Cursor,
        kind: ReceiptKind,
        above: Seq,
    ) -> impl Iterator<Item = &'a Covered> {
        let span = cursor.before(kind).map(|before| (before.max(above), cursor.at(kind)));
        self.messages.iter().filter(move |message| {
            span.is_some_and(|(before, at)| before < message.seq && message.seq <= at)
                && message.sender != cursor.user
        })
    }

    /// The messages that somebody other than their sender has now got past for the first time, by the cursor that did.
    pub fn first(&self, kind: ReceiptKind) -> Vec<(&Cursor, Vec<&Covered>)> {
        let Some(before) = &self.before else { return Vec::new() };
        let before = match kind {
            ReceiptKind::Delivered => &before.delivered,
            ReceiptKind::Read => &before.read,
        };
        let mut first: Vec<(&Cursor, Vec<&Covered>)> =
            self.cursors.iter().map(|cursor| (cursor, Vec::new())).collect();
        for message in self.messages.iter().filter(|it| it.seq > before.of_others_than(&it.sender)) {
            let passed = |(cursor, _): &&mut (&Cursor, _)| {
                cursor.user != message.sender
                    && message.seq <= cursor.at(kind)
                    && cursor.before(kind).is_some_and(|before| before < message.seq)
            };
            if let Some((_, messages)) = first.iter_mut().find(passed) {
                messages.push(message);
            }
        }
        first.retain(|(_, messages)| !messages.is_empty());
        first
    }
}

/// The longer form.
#[derive(Deserialize)]
struct Told {
    cursors: Vec<Cursor>,
    #[serde(default)]
    messages: Vec<Covered>,
    #[serde(default)]
    before: Option<Reaches>,
}

impl<'de> Deserialize<'de> for Receipts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EitherForm;

        impl<'de> Visitor<'de> for EitherForm {
            type Value = Receipts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("cursors")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Receipts, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Receipts::from)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Receipts, A::Error> {
                let Told { cursors, messages, before } = Told::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Receipts { cursors, messages, before })
            }
        }

        deserializer.deserialize_any(EitherForm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str) -> UserId {
        UserId::new(id).unwrap()
    }

    fn covered(seq: u64, sender: &str) -> Covered {
        let n = u8::try_from(seq).unwrap();
        Covered { id: MessageId::new(1, [n; 8], 0), seq: Seq(seq), sender: user(sender) }
    }

    /// A cursor that was read from one place to another.
    fn read(id: &str, from: u64, to: u64) -> Cursor {
        Cursor {
            delivered: Seq(to),
            read: Seq(to),
            delivered_before: Some(Seq(from)),
            read_before: Some(Seq(from)),
            ..Cursor::start(user(id))
        }
    }

    fn reach(first: Option<(&str, u64)>, second: u64) -> Reach {
        let (user, first) = first.map_or((None, 0), |(id, seq)| (Some(user(id)), seq));
        Reach { user, first: Seq(first), second: Seq(second) }
    }

    fn seqs(messages: &[&Covered]) -> Vec<u64> {
        messages.iter().map(|message| message.seq.0).collect()
    }

    #[test]
    fn a_cursor_newly_covers_the_messages_of_others_beyond_where_it_was() {
        let receipts = Receipts {
            cursors: vec![read("bob", 2, 5)],
            messages: vec![
                covered(2, "ann"),
                covered(3, "ann"),
                covered(4, "bob"),
                covered(5, "ann"),
                covered(6, "ann"),
            ],
            before: None,
        };
        let newly = |above| {
            let newly: Vec<_> = receipts.newly(&receipts.cursors[0], ReceiptKind::Read, Seq(above)).collect();
            seqs(&newly)
        };
        assert_eq!(newly(0), [3, 5]);
        assert_eq!(newly(3), [5]);
    }

    #[test]
    fn a_message_gets_further_with_the_first_of_the_others_and_only_once() {
        let messages: Vec<Covered> =
            (1..=6).map(|seq| covered(seq, if seq % 2 == 0 { "bob" } else { "ann" })).collect();
        // Bob was furthest, at 4; nobody else has anything.
        let before = Reaches { read: reach(Some(("bob", 4)), 0), delivered: Reach::default() };
        let receipts = Receipts { cursors: vec![read("carol", 0, 6)], messages, before: Some(before) };
        let first = receipts.first(ReceiptKind::Read);
        let [(by, first)] = &first[..] else { panic!("{first:?}") };
        assert_eq!(by.user, user("carol"));
        // Of Ann's the ones beyond Bob's place; of Bob's all: his own place is nothing to them.
        assert_eq!(seqs(first), [2, 4, 5, 6]);
    }

    #[test]
    fn ones_own_cursor_brings_ones_own_messages_no_further() {
        let before = Some(Reaches::default());
        let receipts =
            Receipts { cursors: vec![read("ann", 0, 3)], messages: vec![covered(3, "ann")], before };
        assert_eq!(receipts.first(ReceiptKind::Read), []);
        assert_eq!(receipts.first(ReceiptKind::Delivered), []);
    }

    #[test]
    fn where_messages_were_not_looked_up_there_are_none() {
        let cursor = Cursor { read: Seq(5), ..Cursor::start(user("bob")) };
        let receipts = Receipts { messages: vec![covered(3, "ann")], ..Receipts::from(vec![cursor]) };
        assert_eq!(receipts.newly(&receipts.cursors[0], ReceiptKind::Read, Seq(0)).count(), 0);
        assert_eq!(receipts.first(ReceiptKind::Read), []);
    }

    #[test]
    fn a_list_and_an_object_are_both_read() {
        let list = r#"[{"u":"ann","d":7,"r":5,"o":"s"}]"#;
        let object = format!(
            r#"{{"cursors":{list},"messages":[{{"i":"{}","s":3,"u":"bob"}}],"before":{{"delivered":{{"f":0,"s":0}},"read":{{"u":"ann","f":4,"s":2}}}}}}"#,
            MessageId::new(1, [3; 8], 0)
        );
        let plain: Receipts = serde_json::from_str(list).unwrap();
        let told: Receipts = serde_json::from_str(&object).unwrap();
        assert_eq!((plain.cursors.len(), plain.before.is_none()), (1, true));
        assert_eq!(told.cursors, plain.cursors);
        assert_eq!(told.messages, [covered(3, "bob")]);
        assert_eq!(told.before.unwrap().read, reach(Some(("ann", 4)), 2));
        assert!(serde_json::from_str::<Receipts>("7").is_err());
    }
}
