//! Socket.IO packets as finished WebSocket frames, for the lane past the engine. They read like the engine's own
//! (Socket.IO protocol 5, RFC 6455): text, not fragmented, not masked.

use std::sync::{Arc, OnceLock};

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, value::RawValue};

use crate::dialect::Frame;

/// The namespace that packets do not name.
const ROOT: &str = "/";
const FINAL_TEXT: u8 = 0x81;

/// An event for many sockets: its finished frame is made once a namespace.
#[derive(Debug)]
pub struct SharedFrame {
    /// The event.
    pub frame: Frame,
    finished: OnceLock<Box<Finished>>,
}

/// A list, because nearly all sockets of a dialect are in one namespace.
#[derive(Debug)]
struct Finished {
    namespace: Arc<str>,
    bytes: Bytes,
    next: OnceLock<Box<Finished>>,
}

impl From<Frame> for SharedFrame {
    fn from(frame: Frame) -> Self {
        Self { frame, finished: OnceLock::new() }
    }
}

impl SharedFrame {
    /// The finished frame for a namespace.
    pub(super) fn finished(&self, namespace: &Arc<str>) -> &Bytes {
        let mut place = &self.finished;
        loop {
            let finished = place.get_or_init(|| {
                let bytes = event(namespace, &self.frame);
                Box::new(Finished { namespace: namespace.clone(), bytes, next: OnceLock::new() })
            });
            if finished.namespace == *namespace {
                return &finished.bytes;
            }
            place = &finished.next;
        }
    }
}

/// An event: `42["name",payload]`, `42/ns,["name",payload]`.
pub(super) fn event(namespace: &str, frame: &Frame) -> Bytes {
    let name = Value::from(&*frame.event).to_string();
    match &frame.payload {
        Some(payload) => text(&["42", &prefix(namespace), "[", &name, ",", payload.get(), "]"]),
        None => text(&["42", &prefix(namespace), "[", &name, "]"]),
    }
}

/// An acknowledgement: `43<id>[payload]`, `43/ns,<id>[payload]`.
pub(super) fn acknowledgement(namespace: &str, id: i64, payload: &RawValue) -> Bytes {
    text(&["43", &prefix(namespace), &id.to_string(), "[", payload.get(), "]"])
}

fn prefix(namespace: &str) -> String {
    if namespace == ROOT { String::new() } else { format!("{namespace},") }
}

/// A text frame with these parts, one after the other.
fn text(parts: &[&str]) -> Bytes {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut frame = BytesMut::with_capacity(length + 10);
    frame.put_u8(FINAL_TEXT);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(length @ ..=125), _) => frame.put_u8(length),
        (_, Ok(length)) => {
            frame.put_u8(126);
            frame.put_u16(length);
        }
        _ => {
            frame.put_u8(127);
            frame.put_u64(length as u64);
        }
    }
    for part in parts {
        frame.put_slice(part.as_bytes());
    }
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use crate::dialect::Audience;

    use super::*;

    fn frame(payload: Option<&str>) -> Frame {
        let payload = payload.map(|payload| RawValue::from_string(payload.to_owned()).unwrap());
        Frame { event: "say \"hi\"".into(), payload, audience: Audience::Everyone }
    }

    #[test]
    fn events_and_acknowledgements_read_like_the_engines() {
        let payload = RawValue::from_string(r#"{"ok":true}"#.to_owned()).unwrap();
        let shown = |frame: Bytes| {
            assert_eq!(frame[..2], [FINAL_TEXT, u8::try_from(frame.len() - 2).unwrap()]);
            String::from_utf8(frame[2..].to_vec()).unwrap()
        };
        assert_eq!(shown(event("/", &frame(Some("[1]")))), r#"42["say \"hi\"",[1]]"#);
        assert_eq!(shown(event("/ns", &frame(None))), r#"42/ns,["say \"hi\""]"#);
        assert_eq!(shown(acknowledgement("/", 7, &payload)), r#"437[{"ok":true}]"#);
        assert_eq!(shown(acknowledgement("/ns", 12, &payload)), r#"43/ns,12[{"ok":true}]"#);
    }

    #[test]
    fn every_length_has_its_header() {
        for (length, header) in [
            (0, vec![0x81, 0]),
            (125, vec![0x81, 125]),
            (126, vec![0x81, 126, 0, 126]),
            (255, vec![0x81, 126, 0, 255]),
            (65_535, vec![0x81, 126, 255, 255]),
            (65_536, vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = text(&["x".repeat(length).as_str()]);
            assert_eq!(frame[..header.len()], header);
            assert_eq!(frame.len(), header.len() + length);
        }
    }

    #[test]
    fn a_shared_frame_is_finished_once_a_namespace() {
        let shared = SharedFrame::from(frame(Some("1")));
        let (root, other): (Arc<str>, Arc<str>) = ("/".into(), "/ns".into());
        let first = shared.finished(&root).as_ptr();
        assert!(shared.finished(&other).ends_with(br#"42/ns,["say \"hi\"",1]"#));
        assert_eq!(shared.finished(&root).as_ptr(), first);
        assert_eq!(shared.finished(&other).as_ptr(), shared.finished(&other).as_ptr());
    }
}
