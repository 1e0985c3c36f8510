//! The signals that ask a process to end, and the one that asks it to read its files again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Handle;

#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// Where there is nothing to be read again it ends the process, as it always did.
    hangup: Option<Signal>,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: None,
        })
    }

    pub(super) fn with_hangup(self) -> io::Result<Self> {
        Ok(Self { hangup: Some(signal(SignalKind::hangup())?), ..self })
    }

    /// The name of the next signal to arrive that asks for the end. The others are passed on meanwhile.
    pub(super) async fn end(&mut self, handle: &Handle) -> &'static str {
        loop {
            tokio::select! {
                Some(()) = self.terminate.recv() => return "SIGTERM",
                Some(()) = self.interrupt.recv() => return "SIGINT",
                () = next(&mut self.hangup) => handle.reload(),
            }
        }
    }
}

async fn next(signal: &mut Option<Signal>) {
    if let Some(signal) = signal
        && signal.recv().await.is_some()
    {
        return;
    }
    std::future::pending::<()>().await;
}
