//! What the loaded dialects want to know of receipts beyond the cursors. It is looked up only when some dialect tells it.

use parlance_domain::command::CommandName;

use super::{Dialect, Dialects, EventName};

impl Dialect {
    /// Whether what a command is answered with, on a socket or by a route, names this field of the reply. To have all of
    /// them (`{$}`) is not to name it.
    pub fn names_in_reply(&self, command: CommandName, field: &str) -> bool {
        let routes = self.routes.iter().filter(|route| route.command() == Some(command));
        self.rules.iter().any(|rule| rule.command == command && rule.answering.success.names(field))
            || routes.into_iter().any(|route| route.names_in_reply(field))
    }

    /// Whether it tells which messages were received: beside a receipt, as their status, to their authors, or as a number.
    fn tells_of_receipts(&self) -> bool {
        let lists = |event| self.reads(event, "messages");
        lists(EventName::ReceiptDelivered)
            || lists(EventName::ReceiptRead)
            || self.speaks_of(EventName::MessageStatus)
            || self.speaks_of(EventName::MessageDelivered)
            || self.names_in_reply(CommandName::ReceiptRead, "marked")
            || self.names_in_reply(CommandName::MessageHistory, "unreadCount")
    }
}

impl Dialects {
    /// Whether some dialect tells which messages were received.
    pub fn tell_of_receipts(&self) -> bool {
        self.any_in_use(Dialect::tells_of_receipts)
    }

    /// Whether some dialect's clients can be told of such an event.
    pub fn speak_of(&self, event: EventName) -> bool {
        self.any_in_use(|dialect| dialect.speaks_of(event))
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DialectIndex, shipped, validate};
    use super::*;

    const HEAD: &str = "name = \"x\"\nanswer.ack = { ok = true }\nfailure.ack = { ok = false }\n";

    fn dialect(rules: &str) -> Dialect {
        validate::compile("x.toml", &format!("{HEAD}{rules}"), DialectIndex(1)).unwrap()
    }

    #[test]
    fn the_gateways_own_dialect_has_nothing_looked_up() {
        let native = validate::compile("native.toml", shipped::NATIVE.text, DialectIndex(0)).unwrap();
        assert!(!native.tells_of_receipts());
    }

    #[test]
    fn each_way_of_telling_has_it_looked_up() {
        let outbound = |on: &str, more: &str| format!("[[outbound]]\non = \"{on}\"\nevent = \"e\"\n{more}\n");
        let inbound = |command: &str, ack: &str| {
            format!(
                "[[inbound]]\nevent = \"e\"\ncommand = \"{command}\"\nfields.conversation = \"c\"\nanswer.ack = {ack}\n"
            )
        };
        let each = "each = \"messages\"\npayload.id = \"{id}\"";
        for (rules, tells) in [
            (outbound("message.status", ""), true),
            (outbound("message.delivered", ""), true),
            (outbound("receipt.read", each), true),
            (outbound("receipt.delivered", each), true),
            (outbound("receipt.read", "payload.seq = \"{seq}\""), false),
            (inbound("receipt.read", "{ n = \"{marked}\" }"), true),
            (inbound("receipt.read", "\"{$}\""), false),
            (inbound("message.history", "{ n = \"{unreadCount}\" }"), true),
            (inbound("message.history", "\"{$}\""), false),
            (inbound("conversation.join", "\"{$}\""), false),
        ] {
            assert_eq!(dialect(&rules).tells_of_receipts(), tells, "{rules}");
        }
    }
}
