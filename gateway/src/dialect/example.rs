//! What a dialect looks like to somebody who tries it out: by which event its clients ask for a command, where they say in
//! the handshake what they mean, and where the ids of messages stand in what they are told. All of it is read off the
//! compiled rules.

use std::sync::Arc;

use parlance_domain::{
    command::CommandName,
    id::{ConversationId, UserId},
    rejection::Code,
};
use serde::Serialize;
use serde_json::Value;

use super::{
    Context, Dialect, EventName,
    decode::{Rule, RuleId},
    path::ArgumentPath,
    source::Source,
};

/// The fields that somebody is asked for. Where one of them belongs stands its name in braces, `{conversation}`.
const FILLED: [&str; 5] = ["conversation", "message", "content", "emoji", "payload"];

/// An event that asks for a command.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// Its name.
    pub event: Arc<str>,
    /// Its arguments; a text that is `{conversation}`, `{message}`, `{content}`, `{emoji}` or `{payload}` is to be replaced.
    pub arguments: Vec<Value>,
}

/// Where clients read the id of a message: the names of the entries, outermost first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MessagePlaces {
    /// By the names of the events that tell of a new message.
    pub events: Vec<(Arc<str>, Vec<String>)>,
    /// In the acknowledgement of `message.send`.
    pub sent: Option<Vec<String>>,
}

impl Dialect {
    /// The first event of the file by which a client can ask for this command, with what that command needs.
    ///
    /// `None` when no rule makes one of it, or none that can be met by the event alone.
    pub fn example(&self, command: CommandName) -> Option<Example> {
        let rules = self.rules.iter().enumerate().filter(|(_, rule)| rule.command == command);
        rules.map(|(place, rule)| (RuleId(place), rule)).find_map(|(id, rule)| self.example_of(id, rule))
    }

    fn example_of(&self, id: RuleId, rule: &Rule) -> Option<Example> {
        let arguments = arguments(rule)?;
        let rules = self.rules_by_event.get(&rule.event)?;
        let first = self.with_context(|context| {
            let holds = |id: &&RuleId| {
                self.rules.get(id.0).is_some_and(|rule| rule.conditions.hold(&arguments, context))
            };
            rules.iter().find(holds).copied()
        });
        (first == Some(id)).then(|| Example { event: Arc::clone(&rule.event), arguments })
    }

    /// With what is known of a connection that has said all that it can.
    fn with_context<T>(&self, look: impl FnOnce(Context<'_>) -> T) -> T {
        let user = UserId::new("user").ok();
        let implied =
            self.handshake.conversation_place().and_then(|_| ConversationId::new("conversation").ok());
        look(Context { conversation: implied.as_ref(), user: user.as_ref() })
    }

    /// Whether ids of conversations are numbers on its wire, where they are decimal.
    pub fn numbers_conversations(&self) -> bool {
        self.notation.conversations.number
    }

    /// Where a client can name a conversation in its handshake, such as `auth.relationId`.
    pub fn conversation_place(&self) -> Option<String> {
        self.handshake.conversation_place()
    }

    /// Where a client without a token can say in its handshake who it is, such as `query.userId`.
    pub fn user_place(&self) -> Option<String> {
        self.handshake.user_place()
    }

    /// Where clients read the ids of messages.
    pub fn message_places(&self) -> MessagePlaces {
        let rules = self.outbound.get(&EventName::MessageCreated).map(Vec::as_slice).unwrap_or_default();
        let told = rules
            .iter()
            .filter_map(|rule| Some((Arc::clone(&rule.event), rule.payload.as_ref()?.place_of(&["id"])?)));
        let sending = self.rules.iter().filter(|rule| rule.command == CommandName::MessageSend);
        let mut sent = sending.filter_map(|rule| rule.answering.success.ack.place_of(&["message", "id"]));
        MessagePlaces { events: told.collect(), sent: sent.next() }
    }

    /// The text that a client is refused with for this code.
    pub fn refusal_text(&self, code: Code) -> String {
        self.refusal(&code.into())
    }
}

/// What fits a rule: its fields in their places, and what its conditions ask for beside them.
fn arguments(rule: &Rule) -> Option<Vec<Value>> {
    let mut arguments = Vec::new();
    for field in rule.fields.iter().filter(|field| FILLED.contains(&field.name.as_str())) {
        let mut places = field.sources.iter().filter_map(argument).peekable();
        // What the connection says is not said again.
        if places.peek().is_some() {
            let value = Value::String(format!("{{{}}}", field.name));
            places.find(|place| place.put(&mut arguments, value.clone()))?;
        }
    }
    for (path, wanted) in &rule.conditions.when {
        path.put(&mut arguments, wanted.clone());
    }
    for path in &rule.conditions.present {
        path.put(&mut arguments, Value::Bool(true));
    }
    Some(arguments)
}

/// The place in an argument, if a source is one.
fn argument(source: &Source) -> Option<&ArgumentPath> {
    match source {
        Source::At(path, _) if !path.is_canonical() => Some(path),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use parlance_domain::{command::Command, id::MessageId};
    use serde_json::json;

    use super::*;
    use crate::dialect::{DialectIndex, Shipped, validate};

    fn dialect(text: &str) -> Dialect {
        validate::compile("test.toml", text, DialectIndex(0))
            .unwrap_or_else(|mistakes| panic!("{mistakes:#?}"))
    }

    /// A file with these rules, where everything is answered.
    fn with_rules(rules: &str) -> Dialect {
        dialect(&format!("name = \"x\"\n{rules}[answer]\nack = true\n[failure]\nack = false\n"))
    }

    fn example(dialect: &Dialect, command: &str) -> Option<(String, Value)> {
        let example = dialect.example(CommandName::parse(command).unwrap())?;
        Some((example.event.to_string(), Value::Array(example.arguments)))
    }

    /// The arguments with a value for each name in braces.
    fn filled(value: &Value, message: &str) -> Value {
        match value {
            Value::String(text) if text == "{message}" => json!(message),
            Value::String(text) if text.starts_with('{') => json!("7"),
            Value::Array(items) => items.iter().map(|item| filled(item, message)).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(name, value)| (name.clone(), filled(value, message))).collect()
            }
            other => other.clone(),
        }
    }

