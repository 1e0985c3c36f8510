//! When a rule holds: what has to be there, what must not, and what has to be exactly so. Compiled once from
//! `when`, `present` and `absent`.

use serde_json::{Number, Value};

use super::{
    super::{mistake::Mistakes, notation::Notation, table, vocabulary::Shape},
    Data, Scope, Source,
};

/// All of it has to be true; nothing to check always is.
#[derive(Debug, Clone, Default)]
pub(in crate::dialect) struct Condition {
    checks: Vec<(Source, Check)>,
}

#[derive(Debug, Clone, PartialEq)]
enum Check {
    /// There is a value.
    Present,
    /// There is none.
    Absent,
    /// There is just this one.
    Equals(Value),
}

impl Condition {
    /// Compiles the conditions of the section `key`. What can never be true is noted.
    pub(in crate::dialect) fn compile(
        written: &table::Conditions,
        key: &str,
        scope: &Scope,
        notation: &Notation,
        mistakes: &Mistakes,
    ) -> Self {
        let mut condition = Self::default();
        for (name, paths, check) in
            [("present", &written.present, Check::Present), ("absent", &written.absent, Check::Absent)]
        {
            let key = format!("{key}.{name}");
            for path in paths {
                condition.add(Source::parse(path, &key, scope, mistakes), check.clone(), &key, mistakes);
            }
        }
        for (path, value) in &written.when {
            let key = format!("{key}.when.{path}");
            if let Some(source) = Source::parse(path, &key, scope, mistakes)
                && let Some(value) = canonical(value, source.shape, notation, &key, mistakes)
            {
                condition.add(Some(source), Check::Equals(value), &key, mistakes);
            }
        }
        condition
    }

    fn add(&mut self, source: Option<Source>, check: Check, key: &str, mistakes: &Mistakes) {
        let Some(source) = source else {
            return;
        };
        let is_idle = |earlier: &Check| {
            *earlier == check || [earlier, &check].into_iter().any(|check| *check == Check::Absent)
        };
        if self.checks.iter().any(|(known, earlier)| *known == source && is_idle(earlier)) {
            mistakes.add(key, format!("`{}` stands here twice", source.keys.join(".")));
        }
        self.checks.push((source, check));
    }

    /// Whether all of it is true.
    pub(in crate::dialect) fn holds(&self, data: Data<'_>) -> bool {
        self.checks.iter().all(|(source, check)| {
            let found = source.find(data);
            match check {
                Check::Present => found.is_some(),
                Check::Absent => found.is_none(),
                Check::Equals(wanted) => found.is_some_and(|found| found.value == wanted),
            }
        })
    }

    /// Whether the same is checked, in whatever order.
    pub(in crate::dialect) fn is_same(&self, other: &Self) -> bool {
        let (mine, others) = (&self.checks, &other.checks);
        mine.len() == others.len() && mine.iter().all(|check| others.contains(check))
    }

    /// Whether there is nothing to check.
    pub(in crate::dialect) fn is_always_true(&self) -> bool {
        self.checks.is_empty()
    }

    /// The fields of the command that it looks at.
    pub(in crate::dialect) fn request_fields(&self, names: &mut Vec<String>) {
        self.checks.iter().for_each(|(source, _)| source.request_field(names));
    }

    /// Whether it looks at a field of the event or the reply.
    pub(in crate::dialect) fn reads(&self, field: &str) -> bool {
        self.checks.iter().any(|(source, _)| source.reads(field))
    }
}

/// The canonical value for one in a file, where ids are written as on the dialect's wire. `None` when what stands
/// there can never be it, which is noted.
fn canonical(
    value: &toml::Value,
    shape: Shape,
    notation: &Notation,
    key: &str,
    mistakes: &Mistakes,
) -> Option<Value> {
    let Some(value) = scalar(value) else {
        let hint = "a path of several names stands in quotes: when.\"a.b\" = 1";
        mistakes.add_with_hint(key, "is no text, number, true or false", hint);
        return None;
    };
    let value = match shape {
        Shape::User => notation.users.read(value),
        Shape::Conversation => notation.conversations.read(value),
        _ => value,
    };
    let fits = match shape {
        Shape::Text | Shape::Time | Shape::User | Shape::Conversation => value.is_string(),
        Shape::Number => value.is_number(),
        Shape::Flag => value.is_boolean(),
        Shape::Json => true,
        Shape::Object(_) | Shape::List(_) => false,
    };
    if !fits {
        mistakes.add(key, "can never be true: the field has another type");
    }
    fits.then_some(value)
}

