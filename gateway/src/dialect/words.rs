//! An application's own words for the stable codes.

use std::collections::HashMap;

use parlance_domain::rejection::Code;

use super::mistake::{Mistakes, did_you_mean};

/// The key for every code that has no words of its own.
const OTHER: &str = "other";

/// A text for some of the codes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Words {
    by_code: HashMap<Code, String>,
    other: Option<String>,
}

impl Words {
    /// Reads a table whose keys are codes or `other`.
    pub(super) fn read(table: &toml::Table, key: &str, mistakes: &Mistakes) -> Self {
        let mut words = Self::default();
        for (name, value) in table {
            let key = format!("{key}.{name}");
            let code = Code::ALL.iter().find(|code| code.as_str() == name);
            match (value.as_str(), code) {
                (None, _) => mistakes.add(&key, "is no text"),
                (Some(text), Some(code)) => {
                    words.by_code.insert(*code, text.to_owned());
                }
                (Some(text), None) if name == OTHER => words.other = Some(text.to_owned()),
                (Some(_), None) => {
                    let codes = Code::ALL.iter().map(|code| code.as_str());
                    let hint = did_you_mean(name, codes.chain([OTHER]));
                    mistakes.add_with_hint(&key, "is an unknown code", hint);
                }
            }
        }
        words
    }

    /// The words for just this code.
    pub(super) fn exact(&self, code: Code) -> Option<&str> {
        self.by_code.get(&code).map(String::as_str)
    }

    /// The words for every other code.
    pub(super) fn other(&self) -> Option<&str> {
        self.other.as_deref()
    }
}