    #[test]
    fn every_example_of_a_shipped_dialect_asks_for_its_command() {
        let message = MessageId::new(1, [7; 8], 0).to_string();
        let mut examples = 0;
        for shipped in Shipped::all() {
            let dialect = dialect(shipped.text);
            for command in ["echo", "conversation.join", "message.send", "typing.start", "reaction.toggle"] {
                let wanted = CommandName::parse(command).unwrap();
                let Some(Example { event, arguments }) = dialect.example(wanted) else {
                    let rules = dialect.rules.iter().filter(|rule| rule.command == wanted).count();
                    assert_eq!(rules, 0, "{} has no example of {command}", shipped.name);
                    continue;
                };
                examples += 1;
                let Value::Array(arguments) = filled(&Value::Array(arguments), &message) else {
                    unreachable!()
                };
                let found: Result<Command, _> =
                    dialect.with_context(|context| dialect.decode(&event, arguments, context).command);
                let name = found.as_ref().map(Command::name);
                assert_eq!(name, Ok(wanted), "{} {event}: {found:?}", shipped.name);
            }
        }
        assert!(examples > 15, "{examples}");
    }

    #[test]
    fn an_example_meets_the_conditions_of_its_rule_and_of_no_earlier_one() {
        let typing = with_rules(
            "[[inbound]]\nevent = \"typing\"\nwhen.on = false\ncommand = \"typing.stop\"\nfields.conversation = \"room\"\n\
             [[inbound]]\nevent = \"typing\"\npresent = [\"$2.since\"]\ncommand = \"typing.start\"\nfields.conversation = \"room\"\n",
        );
        let started = json!([{"room": "{conversation}"}, {"since": true}]);
        assert_eq!(example(&typing, "typing.start"), Some(("typing".to_owned(), started)));
        let stopped = json!([{"room": "{conversation}", "on": false}]);
        assert_eq!(example(&typing, "typing.stop"), Some(("typing".to_owned(), stopped)));
        assert_eq!(example(&typing, "echo"), None);
        let hidden = with_rules(
            "[[inbound]]\nevent = \"say\"\npresent = [\"text\"]\ncommand = \"echo\"\n\
             [[inbound]]\nevent = \"say\"\ncommand = \"message.send\"\nfields.conversation = \"room\"\nfields.content = \"text\"\n",
        );
        assert_eq!(example(&hidden, "message.send"), None, "an earlier rule takes all that have a text");
    }

    #[test]
    fn what_the_connection_says_is_not_said_again() {
        let implied = with_rules(
            "[handshake]\nconversation = [\"auth.deep.room\", \"query.room\"]\n\
             [[inbound]]\nevent = \"say\"\ncommand = \"message.send\"\nfields.conversation = \"@conversation\"\nfields.content = \"$\"\n",
        );
        assert_eq!(example(&implied, "message.send"), Some(("say".to_owned(), json!(["{content}"]))));
        assert_eq!(implied.conversation_place().as_deref(), Some("auth.deep.room"));
        assert_eq!(implied.user_place().as_deref(), Some("auth.userId"));
    }

    #[test]
    fn ids_of_messages_are_found_where_templates_put_them() {
        let places = |payload: &str, ack: &str| {
            with_rules(&format!(
                "[[inbound]]\nevent = \"say\"\ncommand = \"message.send\"\nanswer.ack = {ack}\n\
                 fields.conversation = \"room\"\nfields.content = \"text\"\n\
                 [[outbound]]\non = \"message.created\"\nevent = \"said\"\npayload = {payload}\n",
            ))
            .message_places()
        };
        let way = |steps: &[&str]| Some(steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>());
        let told = |payload: &str| places(payload, "true").events.pop().map(|(_, way)| way);
        assert_eq!(told("\"{$}\""), way(&["id"]));
        assert_eq!(told("{ data = { key = \"{id}\" } }"), way(&["data", "key"]));
        assert_eq!(told("{ \"...\" = \"{$}\", text = \"{content}\" }"), way(&["id"]));
        assert_eq!(told("{ \"...\" = \"{$}\", id = \"{conversationId}\" }"), None);
        assert_eq!(told("\"{id}\""), way(&[]));
        assert_eq!(told("{ id = \"no. {id}\" }"), None);
        let sent = |ack: &str| places("\"{$}\"", ack).sent;
        assert_eq!(sent("{ ok = true, \"...\" = \"{$}\" }"), way(&["message", "id"]));
        assert_eq!(sent("{ messageId = \"{message.id}\" }"), way(&["messageId"]));
        assert_eq!(sent("true"), None);
    }
}
