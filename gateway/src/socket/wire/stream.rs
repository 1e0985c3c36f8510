//! The upgraded stream as the engine sees it: counted, watched, and ended from outside.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{KillReason, Transport, Wire};

/// Bytes of the two masked frames with which a client changes to WebSocket: `2probe` (12) and `5` (7). Once so
/// many have been read, the engine has either seen the `5` or refused the upgrade and drops the stream.
const UPGRADE_BYTES: usize = 19;

/// A client's WebSocket stream, given to the engine in place of the TCP stream.
///
/// Once its wire is killed, or a write has failed, reads return an error and writes go nowhere. Writes do not fail:
/// the engine ignores a failed write except while it opens a session, where it then forgets to end it; and it
/// would go on collecting, for a stream that takes nothing, what still waits in its queue.
pub struct WireStream<S> {
    io: S,
    /// Read ahead of the engine.
    ahead: Bytes,
    wire: Arc<Wire>,
    /// How much of the upgrade handshake is still to come.
    handshake_left: usize,
    /// Whether everything written so far is whole frames. The engine's buffer always ends with a frame, so this
    /// is the case whenever a write was taken in full.
    whole_frames: bool,
    said_goodbye: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WireStream<S> {
    /// `ahead` are the bytes that were read from `io` already.
    pub(super) fn new(io: S, ahead: Bytes, wire: Arc<Wire>) -> Self {
        let handshake_left = if wire.transport() == Transport::Upgrading { UPGRADE_BYTES } else { 0 };
        Self { io, ahead, wire, handshake_left, whole_frames: true, said_goodbye: false }
    }

    fn read(&mut self, bytes: usize) {
        self.wire.count_received(bytes);
        if self.handshake_left > 0 {
            self.handshake_left = self.handshake_left.saturating_sub(bytes);
            if self.handshake_left == 0 {
                self.wire.set_transport(Transport::Upgraded);
            }
        }
    }

    /// One try to part politely; what the socket does not take at once is not worth waiting for.
    fn say_goodbye(&mut self, cx: &mut Context<'_>) {
        if self.said_goodbye {
            return;
        }
        self.said_goodbye = true;
        if self.whole_frames {
            let code = self.wire.killed().unwrap_or(KillReason::Broken).close_code().to_be_bytes();
            let frame = [0x88, 2, code[0], code[1]];
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
        if this.ahead.has_remaining() {
            let bytes = this.ahead.split_to(this.ahead.len().min(buf.remaining()));
            buf.put_slice(&bytes);
        } else {
            ready!(Pin::new(&mut this.io).poll_read(cx, buf))?;
        }
        this.read(buf.filled().len() - before);
        Poll::Ready(Ok(()))
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
