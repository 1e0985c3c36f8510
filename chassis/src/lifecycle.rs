//! The life of a process: signals, the two stop tokens, every task, the exit code.
//!
//! A process ends in two steps. The *soft* stop begins the drain: no new work, finish what is there. The *hard*
//! stop ends the drain: because everything is finished, because the deadline has passed, or because a second
//! signal came. What a component does on either is its own business; here is only when, and who is waited for.

mod failure;
mod handle;
mod roster;
mod signals;

use std::io;
use std::process::ExitCode;
use std::time::Duration;

pub use handle::Handle;
pub use tokio_util::sync::CancellationToken;

use crate::exit;
use signals::Signals;

/// How long tasks may take to end after the hard stop before they are abandoned. A supervisor's patience must
/// cover the drain deadline and this.
pub const HARD_STOP_GRACE: Duration = Duration::from_secs(5);

/// Owns the stop of a process. Made once in `main`, or once for each server in a test.
#[derive(Debug)]
pub struct Lifecycle {
    handle: Handle,
    signals: Option<Signals>,
}

impl Lifecycle {
    /// A lifecycle that stops softly at the first SIGTERM or SIGINT and hard at the second.
    ///
    /// # Errors
    /// When there is no tokio runtime, or the signal handlers cannot be installed.
    pub fn new() -> io::Result<Self> {
        let runtime = tokio::runtime::Handle::try_current().map_err(io::Error::other)?;
        Ok(Self { handle: Handle::new(runtime), signals: Some(Signals::install()?) })
    }

    /// The same, and SIGHUP is [`Handle::reload`].
    ///
    /// # Errors
    /// Those of [`Lifecycle::new`].
    pub fn reloading() -> io::Result<Self> {
        let Self { handle, signals } = Self::new()?;
        Ok(Self { handle, signals: signals.map(Signals::with_hangup).transpose()? })
    }

    /// A lifecycle that only [`Handle::stop`], [`Handle::stop_now`] and dying tasks end; for tests and for
    /// short-lived verbs.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn without_signals() -> Self {
        Self { handle: Handle::new(tokio::runtime::Handle::current()), signals: None }
    }

    /// The handle to give to components.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Waits for a stop, then until every task has ended, at the longest `drain_deadline` softly and
    /// [`HARD_STOP_GRACE`] hard. Returns [`exit::FAILURE`] when a critical task died or a task had to be
    /// abandoned, [`exit::SUCCESS`] otherwise.
    pub async fn run(mut self, drain_deadline: Duration) -> ExitCode {
        let cause = self.stop_begins().await;
        tracing::info!(cause, drain_deadline_ms = drain_deadline.as_millis(), "stopping: draining");
        self.handle.stop();
        self.drain(drain_deadline).await;
        self.handle.stop_now();
        let abandoned = self.everything_ends().await;
        let code = if abandoned || self.handle.has_failed() { exit::FAILURE } else { exit::SUCCESS };
        tracing::info!(code, "stopped");
        ExitCode::from(code)
    }

    async fn stop_begins(&mut self) -> &'static str {
        let soft = self.handle.soft();
        tokio::select! {
            signal = end_signal(&mut self.signals, &self.handle) => signal,
            () = soft.cancelled() => "asked from inside",
        }
    }

    async fn drain(&mut self, deadline: Duration) {
        let (tasks, hard) = (self.handle.work(), self.handle.hard());
        let cause = tokio::select! {
            biased;
            () = tasks.all_ended() => return,
            () = hard.cancelled() => "hard stop",
            signal = end_signal(&mut self.signals, &self.handle) => signal,
            () = tokio::time::sleep(deadline) => "drain deadline",
        };
        tracing::warn!(cause, running = %tasks.running(), "drain cut short");
    }

    /// Returns whether a task had to be abandoned.
    async fn everything_ends(&self) -> bool {
        let (work, support) = (self.handle.work(), self.handle.support());
        let ended = async {
            support.all_ended().await;
            work.all_ended().await;
        };
        let abandoned = tokio::time::timeout(HARD_STOP_GRACE, ended).await.is_err();
        if abandoned {
            tracing::error!(work = %work.running(), support = %support.running(), "abandoning tasks that do not end");
        }
        abandoned
    }
}

async fn end_signal(signals: &mut Option<Signals>, handle: &Handle) -> &'static str {
    match signals {
        Some(signals) => signals.end(handle).await,
        None => std::future::pending().await,
    }
}
