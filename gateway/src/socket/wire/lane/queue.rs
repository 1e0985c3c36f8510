//! What waits to be written to one client: whole WebSocket frames, in the order in which they leave.

use std::collections::VecDeque;
use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};

/// Frames that leave with one system call.
const BATCH: usize = 32;

/// Whole frames that the socket has not taken yet. Nothing but the first can be partly written.
#[derive(Default)]
pub(super) struct Queue {
    frames: VecDeque<Bytes>,
    /// The first frame is partly written.
    begun: bool,
    bytes: usize,
    pushed: u64,
    written: u64,
}

impl Queue {
    /// Appends a whole frame.
    pub(super) fn push(&mut self, frame: Bytes) {
        self.bytes += frame.len();
        self.pushed += frame.len() as u64;
        self.frames.push_back(frame);
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// Whether the client has got whole frames only, so that another may begin now.
    pub(super) fn is_between_frames(&self) -> bool {
        !self.begun
    }

    /// A position to ask [`Queue::has_passed`] about: everything that was pushed so far.
    pub(super) fn end(&self) -> u64 {
        self.pushed
    }

    /// Whether everything up to a position has been written.
    pub(super) fn has_passed(&self, end: u64) -> bool {
        self.written >= end
    }

    /// Writes a frame at once if nothing waits before it, and keeps what is not taken. How many bytes were taken.
    ///
    /// # Errors
    /// Those of `write`, except for one that only says "not now".
    pub(super) fn write_through(
        &mut self,
        frame: &Bytes,
        write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let waited = !self.is_empty();
        let taken = if waited { 0 } else { write_once(write, &[IoSlice::new(frame)])?.unwrap_or(0) };
        self.written += taken as u64;
        self.pushed += taken as u64;
        if taken < frame.len() {
            self.begun |= taken > 0;
            self.push(frame.slice(taken..));
        }
        Ok(taken)
    }

    /// Writes what waits until it is all gone or not taken any more. How many bytes were taken.
    ///
    /// # Errors
    /// Those of `write`, except for one that only says "not now".
    pub(super) fn write(
        &mut self,
        mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut total = 0;
        while !self.is_empty() {
            let mut batch = [IoSlice::new(&[]); BATCH];
            let count = self.frames.len().min(BATCH);
            for (slice, frame) in batch.iter_mut().zip(&self.frames) {
                *slice = IoSlice::new(frame);
            }
            let Some(taken) = write_once(&mut write, batch.get(..count).unwrap_or_default())? else {
                break;
            };
            self.advance(taken);
            total += taken;
        }
        if self.is_empty() {
            // Backlogs are rare and wires many: the memory goes with the frames.
            self.frames = VecDeque::new();
        }
        Ok(total)
    }

    fn advance(&mut self, mut taken: usize) {
        self.bytes = self.bytes.saturating_sub(taken);
        self.written += taken as u64;
        while let Some(first) = self.frames.front_mut() {
            if taken < first.len() {
                first.advance(taken);
                self.begun |= taken > 0;
                return;
            }
            taken -= first.len();
            self.begun = false;
            self.frames.pop_front();
        }
    }
}

/// One successful write; `None` when the socket takes nothing now.
fn write_once(
    mut write: impl FnMut(&[IoSlice<'_>]) -> io::Result<usize>,
    slices: &[IoSlice<'_>],
) -> io::Result<Option<usize>> {
    loop {
        return match write(slices) {
            Ok(0) => Err(io::ErrorKind::WriteZero.into()),
            Ok(taken) => Ok(Some(taken)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(error),
        };
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    #[test]
    fn whatever_the_socket_takes_the_bytes_leave_whole_and_in_order() {
        for seed in 0..200 {
            let mut random = StdRng::seed_from_u64(seed);
            let mut queue = Queue::default();
            let (mut expected, mut left) = (Vec::new(), Vec::new());
            for number in 0..300_u32 {
                let frame = Bytes::from(number.to_be_bytes().repeat(random.random_range(1..20)));
                let takes = random.random_range(0..120);
                let write = |slices: &[IoSlice<'_>]| take(&mut left, slices, takes);
                match random.random_range(0..3) {
                    0 => {
                        expected.extend_from_slice(&frame);
                        queue.push(frame);
                    }
                    1 => {
                        expected.extend_from_slice(&frame);
                        queue.write_through(&frame, write).unwrap();
                    }
                    _ => {
                        // What is taken once may be followed by a "not now", as from a real socket.
                        let mut budget = takes;
                        queue
                            .write(|slices| {
                                let taken = take(&mut left, slices, budget);
                                budget -= taken.as_ref().map_or(0, |taken| *taken);
                                taken
                            })
                            .unwrap();
                    }
                }
                assert_eq!(queue.bytes(), expected.len() - left.len(), "seed {seed}");
                assert_eq!(queue.has_passed(queue.end()), queue.is_empty());
            }
            queue.write(|slices| take(&mut left, slices, usize::MAX)).unwrap();
            assert_eq!(left, expected, "seed {seed}");
            assert!(queue.is_empty() && queue.is_between_frames());
        }
    }

    #[test]
    fn a_frame_that_is_partly_written_is_known_as_such() {
        let mut queue = Queue::default();
        let frame = Bytes::from_static(b"abcdef");
        let mut left = Vec::new();
        queue.write_through(&frame, |slices| take(&mut left, slices, 6)).unwrap();
        assert!(queue.is_between_frames() && queue.is_empty());
        queue.write_through(&frame, |slices| take(&mut left, slices, 2)).unwrap();
        assert!(!queue.is_between_frames());
        queue.write(|slices| take(&mut left, slices, 100)).unwrap();
        assert!(queue.is_between_frames() && queue.is_empty());
    }

    #[test]
    fn a_socket_that_is_gone_is_an_error() {
        let mut queue = Queue::default();
        let gone = queue.write_through(&Bytes::from_static(b"a"), |_| Ok(0));
        assert_eq!(gone.unwrap_err().kind(), io::ErrorKind::WriteZero);
    }

    fn take(left: &mut Vec<u8>, slices: &[IoSlice<'_>], takes: usize) -> io::Result<usize> {
        let all: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let taken = takes.min(all.len());
        if taken == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        left.extend_from_slice(&all[..taken]);
        Ok(taken)
    }
}
