//! Loose fields, taken one by one with the type that a command wants.

use std::{fmt, str::FromStr};

use serde_json::{Map, Value};

use crate::rejection::Rejection;

/// The largest integer that JavaScript keeps exact.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The fields of one command. `null` is the same as a field left out.
#[derive(Debug)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// The fields as they were found.
    pub fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Takes a field whatever its type.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// Takes a field whatever its type, where `null` is something else than a field left out.
    pub(super) fn take_nullable(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// The name of a field that was not taken.
    pub(super) fn rest(&self) -> Option<&str> {
        self.0.keys().next().map(String::as_str)
    }

    /// Takes true or false, or the same as a word.
    pub(super) fn flag(&mut self, name: &str) -> Result<Option<bool>, Rejection> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(word)) if word == "true" => Ok(Some(true)),
            Some(Value::String(word)) if word == "false" => Ok(Some(false)),
            Some(_) => Err(Rejection::invalid(name, "is neither true nor false")),
        }
    }

    /// Takes a text.
    pub(super) fn text(&mut self, name: &str) -> Result<Option<String>, Rejection> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Rejection::invalid(name, "is no text")),
        }
    }

    /// Takes a text that is an id.
    pub(super) fn optional<T>(&mut self, name: &str) -> Result<Option<T>, Rejection>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let parse = |text: String| text.parse().map_err(|problem| Rejection::invalid(name, problem));
        self.text(name)?.map(parse).transpose()
    }

    /// Takes an id that must be there.
    pub(super) fn required<T>(&mut self, name: &str) -> Result<T, Rejection>
    where
        T: FromStr<Err: fmt::Display>,
    {
        self.optional(name)?.ok_or_else(|| Rejection::invalid(name, "is missing"))
    }

    /// Takes a whole number, written as a number or as decimal digits.
    pub(super) fn number(&mut self, name: &str) -> Result<Option<u64>, Rejection> {
        let number = match self.take(name) {
            None => return Ok(None),
            Some(Value::Number(number)) => number.as_u64(),
            Some(Value::String(digits)) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().ok()
            }
            Some(_) => None,
        };
        match number {
            Some(number) if number <= MAX_SAFE_INTEGER => Ok(Some(number)),
            _ => Err(Rejection::invalid(name, "is no whole number from 0")),
        }
    }

    /// Takes a list.
    pub(super) fn list(&mut self, name: &str) -> Result<Option<Vec<Value>>, Rejection> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Array(items)) => Ok(Some(items)),
            Some(_) => Err(Rejection::invalid(name, "is no list")),
        }
    }

    /// Takes an object.
    pub(super) fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, Rejection> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(fields)),
            Some(_) => Err(Rejection::invalid(name, "is no object")),
        }
    }
}