fn scalar(value: &toml::Value) -> Option<Value> {
    match value {
        toml::Value::String(text) => Some(Value::from(text.as_str())),
        toml::Value::Integer(number) => Some(Value::from(*number)),
        toml::Value::Float(number) => Number::from_f64(*number).map(Value::Number),
        toml::Value::Boolean(flag) => Some(Value::from(*flag)),
        toml::Value::Datetime(_) | toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::{notation::IdForm, vocabulary::EventName};

    fn compiled(written: &str) -> Result<Condition, String> {
        let table: toml::Table = written.parse().expect("the test's TOML is well-formed");
        let texts = |name: &str| {
            let list = table.get(name).and_then(toml::Value::as_array).cloned().unwrap_or_default();
            list.iter().filter_map(|text| Some(text.as_str()?.to_owned())).collect()
        };
        let when = table.get("when").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let written = table::Conditions { when, present: texts("present"), absent: texts("absent") };
        let mistakes = Mistakes::of("test");
        let scope = Scope::of(EventName::MessageCreated.shape());
        let condition = Condition::compile(&written, "rule", &scope, &numbers(), &mistakes);
        match mistakes.count() {
            0 => Ok(condition),
            _ => Err(mistakes.into_vec().iter().map(ToString::to_string).collect()),
        }
    }

    fn numbers() -> Notation {
        let users = IdForm { number: true, prefix: String::new() };
        let conversations = IdForm { number: true, prefix: "diet_".to_owned() };
        Notation { users, conversations, ..Notation::default() }
    }

    #[test]
    fn everything_that_is_asked_for_has_to_be_true() {
        let table = [
            ("", true),
            ("present = ['content', 'metadata.from']", true),
            ("present = ['content', 'replyTo']", false),
            ("present = ['clientId']", false),
            ("absent = ['clientId', 'replyTo', 'metadata.none.deeper']", true),
            ("absent = ['seq']", false),
            ("when.'metadata.from' = 'client'", true),
            ("when.'metadata.from' = 'Client'", false),
            ("when = { seq = 3, 'metadata.open' = true, 'metadata.rate' = 1.5 }", true),
            ("when = { seq = 3, 'metadata.open' = false }", false),
            ("when.replyTo = 'm0'", false),
            ("when.'attachments.0.url' = 'a'", true),
            ("when = { senderId = 5, conversationId = 7 }", true),
            ("when = { senderId = '5', conversationId = 'diet_7' }", true),
            ("when.conversationId = 8", false),
            ("present = ['seq']\nwhen.seq = 4", false),
        ];
        let message = json!({
            "seq": 3, "senderId": "5", "conversationId": "diet_7", "content": "hi", "clientId": null,
            "metadata": {"from": "client", "open": true, "rate": 1.5}, "attachments": [{"url": "a"}],
        });
        let notation = numbers();
        for (written, expected) in table {
            let condition = compiled(written).expect(written);
            assert_eq!(condition.holds(Data::new(&message, &notation)), expected, "{written}");
        }
    }

    #[test]
    fn conditions_are_the_same_in_whatever_order() {
        let same = |a: &str, b: &str| compiled(a).unwrap().is_same(&compiled(b).unwrap());
        assert!(same("present = ['content', 'replyTo']", "present = ['replyTo', 'content']"));
        assert!(same("", ""));
        assert!(!same("present = ['content']", "absent = ['content']"));
        assert!(!same("when.type = 'a'", "when.type = 'b'"));
        assert!(!same("present = ['content']", "present = ['content', 'replyTo']"));
    }

    #[test]
    fn what_can_never_be_true_is_a_mistake() {
        let table = [
            ("present = ['contnet']", "test: rule.present: `{contnet}` can never be filled"),
            ("absent = ['content.text']", "rule.absent: `{content.text}` can never be filled"),
            ("when.contnet = 'x'", "rule.when.contnet: `{contnet}` can never be filled"),
            ("when.seq = 'x'", "rule.when.seq: can never be true: the field has another type"),
            ("when.senderId = true", "rule.when.senderId: can never be true"),
            ("when.sender = 'x'", "rule.when.sender: can never be true"),
            ("when.metadata.from = 'x'", "a path of several names stands in quotes"),
            ("when.type = ['x']", "rule.when.type: is no text, number, true or false"),
            ("when.seq = inf", "rule.when.seq: is no text, number, true or false"),
            ("present = ['content', 'content']", "rule.present: `content` stands here twice"),
            ("present = ['content']\nabsent = ['content']", "rule.absent: `content` stands here twice"),
            ("absent = ['content']\nwhen.content = 'x'", "rule.when.content: `content` stands here twice"),
        ];
        for (written, expected) in table {
            let text = compiled(written).expect_err(written);
            assert!(text.contains(expected), "{written}: {text}");
        }
    }
}
