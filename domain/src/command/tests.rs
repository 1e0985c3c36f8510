use serde_json::json;

use super::*;
use crate::receipt::ReceiptTarget;
use crate::rejection::Code;
use crate::version::Seq;

fn parse(name: CommandName, fields: Value) -> Result<Command, Rejection> {
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    Command::parse(name, fields)
}

#[test]
fn names_read_back() {
    for name in CommandName::ALL {
        assert_eq!(CommandName::parse(name.as_str()), Some(*name));
    }
}

#[test]
fn a_send_with_everything_left_out_that_may_be() {
    let command =
        parse(CommandName::MessageSend, json!({"conversation": "c", "content": " hi ", "type": null}));
    let Ok(Command::Send(send)) = command else { panic!("{command:?}") };
    assert_eq!(send.content.as_str(), " hi ", "content is kept as it was written");
    assert_eq!(send.kind.as_str(), "text");
}

#[test]
fn what_does_not_fit_is_named() {
    let table = [
        (CommandName::MessageSend, json!({"content": "x"}), "conversation is missing"),
        (CommandName::MessageSend, json!({"conversation": 7, "content": "x"}), "conversation is no text"),
        (CommandName::MessageSend, json!({"conversation": "c"}), "content is missing"),
        (CommandName::MessageSend, json!({"conversation": "c", "content": {}}), "content is no text"),
        (
            CommandName::ConversationJoin,
            json!({"conversation": "x".repeat(300)}),
            "conversation is longer than 128 bytes",
        ),
        (
            CommandName::MessageHistory,
            json!({"conversation": "c", "limit": 0}),
            "limit is not between 1 and 200",
        ),
        (
            CommandName::MessageHistory,
            json!({"conversation": "c", "before": -1}),
            "before is no whole number from 0",
        ),
        (CommandName::ReceiptRead, json!({"seq": null}), "messages or conversation is missing"),
        (
            CommandName::ConversationJoin,
            json!({"conversation": "c", "exclusive": 1}),
            "exclusive is neither true nor false",
        ),
        (CommandName::SessionIdentify, json!({"user": null}), "user is missing"),
        (CommandName::ReceiptRead, json!({"seq": 4}), "conversation is missing"),
        (CommandName::ReceiptRead, json!({"messages": ["nope"]}), "messages is no message id"),
    ];
    for (name, fields, text) in table {
        let rejection = parse(name, fields.clone()).expect_err(text);
        assert_eq!((rejection.code, rejection.message.as_ref()), (Code::InvalidPayload, text), "{fields}");
    }
}

#[test]
fn a_join_is_exclusive_only_when_it_says_so() {
    let exclusive = |fields: Value| match parse(CommandName::ConversationJoin, fields) {
        Ok(Command::Join(join)) => join.exclusive,
        other => panic!("{other:?}"),
    };
    assert!(exclusive(json!({"conversation": "c", "exclusive": true})));
    assert!(!exclusive(json!({"conversation": "c", "exclusive": false})));
    assert!(!exclusive(json!({"conversation": "c"})));
}

#[test]
fn a_receipt_with_a_conversation_alone_is_for_all_there_is() {
    let target = |fields: Value| match parse(CommandName::ReceiptRead, fields) {
        Ok(Command::Receipt(receipt)) => receipt.target,
        other => panic!("{other:?}"),
    };
    assert_eq!(target(json!({"conversation": "c"})), ReceiptTarget::Newest);
    assert_eq!(target(json!({"conversation": "c", "seq": null, "messages": null})), ReceiptTarget::Newest);
    assert_eq!(target(json!({"conversation": "c", "seq": 0})), ReceiptTarget::Seq(Seq(0)));
}

#[test]
fn digits_count_as_a_number() {
    let command = parse(CommandName::MessageHistory, json!({"conversation": "c", "after": "12"}));
    let Ok(Command::History(history)) = command else { panic!("{command:?}") };
    assert_eq!(history.page, Page::After(Seq(12)));
}
