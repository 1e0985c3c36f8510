//! What is read of a client's stream: counted, paced, thrown away once the wire is muted, and otherwise the engine's.
//!
//! The engine takes as many packets as there are before it lets another task run. So a stream is read in turns: after a few
//! packets, the others are due; and when packets come faster than a client may bring them, the stream is not read
//! for a while, which the client's system notices, and nobody else.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Sleep;

use super::{Transport, Wire};
use crate::limits::Limit;

/// Bytes of the two masked frames with which a client changes to WebSocket: `2probe` (12) and `5` (7). Once so
/// many have been read, the engine has either seen the `5` or refused the upgrade and drops the stream.
const UPGRADE_BYTES: usize = 19;
/// After so many packets of one stream, others are due.
const TURN_PACKETS: u64 = 32;
/// After so many bytes of one stream, others are due.
const TURN_BYTES: usize = 32 << 10;
/// The shortest time for which a stream is not read: timers are no finer than a millisecond, and cost something.
const SHORTEST_PAUSE: Duration = Duration::from_millis(10);

/// The reading side of a client's stream, whatever it is read from.
pub(super) struct Intake {
    /// What was read before the engine got the stream.
    ahead: Bytes,
    handshake_left: usize,
    frames: Frames,
    turn_packets: u64,
    turn_bytes: usize,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Intake {
    /// `ahead` are the bytes that were read already.
    pub(super) fn new(ahead: Bytes, wire: &Wire) -> Self {
        let handshake_left = if wire.transport() == Transport::Upgrading { UPGRADE_BYTES } else { 0 };
        Self { ahead, handshake_left, frames: Frames::default(), turn_packets: 0, turn_bytes: 0, pause: None }
    }

    /// Reads for the engine. The caller has seen to it that the wire wakes the task.
    pub(super) fn poll_read(
        &mut self,
        wire: &Wire,
        mut io: Pin<&mut impl AsyncRead>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            ready!(self.poll_turn(wire, cx));
            if !self.take_ahead(buf) && io.as_mut().poll_read(cx, buf)?.is_pending() {
                self.end_turn();
                return Poll::Pending;
            }
            let read = buf.filled().get(before..).unwrap_or_default();
            self.count(wire, read);
            if read.is_empty() || !wire.muted() {
                return Poll::Ready(Ok(()));
            }
            buf.set_filled(before);
        }
    }

    /// Waits until it is this stream's turn.
    fn poll_turn(&mut self, wire: &Wire, cx: &mut Context<'_>) -> Poll<()> {
        if self.pause.is_none() {
            let wait = wire.intake_wait();
            if !wait.is_zero() {
                Limit::Packets.count();
                self.pause = Some(Box::pin(tokio::time::sleep(wait.max(SHORTEST_PAUSE))));
            }
        }
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
            self.end_turn();
        }
        if self.turn_packets >= TURN_PACKETS || self.turn_bytes >= TURN_BYTES {
            self.end_turn();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn end_turn(&mut self) {
        (self.turn_packets, self.turn_bytes) = (0, 0);
    }

    /// Hands the engine what was read ahead of it; false when nothing is left.
    fn take_ahead(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if self.ahead.is_empty() {
            return false;
        }
        let bytes = self.ahead.split_to(self.ahead.len().min(buf.remaining()));
        buf.put_slice(&bytes);
        true
    }

    fn count(&mut self, wire: &Wire, read: &[u8]) {
        let packets = self.frames.count(read);
        self.turn_packets += packets;
        self.turn_bytes += read.len();
        wire.count_received(read.len(), packets);
        if self.handshake_left > 0 {
            self.handshake_left = self.handshake_left.saturating_sub(read.len());
            if self.handshake_left == 0 {
                wire.set_transport(Transport::Upgraded);
            }
        }
    }
}

/// Counts the frames of a WebSocket stream by their headers (RFC 6455, 5.2), however its bytes are cut up.
#[derive(Default)]
struct Frames {
    /// What has come of the next frame's header.
    header: Vec<u8>,
    /// What is still to come of the last frame's payload.
    payload: u64,
}

impl Frames {
    /// Takes the next bytes; returns how many headers end in them.
    fn count(&mut self, mut data: &[u8]) -> u64 {
        let mut count = 0;
        loop {
            let skipped = data.len().min(usize::try_from(self.payload).unwrap_or(usize::MAX));
            self.payload -= skipped as u64;
            data = data.get(skipped..).unwrap_or_default();
            let Some((first, rest)) = data.split_first() else { return count };
            self.header.push(*first);
            data = rest;
            if let Some(payload) = payload_after(&self.header) {
                self.header.clear();
                self.payload = payload;
                count += 1;
            }
        }
    }
}

/// The length of the payload, once the header is whole.
fn payload_after(header: &[u8]) -> Option<u64> {
    let second = header.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (length, payload) = match second & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(header.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(header.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    (header.len() >= length + mask).then_some(payload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: u64, masked: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![0x81];
        match length {
            0..=125 => frame.push(mask | length as u8),
            126..=65_535 => {
                frame.push(mask | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                frame.push(mask | 127);
                frame.extend_from_slice(&length.to_be_bytes());
            }
        }
        frame.extend(std::iter::repeat_n(0xff, length as usize + if masked { 4 } else { 0 }));
        frame
    }

    #[test]
    fn frames_are_counted_however_their_bytes_come() {
        let lengths = [0, 1, 125, 126, 300, 65_535, 65_536, 70_000, 0, 5];
        let stream: Vec<u8> = lengths.iter().flat_map(|length| frame(*length, length % 2 == 0)).collect();
        for step in [1, 2, 3, 7, 100, 512, 70_000, stream.len()] {
            let mut frames = Frames::default();
            let count: u64 = stream.chunks(step).map(|chunk| frames.count(chunk)).sum();
            assert_eq!(count, lengths.len() as u64, "{step} at a time");
            assert!(frames.header.is_empty() && frames.payload == 0);
        }
    }

    #[test]
    fn a_length_that_nothing_has_is_waited_for_in_vain() {
        let mut frames = Frames::default();
        let head = [&[0x81, 0xff][..], &u64::MAX.to_be_bytes(), &[0; 4]].concat();
        assert_eq!(frames.count(&head), 1);
        assert_eq!(frames.count(&[0x81; 4_096]), 0);
    }
}
