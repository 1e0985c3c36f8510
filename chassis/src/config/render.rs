//! The configuration as it is, for `print-config`, and as it may be, for the reference documentation.

use std::fmt::Write as _;

use serde_json::Value;

use super::parse::Raw;
use super::schema::Schema;
use super::setting::Setting;
use super::sources::Sources;

/// The values that count, as TOML, each with where it comes from. What is secret is redacted.
pub fn effective(schema: &Schema, sources: &Sources) -> String {
    let mut text = String::new();
    for (section, settings) in sections(schema) {
        let gap = if text.is_empty() { "" } else { "\n" };
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(text, "{gap}[{section}]");
        for setting in settings {
            let _ = writeln!(text, "{}", effective_line(setting, sources));
        }
    }
    text
}

fn effective_line(setting: &Setting, sources: &Sources) -> String {
    let name = split(setting.key).1;
    match sources.find(setting) {
        Ok(Some(found)) => format!("{name} = {} # {}", toml_value(setting, &found.raw), found.origin),
        Ok(None) => format!("# {name} is not set"),
        Err(mistakes) => {
            let problems: Vec<String> =
                mistakes.iter().map(|m| format!("{} ({})", m.problem, m.origin)).collect();
            format!("# {name}: {}", problems.join("; "))
        }
    }
}

/// JSON's texts and arrays of texts are TOML's too.
fn toml_value(setting: &Setting, raw: &Raw) -> String {
    let text = |value: &str| Value::String(setting.show(value)).to_string();
    match raw {
        Raw::Text(value) => text(value),
        Raw::List(values) => {
            format!("[{}]", values.iter().map(|value| text(value)).collect::<Vec<_>>().join(", "))
        }
    }
}

/// All settings as Markdown: a heading and a table a section.
pub fn reference(schema: &Schema) -> String {
    let mut text = String::from(INTRODUCTION);
    for (section, settings) in sections(schema) {
        let _ = write!(text, "\n## `[{section}]`\n\n");
        text.push_str("| Key | Environment | Default | What it does |\n| --- | --- | --- | --- |\n");
        for setting in settings {
            let variables: Vec<String> = setting.variables().iter().map(|name| format!("`{name}`")).collect();
            let default =
                setting.default.map_or_else(|| "none".to_owned(), |text| format!("`{}`", cell(text)));
            let (key, doc) = (setting.key, cell(setting.doc));
            let _ = writeln!(text, "| `{key}` | {} | {default} | {doc} |", variables.join("<br>"));
        }
    }
    text
}

const INTRODUCTION: &str = "\
Values come, weakest first, from the default, the configuration file (`--config`, or `PARLANCE_CONFIG`), and the
environment. An empty variable counts as not set. Every variable can also be given as `NAME_FILE`, the path of a file
that holds the value. Two names of one setting may not differ. Unknown keys, and unknown variables that begin with
`PARLANCE__`, are refused. Durations are written as `500ms`, `30s`, `2m`, `1h`, `7d`; sizes as `4096`, `64KiB`, `2MB`;
lists as TOML arrays or with commas.
";

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// The settings by section, in the order in which the sections first appear.
fn sections(schema: &Schema) -> Vec<(&'static str, Vec<&Setting>)> {
    let mut sections: Vec<(&'static str, Vec<&Setting>)> = Vec::new();
    for setting in schema.settings() {
        let section = split(setting.key).0;
        match sections.iter_mut().find(|(name, _)| *name == section) {
            Some((_, settings)) => settings.push(setting),
            None => sections.push((section, vec![setting])),
        }
    }
    sections
}

/// The section and the name of a key.
fn split(key: &'static str) -> (&'static str, &'static str) {
    key.rsplit_once('.').unwrap_or(("", key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Document, Environment};

    const SETTINGS: &[Setting] = &[
        Setting::new("redis.url", "The server.").secret_url().env(&["REDIS_URL"]),
        Setting::new("jwt.secret", "The key.").secret(),
        Setting::new("jwt.old_secret", "The key before.").secret(),
        Setting::new("redis.prefix", "A text | a pipe.").default("parlance:"),
        Setting::new("web.origins", "Who may."),
    ];

    #[test]
    fn effective_values_are_toml_with_their_origin_and_without_secrets() {
        let document = Document::parse("p.toml", "[web]\norigins = ['a', 'b\"c']\n").unwrap();
        let environment = [("REDIS_URL", "redis://u:hunter2@h:1"), ("PARLANCE__JWT__SECRET", "hunter2")];
        let sources = Sources::new(Some(document), Environment::from_pairs(environment));
        let text = effective(&Schema::new(&[SETTINGS]), &sources);
        let expected = [
            "[redis]",
            "url = \"redis://redacted@h:1\" # env:REDIS_URL",
            "prefix = \"parlance:\" # default",
            "",
            "[jwt]",
            "secret = \"[redacted]\" # env:PARLANCE__JWT__SECRET",
            "# old_secret is not set",
            "",
            "[web]",
            "origins = [\"a\", \"b\\\"c\"] # file:p.toml",
            "",
        ];
        assert_eq!(text, expected.join("\n"));
        assert!(Document::parse("again.toml", &text).is_ok(), "what is printed is TOML");
    }

    #[test]
    fn a_value_that_cannot_be_found_is_told_in_its_place() {
        let sources = Sources::new(None, Environment::from_pairs([("REDIS_URL_FILE", "/nonexistent")]));
        let text = effective(&Schema::new(&[SETTINGS]), &sources);
        assert!(text.contains("# url: /nonexistent cannot be read"), "{text}");
    }

    #[test]
    fn reference_has_a_table_a_section() {
        let text = reference(&Schema::new(&[SETTINGS]));
        assert!(
            text.contains("| `redis.url` | `PARLANCE__REDIS__URL`<br>`REDIS_URL` | none | The server. |\n"),
            "{text}"
        );
        assert!(
            text.contains(
                "| `redis.prefix` | `PARLANCE__REDIS__PREFIX` | `parlance:` | A text \\| a pipe. |\n"
            )
        );
        assert_eq!(text.matches("\n## `[").count(), 3);
    }
}
