//! Cuts what the engine writes into what may not be torn apart: whole WebSocket frames (RFC 6455, 5.2), and a
//! Socket.IO packet together with its binary attachments.

use bytes::Bytes;

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PONG: u8 = 0xa;

/// A frame that the engine has written.
pub(super) struct Cut {
    /// All of it, with its header; for a packet with attachments, all its frames.
    pub(super) bytes: Bytes,
    header: usize,
}

impl Cut {
    /// The text of a text frame; empty for any other.
    pub(super) fn text(&self) -> &[u8] {
        if opcode(&self.bytes) == TEXT { self.bytes.get(self.header..).unwrap_or_default() } else { &[] }
    }

    /// Whether it is a close frame.
    pub(super) fn is_close(&self) -> bool {
        opcode(&self.bytes) == CLOSE
    }
}

/// Remembers the part of a frame, or of a packet, that has no end yet.
#[derive(Default)]
pub(super) struct Cutter {
    rest: Vec<u8>,
}

impl Cutter {
    /// Bytes that wait for their end.
    pub(super) fn bytes(&self) -> usize {
        self.rest.len()
    }

    /// Takes the next bytes; returns what is whole now.
    pub(super) fn cut(&mut self, data: &[u8]) -> Vec<Cut> {
        let mut cuts = Vec::new();
        if self.rest.is_empty() {
            let whole = all_whole(data, &mut cuts);
            self.rest.extend_from_slice(data.get(whole..).unwrap_or_default());
        } else {
            self.rest.extend_from_slice(data);
            let whole = all_whole(&self.rest, &mut cuts);
            self.rest.drain(..whole);
        }
        if self.rest.is_empty() {
            self.rest = Vec::new();
        }
        cuts
    }
}

/// Collects what is whole; returns how long that is.
fn all_whole(data: &[u8], cuts: &mut Vec<Cut>) -> usize {
    let mut begin = 0;
    while let Some(rest) = data.get(begin..)
        && let Some((header, length)) = first_whole(rest)
        && let Some(bytes) = rest.get(..length)
    {
        cuts.push(Cut { bytes: Bytes::copy_from_slice(bytes), header });
        begin += length;
    }
    begin
}

/// The length of the first frame's header, and of all that belongs to the frame.
fn first_whole(data: &[u8]) -> Option<(usize, usize)> {
    let (header, mut end) = measure(data)?;
    let mut attachments = match data.get(header..end)? {
        text if opcode(data) == TEXT => attachments(text),
        _ => 0,
    };
    while attachments > 0 {
        let next = data.get(end..)?;
        let (_, length) = measure(next)?;
        match opcode(next) {
            BINARY => attachments -= 1,
            // The answer to a client's ping may come between any two frames.
            PONG => {}
            // Nothing waits for attachments that do not come.
            _ => break,
        }
        next.get(..length)?;
        end += length;
    }
    Some((header, end))
}

/// How many binary frames follow a Socket.IO packet: `45<n>-…`, `46<n>-…`.
fn attachments(text: &[u8]) -> usize {
    let Some(rest) = text.strip_prefix(b"45").or_else(|| text.strip_prefix(b"46")) else {
        return 0;
    };
    let digits = rest.split(|byte| *byte == b'-').next().unwrap_or_default();
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The length of a frame's header, and of the whole frame, once the header is there. A server does not mask.
fn measure(data: &[u8]) -> Option<(usize, usize)> {
    let (header, payload) = match data.get(1)? & 0x7f {
        126 => (4, u64::from(u16::from_be_bytes(data.get(2..4)?.try_into().ok()?))),
        127 => (10, u64::from_be_bytes(data.get(2..10)?.try_into().ok()?)),
        short => (2, u64::from(short)),
    };
    Some((header, usize::try_from(payload).ok()?.checked_add(header)?))
}

fn opcode(frame: &[u8]) -> u8 {
    frame.first().map_or(0, |first| first & 0x0f)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            length @ 0..=125 => frame.push(length as u8),
            length @ 126..=65_535 => {
                frame.push(126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                frame.push(127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend_from_slice(payload);
        frame
    }

    #[test]
    fn however_the_bytes_come_whole_frames_go() {
        for seed in 0..100 {
            let mut random = StdRng::seed_from_u64(seed);
            let lengths = [0, 1, 2, 125, 126, 127, 300, 65_535, 65_536, 70_000];
            let frames: Vec<Vec<u8>> = (0..20)
                .map(|_| frame(TEXT, &vec![b'x'; lengths[random.random_range(0..lengths.len())]]))
                .collect();
            let stream = frames.concat();
            let (mut cutter, mut cuts, mut begin) = (Cutter::default(), Vec::new(), 0);
            while begin < stream.len() {
                let most = if random.random() { 5 } else { 100_000 };
                let end = stream.len().min(begin + random.random_range(1..most));
                cuts.extend(cutter.cut(&stream[begin..end]).into_iter().map(|cut| cut.bytes.to_vec()));
                begin = end;
            }
            assert_eq!(cuts, frames, "seed {seed}");
            assert_eq!(cutter.bytes(), 0);
        }
    }

    #[test]
    fn a_packet_stays_together_with_its_attachments() {
        let packet = frame(TEXT, br#"452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#);
        let (one, two) = (frame(BINARY, b"one"), frame(BINARY, b"two"));
        let mut cutter = Cutter::default();
        assert!(cutter.cut(&packet).is_empty());
        assert!(cutter.cut(&one).is_empty());
        let pong = frame(PONG, b"");
        let cuts = cutter.cut(&[pong.clone(), two.clone(), frame(TEXT, b"2")].concat());
        assert_eq!(cuts.len(), 2);
        assert_eq!(cuts[0].bytes, [packet, one, pong, two].concat());
        assert_eq!(cuts[1].text(), b"2");
    }

    #[test]
    fn a_packet_whose_attachments_do_not_come_holds_nothing_up() {
        let mut cutter = Cutter::default();
        assert!(cutter.cut(&frame(TEXT, b"451-[]")).is_empty());
        assert_eq!(cutter.cut(&frame(TEXT, b"2")).len(), 2);
    }

    #[test]
    fn text_and_close_frames_are_told_apart() {
        let cuts =
            Cutter::default().cut(&[frame(TEXT, b"41"), frame(CLOSE, b""), frame(BINARY, b"41")].concat());
        let shown: Vec<_> = cuts.iter().map(|cut| (cut.text(), cut.is_close())).collect();
        assert_eq!(shown, [(b"41".as_slice(), false), (b"", true), (b"", false)]);
    }
}
