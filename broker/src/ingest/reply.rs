//! What Redis answers to commands on streams, as entries.

use bytes::Bytes;
use fred::types::Value;

use super::{Entry, EntryId};
use crate::error::BrokerError;

fn unexpected(what: &str, value: &Value) -> BrokerError {
    BrokerError::Unexpected(format!("{what}: {:?}", value.kind()))
}

/// A list; nothing is the empty one.
pub(super) fn list(what: &str, value: Value) -> Result<Vec<Value>, BrokerError> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Null => Ok(Vec::new()),
        other => Err(unexpected(what, &other)),
    }
}

/// A text.
pub(super) fn text(what: &str, value: &Value) -> Result<String, BrokerError> {
    value.as_string().ok_or_else(|| unexpected(what, value))
}

/// Entries, each a list of id and fields. One that was deleted while it was pending has no fields and is left out.
pub(super) fn entries(value: Value) -> Result<Vec<Entry>, BrokerError> {
    let entries = list("stream entries", value)?;
    entries.into_iter().filter_map(|entry| self::entry(entry).transpose()).collect()
}

fn entry(value: Value) -> Result<Option<Entry>, BrokerError> {
    let mut parts = list("stream entry", value)?.into_iter();
    let Some(id) = parts.next() else { return Ok(None) };
    let id: EntryId = text("entry id", &id)?.parse().map_err(BrokerError::Unexpected)?;
    let Some(Value::Array(fields)) = parts.next() else {
        return Ok(None);
    };
    let mut entry = Entry { id, conversation: Bytes::new(), header: Bytes::new(), body: Bytes::new() };
    let mut fields = fields.into_iter();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        let value = value.into_bytes().unwrap_or_default();
        match name.as_bytes() {
            Some(b"c") => entry.conversation = value,
            Some(b"h") => entry.header = value,
            Some(b"b") => entry.body = value,
            _ => {}
        }
    }
    Ok(Some(entry))
}

/// A list of names and values in turn, as RESP2 writes maps.
pub(super) fn pairs(what: &str, value: Value) -> Result<Vec<(String, Value)>, BrokerError> {
    let mut items = list(what, value)?.into_iter();
    let mut pairs = Vec::with_capacity(items.len() / 2);
    while let (Some(name), Some(value)) = (items.next(), items.next()) {
        pairs.push((text(what, &name)?, value));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(text: &str) -> Value {
        Value::from(text)
    }

    #[test]
    fn an_entry_that_is_gone_is_left_out_and_foreign_fields_are_ignored() {
        let entry = |fields| Value::Array(vec![word("5-1"), fields]);
        let fields = ["c", "x", "other", "y", "h", "head", "b", "{}"].map(word).to_vec();
        let read = entries(Value::Array(vec![entry(Value::Null), entry(Value::Array(fields))])).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].conversation, "x");
        assert_eq!(read[0].size(), 7);
    }

    #[test]
    fn bytes_that_are_no_text_arrive_as_they_are() {
        let body = Value::Bytes(Bytes::from_static(b"\xff\x00"));
        let entry = Value::Array(vec![word("5-1"), Value::Array(vec![word("b"), body])]);
        let read = entries(Value::Array(vec![entry])).unwrap();
        assert_eq!(read[0].body, &b"\xff\x00"[..]);
    }
}
