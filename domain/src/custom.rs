//! Custom events: a backend's own, handed on to clients as they are.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rejection::Rejection;

/// The longest name of a custom event, in bytes.
pub const MAX_EVENT_NAME_BYTES: usize = 128;
/// The largest data of a custom event, in bytes of its JSON.
pub const MAX_EVENT_DATA_BYTES: usize = 64 * 1024;

/// Names that Socket.IO clients keep for themselves.
/// <https://socket.io/docs/v4/emit-cheatsheet/#reserved-events>
const RESERVED: &[&str] =
    &["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];

/// A backend's event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomEvent {
    /// Its name on the wire.
    pub event: String,
    /// Its only argument.
    pub data: Value,
}

impl CustomEvent {
    /// Checks an event and takes it.
    ///
    /// # Errors
    /// `invalid_payload` when the name is empty, too long, reserved or has a control character, or the data are too
    /// large.
    pub fn new(event: String, data: Value) -> Result<Self, Rejection> {
        if event.is_empty() || event.len() > MAX_EVENT_NAME_BYTES || event.chars().any(char::is_control) {
            return Err(Rejection::invalid(
                "event",
                "is no name of 1 to 128 bytes without control characters",
            ));
        }
        if RESERVED.contains(&event.as_str()) {
            return Err(Rejection::invalid("event", "is a name that Socket.IO reserves"));
        }
        if data.to_string().len() > MAX_EVENT_DATA_BYTES {
            return Err(Rejection::invalid("data", "takes more than 64 KiB"));
        }
        Ok(Self { event, data })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_name_that_clients_keep_for_themselves_is_refused() {
        assert!(CustomEvent::new("order:shipped".to_owned(), json!({"id": 7})).is_ok());
        for name in ["", "connect", "disconnect", "a\nb"] {
            assert!(CustomEvent::new(name.to_owned(), Value::Null).is_err(), "{name:?}");
        }
        let large = json!("x".repeat(MAX_EVENT_DATA_BYTES));
        assert!(CustomEvent::new("a".to_owned(), large).is_err());
    }
}
