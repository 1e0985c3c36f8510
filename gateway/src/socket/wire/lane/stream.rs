//! A client's TCP stream as the engine sees it, when there is a lane past it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use super::super::intake::Intake;
use super::super::{KillReason, Wire};

/// A client's WebSocket stream, given to the engine in place of the TCP stream. What the engine writes goes in the
/// queue that it shares with the lane; the task that reads also writes what the socket did not take at once.
///
/// Once its wire is killed it behaves like [`WireStream`](super::super::stream::WireStream): reads fail, and writes
/// go nowhere.
pub(in super::super) struct LaneStream {
    tcp: OwnedReadHalf,
    intake: Intake,
    wire: Arc<Wire>,
}

impl LaneStream {
    /// `ahead` are the bytes that were read already.
    pub(in super::super) fn new(tcp: TcpStream, ahead: Bytes, wire: Arc<Wire>) -> Self {
        let (read, write) = tcp.into_split();
        wire.lane.attach(write);
        Self { tcp: read, intake: Intake::new(ahead, &wire), wire }
    }

    fn part(&self) {
        let reason = self.wire.killed().unwrap_or(KillReason::Broken);
        self.wire.lane.part(&reason.close_frame());
    }
}

impl Drop for LaneStream {
    fn drop(&mut self) {
        self.wire.lane.detach();
        self.wire.stream_dropped();
    }
}

impl AsyncRead for LaneStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.wire.reading(cx.waker()) {
            let (engine, flushed) = this.wire.lane.flush(cx);
            let freed = engine.is_ready() && flushed.as_ref().is_ok_and(|progress| progress.written > 0);
            this.wire.moved(&flushed);
            if freed {
                this.wire.engine_may_write();
            }
        }
        if this.wire.killed().is_some() {
            this.part();
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        this.intake.poll_read(&this.wire, Pin::new(&mut this.tcp), cx, buf)
    }
}

impl AsyncWrite for LaneStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if !this.wire.writing(cx.waker()) {
            let (taken, flushed) = this.wire.lane.take(cx, data);
            this.wire.moved(&flushed);
            if this.wire.killed().is_none() {
                ready!(taken);
                this.wire.handed_over(data.len());
                return Poll::Ready(Ok(data.len()));
            }
        }
        this.part();
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.wire.writing(cx.waker()) {
            return Poll::Ready(Ok(()));
        }
        let (engine, flushed) = this.wire.lane.flush(cx);
        this.wire.moved(&flushed);
        if engine.is_pending() && this.wire.killed().is_none() {
            return Poll::Pending;
        }
        this.wire.handed_over(usize::MAX);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        self.wire.lane.detach();
        Poll::Ready(Ok(()))
    }
}
