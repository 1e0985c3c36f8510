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

use super::intake::Intake;
use super::lane::LaneStream;
use super::{KillReason, Wire};
use crate::listener::Guarded;

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
    intake: Intake,
    wire: Arc<Wire>,
    /// Whether everything written so far is whole frames. The engine's buffer always ends with a frame, so this
    /// is the case whenever a write was taken in full.
    whole_frames: bool,
    said_goodbye: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> WireStream<S> {
    /// `ahead` are the bytes that were read from `io` already.
    pub(super) fn new(io: S, ahead: Bytes, wire: Arc<Wire>) -> Self {
        Self { io, intake: Intake::new(ahead, &wire), wire, whole_frames: true, said_goodbye: false }
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
        this.intake.poll_read(&this.wire, Pin::new(&mut this.io), cx, buf)
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
