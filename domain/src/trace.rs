//! Where the trace of a command goes on, in other processes.

use std::fmt;

/// A `traceparent` of the W3C Trace Context (version 00): `00-<trace id>-<span id>-<flags>`, in lower-case hexadecimal
/// digits. It travels with an event, so that whoever hands it on or stores it can add to the trace of the command that
/// made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(Box<str>);

/// How many digits the parts have.
const DIGITS: [usize; 4] = [2, 32, 16, 2];

impl TraceParent {
    /// `None` when the text has another form, or names no trace (an id of zeros only).
    pub fn new(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        for digits in DIGITS {
            let part = parts.next()?;
            let is_hexadecimal = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            if part.len() != digits || !part.bytes().all(is_hexadecimal) {
                return None;
            }
            if digits > 2 && part.bytes().all(|byte| byte == b'0') {
                return None;
            }
        }
        (parts.next().is_none() && text.starts_with("00-")).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_form_of_the_standard_is_one() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(TraceParent::new(good).unwrap().as_str(), good);
        for bad in [
            "",
            "-",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(TraceParent::new(bad), None, "{bad}");
        }
    }
}
