//! The TOML file: read, parsed, and looked into by dotted key.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::mistake::{ConfigErrors, Mistake, Origin};
use super::parse::{Problem, Raw};

/// A parsed configuration file: its values by dotted key.
#[derive(Clone, Debug)]
pub struct Document {
    path: String,
    values: BTreeMap<String, Value>,
}

impl Document {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// When it cannot be read or is not TOML.
    pub fn load(path: &Path) -> Result<Self, ConfigErrors> {
        let shown = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(&shown, &text),
            Err(error) => Err(refused(&shown, format!("cannot be read: {error}"))),
        }
    }

    /// Parses a text; `path` is what mistakes call it.
    ///
    /// # Errors
    /// When it is not TOML. The text itself is not shown, it may hold secrets.
    pub fn parse(path: &str, text: &str) -> Result<Self, ConfigErrors> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            let place =
                error.span().map(|span| format!("line {}: ", line_of(text, span.start))).unwrap_or_default();
            refused(path, format!("{place}{}", error.message()))
        })?;
        let mut values = BTreeMap::new();
        flatten(String::new(), table, &mut values);
        Ok(Self { path: path.to_owned(), values })
    }

    /// Where the values of this file come from.
    pub(super) fn origin(&self) -> Origin {
        Origin::File(self.path.clone())
    }

    /// The keys of all values. An empty section counts as one, so that its name is looked at too.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    pub(super) fn get(&self, key: &str) -> Option<Result<Raw, Problem>> {
        self.values.get(key).map(raw)
    }
}

fn flatten(prefix: String, table: Table, values: &mut BTreeMap<String, Value>) {
    if table.is_empty() && !prefix.is_empty() {
        values.insert(prefix, Value::Table(table));
        return;
    }
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match value {
            Value::Table(inner) => flatten(key, inner, values),
            value => {
                values.insert(key, value);
            }
        }
    }
}

fn raw(value: &Value) -> Result<Raw, Problem> {
    match value {
        Value::Array(items) => items.iter().map(scalar).collect::<Result<_, _>>().map(Raw::List),
        value => scalar(value).map(Raw::Text),
    }
}

fn scalar(value: &Value) -> Result<String, Problem> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(truth) => Ok(truth.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            Err(Problem::new(format!("holds a {}", value.type_str()))
                .hint("write a text, a number, or a list of them"))
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

fn refused(path: &str, problem: String) -> ConfigErrors {
    let origin = Origin::File(path.to_owned());
    ConfigErrors(vec![Mistake { key: "the configuration file".to_owned(), origin, problem, hint: None }])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_dotted_key() {
        let text = "top = 1\n[a]\nb = 'x'\nc = [1, 'two', true]\n[a.d]\ne = 1.5\n[empty]\n";
        let document = Document::parse("p.toml", text).unwrap();
        assert_eq!(document.keys().collect::<Vec<_>>(), ["a.b", "a.c", "a.d.e", "empty", "top"]);
        let get = |key| document.get(key).unwrap().unwrap();
        assert_eq!(get("a.b"), Raw::Text("x".to_owned()));
        assert_eq!(get("a.c"), Raw::List(vec!["1".to_owned(), "two".to_owned(), "true".to_owned()]));
        assert_eq!(get("a.d.e"), Raw::Text("1.5".to_owned()));
        assert!(document.get("a.x").is_none());
    }

    #[test]
    fn a_value_that_no_setting_can_have_is_a_problem() {
        let document = Document::parse("p.toml", "a = [[1]]\nb = 2020-01-01\n").unwrap();
        assert!(document.get("a").unwrap().is_err());
        assert!(document.get("b").unwrap().is_err());
    }

    #[test]
    fn a_syntax_error_names_the_line_and_does_not_show_the_text() {
        let errors = Document::parse("p.toml", "[jwt]\nsecret = hunter2\n").unwrap_err();
        let shown = errors.to_string();
        assert!(shown.contains("(file:p.toml): line 2: "), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_missing_file_is_named() {
        let errors = Document::load(Path::new("/nonexistent/parlance.toml")).unwrap_err();
        assert!(errors.to_string().contains("(file:/nonexistent/parlance.toml): cannot be read"), "{errors}");
    }
}
