//! The upgraded stream as the engine sees it: counted, watched, and ended from outside.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::lane::LaneStream;
use super::{KillReason, Transport, Wire};
use crate::listener::Guarded;

/// Bytes of the two masked frames with which a client changes to WebSocket: `2probe` (12) and `5` (7). Once so
/// many have been read, the engine has either seen the `5` or refused the upgrade and drops the stream.
const UPGRADE_BYTES: usize = 19;

/// What was read from a stream before the engine got it, and how far the upgrade handshake has come.
pub(super) struct Ahead {
    bytes: Bytes,
    handshake_left: usize,
}

impl Ahead {
    pub(super) fn new(bytes: Bytes, wire: &Wire) -> Self {
        let handshake_left = if wire.transport() == Transport::Upgrading { UPGRADE_BYTES } else { 0 };
        Self { bytes, handshake_left }
    }

    /// Hands the engine what was read ahead of it; false when nothing is left.
    pub(super) fn take(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if self.bytes.is_empty() {
            return false;
        }
        let bytes = self.bytes.split_to(self.bytes.len().min(buf.remaining()));
        buf.put_slice(&bytes);
        true
    }

    /// Notes that the engine has read so many bytes.
    pub(super) fn count(&mut self, wire: &Wire, bytes: usize) {
        wire.count_received(bytes);
        if self.handshake_left > 0 {
            self.handshake_left = self.handshake_left.saturating_sub(bytes);
            if self.handshake_left == 0 {
                wire.set_transport(Transport::Upgraded);
            }
        }
    }
}

/// A client's stream, with a lane past the engine or without.
pub(super) enum ClientStream {
    /// Plain TCP.
    Lane(LaneStream),
    /// Anything else.
    Engine(WireStream<TokioIo<Upgraded>>),
}

impl ClientStream {
    /// `ahead` are the bytes that were read from the stream already. With `fast_lane`, a stream of the listener's own
    /// kind gets a lane.
    pub(super) fn new(upgraded: Upgraded, ahead: Bytes, wire: Arc<Wire>, fast_lane: bool) -> Self {
        if !fast_lane {
            return Self::Engine(WireStream::new(TokioIo::new(upgraded), ahead, wire));
        }
        match upgraded.downcast::<TokioIo<Guarded<TcpStream>>>() {
            Ok(parts) => {
                // hyper may have read on while it answered the handshake.
                let ahead =
                    if parts.read_buf.is_empty() { ahead } else { [ahead, parts.read_buf].concat().into() };
                Self::Lane(LaneStream::new(parts.io.into_inner().into_inner(), ahead, wire))
            }
            Err(upgraded) => Self::Engine(WireStream::new(TokioIo::new(upgraded), ahead, wire)),
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Lane(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Engine(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Lane(stream) => Pin::new(stream).poll_write(cx, data),
            Self::Engine(stream) => Pin::new(stream).poll_write(cx, data),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Lane(stream) => Pin::new(stream).poll_flush(cx),
            Self::Engine(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Lane(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Engine(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// A client's WebSocket stream, given to the engine in place of a stream that has no lane.
///
/// Once its wire is killed, or a write has failed, reads return an error and writes go nowhere. Writes do not fail:
/// the engine ignores a failed write except while it opens a session, where it then forgets to end it; and it
/// would go on collecting, for a stream that takes nothing, what still waits in its queue.
pub(super) struct WireStream<S> {
    io: S,
    ahead: Ahead,
    wire: Arc<Wire>,
    /// Whether everything written so far is whole frames. The engine's buffer always ends with a frame, so this
    /// is the case whenever a write was taken in full.
    whole_frames: bool,
    said_goodbye: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WireStream<S> {
    /// `ahead` are the bytes that were read from `io` already.
    pub(super) fn new(io: S, ahead: Bytes, wire: Arc<Wire>) -> Self {
        Self { io, ahead: Ahead::new(ahead, &wire), wire, whole_frames: true, said_goodbye: false }
    }

    /// One try to part politely; what the socket does not take at once is not worth waiting for.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        if self.said_goodbye {
            return;
        }
        self.said_goodbye = true;
        if self.whole_frames {
            let frame = self.wire.killed().unwrap_or(KillReason::Broken).close_frame();
            let _ = Pin::new(&mut self.io).poll_write(cx, &frame);
        }
        let _ = Pin::new(&mut self.io).poll_shutdown(cx);
    }
}

impl<S> Drop for WireStream<S> {
    fn drop(&mut self) {
        self.wire.stream_dropped();
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for WireStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.wire.reading(cx.waker()) {
            this.say_goodbye(cx);
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let before = buf.filled().len();
        loop {
            if !this.ahead.take(buf) {
                ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
            }
            let read = buf.filled().len() - before;
            this.ahead.count(&this.wire, read);
            if read == 0 || !this.wire.muted() {
                return Poll::Ready(Ok(()));
            }
            buf.set_filled(before);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for WireStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.wire.writing(cx.waker()) {
            this.say_goodbye(cx);
            return Poll::Ready(Ok(data.len()));
        }
        match Pin::new(&mut this.io).poll_write(cx, data) {
            Poll::Ready(Ok(taken)) if taken > 0 || data.is_empty() => {
                this.whole_frames = taken == data.len();
                this.wire.wrote(taken);
                Poll::Ready(Ok(taken))
            }
            Poll::Ready(_) => {
                this.wire.kill(KillReason::Broken);
                Poll::Ready(Ok(data.len()))
            }
            Poll::Pending => {
                this.wire.write_blocked();
                Poll::Pending
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.wire.writing(cx.waker()) {
            return Poll::Ready(Ok(()));
        }
        if ready!(Pin::new(&mut this.io).poll_flush(cx)).is_err() {
            this.wire.kill(KillReason::Broken);
        } else {
            this.wire.flushed();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
