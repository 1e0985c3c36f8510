//! The canonical vocabulary as Markdown, for those who write dialect files: `gateway vocabulary` prints it, and
//! `docs/vocabulary.md` is the committed copy.

use std::fmt::Write;

use parlance_domain::{command::CommandName, rejection::Code};

use super::vocabulary::{self, EventName, Scope, Shape};

const HEAD: &str = "\
# The canonical vocabulary

What dialect files can name ([dialects.md](dialects.md)); made from the code by `gateway vocabulary`. *user* and
*conversation* are ids, *time* is a point in time, *json* is the application's own, `[…]` is a list. Any field can be absent
or null where [protocol.md](protocol.md) says so.
";

/// The document as `docs/vocabulary.md` has it.
pub fn text() -> String {
    let mut text = HEAD.to_owned();
    text.push_str("\n## Commands\n\n| command | fields | reply | |\n|---|---|---|---|\n");
    for command in CommandName::ALL.iter().filter(|command| !command.is_for_backends()) {
        let fields: Vec<String> = command.fields().iter().map(|field| argument(*command, field)).collect();
        let reply = members(vocabulary::reply(*command));
        row(&mut text, &[&code(command.as_str()), &fields.join(" "), &reply, command.about()]);
    }
    text.push_str("\nThese need a service key and come by REST alone: ");
    let backends = CommandName::ALL.iter().filter(|command| command.is_for_backends());
    text.push_str(&backends.map(|command| code(command.as_str())).collect::<Vec<_>>().join(" "));
    text.push_str(".\n\n## Events\n\n| event | to | fields | |\n|---|---|---|---|\n");
    for event in EventName::ALL {
        let to = match event.scope() {
            Scope::Conversation => "the conversation",
            Scope::User => "the user's sockets",
            Scope::Socket => "one socket",
        };
        row(&mut text, &[&code(event.as_str()), to, &members(event.shape()), event.about()]);
    }
    text.push_str("\n## Failures\n\n");
    text.push_str(&members(vocabulary::FAILURE));
    text.push_str("\n\n| code | |\n|---|---|\n");
    for refusal in Code::ALL {
        row(&mut text, &[&code(refusal.as_str()), refusal.meaning()]);
    }
    text
}

fn row(text: &mut String, cells: &[&str]) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

fn code(word: &str) -> String {
    format!("`{word}`")
}

fn argument(command: CommandName, field: &str) -> String {
    let needed = vocabulary::needed(command).iter().any(|any| matches!(any, [one] if *one == field));
    let shape = vocabulary::argument(command, field).map(kind).unwrap_or_default();
    format!("`{field}{}`{shape}", if needed { "" } else { "?" })
}

/// The fields of an object, those of objects in it in parentheses.
fn members(shape: Shape) -> String {
    let Shape::Object(fields) = shape else { return kind(shape) };
    let member = |field: &vocabulary::Field| format!("`{}`{}", field.name, kind(field.shape));
    fields.iter().map(member).collect::<Vec<_>>().join(" ")
}

fn kind(shape: Shape) -> String {
    match shape {
        Shape::Text | Shape::Number | Shape::Flag => String::new(),
        Shape::Time => " *time*".to_owned(),
        Shape::User => " *user*".to_owned(),
        Shape::Conversation => " *conversation*".to_owned(),
        Shape::Json | Shape::Object([]) => " *json*".to_owned(),
        Shape::Object(_) => format!(" ({})", members(shape)),
        Shape::List(Shape::Text) => " [text]".to_owned(),
        Shape::List(item) => format!(" [{}]", kind(*item).trim_start()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_document_is_current() {
        let committed = include_str!("../../../docs/vocabulary.md");
        assert!(text() == committed, "run: cargo run -p parlance-gateway -- vocabulary > docs/vocabulary.md");
    }
}
