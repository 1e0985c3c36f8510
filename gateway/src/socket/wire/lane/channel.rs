//! The sockets of one wire, one for each namespace, and which of them may write past the engine.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::LaneId;

/// What the gateway emits through the engine when it begins to hold a socket's frames back: an event of this name with
/// the lane's id. Nobody outside knows the name, so nothing that is really sent can be taken for it.
pub(super) fn marker() -> &'static str {
    static MARKER: OnceLock<String> = OnceLock::new();
    MARKER.get_or_init(|| format!("lane-{:032x}", rand::random::<u128>()))
}

/// The lane that a packet of the engine opens, if it is a marker: `42["<marker>",7]`, `42/ns,["<marker>",7]`.
pub(super) fn marked(packet: &[u8]) -> Option<LaneId> {
    let event = packet.strip_prefix(b"42")?;
    // The marker's is the shortest of all; a long packet need not be searched for it.
    let begin = event.iter().position(|byte| *byte == b'[')?;
    let arguments = event.get(begin..)?.strip_prefix(b"[\"")?;
    let id = arguments.strip_prefix(marker().as_bytes())?.strip_prefix(b"\",")?.strip_suffix(b"]")?;
    std::str::from_utf8(id).ok()?.parse().ok().map(LaneId)
}

/// The namespace that a packet takes a socket out of: `41`, `41/ns,`. The engine's own close packet, `1`, ends all.
pub(super) fn ends(packet: &[u8]) -> Option<Ends<'_>> {
    match packet {
        b"1" => Some(Ends::All),
        b"41" => Some(Ends::Namespace(b"/")),
        _ => {
            let namespace = packet.strip_prefix(b"41")?.strip_suffix(b",")?;
            namespace.starts_with(b"/").then_some(Ends::Namespace(namespace))
        }
    }
}

/// What a packet ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ends<'a> {
    All,
    Namespace(&'a [u8]),
}

/// The lanes of one wire. Nearly always there is one.
#[derive(Default)]
pub(super) struct Channels {
    list: Vec<Channel>,
    next: u32,
    held: usize,
}

struct Channel {
    id: LaneId,
    namespace: Arc<str>,
    /// What is held back until the marker has come; `None` from then on.
    held: Option<Vec<Bytes>>,
}

/// What is to be done with a frame.
pub(super) enum Way {
    /// It may be written.
    Open,
    /// It was put behind the others that are held back.
    Held,
    /// Nothing is written to that socket any more.
    Gone,
}

impl Channels {
    /// A new lane, which holds everything back.
    pub(super) fn hold(&mut self, namespace: Arc<str>) -> LaneId {
        let id = LaneId(self.next);
        self.next = self.next.wrapping_add(1);
        self.list.reserve_exact(1);
        self.list.push(Channel { id, namespace, held: Some(Vec::new()) });
        id
    }

    /// Bytes that are held back.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Which way a frame goes; keeps it if it is to be held back.
    pub(super) fn way(&mut self, id: LaneId, frame: &Bytes) -> Way {
        match self.list.iter_mut().find(|channel| channel.id == id) {
            None => Way::Gone,
            Some(Channel { held: None, .. }) => Way::Open,
            Some(Channel { held: Some(held), .. }) => {
                self.held += frame.len();
                held.push(frame.clone());
                Way::Held
            }
        }
    }

    /// Opens a lane: what it has held back, to be written now. Nothing if the socket is gone.
    pub(super) fn open(&mut self, id: LaneId) -> Vec<Bytes> {
        let channel = self.list.iter_mut().find(|channel| channel.id == id);
        let held = channel.and_then(|channel| channel.held.take()).unwrap_or_default();
        self.release(&held);
        held
    }

    /// Forgets a lane and what it holds back.
    pub(super) fn close(&mut self, id: LaneId) {
        self.close_where(|channel| channel.id == id);
    }

    /// Forgets the lanes that a packet ends.
    pub(super) fn end(&mut self, ends: &Ends<'_>) {
        self.close_where(|channel| match ends {
            Ends::All => true,
            Ends::Namespace(namespace) => channel.namespace.as_bytes() == *namespace,
        });
    }

    fn close_where(&mut self, closes: impl Fn(&Channel) -> bool) {
        let closed: Vec<Channel> = self.list.extract_if(.., |channel| closes(channel)).collect();
        for channel in closed {
            self.release(&channel.held.unwrap_or_default());
        }
    }

    fn release(&mut self, held: &[Bytes]) {
        self.held -= held.iter().map(Bytes::len).sum::<usize>();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_known_in_every_namespace_and_nothing_else_is() {
        let name = marker();
        assert_eq!(marked(format!("42[\"{name}\",7]").as_bytes()), Some(LaneId(7)));
        assert_eq!(marked(format!("42/ns,[\"{name}\",12]").as_bytes()), Some(LaneId(12)));
        for other in
            ["42[\"lane\",7]".to_owned(), format!("42[\"x\",\"{name}\",7]"), format!("43[\"{name}\",7]")]
        {
            assert_eq!(marked(other.as_bytes()), None, "{other}");
        }
        assert_eq!(marked(b""), None);
    }

    #[test]
    fn a_disconnect_names_its_namespace() {
        assert_eq!(ends(b"41"), Some(Ends::Namespace(b"/")));
        assert_eq!(ends(b"41/ns,"), Some(Ends::Namespace(b"/ns")));
        assert_eq!(ends(b"1"), Some(Ends::All));
        for other in [b"40".as_slice(), b"42[]", b"43", b"", b"410"] {
            assert_eq!(ends(other), None);
        }
    }

    #[test]
    fn frames_are_held_until_the_marker_comes_and_dropped_with_their_socket() {
        let frame = Bytes::from_static(b"frame");
        let mut channels = Channels::default();
        let (one, two) = (channels.hold("/".into()), channels.hold("/two".into()));
        assert!(matches!(channels.way(one, &frame), Way::Held));
        assert!(matches!(channels.way(two, &frame), Way::Held));
        assert_eq!(channels.held(), 10);
        assert_eq!(channels.open(one), std::slice::from_ref(&frame));
        assert!(matches!(channels.way(one, &frame), Way::Open));
        channels.end(&Ends::Namespace(b"/two"));
        assert_eq!(channels.held(), 0);
        assert!(matches!(channels.way(two, &frame), Way::Gone));
        assert!(channels.open(two).is_empty());
        channels.close(one);
        assert!(matches!(channels.way(one, &frame), Way::Gone));
    }
}
