//! From what was written to what it means: a parser for each sort of value, with its bounds.
//!
//! A parser is a function of a [`Raw`] value, so a section can bring its own for what is not here.

mod address;
mod quantity;

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

pub use address::{host, secret_url, socket_address, url};
pub use quantity::{byte_size, duration};

use super::mistake::{Mistake, Origin};
use crate::secret::Secret;

/// A value as it was written. Numbers and truth values of the file become text, so that each setting reads the
/// same from every source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// A single value.
    Text(String),
    /// An array of the file.
    List(Vec<String>),
}

impl Raw {
    /// The single value.
    ///
    /// # Errors
    /// When it is a list.
    pub fn text(&self) -> Result<&str, Problem> {
        match self {
            Self::Text(text) => Ok(text),
            Self::List(_) => Err(Problem::new("is a list").hint("write a single value")),
        }
    }

    /// The elements: those of an array, or those between the commas of a text. None is empty.
    pub fn elements(&self) -> Vec<&str> {
        let parts: Vec<&str> = match self {
            Self::Text(text) => text.split(',').collect(),
            Self::List(items) => items.iter().map(String::as_str).collect(),
        };
        parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
    }
}

/// What is wrong with a value, as a phrase that follows it: `is not a whole number`. It must not quote the
/// value, which may be secret; the reader does when it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    text: String,
    hint: Option<String>,
}

impl Problem {
    /// A problem without a hint.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), hint: None }
    }

    /// Adds what to do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts the value before it.
    pub(super) fn about(mut self, value: &str) -> Self {
        self.text = format!("{value} {}", self.text);
        self
    }

    pub(super) fn of(self, key: &str, origin: Origin) -> Mistake {
        Mistake { key: key.to_owned(), origin, problem: self.text, hint: self.hint }
    }
}

/// A text whose length in bytes is in the range.
pub fn text(bytes: RangeInclusive<usize>) -> impl Fn(&Raw) -> Result<String, Problem> {
    move |raw| {
        let text = raw.text()?;
        within(&text.len(), &bytes, |bound| format!("{bound} bytes"))
            .map_err(|problem| problem.about("has a length that"))?;
        Ok(text.to_owned())
    }
}

/// A number in the range. The type decides whether it may be negative or have a fraction.
pub fn number<T>(range: RangeInclusive<T>) -> impl Fn(&Raw) -> Result<T, Problem>
where
    T: FromStr + PartialOrd + Display,
{
    move |raw| {
        let hint = || format!("write a number between {} and {}", range.start(), range.end());
        let parsed: Result<T, _> = raw.text()?.trim().parse();
        let number = parsed.map_err(|_| Problem::new("is not a number of the right sort").hint(hint()))?;
        within(&number, &range, T::to_string)?;
        Ok(number)
    }
}

/// `true` or `false`.
pub fn boolean() -> impl Fn(&Raw) -> Result<bool, Problem> {
    word(&[("true", true), ("false", false)])
}

/// One of these words.
pub fn word<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&Raw) -> Result<T, Problem> {
    move |raw| {
        let written = raw.text()?.trim();
        let known = words.iter().find(|(word, _)| *word == written).map(|(_, meaning)| *meaning);
        known.ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Problem::new("is not one of the words").hint(format!("write one of: {}", words.join(", ")))
        })
    }
}

/// A list (a TOML array, or a text with commas) of what `element` parses; it may be empty.
pub fn list<T>(element: impl Fn(&Raw) -> Result<T, Problem>) -> impl Fn(&Raw) -> Result<Vec<T>, Problem> {
    move |raw| {
        let elements = raw.elements().into_iter().enumerate();
        let parsed = elements.map(|(index, text)| {
            let number = index + 1;
            element(&Raw::Text(text.to_owned()))
                .map_err(|problem| problem.about(&format!("has an element {number} that")))
        });
        parsed.collect()
    }
}

/// A secret of at least so many bytes.
pub fn secret(least_bytes: usize) -> impl Fn(&Raw) -> Result<Secret, Problem> {
    move |raw| {
        let text = raw.text()?;
        if text.len() < least_bytes {
            return Err(Problem::new(format!("has {} bytes, which is too short", text.len()))
                .hint(format!("use at least {least_bytes} bytes that nobody can guess")));
        }
        Ok(Secret::new(text))
    }
}

fn within<T: PartialOrd>(
    value: &T,
    range: &RangeInclusive<T>,
    show: impl Fn(&T) -> String,
) -> Result<(), Problem> {
    if range.contains(value) {
        return Ok(());
    }
    let (least, most) = (show(range.start()), show(range.end()));
    Err(Problem::new("is out of range").hint(format!("it must be between {least} and {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn raw(text: &str) -> Raw {
        Raw::Text(text.to_owned())
    }

    #[test]
    fn texts_have_a_length() {
        assert_eq!(text(1..=3)(&raw("abc")).unwrap(), "abc");
        let problem = text(1..=3)(&raw("abcd")).unwrap_err();
        assert_eq!(problem.text, "has a length that is out of range");
        assert_eq!(problem.hint.unwrap(), "it must be between 1 bytes and 3 bytes");
        assert!(text(1..=3)(&raw("")).is_err());
        assert!(text(1..=3)(&Raw::List(vec![])).is_err());
    }

    #[test]
    fn numbers_have_bounds() {
        assert_eq!(number(1..=1_024_u16)(&raw(" 1024 ")).unwrap(), 1_024);
        assert_eq!(number(0.0..=1.0)(&raw("0.5")).unwrap(), 0.5);
        for wrong in ["0", "1025", "99999", "-1", "x", "", "1.5"] {
            let problem = number(1..=1_024_u16)(&raw(wrong)).unwrap_err();
            assert!(problem.hint.unwrap().contains("between 1 and 1024"), "{wrong}");
        }
        assert!(number(0.0..=1.0)(&raw("NaN")).is_err());
    }

    #[test]
    fn words_are_a_closed_set() {
        let parse = word(&[("text", 1), ("json", 2)]);
        assert_eq!(parse(&raw("json")).unwrap(), 2);
        assert_eq!(parse(&raw("xml")).unwrap_err().hint.unwrap(), "write one of: text, json");
        assert!(boolean()(&raw("true")).unwrap());
        assert!(boolean()(&raw("yes")).is_err());
    }

    #[test]
    fn lists_come_from_arrays_and_commas_and_name_the_wrong_element() {
        let numbers = list(number(0..=9));
        assert_eq!(numbers(&raw("1, 2,,3,")).unwrap(), [1, 2, 3]);
        assert_eq!(numbers(&Raw::List(vec!["1".into(), "2".into()])).unwrap(), [1, 2]);
        assert_eq!(numbers(&raw("")).unwrap(), Vec::<i32>::new());
        assert_eq!(
            numbers(&raw("1,x")).unwrap_err().text,
            "has an element 2 that is not a number of the right sort"
        );
    }

    #[test]
    fn a_short_secret_is_refused_without_showing_it() {
        assert_eq!(secret(7)(&raw("hunter2")).unwrap().expose(), "hunter2");
        let problem = format!("{:?}", secret(32)(&raw("hunter2")).unwrap_err());
        assert!(problem.contains("has 7 bytes") && !problem.contains("hunter2"), "{problem}");
    }
}
