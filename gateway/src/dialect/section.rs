//! Reads one section of a dialect file key by key. Whatever was not asked for is unknown, and a value of the
//! wrong type is noted with its key, so that every mistake of the structure is found in one pass.

use toml::{Table, Value};

use super::mistake::{Mistakes, did_you_mean};

/// A table of the file and the keys that were asked for so far.
pub(super) struct Section<'m> {
    key: String,
    table: Table,
    asked: Vec<&'static str>,
    mistakes: &'m Mistakes,
}

impl<'m> Section<'m> {
    pub(super) fn new(key: impl Into<String>, table: Table, mistakes: &'m Mistakes) -> Self {
        Self { key: key.into(), table, asked: Vec::new(), mistakes }
    }

    /// The path of the section itself.
    pub(super) fn path(&self) -> &str {
        &self.key
    }

    /// The path of one of the section's keys.
    pub(super) fn key(&self, name: &str) -> String {
        join(&self.key, name)
    }

    /// Gives the section another path, once it is known what names it.
    pub(super) fn rename(&mut self, key: String) {
        self.key = key;
    }

    /// Takes a value of any type.
    pub(super) fn any(&mut self, name: &'static str) -> Option<Value> {
        self.asked.push(name);
        self.table.remove(name)
    }

    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        match self.any(name)? {
            Value::String(text) if !text.is_empty() => Some(text),
            _ => {
                self.mistakes.add(&self.key(name), "is no text, or an empty one");
                None
            }
        }
    }

    pub(super) fn required_text(&mut self, name: &'static str) -> Option<String> {
        if !self.table.contains_key(name) {
            self.mistakes.add(&self.key(name), "is missing");
        }
        self.text(name)
    }

    pub(super) fn texts(&mut self, name: &'static str) -> Vec<String> {
        self.optional_texts(name).unwrap_or_default()
    }

    /// `None` when the list is left out, and not when it is empty.
    pub(super) fn optional_texts(&mut self, name: &'static str) -> Option<Vec<String>> {
        let value = self.any(name)?;
        let texts = match value {
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) if !text.is_empty() => Some(text),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        if texts.is_none() {
            self.mistakes.add_with_hint(&self.key(name), "is no list of texts", format!("{name} = [\"…\"]"));
        }
        texts
    }

    pub(super) fn flag(&mut self, name: &'static str) -> bool {
        match self.any(name) {
            None => false,
            Some(Value::Boolean(flag)) => flag,
            Some(_) => {
                self.mistakes.add(&self.key(name), "is neither true nor false");
                false
            }
        }
    }

    /// Takes a table whose keys the file chooses.
    pub(super) fn table(&mut self, name: &'static str) -> Table {
        match self.any(name) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.mistakes.add(&self.key(name), "is no table");
                Table::new()
            }
        }
    }

    /// Takes a table whose keys the format chooses. One that is left out is an empty one.
    pub(super) fn section(&mut self, name: &'static str) -> Section<'m> {
        let table = self.table(name);
        Section::new(self.key(name), table, self.mistakes)
    }

    /// Takes a list of tables; `None` when it is left out.
    pub(super) fn sections(&mut self, name: &'static str) -> Option<Vec<Section<'m>>> {
        let Value::Array(items) = self.any(name)? else {
            self.mistakes.add_with_hint(
                &self.key(name),
                "is no list of tables",
                format!("write [[{}]]", self.key(name)),
            );
            return None;
        };
        let mut sections = Vec::with_capacity(items.len());
        for (place, item) in items.into_iter().enumerate() {
            let key = format!("{}[{place}]", self.key(name));
            match item {
                Value::Table(table) => sections.push(Section::new(key, table, self.mistakes)),
                _ => self.mistakes.add(&key, "is no table"),
            }
        }
        Some(sections)
    }

    /// Notes the keys that nobody asked for.
    pub(super) fn finish(self) {
        for name in self.table.keys() {
            let hint = did_you_mean(name, self.asked.iter().copied());
            self.mistakes.add_with_hint(&self.key(name), "is an unknown key", hint);
        }
    }
}

/// `section.name`, or `name` at the top.
pub(super) fn join(section: &str, name: &str) -> String {
    if section.is_empty() { name.to_owned() } else { format!("{section}.{name}") }
}
