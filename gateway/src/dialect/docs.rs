//! One dialect file as Markdown tables, for those whose clients speak it: `gateway dialect-docs` prints them, and
//! `docs/dialects/` has the committed copies for the files that come with the gateway.
//!
//! It shows what the file says, in the order of the file, and takes it for checked.
//! * `connecting` – what holds for a connection, `events` – both ways, `routes`, `cell` – how things are written in a table

mod cell;
mod connecting;
mod events;
mod routes;

use toml::{Table, Value};

use super::{Mistake, mistakes_of};

/// The document.
///
/// # Errors
/// Every mistake in the file.
pub fn text(file_name: &str, file: &str) -> Result<String, Vec<Mistake>> {
    let mistakes = mistakes_of(file_name, file);
    let table = match file.parse::<Table>() {
        Ok(table) if mistakes.is_empty() => table,
        _ => return Err(mistakes),
    };
    let name = text_of(&table, "name").unwrap_or_default();
    let mut text = format!(
        "# The dialect `{name}`\n\nWhat its clients say and are told, made from the file by `gateway dialect-docs {name}`; the notation is \
         that of\n[dialect files](../dialects.md), commands and events are those of [the vocabulary](../vocabulary.md).\n"
    );
    connecting::write(&mut text, name, &table);
    events::write(&mut text, &table);
    routes::write(&mut text, &table);
    Ok(text)
}

/// A heading and a table below it; nothing when it has no rows.
fn section(text: &mut String, heading: &str, columns: &[&str], rows: &[Vec<String>]) {
    if rows.is_empty() {
        return;
    }
    text.push_str(&format!("\n## {heading}\n\n"));
    cell::row(text, columns);
    text.push_str(&format!("|{}\n", "---|".repeat(columns.len())));
    for cells in rows {
        cell::row(text, &cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
}

fn text_of<'t>(table: &'t Table, key: &str) -> Option<&'t str> {
    table.get(key)?.as_str()
}

fn table_of<'t>(table: &'t Table, key: &str) -> Option<&'t Table> {
    table.get(key)?.as_table()
}

fn list_of<'t>(table: &'t Table, key: &str) -> &'t [Value] {
    table.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn tables_of<'t>(table: &'t Table, key: &str) -> impl Iterator<Item = &'t Table> {
    list_of(table, key).iter().filter_map(Value::as_table)
}

fn texts_of<'t>(table: &'t Table, key: &str) -> impl Iterator<Item = &'t str> {
    list_of(table, key).iter().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Shipped;

    #[test]
    fn the_committed_documents_are_current() {
        for shipped in Shipped::all() {
            let path = format!("{}/../docs/dialects/{}.md", env!("CARGO_MANIFEST_DIR"), shipped.name);
            let committed = std::fs::read_to_string(&path).unwrap_or_default();
            let name = shipped.name;
            let current = text(shipped.file, shipped.text).unwrap();
            assert!(
                current == committed,
                "run: cargo run -p parlance-gateway -- dialect-docs {name} > docs/dialects/{name}.md"
            );
        }
    }

    #[test]
    fn everything_that_a_file_says_is_shown() {
        let file = r#"
            name = "x"
            hosts = ["chat.example"]
            ids.user = { type = "number", prefix = "u_" }
            [refusals]
            token_missing = "Who?"
            [answer]
            ack = { ok = true }
            [failure]
            ack = { ok = false }
            [quotas]
            say = "3/min"
            [[inbound]]
            event = "say"
            aliases = ["tell"]
            when = { kind = "a|b" }
            command = "message.send"
            fields = { conversation = ["$2", "at"], content = "text | trim", metadata = { mood = "mood" }, type = "kind" }
            defaults.type = "text"
            answer.ack = { n = "{message.seq}" }
            [[outbound]]
            on = "message.created"
            event = "said"
            audience = "others"
            absent = ["replyTo"]
            payload = { t = "{content|upper}" }
            [[route]]
            method = "GET"
            path = "/of/{id}"
            command = "message.history"
            fields.conversation = "path.id"
        "#;
        let document = text("x.toml", file).unwrap_or_else(|mistakes| panic!("{mistakes:#?}"));
        for shown in [
            "| hosts | `chat.example` |",
            "| ids of users | numbers; in the gateway with `u_` in front |",
            "| `token_missing` | Who? |",
            "`say`, `tell`",
            r"`kind` is `a\|b`",
            "`message.send`",
            "`conversation`: `$2` or `at`",
            r"`content`: `text \| trim`",
            "`metadata`: { `mood`: `mood` }",
            "`type`: `\"text\"` when absent",
            r#"`{"n": "{message.seq}"}`"#,
            "| `said` | `message.created` | others | `replyTo` absent |",
            r#"`{"t": "{content\|upper}"}`"#,
            "| `say` | 3/min |",
            "| `GET /of/{id}` |",
        ] {
            assert!(document.contains(shown), "{shown} is not in\n{document}");
        }
    }

    #[test]
    fn a_file_with_mistakes_has_no_document() {
        assert!(text("x.toml", "name = \"x\"\ncolour = 1\n").is_err_and(|mistakes| !mistakes.is_empty()));
        assert!(text("x.toml", "name = ").is_err_and(|mistakes| !mistakes.is_empty()));
    }
}
